"""Partitions of a graph's nodes into modules: checked, and numbered in one way."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortiscope.errors import InputError


def check_partition(n_nodes: int, partition: ArrayLike) -> NDArray[np.intp]:
    """Give a partition with its modules numbered from 0, in the order of their labels.

    Parameters
    ----------
    n_nodes : int
        Nodes of the graph.
    partition : array_like of int or str, shape (n_nodes,)
        The module of every node.

    Returns
    -------
    ndarray of int, shape (n_nodes,)

    Raises
    ------
    InputError
        When it has not one label for each node.

    Examples
    --------
    >>> check_partition(4, [7, 3, 7, 9]).tolist()
    [1, 0, 1, 2]
    """
    labels = np.asarray(partition)
    if labels.shape != (n_nodes,):
        raise InputError(
            f"a partition of shape {labels.shape} does not fit a graph of {n_nodes:,} nodes: give "
            "each node the label of its module."
        )
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.intp)


def by_size(partition: NDArray[np.integer]) -> NDArray[np.int32]:
    """Give modules numbers from 0: the largest first, of equal ones that of the earliest node.

    Parameters
    ----------
    partition : ndarray of int, shape (n_nodes,)
        The module of every node.

    Returns
    -------
    ndarray of int32, shape (n_nodes,)

    Examples
    --------
    >>> by_size(np.array([5, 2, 2, 9])).tolist()
    [1, 0, 0, 2]
    """
    _, first, module, sizes = np.unique(
        partition, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes), dtype=np.int32)
    return rank[module]


def together_in_all(partitions: NDArray[np.integer]) -> NDArray[np.intp]:
    """Group the nodes that are in one module in every partition.

    Parameters
    ----------
    partitions : ndarray of int, shape (n_partitions, n_nodes)
        The module of every node.

    Returns
    -------
    ndarray of int, shape (n_nodes,)
        The group of every node, from 0.

    Examples
    --------
    >>> together_in_all(np.array([[0, 0, 1, 1], [0, 0, 0, 1]])).tolist()
    [0, 0, 1, 2]
    """
    group = np.zeros(partitions.shape[1], dtype=np.int64)
    for partition in partitions:
        pair = group * (int(partition.max(initial=0)) + 1) + partition
        group = np.unique(pair, return_inverse=True)[1]
    return group.astype(np.intp)
