"""Words as the sample: a word's sentences averaged, their frames' means removed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def without_means(x: NDArray[np.floating], level: NDArray[np.intp]) -> NDArray[np.float64]:
    """Remove from every stimulus the mean of those that share its level, such as its frame.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
        Activations.
    level : ndarray of int, shape (n_stimuli,)
        Level of each stimulus, 0 and up.

    Returns
    -------
    ndarray of float64, shape (n_stimuli, n_units)
        A copy.

    Examples
    --------
    >>> without_means(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1])).tolist()
    [[-1.0], [1.0], [0.0]]
    """
    return np.asarray(x - means_of(x, level)[level], dtype=np.float64)


def means_of(x: NDArray[np.floating], group: NDArray[np.intp]) -> NDArray[np.float64]:
    """Average the stimuli of each group, such as the sentences of a word.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
        Activations.
    group : ndarray of int, shape (n_stimuli,)
        Group of each stimulus; every number from 0 up to the largest occurs.

    Returns
    -------
    ndarray of float64, shape (n_groups, n_units)
        Their means.

    Examples
    --------
    >>> means_of(np.array([[1.0], [3.0], [5.0]]), np.array([0, 0, 1])).tolist()
    [[2.0], [5.0]]
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sums = np.add.reduceat(np.asarray(x, dtype=np.float64)[order], starts, axis=0)
    return np.asarray(sums / np.bincount(group)[:, None], dtype=np.float64)
