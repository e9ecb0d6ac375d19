"""What a correlation graph would take, before it is made."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.correlation import correlation_graph

# Nodes of the smaller of two graphs that are made to see how long they take.
_FEW_NODES = 1024

# Bytes, as traced: of a tile with what is picked of it, of an edge that is kept and put in
# order, and of a neighbour in the table and on its way there.
_TILE = 150_000_000
_EDGE, _NEIGHBOUR = 48, 24


@dataclass(frozen=True)
class GraphCost:
    """What a correlation graph would take.

    Attributes
    ----------
    n_nodes, n_edges : int
        Its size; edges at most.
    seconds : float
        Time, from smaller graphs that were made.
    peak_memory : int
        Bytes, estimated: activations, their vectors, a tile, and what is kept of it.
    """

    n_nodes: int
    n_edges: int
    seconds: float
    peak_memory: int


def correlation_graph_cost(
    n_stimuli: int,
    n_nodes: int,
    *,
    density: float | None = None,
    n_neighbours: int | None = None,
    device: str = "cpu",
) -> GraphCost:
    """Estimate what `correlation_graph` would take for Pearson's correlation.

    Two small graphs of random numbers are made and timed: what grows with nodes is told from what
    grows with pairs of them.

    Parameters
    ----------
    n_stimuli, n_nodes : int
        Size of the activations.
    density, n_neighbours, device
        As `correlation_graph` takes them.

    Returns
    -------
    GraphCost

    Raises
    ------
    InputError
        As `correlation_graph`.

    Examples
    --------
    >>> cost = correlation_graph_cost(10, 3000, density=0.02)
    >>> cost.n_edges, cost.peak_memory < 1e9
    (89970, True)
    """
    if (density is None) == (n_neighbours is None):
        raise InputError("give either a density or n_neighbours, to say which edges to keep.")

    def timed(n: int) -> float:
        x = np.random.default_rng(0).standard_normal((n_stimuli, n), dtype=np.float32)
        began = time.perf_counter()
        correlation_graph(x, density=density, n_neighbours=n_neighbours, device=device)
        return time.perf_counter() - began

    few = max(_FEW_NODES, 4 * (n_neighbours or 0))
    if n_nodes <= 4 * few:
        seconds = timed(n_nodes)
    else:
        timed(few)  # libraries are loaded, and memory is taken, only once
        one, other = timed(few), timed(4 * few)
        for_pairs = max(other - 4 * one, 0.0) / (12 * few**2)
        for_nodes = max(one / few - for_pairs * few, 0.0)
        seconds = for_nodes * n_nodes + for_pairs * n_nodes**2
    n_pairs = n_nodes * (n_nodes - 1) // 2
    if density is not None:
        n_edges, held = round(density * n_pairs), _EDGE * density * n_pairs
    else:
        n_edges = min(n_nodes * (n_neighbours or 0), n_pairs)
        held = _NEIGHBOUR * n_nodes * (n_neighbours or 0) + _EDGE * n_edges
    n_bytes = 8 * n_stimuli * n_nodes + held + _TILE
    return GraphCost(n_nodes, n_edges, seconds, int(n_bytes))
