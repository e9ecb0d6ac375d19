"""The hand judgement behind the `concepts` stimuli: candidate words, additions and refusals.

`build_concepts.py` checks these lists against the CC0 source lists and chooses 40 words a category
from them. Everything here is singular, a single lower-case word, and was read by a person.
"""

from __future__ import annotations

# Words that stand in the source list of their category (THINGS columns, corpora lists).
CANDIDATES: dict[str, str] = {
    "animal": """
        alligator antelope badger beaver bee beetle bison camel cat cheetah
        chimpanzee cow coyote crocodile deer dog dolphin donkey eagle elephant elk ferret flamingo
        fox frog gazelle giraffe goat gorilla hamster hedgehog hippopotamus horse hyena iguana
        kangaroo kitten koala leopard lion lizard llama monkey moose mosquito moth octopus ostrich
        otter owl ox panda panther parrot pelican penguin pig pigeon pony porcupine
        puppy rabbit raccoon rat reindeer rhinoceros rooster seagull shark sheep skunk snake
        spider squirrel swan tiger toad turtle vulture walrus weasel whale wolf zebra
        """,
    "food": """
        apple artichoke asparagus avocado bacon bagel banana biscuit bread broccoli
        burrito butter cabbage cake candy carrot cauliflower celery cereal cheese cookie
        cornbread cucumber cupcake donut dumpling garlic grape gravy ham
        hamburger honey ketchup lasagna lettuce mango marmalade melon milkshake muffin noodle
        oatmeal omelet onion pancake papaya pasta peanut pear pickle pie pineapple pizza
        popcorn potato pretzel pudding pumpkin radish raisin rice salad sandwich sausage
        soup spaghetti spinach steak strawberry syrup taco tomato tortilla turnip waffle walnut
        watermelon yogurt zucchini
        """,
    "clothing": """
        apron bathrobe beanie blazer blouse bonnet bowtie cardigan cloak coat corset costume
        glove hat helmet hoodie jacket jumpsuit kilt kimono
        leotard mitten moccasin nightgown nightshirt poncho raincoat robe sandal
        sarong scarf shawl shirt shoe skirt slipper snowsuit sock sombrero sweater
        sweatshirt swimsuit toga tracksuit turban tuxedo undershirt uniform veil
        vest waistcoat wetsuit
        """,
    "tool": """
        anvil axe blowtorch broom chainsaw chisel cleaver corkscrew crowbar dustpan
        funnel grater hammer hatchet hoe jackhammer knife ladder ladle lawnmower
        magnifier mallet mop needle nutcracker paintbrush peeler pitchfork plunger pocketknife
        pulley rake razor sandpaper scalpel scraper screwdriver shovel
        sickle sifter sledgehammer spatula spoon squeegee strainer thermometer trowel vise
        wheelbarrow whisk wrench
        """,
    "vehicle": """
        airplane ambulance bike boat bulldozer bus canoe car carriage cart chariot
        ferry firetruck forklift gondola hearse helicopter hovercraft jeep jet kayak
        limousine minivan motorcycle raft rickshaw rocket sailboat scooter
        seaplane ship sled snowmobile snowplow speedboat steamroller submarine
        subway taxi tractor train tricycle trolley truck tugboat unicycle van wagon
        wheelchair yacht
        """,
    "body_part": """
        ankle arm beard belly cheek chin ear elbow eye eyebrow eyelash finger fist foot
        forearm forehead hair hand head hip knee leg lip mouth mustache navel neck nose
        nostril shoulder skin skull stomach thigh thumb toe tongue tooth torso waist wrist
        """,
    "occupation": """
        accountant actor architect artist astronomer author baker barber bartender butcher
        carpenter cashier chauffeur chef chemist composer dancer dentist designer detective
        doctor economist editor electrician engineer farmer firefighter hairdresser historian
        hunter interpreter janitor lawyer librarian lifeguard locksmith
        mathematician messenger musician optician pharmacist photographer physician physicist
        plumber priest psychologist rancher receptionist referee reporter roofer sailor sculptor
        secretary singer surgeon surveyor tailor teacher therapist translator trapper
        undertaker upholsterer veterinarian waiter waitress welder writer zoologist
        """,
}

