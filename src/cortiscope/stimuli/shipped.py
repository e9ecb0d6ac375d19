"""The sets that come with the package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

from cortiscope.stimuli.readers import read_bytes
from cortiscope.stimuli.rows import Rows


@dataclass(frozen=True)
class ShippedSet:
    """One line of the catalog.

    Parameters
    ----------
    name : str
        What `StimulusSet.load` takes.
    description : str
        One line.
    licence : str
        Under which its words and sentences may be passed on; credits are in NOTICE.
    n_stimuli : int
        How many there are.
    """

    name: str
    description: str
    licence: str
    n_stimuli: int


_SETS = (
    ShippedSet(
        "concepts",
        "10 categories × 40 words × 3 frames that differ before the target: the default",
        "CC0-1.0",
        1200,
    ),
    ShippedSet(
        "concepts-30",
        "30 categories × 20 words × the same 3 frames: claims over categories need many of them",
        "CC0-1.0",
        1800,
    ),
    ShippedSet(
        "two_concepts",
        "the words of concepts in pairs: 100 ordered pairs of categories, 12 sentences each",
        "CC0-1.0",
        1200,
    ),
    ShippedSet(
        "localizer",
        "240 sentences against 240 lists of nonwords, the language localizer of fMRI",
        "MIT",
        480,
    ),
    ShippedSet(
        "facts",
        "prompts for 14 relations of facts and common sense, each with its answer",
        "MIT",
        726,
    ),
    ShippedSet(
        "reasoning",
        "120 problems of 6 kinds that take several steps, in 2 questions each, answers and foils",
        "CC0-1.0",
        240,
    ),
    ShippedSet(
        "abilities",
        "120 pairs of prompts of facts and 120 of reasoning, each the other's corrupted form",
        "MIT",
        480,
    ),
)


def catalog() -> dict[str, ShippedSet]:
    """List the sets that come with the package.

    Returns
    -------
    dict of str to ShippedSet
        By name: a one-line description, the licence, the number of stimuli.

    Examples
    --------
    >>> list(catalog())
    ['concepts', 'concepts-30', 'two_concepts', 'localizer', 'facts', 'reasoning', 'abilities']
    >>> catalog()["concepts"].n_stimuli
    1200
    """
    return {shipped.name: shipped for shipped in _SETS}


def read_shipped(name: str) -> tuple[pd.DataFrame, Rows]:
    """Read a shipped set's raw table, as `read_file` does a user's."""
    content = (files("cortiscope.stimuli") / "data" / f"{name}.tsv").read_bytes()
    return read_bytes(content, ".tsv", f"{name}.tsv")
