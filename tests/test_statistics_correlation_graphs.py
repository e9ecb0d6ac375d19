"""Graphs of correlations are those of the full matrix, however they are made."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.covariance import LedoitWolf

from cortiscope.errors import InputError
from cortiscope.statistics import without_means
from cortiscope.statistics.graphs import (
    correlation,
    correlation_graph,
    correlation_graph_cost,
    correlation_graphs,
    strongest_neighbours,
    strongest_pairs,
)
from cortiscope.statistics.graphs.tiles import TorchTiles

SIGNS = ("positive", "absolute", "signed")


def _edges(graph):
    return list(zip(graph.source.tolist(), graph.target.tolist(), strict=True))


def _weights(graph):
    return dict(zip(_edges(graph), graph.weight.tolist(), strict=True))


def _strength(matrix, sign):
    # Equal correlations differ in the last digits of double precision.
    values = np.round(matrix, 12)
    return values if sign == "positive" else np.abs(values)


def _densest(matrix, sign, n_edges):
    """The strongest pairs of a full matrix; of equal ones the first."""
    one, other = np.triu_indices(len(matrix), 1)
    strength = _strength(matrix[one, other], sign)
    order = np.lexsort((other, one, -strength))
    order = order[strength[order] > 0][:n_edges]
    return sorted(zip(one[order].tolist(), other[order].tolist(), strict=True))


def _nearest(matrix, sign, k):
    """The union of every node's strongest neighbours in a full matrix."""
    edges = set()
    for node, row in enumerate(_strength(matrix, sign)):
        others = np.delete(np.arange(len(matrix)), node)
        best = others[np.lexsort((others, -row[others]))][:k]
        edges |= {tuple(sorted((node, int(other)))) for other in best if row[other] > 0}
    return sorted(edges)


def _pearson(x):
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.corrcoef(x.astype(np.float64), rowvar=False)
    matrix[np.ptp(x, axis=0) == 0] = matrix[:, np.ptp(x, axis=0) == 0] = 0
    return matrix


