"""How alike the correlations of units are in different contexts, and what chance makes of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.words import without_means

# Rows of a block of the matrix of correlations, which is never held as a whole.
_ROWS = 512


def context_similarity(
    x: NDArray[np.floating], context: NDArray[np.intp], cell: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Correlate the correlations that units have in one context with those in another.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
        Activations.
    context : ndarray of int, shape (n_stimuli,)
        Context of each stimulus, from 0 on without gaps.
    cell : ndarray of int, shape (n_stimuli,)
        Stimuli of one number, from 0 on, have their mean removed, such as those of one frame in
        one context.

    Returns
    -------
    ndarray of float64, shape (n_contexts, n_contexts)
        Pearson's correlation over pairs of units. A unit that is constant in a context has a
        correlation of 0 with all others there.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signals = rng.normal(size=(400, 2))
    >>> x = signals[:, [0, 0, 1, 1]] + 0.1 * rng.normal(size=(400, 4))
    >>> context = np.arange(400) % 2
    >>> context_similarity(x, context, context).round(2).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    units = [_of_length_one(x[context == c], cell[context == c]) for c in range(context.max() + 1)]
    n_units = x.shape[1]
    total = np.zeros(len(units))
    products = np.zeros((len(units), len(units)))
    for start in range(0, n_units, _ROWS):
        rows = slice(start, start + _ROWS)
        above = np.triu(np.ones((len(range(n_units)[rows]), n_units - start), np.bool_), 1)
        pairs = np.stack([(of[:, rows].T @ of[:, start:])[above] for of in units])
        total += pairs.sum(axis=1, dtype=np.float64)
        products += pairs @ pairs.T
    covariance = products - np.outer(total, total) / (n_units * (n_units - 1) / 2)
    size = np.sqrt(np.diag(covariance))
    size[~(size > 0)] = np.inf
    return np.asarray(covariance / np.outer(size, size))


def permuted_contexts(
    context: NDArray[np.intp],
    word: NDArray[np.intp],
    stratum_of_word: NDArray[np.intp],
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Permute contexts as they may be where correlations are the same in all of them.

    Parameters
    ----------
    context : ndarray of int, shape (n_stimuli,)
        Context of each stimulus.
    word : ndarray of int, shape (n_stimuli,)
        Word of each stimulus, from 0 on without gaps.
    stratum_of_word : ndarray of int, shape (n_words,)
        Words of one number may take each other's place, such as those that come in the same frames.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    ndarray of int, shape (n_stimuli,)
        Where every word keeps to one context, words change theirs with other words of their
        stratum, all stimuli of a word together. Where words come in several, each word's contexts
        are permuted among its own stimuli.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> word, strata = np.array([0, 0, 1, 1, 2, 2]), np.zeros(3, dtype=int)
    >>> permuted_contexts(np.array([0, 0, 1, 1, 2, 2]), word, strata, rng).tolist()
    [2, 2, 1, 1, 0, 0]
    >>> permuted_contexts(np.array([0, 1, 0, 1, 0, 1]), word, strata, rng).tolist()
    [0, 1, 1, 0, 1, 0]
    """
    if are_of_words(context, word):
        of_word = np.zeros(len(stratum_of_word), dtype=np.intp)
        of_word[word] = context
        return _permuted_inside(of_word, stratum_of_word, rng)[word]
    return _permuted_inside(context, word, rng)


def are_of_words(context: NDArray[np.intp], word: NDArray[np.intp]) -> bool:
    """Whether all stimuli of a word are in one context, whatever the word."""
    of_word = np.zeros(int(word.max()) + 1, dtype=np.intp)
    of_word[word] = context
    return bool(np.array_equal(of_word[word], context))


def _permuted_inside(
    values: NDArray[np.intp], group: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Permute values among those of the same group."""
    place = np.argsort(group, kind="stable")
    drawn = np.lexsort((rng.random(len(group)), group))
    permuted = np.empty_like(values)
    permuted[place] = values[drawn]
    return permuted


def _of_length_one(x: NDArray[np.floating], cell: NDArray[np.intp]) -> NDArray[np.float32]:
    """Units of length 1, the means of cells removed; 0 where they are constant."""
    centred = without_means(x, np.unique(cell, return_inverse=True)[1].astype(np.intp))
    length = np.sqrt(np.einsum("su,su->u", centred, centred))
    size = np.abs(x).max(axis=0)
    varies = length > 1e-6 * np.where(size > 0, size, 1.0)
    return np.asarray(centred * np.where(varies, 1 / np.where(varies, length, 1), 0), np.float32)
