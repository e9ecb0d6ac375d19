"""What topography is measured with: layouts, tuning of pairs, their nulls, words left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.statistic import Statistic
from cortiscope.analyses.unit_maps import Side, UnitMaps
from cortiscope.errors import InputError
from cortiscope.statistics import (
    RotatedUnits,
    fall_with_distance,
    jackknife_draws,
    jackknife_words,
    length_of_decay,
    near_similarity,
    pair_distances,
    shuffled_around_plane,
    similarity_curve,
    tuning_similarity,
    unit_pairs,
)

_Values = NDArray[np.float64]
_Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]

EDGES = np.array([0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, 1.4, 1.6, 1.8, 2.0])
"""Edges of the bins of distance, in extents of the layout."""

MEASURES: dict[str, Callable[[_Values, _Values], _Values]] = {
    "fall": fall_with_distance,
    "near": near_similarity,
}

# How often units exchange what is left of their tuning, in each subset of the words.
_SHUFFLES = 2


@dataclass(frozen=True, eq=False)
class Plan:
    """What is the same at every layer."""

    maps: UnitMaps
    n_rotations: int
    kept: NDArray[np.bool_]  # (resample, word)
    seed: int

    @classmethod
    def draw(cls, maps: UnitMaps, *, n_rotations: int, n_jackknife: int, seed: int) -> Plan:
        """Draw subsets of the words; arguments as of `topography`."""
        for name, number in (("n_rotations", n_rotations), ("n_jackknife", n_jackknife)):
            if number < 1:
                raise InputError(f"{name} is {number}: give at least 1.")
        kept = jackknife_words(maps.words.label_of_word, n_jackknife=n_jackknife, seed=seed)
        return cls(maps, n_rotations, kept, seed)


@dataclass(frozen=True, eq=False)
class Layer:
    """All that is measured at a layer, with both sides averaged.

    Attributes
    ----------
    values, null, replicates : dict of str to ndarray
        By measure: a number, (draw,), (resample,); replicates less what they are once units have
        exchanged what a plane leaves of their tuning.
    curve : ndarray, shape (n_bins,)
        Similarity by distance.
    curve_null : ndarray, shape (n_draws, n_bins)
        Of rotated units.
    """

    values: dict[str, _Values]
    null: dict[str, _Values]
    replicates: dict[str, _Values]
    curve: _Values
    curve_null: _Values


def measure_layer(z: _Values, plan: Plan) -> Layer:
    """Measure all of a layer.

    Parameters
    ----------
    z : ndarray of float64, shape (n_words, n_units)
        Activations, from `UnitMaps.read`.
    plan : Plan
        Draws.
    """
    n_units = z.shape[1]
    pairs = unit_pairs(n_units, seed=plan.seed)
    rng = np.random.default_rng([plan.seed, 3])
    rotated = RotatedUnits.of(z, np.random.default_rng([plan.seed, 4]))
    shuffles = np.random.default_rng([plan.seed, 6])
    orders = [shuffles.permutation(n_units) for _ in range(_SHUFFLES)]
    values, curve = _measured(z, plan, pairs)
    drawn = [_measured(rotated.draw(rng), plan, pairs) for _ in range(plan.n_rotations)]
    replicates = [_beyond_plane(z, plan, pairs, kept, orders) for kept in plan.kept]
    return Layer(
        values,
        {name: np.array([draw[name] for draw, _ in drawn]) for name in MEASURES},
        {name: np.array([draw[name] for draw in replicates]) for name in MEASURES},
        curve,
        np.stack([of for _, of in drawn]),
    )


def _measured(z: _Values, plan: Plan, pairs: _Pairs) -> tuple[dict[str, _Values], _Values]:
    """Give every measure, and the curve, averaged over both sides."""
    values: list[dict[str, _Values]] = []
    curves: list[_Values] = []
    for side in plan.maps.sides:
        distance, similarity = _pairwise(z, side, pairs)
        values.append({name: of(similarity, distance) for name, of in MEASURES.items()})
        curves.append(similarity_curve(similarity, distance, EDGES))
    mean = {name: _mean([value[name] for value in values]) for name in MEASURES}
    return mean, _mean(curves)


def _pairwise(z: _Values, side: Side, pairs: _Pairs) -> tuple[_Values, _Values]:
    tuning = np.asarray(side.d_prime(z), dtype=np.float64)
    return pair_distances(side.layout(z), pairs), tuning_similarity(tuning, pairs)


def _beyond_plane(
    z: _Values,
    plan: Plan,
    pairs: _Pairs,
    kept: NDArray[np.bool_],
    orders: Sequence[NDArray[np.intp]],
) -> dict[str, _Values]:
    """Give every measure of a subset of the words, less what a plane over the layout gives."""
    values: list[dict[str, _Values]] = []
    for side in plan.maps.sides:
        positions = side.layout(z, kept)
        tuning = np.asarray(side.d_prime(z, kept), dtype=np.float64)
        distance = pair_distances(positions, pairs)
        shuffled = [shuffled_around_plane(tuning, positions, order) for order in orders]
        similarity = np.stack([tuning_similarity(of, pairs) for of in (tuning, *shuffled)])
        measured = {name: of(similarity, distance) for name, of in MEASURES.items()}
        values.append({name: np.asarray(of[0] - of[1:].mean()) for name, of in measured.items()})
    return {name: _mean([value[name] for value in values]) for name in MEASURES}


def _mean(values: Sequence[_Values]) -> _Values:
    return np.asarray(np.mean(values, axis=0), dtype=np.float64)


def statistics_of(layers: Sequence[Layer], kept: NDArray[np.bool_]) -> dict[str, Statistic]:
    """Gather what was measured, by layer and as means, as `topography` names it.

    Parameters
    ----------
    layers : sequence of Layer
        One a layer.
    kept : ndarray of bool, shape (n_resamples, n_words)
        Subsets of the words.
    """
    statistics: dict[str, Statistic] = {}
    for name in MEASURES:
        estimate = np.array([layer.values[name] for layer in layers])
        null = np.stack([layer.null[name] for layer in layers], axis=1)
        replicates = np.stack([layer.replicates[name] for layer in layers], axis=1)
        chance = null.mean(axis=0)
        excess = estimate - chance
        statistics[name] = Statistic(("layer",), estimate, null)
        statistics[f"{name}_rotated"] = Statistic(("layer",), chance)
        statistics[f"{name}_excess"] = Statistic(
            ("layer",), excess, null - chance, jackknife_draws(excess, replicates, kept)
        )
        mean = float(excess.mean())
        statistics[f"mean_{name}_excess"] = Statistic(
            (),
            mean,
            (null - chance).mean(axis=1),
            jackknife_draws(mean, replicates.mean(axis=1), kept),
        )
        statistics[f"mean_{name}"] = Statistic((), estimate.mean())
    curve = np.stack([layer.curve for layer in layers])
    rotated = np.stack([layer.curve_null for layer in layers], axis=1)
    middles = (EDGES[:-1] + EDGES[1:]) / 2
    statistics["similarity"] = Statistic(("layer", "distance"), curve)
    for bound, share in (("low", 0.025), ("high", 0.975)):
        quantiles = np.quantile(rotated, share, axis=0)  # NaN where some draw has no such pair
        statistics[f"similarity_rotated_{bound}"] = Statistic(("layer", "distance"), quantiles)
    statistics["range"] = Statistic(
        ("layer",), np.array([length_of_decay(of, middles) for of in curve])
    )
    statistics["range_rotated"] = Statistic(
        ("layer",), np.array([length_of_decay(of, middles) for of in rotated.mean(axis=0)])
    )
    return statistics
