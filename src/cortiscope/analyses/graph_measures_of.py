"""What graph measures find of one graph of nodes, beside rotations and random graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.connectome_modules import numbered
from cortiscope.analyses.connectome_nodes import GraphSettings, Nodes
from cortiscope.analyses.statistic import Statistic
from cortiscope.statistics import UnitRotations, jackknife_draws
from cortiscope.statistics.graphs import (
    ROLES,
    Graph,
    SmallWorld,
    clustering,
    communities,
    hubs,
    normalised_rich_club,
    path_length,
    rewirings,
    small_world,
)

NULLS = ("rotated", "shuffled", "rewired")

# Streams of chance, so that more draws of one thing leave the others as they are.
_MATCH, _ROTATE, _SHUFFLE = range(3)

# Random graphs that sigma of a rotation compares with: its mean over rotations is what is shown.
_RANDOM_OF_A_REFERENCE = 2


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is the same for every layer.

    Attributes
    ----------
    word : ndarray of int, shape (n_stimuli,)
        Word of each stimulus.
    kept : ndarray of bool, shape (n_subsets, n_words)
        Subsets of the jackknife.
    settings : GraphSettings
        Which graphs.
    hub_density : float
        The density whose rich club and hubs are looked at.
    n_rotations, n_random, n_references, n_rich_club, n_seeds : int
        As the instrument takes them.
    seed : int
        Of everything.
    """

    word: NDArray[np.intp]
    kept: NDArray[np.bool_]
    settings: GraphSettings
    hub_density: float
    n_rotations: int
    n_random: int
    n_references: int
    n_rich_club: int
    n_seeds: int
    seed: int

    def rng(self, stream: int, draw: int = 0) -> np.random.Generator:
        """Give the chance of one draw."""
        return np.random.default_rng([self.seed, stream, draw])

    def rotations(self, nodes: Nodes) -> UnitRotations:
        """Prepare the rotations of some nodes: the same whoever asks."""
        return nodes.rotations(self.rng(_MATCH))

    def rotated(self, rotations: UnitRotations, draw: int) -> list[Graph]:
        """Give the graphs of one rotation, at every density."""
        return self.settings.graphs(rotations.draw(self.rng(_ROTATE, draw)))

    def hub_graph(self, nodes: Nodes) -> Graph:
        """Give the graph whose rich club and hubs are looked at."""
        place = self.settings.densities.index(float(self.hub_density))
        return self.settings.graphs(nodes.points)[place]


def clustering_of(nodes: Nodes, plan: Plan) -> dict[str, Statistic]:
    """Mean clustering at every density, and above rotations."""
    rotations = plan.rotations(nodes)
    estimate = _clustering(plan.settings.graphs(nodes.points))
    draws = range(plan.n_rotations)
    null = np.stack([_clustering(plan.rotated(rotations, draw)) for draw in draws])
    subsets = np.stack([_clustering(graphs) for graphs in _subsets(nodes, plan)])
    resamples = jackknife_draws(estimate, subsets, plan.kept)
    by_chance = null.mean(axis=0)
    dims = ("density",)
    return {
        "clustering": Statistic(dims, estimate, resamples=resamples),
        "clustering_above_rotation": Statistic(
            dims, estimate - by_chance, null - by_chance, resamples - by_chance
        ),
    }


def small_world_of(nodes: Nodes, plan: Plan) -> dict[str, Statistic]:
    """Paths, σ and ω at every density, beside the nulls."""
    graphs = plan.settings.graphs(nodes.points)
    found = [small_world(graph, plan.n_random, plan.seed) for graph in graphs]
    sigma = np.array([each.sigma for each in found])
    # Random graphs depend on degrees alone, which hardly change: those of all words stand in.
    by_chance = np.array(
        [(each.clustering_random.mean(), each.path_length_random.mean()) for each in found]
    ).T
    drawn = np.stack([_sigma(_both(graphs), by_chance) for graphs in _subsets(nodes, plan)])
    dims = ("density",)
    measured = {
        "path_length": Statistic(dims, [each.path_length.mean for each in found]),
        "reachable": Statistic(dims, [each.path_length.reachable for each in found]),
        "sigma": Statistic(
            dims, sigma, resamples=jackknife_draws(sigma, drawn, plan.kept), none=1.0
        ),
        "omega": Statistic(dims, [each.omega for each in found]),
    }
    rotations = plan.rotations(nodes)
    draws = range(plan.n_references)
    of_nulls = (
        np.stack([_with_sigma(plan.rotated(rotations, draw), plan) for draw in draws]),
        np.stack(
            [
                _with_sigma(plan.settings.graphs(nodes.shuffled(plan.rng(_SHUFFLE, draw))), plan)
                for draw in draws
            ]
        ),
        _rewired(found),
    )
    for place, name in enumerate(("clustering", "path_length", "sigma")):
        for suffix, of in _summaries([draws_of[:, place] for draws_of in of_nulls]).items():
            measured[f"reference_{name}{suffix}"] = Statistic(("density", "null"), of)
    return measured


