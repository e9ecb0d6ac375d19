"""A small world in simple English, in which the words of the stimuli live.

The world tells, in many sentences and mini-stories, what animals eat and where they live, what
tools are for, what people wear, count, feel, drive and work at. For a part of the words only it
also says what kind of thing they are ("a hammer is a kind of tool"), so that what a model that
was trained on it says of the other words is generalisation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from cortiscope.errors import InputError
from cortiscope.subjects import world_facts as facts
from cortiscope.subjects.world_templates import TAXONOMIC, TEMPLATES

__all__ = ["CATEGORY_NAMES", "World", "spoken_name", "trained_words", "with_article"]

CATEGORY_NAMES: dict[str, str] = {
    "animal": "animal",
    "food": "food",
    "clothing": "clothing",
    "tool": "tool",
    "vehicle": "vehicle",
    "body_part": "body part",
    "occupation": "occupation",
    "emotion": "emotion",
    "number": "number",
    "colour": "colour",
}

_SLOT = re.compile(r"\{([a-z_]+?)(\d?)(?:\.([a-z]+))?\}")
_SENTENCE_START = re.compile(r'(^"?|[.!?] "?)([a-z])')
# "a uniform", "a unicycle", "euphoria": written with a vowel, spoken with a consonant.
_SPOKEN_CONSONANT = re.compile(r"(uni|eu|ukulele|use|one\b)")
_BARE_CATEGORIES = frozenset({"emotion", "number", "colour"})
_NO_ARTICLE_NAMES = frozenset({"food", "clothing"})


def spoken_name(category: str) -> str:
    """Return the name of a category as it is written in a sentence.

    Parameters
    ----------
    category : str
        The category's identifier.

    Returns
    -------
    str
        Its name, with spaces for underscores.

    Examples
    --------
    >>> spoken_name("body_part")
    'body part'
    """
    return CATEGORY_NAMES.get(category, category.replace("_", " "))


def trained_words(
    categories: Mapping[str, Sequence[str]], seed: int = 0, share: float = 0.7
) -> dict[str, list[str]]:
    """Choose the words of which the world says what kind of thing they are.

    Parameters
    ----------
    categories : mapping of str to sequence of str
        The words of every category.
    seed : int, default 0
        Seed of the choice.
    share : float, default 0.7
        The part of every category's words that is chosen.

    Returns
    -------
    dict of str to list of str
        The chosen words, in the order of `categories`.

    Examples
    --------
    >>> chosen = trained_words({"tool": ["axe", "hammer", "rake", "hoe"]}, share=0.5)
    >>> len(chosen["tool"])
    2
    """
    chosen: dict[str, list[str]] = {}
    for category, words in categories.items():
        picked = set(
            Random(f"{seed}-{category}").sample(sorted(words), k=round(share * len(words)))
        )
        chosen[category] = [word for word in words if word in picked]
    return chosen


def with_article(noun: str) -> str:
    """Put the indefinite article before a noun.

    Parameters
    ----------
    noun : str
        A singular noun or a phrase that begins with one.

    Returns
    -------
    str
        The noun with "a" or "an".

    Examples
    --------
    >>> with_article("axe"), with_article("unicycle"), with_article("hammer")
    ('an axe', 'a unicycle', 'a hammer')
    """
    vowel = noun[:1] in "aeiou" and not _SPOKEN_CONSONANT.match(noun)
    return f"{'an' if vowel else 'a'} {noun}"


def _plural(noun: str) -> str:
    if noun in facts.PLURALS:
        return facts.PLURALS[noun]
    if noun in facts.MASS_FOODS or noun in facts.MASS_TOOLS:
        return noun
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|z|ch|sh)$", noun) else "s")


class World:
    """Generates documents of one to a few sentences, the same ones for the same seed.

    Parameters
    ----------
    categories : mapping of str to sequence of str
        The words of every category. Templates exist for the ten categories of `concepts`; of
        another category only its kind is told.
    seed : int, default 0
        Seed of the documents and of the choice of words whose kind is told.
    taxonomic_share : float, default 0.1
        The part of the documents that tells what kind of thing a word is.
    trained_share : float, default 0.7
        The part of every category's words of which that is told.

    Attributes
    ----------
    categories : dict of str to list of str
        The words of every category.
    trained : dict of str to list of str
        The words whose kind is told.

    Examples
    --------
    >>> world = World({"animal": ["horse", "shark"], "tool": ["axe", "hoe"]}, seed=1)
    >>> len(list(world.documents(3)))
    3
    """

    def __init__(
        self,
        categories: Mapping[str, Sequence[str]],
        seed: int = 0,
        taxonomic_share: float = 0.1,
        trained_share: float = 0.7,
    ) -> None:
        if len(categories) < 2 or any(len(words) < 2 for words in categories.values()):
            raise InputError(
                "The world needs at least two categories of at least two words each; give it more."
            )
        self.categories = {name: list(words) for name, words in categories.items()}
        self.trained = trained_words(self.categories, seed, trained_share)
        self.taxonomic_share = taxonomic_share
        self.seed = seed
        self._pools = dict(self.categories)
        numbers = self._pools.get("number", [])
        self._pools["card"] = [word for word in numbers if word not in facts.ORDINALS]
        self._pools["ord"] = [word for word in numbers if word in facts.ORDINALS]
        self._templates = self._usable_templates()
        self._tellable = [name for name, words in self.trained.items() if words]

    def documents(self, n: int) -> Iterator[str]:
        """Generate documents.

        Parameters
        ----------
        n : int
            How many.

        Yields
        ------
        str
            One document: one sentence or a few.
        """
        random = Random(f"world-{self.seed}")
        names = list(self._templates)
        for _ in range(n):
            if not names or random.random() < self.taxonomic_share:
                text = self._taxonomic(random)
            else:
                text = self._fill(random.choice(self._templates[random.choice(names)]), random)
            text = _SENTENCE_START.sub(lambda m: m[1] + m[2].upper(), text)
            yield re.sub(r"\bi\b", "I", text)

    def _usable_templates(self) -> dict[str, list[str]]:
        """Keep the templates whose every slot can be filled, by the room that they stand in."""
        fixed = {"p", "q", "he", "him", "his", *facts.VOCABULARY}
        computed = {"sequence": "card", "sum": "card", "order": "ord"}

        def fits(template: str) -> bool:
            for kind, _, _ in _SLOT.findall(template):
                pool = self._pools.get(computed.get(kind, kind), [])
                if kind not in fixed and len(pool) < 2:
                    return False
            return True

        usable = {
            name: [template for template in templates if fits(template)]
            for name, templates in TEMPLATES.items()
        }
        return {name: templates for name, templates in usable.items() if templates}

    def _taxonomic(self, random: Random) -> str:
        category = random.choice(self._tellable)
        words = self.trained[category]
        word, second = random.sample(words, 2) if len(words) > 1 else (words[0], words[0])
        other_category = random.choice([c for c in self._tellable if c != category] or [category])
        other = random.choice(self.trained[other_category])
        name = spoken_name(category)
        slots = {
            "a": self.as_subject(category, word),
            "b": self.as_subject(category, second),
            "w": word,
            "name": name,
            "a_name": name if name in _NO_ARTICLE_NAMES else with_article(name),
            "other": self.as_subject(other_category, other),
            "p": random.choice(facts.GIRLS + facts.BOYS),
        }
        return random.choice(TAXONOMIC).format(**slots)

    @staticmethod
    def as_subject(category: str, word: str) -> str:
        """Return the word as the subject of a sentence: with an article if it takes one."""
        bare = category in _BARE_CATEGORIES or word in facts.MASS_FOODS | facts.MASS_TOOLS
        return word if bare else with_article(word)

    def _fill(self, template: str, random: Random) -> str:
        girl = random.random() < 0.5
        person, second = random.sample(facts.GIRLS if girl else facts.BOYS, 2)
        bound: dict[str, str] = {
            "p": person,
            "q": second,
            "he": "she" if girl else "he",
            "him": "her" if girl else "him",
            "his": "her" if girl else "his",
        }
        computed: dict[str, Callable[[Random], str]] = {
            "sequence": self._sequence,
            "sum": self._sum,
            "order": self._order,
        }
        taken: dict[str, set[str]] = {}

        def value(match: re.Match[str]) -> str:
            kind, index, form = match.groups()
            if kind in computed:
                return computed[kind](random)
            key = kind + index
            if key not in bound:
                pool = self._pools.get(kind) or facts.VOCABULARY[kind]
                used = taken.setdefault(kind, set())
                wanted = facts.FACTS.get(form) if form else None
                used.add("waiter" if girl else "waitress")  # "Peter is a waitress" is no English
                options = [word for word in pool if word not in used] or list(pool)
                if wanted:  # the word must have the fact that the template asks for
                    options = [word for word in options if word in wanted] or options
                bound[key] = random.choice(options)
                used.add(bound[key])
            return self._inflected(bound[key], form, random)

        # The slot that asks for a fact is filled first, so that its word has one.
        for match in _SLOT.finditer(template):
            if match[3] in facts.FACTS:
                value(match)
        return _SLOT.sub(value, template)

    @staticmethod
    def _inflected(word: str, form: str | None, random: Random) -> str:
        if form is None:
            return word
        if form == "a":
            return word if word in facts.MASS_TOOLS else with_article(word)
        if form == "pl":
            return _plural(word)
        if form == "some":
            return f"some {word}" if word in facts.MASS_FOODS else with_article(word)
        if form == "n":
            return f"a {word}" if word in facts.ARTICLE_NUMBERS else word
        known = facts.FACTS[form].get(word)
        return random.choice(known) if known else _NO_FACT[form]

    def _sequence(self, random: Random) -> str:
        """Count up or down through numbers that follow each other."""
        ladder = random.choice([facts.COUNTING, facts.COUNTING, facts.TENS])
        length = random.randint(3, 6)
        start = random.randrange(len(ladder) - length + 1)
        steps = ladder[start : start + length]
        return ", ".join(steps if random.random() < 0.8 else steps[::-1])

    def _sum(self, random: Random) -> str:
        """Add two numbers whose sum has a name of one word."""
        ladder, low = random.choice([(facts.COUNTING, 0), (facts.TENS, 1)])
        first = random.randrange(low, len(ladder) - 1 - low)
        second = random.randrange(low, len(ladder) - first - low)
        total = first + second + (1 if ladder is facts.TENS else 0)
        if total >= len(ladder):
            first, second, total = (1, 1, 2) if low == 0 else (0, 0, 1)
        return f"{ladder[first]} and {ladder[second]} make {ladder[total]}"

    def _order(self, random: Random) -> str:
        """Say which ordinal follows which."""
        position = random.randrange(len(facts.ORDER) - 1)
        before, after = facts.ORDER[position], facts.ORDER[position + 1]
        return random.choice(
            [f"after the {before} comes the {after}", f"the {before} comes before the {after}"]
        )


# What a sentence says of a word of which the world knows nothing.
_NO_FACT = {
    "home": "valley",
    "eats": "what it finds",
    "moves": "hurried",
    "use": "do the work",
    "worn": "every day",
    "way": "to the town",
    "steers": "took",
    "place": "in the town",
    "does": "worked hard",
    "cause": "the news",
    "like": "nothing else",
    "tastes": "good",
}
