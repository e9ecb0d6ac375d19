"""Modularity, Leiden, consensus and agreement: known answers and independent references."""

import warnings
from threading import Thread

import bct
import networkit
import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from cortiscope.errors import InputError
from cortiscope.statistics.graphs import (
    Graph,
    adjusted_mutual_information,
    best_partition,
    communities,
    consensus_partition,
    mean_agreement,
    modularity,
    modularity_signed,
    resolution_sweep,
)
from graphs import (
    from_networkx,
    graphs,
    karate_club,
    planted_modules,
    random_graph,
    to_matrix,
    to_networkx,
)


def _sets(partition):
    return [set(np.flatnonzero(partition == module).tolist()) for module in np.unique(partition)]


def test_the_karate_club():
    found = best_partition(karate_club(), n_seeds=50)
    assert found.modularity == pytest.approx(0.41979, abs=5e-6)  # its proven maximum
    assert modularity(karate_club(), found.partition) == found.modularity


@pytest.mark.parametrize(
    ("graph", "quality"),
    [
        (networkx.disjoint_union(networkx.complete_graph(4), networkx.complete_graph(4)), 0.5),
        (networkx.ring_of_cliques(10, 5), 0.80909),
    ],
)
def test_cliques(graph, quality):
    found = communities(from_networkx(graph), n_seeds=5)
    assert found.best.modularity == pytest.approx(quality, abs=5e-6)
    assert found.consensus_modularity == pytest.approx(quality, abs=5e-6)
    assert found.stability == pytest.approx(1.0)
    cliques = np.arange(graph.number_of_nodes()) // (4 if quality == 0.5 else 5)
    assert adjusted_mutual_info_score(found.consensus, cliques) == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(graphs(weighted=True), st.integers(1, 5), st.floats(0.3, 3.0), st.booleans())
def test_modularity_equals_networkx(graph, n_modules, resolution, weighted):
    partition = np.random.default_rng(n_modules).integers(0, n_modules, graph.n_nodes)
    found = modularity(graph, partition, resolution, weighted=weighted)
    if not graph.n_edges:
        assert np.isnan(found)
        return
    expected = networkx.community.modularity(
        to_networkx(graph),
        _sets(partition),
        weight="weight" if weighted else None,
        resolution=resolution,
    )
    assert found == pytest.approx(expected, abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(graphs(weighted=True), st.integers(0, 1000))
def test_signed_modularity_equals_the_brain_toolbox(graph, seed):
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], graph.n_edges)
    signed = Graph(graph.n_nodes, graph.source, graph.target, graph.weight * signs)
    partition = rng.integers(0, 3, graph.n_nodes)
    if not np.any(signs > 0):
        return  # the toolbox divides by zero
    expected = bct.modularity_und_sign(to_matrix(signed), partition)[1]
    assert modularity_signed(signed, partition) == pytest.approx(expected, abs=1e-6)
    positive = signed.keep(signed.weight > 0)
    assert modularity_signed(positive, partition) == pytest.approx(
        modularity(positive, partition, weighted=True)
    )


def test_signed_modularity_of_edges_that_are_all_negative():
    # Between the modules, as it should be: nothing inside, where 1/2 is expected.
    signed = Graph(2, np.array([0]), np.array([1]), np.array([-1.0]))
    assert modularity_signed(signed, [0, 1]) == pytest.approx(0.5)
    assert modularity_signed(signed, [0, 0]) == pytest.approx(0.0)


def test_leiden_is_as_good_as_louvain_of_networkx():
    graph = random_graph(120, 0.08, seed=0, weighted=True)
    other = to_networkx(graph)
    louvain = max(
        networkx.community.modularity(
            other, networkx.community.louvain_communities(other, seed=seed)
        )
        for seed in range(10)
    )
    assert best_partition(graph, n_seeds=20, weighted=True).modularity > louvain - 0.005


def test_a_seed_repeats_them_whatever_else_runs():
    graph = random_graph(200, 0.05, seed=1)
    before = networkit.getMaxNumberOfThreads()
    found = communities(graph, n_seeds=12, seed=3)
    others: list[np.ndarray] = []
    threads = [
        Thread(target=lambda s=s: others.append(communities(graph, n_seeds=12, seed=s).partitions))
        for s in (3, 4)
    ]
    for thread in threads:
        thread.start()
    networkit.setSeed(99, True)
    for thread in threads:
        thread.join()
    again = communities(graph, n_seeds=20, seed=3)
    np.testing.assert_array_equal(again.partitions[:12], found.partitions)
    again = communities(graph, n_seeds=12, seed=3)
    np.testing.assert_array_equal(again.consensus, found.consensus)
    assert len({partition.tobytes() for partition in found.partitions}) > 1
    assert networkit.getMaxNumberOfThreads() == before


