"""Leiden's algorithm, many times over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.numberings import Edges, over_numberings

if TYPE_CHECKING:
    import networkit

# Each improves the partition of the one before, the later ones little: starts are worth more.
_N_ITERATIONS = 3


def leiden_partitions(
    edges: Edges, n_seeds: int, resolution: float, seed: int
) -> NDArray[np.int64]:
    """Partition a graph from several starts.

    Parameters
    ----------
    edges : Edges
        Of the graph that is partitioned.
    n_seeds : int
        Number of starts.
    resolution : float
        Of the modularity.
    seed : int
        Of the starts.

    Returns
    -------
    ndarray of int64, shape (n_seeds, n_nodes)
        The module of every node, in numbers without a meaning.

    Examples
    --------
    >>> edges = Edges(2, np.array([0]), np.array([1]), None)
    >>> leiden_partitions(edges, 2, 1.0, seed=0).shape
    (2, 2)
    """
    if not len(edges.source):
        return np.tile(np.arange(edges.n_nodes), (n_seeds, 1))

    def partition(numbered: networkit.Graph, number: NDArray[np.intp]) -> NDArray[np.int64]:
        from networkit.community import ParallelLeiden

        leiden = ParallelLeiden(numbered, _N_ITERATIONS, True, resolution)
        leiden.run()
        return np.array(leiden.getPartition().getVector(), dtype=np.int64)[number]

    return np.stack(list(over_numberings(edges, partition, n_seeds, seed)))
