"""Tuning against distance agrees with scipy, and finds the length of a decay."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import binned_statistic, linregress

from cortiscope.statistics import (
    fall_with_distance,
    length_of_decay,
    linear_share,
    near_similarity,
    pair_distances,
    shuffled_around_plane,
    similarity_curve,
    tuning_similarity,
    unit_pairs,
)

RNG = np.random.default_rng(0)
POSITIONS = RNG.uniform(size=(40, 2))
TUNING = RNG.normal(size=(5, 40)) + 2 * POSITIONS[:, 0]
PAIRS = unit_pairs(40)


def test_all_pairs_or_a_sample_of_them():
    one, other = unit_pairs(40)
    assert len({*zip(one.tolist(), other.tolist(), strict=True)}) == 40 * 39 / 2
    one, other = unit_pairs(1000, most=5000, seed=3)
    assert len(one) == 5000
    assert (one != other).all()
    assert [one.max(), other.max()] == [999, 999]


def test_distances_are_in_extents():
    distance = pair_distances(7 * POSITIONS, PAIRS)
    assert (distance**2).mean() == pytest.approx(1)
    np.testing.assert_allclose(distance, pair_distances(POSITIONS, PAIRS))


def test_a_unit_with_itself_is_one_and_two_at_random_are_nothing():
    itself = (np.arange(40), np.arange(40))
    assert tuning_similarity(TUNING, itself).mean() == pytest.approx(1)
    assert tuning_similarity(TUNING, PAIRS).mean() == pytest.approx(-1 / 39)


def test_the_fall_is_the_slope_of_the_regression():
    similarity, distance = tuning_similarity(TUNING, PAIRS), pair_distances(POSITIONS, PAIRS)
    assert fall_with_distance(similarity, distance) == pytest.approx(
        -linregress(distance, similarity).slope
    )
    near = distance <= np.quantile(distance, 0.05)
    expected = similarity[near].mean() - similarity.mean()
    assert near_similarity(similarity, distance) == pytest.approx(expected)


def test_the_curve_is_a_mean_in_bins():
    similarity, distance = tuning_similarity(TUNING, PAIRS), pair_distances(POSITIONS, PAIRS)
    edges = np.array([0.0, 0.3, 0.8, 1.2, 9.0, 10.0])
    expected = binned_statistic(distance, similarity, bins=edges).statistic
    np.testing.assert_allclose(similarity_curve(similarity, distance, edges), expected)
    assert np.isnan(expected[-1])


def test_the_length_of_a_decay_is_that_of_a_fit():
    distance = np.linspace(0.05, 2, 20)
    curve = 0.5 * np.exp(-distance / 0.37) - 0.1 + RNG.normal(scale=0.01, size=20)

    def decay(x, height, length, rest):
        return height * np.exp(-x / length) + rest

    expected = curve_fit(decay, distance, curve, p0=[1, 1, 0])[0][1]
    assert length_of_decay(curve, distance) == pytest.approx(expected, rel=0.05)
    gaps = np.where(np.arange(20) % 5 == 4, np.nan, curve)
    assert length_of_decay(gaps, distance) == pytest.approx(expected, rel=0.15)


def test_what_does_not_fall_has_no_length():
    distance = np.linspace(0, 2, 10)
    assert np.isnan(length_of_decay(distance, distance))
    assert np.isnan(length_of_decay(np.full(10, np.nan), distance))
    assert length_of_decay(-distance, distance) == 5.0


def test_exchange_keeps_the_plane_and_the_spread():
    unmoved = shuffled_around_plane(TUNING, POSITIONS, np.arange(40))
    np.testing.assert_allclose(unmoved, TUNING - TUNING.mean(axis=1, keepdims=True), atol=1e-12)
    exact = POSITIONS @ RNG.normal(size=(2, 3))
    assert linear_share(exact.T, POSITIONS) == pytest.approx(1)
    moved = shuffled_around_plane(exact.T, POSITIONS, RNG.permutation(40))
    np.testing.assert_allclose(moved, (exact - exact.mean(axis=0)).T, atol=1e-12)
