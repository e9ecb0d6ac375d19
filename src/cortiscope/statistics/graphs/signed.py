"""Modules of a graph with positive and negative weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.communities import BestPartition, best_of
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.modularity import modularity_signed
from cortiscope.statistics.graphs.partitions import by_size, check_partition

if TYPE_CHECKING:
    import scipy.sparse

_TINY = 1e-12


class _Moves(NamedTuple):
    """What a move between modules is worth: Q* is a sum over pairs of nodes in one module."""

    value: scipy.sparse.csr_array  # of each edge
    strengths: NDArray[np.float64]  # (n_nodes, 2), of positive and of negative weights
    expected: NDArray[np.float64]  # (2,), what a product of two strengths takes from Q*


def best_partition_signed(
    graph: Graph, n_seeds: int = 10, resolution: float = 1.0, *, seed: int = 0
) -> BestPartition:
    """Partition of the highest signed modularity Q* that Louvain's algorithm finds.

    Meant for graphs of up to some thousand nodes: nodes are moved one at a time. (networkit, which
    is fast, knows nothing of negative weights.)

    Parameters
    ----------
    graph : Graph
        With weights of any sign.
    n_seeds : int
        Number of starts.
    resolution : float
        What the expected weights are multiplied with.
    seed : int
        Of the orders in which nodes are moved.

    Returns
    -------
    BestPartition
        Its modularity is `modularity_signed`.

    Raises
    ------
    InputError
        When there are no weights, or no start.

    References
    ----------
    Blondel, Guillaume, Lambiotte & Lefebvre (2008), Fast unfolding of communities in large
    networks. Journal of Statistical Mechanics, P10008.
    Rubinov & Sporns (2011), Weight-conserving characterization of complex functional brain
    networks. NeuroImage 56, 2068-2079.

    Examples
    --------
    >>> pairs = Graph(4, np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([1.0, -1.0, 1.0]))
    >>> found = best_partition_signed(pairs)
    >>> found.partition.tolist(), round(found.modularity, 3)
    ([0, 0, 1, 1], 0.667)
    """
    if graph.weight is None:
        raise InputError("this graph has no weights: partition it with best_partition.")
    if n_seeds < 1:
        raise InputError(f"n_seeds = {n_seeds} finds no modules: give 1 or more.")
    moves = _moves(graph, resolution)
    partitions = [
        _partition(moves, np.random.default_rng([seed, start])) for start in range(n_seeds)
    ]
    quality = [modularity_signed(graph, partition, resolution) for partition in partitions]
    return best_of(np.stack(partitions), np.array(quality))


def _moves(graph: Graph, resolution: float) -> _Moves:
    assert graph.weight is not None
    weight = graph.weight.astype(np.float64)
    both = np.stack([np.maximum(weight, 0.0), np.maximum(-weight, 0.0)], axis=1)
    totals = both.sum(axis=0)
    # Positive weights count as shares of themselves, negative ones as shares of all.
    shares = np.array([1.0, -1.0]) / np.maximum([totals[0], totals.sum()], _TINY)
    strengths = np.zeros((graph.n_nodes, 2))
    np.add.at(strengths, graph.source, both)
    np.add.at(strengths, graph.target, both)
    edge_values = Graph(
        graph.n_nodes, graph.source, graph.target, (both @ shares).astype(np.float32)
    )
    value = edge_values.to_scipy().astype(np.float64)
    return _Moves(value, strengths, resolution * shares / np.maximum(2 * totals, _TINY))


def _partition(moves: _Moves, rng: np.random.Generator) -> NDArray[np.int32]:
    """Move nodes, then modules, then nodes again, until nothing moves."""
    partition = np.arange(len(moves.strengths), dtype=np.int32)
    while True:
        better = by_size(_move_modules(moves, _move_nodes(moves, partition, rng), rng))
        if np.array_equal(better, partition):
            return partition
        partition = better


def _move_modules(
    moves: _Moves, partition: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Make one node of each module and move those, again and again, until nothing moves."""
    from scipy.sparse import csr_array

    module = partition
    while True:
        n_nodes, n_modules = len(module), int(module.max(initial=-1)) + 1
        members = csr_array(
            (np.ones(n_nodes), (np.arange(n_nodes), module)), shape=(n_nodes, n_modules)
        )
        value = csr_array(members.T @ moves.value @ members)
        moves = moves._replace(value=value, strengths=members.T @ moves.strengths)
        module = _move_nodes(moves, np.arange(n_modules), rng)
        partition = module[partition]
        if int(module.max(initial=-1)) + 1 == n_modules:
            return partition


def _move_nodes(
    moves: _Moves, partition: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Move every node to the module where it adds most, one at a time, until none moves."""
    value, strengths, expected = moves
    n_nodes = len(strengths)
    module = partition.astype(np.intp)
    sums = np.zeros_like(strengths)
    np.add.at(sums, module, strengths)
    takes = strengths * expected
    moved = True
    while moved:
        moved = False
        for node in rng.permutation(n_nodes):
            edges = slice(value.indptr[node], value.indptr[node + 1])
            neighbours, values = value.indices[edges], value.data[edges]
            own = module[node]
            sums[own] -= strengths[node]
            others = neighbours != node
            gains = np.bincount(module[neighbours[others]], values[others], n_nodes)
            gains = gains - sums @ takes[node]
            best = int(np.argmax(gains))
            if gains[best] <= gains[own] + _TINY:
                best = int(own)
            sums[best] += strengths[node]
            moved |= best != own
            module[node] = best
    return check_partition(n_nodes, module)
