"""Surface: activations say more than the words' spelling, length and frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.claims.bench import Bench
from cortiscope.claims.effect import Effect
from cortiscope.claims.evidence import Evidence
from cortiscope.scanning import Recording
from cortiscope.statistics import percentile_interval
from cortiscope.stimuli.surface import equal_variance, surface_features, target_words


def surface(bench: Bench) -> Evidence:
    """Compare a model of surface features with one of surface features and activations.

    The features are the target's length, its number of words, its log frequency, and its
    character n-grams of one to three letters. Features and activations enter with equal total
    variance, one factor a block, taken over all words and without their labels.

    Returns
    -------
    Evidence
        Survived when activations add to the surface: the 95% interval of the difference, over
        the same resamples of words, lies above zero.
    """
    if bench.instrument.is_of_pairs:
        name = bench.instrument.name
        return Evidence("surface", None, f"could not run: {name} compares two recordings")
    site = bench.site
    words = target_words(bench.recording.table, bench.groups)
    if words is None:
        return Evidence("surface", None, "could not run: the stimuli name no words")
    features = surface_features(words)
    x = bench.recording[site].values
    x = x.reshape(len(x), x.shape[1], -1)
    alone = np.repeat(features[:, None], x.shape[1], axis=1)
    both = np.concatenate([alone, equal_variance(x)], axis=2)
    table, name, layers = bench.recording.table, bench.recording.name, bench.recording.layers(site)

    def measured(values: NDArray[np.float32], called: str) -> Effect:
        made = Recording.from_arrays({site: values}, table, layers={site: layers}, name=called)
        return bench.effect_in(bench.again(lambda *_: made))

    baseline = measured(alone, f"surface of {name}")
    nested = measured(both, f"surface and {name}")
    sign = -1.0 if bench.claim.kind == "less" else 1.0
    low, high = percentile_interval(nested.draws - baseline.draws)
    added = nested.estimate - baseline.estimate
    survived = bool(low > 0 if sign > 0 else high < 0)
    return Evidence(
        "surface",
        survived,
        f"surface features alone give {baseline.estimate:.3f}, with activations "
        f"{nested.estimate:.3f}: a difference of {added:.3f} [{low:.3f}, {high:.3f}]",
        {
            "surface": baseline.estimate,
            "nested": nested.estimate,
            "difference": added,
            "low": float(low),
            "high": float(high),
            "addresses": [baseline.address, nested.address],
        },
    )