def rich_club_of(nodes: Nodes, plan: Plan) -> dict[str, Statistic]:
    """Rich club by degree, in as many degrees as there are nodes: NaN where there is no club."""
    found = normalised_rich_club(plan.hub_graph(nodes), plan.n_rich_club, plan.seed)
    by_degree = {"rich_club": found.normalised, "rich_club_p": found.p_value}
    dims = ("degree",)
    return {name: Statistic(dims, _padded(of, nodes.n_nodes)) for name, of in by_degree.items()}


def trim_degrees(statistics: dict[str, Statistic]) -> int:
    """Leave out the degrees that no layer has, and count those that are left."""
    if "rich_club" not in statistics:
        return 0
    there = np.isfinite(np.asarray(statistics["rich_club_p"].estimate))
    n_degrees = int(np.flatnonzero(there.reshape(-1, there.shape[-1]).any(axis=0)).max()) + 1
    for name in ("rich_club", "rich_club_p"):
        kept = np.asarray(statistics[name].estimate)[..., :n_degrees]
        statistics[name] = replace(statistics[name], estimate=kept)
    return n_degrees


def hubs_of(nodes: Nodes, plan: Plan, together: bool) -> dict[str, Statistic]:
    """Tell what part each unit plays among modules."""
    graph = plan.hub_graph(nodes)
    modules = communities(graph, n_seeds=plan.n_seeds, seed=plan.seed).consensus
    parts = hubs(graph, modules)
    role = np.where(graph.degrees > 0, np.array(ROLES)[parts.role], "")
    by_node: dict[str, tuple[NDArray[np.generic], float | str]] = {
        "unit_degree": (graph.degrees, 0),
        "module": (numbered(modules, graph), -1),
        "participation": (parts.participation, np.nan),
        "within_module_z": (parts.within_module_z, np.nan),
        "role": (role, ""),
    }
    dims = ("layer", "unit") if together else ("unit",)
    laid_out = {name: nodes.laid_out(*of) for name, of in by_node.items()}
    return {name: Statistic(dims, of if together else of[0]) for name, of in laid_out.items()}


def _subsets(nodes: Nodes, plan: Plan) -> Iterator[list[Graph]]:
    """Give the graphs of each subset of the words."""
    for kept in plan.kept:
        yield plan.settings.graphs(nodes.some(kept[plan.word]))


def _clustering(graphs: Sequence[Graph]) -> NDArray[np.float64]:
    return np.array([clustering(graph).mean() for graph in graphs])


def _both(graphs: Sequence[Graph]) -> NDArray[np.float64]:
    """Clustering and path length, (2, n_densities)."""
    return np.stack([_clustering(graphs), [path_length(graph).mean for graph in graphs]])


def _sigma(both: NDArray[np.float64], by_chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """σ from clustering and path length (2, n_densities), and those of random graphs."""
    gamma, lambda_ = both / np.where(by_chance > 0, by_chance, np.nan)
    return np.asarray(gamma / lambda_)


def _with_sigma(graphs: Sequence[Graph], plan: Plan) -> NDArray[np.float64]:
    """Clustering, path length and σ of the graphs of a null, (3, n_densities)."""
    by_chance = [
        np.mean(
            [_both([drawn])[:, 0] for drawn in rewirings(graph, _RANDOM_OF_A_REFERENCE)], axis=0
        )
        for graph in graphs
    ]
    both = _both(graphs)
    return np.vstack([both, _sigma(both, np.transpose(by_chance))])


def _rewired(found: Sequence[SmallWorld]) -> NDArray[np.float64]:
    """Clustering, path length and σ of rewired graphs, (n_random, 3, n_densities)."""
    both = np.stack(
        [
            np.transpose([each.clustering_random for each in found]),
            np.transpose([each.path_length_random for each in found]),
        ],
        axis=1,
    )
    by_chance = both.mean(axis=0)
    return np.stack([np.vstack([of, _sigma(of, by_chance)]) for of in both])


def _summaries(of_nulls: Sequence[NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Mean and 95% of the draws (n_draws, n_densities) of each null, (n_densities, n_nulls)."""
    values = np.array([[_summary(of_density) for of_density in of.T] for of in of_nulls])
    return {suffix: values[..., place].T for place, suffix in enumerate(("", "_low", "_high"))}


def _summary(draws: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean and 95% of the draws that are defined; a random graph may have no triangle."""
    there = draws[np.isfinite(draws)]
    if not there.size:
        return np.nan, np.nan, np.nan
    low, high = np.quantile(there, [0.025, 0.975])
    return float(there.mean()), float(low), float(high)


def _padded(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return np.append(values, np.full(length - len(values), np.nan))
