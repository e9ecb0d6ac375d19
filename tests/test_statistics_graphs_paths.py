"""Clustering and paths: known answers, and agreement with networkx and the brain toolbox."""

import bct
import networkx
import numpy as np
import pytest
from hypothesis import given, settings

from cortiscope.errors import InputError
from cortiscope.statistics.graphs import Graph, clustering, path_length, rewired, transitivity
from graphs import graphs, karate_club, random_graph, ring_lattice, to_matrix, to_networkx


def test_the_karate_club():
    club = karate_club()
    assert clustering(club).mean() == pytest.approx(0.57064, abs=5e-6)
    assert transitivity(club) == pytest.approx(0.25568, abs=5e-6)
    length = path_length(club)
    assert length.mean == pytest.approx(2.4082, abs=5e-5)
    assert (length.standard_error, length.reachable) == (0.0, 1.0)


def test_a_ring_lattice():
    ring = ring_lattice(100, 6)
    np.testing.assert_allclose(clustering(ring), 0.6)  # 3 (k - 2) / 4 (k - 1)
    # 99 others, three on each side at every step: 16 steps of six and one of three.
    assert path_length(ring).mean == pytest.approx((6 * sum(range(1, 17)) + 3 * 17) / 99)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_they_equal_networkx(graph):
    other = to_networkx(graph)
    np.testing.assert_allclose(clustering(graph), list(networkx.clustering(other).values()))
    assert transitivity(graph) == pytest.approx(networkx.transitivity(other))
    pairs = [
        distance
        for source, lengths in networkx.all_pairs_shortest_path_length(other)
        for target, distance in lengths.items()
        if source != target
    ]
    length = path_length(graph)
    n = graph.n_nodes
    assert length.reachable == pytest.approx(len(pairs) / (n * (n - 1)))
    assert length.mean == pytest.approx(np.mean(pairs) if pairs else np.nan, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(graphs(weighted=True))
def test_weighted_clustering_equals_networkx_and_the_brain_toolbox(graph):
    found = clustering(graph, weighted=True)
    expected = list(networkx.clustering(to_networkx(graph), weight="weight").values())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    if graph.n_edges:
        matrix = to_matrix(graph) / graph.weight.max()
        np.testing.assert_allclose(found, bct.clustering_coef_wu(matrix), rtol=1e-5, atol=1e-7)


def test_paths_from_more_sources_than_a_word_has_bits():
    graph = random_graph(300, 0.02, seed=1)
    expected = networkx.average_shortest_path_length
    other = to_networkx(graph)
    if networkx.is_connected(other):
        assert path_length(graph).mean == pytest.approx(expected(other))
    largest = other.subgraph(max(networkx.connected_components(other), key=len))
    nodes = np.array(sorted(largest))
    number = np.full(graph.n_nodes, -1)
    number[nodes] = np.arange(len(nodes))
    kept = np.isin(graph.source, nodes)
    part = Graph(len(nodes), number[graph.source[kept]], number[graph.target[kept]])
    assert path_length(part).mean == pytest.approx(expected(largest))


def test_drawn_sources_err_as_their_standard_error_says():
    graph = random_graph(400, 0.01, seed=2)  # some nodes alone, some pairs without a path
    exact = path_length(graph)
    drawn = [path_length(graph, n_sources=40, seed=seed) for seed in range(300)]
    deviations = np.array([(d.mean - exact.mean) / d.standard_error for d in drawn])
    # Standard deviation of 300 standardised errors: 1 within four of its standard errors, and
    # the few more that a standard error from 40 sources adds.
    assert 1 - 4 / np.sqrt(600) < deviations.std() < 1 + 4 / np.sqrt(600) + 1 / 40
    assert abs(deviations.mean()) < 4 / np.sqrt(300) + 0.1
    assert path_length(graph, n_sources=400) == exact
    assert path_length(graph, n_sources=40, seed=3) == drawn[3]


def test_a_large_graph_is_sampled():
    length = path_length(random_graph(2500, 0.01, seed=0))
    assert length.standard_error > 0


def test_noise_clusters_by_construction():
    """Pure noise, 20 stimuli, 10% density: C near 0.25, and 0.10 with the same degrees."""
    rng = np.random.default_rng(0)
    n = 400
    correlations = np.corrcoef(rng.normal(size=(20, n)), rowvar=False)
    source, target = np.triu_indices(n, 1)
    n_edges = round(0.1 * len(source))
    strongest = np.argsort(-correlations[source, target])[:n_edges]
    graph = Graph.from_pairs(n, source[strongest], target[strongest])
    assert clustering(graph).mean() == pytest.approx(0.25, abs=0.02)
    assert clustering(rewired(graph, seed=0)).mean() == pytest.approx(0.10, abs=0.02)


def test_without_edges():
    empty = Graph(5, np.empty(0, int), np.empty(0, int))
    assert clustering(empty).tolist() == [0.0] * 5
    assert transitivity(empty) == 0.0
    assert np.isnan(path_length(empty).mean) and path_length(empty).reachable == 0.0


def test_signed_weights_are_refused():
    signed = Graph(3, np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([1.0, -1.0, 1.0]))
    with pytest.raises(InputError, match="positive"):
        clustering(signed, weighted=True)
    with pytest.raises(InputError, match="positive"):
        signed.to_networkit(weighted=True)


def test_one_source_has_no_standard_error():
    with pytest.raises(InputError, match="two nodes or more"):
        path_length(karate_club(), n_sources=1)
