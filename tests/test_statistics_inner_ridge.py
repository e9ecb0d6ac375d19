"""λ chosen on inner folds is what refitting every probe would choose, for every labelling."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from cortiscope.errors import InputError
from cortiscope.statistics import Folds, LayerReader, permute_within_folds
from cortiscope.statistics.inner_ridge import RIDGES, InnerRidge


def _problem(seed, n_units, cross=False):
    rng = np.random.default_rng(seed)
    category = np.repeat(np.arange(3), 24)
    word = np.repeat(np.arange(24), 3)
    frame = [f"f{i % 3}" for i in range(72)] if cross else None
    folds = Folds.grouped(category, [f"w{w:02d}" for w in word], n_folds=3, seed=seed, cross=frame)
    x = rng.normal(size=(72, n_units)) * rng.uniform(0.2, 3, n_units)
    x += rng.normal(size=(24, n_units))[word] + rng.normal(size=(3, n_units))[category]
    return x, folds


def _fit(x, codes, train, test, ridge, scale):
    """scikit-learn's predictions, λ being relative to the training set's own eigenvalues."""
    z = StandardScaler(with_std=scale).fit(x[train]).transform(x)
    alpha = ridge * np.square(z[train]).sum() / len(train)
    return Ridge(alpha=alpha).fit(z[train], codes[train]).predict(z[test])


@pytest.mark.parametrize("n_units", [8, 120])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("cross", [False, True])
def test_choice_and_scores_equal_refitting(n_units, scale, cross):
    x, folds = _problem(n_units, n_units, cross)
    permuted, _ = permute_within_folds(folds.label_of_word, folds.fold_of_word, 2, 0)
    labels = np.vstack([folds.label_of_word[None], permuted])
    codes = np.eye(3)[labels[:, folds.word]]  # (labelling, stimulus, category)
    side_by_side = np.concatenate(codes, axis=1)
    chosen = InnerRidge(x, folds, scale=scale).choose(labels)
    expected = np.empty((3, len(x), 3))
    for cell, (train, held_out) in enumerate(folds.splits()):
        errors = np.zeros((len(RIDGES), 3))
        for fold in np.unique(folds.fold[train]):
            test = train[folds.fold[train] == fold]
            rest = train[folds.fold[train] != fold]
            for index, ridge in enumerate(RIDGES):
                predicted = _fit(x, side_by_side, rest, test, ridge, scale)
                squared = np.square(predicted - side_by_side[test])
                errors[index] += squared.reshape(len(test), 3, 3).sum(axis=(0, 2))
        np.testing.assert_array_equal(chosen[cell], errors.argmin(axis=0))
        for row, index in enumerate(chosen[cell]):
            refitted = _fit(x, codes[row], train, held_out, RIDGES[index], scale)
            expected[row, held_out] = refitted
    reader = LayerReader(x, folds, ridge="inner", scale=scale)
    np.testing.assert_allclose(reader.scores(), expected[0], atol=1e-8)
    geometric_mean = np.exp(np.log(np.asarray(RIDGES)[chosen[:, 0]]).mean())
    assert reader.chosen_ridge() == pytest.approx(geometric_mean)
    for of_word, scores, accuracy in zip(
        labels, expected, reader.read(labels, auc=False).accuracy, strict=True
    ):
        y = of_word[folds.word]
        assert accuracy == pytest.approx(balanced_accuracy_score(y, scores.argmax(axis=1)))


def test_noise_asks_for_more_shrinkage_than_signal():
    rng = np.random.default_rng(0)
    category = np.repeat(np.arange(4), 30)
    folds = Folds.grouped(category, range(120))
    noise = rng.normal(size=(120, 60))
    signal = noise + 3 * rng.normal(size=(4, 60))[category]
    ridges = [LayerReader(x, folds, ridge="inner").chosen_ridge() for x in (noise, signal)]
    assert ridges[0] > 10 * ridges[1]


def test_two_folds_have_no_inner_ones():
    folds = Folds.grouped(["a", "b"] * 8, range(16), n_folds=2)
    with pytest.raises(InputError, match="needs 3 folds or more, not 2"):
        LayerReader(np.random.default_rng(0).normal(size=(16, 5)), folds, ridge="inner")
