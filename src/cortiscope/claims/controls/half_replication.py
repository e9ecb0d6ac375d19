"""Replication: the effect holds in each half of the words by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
    labels = bench.recording.labels
    try:
        folds = Folds.grouped(
            labels[bench.target].tolist(),
            labels[bench.groups].tolist(),
            n_folds=2,
            seed=bench.seed,
        )
        ids = np.asarray(labels.index)
        results = {
            f"half {half + 1}": bench.again(_only(ids[folds.fold == half].tolist()))
            for half in (0, 1)
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


def _only(stimulus_ids: list[str]) -> Callable[[Recording], Recording]:
    """Keep those of some stimuli that a recording holds."""

    def select(recording: Recording) -> Recording:
        held = set(recording.labels.index)
        return recording.sel(stimulus_id=[i for i in stimulus_ids if i in held])

    return select
