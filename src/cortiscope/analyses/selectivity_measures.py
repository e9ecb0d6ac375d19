"""What selectivity is measured with: splits, permutations, subsets, phantoms beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.statistic import Statistic
from cortiscope.errors import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import (
    Folds,
    Replication,
    SplitHalves,
    WordSums,
    d_prime,
    hypergeometric_overlap,
    jackknife_draws,
    jackknife_words,
    replicate,
    spearman_brown,
)

SIZES = (5, 10, 20, 50, 100, 200, 500)
"""Numbers of units at which the choices of both halves are compared."""

ORACLES = (20, 200, 1000)
"""Numbers of truly selective units of the phantoms beside it."""

# At this one overlap has a test and an interval.
_SIZE = 20

# Permutations for the chance of the curve of overlaps; each brings other words into the halves, so
# that one split of their places is enough.
_CHANCE_DRAWS = 100


@dataclass(frozen=True, eq=False)
class Plan:
    """What is the same at every layer: splits, permutations, subsets."""

    words: Folds
    halves: SplitHalves
    halves_of_curves: SplitHalves
    order: NDArray[np.intp]  # (permutation, word)
    kept: NDArray[np.bool_]  # (resample, word)
    top_share: float
    absolute: bool
    seed: int

    @classmethod
    def draw(
        cls,
        words: Folds,
        *,
        n_splits: int,
        n_overlap_splits: int,
        n_permutations: int,
        n_jackknife: int,
        top_share: float,
        absolute: bool,
        seed: int,
    ) -> Plan:
        """Draw splits, permutations and subsets; arguments as of `selectivity`."""
        for name, number in (("n_permutations", n_permutations), ("n_jackknife", n_jackknife)):
            if number < 1:
                msg = f"{name} is {number}: give at least 1."
                raise InputError(msg)
        labels = words.label_of_word
        rng = np.random.default_rng([seed, 1])
        every = np.tile(np.arange(words.n_words), (n_permutations, 1))
        return cls(
            words,
            SplitHalves.draw(labels, n_splits, seed),
            SplitHalves.draw(labels, n_overlap_splits, seed),
            rng.permuted(every, axis=1),
            jackknife_words(labels, n_jackknife=n_jackknife, seed=seed),
            top_share,
            absolute,
            seed,
        )

    def sizes(self, n_units: int) -> tuple[int, int, int]:
        """How many units are chosen: the share, 20, and 1."""
        return max(round(self.top_share * n_units), 1), _SIZE, 1


@dataclass(frozen=True, eq=False)
class Layer:
    """All that is measured at a layer; units that are constant there are not counted."""

    n_units: int
    estimate: Replication
    null: Replication
    resamples: Replication
    circular: NDArray[np.float64]  # (category,)
    overlap: NDArray[np.float64]  # (category, n_chosen)
    overlap_permuted: NDArray[np.float64]  # (category, n_chosen)


def measure_layer(x: NDArray[np.float32], plan: Plan, *, overlap: bool) -> Layer:
    """Measure all of a layer.

    Parameters
    ----------
    x : ndarray of float32, shape (n_stimuli, n_units)
        Activations; every unit varies.
    plan : Plan
        Splits and draws.
    overlap : bool
        Whether the curves of overlaps are measured too; they are NaN otherwise.
    """
    n_units = x.shape[1]
    sums = WordSums.of(x, plan.words.word)
    single = sums.single()
    sizes = plan.sizes(n_units)
    of_all = d_prime(x, plan.words.label, plan.words.n_categories)
    ranked = np.abs(of_all) if plan.absolute else of_all
    nothing = np.full((plan.words.n_categories, len(SIZES)), np.nan)
    return Layer(
        n_units=n_units,
        estimate=replicate(sums, plan.halves, sizes, absolute=plan.absolute),
        null=replicate(single, plan.halves, sizes, order=plan.order, absolute=plan.absolute),
        resamples=replicate(single, plan.halves, sizes, kept=plan.kept, absolute=plan.absolute),
        circular=np.sort(ranked, axis=1)[:, -sizes[0] :].mean(axis=1),
        overlap=_overlaps(single, plan) if overlap else nothing,
        overlap_permuted=_chance(single, plan) if overlap else nothing,
    )


def _overlaps(sums: WordSums, plan: Plan) -> NDArray[np.float64]:
    """Overlap (category, n_chosen); NaN where there are no more units than are chosen."""
    compared = replicate(sums, plan.halves_of_curves, SIZES, absolute=plan.absolute)
    return _where_fewer_than_all(compared.overlap[0], sums)


def _chance(sums: WordSums, plan: Plan) -> NDArray[np.float64]:
    """Mean overlap (category, n_chosen) under permuted labels."""
    order = plan.order[:_CHANCE_DRAWS]
    compared = replicate(sums, plan.halves.some(0, 1), SIZES, order=order, absolute=plan.absolute)
    return _where_fewer_than_all(compared.overlap.mean(axis=0), sums)


def _where_fewer_than_all(overlap: NDArray[np.float64], sums: WordSums) -> NDArray[np.float64]:
    return np.asarray(np.where(np.array(SIZES) < sums.first.shape[1], overlap, np.nan))


def oracle_curves(design: PhantomDesign, plan: Plan, strength: float) -> dict[str, Statistic]:
    """Measure overlap in phantoms with one category of so many selective units.

    Parameters
    ----------
    design : PhantomDesign
        The recording's stimuli and number of units, one layer.
    plan : Plan
        The recording's splits.
    strength : float
        The d' of the selective units.

    Returns
    -------
    dict of str to Statistic
        ``overlap_of_20`` and so on, for those phantoms that there is room for.
    """
    n_ordinary = design.n_units - min(design.background.n_massive, design.n_units // 16)
    tuned = plan.words.categories.index(design.categories[0])
    curves = {}
    for n_selective in ORACLES:
        if n_selective <= n_ordinary:
            phantom = PHANTOMS["selective_units"].make(
                design, plan.seed, strength, n_selective=n_selective, n_tuned=1
            )
            sums = WordSums.of(phantom.layer("resid_post", 0), plan.words.word).single()
            curve = _overlaps(sums, plan)[tuned]
            curves[f"overlap_of_{n_selective}"] = Statistic(("n_chosen",), curve)
    return curves


def _parts(layer: Replication) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name what is tested, each (draw, category); the first is the correlation of halves."""
    yield "reliability", layer.correlation
    for place, name in enumerate(("", "_20", "_1")):
        yield f"held_out_d_prime{name}", layer.held_out[..., place]
    yield "overlap_20", layer.overlap[..., 1]


