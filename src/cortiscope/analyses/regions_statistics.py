"""How measures of regions become the statistics of a result, by layer and category and as means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.regions_measures import Over
from cortiscope.analyses.statistic import Statistic
from cortiscope.statistics import Null, jackknife_draws

# What each measure is called once the mean of its null is taken off.
EXCESS = {
    "morans_i": "excess",
    "morans_i_smoothed": "excess_smoothed",
    "cluster_share": "cluster_excess",
}


def statistics_of(
    name: str, layers: Sequence[Over], kept: NDArray[np.bool_]
) -> dict[str, Statistic]:
    """Gather what was measured over one neighbourhood, by layer and category and as means.

    Parameters
    ----------
    name : str
        ``index`` or ``layout``.
    layers : sequence of Over
        One a layer.
    kept : ndarray of bool, shape (n_resamples, n_words)
        Subsets of the words.

    Returns
    -------
    dict of str to Statistic
        As `regions` names them.
    """
    places = ("layer", "category")
    statistics: dict[str, Statistic] = {}
    for measure in layers[0].measures:
        estimate = np.stack([layer.measures[measure].estimate for layer in layers])
        null = np.stack([layer.measures[measure].null for layer in layers], axis=1)
        replicates = np.stack([layer.measures[measure].replicates for layer in layers], axis=1)
        statistics[f"{name}_{measure}"] = Statistic(places, estimate, null)
        excess = f"{name}_{EXCESS[measure]}"
        chance = null.mean(axis=0)
        statistics[excess] = Statistic(
            places,
            estimate - chance,
            null - chance,
            jackknife_draws(estimate - chance, replicates, kept),
        )
        mean = float((estimate - chance).mean())
        statistics[f"mean_{excess}"] = Statistic(
            (),
            mean,
            (null - chance).mean(axis=(1, 2)),
            jackknife_draws(mean, replicates.mean(axis=(1, 2)), kept),
        )
    if layers[0].linear is not None:
        shares = [layer.linear for layer in layers if layer.linear is not None]
        statistics[f"{name}_linear_share"] = Statistic(places, np.stack(shares))
    clusters = [layer.cluster for layer in layers if layer.cluster is not None]
    if clusters:
        sizes = [[len(units) for units in of.is_in] for of in clusters]
        units = [[ranges(units) for units in of.is_in] for of in clusters]
        statistics |= {
            f"{name}_cluster_mass": Statistic(places, np.stack([of.mass for of in clusters])),
            f"{name}_cluster_size": Statistic(places, np.array(sizes)),
            f"{name}_cluster": Statistic(places, np.array(units)),
        }
    return statistics


def p_values_of_clusters(layers: Sequence[Over]) -> NDArray[np.float64]:
    """P-values (layer, category) of the masses, corrected over units, layers and categories."""
    clusters = [layer.cluster for layer in layers if layer.cluster is not None]
    null = Null(np.stack([of.null for of in clusters], axis=1))
    return null.corrected_p_value(np.stack([of.mass for of in clusters]))


def larger_of(one: Statistic, other: Statistic) -> Statistic:
    """Take the larger of two scalar statistics, in their null and their resamples too."""
    assert one.null is not None
    assert other.null is not None
    assert one.resamples is not None
    assert other.resamples is not None
    return Statistic(
        (),
        np.maximum(one.estimate, other.estimate),
        np.maximum(one.null, other.null),
        np.maximum(one.resamples, other.resamples),
    )


def ranges(units: NDArray[np.intp]) -> str:
    """Write ascending numbers with neighbours drawn together.

    Examples
    --------
    >>> ranges(np.array([3, 4, 5, 9]))
    '3-5, 9'
    """
    if not len(units):
        return ""
    runs = np.split(units, np.flatnonzero(np.diff(units) > 1) + 1)
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
