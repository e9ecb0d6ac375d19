"""The paired comparison of AUCs, against pairs that are counted and scores that are swapped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, rankdata

from cortiscope.statistics import Folds, PairedAuc, auc_of_words


def _folds(n_categories=3, n_words=6, n_frames=2, n_folds=3):
    category = np.repeat(np.arange(n_categories), n_words * n_frames)
    word = np.repeat(np.arange(n_categories * n_words), n_frames)
    order = np.random.default_rng(0).permutation(len(word))
    return Folds.grouped(category[order].tolist(), word[order].tolist(), n_folds=n_folds)


def _scores(folds, seed, n=2, decimals=1):
    """Scores with ties."""
    shape = (n, len(folds.label), folds.n_categories)
    return np.random.default_rng(seed).normal(size=shape).round(decimals)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_both_areas_equal_those_of_each_probe_alone(seed):
    folds = _folds()
    first, second = _scores(folds, seed)
    weights = np.random.default_rng(seed).integers(0, 3, size=(4, folds.n_words)).astype(float)
    paired = PairedAuc.of(first, second, folds).resampled(weights)
    for scores, areas in zip((first, second), paired, strict=True):
        np.testing.assert_allclose(areas, auc_of_words(scores, folds, weights), atol=1e-12)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_an_exchange_equals_swapping_ranks_and_counting_again(seed):
    folds = _folds()
    first, second = _scores(folds, seed)
    paired = PairedAuc.of(first, second, folds)
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=(3, folds.n_words))
    among = rng.random(folds.n_words) < 0.8
    for part in (None, among):
        weights = np.ones((1, folds.n_words)) if part is None else part[None].astype(float)
        for sign, difference in zip(signs, paired.exchanged(signs, part), strict=True):
            ranked = [_ranked(scores, folds) for scores in (first, second)]
            swap = (sign[folds.word] < 0)[:, None]
            swapped = np.where(swap, ranked[1], ranked[0]), np.where(swap, ranked[0], ranked[1])
            areas = [auc_of_words(scores, folds, weights)[0] for scores in swapped]
            np.testing.assert_allclose(difference, areas[0] - areas[1], atol=1e-12)


def _ranked(scores, folds):
    ranks = np.empty_like(scores)
    for fold in range(folds.n_folds):
        rows = folds.fold == fold
        ranks[rows] = rankdata(scores[rows], axis=0)
    return ranks


def test_without_any_exchange_it_is_the_difference_and_with_all_its_negative():
    folds = _folds()
    first, second = _scores(folds, 1)
    paired = PairedAuc.of(first, second, folds)
    ones = np.ones((1, folds.n_words))
    areas = paired.resampled(ones)
    np.testing.assert_allclose(paired.exchanged(ones), areas[0] - areas[1], atol=1e-12)
    np.testing.assert_allclose(paired.exchanged(-ones), areas[1] - areas[0], atol=1e-12)


def test_a_probe_that_is_no_better_is_called_better_at_the_tests_rate():
    """Both scores are the truth and noise of their own; words repeat in two sentences."""
    folds = _folds(n_words=20, n_folds=5)
    rng = np.random.default_rng(2)
    signs = rng.choice([-1.0, 1.0], size=(199, folds.n_words))
    truth = np.eye(folds.n_categories)[folds.label]
    p = []
    for _ in range(200):
        noise = rng.normal(size=(2, folds.n_words, folds.n_categories))[:, folds.word]
        first, second = truth + noise + 0.3 * rng.normal(size=(2, *truth.shape))
        paired = PairedAuc.of(first, second, folds)
        observed = paired.exchanged(np.ones((1, folds.n_words))).mean()
        null = paired.exchanged(signs).mean(axis=1)
        p.append((np.sum(null >= observed) + 1) / (len(null) + 1))
    assert kstest(p, "uniform").pvalue > 0.01


def test_a_better_probe_is_found():
    folds = _folds(n_words=20, n_folds=5)
    rng = np.random.default_rng(3)
    truth = np.eye(folds.n_categories)[folds.label]
    first, second = truth + rng.normal(size=(2, *truth.shape)) * [[[0.5]], [[1.5]]]
    paired = PairedAuc.of(first, second, folds)
    null = paired.exchanged(rng.choice([-1.0, 1.0], size=(199, folds.n_words))).mean(axis=1)
    assert paired.exchanged(np.ones((1, folds.n_words))).mean() > null.max()
    assert null.mean() == pytest.approx(0.0, abs=0.02)
