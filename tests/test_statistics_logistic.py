"""Logistic probes are scikit-learn's, in unit space and in row space, for all folds at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from cortiscope.errors import InputError
from cortiscope.statistics import Folds, LogisticReader, logistic_scores, permute_within_folds


def _problem(seed, n_units, n_categories=3, n_words=8, frames=2, signal=1.0, cross=False):
    rng = np.random.default_rng(seed)
    category = np.repeat(np.arange(n_categories), n_words * frames)
    target = [f"c{c}" for c in category]
    groups = np.repeat([f"w{w:02d}" for w in range(n_categories * n_words)], frames)
    frame = [f"f{i % frames}" for i in range(len(target))] if cross else None
    x = rng.normal(size=(len(target), n_units)) * rng.uniform(0.2, 3, n_units)
    x += signal * rng.normal(size=(n_categories, n_units))[category] + rng.normal(size=n_units)
    return x, Folds.grouped(target, groups, n_folds=4, seed=seed, cross=frame)


def _reference(x, label, train, held_out, penalty, scale=False):
    """scikit-learn's scores, centred over categories as ours are."""
    if scale:
        scaler = StandardScaler().fit(x[train])
        x = scaler.transform(x)
    model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=100_000)
    scores = model.fit(x[train], label[train]).decision_function(x[held_out])
    return scores if scores.ndim == 1 else scores - scores.mean(axis=1, keepdims=True)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_units=st.sampled_from([2, 10, 35, 47, 48, 49, 120]),
    ridge=st.sampled_from([0.01, 0.1, 1.0, 30.0]),
    scale=st.booleans(),
    cross=st.booleans(),
)
def test_softmax_scores_are_those_of_scikit_learn(seed, n_units, ridge, scale, cross):
    x, folds = _problem(seed, n_units, cross=cross)
    reader = LogisticReader(x, folds, ridge=ridge, scale=scale, tolerance=1e-14)
    ours = reader.scores(folds.label_of_word[None])[0].T
    for penalty, (train, held_out) in zip(reader.ridge_lambda, folds.splits(), strict=True):
        reference = _reference(x, folds.label, train, held_out, penalty, scale)
        np.testing.assert_allclose(ours[held_out], reference, atol=2e-4)


@pytest.mark.parametrize("n_units", [10, 120])
def test_scores_of_own_probes_are_those_of_binary_regressions(n_units):
    x, folds = _problem(1, n_units)
    reader = LogisticReader(x, folds, own=True, tolerance=1e-14)
    ours = reader.scores(folds.label_of_word[None])[0]
    for penalty, (train, held_out) in zip(reader.ridge_lambda, folds.splits(), strict=True):
        for category in range(3):
            reference = _reference(x, folds.label == category, train, held_out, penalty)
            np.testing.assert_allclose(ours[category, held_out], reference, atol=2e-4)


def test_two_categories_in_a_softmax_are_one_binary_probe_of_half_the_penalty():
    x, folds = _problem(2, 30, n_categories=2)
    reader = LogisticReader(x, folds, tolerance=1e-14)
    ours = reader.scores(folds.label_of_word[None])[0]
    for penalty, (train, held_out) in zip(reader.ridge_lambda, folds.splits(), strict=True):
        reference = _reference(x, folds.label, train, held_out, penalty / 2)
        np.testing.assert_allclose((ours[1] - ours[0])[held_out], reference, atol=2e-4)


def test_the_penalty_is_relative_to_the_mean_eigenvalue_of_the_training_gram_matrix():
    x, folds = _problem(3, 60)
    reader = LogisticReader(x, folds, ridge=0.3)
    for penalty, (train, _) in zip(reader.ridge_lambda, folds.splits(), strict=True):
        centred = x[train] - x[train].mean(axis=0)
        expected = 0.3 * np.linalg.eigvalsh(centred @ centred.T).mean()
        assert penalty == pytest.approx(expected, rel=1e-10)


def test_every_labelling_is_trained_as_if_it_were_alone():
    x, folds = _problem(4, 100)
    labels, _ = permute_within_folds(folds.label_of_word, folds.fold_of_word, 40, 0)
    reader = LogisticReader(x, folds, tolerance=1e-14)
    together = reader.scores(labels)
    for row in (0, 17, 39):
        np.testing.assert_allclose(together[row], reader.scores(labels[[row]])[0], atol=1e-4)


def test_held_out_labels_do_not_reach_their_own_scores():
    x, folds = _problem(5, 20)
    labels = np.stack([folds.label_of_word] * 2)
    last = folds.fold_of_word == 3
    labels[1, last] = (labels[1, last] + 1) % 3
    scores = LogisticReader(x, folds, tolerance=1e-14).scores(labels)
    held_out = folds.fold == 3
    np.testing.assert_allclose(scores[0][:, held_out], scores[1][:, held_out], atol=1e-8)
    assert np.abs(scores[0] - scores[1])[:, ~held_out].max() > 0.1


def test_massive_units_and_repeated_rows_do_no_harm():
    """As at the embedding of a language model: equal vectors, and a few units that dwarf all."""
    x, folds = _problem(6, 200)
    x[:, :2] = 3000 + 50 * x[:, :2]
    x = x[(np.arange(len(x)) // 2) * 2]
    reader = LogisticReader(x, folds, ridge=1e-3, tolerance=1e-14)
    ours = reader.scores(folds.label_of_word[None])[0]
    np.testing.assert_allclose(ours[:, ::2], ours[:, 1::2], atol=1e-6)
    train, held_out = next(folds.splits())
    z = x - x[train].mean(axis=0)
    rotation = np.linalg.svd(z[train], full_matrices=False)[2]
    reference = _reference(z @ rotation.T, folds.label, train, held_out, reader.ridge_lambda[0])
    np.testing.assert_allclose(ours.T[held_out], reference, atol=1e-3)


def test_labels_that_a_line_separates_are_learnt_without_a_limit_of_steps():
    x, folds = _problem(7, 150, signal=20.0)
    scores = logistic_scores(x, folds, ridge=1e-6)
    assert np.isfinite(scores).all()
    assert (scores.argmax(axis=1) == folds.label).all()


@pytest.mark.parametrize(
    ("x", "ridge", "message"),
    [
        (np.ones((48, 5)), 0.1, "all units are constant"),
        (np.full((48, 5), np.nan), 0.1, "stimulus 0, unit 0 is nan"),
        (np.zeros((3, 5)), 0.1, "expected one row for each of the 48 stimuli"),
        (np.eye(48), 0.0, "ridge is 0.0"),
    ],
)
def test_bad_activations_are_named(x, ridge, message):
    _, folds = _problem(0, 5)
    with pytest.raises(InputError, match=message):
        logistic_scores(x, folds, ridge=ridge)
