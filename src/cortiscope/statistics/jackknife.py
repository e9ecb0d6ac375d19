"""Delete-d jackknife over words, for statistics of pairs, which a bootstrap would ruin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError


def jackknife_words(
    label_of_word: NDArray[np.intp],
    *,
    n_jackknife: int = 200,
    left_out: float = 0.2,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Draw subsets of the words, without any word twice.

    Parameters
    ----------
    label_of_word : ndarray of int, shape (n_words,)
        Category of each word; every subset leaves out the same share of each (all zeros where
        there are no categories).
    n_jackknife : int
        Number of subsets.
    left_out : float
        Share of the words that a subset leaves out, between 0 and 1.
    seed : int
        Seed of the draws.

    Returns
    -------
    ndarray of bool, shape (n_jackknife, n_words)
        Whether each word is kept.

    Raises
    ------
    InputError
        For a category of one word, of which nothing can be left out, and for a share outside
        of (0, 1).

    Examples
    --------
    >>> kept = jackknife_words(np.repeat([0, 1], 10), n_jackknife=3)
    >>> kept[:, :10].sum(axis=1).tolist(), kept[:, 10:].sum(axis=1).tolist()
    ([8, 8, 8], [8, 8, 8])
    """
    if not 0 < left_out < 1:
        msg = f"left_out is {left_out}: give a share between 0 and 1."
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    kept = np.ones((n_jackknife, len(label_of_word)), dtype=np.bool_)
    for category in np.unique(label_of_word):
        members = np.flatnonzero(label_of_word == category)
        if len(members) < 2:
            msg = "a category has one word only: an interval over words needs two or more of each."
            raise InputError(msg)
        n_out = min(max(round(left_out * len(members)), 1), len(members) - 1)
        order = rng.permuted(np.tile(members, (n_jackknife, 1)), axis=1)
        np.put_along_axis(kept, order[:, :n_out], False, axis=1)
    return kept


def jackknife_draws(
    estimate: NDArray[np.float64] | float,
    replicates: NDArray[np.float64],
    kept: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Spread replicates of a jackknife as far as the estimate itself would vary.

    Parameters
    ----------
    estimate : ndarray, shape (...), or float
        The statistic of all words.
    replicates : ndarray of float64, shape (n_jackknife, ...)
        The statistic of each subset.
    kept : ndarray of bool, shape (n_jackknife, n_words)
        From `jackknife_words`.

    Returns
    -------
    ndarray of float64, shape (n_jackknife, ...)
        Draws around the estimate, whose variance is the delete-d jackknife's: deviations of the
        replicates from their mean times the root of (n - d) / d.

    References
    ----------
    Shao & Wu (1989), A general theory for jackknife variance estimation. Annals of Statistics
    17, 1176-1197.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=400)
    >>> kept = jackknife_words(np.zeros(400, dtype=int), n_jackknife=2000)
    >>> draws = jackknife_draws(x.mean(), np.array([x[k].mean() for k in kept]), kept)
    >>> bool(abs(draws.std() - x.std() / 20) < 0.003)
    True
    """
    n_kept = float(kept.sum(axis=1).mean())
    factor = np.sqrt(n_kept / (kept.shape[1] - n_kept))
    spread = factor * (replicates - replicates.mean(axis=0))
    return np.asarray(estimate + spread, dtype=np.float64)