# Emotions are nouns, as the other categories are. Each is the noun of an adjective in the list of
# moods (or stands there itself); the pair is checked.
EMOTION_MOODS: dict[str, str] = {
    "admiration": "admired",
    "affection": "affectionate",
    "amazement": "amazed",
    "amusement": "amused",
    "anger": "angry",
    "annoyance": "annoyed",
    "anxiety": "anxious",
    "astonishment": "astonished",
    "awe": "awe",
    "bitterness": "bitter",
    "bliss": "blissful",
    "boredom": "bored",
    "cheerfulness": "cheerful",
    "compassion": "compassionate",
    "confusion": "confused",
    "contempt": "contempt",
    "curiosity": "curious",
    "delight": "delighted",
    "despair": "despair",
    "disappointment": "disappointed",
    "discontent": "discontent",
    "disgust": "disgusted",
    "dismay": "dismayed",
    "distress": "distressed",
    "eagerness": "eager",
    "ecstasy": "ecstatic",
    "elation": "elated",
    "embarrassment": "embarrassed",
    "enthusiasm": "enthusiastic",
    "envy": "envious",
    "excitement": "excited",
    "fear": "fearful",
    "frustration": "frustrated",
    "fury": "furious",
    "gladness": "glad",
    "gratitude": "grateful",
    "grief": "grieving",
    "guilt": "guilty",
    "happiness": "happy",
    "hatred": "hateful",
    "horror": "horrified",
    "humiliation": "humiliated",
    "irritation": "irritated",
    "jealousy": "jealous",
    "joy": "joyful",
    "loneliness": "lonely",
    "melancholy": "melancholy",
    "misery": "miserable",
    "nervousness": "nervous",
    "nostalgia": "nostalgic",
    "outrage": "outraged",
    "panic": "panicky",
    "pride": "proud",
    "rage": "enraged",
    "regret": "regretful",
    "relief": "relieved",
    "remorse": "remorse",
    "resentment": "resentful",
    "sadness": "sad",
    "satisfaction": "satisfied",
    "shame": "ashamed",
    "sympathy": "sympathetic",
    "terror": "terrified",
    "unhappiness": "miserable",
}

# Additions by hand where the lists are thin, and the two categories written entirely by hand.
HAND: dict[str, str] = {
    "body_part": """
        abdomen armpit brain collarbone earlobe eyelid fingernail fingertip heart jaw
        kneecap knuckle lung muscle scalp shin spine throat toenail
        """,
    "occupation": "clerk mechanic nurse painter pilot professor scientist shepherd soldier",
    "emotion": "agony anguish dread euphoria fright glee pity sorrow wrath",
    "number": """
        zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
        sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
        hundred thousand million billion trillion dozen third fourth fifth sixth seventh eighth
        ninth tenth eleventh twelfth twentieth
        """,
    "colour": """
        red blue green yellow purple pink brown black white grey crimson scarlet teal magenta
        turquoise violet indigo maroon beige mauve cyan azure vermilion ochre sepia auburn
        taupe russet carmine cerulean aquamarine ultramarine chartreuse aqua tawny cerise
        umber burgundy fuchsia reddish bluish greenish
        """,
}

