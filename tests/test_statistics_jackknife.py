"""The delete-d jackknife over words: its variance is the statistic's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortiscope import InputError
from cortiscope.statistics import jackknife_draws, jackknife_words, percentile_interval


@given(
    sizes=st.lists(st.integers(2, 30), min_size=1, max_size=4),
    left_out=st.floats(0.01, 0.99),
    seed=st.integers(0, 5),
)
def test_every_subset_leaves_out_the_same_share_of_each_category(sizes, left_out, seed):
    label = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    kept = jackknife_words(label, n_jackknife=7, left_out=left_out, seed=seed)
    assert kept.shape == (7, len(label))
    for category, size in enumerate(sizes):
        counts = kept[:, label == category].sum(axis=1)
        assert len(set(counts)) == 1
        assert 1 <= counts[0] <= size - 1
        assert abs(size - counts[0] - left_out * size) <= 1


def test_every_word_is_left_out_as_often_and_seeds_repeat():
    kept = jackknife_words(np.zeros(20, dtype=int), n_jackknife=4000, left_out=0.25, seed=3)
    # Binomial with 4,000 draws of 0.25: five standard deviations are 137.
    assert np.abs((~kept).sum(axis=0) - 1000).max() < 137
    again = jackknife_words(np.zeros(20, dtype=int), n_jackknife=4000, left_out=0.25, seed=3)
    assert (kept == again).all()
    other = jackknife_words(np.zeros(20, dtype=int), n_jackknife=4000, left_out=0.25, seed=4)
    assert (kept != other).any()


@pytest.mark.parametrize("left_out", [0.1, 0.2, 0.5])
def test_the_variance_of_a_mean_is_that_of_theory(left_out):
    """Over all subsets it is s² / n exactly (Shao & Wu 1989), whatever share is left out."""
    x = np.random.default_rng(0).normal(size=60) ** 3
    kept = jackknife_words(np.zeros(60, dtype=int), n_jackknife=20_000, left_out=left_out)
    draws = jackknife_draws(x.mean(), (kept @ x) / kept.sum(axis=1), kept)
    assert draws.mean() == pytest.approx(x.mean(), abs=1e-12)
    # The variance of 20,000 draws, nearly normal, is known to about 1%.
    assert draws.var() / (x.var(ddof=1) / 60) == pytest.approx(1.0, abs=0.05)


def _correlations(x, y, kept):
    weights = kept / kept.sum(axis=1, keepdims=True)

    def mean(values):
        return weights @ values

    covariance = mean(x * y) - mean(x) * mean(y)
    return covariance / np.sqrt((mean(x**2) - mean(x) ** 2) * (mean(y**2) - mean(y) ** 2))


def test_the_variance_of_a_correlation_is_that_over_data_sets():
    rng = np.random.default_rng(1)
    estimates, variances, covered = [], [], []
    for seed in range(300):
        shared = rng.normal(size=80)
        x, y = (shared + rng.normal(size=80) for _ in range(2))
        kept = jackknife_words(np.zeros(80, dtype=int), n_jackknife=200, seed=seed)
        estimate = np.corrcoef(x, y)[0, 1]
        draws = jackknife_draws(estimate, _correlations(x, y, kept), kept)
        low, high = percentile_interval(draws)
        estimates.append(estimate)
        variances.append(draws.var())
        covered.append(low < 0.5 < high)
    # A ratio of variances over 300 data sets is known to about 8%; coverage of 95% to 1.3%.
    assert np.mean(variances) / np.var(estimates) == pytest.approx(1.0, abs=0.25)
    assert np.mean(covered) > 0.90


def test_places_are_spread_each_by_itself_and_the_undefined_stays_undefined():
    kept = jackknife_words(np.zeros(10, dtype=int), n_jackknife=50)
    replicates = np.random.default_rng(0).normal(size=(50, 2))
    replicates[3, 1] = np.nan
    draws = jackknife_draws(np.array([0.5, 2.0]), replicates, kept)
    alone = jackknife_draws(0.5, replicates[:, 0], kept)
    np.testing.assert_allclose(draws[:, 0], alone, rtol=1e-12)
    assert alone.mean() == pytest.approx(0.5)
    assert np.isnan(draws[:, 1]).all()


def test_what_cannot_be_left_out_is_said():
    with pytest.raises(InputError, match="one word only"):
        jackknife_words(np.array([0, 0, 1]))
    for share in (0.0, 1.0, -0.5, 2.0):
        with pytest.raises(InputError, match="between 0 and 1"):
            jackknife_words(np.zeros(10, dtype=int), left_out=share)
