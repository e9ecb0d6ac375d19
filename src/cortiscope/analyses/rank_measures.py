"""What `concept_rank` measures in one layer, and what follows from all layers together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.statistic import Statistic
from cortiscope.statistics import (
    Folds,
    FoldSpace,
    LinearEraser,
    MlpProblem,
    NullspaceProjection,
    aucs_of_words,
    bootstrap_words,
    leace_eraser,
    mean_difference_eraser,
    mlp_scores,
    nullspace_ranks,
    nullspace_scores,
    percentile_interval,
)

ERASERS = ("none", "mean_difference", "leace")

# An AUC within its null at this level, or not above this value, counts for none.
ALPHA = 0.05
LEAST_AUC = 0.55

Eraser = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A statistic with its resamples, and its null where it has one."""

    estimate: NDArray[np.float64]  # (...)
    draws: NDArray[np.float64]  # (resample, ...)
    null: NDArray[np.float64] | None = None  # (permutation, ...)


@dataclass(frozen=True, eq=False)
class LayerRank:
    """The curves of one layer, and what is counted in them."""

    auc_after: NDArray[np.float64]  # (category, n_removed)
    interval: NDArray[np.float64]  # (bound, category, n_removed)
    needed: NDArray[np.float64]  # (category,)
    auc: Drawn  # (category,), before anything is taken out
    rank: Drawn  # (category,)
    area: Drawn  # (category,)


def rank_layer(
    spaces: Sequence[FoldSpace],
    folds: Folds,
    labels: NDArray[np.intp],
    null: NDArray[np.float64],
    *,
    exhaustive: bool,
    n_directions: int,
    n_bootstrap: int,
    seed: int,
) -> LayerRank:
    """Follow the AUC while directions are taken out, for the true labels and for permuted ones.

    Parameters
    ----------
    spaces : sequence of FoldSpace
        The layer.
    folds : Folds
        The folds.
    labels : ndarray of int, shape (n_permutations, n_words)
        Permuted labels.
    null : ndarray of float64, shape (n_permutations, n_categories)
        Their AUC before anything is taken out.
    exhaustive : bool
        Whether they are all arrangements that there are.
    n_directions, n_bootstrap, seed : int
        As in `concept_rank`.

    Returns
    -------
    LayerRank
    """
    curves = with_resamples(
        nullspace_scores(spaces, folds, n_directions), folds, n_bootstrap=n_bootstrap, seed=seed
    )
    needed = np.maximum(critical_value(null, exhaustive=exhaustive), LEAST_AUC)
    # A permutation whose first AUC is too low has rank 0: the others alone are followed.
    row, category = np.nonzero(null > needed)
    ranks, areas = np.zeros_like(null), np.zeros_like(null)
    ranks[row, category], areas[row, category] = nullspace_ranks(
        spaces, folds, labels[row], category, needed[category], n_directions
    )
    rank = rank_of(curves.estimate, needed)
    draws = rank_of(curves.draws, needed)
    return LayerRank(
        auc_after=curves.estimate,
        interval=percentile_interval(curves.draws),
        needed=needed,
        auc=Drawn(curves.estimate[:, 0], curves.draws[..., 0], null),
        rank=Drawn(rank, draws, ranks),
        area=Drawn(area_to(curves.estimate, rank), area_to(curves.draws, draws), areas),
    )


def critical_value(null: NDArray[np.float64], *, exhaustive: bool) -> NDArray[np.float64]:
    """Largest value that does not reach p <= .05 in a null, infinite where none could.

    Parameters
    ----------
    null : ndarray of float64, shape (n_permutations, ...)
        Draws.
    exhaustive : bool
        Whether they are all arrangements that there are, the identity among them.

    Returns
    -------
    ndarray of float64, shape (...)
        What lies above it has a p-value of .05 or less.

    Examples
    --------
    >>> draws = np.arange(1.0, 100.0)
    >>> float(critical_value(draws, exhaustive=False))
    95.0
    >>> bool(sum(draws >= 95.5) + 1 <= 0.05 * (99 + 1))
    True
    """
    n_draws = len(null)
    # Of random draws one less may lie above, since what is observed counts as one of them.
    n_above = int(np.floor(ALPHA * n_draws if exhaustive else ALPHA * (n_draws + 1) - 1))
    if n_above < 0:
        return np.full(null.shape[1:], np.inf)
    return np.asarray(np.sort(null, axis=0)[n_draws - 1 - n_above])


