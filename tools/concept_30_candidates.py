"""The hand judgement behind `concepts-30`: candidate words of the twenty categories added.

`build_concepts_30.py` checks the first table against the CC0 source lists and chooses 20 words a
category. All are nouns (some are other words too), in the singular where they have one, and in
lower case. Left out, as in `concept_candidates.py`: what names things of two categories
("keyboard", "cricket", "magnolia"), what holds a word or the name of another category
("nightstand", "football"), and what stands in a frame ("card", "book").
"""

from __future__ import annotations

# Words that stand in the source lists of their category.
LISTED: dict[str, str] = {
    "furniture": """
        bassinet bed bench bookshelf chair cot couch crib desk hammock lectern mattress recliner
        shelf stool table throne
        """,
    "musical_instrument": """
        accordion bagpipe banjo bassoon bongo bugle cello clarinet cymbal drum fiddle flute gong
        guitar harmonica harp harpsichord kazoo lute lyre mandolin marimba oboe piano piccolo sitar
        tambourine trombone trumpet tuba ukulele viola violin xylophone zither
        """,
    "weapon": """
        arrow bazooka blowgun bomb boomerang bullet cannon catapult crossbow dagger dynamite grenade
        gun harpoon halberd katana lance landmine longbow machete mace missile rapier
        revolver rifle sabre scimitar slingshot spear sword whip
        """,
    "container": """
        bag barrel basket beaker bottle bowl box briefcase bucket canister crate cup flask goblet
        jar jug keg mug pail pitcher pot pouch suitcase thermos urn vase vial wallet
        """,
    "flower": """
        amaryllis anemone aster azalea begonia carnation crocus daffodil dahlia daisy freesia
        gladiolus hibiscus hyacinth jasmine lily marigold narcissus orchid peony petunia primrose
        rhododendron rose tulip zinnia
        """,
    "tree": "alder baobab beech birch eucalyptus juniper maple pine poplar sycamore willow",
    "fabric": """
        brocade burlap calico cambric canvas cashmere chiffon chintz corduroy cotton damask denim
        flannel gauze gingham hemp lace linen mohair muslin nylon organza plush polyester poplin
        rayon satin silk spandex taffeta terrycloth tulle tweed twill velour velvet wool
        """,
    "drink": """
        beer champagne cocktail coffee eggnog espresso juice latte lemonade margarita smoothie soda
        tea wine
        """,
    "weather": "drizzle fog hail haze rain snow thunderstorm",
    "landform": """
        atoll bay causeway cove delta fjord geyser ocean river sea shore
        """,
    "sport": """
        archery badminton baseball biathlon climbing croquet curling cycling decathlon diving
        fencing golf gymnastics hiking hockey judo jousting karate lacrosse luge marathon pentathlon
        polo
        """,
    "time": "century day decade fortnight hour minute moment month week year",
}

