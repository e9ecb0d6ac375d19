"""How alike two sets of vectors of the same items are: debiased CKA, mutual nearest neighbours.

Each set becomes a *structure*: a matrix (item, item) that says how its items lie to each other,
with a diagonal of zero, scaled so that the similarity of two sets is the sum of the products of
their structures, entry by entry. Permuting the items of one set permutes rows and columns of its
structure and nothing else, which is what makes permutation tests cheap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

# Cosines that differ by less are equal: rounding in float32 reaches this far.
_EQUAL_COSINES = 1e-5


def gram_matrix(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Products of all rows with each other, exactly symmetric.

    Parameters
    ----------
    x : ndarray, shape (n_items, n_units)
        A row an item.

    Returns
    -------
    ndarray of the same dtype, shape (n_items, n_items)
    """
    # The mean is taken out, although all that follows does not depend on it: a large one would
    # cost digits.
    centred = x - x.mean(axis=0, dtype=np.float64).astype(x.dtype)
    return np.asarray(centred @ centred.T)


def cosine_matrix(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cosines of all rows with each other; 0 for rows of zeros.

    Parameters
    ----------
    x : ndarray, shape (n_items, n_units)
        A row an item.

    Returns
    -------
    ndarray of the same dtype, shape (n_items, n_items)
    """
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(length > 0, length, 1)
    return np.asarray(unit @ unit.T)


def debiased_structure(gram: NDArray[np.floating]) -> NDArray[np.floating]:
    """U-centre a Gram matrix and scale it to length 1.

    The sum of products of two such matrices is the debiased CKA: the unbiased estimate of HSIC
    divided by the root of the unbiased estimates for each set with itself.

    Parameters
    ----------
    gram : ndarray, shape (n_items, n_items)
        Symmetric; 4 items or more.

    Returns
    -------
    ndarray of the same dtype, shape (n_items, n_items)
        With zero rows, columns and diagonal in the mean; NaN for items that do not differ.

    References
    ----------
    Song, Smola, Gretton, Bedo & Borgwardt (2012), Feature selection via dependence maximization.
    Journal of Machine Learning Research 13, 1393-1434, equation 5 (the estimate). Székely & Rizzo
    (2014), Annals of Statistics 42, 2382-2412 (the same as a product of U-centred matrices).
    Murphy, Zylberberg & Fyshe (2024), Correcting biased centered kernel alignment measures in
    biological and artificial neural networks, arXiv:2405.01012.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 100, 1000))
    >>> one, two = (debiased_structure(gram_matrix(z)) for z in (x, y))
    >>> bool(abs(np.vdot(one, two)) < 0.02), round(float(np.vdot(one, one)), 6)
    (True, 1.0)
    """
    n = len(gram)
    if n < 4:
        msg = f"{n} items were given: debiased CKA needs 4 or more."
        raise InputError(msg)
    centred = np.array(gram)
    np.fill_diagonal(centred, 0)
    means = centred.sum(axis=0, dtype=np.float64) / (n - 2)
    half_of_total = means.sum() / (n - 1) / 2
    offsets = (means - half_of_total).astype(centred.dtype)
    centred -= np.add.outer(offsets, offsets)
    np.fill_diagonal(centred, 0)
    return _of_length_one(centred)


def biased_structure(gram: NDArray[np.floating]) -> NDArray[np.floating]:
    """Centre a Gram matrix and scale it to length 1, for CKA as it was first defined.

    Parameters
    ----------
    gram : ndarray, shape (n_items, n_items)
        Symmetric.

    Returns
    -------
    ndarray of the same dtype, shape (n_items, n_items)

    References
    ----------
    Kornblith, Norouzi, Lee & Hinton (2019), Similarity of neural network representations
    revisited, ICML.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 100, 1000))  # independent, and yet
    >>> one, two = (biased_structure(gram_matrix(z)) for z in (x, y))
    >>> round(float(np.vdot(one, two)), 1)
    0.9
    """
    means = gram.mean(axis=0, dtype=np.float64)
    offsets = (means - means.mean() / 2).astype(gram.dtype)
    return _of_length_one(gram - np.add.outer(offsets, offsets))


def neighbour_structure(cosines: NDArray[np.floating], n_neighbours: int) -> NDArray[np.floating]:
    """Say which items are each item's nearest neighbours.

    The sum of products of two such matrices is the mutual k-nearest-neighbour alignment: the
    share of an item's neighbours in one set that are its neighbours in the other, on average.

    Parameters
    ----------
    cosines : ndarray, shape (n_items, n_items)
        How near items are to each other.
    n_neighbours : int
        Neighbours of each, fewer than there are other items.

    Returns
    -------
    ndarray of float64, shape (n_items, n_items)
        The root of 1 / (n_items · n_neighbours) for neighbours, else 0. Items that are equally
        near share the places that are left, so that the order of items plays no part. Counts
        are often equal, and rounding must not decide which of them is larger: hence float64.

    References
    ----------
    Huh, Cheung, Wang & Isola (2024), The Platonic representation hypothesis, ICML.

    Examples
    --------
    >>> place = np.array([0.0, 0.1, 0.3, 2.0, 2.1])
    >>> points = np.stack([np.cos(place), np.sin(place)], axis=1)
    >>> structure = neighbour_structure(cosine_matrix(points), 1)
    >>> (structure > 0).argmax(axis=1).tolist()
    [1, 0, 1, 4, 3]
    """
    n = len(cosines)
    if not 1 <= n_neighbours < n:
        msg = (
            f"n_neighbours comes to {n_neighbours} of {n} items: give at least 1 and fewer than "
            "there are items, in each half of the words too."
        )
        raise InputError(msg)
    nearness = np.array(cosines)
    np.fill_diagonal(nearness, -np.inf)
    last = np.partition(nearness, n - n_neighbours, axis=1)[:, n - n_neighbours, None]
    nearer = nearness > last + _EQUAL_COSINES
    at_least_as_near = nearness >= last - _EQUAL_COSINES
    n_nearer = nearer.sum(axis=1, keepdims=True)
    n_as_near = at_least_as_near.sum(axis=1, keepdims=True) - n_nearer
    scale = 1 / np.sqrt(n * n_neighbours)
    structure = at_least_as_near * (scale * (n_neighbours - n_nearer) / n_as_near)
    structure[nearer] = scale
    return np.asarray(structure, dtype=np.float64)


def linear_cka(x: NDArray[np.floating], y: NDArray[np.floating], *, debiased: bool = True) -> float:
    """Linear centred kernel alignment of two sets of vectors of the same items.

    Parameters
    ----------
    x, y : ndarray, shape (n_items, n_units)
        A row an item, in the same order; the numbers of units may differ.
    debiased : bool
        Whether it is 0 on average where the two have nothing to do with each other. The biased
        one is near p / (p + n) for n items of p units of noise.

    Returns
    -------
    float

    References
    ----------
    As `debiased_structure` and `biased_structure`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(50, 30))
    >>> rotation = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    >>> round(linear_cka(x, 3 * x @ rotation + 1), 6)
    1.0
    """
    structure = debiased_structure if debiased else biased_structure
    return float(np.vdot(structure(gram_matrix(x)), structure(gram_matrix(y))))


def _of_length_one(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    length = float(np.linalg.norm(matrix))
    matrix *= matrix.dtype.type(1 / length if length > 0 else np.nan)
    return matrix
