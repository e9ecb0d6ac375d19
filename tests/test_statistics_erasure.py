"""Taking concepts out: equal to refitting, and to the concept-erasure library."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from cortiscope import InputError
from cortiscope.statistics import (
    Folds,
    NullspaceProjection,
    auc_of_words,
    aucs_of_words,
    fold_spaces,
    leace_eraser,
    mean_difference_eraser,
    nullspace_ranks,
    nullspace_scores,
    permute_within_folds,
)


def _words(n_words=60, n_frames=2, n_categories=3, n_folds=3, seed=0):
    word = np.repeat(np.arange(n_words), n_frames)
    return Folds.grouped(word % n_categories, word, n_folds=n_folds, seed=seed)


def _activations(folds, n_units, seed=0, strength=1.0):
    """Words with a falling spectrum, a direction a category, and units with a large mean."""
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, n_units + 1) ** -0.5
    turn = np.linalg.qr(rng.normal(size=(n_units, n_units)))[0]
    x = (rng.normal(size=(folds.n_words, n_units)) * spectrum)[folds.word] @ turn
    x += 0.3 * rng.normal(size=x.shape) * spectrum
    x += strength * rng.normal(size=(folds.n_categories, n_units))[folds.label] / n_units**0.5
    x[:, :2] = 10 * x[:, :2] + 50
    return x


def _refitted(x, folds, category, n_directions, ridge=0.01):
    """AUC of scikit-learn's Ridge, fitted again on activations without all earlier directions."""
    wins, pairs = np.zeros(n_directions + 1), np.zeros(n_directions + 1)
    for train, test in folds.splits():
        centred = x - x[train].mean(axis=0)
        alpha = ridge * (centred[train] ** 2).sum() / len(train)
        own = folds.label == category
        n_pairs = own[test].sum() * (~own[test]).sum()
        taken = np.zeros((0, x.shape[1]))
        for step in range(n_directions + 1):
            left = centred - (centred @ taken.T) @ taken
            weights = Ridge(alpha=alpha).fit(left[train], own[train]).coef_
            wins[step] += n_pairs * roc_auc_score(own[test], left[test] @ weights)
            pairs[step] += n_pairs
            for _ in range(2):
                weights = weights - taken.T @ (taken @ weights)
            taken = np.vstack([taken, weights / np.linalg.norm(weights)])
    return wins / pairs


@pytest.mark.parametrize("n_units", [24, 300])
def test_the_curve_equals_refitting_scikit_learn(n_units):
    folds = _words()
    x = _activations(folds, n_units)
    scores = nullspace_scores(list(fold_spaces(x, folds)), folds, 12)
    auc = aucs_of_words(scores, folds, np.ones((1, folds.n_words)))[0]
    for category in range(folds.n_categories):
        expected = _refitted(x, folds, category, 12)
        np.testing.assert_allclose(auc[category], expected, atol=1e-6)


def test_the_order_of_units_does_not_matter_where_rounding_is_amplified():
    """Among more units than stimuli, of equal variance, a loop over units drifts."""
    folds = _words()
    x = np.random.default_rng(0).normal(size=(len(folds.label), 300))
    x[:, :3] += 2 * np.eye(3)[folds.label]
    there = nullspace_scores(list(fold_spaces(x, folds)), folds, 20)
    back = nullspace_scores(list(fold_spaces(x[:, ::-1].copy(), folds)), folds, 20)
    np.testing.assert_allclose(there, back, atol=1e-9 * np.abs(there).max())
    turned = np.zeros((len(x), 80))
    for space, (train, test) in zip(fold_spaces(x, folds), folds.splits(), strict=True):
        turned[:] = 0.0
        n_axes = len(space.eigenvalues)
        turned[train, :n_axes] = space.train_coordinates
        turned[test, :n_axes] = space.row_coordinates[space.same_row]
        alpha = 0.01 * space.eigenvalues.sum() / len(train)
        left, taken = turned, np.zeros((0, turned.shape[1]))
        for step in range(21):
            weights = Ridge(alpha=alpha).fit(left[train], folds.label[train] == 0).coef_
            expected = left[test] @ weights / np.linalg.norm(weights)
            np.testing.assert_allclose(there[test, 0, step], expected, atol=1e-6)
            weights -= taken.T @ (taken @ weights)
            taken = np.vstack([taken, weights / np.linalg.norm(weights)])
            left = turned - (turned @ taken.T) @ taken


@pytest.mark.parametrize("n_units", [24, 300])
def test_directions_stay_orthogonal(n_units):
    folds = _words()
    for space in fold_spaces(_activations(folds, n_units), folds):
        projection = NullspaceProjection(space, folds.label[space.train, None] == np.arange(3))
        for _ in range(20):
            projection.step()
        products = projection.directions @ projection.directions.transpose(0, 2, 1)
        np.testing.assert_allclose(products, np.broadcast_to(np.eye(20), (3, 20, 20)), atol=1e-12)


def test_where_nothing_is_left_nothing_is_read():
    folds = _words()
    scores = nullspace_scores(list(fold_spaces(_activations(folds, 4), folds)), folds, 6)
    assert (scores[:, :, 3] != 0).all()
    assert (scores[:, :, 4:] == 0).all()
    auc = aucs_of_words(scores, folds, np.ones((1, folds.n_words)))
    assert (auc[:, :, 4:] == 0.5).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_turned_scaled_and_shifted_units_give_the_same_scores(seed, scale, shift):
    folds = _words(n_words=24)
    x = _activations(folds, 10, seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(10, 10)))[0]
    one = nullspace_scores(list(fold_spaces(x, folds)), folds, 5)
    other = nullspace_scores(list(fold_spaces(scale * (x @ turn) + shift, folds)), folds, 5)
    np.testing.assert_allclose(other / scale, one, atol=1e-6 * np.abs(one).max())


