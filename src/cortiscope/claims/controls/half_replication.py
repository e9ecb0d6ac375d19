"""Replication: the effect holds in each half of the words by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cortiscope.claims.bench import Bench
from cortiscope.claims.controls._again import persists
from cortiscope.claims.evidence import Evidence
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import Folds


def half_replication(bench: Bench) -> Evidence:
    """Measure again in each half of the words.

    Returns
    -------
    Evidence
        Survived when the effect holds in both halves, which share no word.
    """
    try:
        half_of = _halves(bench)
        ids = np.asarray(bench.recording.labels.index)
        results = {
            f"half {half + 1}": bench.again(_only(ids[half_of == half].tolist())) for half in (0, 1)
        }
    except InputError as error:
        return Evidence("half_replication", None, f"could not run: {error}")
    smallest = max(bench.effect_in(result).smallest_p for result in results.values())
    if smallest > bench.alpha:
        return Evidence(
            "half_replication",
            None,
            f"could not run: with so few words in a half the smallest p is {smallest:.2f}",
        )
    return persists(bench, "half_replication", results)


def _halves(bench: Bench) -> NDArray[np.intp]:
    """Deal the words to two halves, those of each category evenly where there are categories."""
    labels = bench.recording.labels
    groups = labels[bench.groups].tolist()
    if bench.target is not None:
        target = labels[bench.target].tolist()
        return Folds.grouped(target, groups, n_folds=2, seed=bench.seed).fold
    words, word = np.unique(groups, return_inverse=True)
    halves = np.random.default_rng(bench.seed).permutation(len(words)) % 2
    return np.asarray(halves[word], dtype=np.intp)


def _only(stimulus_ids: list[str]) -> Callable[[Recording, str], Recording]:
    """Keep those of some stimuli that a recording holds."""

    def select(recording: Recording, _: str) -> Recording:
        held = set(recording.labels.index)
        return recording.sel(stimulus_id=[i for i in stimulus_ids if i in held])

    return select
