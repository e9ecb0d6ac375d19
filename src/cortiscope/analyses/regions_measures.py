"""What regions are measured with: maps of d', their nulls, and the words left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.unit_maps import Side, UnitMaps
from cortiscope.errors import InputError
from cortiscope.statistics import (
    RotatedUnits,
    d_prime_of_members,
    jackknife_words,
    largest_clusters,
    line_neighbours,
    linear_share,
    morans_i,
    nearest_neighbours,
    smoothed,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_Values = NDArray[np.float64]
_Scalar = TypeVar("_Scalar", bound=np.generic)

# Values of d' (draw, category, unit) that are in memory at a time.
_VALUES_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Plan:
    """What is the same at every layer."""

    maps: UnitMaps
    reach: int
    n_neighbours: int
    threshold: float
    n_permutations: int
    n_rotations: int
    kept: NDArray[np.bool_]  # (resample, word)
    clusters: bool
    smoothed: bool
    seed: int

    @classmethod
    def draw(
        cls,
        maps: UnitMaps,
        *,
        reach: int,
        n_neighbours: int,
        threshold: float,
        n_permutations: int,
        n_rotations: int,
        n_jackknife: int,
        clusters: bool,
        smoothed: bool,
        seed: int,
    ) -> Plan:
        """Draw subsets of the words; arguments as of `regions`."""
        numbers = {
            "n_permutations": n_permutations,
            "n_rotations": n_rotations,
            "n_jackknife": n_jackknife,
        }
        for name, number in numbers.items():
            if number < 1:
                raise InputError(f"{name} is {number}: give at least 1.")
        if not threshold >= 0:
            raise InputError(f"threshold is {threshold}: give a value of t, 0 or more.")
        kept = jackknife_words(maps.words.label_of_word, n_jackknife=n_jackknife, seed=seed)
        return cls(
            maps,
            reach,
            n_neighbours,
            threshold,
            n_permutations,
            n_rotations,
            kept,
            clusters,
            smoothed,
            seed,
        )

    def orders(self, n: int, n_draws: int) -> NDArray[np.intp]:
        """Permutations (draw, place) of so many units or words; the same at every layer."""
        rng = np.random.default_rng([self.seed, 2, n])
        return rng.permuted(np.tile(np.arange(n), (n_draws, 1)), axis=1)


@dataclass(eq=False)
class Measured:
    """One measure of every category, (category,), with its null and jackknife."""

    estimate: _Values
    null: _Values  # (draw, category)
    replicates: _Values  # (resample, category), less what their words alone bring about


@dataclass(eq=False)
class Cluster:
    """The largest cluster of every category, and what the test of its mass gave."""

    mass: _Values
    null: _Values  # (draw, category): words' labels permuted
    is_in: list[NDArray[np.intp]]  # the units of it, for each category


@dataclass(frozen=True, eq=False)
class Map:
    """One category's map, to be drawn."""

    category: int
    d_prime: _Values
    positions: _Values  # (unit, 2), or (unit, 1) of the index
    is_in: NDArray[np.bool_]


@dataclass(eq=False)
class Over:
    """All that is measured over one neighbourhood: the index, or the layout."""

    measures: dict[str, Measured]
    cluster: Cluster | None = None
    linear: _Values | None = None  # (category,)
    maps: list[Map] = field(default_factory=list)


