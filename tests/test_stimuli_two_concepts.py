"""Sentences of two concepts: every pair as often, and the one says nothing of the other."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cortiscope import Recording, StimulusSet, decode

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return StimulusSet.load("two_concepts").table


def test_every_ordered_pair_of_categories_is_as_frequent_in_every_frame(table):
    assert table.groupby(["category", "other_category", "frame"]).size().tolist() == [4] * 300


def test_every_word_is_read_once_and_stands_beside_once_in_every_frame(table):
    concepts = StimulusSet.load("concepts").table
    home = dict(zip(concepts["word"], concepts["category"], strict=True))
    for word, category in (("word", "category"), ("other_word", "other_category")):
        assert table.groupby([word, "frame"]).size().tolist() == [1] * 1200
        assert dict(zip(table[word], table[category], strict=True)) == home
    assert (table["word"] != table["other_word"]).all()


def test_the_word_that_is_read_comes_second(table):
    for row in table.itertuples():
        assert row.text[row.target_start : row.target_end] == row.word
        before = row.text[: row.target_start]
        assert before.split().count(row.other_word) == 1
        assert row.word not in before.split()


def test_frames_differ_before_the_target_and_name_no_category(table):
    before = {
        (row.frame, re.sub(rf"\b{row.other_word}\b", "*", row.text[: row.target_start]))
        for row in table.itertuples()
    }
    assert len({frame for frame, _ in before}) == len({text for _, text in before}) == 3
    names = {name.replace("_", " ") for name in table["category"]}
    assert not [name for name in names for _, text in before if name in text.lower()]


def test_either_concept_can_be_read_in_folds_of_its_words():
    stimuli = StimulusSet.load("two_concepts")
    stimuli.check_groups()
    stimuli.check_groups("other_category", "other_word")
    features = stimuli.describe().mismatch
    assert (features["p_value"] > 0.05).all()


@pytest.mark.parametrize("seen", ["other_category", "other_word"])
def test_who_sees_the_other_word_alone_learns_nothing_of_the_category(table, seen):
    codes = pd.get_dummies(table[seen]).to_numpy(dtype=np.float32)
    recording = Recording.from_arrays({"resid_post": codes[:, None]}, stimuli=table)
    result = decode(recording, n_permutations=199, n_bootstrap=2, auc=False)
    assert float(result.p_values["accuracy"].item()) > 0.05


def test_it_is_built_from_the_words_of_concepts(table):
    specification = importlib.util.spec_from_file_location(
        "build_two_concepts", ROOT / "tools" / "build_two_concepts.py"
    )
    assert specification is not None
    assert specification.loader is not None
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)
    words = tool.read_concepts(tool.DATA / "concepts.tsv")
    built = StimulusSet.from_table(pd.DataFrame(tool.build(words, seed=0)))
    assert built == StimulusSet.load("two_concepts")
