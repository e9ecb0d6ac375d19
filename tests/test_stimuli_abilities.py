"""The stimuli `abilities` pair prompts of one form whose answers are each other's foil."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd
import pytest

from cortiscope.stimuli import StimulusSet

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return StimulusSet.load("abilities").table.set_index("stimulus_id")


def test_each_prompt_is_its_partner_s_corrupted_form(table: pd.DataFrame) -> None:
    partner = table.loc[table["partner"]]
    assert partner["partner"].tolist() == table.index.tolist()
    assert partner["answer"].tolist() == table["foil_1"].tolist()
    for same in ("ability", "category", "word", "frame", "relation"):
        assert partner[same].tolist() == table[same].tolist()
    after = [text[end:] for text, end in zip(table["text"], table["target_end"], strict=True)]
    of_partner = [t[e:] for t, e in zip(partner["text"], partner["target_end"], strict=True)]
    assert after == of_partner


def test_as_many_pairs_of_each_ability_and_no_subject_in_two(table: pd.DataFrame) -> None:
    StimulusSet.load("abilities").check_groups("ability")
    assert table.groupby("word").size().eq(2).all()
    assert table.groupby("ability")["word"].nunique().to_dict() == {"facts": 120, "reasoning": 120}
    facts = StimulusSet.load("facts").table.set_index("stimulus_id")
    subjects = facts.loc[table.query("ability == 'facts'").index, "word"]
    assert subjects.is_unique


@pytest.mark.parametrize("name", ["facts", "reasoning"])
def test_prompts_and_answers_are_those_of_the_sets_it_is_made_of(
    table: pd.DataFrame, name: str
) -> None:
    source = StimulusSet.load(name).table.set_index("stimulus_id")
    own = table.query("ability == @name")
    columns = ["text", "target_start", "target_end", "category", "frame", "relation", "answer"]
    pd.testing.assert_frame_equal(own[columns], source.loc[own.index, columns])


def test_it_is_what_its_tool_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    tool = importlib.import_module("build_abilities")
    built = StimulusSet.from_table(pd.DataFrame(tool.build(seed=0)))
    assert built == StimulusSet.load("abilities")