def over_index(z: _Values, units: NDArray[np.intp], plan: Plan) -> Over:
    """Measure maps over the index of units, with all words.

    Parameters
    ----------
    z : ndarray of float64, shape (n_words, n_units)
        Activations, from `UnitMaps.read`.
    units : ndarray of int, shape (n_units,)
        Their indices.
    plan : Plan
        Draws.

    Returns
    -------
    Over
        Null: units permuted over positions.
    """
    label = plan.maps.words.label_of_word
    everything = np.ones(len(label), dtype=np.bool_)
    categories = np.arange(plan.maps.words.n_categories)
    side = Side(everything, everything, categories, label)
    neighbours = line_neighbours(z.shape[1], plan.reach)
    d_prime = np.asarray(side.d_prime(z))
    measure = _Measure(neighbours, side, plan)
    null = [
        measure.of(d_prime[:, orders].transpose(1, 0, 2))
        for orders in _parts(plan.orders(z.shape[1], plan.n_rotations), d_prime.size)
    ]
    replicates = [
        measure.of(d_prime_of_members(z, side.members(label) & kept[:, None], kept))
        for kept in _parts(plan.kept, d_prime.size)
    ]
    estimate = measure.of(d_prime)
    over = Over(
        {
            name: Measured(
                values,
                np.concatenate([part[name] for part in null]),
                np.concatenate([part[name] for part in replicates]),
            )
            for name, values in estimate.items()
        }
    )
    inside = np.zeros(d_prime.shape, dtype=np.bool_)
    if plan.clusters:
        over.cluster, inside = _cluster(z, side, d_prime, measure, units)
    over.maps = [
        Map(int(category), d_prime[category], units[:, None].astype(float), inside[category])
        for category in categories
    ]
    return over


def over_layout(z: _Values, units: NDArray[np.intp], plan: Plan) -> Over:
    """Measure maps over layouts that other words of other categories gave.

    Parameters
    ----------
    z, units, plan
        As `over_index` takes them.

    Returns
    -------
    Over
        Null: units rotated, and laid out again.
    """
    sides = [_Laid.out(z, side, plan) for side in plan.maps.sides]
    order = np.argsort(np.concatenate([laid.side.categories for laid in sides]))

    def joined(parts: Sequence[dict[str, _Values]]) -> dict[str, _Values]:
        return {
            name: np.concatenate([part[name] for part in parts], axis=-1)[..., order]
            for name in parts[0]
        }

    estimate = joined([laid.values for laid in sides])
    rng = np.random.default_rng([plan.seed, 3])
    rotated = RotatedUnits.of(z, np.random.default_rng([plan.seed, 4]))
    null = _stacked([joined(_laid_out(rotated.draw(rng), plan)) for _ in range(plan.n_rotations)])
    replicates = _stacked([joined(_laid_out(z, plan, kept)) for kept in plan.kept])
    linear = estimate.pop(_LINEAR)
    shares = null.pop(_LINEAR), replicates.pop(_LINEAR)
    over = Over(
        {
            name: Measured(
                values,
                null[name],
                replicates[name] - _slope(shares[0], null[name]) * shares[1],
            )
            for name, values in estimate.items()
        },
        linear=linear,
    )
    inside = [np.zeros((len(laid.d_prime), z.shape[1]), dtype=np.bool_) for laid in sides]
    if plan.clusters:
        found = [_cluster(z, laid.side, laid.d_prime, laid.measure, units) for laid in sides]
        inside = [is_in for _, is_in in found]
        of_all = [unit for cluster, _ in found for unit in cluster.is_in]
        over.cluster = Cluster(
            np.concatenate([cluster.mass for cluster, _ in found])[order],
            np.concatenate([cluster.null for cluster, _ in found], axis=1)[:, order],
            [of_all[place] for place in order],
        )
    maps = [
        Map(int(category), d_prime, laid.positions, is_in)
        for laid, of_side in zip(sides, inside, strict=True)
        for category, d_prime, is_in in zip(
            laid.side.categories, laid.d_prime, of_side, strict=True
        )
    ]
    over.maps = [maps[place] for place in order]
    return over


_LINEAR = "linear_share"


