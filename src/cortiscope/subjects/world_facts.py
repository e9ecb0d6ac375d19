"""What is so in the small world: facts by word, and the plain vocabulary around the words.

A word without an entry takes part in the sentences that need no fact, so any mapping of categories
to words can be used.
"""

from __future__ import annotations

# ruff: noqa: SIM905 - lists of words are read and mended more easily as text


def _by_word(groups: dict[str, str]) -> dict[str, list[str]]:
    """Turn {value: "word word"} into {word: [value, ...]}."""
    values: dict[str, list[str]] = {}
    for value, words in groups.items():
        for word in words.split():
            values.setdefault(word, []).append(value)
    return values


# fact name -> word -> possible values; a template asks for one as {animal.home}.
FACTS: dict[str, dict[str, list[str]]] = {
    "home": _by_word(
        {
            "river": "alligator otter turtle flamingo",
            "forest": "badger coyote ferret moose porcupine skunk squirrel snake",
            "grassland": "bison cheetah elephant gazelle giraffe ostrich vulture",
            "desert": "camel lizard snake vulture coyote",
            "sea": "shark whale walrus pelican seagull turtle",
            "farmyard": "horse ox pig kitten",
            "jungle": "chimpanzee gorilla monkey panther",
            "garden": "beetle moth mosquito hamster",
            "mountains": "eagle panther",
        }
    ),
    "eats": _by_word(
        {
            "grass": "bison gazelle horse ox elephant camel",
            "leaves": "giraffe moose gorilla ostrich beetle",
            "fish": "alligator otter pelican seagull shark walrus whale eagle flamingo",
            "fruit": "chimpanzee monkey gorilla porcupine moth",
            "seeds": "hamster squirrel ostrich",
            "insects": "lizard skunk badger snake",
            "smaller creatures": "cheetah coyote eagle ferret panther snake vulture alligator"
            " kitten",
            "roots": "pig badger porcupine beetle",
            "water plants": "turtle moose",
        }
    ),
    "moves": _by_word(
        {
            "swam": "alligator otter turtle shark whale walrus",
            "flew": "eagle flamingo pelican seagull vulture moth mosquito beetle",
            "ran": "cheetah coyote gazelle horse ostrich giraffe bison moose camel panther",
            "climbed": "chimpanzee monkey gorilla squirrel kitten",
            "crawled": "lizard snake beetle turtle hamster",
            "walked": "elephant ox pig badger porcupine skunk ferret camel walrus",
        }
    ),
    "use": _by_word(
        {
            "cut the wood": "axe chainsaw hatchet chisel",
            "sweep the floor": "broom dustpan",
            "clean the floor": "mop squeegee broom",
            "dig a hole": "shovel trowel hoe pitchfork",
            "loosen the soil": "hoe rake trowel pitchfork",
            "drive in the pegs": "hammer mallet sledgehammer",
            "shape the hot metal": "anvil hammer",
            "open the old crate": "crowbar chisel",
            "pour the oil": "funnel",
            "shred the peel": "grater peeler",
            "slice the rope": "knife razor cleaver",
            "reach the roof": "ladder",
            "serve the broth": "ladle spoon",
            "look at the tiny letters": "magnifier",
            "mend the cloth": "needle",
            "lift the heavy stones": "pulley crowbar wheelbarrow",
            "smooth the board": "sandpaper scraper",
            "tighten the screws": "screwdriver wrench",
            "hold the board still": "vise",
            "cut the wheat": "sickle",
            "turn the eggs in the pan": "spatula",
            "stir the batter": "whisk spoon spatula",
            "drain the boiling water": "strainer",
            "sift the flour": "sifter strainer",
            "carry the sand": "wheelbarrow",
        }
    ),
    "worn": _by_word(
        {
            "while cooking": "apron",
            "on the head": "beanie hat helmet turban",
            "on the feet": "moccasin sandal shoe slipper sock",
            "on the hands": "glove mitten",
            "over the shoulders": "cardigan cloak coat blazer jacket robe scarf raincoat toga",
            "around the neck": "scarf bowtie",
            "in the water": "swimsuit wetsuit",
            "after a bath": "bathrobe robe slipper",
            "in cold weather": "beanie cardigan coat glove hoodie jacket mitten scarf sweater sock",
            "in the rain": "raincoat cloak coat hoodie",
            "in hot weather": "sandal sarong skirt blouse swimsuit shirt toga",
            "at school": "uniform shirt skirt sweater hoodie",
            "at a wedding": "blazer bowtie veil waistcoat corset blouse",
            "while running": "tracksuit sweatshirt shoe sock hoodie",
            "on the stage": "costume jumpsuit cloak veil corset",
            "under the sweater": "undershirt shirt blouse",
        }
    ),
    "way": _by_word(
        {
            "on the road": "bike bus firetruck hearse jeep limousine minivan rickshaw scooter taxi"
            " tricycle truck unicycle van chariot wagon cart",
            "on the water": "canoe ferry gondola kayak raft sailboat speedboat tugboat yacht"
            " hovercraft",
            "under the water": "submarine",
            "through the air": "jet rocket seaplane",
            "on the rails": "train trolley subway",
            "over the snow": "sled snowplow",
            "across the field": "tractor cart wagon jeep",
            "at the building site": "bulldozer forklift steamroller truck",
        }
    ),
    "steers": _by_word(
        {
            "drove": "bulldozer bus cart chariot firetruck forklift hearse jeep limousine minivan"
            " snowplow steamroller taxi tractor train trolley truck van wagon subway",
            "rode": "bike scooter tricycle unicycle sled rickshaw",
            "sailed": "ferry gondola sailboat speedboat tugboat yacht submarine hovercraft raft",
            "paddled": "canoe kayak raft",
            "flew": "jet rocket seaplane",
        }
    ),
    "place": _by_word(
        {
            "at the bakery": "baker",
            "at the barber shop": "barber",
            "at the market": "butcher cashier farmer",
            "in the kitchen": "chef",
            "in the laboratory": "chemist zoologist",
            "at the hospital": "doctor nurse surgeon",
            "at the office": "author clerk economist editor lawyer writer surveyor",
            "in the library": "librarian author writer",
            "at the restaurant": "waiter waitress chef",
            "on the stage": "dancer singer",
            "in the forest": "hunter trapper",
            "on the ranch": "rancher farmer",
            "at the harbour": "sailor painter",
            "at the airport": "pilot",
            "at the church": "priest",
            "on the roof": "roofer",
            "in the workshop": "locksmith welder tailor plumber optician",
            "at the clinic": "dentist doctor nurse optician",
            "at the school": "janitor librarian nurse",
            "at the big game": "referee",
            "at the hotel": "chauffeur janitor clerk",
            "in the studio": "painter dancer singer",
        }
    ),
    "does": _by_word(
        {
            "baked rolls before sunrise": "baker",
            "trimmed the old man's sideburns": "barber",
            "sold the customers their roast": "butcher",
            "counted the coins": "cashier clerk",
            "drove the guests home": "chauffeur",
            "seasoned the dinner": "chef",
            "mixed the powders": "chemist",
            "practised a new step": "dancer",
            "looked after the patients": "doctor nurse surgeon dentist",
            "wrote about prices and taxes": "economist",
            "corrected the pages": "editor author writer",
            "planted the corn": "farmer",
            "followed the tracks": "hunter trapper",
            "mopped the halls": "janitor",
            "spoke in court": "lawyer",
            "stacked the books": "librarian",
            "made a new key": "locksmith",
            "tested our glasses": "optician",
            "mixed the paints": "painter",
            "landed the plane": "pilot",
            "fixed the leaking pipe": "plumber",
            "rang the bell and prayed": "priest",
            "rounded up the herd": "rancher",
            "blew the whistle": "referee",
            "nailed down the shingles": "roofer",
            "raised the anchor": "sailor",
            "sang for the crowd": "singer",
            "measured the land": "surveyor",
            "sewed the seams": "tailor",
            "brought the menu": "waiter waitress",
            "joined the steel beams": "welder",
            "finished the chapter": "author writer",
            "studied the wild herds": "zoologist",
        }
    ),
    "cause": _by_word(
        {
            "the good news": "bliss ecstasy elation euphoria glee happiness joy relief pride",
            "the lost war": "agony anguish despair grief misery sadness sorrow dismay",
            "the cruel trick": "anger fury outrage rage hatred disgust irritation",
            "the dark cave": "fear horror terror anxiety",
            "the broken promise": "regret remorse shame guilt dismay distress confusion",
            "the kind help": "gratitude relief joy happiness",
            "the long dull speech": "boredom irritation",
            "the poor orphan": "pity sympathy sorrow sadness",
            "the old photographs": "nostalgia sadness happiness regret",
            "the rich neighbour": "envy hatred",
            "the strange message": "confusion anxiety fear distress",
            "the first prize": "pride elation glee envy",
        }
    ),
    "like": _by_word(
        {
            "blood": "crimson scarlet red carmine vermilion",
            "wine": "burgundy maroon",
            "the summer sky": "azure blue cerulean bluish",
            "a tropical sea": "turquoise aqua aquamarine teal cyan",
            "fresh grass": "green greenish chartreuse",
            "sand": "beige taupe ochre",
            "autumn leaves": "russet auburn tawny umber brown sepia reddish",
            "snow": "white",
            "coal": "black",
            "a rain cloud": "grey",
            "the sun": "yellow",
            "a bright flower": "magenta pink cerise mauve purple violet indigo",
        }
    ),
    "tastes": _by_word(
        {
            "sweet": "candy cupcake donut honey mango melon pie pudding raisin strawberry"
            " watermelon milkshake pancake",
            "salty": "bacon ham peanut taco soup omelet",
            "crunchy": "cereal cucumber lettuce radish peanut celery turnip cabbage",
            "soft": "bread pudding potato omelet noodle pancake rice tortilla lasagna",
            "fresh": "tomato lettuce spinach cucumber broccoli bread zucchini strawberry artichoke",
            "sour": "pickle cabbage",
            "spicy": "burrito taco radish onion garlic soup",
            "warm": "soup rice lasagna noodle potato pie artichoke broccoli",
        }
    ),
}

