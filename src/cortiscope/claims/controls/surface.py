"""Surface: activations say more than the words' spelling, length and frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from cortiscope.claims.bench import Bench
from cortiscope.claims.effect import Effect
from cortiscope.claims.evidence import Evidence
from cortiscope.scanning import Recording
from cortiscope.statistics import percentile_interval
from cortiscope.stimuli.frequency import log_frequency

_N_GRAM_FEATURES = 512


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
    words = _targets(bench.recording, bench.groups)
    if words is None:
        return Evidence("surface", None, "could not run: the stimuli name no words")
    features = surface_features(words)
    x = bench.recording[site].values
    x = x.reshape(len(x), x.shape[1], -1)
    alone = np.repeat(features[:, None], x.shape[1], axis=1)
    both = np.concatenate([alone, _equal_variance(x)], axis=2)
    table, name, layers = bench.recording.table, bench.recording.name, bench.recording.layers(site)

    def measured(values: NDArray[np.float32], called: str) -> Effect:
        made = Recording.from_arrays({site: values}, table, layers={site: layers}, name=called)
        return bench.effect_in(bench.again(lambda _: made))

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


def surface_features(words: pd.Series) -> NDArray[np.float32]:
    """Features of the words' surface, shape (n_stimuli, n_features), of variance 1 in total."""
    counts = np.column_stack(
        [words.str.len(), words.str.count(" ") + 1, log_frequency(words.tolist())]
    ).astype(np.float64)
    spread = counts.std(axis=0)
    counts = (counts - counts.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    grams = HashingVectorizer(
        analyzer="char_wb", ngram_range=(1, 3), n_features=_N_GRAM_FEATURES, alternate_sign=False
    ).transform(words)
    return np.concatenate(
        [_equal_variance(counts), _equal_variance(np.asarray(grams.todense()))], axis=1
    )


def _targets(recording: Recording, groups: str) -> pd.Series | None:
    """Read what was shown of each target; a group's label may say more than its text does."""
    table = recording.table
    if {"text", "target_start", "target_end"} <= set(table.columns):
        spans = zip(table["text"], table["target_start"], table["target_end"], strict=True)
        return pd.Series([text[start:end].lower() for text, start, end in spans])
    if groups not in table.columns:
        return None
    return table[groups].astype(str).str.lower()


def _equal_variance(x: NDArray[np.floating]) -> NDArray[np.float32]:
    """Centre, and scale the whole (at each layer) to a total variance of 1."""
    centred = np.asarray(x, dtype=np.float64) - x.mean(axis=0)
    total = np.sqrt(np.square(centred).sum(axis=-1, keepdims=True).mean(axis=0, keepdims=True))
    return np.asarray(centred / np.where(total > 0, total, 1.0), dtype=np.float32)
