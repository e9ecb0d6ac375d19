"""Balanced accuracy and area under the ROC curve, for many label permutations at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.folds import Folds


def balanced_accuracy(
    predicted: NDArray[np.intp], label: NDArray[np.intp], n_categories: int
) -> NDArray[np.float64]:
    """Mean over categories of the share of their stimuli that is predicted right.

    Parameters
    ----------
    predicted, label : ndarray of int, shape (..., n_stimuli)
        Predicted and true category; a category that a row of `label` lacks does not count there.
    n_categories : int
        Number of categories.

    Returns
    -------
    ndarray of float64, shape (...)
        Chance is 1 / n_categories.

    References
    ----------
    scikit-learn's ``balanced_accuracy_score``.

    Examples
    --------
    >>> float(balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2))
    0.75
    """
    right = predicted == label
    total = np.zeros(label.shape[:-1])
    n_present = np.zeros(label.shape[:-1])
    for category in range(n_categories):
        own = label == category
        count = own.sum(axis=-1)
        total += (right & own).sum(axis=-1) / np.maximum(count, 1)
        n_present += count > 0
    return np.asarray(total / n_present, dtype=np.float64)


def auc_pairs(
    scores: NDArray[np.float64], label: NDArray[np.intp], same_row: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the pairs of stimuli that scores order right, for every category against the rest.

    The AUC is the share of right pairs; ties count half.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_permutations, n_categories, n_rows)
        Score of each distinct row for each category.
    label : ndarray of int, shape (n_permutations, n_stimuli)
        Category of each stimulus.
    same_row : ndarray of int, shape (n_stimuli,)
        Which distinct row each stimulus is; stimuli that share one are tied.

    Returns
    -------
    wins, pairs : ndarray of float64, shape (n_permutations, n_categories)
        Pairs of one stimulus of the category and one of the rest that are ordered right, and
        all such pairs.

    References
    ----------
    Mann & Whitney (1947); wins / pairs equals scikit-learn's ``roc_auc_score``.

    Examples
    --------
    >>> scores = np.array([[[0.9, 0.8, 0.1, 0.2]]])
    >>> wins, pairs = auc_pairs(scores, np.array([[0, 0, 1, 1]]), np.arange(4))
    >>> wins.tolist(), pairs.tolist()
    ([[4.0]], [[4.0]])
    """
    n_permutations, n_categories, n_rows = scores.shape
    order = np.argsort(scores, axis=-1)
    occurs = np.zeros((len(same_row), n_rows), dtype=np.float32)
    occurs[np.arange(len(same_row)), same_row] = 1.0
    total = occurs.sum(axis=0, dtype=np.float64)
    wins = np.empty((n_permutations, n_categories))
    pairs = np.empty((n_permutations, n_categories))
    for category in range(n_categories):
        positive = (label == category).astype(np.float32)
        if n_rows < len(same_row):
            positive = positive @ occurs
        else:
            positive = positive[:, np.argsort(same_row)]
        positive = np.take_along_axis(positive, order[:, category], axis=1)
        negative = total[order[:, category]] - positive
        below = np.cumsum(negative, axis=1) - 0.5 * negative
        wins[:, category] = (positive * below).sum(axis=1)
        pairs[:, category] = positive.sum(axis=1) * negative.sum(axis=1)
    return wins, pairs


def accuracy_of_words(
    scores: NDArray[np.float64],
    folds: Folds,
    weights: NDArray[np.float64],
    members: NDArray[np.intp] | slice = slice(None),
) -> NDArray[np.float64]:
    """Balanced accuracy of held-out scores when words count with given weights.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_stimuli, n_categories)
        Held-out scores.
    folds : Folds
        Labels and words of the stimuli.
    weights : ndarray of float64, shape (n_weightings, n_words)
        How often each word counts.
    members : ndarray of int or slice
        The stimuli that count at all.

    Returns
    -------
    ndarray of float64, shape (n_weightings,)
        Equal to `balanced_accuracy` when all weights are one. A category without weight does not
        count; NaN where none has any.
    """
    right = (scores.argmax(axis=1) == folds.label)[members]
    word = folds.word[members]
    hits = np.bincount(word, weights=right, minlength=folds.n_words)
    count = np.bincount(word, minlength=folds.n_words)
    member = folds.label_of_word[:, None] == np.arange(folds.n_categories)
    n_hits = weights @ (hits[:, None] * member)
    n_stimuli = weights @ (count[:, None] * member)
    present = n_stimuli > 0
    shares = n_hits / np.where(present, n_stimuli, 1.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(shares.sum(axis=1) / present.sum(axis=1), dtype=np.float64)


def confusion_matrix(scores: NDArray[np.float64], folds: Folds) -> NDArray[np.float64]:
    """Share of each category's stimuli that held-out scores take for each category.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_stimuli, n_categories)
        Held-out scores; the highest is the prediction.
    folds : Folds
        Labels of the stimuli.

    Returns
    -------
    ndarray of float64, shape (n_categories, n_categories)
        Rows are true categories and sum to 1; the mean of the diagonal is the balanced accuracy.

    References
    ----------
    scikit-learn's ``confusion_matrix(..., normalize="true")``.

    Examples
    --------
    >>> folds = Folds.grouped(["a", "a", "b", "b"], range(4), n_folds=2)
    >>> confusion_matrix(np.array([[2, 1], [1, 2], [1, 2], [1, 2.0]]), folds).tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    counts = np.zeros((folds.n_categories, folds.n_categories))
    np.add.at(counts, (folds.label, scores.argmax(axis=1)), 1.0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), dtype=np.float64)


def auc_of_words(
    scores: NDArray[np.float64], folds: Folds, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """AUC of held-out scores, over pairs that one probe reads, when words count with weights.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_stimuli, n_categories)
        Held-out scores; those of different folds come from different probes and are not
        compared.
    folds : Folds
        Labels, words and folds of the stimuli.
    weights : ndarray of float64, shape (n_weightings, n_words)
        How often each word counts.

    Returns
    -------
    ndarray of float64, shape (n_weightings, n_categories)
        Equal to wins / pairs of `auc_pairs`, summed over folds, when all weights are one; NaN
        where no pair has weight.
    """
    # Stimuli in the order of their words, so that words are blocks of rows and columns.
    order = np.argsort(folds.word, kind="stable")
    cell, label, scores = folds.cell[order], folds.label[order], scores[order]
    starts = np.searchsorted(folds.word[order], np.arange(folds.n_words))
    areas = []
    for category in range(folds.n_categories):
        own = np.flatnonzero(label == category)
        words = np.flatnonzero(folds.label_of_word == category)
        own_starts = np.searchsorted(folds.word[order][own], words)
        counted = (cell[own][:, None] == cell) & (label != category)
        above = np.heaviside(scores[own, category][:, None] - scores[:, category], 0.5)
        # (n_words of the category, n_words)
        wins = _sum_blocks(above * counted, own_starts, starts)
        pairs = _sum_blocks(counted.astype(np.float64), own_starts, starts)
        won, of = (((weights[:, words] @ x) * weights).sum(axis=1) for x in (wins, pairs))
        with np.errstate(invalid="ignore"):
            areas.append(won / of)
    return np.stack(areas, axis=1)


def _sum_blocks(
    values: NDArray[np.float64], row_starts: NDArray[np.intp], column_starts: NDArray[np.intp]
) -> NDArray[np.float64]:
    return np.add.reduceat(np.add.reduceat(values, row_starts, axis=0), column_starts, axis=1)
