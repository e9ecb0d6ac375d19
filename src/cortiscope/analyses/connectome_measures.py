"""What the connectome measures of one graph of nodes: modularity, its nulls, and its modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.connectome_modules import found_modules, numbered, quality_of
from cortiscope.analyses.connectome_nodes import GraphSettings, Nodes, attractive, repulsive
from cortiscope.analyses.statistic import Statistic
from cortiscope.statistics import Folds, d_prime, jackknife_draws, means_of
from cortiscope.statistics.graphs import (
    Graph,
    adjusted_mutual_information,
    resolution_sweep,
    rewired,
)

NULLS = ("rotated", "shuffled", "rewired")

N_BLOCKS = 20
"""Modules, the largest, between which edges are counted."""

# Of the densest graphs; more is memory, not speed.
_EDGES_AT_ONCE = 200_000

# Streams of chance, so that more draws of one thing leave the others as they are.
_MATCH, _ROTATE, _SHUFFLE, _REWIRE, _LABELS, _NODES = range(6)


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is the same for every layer.

    Attributes
    ----------
    folds : Folds
        Words and categories; no fold is used.
    kept : ndarray of bool, shape (n_subsets, n_words)
        Subsets of the jackknife.
    settings : GraphSettings
        Which graphs.
    module_density : float
        The density whose modules are looked at, one of those of the settings.
    resolutions : tuple of float
        At which they are sought.
    n_seeds, n_starts : int
        Runs of Leiden for consensus, and for the tested statistic and its nulls alike.
    n_rotations, n_shuffles, n_rewired : int
        Draws of each null; labels are permuted as often as units are rotated.
    seed : int
        Of everything.
    """

    folds: Folds
    kept: NDArray[np.bool_]
    settings: GraphSettings
    module_density: float
    resolutions: tuple[float, ...]
    n_seeds: int
    n_starts: int
    n_rotations: int
    n_shuffles: int
    n_rewired: int
    seed: int

    @property
    def place(self) -> int:
        """Which density the modules are of."""
        return self.settings.densities.index(self.module_density)

    @property
    def runs(self) -> dict[str, int]:
        """How Leiden is run, for the units as for every draw of a null."""
        return {"n_starts": self.n_starts, "seed": self.seed}

    def rng(self, stream: int, draw: int = 0) -> np.random.Generator:
        """Give the chance of one draw; the same for every layer, as subjects have their own."""
        return np.random.default_rng([self.seed, stream, draw])


@dataclass(frozen=True, eq=False)
class Modularity:
    """Modularity of one graph's nodes at every density, and what it is compared with.

    Attributes
    ----------
    estimate : ndarray, shape (n_densities,)
        Of the nodes themselves.
    rotated : ndarray, shape (n_rotations, n_densities)
        Of random rotations.
    subsets : ndarray, shape (n_subsets, n_densities)
        Of subsets of the words.
    partitions : ndarray of int, shape (n_subsets, n_nodes)
        Modules of each subset, at the density whose modules are looked at.
    """

    estimate: NDArray[np.float64]
    rotated: NDArray[np.float64]
    subsets: NDArray[np.float64]
    partitions: NDArray[np.intp]


def modularity_of(nodes: Nodes, plan: Plan) -> Modularity:
    """Measure modularity, under rotations and in subsets of the words as well."""
    rotations = nodes.rotations(plan.rng(_MATCH))
    rotated = (rotations.draw(plan.rng(_ROTATE, draw)) for draw in range(plan.n_rotations))
    subsets = (nodes.some(kept[plan.folds.word]) for kept in plan.kept)
    partitions, quality = _found(chain([nodes.points], rotated, subsets), plan)
    of_subsets = slice(1 + plan.n_rotations, None)
    return Modularity(
        quality[0],
        quality[1 : 1 + plan.n_rotations],
        quality[of_subsets],
        partitions[of_subsets],
    )


