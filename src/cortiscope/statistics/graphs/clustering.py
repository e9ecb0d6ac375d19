"""How many of the triangles that there could be at a node there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.graph import Graph

# Rows of the adjacency matrix whose product is held at a time.
_N_ROWS = 512


def clustering(graph: Graph, *, weighted: bool = False) -> NDArray[np.float64]:
    """Clustering coefficient of every node.

    Parameters
    ----------
    graph : Graph
        What is measured.
    weighted : bool
        Count every triangle with the geometric mean of its edges' weights, as shares of the
        largest weight (Onnela et al. 2005). Weights must be positive.

    Returns
    -------
    ndarray of float64, shape (n_nodes,)
        Share of the pairs of a node's neighbours that are neighbours of each other; 0 where a
        node has fewer than two.

    Raises
    ------
    InputError
        When weights are asked for that are not there or not positive.

    References
    ----------
    Watts & Strogatz (1998), Collective dynamics of 'small-world' networks. Nature 393, 440-442.
    Onnela, Saramäki, Kertész & Kaski (2005), Intensity and coherence of motifs in weighted
    complex networks. Physical Review E 71, 065103.

    Examples
    --------
    >>> kite = Graph(4, np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3]))  # a triangle and a tail
    >>> clustering(kite).round(3).tolist()
    [1.0, 1.0, 0.333, 0.0]
    """
    if weighted:
        return _weighted_clustering(graph)
    from networkit.centrality import LocalClusteringCoefficient

    scores = LocalClusteringCoefficient(graph.to_networkit(), turbo=True)
    scores.run()
    return np.asarray(scores.scores(), dtype=np.float64)


def transitivity(graph: Graph) -> float:
    """Share of a graph's paths of two edges whose ends are neighbours.

    Parameters
    ----------
    graph : Graph
        What is measured.

    Returns
    -------
    float
        Three times the triangles over the pairs of neighbours of all nodes; 0 without such pairs.

    References
    ----------
    Newman, Strogatz & Watts (2001), Random graphs with arbitrary degree distributions and their
    applications. Physical Review E 64, 026118.

    Examples
    --------
    >>> transitivity(Graph(4, np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3])))
    0.6
    """
    return transitivity_from(graph, clustering(graph))


def transitivity_from(graph: Graph, coefficients: NDArray[np.float64]) -> float:
    """Transitivity of a graph of which `clustering` is known already, as `transitivity` gives it.

    Examples
    --------
    >>> triangle = Graph(3, np.array([0, 0, 1]), np.array([1, 2, 2]))
    >>> transitivity_from(triangle, clustering(triangle))
    1.0
    """
    degrees = graph.degrees
    pairs = degrees * (degrees - 1)
    return float(coefficients @ pairs / max(1, pairs.sum()))


def _weighted_clustering(graph: Graph) -> NDArray[np.float64]:
    weight = graph.edge_weights(weighted=True)
    root = np.cbrt(weight / weight.max(initial=0.0)).astype(np.float32)
    adjacency = Graph(graph.n_nodes, graph.source, graph.target, root).to_scipy().astype(np.float64)
    triangles = np.zeros(graph.n_nodes)
    for start in range(0, graph.n_nodes, _N_ROWS):
        rows = adjacency[start : start + _N_ROWS]
        triangles[start : start + _N_ROWS] = (rows @ adjacency).multiply(rows).sum(axis=1)
    pairs = graph.degrees * (graph.degrees - 1)
    return np.asarray(triangles / np.maximum(pairs, 1))
