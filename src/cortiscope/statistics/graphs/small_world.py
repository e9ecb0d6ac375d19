"""Whether a graph is clustered like a lattice and as short as a random graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.clustering import clustering
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.lattice import lattice_like
from cortiscope.statistics.graphs.paths import PathLength, path_length
from cortiscope.statistics.graphs.rewiring import rewirings


@dataclass(frozen=True, eq=False)
class SmallWorld:
    """Clustering and path length of a graph beside those of graphs with the same degrees.

    Attributes
    ----------
    clustering : float
        Mean clustering coefficient.
    path_length : PathLength
        Mean shortest path over pairs that have one, with its standard error.
    clustering_random, path_length_random : ndarray of float64, shape (n_random,)
        Of rewired graphs.
    clustering_lattice : float
        Of the ring lattice with the same degrees; NaN where none was found, as among graphs whose
        degrees leave hardly any choice.
    """

    clustering: float
    path_length: PathLength
    clustering_random: NDArray[np.float64]
    path_length_random: NDArray[np.float64]
    clustering_lattice: float

    @property
    def gamma(self) -> float:
        """Clustering over that of random graphs."""
        return _ratio(self.clustering, float(self.clustering_random.mean()))

    @property
    def lambda_(self) -> float:
        """Path length over that of random graphs."""
        return _ratio(self.path_length.mean, float(self.path_length_random.mean()))

    @property
    def sigma(self) -> float:
        """Small-world coefficient σ: above 1 in a small world, the more the more nodes."""
        return _ratio(self.gamma, self.lambda_)

    @property
    def omega(self) -> float:
        """Small-world coefficient ω: about 0 in a small world, -1 in a lattice, 1 at random."""
        return _ratio(1.0, self.lambda_) - _ratio(self.clustering, self.clustering_lattice)


def small_world(
    graph: Graph, n_random: int = 20, seed: int = 0, *, n_sources: int | None = None
) -> SmallWorld:
    """Compare a graph with random graphs and with a lattice of the same degrees.

    Parameters
    ----------
    graph : Graph
        What is measured; edges count alike, whatever their weights.
    n_random : int
        Number of rewired graphs.
    seed : int
        Of the rewiring, of the lattice, and of the sources of paths.
    n_sources : int, optional
        Nodes from which paths are measured: see `path_length`.

    Returns
    -------
    SmallWorld
        Ratios are NaN where a reference has no triangle or no path, or was not found.

    Raises
    ------
    InputError
        For no random graph.

    References
    ----------
    Humphries & Gurney (2008), Network 'small-world-ness'. PLoS ONE 3, e0002051 (σ).
    Telesford, Joyce, Hayasaka, Burdette & Laurienti (2011), The ubiquity of small-world networks.
    Brain Connectivity 1, 367-375 (ω).

    Examples
    --------
    >>> nodes = np.arange(60)  # a ring lattice, four neighbours each
    >>> ring = Graph.from_pairs(60, np.tile(nodes, 2), np.r_[nodes + 1, nodes + 2] % 60)
    >>> found = small_world(ring, n_random=5)
    >>> found.clustering, found.clustering_lattice, found.sigma > 1, found.omega < -0.4
    (0.5, 0.5, True, True)
    """
    if n_random < 1:
        raise InputError(f"n_random = {n_random} leaves nothing to compare with: give 1 or more.")
    coefficients, lengths = [], []
    for random in rewirings(graph, n_random, seed):
        coefficients.append(clustering(random).mean())
        lengths.append(path_length(random, n_sources, seed).mean)
    return SmallWorld(
        clustering=float(clustering(graph).mean()),
        path_length=path_length(graph, n_sources, seed),
        clustering_random=np.array(coefficients),
        path_length_random=np.array(lengths),
        clustering_lattice=_clustering_of_lattice(graph, seed),
    )


def _clustering_of_lattice(graph: Graph, seed: int) -> float:
    try:
        return float(clustering(lattice_like(graph, seed)).mean())
    except InputError:
        return float("nan")


def _ratio(value: float, reference: float) -> float:
    return value / reference if reference else float("nan")
