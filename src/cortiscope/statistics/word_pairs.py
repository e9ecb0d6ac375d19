"""AUC of many scores under many weightings of words: pairs of words are counted once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.folds import Folds


def aucs_of_words(
    scores: NDArray[np.float64], folds: Folds, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """AUC of several held-out scores for each category, when words count with weights.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_stimuli, n_categories, n_scores)
        Held-out scores of each category against the rest.
    folds : Folds
        Labels, words and folds of the stimuli; only stimuli that one probe reads are compared.
    weights : ndarray of float64, shape (n_weightings, n_words)
        How often each word counts: whole numbers, as a bootstrap draws them.

    Returns
    -------
    ndarray of float64, shape (n_weightings, n_categories, n_scores)
        Each as `auc_of_words` gives it; NaN where no pair has weight.

    Notes
    -----
    Which stimulus lies above which is counted once for each pair of words. A weighting multiplies
    the counts by the products of its words' weights: one matrix product for all scores. Counts
    are halves of whole numbers, which single precision holds exactly below 2**23.

    Examples
    --------
    >>> folds = Folds.grouped(list("aabb"), list("pqrs"), n_folds=2)
    >>> scores = np.array([3.0, 2.0, 1.0, 0.0])[:, None] * [1.0, -1.0]
    >>> aucs_of_words(scores[:, :, None], folds, np.ones((1, 4))).tolist()
    [[[1.0], [1.0]]]
    """
    n_scores = scores.shape[2]
    weights = weights.astype(np.float32)
    wins = np.zeros((folds.n_categories, len(weights), n_scores))
    pairs = np.zeros((folds.n_categories, len(weights), 1))
    order = np.argsort(folds.word, kind="stable")  # stimuli of a word side by side
    for cell in np.unique(folds.cell):
        members = order[folds.cell[order] == cell]
        for category in range(folds.n_categories):
            is_own = folds.label[members] == category
            own, others = members[is_own], members[~is_own]
            own_words, own_starts = np.unique(folds.word[own], return_index=True)
            other_words, other_starts = np.unique(folds.word[others], return_index=True)
            above = _order(scores[own, category], scores[others, category])
            above = np.add.reduceat(np.add.reduceat(above, own_starts), other_starts, axis=1)
            products = weights[:, own_words, None] * weights[:, None, other_words]
            products = products.reshape(len(weights), -1)
            wins[category] += products @ above.reshape(-1, n_scores)
            n_own = np.diff([*own_starts, len(own)])
            n_others = np.diff([*other_starts, len(others)])
            counts = np.outer(n_own, n_others).astype(np.float32)
            pairs[category] += products @ counts.reshape(-1, 1)
    with np.errstate(invalid="ignore"):
        return np.asarray((wins / pairs).transpose(1, 0, 2), dtype=np.float64)


def _order(own: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float32]:
    """1 where a stimulus lies above another, a half where they are equal."""
    own, others = own[:, None], others[None]
    above: NDArray[np.float32] = (own > others).astype(np.float32)
    above += np.float32(0.5) * (own == others)
    return above
