"""Modules of graphs with negative weights: exhaustive search, planted camps, and Leiden."""

import numpy as np
import pytest

from cortiscope.errors import InputError
from cortiscope.statistics.graphs import (
    Graph,
    best_partition,
    best_partition_signed,
    modularity_signed,
)
from graphs import karate_club, random_graph


def _signed(n_nodes, density, seed):
    graph = random_graph(n_nodes, density, seed, weighted=True)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], graph.n_edges)
    return Graph(n_nodes, graph.source, graph.target, graph.weight * signs)


def _all_partitions(n_nodes):
    """Every partition of a few nodes, as restricted growth strings."""
    partitions = [[0]]
    for _ in range(n_nodes - 1):
        partitions = [[*p, m] for p in partitions for m in range(max(p) + 2)]
    return partitions


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_best_of_all_partitions(seed):
    graph = _signed(7, 0.7, seed)
    best = max(modularity_signed(graph, partition) for partition in _all_partitions(7))
    assert best_partition_signed(graph, n_seeds=20).modularity == pytest.approx(best)


def test_two_camps_are_found_from_their_hostility_alone():
    rng = np.random.default_rng(0)
    camp = np.repeat([0, 1], 40)
    source, target = np.triu_indices(80, 1)
    there = rng.random(len(source)) < 0.2
    source, target = source[there], target[there]
    hostile = (camp[source] != camp[target]) & (rng.random(len(source)) < 0.9)
    graph = Graph(80, source, target, np.where(hostile, -1.0, 1.0))
    np.testing.assert_array_equal(best_partition_signed(graph).partition, camp)


def test_without_negative_weights_it_is_as_good_as_leiden():
    graph = random_graph(100, 0.1, seed=0, weighted=True)
    found = best_partition_signed(graph, n_seeds=20)
    leiden = best_partition(graph, n_seeds=20, weighted=True)
    assert found.modularity == pytest.approx(leiden.modularity, abs=0.01)


def test_lonely_nodes_are_alone():
    graph = Graph(4, np.array([0]), np.array([2]), np.array([1.0]))
    assert best_partition_signed(graph).partition.tolist() == [0, 1, 0, 2]
    empty = Graph(2, np.empty(0, int), np.empty(0, int), np.empty(0))
    assert np.isnan(best_partition_signed(empty).modularity)


def test_a_seed_repeats_it():
    graph = _signed(60, 0.2, 0)
    one, other = (best_partition_signed(graph, seed=2) for _ in range(2))
    np.testing.assert_array_equal(one.partition, other.partition)


def test_bad_input():
    with pytest.raises(InputError, match="no weights"):
        best_partition_signed(karate_club())
    with pytest.raises(InputError, match="1 or more"):
        best_partition_signed(_signed(5, 0.5, 0), n_seeds=0)
