"""Similarities of many structures: of all pairs of layers, under permutations, of subsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.ledger.progress import track
from cortiscope.statistics.parallel import map_in_threads

Structure = Callable[[NDArray[np.floating]], NDArray[np.floating]]
"""Makes a structure of a matrix (item, item), as `debiased_structure` does."""

_Item = TypeVar("_Item")

# Values gathered at a time: what stays in the cache of a core.
_GATHERED = 2**18

# Threads take longer to start than the work on so many values takes.
_WORTH_THREADS = 2**22


def similarities(
    structures: NDArray[np.floating], others: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Similarity of each structure with each other one.

    Parameters
    ----------
    structures, others : ndarray, shapes (n_layers, n_items, n_items), (n_others, n_items, n_items)
        As `cortiscope.statistics.similarity` makes them.

    Returns
    -------
    ndarray of float64, shape (n_layers, n_others)
    """
    products = structures.reshape(len(structures), -1) @ others.reshape(len(others), -1).T
    return np.asarray(products, dtype=np.float64)


def permuted_similarities(
    structures: NDArray[np.floating],
    others: NDArray[np.floating],
    permutations: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Similarity of each structure with each other one whose items are permuted.

    Parameters
    ----------
    structures, others : ndarray, shapes (n_layers, n_items, n_items), (n_others, n_items, n_items)
        Structures, with a diagonal of zero; what the others hold there is passed over.
    permutations : ndarray of int, shape (m, n_items)
        Which item takes the place of each.

    Returns
    -------
    ndarray of float64, shape (m, n_layers, n_others)
        Equal permutations give the very same numbers.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one, two = rng.normal(size=(2, 1, 5, 5)) * (1 - np.eye(5))
    >>> order = rng.permutation(5)
    >>> permuted = permuted_similarities(one, two, order[None]).item()
    >>> bool(np.isclose(permuted, np.vdot(one[0], two[0][np.ix_(order, order)])))
    True
    """
    n = others.shape[1]
    counted = (structures != 0).any(axis=0)
    if (others == others.transpose(0, 2, 1)).all():  # then either triangle holds all there is
        structures = structures + structures.transpose(0, 2, 1)
        counted = np.triu(counted | counted.T, 1)
    rows, columns = np.nonzero(counted)
    left = structures[:, rows, columns]
    right = np.ascontiguousarray(others.transpose(1, 2, 0)).reshape(n * n, len(others))
    step = max(_GATHERED // len(others), 1)
    blocks = [slice(start, start + step) for start in range(0, len(rows), step)]

    def permuted(order: NDArray[np.intp]) -> NDArray[np.float64]:
        total = np.zeros((len(left), len(others)))
        for block in blocks:
            places = (n * order)[rows[block]]
            places += order[columns[block]]
            total += left[:, block] @ right.take(places, axis=0)
        return total

    return _each(permuted, list(permutations), len(rows) * len(others))


def subset_similarities(
    matrices: NDArray[np.floating],
    others: NDArray[np.floating],
    structure: Structure,
    subsets: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Similarities in subsets of the items, each as if the others had never been there.

    Parameters
    ----------
    matrices, others : ndarray, shapes (n_layers, n_items, n_items), (n_others, n_items, n_items)
        Gram matrices, or whatever `structure` takes.
    structure : callable
        Makes the structure of each subset.
    subsets : ndarray of bool, shape (n_subsets, n_items)
        Which items each holds.

    Returns
    -------
    ndarray of float64, shape (n_subsets, n_layers, n_others)
    """

    def of_subset(kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        items = np.flatnonzero(kept)
        return similarities(*(structures_of(side, structure, items) for side in (matrices, others)))

    return _each(of_subset, list(subsets), matrices.size + others.size)


def structures_of(
    matrices: NDArray[np.floating], structure: Structure, items: NDArray[np.intp]
) -> NDArray[np.floating]:
    """Make the structure of some items in every layer.

    Parameters
    ----------
    matrices : ndarray, shape (n_layers, n_items, n_items)
        Gram matrices, or whatever `structure` takes.
    structure : callable
        Makes a structure.
    items : ndarray of int, shape (n_chosen,)
        Which items.

    Returns
    -------
    ndarray, shape (n_layers, n_chosen, n_chosen)
    """
    return np.stack([structure(matrix[items][:, items]) for matrix in matrices])


def permute_items(
    strata: Sequence[int] | NDArray[np.intp], n_permutations: int, seed: int = 0
) -> NDArray[np.intp]:
    """Draw permutations that exchange items of the same stratum alone.

    Parameters
    ----------
    strata : sequence of int, length n_items
        Stratum of each item; one that is alone in its own stays where it is.
    n_permutations : int
        Number of random draws.
    seed : int
        Their seed.

    Returns
    -------
    ndarray of int, shape (n_permutations, n_items)
        Which item takes the place of each.

    Raises
    ------
    InputError
        When `n_permutations` is not positive, or no item can move.

    Examples
    --------
    >>> drawn = permute_items([0, 0, 1, 1, 2], 50)
    >>> sorted(set(drawn[:, 0].tolist())), set(drawn[:, 4].tolist())
    ([0, 1], {4})
    """
    if n_permutations < 1:
        msg = f"n_permutations is {n_permutations}: give at least 1."
        raise InputError(msg)
    codes, sizes = np.unique(np.asarray(strata), return_counts=True)
    if sizes.max() < 2:
        msg = "no two words can take each other's place: give words that come in the same frames."
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    drawn = np.tile(np.arange(len(strata)), (n_permutations, 1))
    for code in codes:
        members = np.flatnonzero(np.asarray(strata) == code)
        drawn[:, members] = rng.permuted(drawn[:, members], axis=1)
    return drawn


def _each(
    function: Callable[[_Item], NDArray[np.float64]], items: Sequence[_Item], n_values: int
) -> NDArray[np.float64]:
    """Apply a function that goes over so many values to each item."""
    if n_values * len(items) < _WORTH_THREADS:
        return np.stack([function(item) for item in items])
    values = map_in_threads(function, items)
    return np.stack(list(track(values, "compare permuted words and subsets", total=len(items))))
