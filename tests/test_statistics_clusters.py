"""Clusters agree with networkx and scipy, and their test keeps its error rate."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import binomtest

from cortiscope.statistics import (
    Null,
    d_prime_of_members,
    largest_clusters,
    line_neighbours,
    nearest_neighbours,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 30), st.floats(0.0, 1.5))
def test_they_are_the_connected_components(seed, n, threshold):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(4, n))
    neighbours = nearest_neighbours(rng.normal(size=(n, 2)), 3)
    found = largest_clusters(values, neighbours, threshold)
    graph = nx.from_scipy_sparse_array(neighbours)
    for row, mass, total, is_in in zip(values, found.mass, found.total, found.is_in, strict=True):
        above = np.flatnonzero(row > threshold)
        masses = {
            frozenset(part): row[list(part)].sum()
            for part in nx.connected_components(graph.subgraph(above))
        }
        assert mass == pytest.approx(max(masses.values(), default=0.0))
        assert total == pytest.approx(row[above].sum())
        members = frozenset(np.flatnonzero(is_in))
        assert (members in masses) if masses else not members


def test_runs_in_a_line_are_those_of_scipy():
    values = np.random.default_rng(0).normal(size=300)
    runs, n_runs = ndimage.label(values > 0.3)
    masses = ndimage.sum_labels(values, runs, np.arange(1, n_runs + 1))
    found = largest_clusters(values[None], line_neighbours(300), 0.3)
    assert found.mass[0] == pytest.approx(masses.max())
    assert found.share[0] == pytest.approx(masses.max() / masses.sum())
    assert (found.is_in[0] == (runs == masses.argmax() + 1)).all()


def test_many_maps_are_the_same_as_one_by_one(monkeypatch):
    values = np.random.default_rng(1).normal(size=(20, 50))
    neighbours = line_neighbours(50, 2)
    whole = largest_clusters(values, neighbours, 1.0)
    monkeypatch.setattr("cortiscope.statistics.clusters._UNITS_AT_ONCE", 60)
    parts = largest_clusters(values, neighbours, 1.0)
    for name in ("mass", "total", "is_in"):
        assert (getattr(whole, name) == getattr(parts, name)).all()


def test_without_an_effect_the_test_of_masses_keeps_its_level():
    """Words in two categories at random, units that vary together; 400 maps."""
    rng = np.random.default_rng(2)
    n_words, neighbours = 24, line_neighbours(40)
    everything = np.ones(n_words, dtype=bool)
    rejected = 0
    for _ in range(400):
        z = rng.normal(size=(n_words, 42))
        z = z[:, :-2] + z[:, 1:-1] + z[:, 2:]
        labels = rng.permuted(np.tile(np.arange(n_words) % 2, (40, 1)), axis=1)
        d_prime = d_prime_of_members(z, (labels == 0)[:, None], everything)[:, 0]
        mass = largest_clusters(d_prime, neighbours, 0.6).mass
        rejected += Null(mass[1:]).p_value(mass[0]) <= 0.05
    # p is one of 1/40, 2/40, ...: the level is exactly .05, less what equal masses take away.
    assert binomtest(int(rejected), 400, 0.05, alternative="greater").pvalue > 0.001
