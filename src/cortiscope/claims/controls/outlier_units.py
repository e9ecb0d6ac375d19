"""Massive activations: the effect without the few units that dwarf all others."""

from __future__ import annotations

import numpy as np

from cortiscope.claims.bench import Bench
from cortiscope.claims.controls._again import persists
from cortiscope.claims.evidence import Evidence
from cortiscope.scanning import Recording

# A unit counts as massive when its root mean square is that many times the median unit's, as Sun,
# Chen, Kolter & Liu (2024), Massive activations in large language models, describe them.
_MASSIVE = 10.0


def outlier_units(bench: Bench) -> Evidence:
    """Measure again without the units of massive activation at any layer.

    Returns
    -------
    Evidence
        Survived when the effect holds without them, or when there are none.
    """
    site = bench.site
    x = bench.recording[site].values
    size = np.sqrt(np.mean(np.square(x, dtype=np.float64), axis=0))
    median = np.median(size, axis=-1, keepdims=True)
    massive = (size > _MASSIVE * np.maximum(median, 1e-300)).reshape(-1, x.shape[-1]).any(axis=0)
    if not massive.any():
        return Evidence("outlier_units", True, "no unit has massive activation", {"n_units": 0})
    without = Recording.from_arrays(
        {site: x[..., ~massive]},
        stimuli=bench.recording.table,
        name=f"{bench.recording.name} without {int(massive.sum())} massive units",
    )
    return persists(
        bench, "outlier_units", {f"without {int(massive.sum())} units": bench.again(without)}
    )
