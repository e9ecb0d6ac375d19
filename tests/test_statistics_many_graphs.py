"""Graphs that are partitioned together are partitioned as each would be by itself."""

import numpy as np
import pytest

from cortiscope.statistics import random_frame
from cortiscope.statistics.graphs import Graph, best_partition, best_partitions, correlation_graphs


def _graphs(density, n=40, n_units=60):
    rng = np.random.default_rng(0)
    spread = np.arange(1, n_units + 1) ** -0.5
    return [
        correlation_graphs(
            (rng.normal(size=(80, n_units)) * spread) @ random_frame(n_units, n_units, rng),
            [density],
        )[0]
        for _ in range(n)
    ]


@pytest.mark.parametrize("density", [0.05, 0.2])
def test_their_modularity_is_as_high(density):
    """To the chance of Leiden's starts, whose mean over graphs has this standard error."""
    graphs = _graphs(density)
    alone = np.array([best_partition(graph, 1).modularity for graph in graphs])
    again = np.array([best_partition(graph, 1, seed=1).modularity for graph in graphs])
    together = np.array([best.modularity for best in best_partitions(graphs)])
    error = (again - alone).std() / np.sqrt(len(graphs))
    assert (together - alone).mean() == pytest.approx(0, abs=4 * error)
    assert np.abs(together - alone).max() < 6 * (again - alone).std()


def test_modules_that_are_plain_are_found_in_each():
    """Cliques, of other sizes in each graph, with as many edges."""
    five = np.array([(i, j) for i in range(5) for j in range(i)])
    two_fives = Graph.from_pairs(10, *np.concatenate([five, five + 5]).T)
    four = np.array([(i, j) for i in range(4) for j in range(i)])
    ring = np.array([[16, 17], [17, 18]])
    fours = [four, four + 4, four + 8]
    three_fours = Graph.from_pairs(19, *np.concatenate([*fours, ring]).T)
    assert two_fives.n_edges == three_fours.n_edges
    found = best_partitions([two_fives, three_fours] * 3, 3)
    for best in found[::2]:
        assert best.partition.tolist() == [0] * 5 + [1] * 5
    for best in found[1::2]:
        assert [len(set(best.partition[i : i + 4])) for i in (0, 4, 8)] == [1, 1, 1]
        assert len(set(best.partition[:12])) == 3
        assert len(set(best.partition[16:])) == 1


def test_graphs_may_differ_in_edges_and_have_none():
    graphs = [*_graphs(0.05, 2), *_graphs(0.1, 2), Graph(4, np.empty(0, int), np.empty(0, int))]
    found = best_partitions(graphs)
    assert [len(best.partition) for best in found] == [60, 60, 60, 60, 4]
    assert np.isnan(found[-1].modularity)
    assert best_partitions([]) == []
    again = best_partitions(graphs)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.partition, other.partition)
