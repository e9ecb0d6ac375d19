"""Ridge predictions equal refitting, whatever the shape, the scaling and the labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cortiscope.errors import InputError
from cortiscope.statistics import Folds, fold_operators, permute_within_folds


def _problem(seed, n_units, n_categories=4, n_words=8, frames=2):
    rng = np.random.default_rng(seed)
    target = np.repeat([f"c{c}" for c in range(n_categories)], n_words * frames)
    groups = np.repeat([f"w{w}" for w in range(n_categories * n_words)], frames)
    x = rng.normal(size=(len(target), n_units)) * rng.uniform(0.1, 5, n_units) + rng.normal(
        size=n_units
    )
    return x, Folds.grouped(target, groups, n_folds=4, seed=seed)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_units=st.sampled_from([3, 20, 47, 48, 49, 150]),
    ridge=st.sampled_from([1e-3, 0.01, 1.0, 30.0]),
    scale=st.booleans(),
)
def test_every_prediction_equals_refitting_scikit_learn(seed, n_units, ridge, scale):
    x, folds = _problem(seed, n_units)
    permuted, _ = permute_within_folds(folds.label_of_word, folds.fold_of_word, 3, seed)
    for labels in [folds.label_of_word, *permuted]:
        codes = np.eye(folds.n_categories)[labels]
        of_stimulus = labels[folds.word]
        for operator, (train, held_out) in zip(
            fold_operators(x, folds, ridge=ridge, scale=scale), folds.splits(), strict=True
        ):
            steps = [StandardScaler()] if scale else []
            classifier = make_pipeline(*steps, RidgeClassifier(alpha=operator.ridge_lambda))
            classifier.fit(x[train], of_stimulus[train])
            ours = operator.matrix @ codes
            # RidgeClassifier codes classes as -1 and 1.
            reference = (classifier.decision_function(x[held_out]) + 1) / 2
            assert np.abs(ours - reference).max() < 1e-8
            assert (ours.argmax(axis=1) == classifier.predict(x[held_out])).all()


def test_lambda_is_relative_to_the_mean_eigenvalue_of_the_training_gram_matrix():
    x, folds = _problem(0, n_units=60)
    for operator, (train, _) in zip(
        fold_operators(x, folds, ridge=0.3), folds.splits(), strict=True
    ):
        centred = x[train] - x[train].mean(axis=0)
        expected = 0.3 * np.linalg.eigvalsh(centred @ centred.T).mean()
        assert operator.ridge_lambda == pytest.approx(expected, rel=1e-10)


def test_held_out_words_do_not_reach_their_own_predictions():
    x, folds = _problem(1, n_units=30)
    for operator in fold_operators(x, folds):
        held_out_words = np.unique(folds.word[operator.held_out])
        assert (operator.matrix[:, held_out_words] == 0).all()


def test_a_constant_unit_changes_nothing():
    x, folds = _problem(2, n_units=12)
    with_constant = np.column_stack([x, np.full(len(x), 7.0)])
    for scale in (False, True):
        for plain, extended in zip(
            fold_operators(x, folds, scale=scale, ridge=1.0),
            fold_operators(with_constant, folds, scale=scale, ridge=1.0),
            strict=True,
        ):
            np.testing.assert_allclose(plain.matrix, extended.matrix, atol=1e-10)


def test_outlier_units_keep_the_predictions_exact():
    """A few units of massive activation, as language models have them."""
    x, folds = _problem(3, n_units=100)
    x[:, :2] = 3000 + 50 * x[:, :2]
    codes = np.eye(folds.n_categories)[folds.label_of_word]
    for operator, (train, held_out) in zip(fold_operators(x, folds), folds.splits(), strict=True):
        model = Ridge(alpha=operator.ridge_lambda, solver="svd")
        model.fit(x[train], codes[folds.word[train]])
        assert np.abs(operator.matrix @ codes - model.predict(x[held_out])).max() < 1e-7


@pytest.mark.parametrize(
    ("x", "ridge", "message"),
    [
        (np.ones((64, 5)), 0.1, "all units are constant"),
        (np.full((64, 5), np.nan), 0.1, "stimulus 0, unit 0 is nan"),
        (np.zeros((3, 5)), 0.1, "expected one row for each of the 64 stimuli"),
        (np.zeros((64, 5)), 0.0, "ridge is 0.0"),
    ],
)
def test_bad_activations_are_named(x, ridge, message):
    _, folds = _problem(0, n_units=5)
    with pytest.raises(InputError, match=message):
        list(fold_operators(x, folds, ridge=ridge))
