"""Modules of one layer's units: communities of the graph of their correlations over stimuli."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.connectome_nodes import (
    GraphSettings,
    Method,
    Nodes,
    Sign,
    attractive,
    is_signed,
)
from cortiscope.scanning import Recording
from cortiscope.statistics.graphs import (
    Graph,
    best_partitions,
    communities,
    modularity,
    modularity_signed,
)


def modules_of(
    recording: Recording,
    layer: int,
    *,
    site: str = "resid_post",
    frames: str | None = "frame",
    method: Method = "pearson",
    sign: Sign = "positive",
    density: float = 0.1,
    resolution: float = 1.0,
    n_seeds: int = 50,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Find the modules of a layer's units, as the instrument ``connectome`` does.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    layer : int
        The layer.
    site : str
        Site of the recording.
    frames : str, optional
        A label, whose levels' means are removed first; None leaves one mean of all.
    method, sign : str
        Correlation of values, ``pearson``, or of ranks within each frame, ``spearman``; which
        correlations make edges, ``positive``, ``absolute`` or ``signed``.
    density : float
        Share of all pairs of units that are edges.
    resolution : float
        Above 1 modules are more and smaller.
    n_seeds : int
        Runs of Leiden, of which the consensus is taken.
    seed : int
        Seed of the runs.

    Returns
    -------
    ndarray of int, shape (n_units,)
        Module of each unit, the largest one 0. A unit without an edge is -1, in no module.

    References
    ----------
    Traag, Waltman & van Eck (2019), From Louvain to Leiden. Scientific Reports 9, 5233.
    Lancichinetti & Fortunato (2012), Consensus clustering in complex networks. Scientific
    Reports 2, 336.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> signals = np.repeat(rng.normal(size=(100, 2)), [6, 4], axis=1)
    >>> x = signals + 0.5 * rng.normal(size=(100, 10))
    >>> stimuli = pd.DataFrame({"frame": ["a", "b"] * 50})
    >>> recording = Recording.from_arrays({"resid_post": x[:, None]}, stimuli=stimuli)
    >>> modules_of(recording, 0, density=0.4).tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    """
    nodes = Nodes.of(recording, [layer], site=site, frames=frames, method=method)
    settings = GraphSettings.checked([density], sign)
    settings.check_size(nodes)
    graph = settings.graphs(nodes.points)[0]
    found = communities(attractive(graph), n_seeds=n_seeds, resolution=resolution, seed=seed)
    return np.asarray(nodes.laid_out(numbered(found.consensus, graph), -1)[0], dtype=np.intp)


def numbered(partition: NDArray[np.integer], graph: Graph) -> NDArray[np.intp]:
    """Give modules numbers by size, the largest one 0; units without an edge are -1.

    Examples
    --------
    >>> graph = Graph.from_pairs(4, np.array([1, 2]), np.array([2, 3]))
    >>> numbered(np.array([5, 7, 7, 7]), graph).tolist()
    [-1, 0, 0, 0]
    """
    joined = graph.degrees > 0
    _, module, counts = np.unique(partition[joined], return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.intp)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    by_node = np.full(graph.n_nodes, -1, dtype=np.intp)
    by_node[joined] = rank[module]
    return by_node


def found_modules(
    graphs: Sequence[Graph], *, n_starts: int = 1, seed: int = 0
) -> list[tuple[NDArray[np.intp], float]]:
    """Find the modules of graphs by a few runs of Leiden, as quickly as nulls need it.

    Parameters
    ----------
    graphs : sequence of Graph
        Where edges have a sign, modules are sought among positive ones.
    n_starts : int
        Runs, of which the best one counts.
    seed : int
        Seed of the runs.

    Returns
    -------
    list of (ndarray of int, shape (n_nodes,), float)
        Of each graph, the module of each node, and its modularity, see `quality_of`; 0 for a graph
        without edges.
    """
    best = best_partitions([attractive(graph) for graph in graphs], n_starts, seed=seed)
    found = []
    for graph, of in zip(graphs, best, strict=True):
        # Without negative edges its modularity is known already.
        quality = quality_of(graph, of.partition) if is_signed(graph) else of.modularity
        found.append((np.asarray(of.partition, dtype=np.intp), float(np.nan_to_num(quality))))
    return found


def quality_of(graph: Graph, partition: NDArray[np.integer], resolution: float = 1.0) -> float:
    """Modularity in which edges count alike, or, where there are negative ones, by their sign.

    Examples
    --------
    >>> pairs = np.array([[0, 1], [2, 3], [0, 2], [1, 3]]).T
    >>> graph = Graph.from_pairs(4, *pairs, np.array([0.9, 0.8, -0.9, -0.8]))
    >>> quality_of(graph, np.array([0, 0, 1, 1]))
    0.75
    """
    if not graph.n_edges:
        return 0.0
    if graph.weight is None or not is_signed(graph):
        return float(modularity(graph, partition, resolution))
    signs = Graph(graph.n_nodes, graph.source, graph.target, np.sign(graph.weight))
    return float(modularity_signed(signs, partition, resolution))
