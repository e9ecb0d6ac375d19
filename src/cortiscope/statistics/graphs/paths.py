"""How many edges lie between two nodes, on the shortest way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.parallel import map_in_threads

# Up to here all nodes are sources; beyond, so many of them.
_MOST_NODES_EXACT = 2048
_N_SOURCES = 256
_N_BITS = 64


class PathLength(NamedTuple):
    """How far apart the nodes of a graph are.

    Attributes
    ----------
    mean : float
        Mean number of edges on the shortest path, over pairs that have one; NaN without any.
    standard_error : float
        Of the mean, from the sources that were drawn; 0 where all nodes were sources.
    reachable : float
        Share of the pairs of different nodes that have a path.
    """

    mean: float
    standard_error: float
    reachable: float


def path_length(graph: Graph, n_sources: int | None = None, seed: int = 0) -> PathLength:
    """Mean shortest path between nodes, exact or from sources that are drawn.

    Parameters
    ----------
    graph : Graph
        What is measured; edges count alike, whatever their weights.
    n_sources : int, optional
        Nodes, drawn without replacement, from which paths to all others are measured. When left
        out: all nodes of a graph of up to 2,048, and 256 of a larger one.
    seed : int
        Of the sources.

    Returns
    -------
    PathLength
        Pairs without a path are left out of the mean: see its ``reachable``.

    Raises
    ------
    InputError
        For fewer than two sources, which have no standard error.

    Notes
    -----
    Breadth first from 64 sources at once, one bit each (Then et al. 2014). The mean is a ratio of
    two sums over sources, distances over nodes reached; its standard error is that of a ratio
    estimator, with the correction for a finite number of nodes (Cochran 1977, chapter 6).

    References
    ----------
    Then et al. (2014), The more the merrier: efficient multi-source graph traversal. Proceedings
    of the VLDB Endowment 8, 449-460.
    Cochran (1977), Sampling techniques. Wiley.

    Examples
    --------
    >>> line = Graph(4, np.array([0, 1]), np.array([1, 2]))  # 0 - 1 - 2, and 3 alone
    >>> path_length(line)
    PathLength(mean=1.33..., standard_error=0.0, reachable=0.5)
    """
    n = graph.n_nodes
    if n_sources is None:
        n_sources = n if n <= _MOST_NODES_EXACT else _N_SOURCES
    n_sources = min(n_sources, n)
    if n_sources < min(2, n):
        raise InputError(f"n_sources = {n_sources} is too few for paths: draw two nodes or more.")
    exact = n_sources == n
    sources = np.arange(n) if exact else np.random.default_rng(seed).permutation(n)[:n_sources]
    distances, reached = _from_sources(graph, sources)
    n_reached = int(reached.sum())
    reachable = n_reached / max(1, n_sources * (n - 1))
    if not n_reached:
        return PathLength(float("nan"), 0.0, reachable)
    mean = float(distances.sum() / n_reached)
    error = 0.0
    if not exact:
        residuals = distances - mean * reached
        variance = float(residuals @ residuals) / (n_sources - 1) / n_sources
        error = float(np.sqrt((1 - n_sources / n) * variance) / reached.mean())
    return PathLength(mean, error, reachable)


def _from_sources(
    graph: Graph, sources: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum of the distances to the nodes that each source reaches, and their number."""
    adjacency = graph.to_scipy()
    linked = np.flatnonzero(np.diff(adjacency.indptr))
    starts, neighbours = adjacency.indptr[linked], adjacency.indices

    def search(some: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        bit = np.left_shift(np.uint64(1), np.arange(len(some), dtype=np.uint64))
        frontier = np.zeros(graph.n_nodes, dtype=np.uint64)
        frontier[some] = bit
        unseen = ~frontier
        distances = np.zeros(len(some), dtype=np.int64)
        reached = np.zeros(len(some), dtype=np.int64)
        distance = 0
        while len(linked):
            distance += 1
            arrived = np.bitwise_or.reduceat(frontier[neighbours], starts) & unseen[linked]
            if not arrived.any():
                break
            unseen[linked] &= ~arrived
            frontier[linked] = arrived
            counts = _count_bits(arrived)[: len(some)]
            distances += distance * counts
            reached += counts
        return distances, reached

    batches = [sources[start : start + _N_BITS] for start in range(0, len(sources), _N_BITS)]
    parts = list(map_in_threads(search, batches))
    return (
        np.concatenate([distances for distances, _ in parts]),
        np.concatenate([reached for _, reached in parts]),
    )


def _count_bits(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Count how many words have each of the 64 bits."""
    octets = words.astype("<u8").view(np.uint8).reshape(len(words), -1)
    bits = np.unpackbits(octets, axis=1, bitorder="little")
    return np.asarray(bits.sum(axis=0), dtype=np.int64)
