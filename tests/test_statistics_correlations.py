"""Correlations over a few items agree with scipy, and intervals and power hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cortiscope import InputError
from cortiscope.statistics import (
    correlation_draws,
    pearson_correlations,
    percentile_interval,
    permute_few,
    smallest_detectable_correlation,
)


@given(seed=st.integers(0, 2**16), n=st.integers(3, 30), offset=st.floats(-1e3, 1e3))
def test_correlations_are_those_of_scipy(seed, n, offset):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n)) + offset
    assert float(pearson_correlations(x, y)) == pytest.approx(stats.pearsonr(x, y)[0], abs=1e-9)


@given(value=st.floats(-1e6, 1e6), n=st.integers(1, 20))
def test_what_does_not_vary_has_no_correlation(value, n):
    assert np.isnan(pearson_correlations(np.full(n, value), np.arange(n, dtype=float)))


def test_few_items_are_permuted_in_every_way_equally_often():
    orders = permute_few(4, 60)
    everything = np.vstack([np.arange(4), orders])
    rows, counts = np.unique(everything, axis=0, return_counts=True)
    assert len(rows) == math.factorial(4)
    assert set(counts) == {3}
    assert len(orders) >= 60
    many = permute_few(8, 200, seed=3)
    assert many.shape == (200, 8)
    assert (np.sort(many, axis=1) == np.arange(8)).all()
    with pytest.raises(InputError, match="n_permutations"):
        permute_few(4, 0)


@pytest.mark.parametrize("truth", [0.0, -0.8])
def test_the_interval_of_ten_items_holds_the_truth_as_often_as_it_says(truth):
    rng = np.random.default_rng(1)
    n_held, n_samples = 0, 400
    for _ in range(n_samples):
        x, noise = rng.normal(size=(2, 10))
        y = truth * x + math.sqrt(1 - truth**2) * noise
        without = [pearson_correlations(np.delete(x, i), np.delete(y, i)) for i in range(10)]
        draws = correlation_draws(float(pearson_correlations(x, y)), np.array(without), 400)
        low, high = percentile_interval(draws)
        n_held += low <= truth <= high
    assert 0.92 <= n_held / n_samples <= 0.985


def test_the_draws_have_students_t_in_them():
    without = np.array([0.3, 0.5, 0.45, 0.6, 0.4])
    draws = correlation_draws(0.45, without, 10_000)
    z = np.arctanh(without)
    error = math.sqrt(4 / 5 * ((z - z.mean()) ** 2).sum())
    wanted = np.tanh(np.arctanh(0.45) + error * stats.t.ppf([0.025, 0.975], 4))
    np.testing.assert_allclose(
        np.quantile(draws, [0.025, 0.975], method="hazen"), wanted, rtol=1e-5
    )
    np.testing.assert_allclose(percentile_interval(draws), wanted, atol=1e-3)
    assert np.isnan(correlation_draws(0.4, np.array([0.4, np.nan, 0.5]), 3)).all()


@pytest.mark.parametrize("n", [10, 30])
def test_a_correlation_of_that_size_is_found_four_times_in_five(n):
    truth = smallest_detectable_correlation(n)
    rng = np.random.default_rng(2)
    x, noise = rng.normal(size=(2, 2000, n))
    y = truth * x + math.sqrt(1 - truth**2) * noise
    found = stats.pearsonr(x, y, axis=1).pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.04)
    assert math.isnan(smallest_detectable_correlation(3))
