"""Rewired graphs, lattices, and what is measured against them."""

from collections import Counter
from itertools import combinations

import bct
import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from cortiscope.errors import InputError
from cortiscope.statistics.graphs import (
    Graph,
    clustering,
    lattice_like,
    normalised_rich_club,
    path_length,
    rewired,
    rewirings,
    rich_club,
    small_world,
)
from graphs import (
    from_networkx,
    graphs,
    karate_club,
    random_graph,
    ring_lattice,
    to_matrix,
    to_networkx,
)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 1000))
def test_rewiring_keeps_degrees(graph, seed):
    drawn = rewired(graph, seed)
    np.testing.assert_array_equal(drawn.degrees, graph.degrees)
    again = rewired(graph, seed)
    np.testing.assert_array_equal(again.source, drawn.source)
    np.testing.assert_array_equal(again.target, drawn.target)


def test_all_graphs_with_the_degrees_are_equally_likely():
    degrees = [3, 2, 2, 2, 2, 1]
    pairs = list(combinations(range(6), 2))
    realisations = [
        edges
        for edges in combinations(pairs, sum(degrees) // 2)
        if np.bincount(np.ravel(edges), minlength=6).tolist() == degrees
    ]
    start = np.array(realisations[0])
    graph = Graph.from_pairs(6, start[:, 0], start[:, 1])
    n_draws = 100 * len(realisations)
    counts = Counter(
        tuple(zip(drawn.source.tolist(), drawn.target.tolist(), strict=True))
        for drawn in rewirings(graph, n_draws, seed=0)
    )
    assert set(counts) == set(realisations)
    statistic = sum((count - 100) ** 2 / 100 for count in counts.values())
    assert statistic < chi2.ppf(0.999, len(realisations) - 1)


def test_rewiring_destroys_the_lattice():
    ring = ring_lattice(300, 10)
    drawn = list(rewirings(ring, 5))
    expected = 9 / 299  # of a random graph of this density
    assert np.mean([clustering(g).mean() for g in drawn]) == pytest.approx(expected, abs=0.01)
    assert len({g.target.tobytes() for g in drawn}) == 5


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 1000))
def test_a_lattice_keeps_degrees(graph, seed):
    lattice = lattice_like(graph, seed)
    np.testing.assert_array_equal(lattice.degrees, graph.degrees)
    np.testing.assert_array_equal(lattice_like(graph, seed).target, lattice.target)


@pytest.mark.parametrize("degree", [2, 4, 6, 10])
def test_equal_degrees_give_the_ring_lattice(degree):
    graph = rewired(ring_lattice(121, degree))
    lattice = lattice_like(graph)
    assert networkx.is_isomorphic(to_networkx(lattice), to_networkx(ring_lattice(121, degree)))


@pytest.mark.parametrize(
    "graph",
    [
        networkx.star_graph(50),
        networkx.barbell_graph(10, 3),
        networkx.wheel_graph(40),
        networkx.complete_bipartite_graph(3, 30),
        networkx.path_graph(3),
    ],
)
def test_a_lattice_of_unequal_degrees(graph):
    graph = from_networkx(graph)
    np.testing.assert_array_equal(lattice_like(graph).degrees, graph.degrees)


def _only_graph_with_its_degrees(n_nodes):
    """A threshold graph: every fourth node is joined to all before it."""
    edges = [(i, j) for i in range(3, n_nodes, 4) for j in range(i)]
    return from_networkx(networkx.Graph(edges))


def test_degrees_without_a_lattice():
    graph = _only_graph_with_its_degrees(60)
    with pytest.raises(InputError, match="Few graphs"):
        lattice_like(graph)
    found = small_world(graph, n_random=2)
    assert np.isnan(found.clustering_lattice) and np.isnan(found.omega)
    assert found.sigma == pytest.approx(1.0)  # rewired, it is itself


@pytest.mark.parametrize(
    "graph",
    [random_graph(30, 0.2, seed=0), from_networkx(networkx.barabasi_albert_graph(30, 3, seed=0))],
    ids=["equal degrees", "hubs"],
)
def test_a_lattice_is_as_clustered_as_the_brain_toolbox_makes_it(graph):
    def toolbox(seed):
        return bct.clustering_coef_bu(bct.latmio_und(to_matrix(graph), 100, seed=seed)[1]).mean()

    mine = np.array([clustering(lattice_like(graph, seed)).mean() for seed in range(20)])
    theirs = np.array([toolbox(seed) for seed in range(3)])
    # Both depend on the order of the nodes on the ring.
    error = np.sqrt(mine.var(ddof=1) / 20 + mine.var(ddof=1) / 3)
    assert abs(mine.mean() - theirs.mean()) < 4 * error
    assert mine.mean() > clustering(rewired(graph)).mean()


