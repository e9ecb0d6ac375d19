"""How much denser a graph is inside modules than degrees alone would make it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.partitions import check_partition


def modularity(
    graph: Graph, partition: ArrayLike, resolution: float = 1.0, *, weighted: bool = False
) -> float:
    """Modularity Q of a partition.

    Parameters
    ----------
    graph : Graph
        What is partitioned.
    partition : array_like, shape (n_nodes,)
        The module of every node.
    resolution : float
        What the expected edges are multiplied with; larger favours smaller modules.
    weighted : bool
        Count edges with their weights, which must be positive.

    Returns
    -------
    float
        Share of the edges inside modules, less its expectation when edges are drawn with the same
        degrees. NaN for a graph without edges.

    Raises
    ------
    InputError
        When the partition does not fit, or weights are asked for that are not positive:
        see `modularity_signed`.

    References
    ----------
    Newman & Girvan (2004), Finding and evaluating community structure in networks. Physical
    Review E 69, 026113.
    Reichardt & Bornholdt (2006), Statistical mechanics of community detection. Physical Review
    E 74, 016110 (the resolution).

    Examples
    --------
    >>> two_edges = Graph(4, np.array([0, 2]), np.array([1, 3]))
    >>> modularity(two_edges, [0, 0, 1, 1])
    0.5
    """
    module = check_partition(graph.n_nodes, partition)
    total, excess = _excess(graph, module, graph.edge_weights(weighted=weighted), resolution)
    return excess / total if total else float("nan")


def modularity_signed(graph: Graph, partition: ArrayLike, resolution: float = 1.0) -> float:
    """Modularity Q* of a partition of a graph with positive and negative weights.

    Positive edges count in full; negative ones, which should lie between modules, as much less as
    they are fewer.

    Parameters
    ----------
    graph : Graph
        With weights of any sign.
    partition : array_like, shape (n_nodes,)
        The module of every node.
    resolution : float
        What the expected weights are multiplied with.

    Returns
    -------
    float
        Without negative weights, weighted `modularity`. NaN for a graph without weight.

    Raises
    ------
    InputError
        When the partition does not fit, or there are no weights.

    References
    ----------
    Rubinov & Sporns (2011), Weight-conserving characterization of complex functional brain
    networks. NeuroImage 56, 2068-2079.
    Gómez, Jensen & Arenas (2009), Analysis of community structure in networks of correlated data.
    Physical Review E 80, 016114 (the null model for either sign).

    Examples
    --------
    >>> pairs = Graph(4, np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([1.0, -1.0, 1.0]))
    >>> round(modularity_signed(pairs, [0, 0, 1, 1]), 3)
    0.667
    """
    if graph.weight is None:
        raise InputError("this graph has no weights: measure it with modularity.")
    module = check_partition(graph.n_nodes, partition)
    weight = graph.weight.astype(np.float64)
    positive, excess = _excess(graph, module, np.maximum(weight, 0.0), resolution)
    negative, excess_negative = _excess(graph, module, np.maximum(-weight, 0.0), resolution)
    if not positive + negative:
        return float("nan")
    own = excess / positive if positive else 0.0
    return own - excess_negative / (positive + negative)


def _excess(
    graph: Graph, module: NDArray[np.intp], weight: NDArray[np.float64], resolution: float
) -> tuple[float, float]:
    """Sum of the weights, and how much of it is inside modules more than expected."""
    total = float(weight.sum())
    if not total:
        return 0.0, 0.0
    one, other = module[graph.source], module[graph.target]
    inside = float(weight[one == other].sum())
    n_modules = int(module.max()) + 1
    strength = np.bincount(one, weight, n_modules) + np.bincount(other, weight, n_modules)
    return total, inside - resolution * float(strength @ strength) / (4 * total)
