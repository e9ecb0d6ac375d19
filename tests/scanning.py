"""What the tests of the scanner share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject
from families import make_model, make_subject, tokenizer

WORDS = {
    "animal": ["horse", "otter", "dog", "robin", "cat"],
    "tool": ["hammer", "saw", "screwdriver", "axe", "drill"],
}
FRAMES = {
    "card": "The card said {word}.",
    "last": "She saw the {word}",
    "first": "{word} was on the old red map.",
}


def make_stimuli(n_words: int = 5) -> StimulusSet:
    """Make 6 stimuli a word, of different lengths, some with the target at the very end."""
    words = {category: names[:n_words] for category, names in WORDS.items()}
    return StimulusSet.from_words(words, FRAMES, name="two kinds")


def fresh_subject(name: str = "gpt2", seed: int = 0) -> Subject:
    """Make a subject that a test may sabotage."""
    return Subject.from_model(make_model(name, seed), tokenizer(), name=name)


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rms(values: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Assert that arrays differ by no more than a share of the RMS of what is expected."""
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= tolerance * rms(expected)


def make_table(n_stimuli: int) -> pd.DataFrame:
    """Make a table as a user brings one."""
    return pd.DataFrame(
        {
            "stimulus_id": [f"s{at}" for at in range(n_stimuli)],
            "category": ["animal", "tool", "number"] * (n_stimuli // 3)
            + ["animal"] * (n_stimuli % 3),
        }
    )


__all__ = [
    "assert_close",
    "contents",
    "fresh_subject",
    "make_stimuli",
    "make_subject",
    "make_table",
    "rms",
]
