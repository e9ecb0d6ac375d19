"""Bootstrap over words: the words are the sample, their sentences are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def bootstrap_words(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    label_of_word: NDArray[np.intp],
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Draw a statistic again and again from words resampled within their categories.

    Parameters
    ----------
    statistic : callable
        Takes weights of words, shape (n_bootstrap, n_words): how often each word was drawn.
        Returns the statistic, shape (n_bootstrap, ...). It works on held-out predictions;
        nothing is refitted.
    label_of_word : ndarray of int, shape (n_words,)
        Category of each word; every resample keeps each category's number of words.
    n_bootstrap : int
        Number of resamples.
    seed : int
        Seed of the resampling; equal seeds give equal resamples of the words.

    Returns
    -------
    ndarray of float64, shape (n_bootstrap, ...)
        The draws.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13; strata as in Davison
    & Hinkley (1997), section 3.2.

    Examples
    --------
    >>> right = np.array([1.0, 0.0, 1.0, 1.0])
    >>> draws = bootstrap_words(lambda w: w @ right / w.sum(axis=1), np.zeros(4, dtype=int))
    >>> [float(x) for x in percentile_interval(draws)]
    [0.25, 1.0]
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros((n_bootstrap, len(label_of_word)))
    for category in np.unique(label_of_word):
        members = np.flatnonzero(label_of_word == category)
        weights[:, members] = rng.multinomial(
            len(members), np.full(len(members), 1 / len(members)), size=n_bootstrap
        )
    return np.asarray(statistic(weights), dtype=np.float64)


def percentile_interval(
    draws: NDArray[np.float64], confidence: float = 0.95
) -> NDArray[np.float64]:
    """Percentile interval of bootstrap draws.

    Parameters
    ----------
    draws : ndarray, shape (n_bootstrap, ...)
        From `bootstrap_words`.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    ndarray of float64, shape (2, ...)
        Lower and upper bound.

    Examples
    --------
    >>> percentile_interval(np.arange(101.0), confidence=0.9).round(6).tolist()
    [5.0, 95.0]
    """
    tail = (1.0 - confidence) / 2.0
    return np.asarray(np.quantile(draws, [tail, 1.0 - tail], axis=0), dtype=np.float64)
