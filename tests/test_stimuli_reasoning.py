"""Prompts of several steps: a solver that only reads the text finds each answer, and no other."""

from __future__ import annotations

import importlib
import re
from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest
from transformers import AutoTokenizer

from cortiscope import StimulusSet

ROOT = Path(__file__).parents[1]
COUNTED = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
UPWARDS = {"taller": "tallest", "older": "oldest", "faster": "fastest", "richer": "richest"}
DOWNWARDS = {
    "shorter": "shortest",
    "younger": "youngest",
    "slower": "slowest",
    "poorer": "poorest",
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return StimulusSet.load("reasoning").table


def compared(text: str, target: str) -> list[str]:
    """Name who may be at an end, over all orders that fit what is said."""
    claims = re.findall(r"(\w+) is (\w+) than (\w+)\.", text)
    assert {word for _, word, _ in claims} <= {*UPWARDS, *DOWNWARDS}
    assert len(claims) == 2
    people = sorted({name for a, _, b in claims for name in (a, b)})
    fitting = [
        order
        for order in permutations(people)
        if all((order.index(a) > order.index(b)) == (word in UPWARDS) for a, word, b in claims)
    ]
    place = -1 if target in UPWARDS.values() else 0
    return sorted({order[place] for order in fitting})


def hopped(text: str, target: str) -> list[str]:
    ties = dict(re.findall(r"(\w+)'s \w+ is (\w+)\.", text))
    facts = dict(re.findall(r"(\w+) (?:lives in|is a|drinks|comes from) (\w+)\.", text))
    return [facts[ties[target]]]


def counted(text: str, target: str) -> list[str]:
    (parts,) = re.findall(rf"{target} had (\w+) \w+, found (\w+) more and then lost (\w+)\.", text)
    start, gain, loss = map(COUNTED.index, parts)
    return [COUNTED[start + gain - loss]]


def dated(text: str, target: str) -> list[str]:
    (found,) = re.findall(
        rf"{target} has a lesson (?:on|in) (\w+), a test (\w+) \w+ after the lesson, "
        r"and a party (\w+) \w+ after the test\.",
        text,
    )
    calendar = DAYS if found[0] in DAYS else MONTHS
    steps = COUNTED.index(found[1]) + COUNTED.index(found[2])
    return [(calendar * 2)[calendar.index(found[0]) + steps]]


def tracked(text: str, target: str) -> list[str]:
    story = text.split(".")
    holder = {
        place: thing for thing, place in re.findall(r"[Tt]he (\w+) is in the (\w+)", story[0])
    }
    swaps = re.findall(r"(?:swaps|exchanges) the (\w+) and the (\w+)\.", text)
    assert len(holder) == 3
    assert len(swaps) == 2
    for one, two in swaps:
        renamed = {one: two, two: one}
        holder = {place: renamed.get(thing, thing) for place, thing in holder.items()}
    return [place for place, thing in holder.items() if thing == target]


def deduced(text: str, target: str) -> list[str]:
    """Chain forwards until nothing new follows."""
    within = dict(re.findall(r"Every (\w+) is a (\w+)\.", text))
    rules = dict(re.findall(r"Every (\w+) (?:is|eats|likes) (?!a )(\w+)\.", text))
    kind = dict(re.findall(r"([A-Z]\w+) is a (\w+)\.", text))[target]
    found = []
    while kind:
        found += [rules[kind]] if kind in rules else []
        kind = within.get(kind, "")
    return found


SOLVERS = {
    "comparison": compared,
    "two_hop": hopped,
    "arithmetic": counted,
    "calendar": dated,
    "tracking": tracked,
    "deduction": deduced,
}


@pytest.mark.parametrize("kind", list(SOLVERS))
def test_a_solver_finds_the_answer_and_no_other(table, kind):
    rows = table[table["category"] == kind]
    assert len(rows) == 40
    for row in rows.itertuples():
        target = row.text[row.target_start : row.target_end]
        assert SOLVERS[kind](row.text, target) == [row.answer], row.text


def test_twenty_problems_of_every_kind_with_two_questions_each(table):
    assert table.groupby("category")["word"].nunique().to_dict() == dict.fromkeys(SOLVERS, 20)
    assert table.groupby("word").size().tolist() == [2] * 120
    assert table.groupby(["category", "frame"])["word"].nunique().tolist() == [10] * 12
    assert (table.groupby("category")["relation"].value_counts() >= 10).all()
    StimulusSet.load("reasoning").check_groups()


def test_the_questions_of_a_problem_differ_in_target_alone_and_swap_answer_and_foil(table):
    for _, problem in table.groupby("word"):
        one, two = problem.itertuples()
        first = one.text[: one.target_start], one.text[one.target_end :]
        assert first == (two.text[: two.target_start], two.text[two.target_end :])
        assert (one.answer, one.foil_1) == (two.foil_1, two.answer)
        assert one.frame == two.frame


def test_no_story_is_told_twice(table):
    stories = table.groupby("word").apply(lambda g: g["text"].iloc[0][: g["target_start"].iloc[0]])
    assert stories.nunique() == 120


def test_answers_and_foils_are_three_different_words_of_one_sort(table):
    choices = table[["answer", "foil_1", "foil_2"]]
    assert choices.nunique(axis=1).eq(3).all()
    for row in table.itertuples():
        said = set(re.findall(r"\w+", row.text[: row.target_start]))
        named = [word in said for word in (row.answer, row.foil_1, row.foil_2)]
        # Sums and dates are never said, everything else is, so that copying is no way to tell.
        assert named == [row.category not in ("arithmetic", "calendar")] * 3, row.text


def test_the_first_foil_is_named_as_often_as_the_answer(table):
    for row in table.itertuples():
        words = re.findall(r"\w+", row.text)
        assert words.count(row.answer) == words.count(row.foil_1)


@pytest.mark.parametrize(
    "path", ["tests/data/stories260k", "src/cortiscope/subjects/specimens/qwen2"]
)
def test_an_answer_adds_tokens_and_changes_none_of_its_prompt(table, path):
    tokenizer = AutoTokenizer.from_pretrained(ROOT / path)
    prompts = tokenizer(table["text"].tolist(), add_special_tokens=False)["input_ids"]
    for column in ("answer", "foil_1", "foil_2"):
        texts = (table["text"] + " " + table[column]).tolist()
        whole = tokenizer(texts, add_special_tokens=False)["input_ids"]
        for prompt, continued in zip(prompts, whole, strict=True):
            assert continued[: len(prompt)] == prompt
            assert len(continued) > len(prompt)


def test_prompts_read_as_those_of_facts_do(table):
    facts = StimulusSet.load("facts").table
    assert set(facts.columns) == set(table.columns) - {"foil_1", "foil_2"}
    assert not table["text"].str.contains(r"\b[Aa] [aeiou]|  |\s$").any()
    assert not table["text"].str.contains(r"\bone (?:days|months)\b").any()


def test_it_is_what_its_tool_builds(table, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    tool = importlib.import_module("build_reasoning")
    built = StimulusSet.from_table(pd.DataFrame(tool.build(seed=0)))
    assert built == StimulusSet.load("reasoning")
