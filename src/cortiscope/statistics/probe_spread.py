"""Over how many units the weights of ridge probes are spread, by products of two halves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.directions import (
    category_directions,
    category_sums,
    chunks_of_labels,
    ridge_directions,
    word_codes,
)
from cortiscope.statistics.split_halves import common_largest, first_half
from cortiscope.statistics.spread import DirectionSpread, participation_ratio, units_holding


def probe_spread(
    x: NDArray[np.floating],
    labels: NDArray[np.intp],
    label: NDArray[np.intp],
    *,
    ridge: float = 0.01,
    top: int = 20,
    n_halves: int = 10,
    seed: int = 0,
) -> tuple[DirectionSpread, NDArray[np.float64]]:
    """Measure the spread of ridge probes' weights, under many labellings of the words.

    Each half of the words has probes of its own, covariance and all: probes that share it are
    not independent, and look the more unlike the stronger the effect is.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations.
    labels : ndarray of int, shape (n_labellings, n_words)
        Category of each word; -1 leaves a word out of the categories.
    label : ndarray of int, shape (n_words,)
        The true ones; each half has as many words of each.
    ridge : float
        λ as in `ridge_directions`, of each half.
    top : int
        How many of the largest weights are compared.
    n_halves : int
        Random ways to halve the words.
    seed : int
        Their seed.

    Returns
    -------
    spread : DirectionSpread
        Of products of both halves' weights, scaled to length 1, averaged over the ways to halve;
        the cosine is their sum. The biased ones are of probes of all words.
    overlap : ndarray of float64, shape (n_labellings, n_categories)
        Share of the largest weights that both halves have in common.

    Examples
    --------
    >>> label = np.repeat([0, 1], 100)
    >>> x = np.random.default_rng(0).normal(size=(200, 20))
    >>> x[:100, :3] += 2
    >>> spread, overlap = probe_spread(x, label[None], label, ridge=0.1, top=3)
    >>> spread.n90[0].tolist(), bool(overlap.min() > 0.8)
    ([3.0, 3.0], True)
    """
    n_categories = int(label.max()) + 1
    rng = np.random.default_rng(seed)
    halves = [first_half(label[None], n_categories, rng)[0] for _ in range(n_halves)]
    # Of each half: its words, and what makes their mean differences weights.
    probes = [
        [(members, ridge_directions(x[members], ridge)) for members in (half, ~half)]
        for half in halves
    ]
    whole = ridge_directions(x, ridge)
    parts, overlaps = [], []
    for some in chunks_of_labels(labels, n_categories, x.shape[1]):
        codes = word_codes(some, n_categories, np.float64)
        product = np.zeros((len(some), n_categories, x.shape[1]))
        overlap = np.zeros((len(some), n_categories))
        for both in probes:
            one, other = (_weights(codes[..., members], words) for members, words in both)
            product += one * other / n_halves
            overlap += common_largest(one, other, top) / n_halves
        biased = _weights(codes, whole) ** 2
        parts.append(
            (
                units_holding(product),
                participation_ratio(product),
                product.sum(axis=2),
                units_holding(biased),
                participation_ratio(biased),
            )
        )
        overlaps.append(overlap)
    spread = DirectionSpread(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    return spread, np.concatenate(overlaps)


def _weights(codes: NDArray[np.floating], words: NDArray[np.float64]) -> NDArray[np.floating]:
    """Weights of length 1, (labelling, category, unit)."""
    # A permuted label may be missing in a half of few words.
    counts = np.maximum(codes.sum(axis=2), 1.0)[..., None]
    weights = category_directions(category_sums(codes, words), counts)
    length = np.linalg.norm(weights, axis=2, keepdims=True)
    return np.asarray(weights / np.where(length > 0, length, 1.0))
