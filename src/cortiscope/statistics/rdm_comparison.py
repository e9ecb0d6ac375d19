"""Rank correlations of RDMs, with their null, their jackknife and their noise ceiling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import squareform

from cortiscope.errors import InputError
from cortiscope.statistics.parallel import map_in_threads
from cortiscope.statistics.structures import permuted_similarities


@dataclass(frozen=True, eq=False)
class RankedRdms:
    """Several RDMs of the same conditions, of which only the order of dissimilarities is kept.

    Attributes
    ----------
    levels : ndarray of int32, shape (n_rdms, n_pairs)
        How many different values of its RDM are smaller than each dissimilarity.

    Examples
    --------
    >>> rdms = RankedRdms.of(np.array([[0.3, 0.1, 0.1], [5.0, 6.0, 7.0]]))
    >>> rdms.n_conditions, rdms.levels.tolist()
    (3, [[1, 0, 0], [0, 1, 2]])
    >>> rdms.centred_ranks().tolist()
    [[1.0, -0.5, -0.5], [-1.0, 0.0, 1.0]]
    """

    levels: NDArray[np.int32]

    @classmethod
    def of(
        cls, dissimilarities: NDArray[np.floating] | Sequence[NDArray[np.floating]]
    ) -> RankedRdms:
        """Rank condensed dissimilarities, shape (n_rdms, n_pairs)."""
        levels = [np.unique(of_one, return_inverse=True)[1] for of_one in dissimilarities]
        return cls(np.array(levels, dtype=np.int32))

    @property
    def n_conditions(self) -> int:
        """Number of conditions."""
        return n_conditions_of(self.levels.shape[1])

    def centred_ranks(self, pairs: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """Give mid-ranks among some pairs, or all, less their mean, shape (n_rdms, n_pairs)."""
        levels = self.levels if pairs is None else self.levels[:, pairs]
        ranks = np.empty(levels.shape)
        for row, mine in zip(ranks, levels, strict=True):
            counts = np.bincount(mine)
            middle = np.cumsum(counts) - (counts - 1) / 2
            row[:] = middle[mine]
        ranks -= (levels.shape[1] + 1) / 2
        return ranks


@dataclass(frozen=True, eq=False)
class RankCorrelations:
    """Rank correlations of every RDM of one set with every one of another.

    Attributes
    ----------
    spearman : ndarray of float64, shape (..., n_rdms, n_other)
        Pearson's correlation of the mid-ranks; NaN for an RDM whose dissimilarities are all equal.
    rho_a : ndarray of float64, shape (..., n_rdms, n_other)
        Its expected value when ties are broken at random: smaller where there are ties.

    References
    ----------
    Schütt et al. (2023), Statistical inference on representational geometries. eLife 12, e82566;
    equal to ``rsatoolbox.rdm.compare`` with methods ``spearman`` and ``rho-a``.
    """

    spearman: NDArray[np.float64]
    rho_a: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        sums: NDArray[np.float64],
        ranks: NDArray[np.float64],
        other_ranks: NDArray[np.float64],
    ) -> RankCorrelations:
        """Scale sums of products of centred ranks, shape (..., n_rdms, n_other)."""
        n_pairs = ranks.shape[1]
        lengths = np.sqrt(_sums_of_squares(ranks)[:, None] * _sums_of_squares(other_ranks))
        with np.errstate(invalid="ignore"):
            spearman = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1.0), np.nan)
        return cls(spearman, sums * (12.0 / (n_pairs**3 - n_pairs)))


def rank_correlations(
    rdms: RankedRdms, others: RankedRdms, pairs: NDArray[np.intp] | None = None
) -> RankCorrelations:
    """Correlate two sets of RDMs of the same conditions, over some pairs or all.

    Parameters
    ----------
    rdms, others : RankedRdms
        Of the same conditions in the same order.
    pairs : ndarray of int, optional
        Which places of the condensed order count; ranks are those among them.

    Returns
    -------
    RankCorrelations
        Shape (n_rdms, n_other).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rdms = RankedRdms.of(rng.normal(size=(2, 10)))
    >>> rank_correlations(rdms, rdms).spearman.diagonal().round(6).tolist()
    [1.0, 1.0]
    """
    ranks, other_ranks = rdms.centred_ranks(pairs), others.centred_ranks(pairs)
    return RankCorrelations.of(ranks @ other_ranks.T, ranks, other_ranks)


def permuted_rank_correlations(
    rdms: RankedRdms,
    others: RankedRdms,
    permutations: NDArray[np.intp],
    members: NDArray[np.intp] | None = None,
) -> RankCorrelations:
    """Correlate two sets of RDMs again and again with the others' conditions permuted.

    Parameters
    ----------
    rdms, others : RankedRdms
        Of the same conditions.
    permutations : ndarray of int, shape (n_permutations, n_conditions)
        Which condition of `others` stands in the place of each.
    members : ndarray of int, optional
        Conditions that count, all when left out; each permutation must map them onto themselves.

    Returns
    -------
    RankCorrelations
        Shape (n_permutations, n_rdms, n_other); sums of ranks are exact, so that equal
        arrangements give equal values.
    """
    members = np.arange(rdms.n_conditions) if members is None else members
    pairs = pairs_among(rdms.n_conditions, members)
    ranks, other_ranks = rdms.centred_ranks(pairs), others.centred_ranks(pairs)
    place = np.zeros(rdms.n_conditions, dtype=np.intp)
    place[members] = np.arange(len(members))
    orders = place[permutations[:, members]]
    sums = permuted_similarities(_squares(ranks), _squares(other_ranks), orders) / 2
    return RankCorrelations.of(sums, ranks, other_ranks)


def subset_rank_correlations(
    rdms: RankedRdms,
    others: RankedRdms,
    kept: NDArray[np.bool_],
    members: NDArray[np.intp] | None = None,
) -> RankCorrelations:
    """Correlate two sets of RDMs in subsets of the conditions, ranked anew in each.

    Parameters
    ----------
    rdms, others : RankedRdms
        Of the same conditions.
    kept : ndarray of bool, shape (n_subsets, n_conditions)
        Which conditions each subset has.
    members : ndarray of int, optional
        Conditions that count, all when left out.

    Returns
    -------
    RankCorrelations
        Shape (n_subsets, n_rdms, n_other).
    """
    counted = np.ones(rdms.n_conditions, dtype=np.bool_)
    if members is not None:
        counted[:] = False
        counted[members] = True

    def of_subset(subset: NDArray[np.bool_]) -> RankCorrelations:
        pairs = pairs_among(rdms.n_conditions, np.flatnonzero(subset & counted))
        return rank_correlations(rdms, others, pairs)

    found = list(map_in_threads(of_subset, list(kept)))
    return RankCorrelations(
        np.stack([each.spearman for each in found]), np.stack([each.rho_a for each in found])
    )


def pairs_among(n_conditions: int, members: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places in the condensed order of the pairs of some conditions.

    Parameters
    ----------
    n_conditions : int
        Number of conditions of the RDM.
    members : ndarray of int
        Which of them; ascending.

    Returns
    -------
    ndarray of int, shape (n_members * (n_members - 1) / 2,)
        In the condensed order of the members.

    Examples
    --------
    >>> pairs_among(4, np.array([0, 2, 3])).tolist()
    [1, 2, 5]
    """
    first, second = (members[of_pair] for of_pair in np.triu_indices(len(members), 1))
    return np.asarray(first * (2 * n_conditions - first - 1) // 2 + second - first - 1)


def noise_ceiling(rdms_of_runs: NDArray[np.floating]) -> tuple[RankCorrelations, RankCorrelations]:
    """Bounds of the correlation that any RDM could have with those of single runs, on average.

    Parameters
    ----------
    rdms_of_runs : ndarray of float, shape (n_runs, n_pairs)
        RDMs of the same conditions, two or more.

    Returns
    -------
    lower, upper : RankCorrelations
        Without dims. Lower: the mean rank over the other runs, with each run in turn. Upper: the
        mean rank over all runs, with each of them.

    References
    ----------
    Nili et al. (2014), A toolbox for representational similarity analysis. PLoS Computational
    Biology 10, e1003553; equal to ``rsatoolbox.inference.boot_noise_ceiling``.

    Examples
    --------
    >>> run = np.random.default_rng(0).normal(size=45)
    >>> lower, upper = noise_ceiling(np.stack([run, run, run]))
    >>> round(float(lower.spearman), 6), round(float(upper.spearman), 6)
    (1.0, 1.0)
    """
    runs = RankedRdms.of(rdms_of_runs)
    ranks = runs.centred_ranks()
    without = RankedRdms.of((ranks.sum(axis=0) - ranks) / (len(ranks) - 1))
    pooled = RankedRdms.of(ranks.mean(axis=0, keepdims=True))
    lower, upper = rank_correlations(without, runs), rank_correlations(pooled, runs)
    return (
        RankCorrelations(
            np.asarray(lower.spearman.diagonal().mean()), np.asarray(lower.rho_a.diagonal().mean())
        ),
        RankCorrelations(np.asarray(upper.spearman.mean()), np.asarray(upper.rho_a.mean())),
    )


def n_conditions_of(n_pairs: int) -> int:
    """Tell how many conditions have so many pairs.

    Raises
    ------
    InputError
        When no number of conditions has.

    Examples
    --------
    >>> n_conditions_of(6)
    4
    """
    n_conditions = (1 + math.isqrt(1 + 8 * n_pairs)) // 2
    if n_conditions * (n_conditions - 1) // 2 != n_pairs:
        raise InputError(
            f"{n_pairs} dissimilarities are not those of all pairs of any number of conditions: "
            "n conditions have n (n - 1) / 2."
        )
    return n_conditions


def _squares(condensed: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([squareform(of_one) for of_one in condensed])


def _sums_of_squares(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->i", ranks, ranks))
