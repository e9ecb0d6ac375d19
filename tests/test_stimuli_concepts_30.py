"""Thirty categories: balanced, no word in two, and alike on the surface."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from transformers import AutoTokenizer

from cortiscope import Recording, StimulusSet, decode
from cortiscope.stimuli.description import count_target_tokens
from cortiscope.stimuli.frequency import log_frequency

ROOT = Path(__file__).parents[1]
STORIES = ROOT / "tests" / "data" / "stories260k"
SPECIMEN = ROOT / "src" / "cortiscope" / "subjects" / "specimens" / "qwen2"


@pytest.fixture(scope="module")
def stimuli() -> StimulusSet:
    return StimulusSet.load("concepts-30")


@pytest.fixture(scope="module")
def table(stimuli: StimulusSet) -> pd.DataFrame:
    return stimuli.table


def test_thirty_categories_of_twenty_words_in_three_frames(table):
    assert table["category"].nunique() == 30
    assert table.groupby("category")["word"].nunique().tolist() == [20] * 30
    assert table.groupby(["word", "frame"]).size().tolist() == [1] * 1800
    assert table["frame"].nunique() == 3


def test_no_word_is_in_two_categories(stimuli, table):
    assert table["word"].nunique() == 600
    stimuli.check_groups()


def test_the_ten_categories_of_concepts_are_there_with_half_of_their_words(table):
    concepts = StimulusSet.load("concepts").table
    shared = table[table["category"].isin(set(concepts["category"]))]
    assert shared["category"].nunique() == 10
    # A sentence that both sets hold is the same stimulus, its id and its labels too.
    assert len(shared.merge(concepts)) == len(shared) == 600


def test_frames_are_the_same_for_every_category_and_name_none(table):
    frames = {
        (row.frame, row.text[: row.target_start], row.text[row.target_end :])
        for row in table.itertuples()
    }
    assert len(frames) == len({before for _, before, _ in frames}) == 3
    names = {part for category in table["category"] for part in category.split("_")}
    for _, *parts in frames:
        words = {word.strip(".,").lower() for part in parts for word in part.split()}
        assert not words & (names | set(table["word"]))


def test_spans_point_at_the_word_and_no_word_gives_its_category_away(table):
    for row in table.itertuples():
        assert row.text[row.target_start : row.target_end] == row.word
        assert not any(part in row.word for part in row.category.split("_"))


@pytest.mark.parametrize("path", [STORIES, SPECIMEN], ids=lambda path: path.name)
def test_no_token_of_a_target_reaches_into_the_rest_of_its_text(table, path):
    encoded = AutoTokenizer.from_pretrained(path)(
        table["text"].tolist(), add_special_tokens=False, return_offsets_mapping=True
    )
    for row, offsets in zip(table.itertuples(), encoded["offset_mapping"], strict=True):
        inside = [(b, e) for b, e in offsets if b < row.target_end and e > row.target_start]
        assert row.text[inside[0][0] : inside[-1][1]].strip() == row.word


def test_categories_match_in_length_frequency_and_tokens(stimuli, table):
    mismatch = stimuli.describe(AutoTokenizer.from_pretrained(STORIES)).mismatch
    assert set(mismatch.index) == {"word_length", "log_frequency", "n_tokens"}
    assert (mismatch["eta_squared"] < mismatch["expected_eta_squared"] / 3).all()
    means = stimuli.describe().categories
    assert np.ptp(means["mean_word_length"]) < 0.5
    assert np.ptp(means["mean_log_frequency"]) < 0.5  # a factor of three


def test_the_added_categories_match_in_tokens_of_the_specimen_and_the_ten_are_all_one(table):
    tokenizer = AutoTokenizer.from_pretrained(SPECIMEN)
    ten = table["category"].isin(set(StimulusSet.load("concepts").table["category"]))
    of_the_ten = StimulusSet.from_table(table[ten]).describe(tokenizer)
    assert of_the_ten.categories["mean_n_tokens"].max() == 1.0
    added = StimulusSet.from_table(table[~ten]).describe(tokenizer)
    eta_squared, expected, _ = added.mismatch.loc["n_tokens"]
    assert eta_squared < expected / 3


def test_who_sees_length_frequency_and_tokens_alone_learns_nothing_of_the_category(table):
    spans = list(zip(table["target_start"], table["target_end"], strict=True))
    tokenizer = AutoTokenizer.from_pretrained(STORIES)
    x = np.column_stack(
        [
            table["word"].str.len(),
            log_frequency(table["word"].tolist()),
            count_target_tokens(table["text"].tolist(), spans, tokenizer),
        ]
    )
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    recording = Recording.from_arrays({"resid_post": x[:, None]}, stimuli=table)
    result = decode(recording, n_permutations=99, n_bootstrap=2, auc=False)
    assert float(result.p_values["accuracy"].item()) > 0.05


def test_it_is_what_its_tool_builds(stimuli, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    assert importlib.import_module("build_concepts_30").build(seed=0) == stimuli