# Additions by hand where the lists are thin, and the categories that no list has.
HAND: dict[str, str] = {
    "furniture": """
        bureau cradle footstool futon pew settee sideboard sofa armoire credenza divan
        chaise hassock         """,
    "musical_instrument": "saxophone",
    "weapon": "bayonet cutlass musket pistol shotgun tomahawk",
    "container": "tub carton casket chalice hamper sack satchel tankard",
    "flower": """
        camellia chrysanthemum dandelion gardenia geranium hollyhock lotus pansy
        """,
    "tree": """
        acacia aspen banyan cedar cypress elm fir ginkgo hawthorn hemlock hickory larch laurel
        linden mangrove oak rowan sequoia spruce teak yew
        """,
    "fabric": "leather suede",
    "drink": """
        absinthe ale bourbon brandy cappuccino cider cocoa cognac gin lager liqueur martini
        mead rum sherry tequila vermouth vodka whiskey
        """,
    "weather": """
        mist blizzard breeze cloud cyclone dew downpour drought flood frost gale gust hailstorm
        heatwave humidity hurricane icicle lightning monsoon rainbow rainstorm sandstorm sleet
        snowfall snowflake snowstorm squall storm sunshine tempest thaw thunder tornado typhoon
        whirlwind wind
        """,
    "landform": """
        beach cave forest island lagoon lake mountain canyon cavern cliff coast crater creek desert
        dune glacier gorge gulf hill jungle marsh meadow oasis peninsula plateau pond prairie ravine
        reef stream swamp valley volcano
        """,
    "building": """
        abbey barn barracks brewery bungalow cabin castle cathedral chapel church cinema convent
        cottage factory fortress garage hospital hotel house hut inn lighthouse mansion mill
        monastery mosque museum palace prison restaurant school shack shed stadium synagogue tavern
        theater tower villa warehouse pagoda silo chalet chateau citadel hangar rectory shrine
        tenement vicarage observatory hacienda hostel motel lodge manor gazebo pavilion
        """,
    "room": """
        antechamber attic balcony basement boudoir cellar conservatory corridor dormitory dungeon
        foyer gym hall kitchen larder laundry lavatory lobby loft lounge pantry parlour
        porch scullery studio toilet vault veranda vestibule
        """,
    "relative": """
        ancestor aunt bride brother child cousin dad daughter descendant father fiance godfather
        godmother granddaughter grandfather grandma grandmother grandpa grandparent grandson heir
        husband mother mum nephew niece orphan parent sibling sister son spouse stepbrother
        stepdaughter stepfather stepmother stepsister stepson uncle widow widower wife
        """,
    "mythical_being": """
        angel banshee centaur cyclops demon devil dragon dwarf elf fairy genie ghost ghoul giant
        gnome goblin griffin imp kraken leprechaun mermaid minotaur monster nymph ogre phantom
        phoenix pixie satyr siren sorcerer sphinx sprite troll unicorn vampire werewolf witch wizard
        zombie
        """,
    "sport": """
        jogging rowing rugby skating skiing soccer softball surfing swimming tennis volleyball
        wrestling
        """,
    "time": """
        afternoon autumn dawn daybreak dusk epoch era evening instant midday midnight millennium
        morning night nightfall noon season semester summer sunrise sunset tomorrow twilight weekend
        winter yesterday eon solstice equinox weekday trimester yesteryear         interval
        """,
    "trait": """
        ambition arrogance bravery candor charity courage cowardice cruelty cunning decency
        diligence fairness folly generosity gentleness goodness greed grit honesty humility idleness
        integrity kindness laziness loyalty mercy modesty obedience patience piety politeness
        prudence rudeness selfishness shyness sincerity tact thrift tolerance valor vanity
        wickedness wisdom wit
        """,
    "shape": """
        arc circle cone crescent cube cuboid curve cylinder disc ellipse helix hexagon line loop
        oblong octagon oval parallelogram pentagon polygon prism quadrilateral rectangle rhombus
        semicircle sphere spiral square tetrahedron trapezoid triangle zigzag
        """,
    "unit": """
        acre ampere bushel byte calorie carat centimeter decibel fathom furlong gallon gram hectare
        hertz inch joule kelvin kilogram kilometer kilowatt liter megabyte meter mile millimeter ohm
        ounce pint pound quart degree ton volt watt
        """,
    "speech_act": """
        accusation advice apology blessing boast command complaint compliment confession curse
        demand denial excuse gossip greeting hint insult invitation joke lecture lie oath objection
        plea praise prayer promise proposal proverb refusal remark request rumor suggestion threat
        vow warning
        """,
}

# Words of `concepts` that one of the added categories could claim too, or whose parts it could.
LEFT_OUT: dict[str, str] = {
    "axe": "a weapon too",
    "chainsaw": "a weapon too, in THINGS",
    "cleaver": "a weapon too, in THINGS",
    "crowbar": "a weapon too, in THINGS",
    "hammer": "a weapon too, in THINGS",
    "hatchet": "a weapon too",
    "knife": "a weapon too",
    "pitchfork": "a weapon too, in THINGS",
    "rocket": "a weapon too",
    "dustpan": "a container too, in THINGS",
    "wheelbarrow": "a container too, in THINGS",
    "milkshake": "a drink too",
    "cupcake": "holds a container",
    "burgundy": "a wine too",
    "chartreuse": "a liqueur too",
    "violet": "a flower too",
    "heart": "a shape too",
    "dozen": "a unit too",
    "envy": "a trait too",
    "pride": "a trait too",
    "raincoat": "holds a word of the weather",
    "snowplow": "holds a word of the weather",
    "waistcoat": "holds a body part",
    "seagull": "holds a landform",
    "seaplane": "holds a landform",
}

# A word may start or end with another category's word by chance alone.
HOLDS_BY_CHANCE: str = """
    brain broom camellia carton chemist courage crater cucumber disgust economist footstool garage
    harpoon hassock linen meadow millennium millimeter million mother palace parallelogram plumber
    porcupine screwdriver snowflake stool train trolley vermouth vicarage whiskey
    """