# Considered and refused.
REFUSED: dict[str, str] = {
    "ant": "too short: the beginning of many words",
    "bat": "sports bat",
    "bear": "the verb is as common",
    "boa": "also clothing",
    "bull": "bullfight and stock-market senses; cow is kept",
    "calf": "animal and body part",
    "cardinal": "bird, colour, number and churchman",
    "chick": "girl; food",
    "chicken": "animal and food",
    "clam": "animal and food",
    "crab": "animal and food",
    "crane": "animal and machine",
    "crow": "the verb; crowbar is a tool",
    "duck": "animal, food and verb",
    "fish": "animal, food and verb",
    "fly": "animal and verb",
    "goose": "animal and food",
    "hawk": "the verb; politics",
    "jaguar": "animal and car",
    "kiwi": "animal and food",
    "lamb": "animal and food",
    "lobster": "animal and food",
    "mink": "animal and clothing",
    "mole": "animal, skin mark and food",
    "mouse": "computer mouse",
    "mule": "animal and shoe",
    "mustang": "animal and car",
    "oyster": "animal and food",
    "peacock": "a shade of blue",
    "seal": "the verb; a stamp",
    "shrimp": "animal and food",
    "slug": "the verb",
    "snail": "animal and food",
    "sloth": "a vice, close to the emotions",
    "squid": "animal and food",
    "tick": "the verb",
    "turkey": "animal, food and country",
    "bean": "slang for head",
    "cherry": "food and colour",
    "chocolate": "food and colour",
    "cream": "food and colour",
    "egg": "of animals",
    "jam": "traffic jam",
    "lemon": "food and colour",
    "lime": "food and colour",
    "meat": "of animals; flesh",
    "milk": "the verb",
    "mustard": "food and colour",
    "olive": "food and colour",
    "orange": "food and colour",
    "peach": "food and colour",
    "plum": "food and colour",
    "salmon": "animal, food and colour",
    "sauce": "nearly a category name",
    "stew": "the verb",
    "toast": "the verb",
    "belt": "tool and vehicle part",
    "boot": "of a car; the verb",
    "cap": "of a bottle",
    "cape": "of the coast",
    "dress": "the verb",
    "gown": "not in the lists",
    "jersey": "place and cow",
    "jumper": "one who jumps",
    "suit": "the verb",
    "tie": "the verb",
    "turtleneck": "holds an animal and a body part",
    "watch": "the verb",
    "brush": "the verb",
    "drill": "the verb; military drill",
    "file": "document; verb",
    "fork": "of a road; forklift is a vehicle",
    "hook": "the verb",
    "iron": "metal, tool and verb",
    "jack": "a name",
    "plane": "tool and vehicle",
    "saw": "past of see",
    "screw": "the verb",
    "stool": "furniture",
    "cab": "of a truck",
    "tank": "container",
    "back": "adverb and verb",
    "bone": "also a dog's meal",
    "breast": "also food",
    "bottom": "a place",
    "chest": "a box",
    "face": "the verb",
    "heel": "of a shoe",
    "kidney": "also food",
    "lap": "of a race",
    "liver": "also food",
    "nail": "tool and body part",
    "palm": "tree",
    "rib": "also food",
    "tail": "of animals only",
    "temple": "building",
    "vein": "of ore",
    "cook": "the verb",
    "fisher": "an animal too",
    "judge": "the verb",
    "maid": "in tales a girl, not a job",
    "usher": "the verb",
    "hope": "the verb is as common",
    "love": "the verb is as common",
    "surprise": "the verb; an event",
    "passion": "too wide",
    "amber": "resin",
    "charcoal": "fuel",
    "copper": "metal",
    "coral": "animal",
    "ebony": "wood",
    "emerald": "gem",
    "gold": "metal",
    "ivory": "tusk",
    "lavender": "plant",
    "navy": "ships",
    "ruby": "gem",
    "rust": "corrosion",
    "silver": "metal",
    "tan": "the verb",
    "first": "adverb",
    "one": "pronoun",
    "score": "of a game; verb",
    "second": "of time",
    "butterfly": "holds the words butter and fly",
    "blueberry": "holds a colour word",
    "cracker": "a firework; slang",
    "hood": "of a car",
    "overalls": "plural",
    "pajamas": "plural",
    "trousers": "plural",
    "ruler": "in tales a king",
    "camper": "a person who camps",
    "worry": "the verb is as common",
    "lilac": "plant",
    "khaki": "trousers",
    "gloom": "darkness in tales",
    "hairnet": "holds a body part",
    "headscarf": "holds a body part",
    "headdress": "holds a body part",
    "eggbeater": "holds a food word",
}

# A source list of another category holds these for a reason that does not make them ambiguous here.
ALLOWED_ELSEWHERE: dict[str, str] = {
    "beard": "THINGS marks it as a body part only; hair grown on one",
    "bulldozer": "THINGS: construction equipment; in everyday use a vehicle",
    "helmet": "THINGS: safety hardware; worn",
    "steamroller": "THINGS: construction equipment; in everyday use a vehicle",
    "rabbit": "THINGS: also eaten; in everyday use an animal",
    "goat": "THINGS: also eaten; in everyday use an animal",
    "octopus": "THINGS: also eaten; in everyday use an animal",
    "pig": "THINGS: also eaten (the food is called pork)",
    "shark": "THINGS: also eaten; in everyday use an animal",
}
