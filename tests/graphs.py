"""Graphs that tests of several measures share, and their forms in the reference libraries."""

from __future__ import annotations

import networkx
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from cortiscope.statistics.graphs import Graph


def from_networkx(graph: networkx.Graph) -> Graph:
    """Take the edges of a networkx graph whose nodes are numbers."""
    edges = np.array(graph.edges(), dtype=np.int64).reshape(-1, 2)
    return Graph.from_pairs(graph.number_of_nodes(), edges[:, 0], edges[:, 1])


def to_networkx(graph: Graph) -> networkx.Graph:
    """Give a graph, with its weights if it has any, as networkx has it."""
    other = networkx.Graph()
    other.add_nodes_from(range(graph.n_nodes))
    weight = np.ones(graph.n_edges) if graph.weight is None else graph.weight.astype(float)
    edges = zip(graph.source.tolist(), graph.target.tolist(), weight.tolist(), strict=True)
    other.add_weighted_edges_from(edges)
    return other


def to_matrix(graph: Graph) -> NDArray[np.float64]:
    """Give a graph's adjacency matrix."""
    return graph.to_scipy().toarray().astype(np.float64)


def karate_club() -> Graph:
    """Zachary's karate club, without weights."""
    return from_networkx(networkx.karate_club_graph())


def ring_lattice(n_nodes: int, degree: int) -> Graph:
    """Join every node of a ring to its nearest."""
    return from_networkx(networkx.watts_strogatz_graph(n_nodes, degree, 0.0))


def random_graph(n_nodes: int, density: float, seed: int, *, weighted: bool = False) -> Graph:
    """Draw each edge by itself, and a positive weight for it."""
    rng = np.random.default_rng(seed)
    source, target = np.triu_indices(n_nodes, 1)
    there = rng.random(len(source)) < density
    weight = rng.uniform(0.1, 1.0, there.sum()) if weighted else None
    return Graph.from_pairs(n_nodes, source[there], target[there], weight)


def planted_modules(sizes: list[int], inside: float, between: float, seed: int) -> Graph:
    """Draw edges inside modules and between them with different probabilities."""
    probabilities = np.full((len(sizes), len(sizes)), between)
    np.fill_diagonal(probabilities, inside)
    return from_networkx(networkx.stochastic_block_model(sizes, probabilities, seed=seed))


def graphs(*, weighted: bool = False, most_nodes: int = 30) -> st.SearchStrategy[Graph]:
    """Random graphs from empty to complete, with nodes alone and parts apart."""
    return st.builds(
        random_graph,
        st.integers(2, most_nodes),
        st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.02, 0.9)),
        st.integers(0, 10_000),
        weighted=st.just(weighted),
    )
