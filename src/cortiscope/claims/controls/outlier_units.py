"""Massive activations: the effect without the few units that dwarf all others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    n_massive = [
        int(_massive(recording, site).sum())
        for recording, site in zip(bench.recordings, bench.sites, strict=True)
        if isinstance(recording, Recording)
    ]
    if not any(n_massive):
        return Evidence("outlier_units", True, "no unit has massive activation", {"n_units": 0})
    said = " and ".join(map(str, n_massive))
    again = bench.again(_without_massive)
    return persists(bench, "outlier_units", {f"without {said} units": again})


def _massive(recording: Recording, site: str) -> NDArray[np.bool_]:
    """Which units are massive at any layer; heads by their units. Read layer by layer."""
    massive = np.zeros(recording[site].shape[-1], dtype=np.bool_)
    for layer in recording.layers(site):
        x = recording.layer(site, layer)
        size = np.sqrt(np.mean(np.square(x, dtype=np.float64), axis=0))
        median = np.median(size, axis=-1, keepdims=True)
        outlying = size > _MASSIVE * np.maximum(median, 1e-300)
        massive |= outlying.reshape(-1, len(massive)).any(axis=0)
    return massive


def _without_massive(recording: Recording, site: str) -> Recording:
    massive = _massive(recording, site)
    if not massive.any():
        return recording
    return Recording.from_arrays(
        {site: recording[site].values[..., ~massive]},
        stimuli=recording.table,
        layers={site: recording.layers(site)},
        name=f"{recording.name} without {int(massive.sum())} massive units",
    )
