"""Steering: what a subject says with a concept added to its stream."""

from __future__ import annotations

import numpy as np
import pytest

from cortiscope.codes import Direction
from cortiscope.errors import InputError
from cortiscope.stimuli import StimulusSet
from cortiscope.studies import concept_directions, steer
from cortiscope.subjects import Subject


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject.load("specimen:qwen2")


@pytest.fixture(scope="module")
def directions(subject: Subject) -> dict[str, Direction]:
    stimuli = StimulusSet.load("concepts")
    table = stimuli.table
    few = table[table["category"].isin(["animal", "vehicle", "food"])]
    few = few.groupby("category").head(36)
    return concept_directions(subject, stimuli.select(few["stimulus_id"].tolist()))


def test_directions_are_found_at_the_middle_layer(subject, directions):
    assert set(directions) == {"animal", "food", "vehicle"}
    assert {direction.layer for direction in directions.values()} == {3}
    assert all(
        np.isclose(np.linalg.norm(direction.vector), 1, atol=1e-6)
        for direction in directions.values()
    )


def test_no_dose_says_the_same_and_a_dose_does_not(subject, directions):
    # An injection of nothing is refused as one without effect: the clean text is asked for twice.
    said = steer(subject, directions["animal"], ["One day, she saw"], dose=2.0, n_tokens=12)
    again = steer(subject, directions["food"], ["One day, she saw"], dose=2.0, n_tokens=12)
    assert said[0].clean == again[0].clean
    assert said[0].steered != said[0].clean
    assert said[0].steered != again[0].steered


def test_a_saved_direction_steers_alike(subject, directions, tmp_path):
    opened = Direction.open(directions["animal"].save(tmp_path / "animal.safetensors"))
    drawn = {"dose": 1.5, "n_tokens": 8, "temperature": 0.8, "seed": 3}
    assert steer(subject, opened, ["The"], **drawn) == steer(
        subject, directions["animal"], ["The"], **drawn
    )


def test_without_a_prompt_nothing_is_said(subject, directions):
    with pytest.raises(InputError, match="give one"):
        steer(subject, directions["animal"], [])
