"""Permutations of word labels within folds, and the p-values that follow from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError


@dataclass(frozen=True, eq=False)
class Null:
    """Values of a statistic under permuted labels.

    Attributes
    ----------
    draws : ndarray of float, shape (n_permutations, ...)
        The statistic under each permutation.
    exhaustive : bool
        Whether the draws are all arrangements that there are, the identity among them.
    """

    draws: NDArray[np.float64]
    exhaustive: bool = False

    def p_value(self, observed: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """P-value of observed values, one-sided: large values speak against the null.

        Parameters
        ----------
        observed : ndarray, shape (...), or float
            The statistic on the true labels.

        Returns
        -------
        ndarray, shape (...)
            (b + 1) / (m + 1) for random draws, b / m for exhaustive enumeration, which counts
            the identity; NaN where the observed value is.

        References
        ----------
        Phipson & Smyth (2010), Permutation p-values should never be zero. Statistical
        Applications in Genetics and Molecular Biology 9, 39.

        Examples
        --------
        >>> float(Null(np.array([0.1, 0.2, 0.3])).p_value(0.25))
        0.5
        """
        return self._share_exceeding(self.draws, np.asarray(observed, dtype=np.float64))

    def corrected_p_value(self, observed: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """P-value corrected for all comparisons by the maximum statistic.

        Parameters
        ----------
        observed : ndarray, shape (...), or float
            The statistic on the true labels, at any of the comparisons that the draws cover.

        Returns
        -------
        ndarray, shape (...)
            Share of permutations whose largest value, over all comparisons, reaches `observed`.

        References
        ----------
        Nichols & Holmes (2002), Nonparametric permutation tests for functional neuroimaging.
        Human Brain Mapping 15, 1-25.

        Examples
        --------
        >>> null = Null(np.array([[0.1, 0.4], [0.2, 0.3], [0.0, 0.1]]))
        >>> null.corrected_p_value(np.array([0.5, 0.35])).tolist()
        [0.25, 0.5]
        """
        observed = np.asarray(observed, dtype=np.float64)
        # fmax passes over draws that are not defined at some comparisons.
        largest = np.fmax.reduce(self.draws.reshape(len(self.draws), -1), axis=1)
        return self._share_exceeding(largest.reshape(-1, *[1] * observed.ndim), observed)

    def _share_exceeding(
        self, draws: NDArray[np.float64], observed: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        # Equal values count as exceeding (sums in another order differ in the last bits), and so
        # do draws that are not defined.
        tolerance = 1e-12 * np.maximum(1.0, np.abs(observed))
        exceeding = (~(draws < observed - tolerance)).sum(axis=0)
        m = len(draws)
        shares = np.maximum(exceeding, 1) / m if self.exhaustive else (exceeding + 1) / (m + 1)
        return np.asarray(np.where(np.isnan(observed), np.nan, shares), dtype=np.float64)


def permute_within_folds(
    label_of_word: NDArray[np.intp],
    fold_of_word: NDArray[np.intp],
    n_permutations: int,
    seed: int = 0,
) -> tuple[NDArray[np.intp], bool]:
    """Permute labels of words among the words of the same fold.

    Labels stay within folds because the folds are stratified on the true labels: a permutation
    over all words would unbalance them, and the test would reject twice as often as it says.

    Parameters
    ----------
    label_of_word, fold_of_word : ndarray of int, shape (n_words,)
        Category and fold of each word.
    n_permutations : int
        Number of random draws.
    seed : int
        Their seed.

    Returns
    -------
    labels : ndarray of int, shape (m, n_words)
        Permuted labels; m is `n_permutations`, or the number of all distinct arrangements when
        there are no more than that.
    exhaustive : bool
        Whether all arrangements are there, the identity among them.

    Raises
    ------
    InputError
        When `n_permutations` is not positive.

    Examples
    --------
    >>> labels, exhaustive = permute_within_folds(
    ...     np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 100
    ... )
    >>> len(labels), exhaustive
    (4, True)
    """
    if n_permutations < 1:
        msg = f"n_permutations is {n_permutations}: give at least 1."
        raise InputError(msg)
    members = [np.flatnonzero(fold_of_word == fold) for fold in np.unique(fold_of_word)]
    if _n_arrangements(label_of_word, members) <= n_permutations:
        return _all_arrangements(label_of_word, members), True
    rng = np.random.default_rng(seed)
    labels = np.tile(label_of_word, (n_permutations, 1))
    for words in members:
        labels[:, words] = rng.permuted(labels[:, words], axis=1)
    return labels, False


def _n_arrangements(labels: NDArray[np.intp], members: list[NDArray[np.intp]]) -> int:
    total = 1
    for words in members:
        arrangements = math.factorial(len(words))
        for count in np.bincount(labels[words]):
            arrangements //= math.factorial(int(count))
        total *= arrangements
    return total


def _all_arrangements(
    labels: NDArray[np.intp], members: list[NDArray[np.intp]]
) -> NDArray[np.intp]:
    rows = [labels.copy()]
    for words in members:
        variants = list(_distinct(sorted(labels[words].tolist())))
        expanded = []
        for row in rows:
            for variant in variants:
                new = row.copy()
                new[words] = variant
                expanded.append(new)
        rows = expanded
    return np.stack(rows)


def _distinct(items: list[int]) -> Iterator[list[int]]:
    if not items:
        yield []
    for index, item in enumerate(items):
        if index and items[index - 1] == item:
            continue
        for rest in _distinct(items[:index] + items[index + 1 :]):
            yield [item, *rest]