def statistics_of(layers: Sequence[Layer], kept: NDArray[np.bool_]) -> dict[str, Statistic]:
    """Gather what has a test, by layer and category and as means, and the circular values."""
    statistics = {}
    n_units = np.array([layer.n_units for layer in layers])
    none = {"overlap_20": float(np.minimum(_SIZE / n_units, 1).mean())}
    kinds = ("estimate", "null", "resamples")
    values = {kind: [dict(_parts(getattr(layer, kind))) for layer in layers] for kind in kinds}
    for name in values["estimate"][0]:
        estimate, null, replicates = (
            np.stack([layer[name] for layer in values[kind]], axis=1) for kind in kinds
        )
        for prefix, dims in (("", ("layer", "category")), ("mean_", ())):
            if prefix:
                estimate, null, replicates = (
                    of.mean(axis=(1, 2)) for of in (estimate, null, replicates)
                )
            corrected = [
                spearman_brown(of) if name == "reliability" else of
                for of in (estimate[0], null, replicates)
            ]
            statistics[prefix + name] = Statistic(
                dims,
                corrected[0],
                corrected[1],
                jackknife_draws(corrected[0], corrected[2], kept),
                none.get(name, 0.0),
            )
    statistics["mean_overlap_above_chance"] = _above_chance(statistics["mean_overlap_20"])
    circular = {
        "same_half_d_prime": [layer.estimate.same_half[0, :, 0] for layer in layers],
        "circular_d_prime": [layer.circular for layer in layers],
    }
    dims = ("layer", "category")
    return statistics | {name: Statistic(dims, np.stack(of)) for name, of in circular.items()}


def _above_chance(overlap: Statistic) -> Statistic:
    """Put an overlap on a scale from 0, its mean under permuted labels, to 1, as kappa is."""
    assert overlap.null is not None
    assert overlap.resamples is not None
    chance = overlap.null.mean()
    scale = 1 / (1 - chance) if chance < 1 else np.nan

    def above(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((values - chance) * scale)

    estimate = np.asarray(overlap.estimate, dtype=np.float64)
    return Statistic((), above(estimate), above(overlap.null), above(overlap.resamples))


def curves_of(layers: Sequence[Layer]) -> dict[str, Statistic]:
    """Gather the curves of overlaps and their chance."""
    dims = ("layer", "category", "n_chosen")
    chance = [hypergeometric_overlap(layer.n_units, SIZES) for layer in layers]
    return {
        "overlap": Statistic(dims, np.stack([layer.overlap for layer in layers])),
        "overlap_permuted": Statistic(dims, np.stack([layer.overlap_permuted for layer in layers])),
        "overlap_hypergeometric": Statistic(("layer", "n_chosen"), np.stack(chance)),
    }
