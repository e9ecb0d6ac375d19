"""Accuracy, AUC and their intervals against scikit-learn."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from cortiscope.statistics import (
    Folds,
    accuracy_of_words,
    auc_of_words,
    auc_pairs,
    balanced_accuracy,
    bootstrap_words,
    percentile_interval,
)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_auc_and_accuracy_equal_scikit_learn(seed, ties):
    rng = np.random.default_rng(seed)
    n_stimuli, n_rows = 40, 25 if ties else 40
    same_row = (
        np.concatenate([np.arange(n_rows), rng.integers(0, n_rows, n_stimuli - n_rows)])
        if ties
        else rng.permutation(n_stimuli)
    )
    labels = np.stack([rng.permutation(np.arange(n_stimuli) % 3) for _ in range(4)])
    scores = rng.normal(size=(4, 3, n_rows))
    wins, pairs = auc_pairs(scores, labels, same_row)
    for p, c in np.ndindex(4, 3):
        expected = roc_auc_score(labels[p] == c, scores[p, c][same_row])
        np.testing.assert_allclose(wins[p, c] / pairs[p, c], expected, atol=1e-12)
    predicted = scores.argmax(axis=1)[:, same_row]
    for p in range(4):
        np.testing.assert_allclose(
            balanced_accuracy(predicted, labels, 3)[p],
            balanced_accuracy_score(labels[p], predicted[p]),
        )


def _held_out(seed):
    rng = np.random.default_rng(seed)
    target = np.repeat(["a", "b", "c"], 40)
    groups = np.repeat([f"w{i}" for i in range(60)], 2)
    order = rng.permutation(len(target))
    folds = Folds.grouped(target[order], groups[order], n_folds=4, seed=seed)
    return rng.normal(size=(len(target), 3)) + np.eye(3)[folds.label], folds


def test_word_weights_equal_repeating_the_words():
    scores, folds = _held_out(0)
    weights = np.random.default_rng(1).integers(1, 4, (1, folds.n_words)).astype(float)
    repeat = np.repeat(np.arange(len(scores)), weights[0, folds.word].astype(int))
    label, fold = folds.label[repeat], folds.fold[repeat]
    accuracy = balanced_accuracy_score(label, scores[repeat].argmax(axis=1))
    np.testing.assert_allclose(accuracy_of_words(scores, folds, weights)[0], accuracy)
    for c in range(3):
        wins = pairs = 0.0
        for f in range(4):
            members = repeat[fold == f]
            n_positive = (folds.label[members] == c).sum()
            n_pairs = n_positive * (len(members) - n_positive)
            wins += n_pairs * roc_auc_score(folds.label[members] == c, scores[members, c])
            pairs += n_pairs
        np.testing.assert_allclose(auc_of_words(scores, folds, weights)[0, c], wins / pairs)


def test_interval_covers_the_mean_of_its_population_at_its_rate():
    rng = np.random.default_rng(5)
    label_of_word = np.repeat([0, 1], 30)
    covered = 0
    for study in range(300):
        right = rng.normal(loc=np.where(label_of_word == 0, 0.2, 0.8), scale=0.3)
        draws = bootstrap_words(
            lambda w, right=right: 0.5 * (w[:, :30] @ right[:30] + w[:, 30:] @ right[30:]) / 30,
            label_of_word,
            n_bootstrap=400,
            seed=study,
        )
        low, high = percentile_interval(draws)
        covered += bool(low <= 0.5 <= high)
    assert 0.90 <= covered / 300 <= 0.985


def test_interval_over_words_is_wider_than_one_over_their_sentences():
    """Sentences of a word are no independent evidence."""
    rng = np.random.default_rng(6)
    hits = np.repeat(rng.random(40) < 0.5, 10).reshape(40, 10)
    low, high = percentile_interval(
        bootstrap_words(lambda w: w @ hits.mean(axis=1) / 40, np.zeros(40, dtype=int), seed=0)
    )
    naive = 1.96 * np.sqrt(0.25 / hits.size)
    assert (high - low) / 2 > 2 * naive
