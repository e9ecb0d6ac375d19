"""Random graphs with the degrees of a given one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.numberings import Edges, over_numberings

if TYPE_CHECKING:
    import networkit

# After five, clustering and the edges shared with the start are those of a thousand switches an
# edge (on correlation graphs of 160 and 960 nodes).
_N_TRADES = 10


def rewired(graph: Graph, seed: int = 0) -> Graph:
    """Draw a graph with the same degrees.

    Parameters
    ----------
    graph : Graph
        Whose degrees are kept; its weights, which belong to edges, are not.
    seed : int
        Of the drawing.

    Returns
    -------
    Graph
        All graphs with these degrees are equally likely. Without weights.

    Notes
    -----
    Global curveball trades: all nodes in random pairs trade the neighbours that they do not share,
    ten times over. Two nodes at a time mix faster than two edges do, most of all in a dense graph.

    References
    ----------
    Carstens, Hamann, Meyer, Penschuck, Tran & Wagner (2018), Parallel and I/O-efficient
    randomisation of massive networks using global curveball trades. European Symposium on
    Algorithms 26, 11.

    Examples
    --------
    >>> line = Graph(5, np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]))
    >>> rewired(line, seed=1).degrees.tolist()
    [1, 2, 2, 2, 1]
    """
    return next(rewirings(graph, 1, seed))


def rewirings(graph: Graph, n_random: int, seed: int = 0) -> Iterator[Graph]:
    """Draw several graphs with the same degrees, as `rewired` does.

    Parameters
    ----------
    graph : Graph
        Whose degrees are kept.
    n_random : int
        Number of graphs.
    seed : int
        Of the drawing: the first few are the same however many follow.

    Yields
    ------
    Graph

    Examples
    --------
    >>> line = Graph(5, np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]))
    >>> [drawn.n_edges for drawn in rewirings(line, 2)]
    [4, 4]
    """

    def rewire(numbered: networkit.Graph, number: NDArray[np.intp]) -> Graph:
        from networkit.randomization import GlobalCurveball

        curveball = GlobalCurveball(numbered, _N_TRADES)
        curveball.run()
        ends = chain.from_iterable(curveball.getGraph().iterEdges())
        numbers = np.fromiter(ends, dtype=np.int64, count=2 * graph.n_edges)
        node = np.empty_like(number)
        node[number] = np.arange(graph.n_nodes)
        return Graph.from_pairs(graph.n_nodes, node[numbers[::2]], node[numbers[1::2]])

    return over_numberings(Edges.of(graph), rewire, n_random, seed)