def _activations(seed, n_stimuli, n_nodes, *, whole=False):
    rng = np.random.default_rng(seed)
    if whole:  # many correlations are exactly equal, some exactly 0, some units constant
        return rng.integers(0, 3, size=(n_stimuli, n_nodes)).astype(np.float32)
    return rng.normal(size=(n_stimuli, n_nodes)).astype(np.float32)


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles, tables and buffers so small that a few dozen nodes fill many of them."""
    monkeypatch.setattr(correlation, "_ROWS", 7)
    monkeypatch.setattr(correlation, "_COLUMNS", 19)
    monkeypatch.setattr(correlation, "_DEVICE_ROWS", 8)
    monkeypatch.setattr(correlation, "_DEVICE_COLUMNS", 17)
    monkeypatch.setattr(strongest_pairs, "_ROOM", 64)
    monkeypatch.setattr(strongest_pairs, "_CAPACITY", 1)
    monkeypatch.setattr(strongest_neighbours, "_VALUES", 1000)
    monkeypatch.setattr(strongest_neighbours, "_SPARE", 2)


_CASES = {
    "seed": st.integers(0, 10_000),
    "n_stimuli": st.integers(3, 40),
    "n_nodes": st.integers(2, 120),
    "whole": st.booleans(),
    "sign": st.sampled_from(SIGNS),
}


@settings(max_examples=60, deadline=None)
@given(**_CASES, density=st.floats(0.01, 1.0))
@example(seed=0, n_stimuli=3, n_nodes=90, whole=True, sign="absolute", density=0.3)
def test_a_density_keeps_the_strongest_pairs_of_the_full_matrix(
    seed, n_stimuli, n_nodes, whole, sign, density
):
    x = _activations(seed, n_stimuli, n_nodes, whole=whole)
    matrix = _pearson(x)
    graph = correlation_graph(x, density=density, sign=sign)
    wanted = _densest(matrix, sign, round(density * n_nodes * (n_nodes - 1) / 2))
    assert _edges(graph) == wanted
    expected = matrix[graph.source, graph.target]
    expected = np.abs(expected) if sign == "absolute" else expected
    np.testing.assert_allclose(graph.weight, expected, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(**_CASES, share=st.floats(0.01, 1.0))
@example(seed=0, n_stimuli=3, n_nodes=90, whole=True, sign="signed", share=0.2)
def test_neighbours_are_the_union_of_the_strongest_of_each_node(
    seed, n_stimuli, n_nodes, whole, sign, share
):
    x = _activations(seed, n_stimuli, n_nodes, whole=whole)
    k = max(1, min(round(share * n_nodes), n_nodes - 1))
    graph = correlation_graph(x, n_neighbours=k, sign=sign)
    assert _edges(graph) == _nearest(_pearson(x), sign, k)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.usefixtures("small_tiles")
def test_many_tiles_give_what_one_gives(sign, whole):
    for seed, n_nodes in ((0, 43), (1, 150), (2, 201)):
        x = _activations(seed, 12, n_nodes, whole=whole)
        matrix = _pearson(x)
        for density in (0.02, 0.3, 1.0):
            n_edges = round(density * n_nodes * (n_nodes - 1) / 2)
            graph = correlation_graph(x, density=density, sign=sign)
            assert _edges(graph) == _densest(matrix, sign, n_edges)
        for k in (1, 5, 40):
            graph = correlation_graph(x, n_neighbours=k, sign=sign)
            assert _edges(graph) == _nearest(matrix, sign, k)


@pytest.mark.parametrize("method", ["pearson", "partial"])
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.usefixtures("small_tiles")
def test_a_device_gives_the_same_edges(sign, method, monkeypatch):
    x = _activations(3, 20, 150, whole=True)
    ways = ({"density": 0.1}, {"n_neighbours": 6})
    here = [correlation_graph(x, sign=sign, method=method, **way) for way in ways]

    class OfTorch(TorchTiles):
        def __init__(self, vectors, product_sign, absolute, device):
            assert device == "cuda"
            super().__init__(vectors, product_sign, absolute, "cpu")

    monkeypatch.setattr(correlation, "TorchTiles", OfTorch)
    before = torch.get_float32_matmul_precision()
    for way, expected in zip(ways, here, strict=True):
        torch.set_float32_matmul_precision("medium")  # what others allow does not matter here
        try:
            graph = correlation_graph(x, sign=sign, method=method, device="cuda", **way)
            assert torch.get_float32_matmul_precision() == "medium"
        finally:
            torch.set_float32_matmul_precision(before)
        np.testing.assert_array_equal(graph.source, expected.source)
        np.testing.assert_array_equal(graph.target, expected.target)
        np.testing.assert_allclose(graph.weight, expected.weight, atol=2e-6)


def test_equal_units_take_their_edges_by_number():
    x = np.repeat(np.random.default_rng(0).normal(size=(20, 1)), 12, axis=1).astype(np.float32)
    x *= 2.0 ** np.arange(12)  # correlations of exactly 1 between all
    assert _edges(correlation_graph(x, density=3 / 66)) == [
        (0, 1),
        (0, 2),
        (0, 3),
    ]
    neighbours = _edges(correlation_graph(x, n_neighbours=1))
    assert neighbours == [(0, node) for node in range(1, 12)]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(4, 40),
    st.integers(3, 60),
    st.booleans(),
    st.floats(0.05, 0.5),
)
def test_spearman_is_that_of_scipy(seed, n_stimuli, n_nodes, whole, density):
    x = _activations(seed, n_stimuli, n_nodes, whole=whole)
    x = x[:, np.ptp(x, axis=0) > 0]
    if x.shape[1] < 3:
        return
    matrix = spearmanr(x).statistic
    graph = correlation_graph(x, method="spearman", sign="signed", density=density)
    n_edges = round(density * x.shape[1] * (x.shape[1] - 1) / 2)
    assert _edges(graph) == _densest(matrix, "signed", n_edges)
    np.testing.assert_allclose(graph.weight, matrix[graph.source, graph.target], atol=2e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 80), st.integers(3, 80))
def test_partial_correlations_are_those_of_scikit_learn(seed, n_stimuli, n_nodes):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(n_nodes, n_nodes)) * rng.uniform(0, 1, size=n_nodes)
    x = (rng.normal(size=(n_stimuli, n_nodes)) @ mixing).astype(np.float32) + 100 * mixing[0]
    z = x.astype(np.float32).astype(np.float64)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    precision = LedoitWolf(assume_centered=True).fit(z).precision_
    scale = np.sqrt(np.diag(precision))
    partial = -precision / np.outer(scale, scale)
    graph = correlation_graph(x, method="partial", sign="signed", density=1.0)
    # All but those that are zero to the last digit.
    assert graph.n_edges >= 0.99 * n_nodes * (n_nodes - 1) / 2
    np.testing.assert_allclose(graph.weight, partial[graph.source, graph.target], atol=1e-5)


def test_a_partial_correlation_does_not_see_what_goes_through_another_unit():
    rng = np.random.default_rng(0)
    first = rng.normal(size=4000)
    second = first + rng.normal(size=4000)
    third = second + rng.normal(size=4000)
    x = np.stack([first, second, third, np.full(4000, 3.0)], axis=1)
    weights = _weights(correlation_graph(x, density=0.5))
    assert weights[0, 2] > 0.5
    partial = correlation_graph(x, method="partial", sign="signed", density=0.5)
    weights = _weights(partial)
    assert abs(weights[0, 2]) < 0.05
    assert weights[0, 1] > 0.5


def test_units_that_do_not_vary_have_no_edges():
    x = _activations(0, 30, 20)
    x[:, [4, 11]] = 1e4, 0.1
    for way in ({"density": 1.0}, {"n_neighbours": 19}):
        for method in ("pearson", "spearman", "partial"):
            graph = correlation_graph(x, sign="signed", method=method, **way)
            assert np.flatnonzero(graph.degrees == 0).tolist() == [4, 11]
            assert np.isfinite(graph.weight).all()
            assert graph.n_edges == 18 * 17 / 2


def test_large_means_and_scales_change_nothing():
    x = _activations(0, 50, 60) * np.logspace(-3, 3, 60) + np.logspace(3, -3, 60)
    x = x.astype(np.float32)
    matrix = _pearson(x)
    graph = correlation_graph(x, density=0.1)
    assert _edges(graph) == _densest(matrix, "positive", 177)
    np.testing.assert_allclose(graph.weight, matrix[graph.source, graph.target], atol=2e-6)
    assert _edges(correlation_graph(x, n_neighbours=4)) == _nearest(matrix, "positive", 4)


def test_densities_of_one_pass_are_those_of_a_pass_each():
    x = _activations(0, 40, 90)
    densities = (0.02, 0.3, 0.1)
    for density, graph in zip(densities, correlation_graphs(x, densities), strict=True):
        assert _weights(graph) == _weights(correlation_graph(x, density=density))


def test_memory_stays_far_below_the_full_matrix(monkeypatch):
    monkeypatch.setattr(correlation, "_ROWS", 256)
    monkeypatch.setattr(correlation, "_COLUMNS", 512)
    x = _activations(0, 8, 6000)
    full = 6000 * 6000 * 4
    for way in ({"density": 0.002}, {"n_neighbours": 5}):
        tracemalloc.start()
        graph = correlation_graph(x, **way)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert graph.n_edges >= 15_000
        assert peak < full / 2


@pytest.mark.parametrize("way", [{"density": 0.02}, {"n_neighbours": 20}])
def test_what_a_graph_would_take_is_told_before(way):
    small = correlation_graph_cost(5, 900, **way)
    x = _activations(0, 5, 900)
    tracemalloc.start()
    graph = correlation_graph(x, **way)
    peak = tracemalloc.get_traced_memory()[1] + x.nbytes
    tracemalloc.stop()
    assert graph.n_edges <= small.n_edges <= 2 * graph.n_edges
    assert peak <= small.peak_memory
    large = correlation_graph_cost(5, 90_000, **way)
    assert large.n_edges >= 100 * small.n_edges
    assert large.seconds > 0
    # Far below the matrix, of 32 GB, where the edges are.
    assert small.peak_memory < large.peak_memory < 10e9
    with pytest.raises(InputError, match="either a density or n_neighbours"):
        correlation_graph_cost(5, 900)


def test_a_unit_that_is_the_same_in_a_frame_is_nothing_without_its_mean():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(60, 5)) + 100).astype(np.float32)
    frame = rng.permutation(np.repeat([0, 1, 2], 20))
    x[frame == 1, 2] = 0.1
    left = without_means(x, frame)
    for level in range(3):
        own = x[frame == level].astype(np.float64)
        np.testing.assert_allclose(left[frame == level], own - own.mean(axis=0), atol=1e-12)
    assert not left[frame == 1, 2].any()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"density": None}, "either a density or n_neighbours"),
        ({"n_neighbours": 3}, "either a density or n_neighbours"),
        ({"density": 1.5}, "density is 1.5"),
        ({"density": None, "n_neighbours": 10}, "a number from 1 to 9"),
        ({"method": "kendall"}, "no correlation 'kendall'"),
        ({"sign": "negative"}, "no sign 'negative'"),
        ({"device": "abacus"}, "device 'abacus' cannot be used"),
        ({"x": np.zeros((2, 10))}, "three stimuli"),
        ({"x": np.full((5, 10), np.nan)}, "stimulus 0, unit 0 is nan"),
    ],
)
def test_bad_input_is_told_in_a_sentence(changed, message):
    call = {"x": _activations(0, 30, 10), "density": 0.1, **changed}
    with pytest.raises(InputError, match=message):
        correlation_graph(call.pop("x"), **call)
