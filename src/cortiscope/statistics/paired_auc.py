"""Two probes read the same stimuli: the difference of their AUCs, exchanged and resampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cortiscope.statistics.folds import Folds


@dataclass(frozen=True, eq=False)
class PairedAuc:
    """Pairs of stimuli that each of two probes orders right, summed by word.

    Attributes
    ----------
    first, second : tuple of ndarray of float64, shape (n_words_of_category, n_words)
        One for each category: pairs of a sentence of one of its words and one of another
        category's, read by one fold's probe, that the first or the second probe orders right;
        ties count half.
    mixed : tuple of ndarray of float64
        Pairs right when the first probe reads the category's sentence and the second the other,
        minus those the other way about.
    pairs : tuple of ndarray of float64
        All such pairs.
    words : tuple of ndarray of int
        The words of each category.
    """

    first: tuple[NDArray[np.float64], ...]
    second: tuple[NDArray[np.float64], ...]
    mixed: tuple[NDArray[np.float64], ...]
    pairs: tuple[NDArray[np.float64], ...]
    words: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(cls, first: NDArray[np.float64], second: NDArray[np.float64], folds: Folds) -> PairedAuc:
        """Compare two probes' held-out scores.

        Parameters
        ----------
        first, second : ndarray of float64, shape (n_stimuli, n_categories)
            Held-out scores. Only their ranks within a fold count, so that the probes need not
            share a scale.
        folds : Folds
            Labels, words and folds of the stimuli.

        Returns
        -------
        PairedAuc
        """
        order = np.argsort(folds.word, kind="stable")
        cell, label = folds.cell[order], folds.label[order]
        ranked = [_ranks(scores[order], cell) for scores in (first, second)]
        starts = np.searchsorted(folds.word[order], np.arange(folds.n_words))
        sums: list[list[NDArray[np.float64]]] = [[], [], [], []]
        of_category = []
        for category in range(folds.n_categories):
            own = np.flatnonzero(label == category)
            words = np.flatnonzero(folds.label_of_word == category)
            own_starts = np.searchsorted(folds.word[order][own], words)
            counted = (cell[own][:, None] == cell) & (label != category)
            a, b = (ranks[:, category] for ranks in ranked)
            mixed = _above(a[own], b) - _above(b[own], a)
            for kept, values in zip(
                sums, (_above(a[own], a), _above(b[own], b), mixed, 1.0), strict=True
            ):
                by_row = np.add.reduceat(values * counted, own_starts, axis=0)
                kept.append(np.add.reduceat(by_row, starts, axis=1))
            of_category.append(words)
        firsts, seconds, crossed, counts = map(tuple, sums)
        return cls(firsts, seconds, crossed, counts, tuple(of_category))

    def resampled(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """AUC of both probes when words count with weights.

        Parameters
        ----------
        weights : ndarray of float64, shape (n_weightings, n_words)
            How often each word counts.

        Returns
        -------
        ndarray of float64, shape (2, n_weightings, n_categories)
            NaN where no pair has weight.
        """
        areas = [
            [
                ((weights[:, words] @ of_words) * weights).sum(axis=1)
                for of_words in (first, second, pairs)
            ]
            for first, second, pairs, words in zip(
                self.first, self.second, self.pairs, self.words, strict=True
            )
        ]
        won_first, won_second, pairs_of = np.moveaxis(np.array(areas), 0, 2)
        with np.errstate(invalid="ignore"):
            return np.stack([won_first / pairs_of, won_second / pairs_of])

    def exchanged(
        self, signs: NDArray[np.float64], among: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Difference of the AUCs when the two probes' scores change places in some words.

        Parameters
        ----------
        signs : ndarray of float64, shape (n_exchanges, n_words)
            -1 for words in which the first probe's scores are taken for the second's, else 1.
        among : ndarray of bool, shape (n_words,), optional
            The words that count at all.

        Returns
        -------
        ndarray of float64, shape (n_exchanges, n_categories)
            First minus second. Without any difference between the probes all exchanges are
            equally likely; their mean is 0.

        Notes
        -----
        Write a word's sign as s and a pair's comparison as AB when probe A read the one and B
        the other. An exchange turns the difference of a pair of words i and j into
        ((s_i + s_j) (AA - BB) + (s_i - s_j) (AB - BA)) / 2, which is linear in the signs: every
        word has one coefficient, and exchanges are a product of matrices.

        References
        ----------
        Bandos, Rockette & Gur (2005), A permutation test sensitive to differences in areas for
        comparing ROC curves from a paired design. Statistics in Medicine 24, 2873-2893.
        """
        counts = np.ones(signs.shape[1]) if among is None else among.astype(np.float64)
        differences = []
        for first, second, mixed, pairs, words in zip(
            self.first, self.second, self.mixed, self.pairs, self.words, strict=True
        ):
            plain, own = first - second, counts[words]
            coefficient = counts * (own @ (plain - mixed))
            coefficient[words] += own * ((plain + mixed) @ counts)
            with np.errstate(invalid="ignore"):
                differences.append(signs @ coefficient / (2.0 * (own @ pairs @ counts)))
        return np.stack(differences, axis=1)


def _ranks(scores: NDArray[np.float64], cell: NDArray[np.intp]) -> NDArray[np.float64]:
    """Rank within each cell, ties at their mean."""
    ranks = np.empty_like(scores)
    for one in np.unique(cell):
        ranks[cell == one] = rankdata(scores[cell == one], axis=0)
    return ranks


def _above(own: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.heaviside(own[:, None] - others, 0.5))
