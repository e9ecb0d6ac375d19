"""Directions of categories, as differences between means of words, for many labellings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

# Weights (labelling, category, unit) that are in memory at once.
_WEIGHTS_AT_ONCE = 2**20


def ridge_directions(x: NDArray[np.floating], ridge: float = 0.01) -> NDArray[np.float64]:
    """Turn words so that differences of their means are the weights of ridge probes.

    The weights of a one-against-rest ridge probe are the difference in means, times the inverse
    of the regularised covariance, which does not depend on labels.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations.
    ridge : float
        λ as a multiple of the mean eigenvalue of the Gram matrix of the words.

    Returns
    -------
    ndarray of float64, shape (n_words, n_units)
        X (X'X + λ)⁻¹, centred; scaled so that its mean square is 1.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, sections 4.3 and
    18.3.5.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(10, 30))
    >>> turned = ridge_directions(x, ridge=1e6)  # so much shrinkage leaves the means as they are
    >>> centred = x - x.mean(axis=0)
    >>> bool(np.allclose(turned / turned[0, 0], centred / centred[0, 0], rtol=1e-4))
    True
    """
    x = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    n_words, n_units = x.shape
    in_row_space = n_units >= n_words
    gram = x @ x.T if in_row_space else x.T @ x
    gram[np.diag_indices_from(gram)] += ridge * np.trace(gram) / n_words
    factor = linalg.cho_factor(gram, lower=True)
    turned = linalg.cho_solve(factor, x) if in_row_space else linalg.cho_solve(factor, x.T).T
    return np.asarray(turned / np.sqrt(np.mean(turned**2)), dtype=np.float64)


def word_codes(
    labels: NDArray[np.intp], n_categories: int, dtype: type[np.floating]
) -> NDArray[np.floating]:
    """Code labels of words as 0 and 1.

    Parameters
    ----------
    labels : ndarray of int, shape (n_labellings, n_words)
        Category of each word; -1 leaves a word out.
    n_categories : int
        Number of categories.
    dtype : type
        Of the codes.

    Returns
    -------
    ndarray, shape (n_labellings, n_categories, n_words)
        All 0 for words that are left out.
    """
    return np.asarray(labels[:, None, :] == np.arange(n_categories)[None, :, None], dtype=dtype)


def category_sums(codes: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Add up the words of each category.

    Parameters
    ----------
    codes : ndarray, shape (n_labellings, n_categories, n_words)
        From `word_codes`.
    x : ndarray, shape (n_words, n_units)
        Activations.

    Returns
    -------
    ndarray, shape (n_labellings, n_categories, n_units)
        Sums.
    """
    flat = codes.reshape(-1, codes.shape[2]) @ x
    return np.asarray(flat.reshape(*codes.shape[:2], -1))


def category_directions(
    sums: NDArray[np.floating], counts: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Take the mean of each category's words less the mean of all others.

    Parameters
    ----------
    sums : ndarray, shape (n_labellings, n_categories, n_units)
        From `category_sums`.
    counts : ndarray, shape (n_labellings, n_categories, 1)
        Words of each category.

    Returns
    -------
    ndarray, shape (n_labellings, n_categories, n_units)
        Directions, not scaled.

    Examples
    --------
    >>> codes = word_codes(np.array([[0, 0, 1]]), 2, np.float64)
    >>> sums = category_sums(codes, np.array([[1.0], [3.0], [0.0]]))
    >>> category_directions(sums, codes.sum(axis=2)[..., None])[0].tolist()
    [[2.0], [-2.0]]
    """
    rest = sums.sum(axis=1, keepdims=True) - sums
    n_rest = counts.sum(axis=1, keepdims=True) - counts
    return np.asarray(sums / counts - rest / n_rest)


def direction_contrasts(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Write each direction as a sum of the categories' means.

    Parameters
    ----------
    counts : ndarray, shape (n_labellings, n_categories)
        Words of each category.

    Returns
    -------
    ndarray of float64, shape (n_labellings, n_categories, n_categories)
        Coefficient of each mean (last) in each direction.

    Examples
    --------
    >>> direction_contrasts(np.array([[2.0, 1.0, 1.0]]))[0, 0].tolist()
    [1.0, -0.5, -0.5]
    """
    n_rest = counts.sum(axis=1, keepdims=True) - counts
    contrast = -counts[:, None, :] / n_rest[:, :, None]
    diagonal = np.arange(counts.shape[1])
    contrast[:, diagonal, diagonal] = 1.0
    return np.asarray(contrast, dtype=np.float64)


def chunks_of_labels(
    labels: NDArray[np.intp], n_categories: int, n_units: int
) -> Iterator[NDArray[np.intp]]:
    """Cut labellings into parts whose directions fit in a small memory.

    Parameters
    ----------
    labels : ndarray of int, shape (n_labellings, n_words)
        Category of each word.
    n_categories, n_units : int
        Size of the directions of one labelling.

    Yields
    ------
    ndarray of int, shape (n_labellings of the part, n_words)
        In order.
    """
    n_at_once = max(_WEIGHTS_AT_ONCE // (n_categories * n_units), 1)
    for start in range(0, len(labels), n_at_once):
        yield labels[start : start + n_at_once]