def rank_of(auc: NDArray[np.float64], needed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions taken out until the AUC is too low, from curves (..., category, n_removed).

    Examples
    --------
    >>> rank_of(np.array([[0.9, 0.7, 0.5, 0.7], [0.5, 0.9, 0.9, 0.9]]), np.array([0.6, 0.6]))
    array([2., 0.])
    """
    low = ~(auc[..., :-1] > needed[:, None])
    rank = np.where(low.any(axis=-1), low.argmax(axis=-1), low.shape[-1])
    return np.asarray(rank, dtype=np.float64)


def area_to(auc: NDArray[np.float64], rank: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of 2 AUC - 1 over the directions that count.

    Examples
    --------
    >>> area_to(np.array([[1.0, 0.75, 0.5, 0.7]]), np.array([2.0]))
    array([1.5])
    """
    heights = 2.0 * auc[..., :-1] - 1.0
    counts = np.arange(heights.shape[-1]) < rank[..., None]
    return np.asarray(np.where(counts, heights, 0.0).sum(axis=-1))


def with_resamples(
    scores: NDArray[np.float64], folds: Folds, *, n_bootstrap: int, seed: int
) -> Drawn:
    """AUC of held-out scores (stimulus, category, score), and in resampled words."""

    def auc(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return aucs_of_words(scores, folds, weights)

    return Drawn(
        auc(np.ones((1, folds.n_words)))[0],
        bootstrap_words(auc, folds.label_of_word, n_bootstrap=n_bootstrap, seed=seed),
    )


def linear_scores(spaces: Sequence[FoldSpace], folds: Folds) -> NDArray[np.float64]:
    """Scores (stimulus, category, eraser) of probes that were fitted before the erasure."""
    scores = np.empty((len(folds.label), folds.n_categories, len(ERASERS)))
    for space in spaces:
        codes = folds.label[space.train, None] == np.arange(folds.n_categories)
        projection = NullspaceProjection(space, codes)
        projection.step()
        weights = projection.directions[:, 0].T
        for index, erase in enumerate(_erasers(space, codes)):
            read = erase(space.row_coordinates) @ weights
            scores[space.held_out, :, index] = read[space.same_row]
    return scores


def network_scores(
    x: NDArray[np.floating], spaces: Sequence[FoldSpace], folds: Folds, seed: int
) -> NDArray[np.float64]:
    """Scores (stimulus, category, eraser) of a network that is trained after the erasure."""
    scores = np.empty((len(folds.label), folds.n_categories, len(ERASERS)))
    for space in spaces:
        codes = folds.label[space.train, None] == np.arange(folds.n_categories)
        mean = x[space.train].mean(axis=0, dtype=np.float64)
        train, held_out = x[space.train] - mean, x[space.held_out] - mean
        # Networks read units: what is erased along the axes is turned back into units.
        axes = train.T @ (space.train_coordinates / space.eigenvalues)
        problems = []
        for erase in _erasers(space, codes):
            parts = [
                values + (erase(along) - along) @ axes.T
                for values, along in (
                    (train, space.train_coordinates),
                    (held_out, space.row_coordinates[space.same_row]),
                )
            ]
            problems.append(MlpProblem(parts[0], folds.label[space.train], parts[1]))
        read = mlp_scores(problems, folds.n_categories, seed=seed)
        scores[space.held_out] = np.stack(read, axis=2)
    return scores


def _erasers(space: FoldSpace, codes: NDArray[np.bool_]) -> list[Eraser]:
    """Erasers of all categories at once, in the order of their names."""

    def nothing(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        return coordinates

    fitted: list[LinearEraser] = [
        mean_difference_eraser(space, codes),
        leace_eraser(space, codes),
    ]
    return [nothing, *fitted]


def rank_statistics(measured: Sequence[LayerRank], *, exhaustive: bool) -> dict[str, Statistic]:
    """Lay out rank, area and depth of all layers, and their means."""
    auc = stacked([layer.auc for layer in measured])
    rank = stacked([layer.rank for layer in measured])
    area = stacked([layer.area for layer in measured])
    assert auc.null is not None
    over_all_layers = critical_value(auc.null.max(axis=1), exhaustive=exhaustive)
    depth = _each(auc, lambda of: (of > over_all_layers).mean(axis=-2))
    decodable = auc.estimate > over_all_layers
    places = ("layer", "category")
    statistics = {
        "auc_after": Statistic(
            (*places, "n_removed"), np.stack([layer.auc_after for layer in measured]), none=0.5
        ),
        "auc_needed": Statistic(places, np.stack([layer.needed for layer in measured]), none=0.5),
        "rank": _statistic(rank, places),
        "area": _statistic(area, places),
        "depth": _statistic(depth, ("category",)),
        "mean_rank": _statistic(_each(rank, lambda of: of.mean(axis=(-2, -1)))),
        "mean_area": _statistic(_each(area, lambda of: of.mean(axis=(-2, -1)))),
        "mean_depth": _statistic(_each(depth, lambda of: of.mean(axis=-1))),
    }
    # Which places count is not drawn again: the places are those of the estimate.
    n_decodable = decodable.sum()
    if n_decodable:
        there = _each(rank, lambda of: (of * decodable).sum(axis=(-2, -1)) / n_decodable)
    else:
        there = _each(rank, lambda of: np.full(of.shape[:-2], np.nan))
    statistics["mean_rank_where_decodable"] = _statistic(Drawn(there.estimate, there.draws))
    return statistics


def erased_statistics(by_layer: Mapping[str, Sequence[Drawn]]) -> dict[str, Statistic]:
    """Lay out the AUC after erasers (layer of category, eraser), for each sort of probe."""
    statistics = {}
    for name, drawn in by_layer.items():
        auc = _each(stacked(drawn), lambda of: np.moveaxis(of, -1, -3))
        statistics[f"{name}_auc"] = _statistic(auc, ("eraser", "layer", "category"), 0.5)
        mean = _each(auc, lambda of: of.mean(axis=(-2, -1)))
        statistics[f"mean_{name}_auc"] = _statistic(mean, ("eraser",), 0.5)
    return statistics


def stacked(drawn: Sequence[Drawn]) -> Drawn:
    """Put layers together: a dim before all but that of the draws."""
    nulls = [of.null for of in drawn if of.null is not None]
    return Drawn(
        np.stack([of.estimate for of in drawn]),
        np.stack([of.draws for of in drawn], axis=1),
        np.stack(nulls, axis=1) if nulls else None,
    )


def _each(of: Drawn, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Drawn:
    return Drawn(
        change(of.estimate), change(of.draws), None if of.null is None else change(of.null)
    )


def _statistic(of: Drawn, dims: tuple[str, ...] = (), none: float = 0.0) -> Statistic:
    return Statistic(dims, of.estimate, of.null, of.draws, none)