@dataclass(frozen=True, eq=False)
class _Measure:
    """What is measured of a map over one neighbourhood."""

    neighbours: csr_array
    side: Side
    plan: Plan

    @property
    def threshold(self) -> _Values:
        """The value of d' (category, 1) at which t of all words reaches the threshold."""
        side = self.side
        inside = (side.members(side.label_of_word) & side.tested).sum(axis=1)
        outside = side.tested.sum() - inside
        return np.asarray(self.plan.threshold * np.sqrt(1 / inside + 1 / outside))[:, None]

    def of(self, d_prime: NDArray[np.floating]) -> dict[str, _Values]:
        """Measure maps (..., category, unit); each (..., category)."""
        values = {"morans_i": morans_i(d_prime, self.neighbours)}
        if self.plan.smoothed:
            smooth = smoothed(d_prime, self.neighbours)
            values["morans_i_smoothed"] = morans_i(smooth, self.neighbours)
        if self.plan.clusters:
            flat = (d_prime / self.threshold).reshape(-1, d_prime.shape[-1])
            share = largest_clusters(flat, self.neighbours, 1.0).share
            values["cluster_share"] = share.reshape(d_prime.shape[:-1])
        return values


@dataclass(frozen=True, eq=False)
class _Laid:
    """One side's layout with what is measured on it."""

    side: Side
    positions: _Values
    d_prime: _Values
    measure: _Measure
    values: dict[str, _Values]

    @classmethod
    def out(
        cls, z: _Values, side: Side, plan: Plan, kept: NDArray[np.bool_] | None = None
    ) -> _Laid:
        positions = side.layout(z, kept)
        d_prime = np.asarray(side.d_prime(z, kept), dtype=np.float64)
        neighbours = nearest_neighbours(positions, plan.n_neighbours)
        measure = _Measure(neighbours, side, plan)
        values = measure.of(d_prime) | {_LINEAR: linear_share(d_prime, positions)}
        return cls(side, positions, d_prime, measure, values)


def _laid_out(
    z: _Values, plan: Plan, kept: NDArray[np.bool_] | None = None
) -> list[dict[str, _Values]]:
    return [_Laid.out(z, side, plan, kept).values for side in plan.maps.sides]


def _stacked(draws: Sequence[dict[str, _Values]]) -> dict[str, _Values]:
    return {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}


def _slope(share: _Values, values: _Values) -> float:
    """How much a measure rises with the share that is linear, in rotated recordings."""
    x, y = share.ravel() - share.mean(), values.ravel() - values.mean()
    size = float(x @ x)
    return float(x @ y) / size if size > 0 else 0.0


def _cluster(
    z: _Values, side: Side, d_prime: _Values, measure: _Measure, units: NDArray[np.intp]
) -> tuple[Cluster, NDArray[np.bool_]]:
    """Test the largest cluster of each category against permuted labels of its words."""
    plan = measure.plan
    words = np.flatnonzero(side.tested)
    label = side.label_of_word[words]
    single = z[words].astype(np.float32)
    among = np.ones(len(words), dtype=np.bool_)
    threshold = measure.threshold

    def largest(values: NDArray[np.floating]) -> tuple[_Values, NDArray[np.bool_]]:
        flat = (values / threshold).reshape(-1, values.shape[-1])
        found = largest_clusters(flat, measure.neighbours, 1.0)
        # In units of t, as masses are given.
        mass = found.mass.reshape(values.shape[:-1]) * plan.threshold
        return mass, found.is_in

    mass, is_in = largest(d_prime)
    null = [
        largest(d_prime_of_members(single, side.members(label[orders]), among))[0]
        for orders in _parts(plan.orders(len(words), plan.n_permutations), d_prime.size)
    ]
    found = [units[np.flatnonzero(inside)] for inside in is_in]
    return Cluster(mass, np.concatenate(null), found), is_in


def _parts(draws: NDArray[_Scalar], n_values: int) -> Iterator[NDArray[_Scalar]]:
    """Cut draws into parts whose values of d' fit in memory."""
    step = max(_VALUES_AT_ONCE // n_values, 1)
    for start in range(0, len(draws), step):
        yield draws[start : start + step]
