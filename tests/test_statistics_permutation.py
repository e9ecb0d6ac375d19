"""Permutation p-values: exact where they can be, uniform under the null, never zero."""

import itertools

import numpy as np
import pytest
from scipy import stats

from cortiscope.errors import InputError
from cortiscope.statistics import Null, permute_within_folds


def test_labels_stay_in_their_fold_and_keep_their_counts():
    rng = np.random.default_rng(0)
    labels, folds = rng.integers(0, 3, 60), rng.integers(0, 5, 60)
    permuted, exhaustive = permute_within_folds(labels, folds, 200)
    assert not exhaustive
    for fold in range(5):
        members = folds == fold
        expected = np.bincount(labels[members], minlength=3)
        counts = np.stack([(permuted[:, members] == c).sum(axis=1) for c in range(3)], axis=1)
        assert (counts == expected).all()
    assert len(np.unique(permuted, axis=0)) == 200


def test_small_sets_are_enumerated_exactly_once():
    labels, folds = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1])
    permuted, exhaustive = permute_within_folds(labels, folds, 1000)
    brute = {
        (*first, *second)
        for first in itertools.permutations(labels[:4])
        for second in itertools.permutations(labels[4:])
    }
    assert exhaustive
    assert {tuple(row) for row in permuted} == brute
    assert len(permuted) == len(brute) == 12


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(1)
    p = [float(Null(rng.normal(size=199)).p_value(rng.normal())) for _ in range(2000)]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert min(p) >= 1 / 200


def test_maximum_statistic_keeps_the_familywise_rate():
    rng = np.random.default_rng(2)
    n_studies, n_comparisons = 1000, 20
    rejected = 0
    for _ in range(n_studies):
        common = rng.normal(size=(100, 1))  # comparisons that depend on each other
        draws = rng.normal(size=(100, n_comparisons)) + common
        p = Null(draws[1:]).corrected_p_value(draws[0])
        rejected += bool((p <= 0.05).any())
    low, high = stats.binom.interval(0.999, n_studies, 0.05)
    assert low <= rejected <= high


def test_corrected_p_values_are_never_below_the_uncorrected():
    rng = np.random.default_rng(3)
    null, observed = Null(rng.normal(size=(50, 4, 3))), rng.normal(size=(4, 3)) + 1
    assert (null.corrected_p_value(observed) >= null.p_value(observed)).all()


def test_exhaustive_null_counts_the_identity():
    null = Null(np.array([3.0, 1.0, 2.0, 0.0]), exhaustive=True)
    assert float(null.p_value(3.0)) == 0.25
    assert float(null.p_value(2.0)) == 0.5


def test_no_permutations_is_an_error():
    with pytest.raises(InputError, match="n_permutations is 0"):
        permute_within_folds(np.array([0, 1]), np.array([0, 0]), 0)
