"""Modules by Leiden: the best of many starts, how well those agree, and their consensus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.agreement import mean_agreement
from cortiscope.statistics.graphs.consensus import consensus_partition
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.leiden import leiden_partitions
from cortiscope.statistics.graphs.modularity import modularity
from cortiscope.statistics.graphs.numberings import Edges
from cortiscope.statistics.graphs.partitions import by_size

RESOLUTIONS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


class BestPartition(NamedTuple):
    """The partition of the highest modularity among several.

    Attributes
    ----------
    partition : ndarray of int32, shape (n_nodes,)
        The module of every node, the largest being 0.
    modularity : float
        Its Q; NaN for a graph without edges.
    """

    partition: NDArray[np.int32]
    modularity: float


@dataclass(frozen=True, eq=False)
class Communities:
    """Modules of a graph from many starts.

    Attributes
    ----------
    partitions : ndarray of int32, shape (n_seeds, n_nodes)
        The module of every node, the largest being 0; an isolated node is a module of its own.
    modularity : ndarray of float64, shape (n_seeds,)
        Q of each; NaN for a graph without edges.
    consensus : ndarray of int32, shape (n_nodes,)
        What the partitions have in common: see `consensus_partition`.
    consensus_modularity : float
        Its Q.
    stability : float
        Mean adjusted mutual information of pairs of partitions; NaN for one partition.
    resolution : float
        Of the modularity.
    """

    partitions: NDArray[np.int32]
    modularity: NDArray[np.float64]
    consensus: NDArray[np.int32]
    consensus_modularity: float
    stability: float
    resolution: float

    @property
    def best(self) -> BestPartition:
        """The partition of the highest modularity."""
        return best_of(self.partitions, self.modularity)


def best_partition(
    graph: Graph,
    n_seeds: int = 10,
    resolution: float = 1.0,
    *,
    weighted: bool = False,
    seed: int = 0,
) -> BestPartition:
    """Partition of the highest modularity that Leiden finds from several starts.

    Parameters
    ----------
    graph : Graph
        What is partitioned.
    n_seeds : int
        Number of starts.
    resolution : float
        What the expected edges are multiplied with; larger favours smaller modules.
    weighted : bool
        Count edges with their weights, which must be positive.
    seed : int
        Of the starts.

    Returns
    -------
    BestPartition

    Raises
    ------
    InputError
        When weights are asked for that are not positive, or no start.

    Examples
    --------
    >>> two_edges = Graph(4, np.array([0, 2]), np.array([1, 3]))
    >>> best_partition(two_edges).modularity
    0.5
    """
    return best_of(*_starts(graph, n_seeds, resolution, weighted, seed))


def communities(
    graph: Graph,
    *,
    n_seeds: int = 50,
    resolution: float = 1.0,
    weighted: bool = False,
    seed: int = 0,
) -> Communities:
    """Partition a graph into modules from many starts.

    Parameters
    ----------
    graph : Graph
        What is partitioned.
    n_seeds : int
        Number of starts.
    resolution : float
        What the expected edges are multiplied with; larger favours smaller modules.
    weighted : bool
        Count edges with their weights, which must be positive.
    seed : int
        Of the starts.

    Returns
    -------
    Communities

    Raises
    ------
    InputError
        When weights are asked for that are not positive, or no start.

    References
    ----------
    Traag, Waltman & van Eck (2019), From Louvain to Leiden: guaranteeing well-connected
    communities. Scientific Reports 9, 5233.

    Examples
    --------
    >>> two_edges = Graph(4, np.array([0, 2]), np.array([1, 3]))
    >>> found = communities(two_edges, n_seeds=5)
    >>> found.consensus.tolist(), found.stability
    ([0, 0, 1, 1], 1.0)
    """
    partitions, quality = _starts(graph, n_seeds, resolution, weighted, seed)
    consensus = consensus_partition(graph, partitions, resolution=resolution, seed=seed)
    return Communities(
        partitions=partitions,
        modularity=quality,
        consensus=consensus,
        consensus_modularity=modularity(graph, consensus, resolution, weighted=weighted),
        stability=mean_agreement(partitions),
        resolution=resolution,
    )


def resolution_sweep(
    graph: Graph,
    resolutions: Sequence[float] = RESOLUTIONS,
    *,
    n_seeds: int = 50,
    weighted: bool = False,
    seed: int = 0,
) -> list[Communities]:
    """Find `communities` at each of several resolutions, with the same starts.

    Examples
    --------
    >>> two_edges = Graph(4, np.array([0, 2]), np.array([1, 3]))
    >>> [found.resolution for found in resolution_sweep(two_edges, (0.5, 1.0), n_seeds=2)]
    [0.5, 1.0]
    """
    return [
        communities(graph, n_seeds=n_seeds, resolution=resolution, weighted=weighted, seed=seed)
        for resolution in resolutions
    ]


def _starts(
    graph: Graph, n_seeds: int, resolution: float, weighted: bool, seed: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    if n_seeds < 1:
        raise InputError(f"n_seeds = {n_seeds} finds no modules: give 1 or more.")
    found = leiden_partitions(Edges.of(graph, weighted=weighted), n_seeds, resolution, seed)
    partitions = np.stack([by_size(partition) for partition in found])
    quality = [modularity(graph, p, resolution, weighted=weighted) for p in partitions]
    return partitions, np.array(quality)


def best_of(partitions: NDArray[np.int32], quality: NDArray[np.float64]) -> BestPartition:
    """Choose the partition of the highest modularity, the first of equal ones.

    Examples
    --------
    >>> best_of(np.array([[0, 0], [0, 1]]), np.array([0.0, -0.5])).partition.tolist()
    [0, 0]
    """
    # Rounding may not choose among partitions of equal modularity.
    index = int(np.argmax(np.nan_to_num(quality).round(12)))
    return BestPartition(partitions[index], float(quality[index]))
