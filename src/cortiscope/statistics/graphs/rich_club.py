"""Whether nodes of high degree are joined to each other more than their degrees make them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.rewiring import rewirings


@dataclass(frozen=True, eq=False)
class RichClub:
    """Rich club of a graph at every degree, beside graphs with the same degrees.

    Attributes
    ----------
    degree : ndarray of int, shape (n_degrees,)
        From 0 on: the club is of the nodes with more neighbours.
    n_members : ndarray of int, shape (n_degrees,)
        Nodes in the club; two or more.
    phi : ndarray of float64, shape (n_degrees,)
        Density among them.
    phi_random : ndarray of float64, shape (n_degrees,)
        Its mean over rewired graphs.
    p_value : ndarray of float64, shape (n_degrees,)
        That rewired graphs are as dense somewhere, corrected over all degrees.
    """

    degree: NDArray[np.intp]
    n_members: NDArray[np.intp]
    phi: NDArray[np.float64]
    phi_random: NDArray[np.float64]
    p_value: NDArray[np.float64]

    @property
    def normalised(self) -> NDArray[np.float64]:
        """Density over that of rewired graphs, (n_degrees,); NaN where they have no edge."""
        there = self.phi_random > 0
        return np.where(there, self.phi / np.where(there, self.phi_random, 1.0), np.nan)


def rich_club(graph: Graph) -> NDArray[np.float64]:
    """Density among the nodes with more than k neighbours, for every k.

    Parameters
    ----------
    graph : Graph
        What is measured.

    Returns
    -------
    ndarray of float64, shape (n_degrees,)
        For k from 0 on, as long as there are two such nodes.

    References
    ----------
    Zhou & Mondragón (2004), The rich-club phenomenon in the internet topology. IEEE
    Communications Letters 8, 180-182.

    Examples
    --------
    >>> kite = Graph(4, np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3]))  # a triangle and a tail
    >>> rich_club(kite).round(3).tolist()
    [0.667, 1.0]
    """
    n_members = _n_members(graph.degrees)
    return _density(graph, graph.degrees, n_members)


def normalised_rich_club(graph: Graph, n_random: int = 100, seed: int = 0) -> RichClub:
    """Compare the rich club with that of graphs with the same degrees.

    Parameters
    ----------
    graph : Graph
        What is measured; edges count alike, whatever their weights.
    n_random : int
        Number of rewired graphs; no p-value is smaller than 1 / (n_random + 1).
    seed : int
        Of the rewiring.

    Returns
    -------
    RichClub

    Raises
    ------
    InputError
        For fewer than two random graphs.

    Notes
    -----
    At each degree the density is taken as a deviation from the mean over this graph and the rewired
    ones, in their standard deviations. Its largest value over all degrees in each rewired graph is
    what this graph's values are ranked among (Westfall & Young 1993).

    References
    ----------
    Colizza, Flammini, Serrano & Vespignani (2006), Detecting rich-club ordering in complex
    networks. Nature Physics 2, 110-115.
    Westfall & Young (1993), Resampling-based multiple testing. Wiley.

    Examples
    --------
    >>> club, member = np.triu_indices(4, 1)  # four nodes, all joined
    >>> ring = np.arange(4, 16)  # twelve others on a ring, three of them joined to each
    >>> source = np.concatenate([club, ring, ring % 4])
    >>> target = np.concatenate([member, (ring - 3) % 12 + 4, ring])
    >>> found = normalised_rich_club(Graph.from_pairs(16, source, target), n_random=99)
    >>> found.phi[3].item(), bool(found.normalised[3] > 1), bool(found.p_value[3] < 0.05)
    (1.0, True, True)
    """
    if n_random < 2:
        raise InputError(f"n_random = {n_random} has no spread: give 2 or more.")
    degrees = graph.degrees
    n_members = _n_members(degrees)
    densities = [_density(graph, degrees, n_members)]
    densities += [_density(g, degrees, n_members) for g in rewirings(graph, n_random, seed)]
    phi = np.stack(densities)
    spread = phi.std(axis=0)
    varies = spread > 1e-12
    deviation = np.where(varies, (phi - phi.mean(axis=0)) / np.where(varies, spread, 1.0), 0.0)
    largest = np.sort(deviation[1:].max(axis=1, initial=0.0))
    # Rounding may not part equal values.
    as_large = n_random - np.searchsorted(largest, deviation[0] - 1e-9)
    return RichClub(
        degree=np.arange(len(n_members)),
        n_members=n_members,
        phi=phi[0],
        phi_random=phi[1:].mean(axis=0),
        p_value=(as_large + 1) / (n_random + 1),
    )


def _n_members(degrees: NDArray[np.int64]) -> NDArray[np.intp]:
    """Nodes with more than k neighbours, for every k with two or more."""
    n_members = len(degrees) - np.cumsum(np.bincount(degrees))
    return n_members[n_members >= 2]


def _density(
    graph: Graph, degrees: NDArray[np.int64], n_members: NDArray[np.intp]
) -> NDArray[np.float64]:
    poorer = np.minimum(degrees[graph.source], degrees[graph.target])
    n_edges = graph.n_edges - np.cumsum(np.bincount(poorer, minlength=len(n_members)))
    return n_edges[: len(n_members)] / (n_members * (n_members - 1) / 2)