MASS_FOODS = frozenset(
    "bacon bread broccoli butter cabbage candy cauliflower celery cereal cheese cornbread garlic"
    " granola gravy ham honey ketchup lasagna lettuce marmalade oatmeal pasta popcorn pudding rice"
    " salad soup spaghetti spinach steak syrup yogurt".split()
)
MASS_TOOLS = frozenset({"sandpaper"})
PLURALS = {
    "bison": "bison",
    "deer": "deer",
    "knife": "knives",
    "mango": "mangoes",
    "moose": "moose",
    "mosquito": "mosquitoes",
    "ox": "oxen",
    "potato": "potatoes",
    "scarf": "scarves",
    "sheep": "sheep",
    "tomato": "tomatoes",
    "tooth": "teeth",
    "wolf": "wolves",
}
# Cardinals that need an article before a noun, and the ordinals.
ARTICLE_NUMBERS = frozenset("dozen hundred thousand million billion trillion".split())
ORDINALS = frozenset(
    "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth twentieth".split()
)
COUNTING = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
).split()
TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDER = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()

GIRLS = "Anna Lily Mia Rosa Sara Tina Emma Nora Ella Lucy Kate Ruth Jane Amy Clara Zoe".split()
BOYS = "Tom Ben Sam Max Leo Jack Tim Paul Omar Luke Adam Hugo Peter Finn Oscar Dan".split()
VOCABULARY: dict[str, list[str]] = {
    "spot": "the lake|the old bridge|the market|the hill|the school|the station|the park|the barn"
    "|the castle|the harbour|the village|the museum|the shop|the cottage|the street".split("|"),
    "thing": "box|lamp|door|curtain|chair|basket|bottle|wall|carpet|balloon|flag|bench|kite|cup"
    "|window|ribbon|blanket|book|table|letter".split("|"),
    "things": "boxes|stones|shells|books|coins|birds|trees|houses|stars|flowers|letters|candles"
    "|buttons|bottles|tickets|people|children|steps|miles|pages|chairs|marbles".split("|"),
    "adj": "old|new|small|big|strange|beautiful|dusty|heavy|little|quiet|lovely|plain".split("|"),
    "time": "in the morning|at night|yesterday|last summer|every day|on Sunday|after lunch"
    "|before dinner|one winter day|long ago|at noon|this week".split("|"),
    "relative": "mother|father|brother|sister|uncle|aunt|grandmother|grandfather|cousin"
    "|friend".split("|"),
    "meal": "breakfast|lunch|dinner|supper|a picnic|the party".split("|"),
    "how": "slowly|quickly|quietly|carefully|happily|at once|again|for a long time".split("|"),
}
