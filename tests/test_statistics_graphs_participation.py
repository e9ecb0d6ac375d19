"""Participation, within-module z and roles: known answers and the brain toolbox."""

import bct
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.statistics.graphs import ROLES, Graph, hubs, participation, within_module_z
from graphs import graphs, to_matrix


@settings(max_examples=60, deadline=None)
@given(graphs(weighted=True), st.integers(1, 40), st.integers(0, 1000), st.booleans())
def test_they_equal_the_brain_toolbox(graph, n_modules, seed, weighted):
    partition = np.random.default_rng(seed).integers(0, n_modules, graph.n_nodes)
    matrix = to_matrix(graph)
    matrix = matrix if weighted else (matrix > 0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = bct.participation_coef(matrix, partition)
        z = bct.module_degree_zscore(matrix, partition)
    found = participation(graph, partition, weighted=weighted)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    z[np.abs(z) > 1e6] = 0  # the toolbox divides rounding by rounding
    # Where all nodes of a module have as much, up to rounding, z is 0; else it is the toolbox's.
    mine = within_module_z(graph, partition, weighted=weighted)
    np.testing.assert_allclose(mine[mine != 0], z[mine != 0], rtol=1e-4, atol=1e-5)
    if not weighted:
        np.testing.assert_allclose(mine, z, atol=1e-9)


def test_all_edges_inside_the_module():
    triangles = Graph(6, np.array([0, 0, 1, 3, 3, 4]), np.array([1, 2, 2, 4, 5, 5]))
    assert participation(triangles, [0, 0, 0, 1, 1, 1]).tolist() == [0.0] * 6


def test_edges_spread_evenly():
    star = Graph(5, np.zeros(4, int), np.arange(1, 5))
    assert participation(star, np.arange(5))[0] == pytest.approx(1 - 1 / 4)


def test_nodes_without_edges():
    graph = Graph(3, np.array([0]), np.array([1]))
    assert participation(graph, [0, 1, 2]).tolist() == [0.0, 0.0, 0.0]
    assert within_module_z(graph, [0, 1, 2]).tolist() == [0.0, 0.0, 0.0]


def test_more_modules_than_fit_a_table():
    rng = np.random.default_rng(0)
    graph = Graph.from_pairs(3000, rng.integers(0, 3000, 4000), rng.integers(0, 3000, 4000))
    partition = rng.permutation(3000)
    degrees = graph.degrees
    expected = np.where(degrees > 0, 1 - 1 / np.maximum(degrees, 1), 0)  # each to its own
    np.testing.assert_allclose(participation(graph, partition), expected)


def _role_of_a_centre(n_inside, outside):
    """Role of a node with so many neighbours in its module, and so many in each other one."""
    n_inside_nodes = n_inside + 5
    sizes = [1 + n_inside_nodes, *outside]
    partition = np.repeat(np.arange(len(sizes)), sizes)
    first_outside = 1 + n_inside_nodes
    ends = np.concatenate([1 + np.arange(n_inside), first_outside + np.arange(sum(outside))])
    return ROLES[hubs(Graph(len(partition), np.zeros(len(ends), int), ends), partition).role[0]]


@pytest.mark.parametrize(
    ("n_inside", "outside", "role"),
    [
        (30, [], "provincial hub"),  # P = 0
        (30, [20], "connector hub"),  # P = 1 - (9 + 4) / 25 = .48
        (30, [20] * 8, "kinless hub"),  # P = 1 - (900 + 3200) / 190² = .886
        (0, [4], "ultra-peripheral"),  # P = 0
        (0, [4, 4], "peripheral"),  # P = .5
        (0, [4] * 4, "connector"),  # P = .75
        (0, [4] * 8, "kinless"),  # P = .875
    ],
)
def test_roles(n_inside, outside, role):
    assert _role_of_a_centre(n_inside, outside) == role


def test_a_partition_that_does_not_fit():
    graph = Graph(3, np.array([0]), np.array([1]))
    with pytest.raises(InputError, match="3 nodes"):
        participation(graph, [0, 1])
