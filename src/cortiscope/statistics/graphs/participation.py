"""What part a node plays among modules: its edges inside its own, and to others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.partitions import check_partition

# Above this within-module z a node is a hub.
HUB_Z = 2.5
# Roles in order, as numbered by Guimerà & Amaral, and the largest participation of each.
_NON_HUBS = (0.05, 0.62, 0.80)
_HUBS = (0.30, 0.75)
ROLES = (
    "ultra-peripheral",
    "peripheral",
    "connector",
    "kinless",
    "provincial hub",
    "connector hub",
    "kinless hub",
)


class Hubs(NamedTuple):
    """The part that every node plays; each of shape (n_nodes,).

    Attributes
    ----------
    within_module_z : ndarray of float64
        See `within_module_z`.
    participation : ndarray of float64
        See `participation`.
    role : ndarray of int8
        Index of the role in ``ROLES``; from 4 on it is a hub's.
    """

    within_module_z: NDArray[np.float64]
    participation: NDArray[np.float64]
    role: NDArray[np.int8]

    @property
    def is_hub(self) -> NDArray[np.bool_]:
        """Which nodes are hubs: within-module z of 2.5 or more."""
        return self.within_module_z >= HUB_Z


def participation(
    graph: Graph, partition: ArrayLike, *, weighted: bool = False
) -> NDArray[np.float64]:
    """Participation coefficient: how evenly a node's edges go to all modules.

    Parameters
    ----------
    graph : Graph
        What is measured.
    partition : array_like, shape (n_nodes,)
        The module of every node.
    weighted : bool
        Count edges with their weights, which must be positive.

    Returns
    -------
    ndarray of float64, shape (n_nodes,)
        One less the sum over modules of the squared share of a node's edges that end there. 0
        where all end in one module, and for a node without edges.

    Raises
    ------
    InputError
        When the partition does not fit, or weights are asked for that are not positive.

    References
    ----------
    Guimerà & Amaral (2005), Functional cartography of complex metabolic networks. Nature 433,
    895-900.

    Examples
    --------
    >>> line = Graph(3, np.array([0, 1]), np.array([1, 2]))
    >>> participation(line, [0, 0, 1]).tolist()
    [0.0, 0.5, 0.0]
    """
    module = check_partition(graph.n_nodes, partition)
    to_modules, strength = _to_modules(graph, module, weighted)
    squares = np.bincount(to_modules.node, to_modules.weight**2, graph.n_nodes)
    shares = squares / np.where(strength > 0, strength, 1.0) ** 2
    return np.where(strength > 0, 1.0 - shares, 0.0)


def within_module_z(
    graph: Graph, partition: ArrayLike, *, weighted: bool = False
) -> NDArray[np.float64]:
    """How many more edges inside its module a node has than the module's nodes on average.

    Parameters
    ----------
    graph : Graph
        What is measured.
    partition : array_like, shape (n_nodes,)
        The module of every node.
    weighted : bool
        Count edges with their weights, which must be positive.

    Returns
    -------
    ndarray of float64, shape (n_nodes,)
        In standard deviations over the module's nodes (all of them: divided by their number); 0
        where they all have as many.

    Raises
    ------
    InputError
        When the partition does not fit, or weights are asked for that are not positive.

    References
    ----------
    Guimerà & Amaral (2005), Functional cartography of complex metabolic networks. Nature 433,
    895-900.

    Examples
    --------
    >>> star = Graph(4, np.array([0, 0, 0]), np.array([1, 2, 3]))
    >>> within_module_z(star, [0, 0, 0, 0]).round(3).tolist()
    [1.732, -0.577, -0.577, -0.577]
    """
    module = check_partition(graph.n_nodes, partition)
    to_modules, _ = _to_modules(graph, module, weighted)
    own = to_modules.module == module[to_modules.node]
    inside = np.bincount(to_modules.node[own], to_modules.weight[own], graph.n_nodes)
    sizes = np.bincount(module)
    deviation = inside - (np.bincount(module, inside) / sizes)[module]
    spread = np.sqrt(np.bincount(module, deviation**2) / sizes)[module]
    varies = spread > 1e-9 * np.maximum(inside, 1e-300)
    return np.where(varies, deviation / np.where(varies, spread, 1.0), 0.0)


def hubs(graph: Graph, partition: ArrayLike, *, weighted: bool = False) -> Hubs:
    """Name the role of every node by where its edges go.

    Parameters
    ----------
    graph : Graph
        What is measured.
    partition : array_like, shape (n_nodes,)
        The module of every node.
    weighted : bool
        Count edges with their weights, which must be positive.

    Returns
    -------
    Hubs

    Raises
    ------
    InputError
        When the partition does not fit, or weights are asked for that are not positive.

    References
    ----------
    Guimerà & Amaral (2005), Functional cartography of complex metabolic networks. Nature 433,
    895-900.

    Examples
    --------
    >>> star = Graph(12, np.zeros(11, int), np.arange(1, 12))
    >>> found = hubs(star, np.zeros(12, int))
    >>> ROLES[found.role[0]], ROLES[found.role[1]]
    ('provincial hub', 'ultra-peripheral')
    """
    z = within_module_z(graph, partition, weighted=weighted)
    share = participation(graph, partition, weighted=weighted)
    non_hub = np.searchsorted(_NON_HUBS, share)
    hub = len(_NON_HUBS) + 1 + np.searchsorted(_HUBS, share)
    return Hubs(z, share, np.where(z >= HUB_Z, hub, non_hub).astype(np.int8))


class _ToModules(NamedTuple):
    """Weight of the edges from a node to a module, for pairs that have edges."""

    node: NDArray[np.intp]
    module: NDArray[np.intp]
    weight: NDArray[np.float64]


def _to_modules(
    graph: Graph, module: NDArray[np.intp], weighted: bool
) -> tuple[_ToModules, NDArray[np.float64]]:
    """Where the edges of all nodes end, and the strength of every node."""
    weight = np.tile(graph.edge_weights(weighted=weighted), 2)
    n_modules = int(module.max(initial=0)) + 1
    node = np.concatenate([graph.source, graph.target]).astype(np.intp)
    place = node * n_modules + module[np.concatenate([graph.target, graph.source])]
    if graph.n_nodes * n_modules <= 4 * len(place) + 4096:
        sums = np.bincount(place, weight, graph.n_nodes * n_modules)
        places = np.flatnonzero(sums)
        sums = sums[places]
    else:
        places, pair = np.unique(place, return_inverse=True)
        sums = np.bincount(pair, weight)
    to_modules = _ToModules(
        places // n_modules, places % n_modules, np.asarray(sums, dtype=np.float64)
    )
    return to_modules, graph.strengths(weighted=weighted)
