"""Build the stimuli `reasoning`: prompts whose right continuation takes more than one step.

Six kinds of reasoning, twenty problems of each, two questions on each problem: 240 prompts, laid
out as those of `facts` are. The two questions on a problem share its whole story and have each
other's answer as their first foil. A subject that favours one of the two whatever is asked is
therefore right in exactly one of them, and one prompt is the other's contrast, for patching.

- comparison: three people, two comparisons, who is at either end. The other end is the first foil
  and has been named as often; the second is the one in the middle, who was named twice.
- two_hop: three people, each with a friend who lives in a city (or the like).
- arithmetic: two people, each with a number, a gain and a loss; the second foil stops after the
  gain.
- calendar: two people, each with a day (or month) and two steps on; the second foil stops after
  the first step.
- tracking: three things in three places, two of them swapped, and then two again, after which
  none is where it was.
- deduction: three people of made-up kinds, each kind within a wider one, which has a colour (or
  the like).

Labels: category (the kind of reasoning), word (the problem, the unit that may be exchanged: no
story is in two), frame (which of two wordings of the question, half of the problems each),
relation (what the problem is about), answer, foil_1, foil_2. The target is what is asked for.

Usage: python tools/build_reasoning.py
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

DATA = Path(__file__).resolve().parent.parent / "src" / "cortiscope" / "stimuli" / "data"
COLUMNS = (
    "stimulus_id",
    "text",
    "target_start",
    "target_end",
    "category",
    "word",
    "frame",
    "relation",
    "answer",
    "foil_1",
    "foil_2",
)
N_PROBLEMS = 20
NAMES = (
    *("Adam", "Alice", "Anna", "Ben", "Carl", "Clara", "David", "Emma", "Eric", "Frank"),
    *("George", "Helen", "Henry", "Jack", "James", "Jane", "John", "Kate", "Laura", "Lucy"),
    *("Maria", "Mark", "Mary", "Nina", "Oliver", "Paul", "Peter", "Rosa", "Sam", "Sarah"),
    *("Simon", "Sophie", "Susan", "Thomas", "Tom", "Victor"),
)
NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
# Comparative, that of the opposite, and their superlatives.
COMPARISONS = {
    "height": ("taller", "shorter", "tallest", "shortest"),
    "age": ("older", "younger", "oldest", "youngest"),
    "speed": ("faster", "slower", "fastest", "slowest"),
    "wealth": ("richer", "poorer", "richest", "poorest"),
}
CITIES = ("Paris", "Rome", "London", "Berlin", "Madrid", "Vienna", "Dublin", "Athens", "Cairo")
JOBS = ("baker", "doctor", "farmer", "lawyer", "painter", "nurse", "sailor", "teacher", "tailor")
DRINKS = ("tea", "coffee", "milk", "juice", "water", "beer", "wine", "cocoa", "lemonade")
# Who the second person is to the first; the fact, and two ways to ask for it.
HOPS = {
    "city": ("friend", "lives in {}", "lives in", "Where does {}'s friend live? In", CITIES),
    "job": ("cousin", "is a {}", "is a", "What is the job of {}'s cousin? The job of a", JOBS),
    "drink": ("neighbour", "drinks {}", "drinks", "What does {}'s neighbour drink? Only", DRINKS),
    "origin": ("boss", "comes from {}", "comes from", "Where is {}'s boss from? From", CITIES),
}
THINGS = ("coins", "apples", "books", "stamps")
OBJECTS = ("ball", "key", "ring", "coin", "spoon", "shell", "candle", "stone", "brush", "pencil")
PLACES = ("box", "bag", "jar", "drawer", "basket", "bowl", "bucket", "cup", "chest", "sack")
KINDS = (
    *("blick", "dorf", "fep", "glim", "jat", "kiv", "lorp", "mib", "nuff", "pell", "quam", "ravid"),
    *("sorn", "tave", "vosk", "wemp", "yalt", "zup"),
)
# What the wider kinds are: a verb, and one of these.
PROPERTIES = {
    "colour": ("is", ("red", "blue", "green", "yellow", "black", "white", "brown", "pink", "grey")),
    "feeling": ("is", ("happy", "sad", "angry", "calm", "proud", "shy", "brave", "kind", "tired")),
    "food": ("eats", ("bread", "rice", "soup", "cheese", "fruit", "meat", "fish", "nuts", "cake")),
    "liking": ("likes", ("gold", "silver", "wood", "stone", "glass", "paper", "silk", "wool")),
}


@dataclass(frozen=True)
class Question:
    """One question on a problem.

    Parameters
    ----------
    wordings : tuple of str
        Two ways to ask, each up to the answer; ``{}`` is where the target goes.
    target : str
        What is asked for.
    answer : str
        What is right.
    foils : tuple of str
        Two that are wrong; the first is the answer to the other question on the problem.
    """

    wordings: tuple[str, str]
    target: str
    answer: str
    foils: tuple[str, str]


Problem = tuple[str, str, tuple[Question, Question]]
"""What it is about, the story, and two questions."""


def comparison(number: int, rng: Random) -> Problem:
    """Three people on one scale; comparisons in either direction and in either order."""
    relation = list(COMPARISONS)[number % 4]
    more, less, most, least = COMPARISONS[relation]
    first, middle, last = rng.sample(NAMES, 3)
    claims = [
        rng.choice((f"{a} is {more} than {b}.", f"{b} is {less} than {a}."))
        for a, b in ((first, middle), (middle, last))
    ]
    rng.shuffle(claims)
    wordings = ("Of the three, the {} is", "Who is the {} of the three? It is")
    return (
        relation,
        " ".join(claims),
        (
            Question(wordings, most, first, (last, middle)),
            Question(wordings, least, last, (first, middle)),
        ),
    )


def two_hop(number: int, rng: Random) -> Problem:
    """Three people, whom each is tied to, and a fact on these, told in another order."""
    relation = list(HOPS)[number % 4]
    tie, fact, told, asked, values = HOPS[relation]
    names = rng.sample(NAMES, 6)
    people, others, found = names[:3], names[3:], rng.sample(values, 3)
    ties = [f"{a}'s {tie} is {b}." for a, b in zip(people, others, strict=True)]
    facts = [f"{b} {fact.format(value)}." for b, value in zip(others, found, strict=True)]
    order = rng.choice(([1, 2, 0], [2, 0, 1], [2, 1, 0], [0, 2, 1], [1, 0, 2]))
    story = " ".join(ties + [facts[i] for i in order])
    pairs = list(zip(people, found, strict=True))
    return relation, story, _about_two_of_three((f"So {{}}'s {tie} {told}", asked), pairs, rng)


def arithmetic(number: int, rng: Random) -> Problem:
    """Two people who gain and then lose; no answer, nor foil, is a number of the story."""
    things = THINGS[number % 4]
    while True:
        starts, gains, losses = ([rng.randint(2, 9) for _ in range(2)] for _ in range(3))
        peaks = [start + gain for start, gain in zip(starts, gains, strict=True)]
        ends = [peak - loss for peak, loss in zip(peaks, losses, strict=True)]
        told, asked = {*starts, *gains, *losses}, [*peaks, *ends]
        if min(ends) > 1 and max(peaks) <= 20 and len({*told, *asked}) == len(told) + 4:
            break
    people = rng.sample(NAMES, 2)
    story = " ".join(
        f"{name} had {NUMBERS[start]} {things}, found {NUMBERS[gain]} more and then lost "
        f"{NUMBERS[loss]}."
        for name, start, gain, loss in zip(people, starts, gains, losses, strict=True)
    )
    wordings = (
        f"The number of {things} that {{}} has now is",
        f"How many {things} does {{}} have now? The number is",
    )
    spelt = [[NUMBERS[n] for n in numbers] for numbers in (ends, peaks)]
    return things, story, _about_two(wordings, people, *spelt)


def calendar(number: int, rng: Random) -> Problem:
    """Two people with a test some days after a lesson and a party some days after the test."""
    relation, names = (("day", DAYS), ("month", MONTHS))[number % 2]
    preposition = "on" if relation == "day" else "in"
    while True:
        starts = rng.sample(range(len(names)), 2)
        steps = [[rng.randint(1, 3) for _ in range(2)] for _ in range(2)]
        middles = [
            (start + step[0]) % len(names) for start, step in zip(starts, steps, strict=True)
        ]
        ends = [
            (middle + step[1]) % len(names) for middle, step in zip(middles, steps, strict=True)
        ]
        if len({*starts, *middles, *ends}) == 6:
            break
    people = rng.sample(NAMES, 2)
    story = " ".join(
        f"{name} has a lesson {preposition} {names[start]}, a test "
        f"{_steps(step[0], relation)} after the lesson, and a party "
        f"{_steps(step[1], relation)} after the test."
        for name, start, step in zip(people, starts, steps, strict=True)
    )
    wordings = (
        f"The {relation} of {{}}'s party is",
        f"When is {{}}'s party? It is {preposition}",
    )
    named = [[names[i] for i in places] for places in (ends, middles)]
    return relation, story, _about_two(wordings, people, *named)


def tracking(number: int, rng: Random) -> Problem:
    """Three things in three places; two swaps that share one thing move all three."""
    objects, places = rng.sample(OBJECTS, 3), rng.sample(PLACES, 3)
    name, verb = rng.choice(NAMES), ("swaps", "exchanges")[number % 2]
    where = dict(zip(objects, places, strict=True))
    first, second, third = (f"the {thing} is in the {place}" for thing, place in where.items())
    story = f"{first.capitalize()}, {second}, and {third}."
    shared, *others = rng.sample(objects, 3)
    for other, lead in zip(others, (name, f"Then {name}"), strict=True):
        one, two = rng.sample((shared, other), 2)
        story += f" {lead} {verb} the {one} and the {two}."
        where[one], where[two] = where[two], where[one]
    wordings = ("In the end the {} is in the", "Where is the {} in the end? It is in the")
    return verb, story, _about_two_of_three(wordings, list(where.items()), rng)


def deduction(number: int, rng: Random) -> Problem:
    """Three people of made-up kinds; kinds within kinds, and what the wider ones are."""
    relation = list(PROPERTIES)[number % 4]
    verb, values = PROPERTIES[relation]
    people, kinds, found = rng.sample(NAMES, 3), rng.sample(KINDS, 6), rng.sample(values, 3)
    parts = (
        [f"Every {kind} is a {wider}." for kind, wider in zip(kinds[:3], kinds[3:], strict=True)],
        [f"Every {wider} {verb} {value}." for wider, value in zip(kinds[3:], found, strict=True)],
        [f"{person} is a {kind}." for person, kind in zip(people, kinds[:3], strict=True)],
    )
    story = " ".join(sentence for part in parts for sentence in rng.sample(part, 3))
    wordings = (f"So {{}} {verb}", f"And what about {{}}? That person {verb}")
    pairs = list(zip(people, found, strict=True))
    return relation, story, _about_two_of_three(wordings, pairs, rng)


KINDS_OF_REASONING: tuple[Callable[[int, Random], Problem], ...] = (
    comparison,
    two_hop,
    arithmetic,
    calendar,
    tracking,
    deduction,
)


def build(*, seed: int) -> list[dict[str, str | int]]:
    """Lay out the prompts, ordered by kind, problem and question."""
    rows: list[dict[str, str | int]] = []
    for kind in KINDS_OF_REASONING:
        rng = Random(f"{kind.__name__} {seed}")  # a change in one kind leaves the others
        for number in range(N_PROBLEMS):
            relation, story, questions = kind(number, rng)
            frame = number * 2 // N_PROBLEMS
            for i, question in enumerate(questions, start=1):
                before, after = question.wordings[frame].split("{}")
                start = len(f"{story} {before}")
                word = f"{kind.__name__}-{number + 1:02}"
                values = (
                    f"{word}-{i}",
                    f"{story} {before}{question.target}{after}",
                    start,
                    start + len(question.target),
                    kind.__name__,
                    word,
                    f"wording {frame + 1}",
                    relation,
                    question.answer,
                    *question.foils,
                )
                rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _about_two(
    wordings: tuple[str, str],
    people: Sequence[str],
    ends: Sequence[str],
    middles: Sequence[str],
) -> tuple[Question, Question]:
    """Ask where each of two people ends up; halfway there is a foil."""
    return (
        Question(wordings, people[0], ends[0], (ends[1], middles[0])),
        Question(wordings, people[1], ends[1], (ends[0], middles[1])),
    )


def _about_two_of_three(
    wordings: tuple[str, str], pairs: Sequence[tuple[str, str]], rng: Random
) -> tuple[Question, Question]:
    """Ask for two of three; what belongs to the third is a foil to both."""
    (one, a), (two, b), (_, c) = rng.sample(pairs, 3)
    return Question(wordings, one, a, (b, c)), Question(wordings, two, b, (a, c))


def _steps(step: int, unit: str) -> str:
    return f"{NUMBERS[step]} {unit}{'' if step == 1 else 's'}"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=DATA / "reasoning.tsv")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = build(seed=arguments.seed)
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(f"{len(rows)} prompts in {arguments.out}")


if __name__ == "__main__":
    main()
