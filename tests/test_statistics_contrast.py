"""A contrast of two kinds of words, against scipy, and held-out halves against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from cortiscope.errors import InputError
from cortiscope.statistics import (
    ContrastWords,
    HeldOut,
    Welch,
    any_units,
    matched_units,
    size_bins,
    standardised,
    welch,
)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 20), st.integers(2, 20), st.integers(0, 10_000), st.sampled_from([0.0, 1e4]))
def test_welch_is_scipys(n: int, n_other: int, seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + n_other, 7)) * rng.uniform(0.1, 10, 7) + offset
    x[:n] += rng.normal(size=7)
    found, p_value = welch(x, np.arange(n + n_other) < n)
    one, other = x[:n], x[n:]
    expected = ttest_ind(one, other, equal_var=False, alternative="greater")
    np.testing.assert_allclose(found.t, expected.statistic, rtol=1e-6)
    np.testing.assert_allclose(p_value, expected.pvalue, rtol=1e-6, atol=1e-12)
    spread = np.sqrt((one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / 2)
    difference = one.mean(axis=0) - other.mean(axis=0)
    np.testing.assert_allclose(found.d_prime, difference / spread, rtol=1e-6)


def test_constant_units_have_no_preference() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    x[:, 1] = 1234.5
    found, p_value = welch(x, np.arange(20) < 10)
    assert found.t[1] == 0
    assert found.d_prime[1] == 0
    assert p_value[1] >= 0.5


def words(seed: int = 0) -> tuple[ContrastWords, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    is_positive = rng.permutation(np.arange(48) < 26)
    stratum = np.arange(48) // 12
    return ContrastWords.deal(is_positive, stratum, n_splits=3), is_positive, stratum


def test_halves_are_alike_in_kind_and_stratum() -> None:
    dealt, is_positive, stratum = words()
    for split in dealt.in_first:
        for kind in (True, False):
            assert abs(split[is_positive == kind].mean() - 0.5) < 0.05
        for at in range(4):
            n = split[stratum == at].sum()
            assert 5 <= n <= 7


def test_halves_of_permuted_words_are_those_of_permuted_data() -> None:
    dealt, is_positive, stratum = words()
    x = np.random.default_rng(1).normal(size=(48, 5))
    orders = dealt.orders(4)
    assert (stratum[orders] == stratum).all()
    found = np.concatenate([part.t for part in dealt.halves(standardised(x), order=orders)])
    assert found.shape == (4, 3, 2, 5)
    for draw, order in enumerate(orders):
        moved = x[order]
        for split, in_first in enumerate(dealt.in_first):
            for half, is_in in enumerate((in_first, ~in_first)):
                expected = ttest_ind(
                    moved[is_positive & is_in], moved[~is_positive & is_in], equal_var=False
                )
                np.testing.assert_allclose(found[draw, split, half], expected.statistic)


def test_halves_of_some_words_are_those_of_fewer() -> None:
    dealt, is_positive, _ = words()
    x = np.random.default_rng(2).normal(size=(48, 5))
    kept = np.random.default_rng(3).random((3, 48)) < 0.8
    found = np.concatenate([part.t for part in dealt.halves(standardised(x), kept=kept)])
    for draw, counts in enumerate(kept):
        is_in = dealt.in_first[1] & counts
        expected = ttest_ind(x[is_positive & is_in], x[~is_positive & is_in], equal_var=False)
        np.testing.assert_allclose(found[draw, 1, 0], expected.statistic)


def test_what_is_chosen_is_measured_on_the_other_half() -> None:
    rng = np.random.default_rng(0)
    t, d_prime = rng.normal(size=(2, 4, 3, 2, 20))
    found = HeldOut.of(Welch(t, d_prime), 3)
    expected = np.zeros(4)
    overlap = np.zeros(4)
    for draw in range(4):
        for split in range(3):
            tops = [set(np.argsort(t[draw, split, half])[-3:]) for half in (0, 1)]
            for half in (0, 1):
                expected[draw] += d_prime[draw, split, 1 - half, list(tops[half])].mean() / 6
            overlap[draw] += len(tops[0] & tops[1]) / 9
    np.testing.assert_allclose(found.d_prime, expected)
    np.testing.assert_allclose(found.overlap, overlap)


def test_choice_does_not_flatter_noise() -> None:
    rng = np.random.default_rng(0)
    dealt = ContrastWords.deal(np.arange(60) < 30, n_splits=2)
    estimates = []
    for _ in range(60):
        z = standardised(rng.normal(size=(60, 200)))
        [halves] = dealt.halves(z)
        estimates.append(HeldOut.of(halves, 4).d_prime[0])
    standard_error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates)) < 4 * standard_error


def test_too_few_words_are_refused() -> None:
    with pytest.raises(InputError, match="5 words against 15"):
        ContrastWords.deal(np.arange(20) < 5)


def test_strata_of_one_kind_cannot_be_permuted() -> None:
    is_positive = np.arange(20) < 10
    dealt = ContrastWords.deal(is_positive, is_positive.astype(np.intp))
    with pytest.raises(InputError, match="words of one kind"):
        dealt.orders(10)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(0, 10_000))
def test_bins_hold_every_unit_once_and_units_alike(n_units: int, seed: int) -> None:
    size = np.exp(np.random.default_rng(seed).normal(size=n_units))
    bins = size_bins(size)
    assert sorted(np.concatenate(bins).tolist()) == list(range(n_units))
    for units in bins:
        assert 1 <= len(units) <= 16
        assert size[units].max() <= 1.25 * size[units].min() * (1 + 1e-12)


def test_matched_sets_have_as_many_units_of_each_bin() -> None:
    rng = np.random.default_rng(0)
    size = np.exp(rng.normal(size=100))
    chosen = rng.choice(100, 20, replace=False)
    drawn = matched_units(chosen, size, 50, rng)
    assert drawn.shape == (50, 20)
    assert all(len(set(row)) == 20 for row in drawn.tolist())
    for units in size_bins(size):
        assert (np.isin(drawn, units).sum(axis=1) == np.isin(units, chosen).sum()).all()


def test_units_of_a_bin_are_drawn_alike() -> None:
    drawn = matched_units(np.array([0]), np.ones(16), 3200, np.random.default_rng(0))
    counts = np.bincount(drawn.ravel(), minlength=16)
    # Binomial(3200, 1/16): five standard deviations.
    assert abs(counts - 200).max() < 5 * np.sqrt(3200 / 16 * 15 / 16)
    any_of = any_units(2, 16, 10, np.random.default_rng(0))
    assert all(len(set(row)) == 2 for row in any_of.tolist())


def test_no_draw_is_refused() -> None:
    with pytest.raises(InputError, match="n_draws is 0"):
        matched_units(np.array([0]), np.ones(4), 0, np.random.default_rng(0))
