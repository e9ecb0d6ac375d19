"""Moran's I of grids whose value is known, and agreement with its definition and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors

from cortiscope import InputError
from cortiscope.statistics import (
    expected_morans_i,
    line_neighbours,
    morans_i,
    nearest_neighbours,
    smoothed,
)

ROWS, COLUMNS = np.indices((8, 8)).reshape(2, -1)
ROOK = csr_array(
    (abs(ROWS[:, None] - ROWS) + abs(COLUMNS[:, None] - COLUMNS) == 1).astype(np.float64)
)


def test_known_maps_of_a_grid():
    checkerboard = (ROWS + COLUMNS) % 2
    half = (COLUMNS < 4).astype(float)
    assert morans_i(np.stack([checkerboard, half]), ROOK) == pytest.approx([-1, 6 / 7])


def test_expectation_over_arrangements():
    """Mean of 4,000 arrangements, whose standard error is known from their spread."""
    rng = np.random.default_rng(0)
    values = rng.permuted(np.tile(rng.exponential(size=64), (4000, 1)), axis=1)
    found = morans_i(values, ROOK)
    assert expected_morans_i(64) == -1 / 63
    assert abs(found.mean() + 1 / 63) < 4 * found.std() / np.sqrt(4000)


def by_definition(values, weights):
    n, total, size = len(values), 0.0, 0.0
    deviation = values - values.mean()
    for i in range(n):
        size += deviation[i] ** 2
        for j in range(n):
            total += weights[i, j] * deviation[i] * deviation[j]
    return n / weights.sum() * total / size


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 20), st.integers(1, 3))
def test_it_is_the_definition(seed, n, n_neighbours):
    rng = np.random.default_rng(seed)
    weights = nearest_neighbours(rng.normal(size=(n, 2)), n_neighbours)
    values = rng.normal(size=(2, 3, n))
    found = morans_i(values, weights)
    assert found.shape == (2, 3)
    for place in np.ndindex(2, 3):
        assert found[place] == pytest.approx(by_definition(values[place], weights.toarray()))
    np.testing.assert_allclose(morans_i(3 - 7 * values, weights), found)


def test_a_map_without_variance_has_none():
    assert np.isnan(morans_i(np.ones((1, 64)), ROOK)).all()


def test_neighbours_are_those_of_scikit_learn():
    positions = np.random.default_rng(1).normal(size=(60, 2))
    reference = NearestNeighbors(n_neighbors=5).fit(positions).kneighbors_graph()
    assert (nearest_neighbours(positions, 5).toarray() == reference.toarray()).all()


@settings(max_examples=30, deadline=None)
@given(arrays(np.int64, (12, 2), elements=st.integers(0, 2)))
def test_units_in_one_place_are_never_their_own_neighbours(positions):
    found = nearest_neighbours(positions.astype(float), 4).toarray()
    assert (found.sum(axis=1) == 4).all()
    assert (np.diag(found) == 0).all()


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_neighbours_in_a_line(reach):
    index = np.arange(9)
    apart = abs(index[:, None] - index)
    assert (line_neighbours(9, reach).toarray() == ((apart <= reach) & (apart > 0))).all()


def test_smoothing_raises_it_where_there_is_nothing():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(50, 200))
    neighbours = line_neighbours(200, 2)
    raw, smooth = (morans_i(of, neighbours) for of in (noise, smoothed(noise, neighbours)))
    assert abs(raw.mean()) < 0.03
    assert smooth.min() > raw.max()


@pytest.mark.parametrize("number", [0, 9])
def test_impossible_neighbours_are_refused(number):
    with pytest.raises(InputError, match=f"{number}.*9 units"):
        nearest_neighbours(np.zeros((9, 2)), number)
    with pytest.raises(InputError, match=f"{number}.*9 units"):
        line_neighbours(9, number)