def references_of(nodes: Nodes, plan: Plan, rotated: NDArray[np.float64]) -> NDArray[np.float64]:
    """Modularity under each null, (n_nulls, 3, n_densities): mean, and 95% of the draws."""
    shuffled = (nodes.shuffled(plan.rng(_SHUFFLE, draw)) for draw in range(plan.n_shuffles))
    graphs = plan.settings.graphs(nodes.points)
    seeds = [int(plan.rng(_REWIRE, i).integers(2**31)) for i in range(plan.n_rewired)]
    drawn = [found_modules([rewired_graph(of, s) for s in seeds], **plan.runs) for of in graphs]
    randomised = np.array([[quality for _, quality in of_density] for of_density in drawn]).T
    return np.stack([_summary(of) for of in (rotated, _found(shuffled, plan)[1], randomised)])


def _found(
    points: Iterable[NDArray[np.float32]], plan: Plan
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Modules of some points at one density (n, n_nodes), modularity at all (n, n_densities).

    So many graphs are made at once as are quick to partition together.
    """
    partitions: list[NDArray[np.intp]] = []
    qualities: list[list[float]] = []
    waiting: list[list[Graph]] = []

    def measure() -> None:
        by_density = [found_modules(of, **plan.runs) for of in zip(*waiting, strict=True)]
        partitions.extend(partition for partition, _ in by_density[plan.place])
        qualities.extend([quality for _, quality in of] for of in zip(*by_density, strict=True))
        waiting.clear()

    for of in points:
        waiting.append(plan.settings.graphs(of))
        if len(waiting) * waiting[0][-1].n_edges >= _EDGES_AT_ONCE:
            measure()
    if waiting:
        measure()
    return np.stack(partitions), np.array(qualities)


def rewired_graph(graph: Graph, seed: int) -> Graph:
    """Rewire a graph at random, degrees kept, those of positive and negative edges each.

    A pair that gets an edge of either sign keeps the positive one: graphs of both signs lose some.
    """
    positive = rewired(attractive(graph), seed)
    against = repulsive(graph)
    if not against.n_edges:
        return positive
    against = rewired(against, seed)
    return Graph.from_pairs(
        graph.n_nodes,
        np.concatenate([positive.source, against.source]),
        np.concatenate([positive.target, against.target]),
        np.repeat([1.0, -1.0], [positive.n_edges, against.n_edges]),
    )


def _summary(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([draws.mean(axis=0), *np.quantile(draws, [0.025, 0.975], axis=0)])


@dataclass(frozen=True, eq=False)
class Modules:
    """Modules at every resolution, and what those of one resolution have to do with.

    Attributes
    ----------
    module : ndarray of int, shape (n_nodes,)
        Consensus at the first resolution asked for; -1 without an edge.
    quality, n_modules, stability : ndarray, shape (n_resolutions,)
        Modularity of the best run, modules of more than one node in the consensus, and mean
        adjusted mutual information of any two runs.
    """

    module: NDArray[np.intp]
    quality: NDArray[np.float64]
    n_modules: NDArray[np.float64]
    stability: NDArray[np.float64]


def modules_at(graph: Graph, plan: Plan) -> Modules:
    """Find the modules of one graph at every resolution, each the consensus of many runs."""
    drawn = attractive(graph)
    found = resolution_sweep(drawn, plan.resolutions, n_seeds=plan.n_seeds, seed=plan.seed)
    numbers = [numbered(each.consensus, graph) for each in found]
    qualities = [quality_of(graph, each.best.partition, each.resolution) for each in found]
    return Modules(
        numbers[_nearest_to_one(plan.resolutions)],
        np.array(qualities),
        np.array([float(number.max() + 1) for number in numbers]),
        np.array([each.stability for each in found]),
    )


def blocks_of(
    graph: Graph, module: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the units of the largest modules, and the edges inside and between them.

    Parameters
    ----------
    graph : Graph
        Its nodes are units.
    module : ndarray of int, shape (n_nodes,)
        Numbered by size; -1 for none.

    Returns
    -------
    sizes : ndarray of float64, shape (N_BLOCKS,)
        Units; NaN where there are fewer modules.
    density : ndarray of float64, shape (N_BLOCKS, N_BLOCKS)
        Edges as a share of all pairs of units.

    Examples
    --------
    >>> path = Graph(4, np.array([0, 1, 2]), np.array([1, 2, 3]))
    >>> sizes, density = blocks_of(path, np.array([0, 0, 1, 1]))
    >>> sizes[:3].tolist(), density[:2, :2].tolist()
    ([2.0, 2.0, nan], [[1.0, 0.25], [0.25, 1.0]])
    """
    shown = np.where(module < N_BLOCKS, module, -1)
    sizes = np.bincount(shown[shown >= 0], minlength=N_BLOCKS).astype(np.float64)
    one, other = shown[graph.source], shown[graph.target]
    both = (one >= 0) & (other >= 0)
    edges = np.zeros((N_BLOCKS, N_BLOCKS))
    np.add.at(edges, (one[both], other[both]), 1.0)
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    density = (edges + edges.T) / np.where(pairs > 0, pairs, np.nan)
    return np.where(sizes > 0, sizes, np.nan), density


def _nearest_to_one(resolutions: Sequence[float]) -> int:
    return int(np.abs(np.log(resolutions)).argmin())


def category_agreement(
    nodes: Nodes, plan: Plan, module: NDArray[np.intp], partitions: NDArray[np.intp]
) -> Statistic:
    """Agreement of modules with the category that each unit prefers; words' labels permuted.

    Parameters
    ----------
    nodes : Nodes
        The units.
    plan : Plan
        Categories, permutations and subsets.
    module : ndarray of int, shape (n_nodes,)
        Modules.
    partitions : ndarray of int, shape (n_subsets, n_nodes)
        Modules that were found in each subset, which are compared with what units prefer in it.
    """
    words = means_of(nodes.x, plan.folds.word)
    true = plan.folds.label_of_word
    n_categories = plan.folds.n_categories

    def preferred(label: NDArray[np.intp]) -> NDArray[np.intp]:
        chosen: NDArray[np.intp] = d_prime(words, label, n_categories).argmax(axis=0)
        return chosen

    labels = [plan.rng(_LABELS, draw).permutation(true) for draw in range(plan.n_rotations)]
    agreed = agreements(module, [preferred(label) for label in (true, *labels)])
    subsets = [
        agreements(partition, [d_prime(words[kept], true[kept], n_categories).argmax(axis=0)])[0]
        for partition, kept in zip(partitions, plan.kept, strict=True)
    ]
    resamples = jackknife_draws(agreed[0], np.array(subsets), plan.kept)
    return Statistic((), agreed[0], agreed[1:], resamples)


def label_agreement(module: NDArray[np.intp], label: NDArray[np.intp], plan: Plan) -> Statistic:
    """Agreement of modules with a label of nodes, such as their layer; nodes' labels permuted."""
    draws = range(plan.n_rotations)
    labels = [plan.rng(_NODES, draw).permutation(label) for draw in draws]
    agreed = agreements(module, [label, *labels])
    return Statistic((), agreed[0], agreed[1:])


def agreements(module: NDArray[np.intp], labels: Sequence[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Compare modules with labels by adjusted mutual information, where nodes are in a module.

    References
    ----------
    Vinh, Epps & Bailey (2010), Information theoretic measures for clusterings comparison. Journal
    of Machine Learning Research 11, 2837-2854.

    Examples
    --------
    >>> agreements(np.array([0, 0, 1, 1, -1]), [np.array([5, 5, 3, 3, 5])]).tolist()
    [1.0]
    """
    joined = module >= 0
    compared = [module[joined], *(label[joined] for label in labels)]
    distinct = [np.unique(of, return_inverse=True)[1] for of in compared]
    return np.array(
        [adjusted_mutual_information(np.stack([distinct[0], of]))[0, 1] for of in distinct[1:]]
    )