def test_small_worlds():
    ring = ring_lattice(400, 8)
    lattice = small_world(ring, n_random=5)
    assert lattice.omega < -0.7
    world = small_world(
        from_networkx(networkx.watts_strogatz_graph(400, 8, 0.1, seed=0)), n_random=5
    )
    assert abs(world.omega) < 0.4 and world.sigma > 5
    noise = small_world(random_graph(400, 0.02, seed=0), n_random=20)
    assert noise.omega > 0.8
    assert noise.sigma == pytest.approx(1.0, abs=0.15)


def test_its_ratios_are_those_of_its_parts():
    graph = from_networkx(networkx.watts_strogatz_graph(100, 6, 0.1, seed=0))
    found = small_world(graph, n_random=4, seed=2)
    drawn = list(rewirings(graph, 4, seed=2))
    random_clustering = np.mean([clustering(g).mean() for g in drawn])
    random_length = np.mean([path_length(g).mean for g in drawn])
    relative_length = path_length(graph).mean / random_length
    assert found.sigma == pytest.approx(
        clustering(graph).mean() / random_clustering / relative_length
    )
    assert found.omega == pytest.approx(
        1 / relative_length - clustering(graph).mean() / clustering(lattice_like(graph, 2)).mean()
    )


def test_ratios_without_a_reference_are_not_numbers():
    pairs = Graph(6, np.array([0, 2, 4]), np.array([1, 3, 5]))
    found = small_world(pairs, n_random=2)
    assert np.isnan(found.sigma) and np.isnan(found.omega)


def test_the_rich_club_of_the_karate_club():
    np.testing.assert_allclose(
        rich_club(karate_club())[:5], [0.1390, 0.1458, 0.2381, 0.3250, 0.4889], atol=5e-5
    )


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_the_rich_club_equals_networkx_and_the_brain_toolbox(graph):
    found = rich_club(graph)
    expected = networkx.rich_club_coefficient(to_networkx(graph), normalized=False)
    # networkx ends where the last edge does.
    np.testing.assert_allclose(found[: len(expected)], list(expected.values())[: len(found)])
    assert not found[len(expected) :].any()
    if graph.n_edges:
        with np.errstate(invalid="ignore"):
            theirs = bct.rich_club_bu(to_matrix(graph))[0]
        np.testing.assert_allclose(found[1:], theirs[: len(found) - 1])


def _with_a_club(seed):
    rng = np.random.default_rng(seed)
    graph = networkx.configuration_model([4] * 300 + [5] * 12, seed=seed)
    graph = networkx.Graph(graph)
    graph.remove_edges_from(networkx.selfloop_edges(graph))
    hubs = range(300, 312)
    graph.add_edges_from((i, j) for i, j in combinations(hubs, 2) if rng.random() < 0.9)
    return from_networkx(graph)


def test_a_planted_club_is_found():
    found = normalised_rich_club(_with_a_club(0), n_random=99)
    assert found.p_value[8] == 0.01
    assert found.normalised[8] > 1.5
    assert found.n_members[8] == np.sum(_with_a_club(0).degrees > 8) == 12


def test_the_correction_over_degrees_keeps_its_rate():
    """Of graphs that are themselves rewired, no more than 5% have any p of .05 or less."""
    start = random_graph(30, 0.2, seed=0)
    smallest = [
        normalised_rich_club(drawn, n_random=19, seed=seed).p_value.min()
        for seed, drawn in enumerate(rewirings(start, 200, seed=1))
    ]
    n_below = np.sum(np.array(smallest) <= 0.05)
    assert n_below <= 10 + 4 * np.sqrt(200 * 0.05 * 0.95)
    assert n_below >= 1  # one in twenty is what is expected, without ties


def test_bad_input():
    with pytest.raises(InputError, match="1 or more"):
        small_world(karate_club(), n_random=0)
    with pytest.raises(InputError, match="2 or more"):
        normalised_rich_club(karate_club(), n_random=1)
