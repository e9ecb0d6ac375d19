"""Correlations over concepts, between how far they steer and their dimensions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cortiscope.analyses.statistic import Statistic
from cortiscope.statistics import (
    correlation_draws,
    pearson_correlations,
    smallest_detectable_correlation,
)

Array = NDArray[np.float64]

POWER, ALPHA = 0.8, 0.05

# What is reported of each dimension: names of Pearson's and Spearman's correlation.
CORRELATIONS = {
    "rank_area": ("correlation", "spearman"),
    "participation_ratio": ("correlation_participation", "spearman_participation"),
}

# Fewer concepts lie on a line all too easily, and leave no degree of freedom for an interval.
_LEAST_CONCEPTS = 4


def correlation_statistics(
    steers: Array, dimensions: Mapping[str, Array], orders: NDArray[np.intp], n_draws: int
) -> dict[str, Statistic]:
    """Correlate the steerability of concepts with their dimensions.

    A concept that no probe reads has an area of 0, and not because it has few dimensions: it is
    left out, as is one whose dimension is not a number.

    Parameters
    ----------
    steers : ndarray of float64, shape (n_layers, n_concepts)
        How far each steers.
    dimensions : mapping of str to ndarray of float64, shape (n_layers, n_concepts)
        Both of `CORRELATIONS`.
    orders : ndarray of int, shape (n_permutations, n_concepts)
        Permutations of the concepts.
    n_draws : int
        Draws from the jackknife's interval.

    Returns
    -------
    dict of str to Statistic
        The dimensions, their correlations, averaged over layers, and what could be found.
    """
    found: dict[str, Statistic] = {}
    for dimension, (pearson, spearman) in CORRELATIONS.items():
        values = np.asarray(dimensions[dimension], dtype=np.float64)
        found[dimension] = Statistic(("layer", "category"), values)
        has = has_dimension(values)
        # What is left of a permutation of all concepts is one of those that have a dimension.
        some = orders[has[orders]].reshape(len(orders), -1)
        found[pearson] = _correlation(values, steers, has, some, n_draws, ranked=False)
        found[spearman] = _correlation(values, steers, has, some, n_draws, ranked=True)
    n = int(has_dimension(np.asarray(dimensions["rank_area"])).sum())
    smallest = smallest_detectable_correlation(n, power=POWER, alpha=ALPHA)
    found["smallest_detectable_correlation"] = Statistic((), smallest)
    return found


def has_dimension(values: Array) -> NDArray[np.bool_]:
    """Tell which concepts (layer, concept) have a dimension at all layers.

    Examples
    --------
    >>> has_dimension(np.array([[1.5, 0.0, np.nan]])).tolist()
    [True, False, False]
    """
    return np.asarray((values > 0).all(axis=0))


def _correlation(
    x: Array,
    y: Array,
    has: NDArray[np.bool_],
    orders: NDArray[np.intp],
    n_draws: int,
    *,
    ranked: bool,
) -> Statistic:
    concepts = np.flatnonzero(has)
    if len(concepts) < _LEAST_CONCEPTS:
        undefined = np.full(len(orders), np.nan)
        return Statistic((), np.nan, undefined, np.full(n_draws, np.nan))
    estimate = _over(x, y, concepts, ranked=ranked)
    without = [_over(x, y, np.delete(concepts, at), ranked=ranked) for at in range(len(concepts))]
    place = np.searchsorted(concepts, orders)
    a, b = x[:, concepts], y[:, concepts]
    if ranked:
        a, b = _ranks(a), _ranks(b)
    null = pearson_correlations(a[:, place], b[:, None]).mean(axis=0)
    return Statistic((), estimate, null, correlation_draws(estimate, np.array(without), n_draws))


def _over(x: Array, y: Array, concepts: NDArray[np.intp], *, ranked: bool) -> float:
    """Correlate some of the concepts, averaged over layers."""
    a, b = x[:, concepts], y[:, concepts]
    if ranked:
        a, b = _ranks(a), _ranks(b)
    return float(pearson_correlations(a, b).mean())


def _ranks(values: Array) -> Array:
    return np.asarray(rankdata(values, axis=1, nan_policy="propagate"), dtype=np.float64)