def test_modules_are_numbered_by_size_and_lonely_nodes_are_alone():
    graph = planted_modules([20, 40, 30], 0.5, 0.01, seed=0)
    with_alone = Graph(graph.n_nodes + 2, graph.source, graph.target)
    found = best_partition(with_alone)
    assert np.bincount(found.partition).tolist() == [40, 30, 20, 1, 1]
    assert found.modularity == pytest.approx(best_partition(graph).modularity)


def test_a_higher_resolution_finds_smaller_modules():
    # Four pairs of modules, each pair joined.
    sizes = [25] * 8
    probabilities = np.full((8, 8), 0.005)
    for pair in range(0, 8, 2):
        probabilities[pair : pair + 2, pair : pair + 2] = 0.15
    np.fill_diagonal(probabilities, 0.8)
    graph = from_networkx(networkx.stochastic_block_model(sizes, probabilities, seed=1))
    coarse, fine = resolution_sweep(graph, (0.4, 1.5), n_seeds=10)
    truth = np.repeat(np.arange(8), 25)
    assert adjusted_mutual_info_score(coarse.consensus, truth // 2) == pytest.approx(1.0)
    assert adjusted_mutual_info_score(fine.consensus, truth) == pytest.approx(1.0)


def test_consensus_is_nearer_the_truth_than_single_partitions():
    sizes = [30] * 5
    truth = np.repeat(np.arange(5), 30)
    gains = []
    for seed in range(6):
        graph = planted_modules(sizes, 0.2, 0.05, seed=seed)
        found = communities(graph, n_seeds=20, seed=seed)
        single = [adjusted_mutual_info_score(truth, p) for p in found.partitions]
        gains.append(adjusted_mutual_info_score(truth, found.consensus) - np.mean(single))
    assert np.mean(gains) > 0


@settings(max_examples=30, deadline=None)
@given(graphs(), st.integers(1, 8), st.integers(0, 1000))
def test_consensus_keeps_together_what_always_is(graph, n_partitions, seed):
    rng = np.random.default_rng(seed)
    partitions = rng.integers(0, 3, (n_partitions, graph.n_nodes))
    consensus = consensus_partition(graph, partitions, seed=seed)
    codes = partitions.T
    for one in range(graph.n_nodes):
        always = np.all(codes == codes[one], axis=1)
        assert len(np.unique(consensus[always])) == 1
    np.testing.assert_array_equal(consensus, consensus_partition(graph, partitions, seed=seed))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.lists(st.integers(1, 60), min_size=2, max_size=5), st.integers())
def test_agreement_equals_scikit_learn(n_nodes, n_modules, seed):
    rng = np.random.default_rng(seed % 2**32)
    partitions = np.stack([rng.integers(0, k, n_nodes) for k in n_modules])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # more classes than half of the samples
        expected = [[adjusted_mutual_info_score(p, q) for q in partitions] for p in partitions]
    found = adjusted_mutual_information(partitions)
    # Where sizes leave next to nothing to agree on, both divide rounding by rounding.
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_agreement_of_many_nodes_equals_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 5000)
    noisy = [np.where(rng.random(5000) < 0.3, rng.integers(0, 6, 5000), truth) for _ in range(3)]
    noisy.append(np.where(rng.random(5000) < 0.2, np.arange(5000), truth))
    found = adjusted_mutual_information(np.stack(noisy))
    expected = [[adjusted_mutual_info_score(p, q) for q in noisy] for p in noisy]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_unrelated_partitions_do_not_agree():
    partitions = np.random.default_rng(0).integers(0, 20, (40, 200))
    # Single values spread by about 0.01; the mean of 780 of 40 partitions by less.
    assert abs(mean_agreement(partitions)) < 0.005
    assert np.isnan(mean_agreement(partitions[:1]))


def test_without_edges():
    empty = Graph(4, np.empty(0, int), np.empty(0, int))
    found = communities(empty, n_seeds=3)
    assert np.isnan(found.best.modularity)
    assert sorted(found.consensus.tolist()) == [0, 1, 2, 3]


def test_bad_input():
    club = karate_club()
    with pytest.raises(InputError, match="34 nodes"):
        modularity(club, np.zeros(33))
    with pytest.raises(InputError, match="1 or more"):
        communities(club, n_seeds=0)
    with pytest.raises(InputError, match="no weights"):
        modularity_signed(club, np.zeros(34))
    signed = Graph(2, np.array([0]), np.array([1]), np.array([-1.0]))
    with pytest.raises(InputError, match="positive"):
        best_partition(signed, weighted=True)
