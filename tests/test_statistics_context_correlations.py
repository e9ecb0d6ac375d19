"""Correlations in one context beside those in another, and contexts exchanged."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.statistics import are_of_words, context_similarity, permuted_contexts
from cortiscope.statistics import context_correlations as module


def test_it_is_the_correlation_of_correlations(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 30)) @ rng.normal(size=(30, 30))
    context = np.arange(90) % 3
    pairs = np.triu_indices(30, 1)
    profiles = [np.corrcoef(x[context == c].T)[pairs] for c in range(3)]
    expected = np.corrcoef(profiles)
    found = context_similarity(x, context, context)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    monkeypatch.setattr(module, "_ROWS", 7)  # blocks that do not divide the units
    np.testing.assert_allclose(context_similarity(x, context, context), expected, atol=1e-5)


def test_means_of_cells_do_not_matter():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 20))
    context = np.repeat([0, 1], 40)
    cell = 2 * context + np.arange(80) % 2
    shifted = x + 30 * rng.normal(size=(4, 20))[cell]
    np.testing.assert_allclose(
        context_similarity(shifted, context, cell), context_similarity(x, context, cell), atol=1e-4
    )


def test_constant_units_are_correlated_with_none():
    x = np.random.default_rng(0).normal(size=(40, 10))
    x[:, 3] = 1.7
    found = context_similarity(x, np.arange(40) % 2, np.arange(40) % 2)
    assert np.isfinite(found).all()


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(3, 12))
def test_words_change_contexts_as_a_whole_and_within_their_stratum(seed, n_contexts, n_words):
    rng = np.random.default_rng(seed)
    context_of_word = rng.integers(0, n_contexts, n_words)
    stratum = rng.integers(0, 2, n_words)
    word = np.repeat(np.arange(n_words), rng.integers(1, 4, n_words))
    permuted = permuted_contexts(context_of_word[word], word, stratum, rng)
    assert are_of_words(permuted, word)
    of_word = np.array([permuted[word == w][0] for w in range(n_words)])
    for s in (0, 1):
        assert sorted(of_word[stratum == s]) == sorted(context_of_word[stratum == s])


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_where_words_come_in_several_contexts_each_keeps_its_own(seed, n_words):
    rng = np.random.default_rng(seed)
    word = np.repeat(np.arange(n_words), 3)
    context = np.tile([0, 1, 2], n_words)
    permuted = permuted_contexts(context, word, np.zeros(n_words, dtype=int), rng)
    for w in range(n_words):
        assert sorted(permuted[word == w]) == [0, 1, 2]


def test_every_arrangement_is_as_likely():
    rng = np.random.default_rng(0)
    word, strata = np.arange(3), np.zeros(3, dtype=int)
    n = 1200
    drawn = [tuple(permuted_contexts(np.array([0, 1, 1]), word, strata, rng)) for _ in range(n)]
    counts = [drawn.count(each) for each in ((0, 1, 1), (1, 0, 1), (1, 1, 0))]
    np.testing.assert_allclose(counts, n / 3, atol=4 * np.sqrt(n * 2 / 9))
