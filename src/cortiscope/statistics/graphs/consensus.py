"""What many partitions of a graph have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.leiden import leiden_partitions
from cortiscope.statistics.graphs.numberings import Edges
from cortiscope.statistics.graphs.partitions import by_size, together_in_all

_MOST_ROUNDS = 20


def consensus_partition(
    graph: Graph,
    partitions: NDArray[np.integer],
    *,
    resolution: float = 1.0,
    threshold: float = 0.5,
    seed: int = 0,
) -> NDArray[np.int32]:
    """Find the partition that many partitions have in common.

    The share of partitions in which two neighbours are together is the weight of their edge in a
    new graph. That is partitioned as often as there are partitions, and so on until all agree.

    Parameters
    ----------
    graph : Graph
        What was partitioned.
    partitions : ndarray of int, shape (n_partitions, n_nodes)
        The module of every node.
    resolution : float
        Of the modularity, for the new graphs.
    threshold : float
        Edges whose ends are together in a smaller share of the partitions are left out, except the
        strongest of a node that would be left with none.
    seed : int
        Of the partitions of new graphs.

    Returns
    -------
    ndarray of int32, shape (n_nodes,)
        The module of every node, the largest being 0.

    Notes
    -----
    As in Tandon et al., only neighbours are compared: all pairs of a large graph are too many.
    Nodes that are together in all partitions stay together, which makes new graphs small.

    References
    ----------
    Lancichinetti & Fortunato (2012), Consensus clustering in complex networks. Scientific
    Reports 2, 336.
    Tandon, Albeshri, Thayananthan, Alhalabi & Fortunato (2019), Fast consensus clustering in
    complex networks. Physical Review E 99, 042301.

    Examples
    --------
    >>> line = Graph(4, np.array([0, 1, 2]), np.array([1, 2, 3]))
    >>> partitions = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]])
    >>> consensus_partition(line, partitions).tolist()
    [0, 0, 1, 1]
    """
    current = np.asarray(partitions, dtype=np.int64)
    for number in range(1, _MOST_ROUNDS + 1):
        group = together_in_all(current)
        if group.max(initial=0) == len(np.unique(current[0])) - 1:
            break
        edges = _between_groups(graph, current, group, threshold)
        found = leiden_partitions(edges, len(current), resolution, seed + number)
        current = found[:, group]
    return by_size(current[0])


def _between_groups(
    graph: Graph, partitions: NDArray[np.int64], group: NDArray[np.intp], threshold: float
) -> Edges:
    """Weigh edges by agreement, and make one of the nodes that are always together."""
    together = np.zeros(graph.n_edges)
    for partition in partitions:
        together += partition[graph.source] == partition[graph.target]
    together /= len(partitions)
    kept = together >= threshold
    kept[_strongest_of_left_out(graph, together, kept)] = True
    kept &= together > 0
    one, other = group[graph.source[kept]], group[graph.target[kept]]
    n_groups = int(group.max()) + 1
    place, pair = np.unique(
        np.minimum(one, other) * n_groups + np.maximum(one, other), return_inverse=True
    )
    weight = np.asarray(np.bincount(pair, together[kept]), dtype=np.float64)
    return Edges(n_groups, place // n_groups, place % n_groups, weight)


def _strongest_of_left_out(
    graph: Graph, together: NDArray[np.float64], kept: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Find for every node without a kept edge the one whose ends are most often together."""
    left_out = graph.keep(kept).degrees == 0
    ends = np.concatenate([graph.source, graph.target])
    place = np.flatnonzero(left_out[ends])
    edge = place % max(1, graph.n_edges)
    order = np.lexsort((-edge, together[edge], ends[place]))
    last = np.flatnonzero(np.diff(ends[place][order], append=-1))
    return edge[order[last]]