def test_permuted_labels_are_projected_as_if_they_were_the_true_ones():
    folds = _words()
    x = _activations(folds, 24)
    spaces = list(fold_spaces(x, folds))
    labels, _ = permute_within_folds(folds.label_of_word, folds.fold_of_word, 30)
    labels[0] = folds.label_of_word
    # Low enough that several steps are reached by chance.
    category = np.arange(30) % 3
    ranks, areas = nullspace_ranks(spaces, folds, labels, category, np.full(30, 0.5), 6)
    assert len(set(ranks)) > 3
    for index, own in enumerate(labels):
        relabelled = Folds(
            folds.fold, own[folds.word], folds.word, folds.half, folds.level,
            folds.categories, folds.words,
        )  # fmt: skip
        scores = nullspace_scores(spaces, relabelled, 5)
        curve = aucs_of_words(scores, relabelled, np.ones((1, folds.n_words)))[0, category[index]]
        n_read = int(np.argmin([*(curve > 0.5), False]))
        assert ranks[index] == n_read
        assert areas[index] == pytest.approx((2 * curve[:n_read] - 1).sum())


def test_constant_units_are_refused():
    folds = _words()
    with pytest.raises(InputError, match="all units are constant"):
        list(fold_spaces(np.ones((120, 5)), folds))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), levels=st.integers(1, 3))
def test_aucs_equal_those_of_one_score_at_a_time(seed, levels):
    rng = np.random.default_rng(seed)
    word = rng.permutation(np.repeat(np.arange(24), 3))
    cross = None if levels == 1 else rng.integers(levels, size=72)
    folds = Folds.grouped(word % 3, word, n_folds=2, cross=cross)
    scores = rng.integers(5, size=(72, 3, 4)).astype(float)  # many ties
    weights = rng.integers(3, size=(6, 24)).astype(float)
    together = aucs_of_words(scores, folds, weights)
    for index in range(4):
        apart = auc_of_words(scores[:, :, index], folds, weights)
        np.testing.assert_allclose(together[:, :, index], apart, atol=1e-12)


@pytest.mark.parametrize("shrinkage", [False, True])
@pytest.mark.parametrize("n_units", [12, 150])
@pytest.mark.parametrize("n_codes", [1, 3])
def test_erasers_equal_the_concept_erasure_library(n_units, n_codes, shrinkage):
    library = pytest.importorskip("concept_erasure")
    torch = pytest.importorskip("torch")
    folds = _words(n_frames=1)
    x = _activations(folds, n_units)
    for space in fold_spaces(x, folds):
        codes = (folds.label[:, None] == np.arange(3))[:, :n_codes]
        train = torch.from_numpy(x[space.train])
        held_out = torch.from_numpy(x[space.held_out])
        own = {
            "orth": mean_difference_eraser(space, codes[space.train]),
            "leace": leace_eraser(space, codes[space.train], shrinkage=shrinkage),
        }
        for method, eraser in own.items():
            theirs = library.LeaceFitter.fit(
                train,
                torch.from_numpy(codes[space.train].astype(float)),
                method=method,
                shrinkage=shrinkage,
                constrain_cov_trace=False,
                svd_tol=1e-8,
            ).eraser
            # Products of stimuli do not depend on the axes in which they are written.
            mean = train.mean(dim=0)
            left = theirs(train) - mean
            erased = eraser(space.train_coordinates)
            size = np.abs(space.train_coordinates @ space.train_coordinates.T).max()
            np.testing.assert_allclose(erased @ erased.T, left @ left.T, atol=1e-5 * size)
            rows = eraser(space.row_coordinates)[space.same_row]
            np.testing.assert_allclose(
                rows @ erased.T, (theirs(held_out) - mean) @ left.T, atol=1e-5 * size
            )


@pytest.mark.parametrize("n_units", [12, 150])
@pytest.mark.parametrize("fit", [mean_difference_eraser, leace_eraser])
def test_after_an_eraser_no_linear_probe_reads_training_words(n_units, fit):
    folds = _words()
    space = next(fold_spaces(_activations(folds, n_units, strength=5.0), folds))
    codes = folds.label[space.train, None] == np.arange(3)
    before = LogisticRegression(max_iter=5000).fit(space.train_coordinates, codes[:, 0])
    assert before.score(space.train_coordinates, codes[:, 0]) > 0.8
    erased = fit(space, codes)(space.train_coordinates)
    after = LogisticRegression(C=0.1, max_iter=5000).fit(erased, codes[:, 0])
    np.testing.assert_allclose(after.coef_, 0.0, atol=1e-3)
    np.testing.assert_allclose(after.predict_proba(erased)[:, 1], codes[:, 0].mean(), atol=0.01)


def test_leace_moves_stimuli_least():
    """In the mean square, less than any other linear eraser: here, than the other one."""
    folds = _words()
    space = next(fold_spaces(_activations(folds, 12, strength=3.0), folds))
    codes = folds.label[space.train, None] == np.arange(3)
    x = space.train_coordinates
    moved = [
        ((fit(x) - x) ** 2).sum()
        for fit in (
            leace_eraser(space, codes, shrinkage=False),
            mean_difference_eraser(space, codes),
        )
    ]
    assert moved[0] < moved[1]
