"""Directions and erasers are found where they were planted, as references find them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortiscope import InputError
from cortiscope.codes import (
    Direction,
    Eraser,
    directions_of,
    fit_directions,
    fit_erasers,
    random_directions,
)
from cortiscope.scanning import Recording

HERE = {"site": "resid_post", "layer": 2}


def _direction(vector):
    return Direction.from_vector(vector, name="animal", **HERE)


def _rows(n_units, n_words=60, n_frames=2, strength=2.0, seed=0):
    """Words of three categories with a direction each, a falling spectrum and large means."""
    rng = np.random.default_rng(seed)
    word = np.repeat(np.arange(n_words), n_frames)
    category = np.array(["animal", "colour", "tool"])[word % 3]
    axes = np.linalg.qr(rng.normal(size=(n_units, 3)))[0].T
    x = (rng.normal(size=(n_words, n_units)) * np.arange(1, n_units + 1) ** -0.5)[word]
    x += 0.1 * rng.normal(size=x.shape) + strength * axes[word % 3]
    x[:, 0] += 50.0
    return x.astype(np.float32), category, [f"w{index}" for index in word], axes


# --- finding them ---


@pytest.mark.parametrize("n_units", [20, 300])
def test_difference_in_means_is_the_plain_difference(n_units):
    x, label, _, _ = _rows(n_units)
    found = fit_directions(x, label, **HERE)
    assert list(found) == ["animal", "colour", "tool"]
    for category, direction in found.items():
        exact = x.astype(np.float64)
        own = exact[label == category].mean(axis=0)
        difference = own - exact[label != category].mean(axis=0)
        np.testing.assert_allclose(
            direction.scale * direction.vector, difference, atol=1e-6 * direction.scale
        )
        assert direction.scale == pytest.approx(np.linalg.norm(difference))


@pytest.mark.parametrize("n_units", [20, 300])
def test_probe_weights_are_those_of_scikit_learn(n_units):
    linear = pytest.importorskip("sklearn.linear_model")
    x, label, _, _ = _rows(n_units)
    exact = x.astype(np.float64)
    alpha = 0.1 * ((exact - exact.mean(axis=0)) ** 2).sum() / len(x)
    for category, direction in fit_directions(x, label, method="probe", ridge=0.1, **HERE).items():
        weights = linear.Ridge(alpha=alpha).fit(exact, label == category).coef_
        np.testing.assert_allclose(
            direction.vector, weights / np.linalg.norm(weights), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("n_units", [20, 300])
def test_leace_reads_the_difference_through_the_inverse_covariance(n_units):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("concept_erasure")
    x, label, _, _ = _rows(n_units)
    exact = torch.from_numpy(x.astype(np.float64))
    for category, direction in fit_directions(x, label, method="leace", **HERE).items():
        codes = torch.from_numpy((label == category).astype(np.float64))[:, None]
        fitter = library.LeaceFitter.fit(exact, codes, shrinkage=True)
        reads = torch.linalg.solve(fitter.sigma_xx, fitter.sigma_xz)[:, 0].numpy()
        np.testing.assert_allclose(
            direction.vector, reads / np.linalg.norm(reads), rtol=0, atol=1e-5
        )


@pytest.mark.parametrize("method", ["difference_in_means", "leace", "probe"])
def test_a_dose_of_one_carries_the_others_as_far_as_the_category_is(method):
    x, label, _, _ = _rows(40)
    for category, direction in fit_directions(x, label, method=method, **HERE).items():
        projection = x.astype(np.float64) @ direction.vector
        apart = projection[label == category].mean() - projection[label != category].mean()
        assert apart > 0
        assert direction.scale == pytest.approx(apart, rel=1e-5)


def test_a_planted_direction_is_found():
    x, label, _, axes = _rows(40, n_words=600, strength=5.0)
    for index, direction in enumerate(fit_directions(x, label, **HERE).values()):
        planted = axes[index] - axes[np.arange(3) != index].mean(axis=0)
        assert direction.cosine(_direction(planted)) > 0.98


def test_categories_that_are_not_asked_about_count_as_others():
    x, label, _, _ = _rows(20)
    for method in ("difference_in_means", "leace", "probe"):
        every = fit_directions(x, label, method=method, **HERE)
        (only,) = fit_directions(x, label, ["tool"], method=method, **HERE).values()
        assert only.cosine(every["tool"]) == pytest.approx(1.0, abs=1e-6)


def test_a_constant_added_to_all_rows_changes_nothing():
    x, label, _, _ = _rows(20)
    for method in ("difference_in_means", "leace", "probe"):
        one = fit_directions(x.astype(np.float64), label, method=method, **HERE)
        moved = fit_directions(x.astype(np.float64) + 1000.0, label, method=method, **HERE)
        for category in one:
            assert one[category].cosine(moved[category]) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "pca"}, "no method 'pca'"),
        ({"x": np.ones((6, 2))}, "constant"),
        ({"x": np.ones(6)}, r"shape \(6,\)"),
        ({"x": [[1.0, np.nan]] + [[1.0, 2.0]] * 5}, "Row 0, unit 1 is nan"),
        ({"label": ["a"] * 3}, "6 rows of activations and 3 labels"),
        ({"label": ["a"] * 6}, "6 of 6 rows are of the category 'a'"),
        ({"categories": ["c"]}, "0 of 6 rows are of the category 'c'"),
        ({"categories": ["a", "a"]}, "asked about twice"),
        ({"words": ["cat"]}, "1 words for 6 rows"),
        ({"x": [[1.0, 0.1], [2.0, 0.3]] * 3, "label": ["a", "a", "b", "b", "a", "a"]}, "mean of"),
    ],
)
def test_rows_in_which_no_direction_can_be_found(change, message):
    rows = {"x": np.arange(12.0).reshape(6, 2) ** 2, "label": ["a", "b", "b"] * 2}
    with pytest.raises(InputError, match=message):
        fit_directions(**{**HERE, **rows, **change})


def _recording(x, label, words):
    table = pd.DataFrame({"category": label, "word": words})
    return Recording.from_arrays({"resid_post": np.stack([x + 1.0, x], axis=1)}, stimuli=table)


def test_words_that_are_held_out_have_no_part_in_a_direction():
    x, label, words, _ = _rows(20)
    train = [f"w{index}" for index in range(40)]
    chosen = np.isin(words, train)
    other = np.where(chosen[:, None], x, -7.0 * x).astype(np.float32)
    found = directions_of(_recording(x, label, words), layer=1, words=train)
    again = directions_of(_recording(other, label, words), layer=1, words=train)
    plain = fit_directions(x[chosen], label[chosen], site="resid_post", layer=1)
    for category in plain:
        assert found[category].fingerprint == plain[category].fingerprint
        assert found[category].fingerprint == again[category].fingerprint
        assert found[category].origin["words"] == sorted(train)
        assert json.dumps(found[category].origin)


def test_words_and_labels_that_a_recording_lacks_are_named():
    x, label, words, _ = _rows(20)
    recording = _recording(x, label, words)
    with pytest.raises(InputError, match=r"no word 'zebra' \(1 of 2"):
        directions_of(recording, layer=1, words=["w1", "zebra"])
    with pytest.raises(InputError, match="no label 'colour'"):
        directions_of(recording, layer=1, target="colour")
    every_token = Recording.from_arrays(
        {"resid_post": np.ones((2, 1, 3, 4))},
        stimuli=pd.DataFrame({"category": ["a", "b"], "word": ["c", "d"]}),
    )
    with pytest.raises(InputError, match="every token"):
        directions_of(every_token, layer=0)


# --- random ones ---


def test_isotropic_directions_prefer_none():
    x, _, _, _ = _rows(8)
    like = _direction(np.arange(1.0, 9.0))
    drawn = random_directions(x, 4000, like=like, seed=3)
    vectors = np.array([direction.vector for direction in drawn], dtype=np.float64)
    # The second moment of a uniform unit vector is the identity over its units.
    np.testing.assert_allclose(vectors.T @ vectors / 4000, np.eye(8) / 8, atol=0.02)
    assert np.abs(vectors.mean(axis=0)).max() < 0.03
    assert {(one.scale, one.layer, one.method) for one in drawn} == {
        (like.scale, 2, "random_isotropic")
    }


def test_directions_of_the_covariance_are_spread_as_a_normal_distribution_with_it():
    x, _, _, _ = _rows(6, n_words=30)
    drawn = random_directions(x, 6000, like=_direction(np.ones(6)), kind="covariance")
    vectors = np.array([direction.vector for direction in drawn], dtype=np.float64)
    normal = np.random.default_rng(9).multivariate_normal(np.zeros(6), np.cov(x.T), size=200_000)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    np.testing.assert_allclose(
        vectors.T @ vectors / len(vectors), normal.T @ normal / len(normal), atol=0.02
    )


def test_with_few_rows_they_stay_in_what_the_rows_span():
    x, _, _, _ = _rows(300, n_words=10, n_frames=1)
    basis = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:9]
    for direction in random_directions(x, 5, like=_direction(np.ones(300)), kind="covariance"):
        assert np.linalg.norm(basis @ direction.vector) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("kind", ["isotropic", "covariance"])
def test_fewer_draws_are_the_first_of_more(kind):
    x, _, _, _ = _rows(20)
    like = _direction(np.ones(20))
    few, many = (random_directions(x, n, like=like, kind=kind, seed=1) for n in (3, 10))
    other = random_directions(x, 3, like=like, kind=kind, seed=2)
    for one, same, different in zip(few, many, other, strict=False):
        np.testing.assert_allclose(one.vector, same.vector, rtol=1e-5, atol=1e-7)
        assert abs(one.cosine(different)) < 0.99


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "uniform"}, "no kind 'uniform'"),
        ({"n": 0}, "n is 0"),
        ({"like": _direction([1.0, 2.0])}, "20 units and 'animal' has 2"),
    ],
)
def test_draws_that_are_refused(change, message):
    x, _, _, _ = _rows(20)
    with pytest.raises(InputError, match=message):
        random_directions(**{"x": x, "n": 3, "like": _direction(np.ones(20)), **change})


# --- erasers ---


@pytest.mark.parametrize("n_units", [20, 300])
def test_erasers_equal_the_concept_erasure_library(n_units):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("concept_erasure")
    x, label, _, _ = _rows(n_units)
    exact = torch.from_numpy(x.astype(np.float64))
    for category, eraser in fit_erasers(x, label, **HERE).items():
        codes = torch.from_numpy((label == category).astype(np.float64))[:, None]
        theirs = library.LeaceFitter.fit(
            exact, codes, shrinkage=True, constrain_cov_trace=False, svd_tol=1e-8
        ).eraser(exact)
        np.testing.assert_allclose(eraser(x), theirs.numpy(), atol=1e-4)
        assert np.abs(eraser(x) - x).max() > 0.1


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([5, 60, 119, 120, 200]))
def test_after_leace_a_category_and_the_rest_have_one_mean(seed, n_units):
    x, label, _, _ = _rows(n_units, seed=seed)
    for category, eraser in fit_erasers(x, label, **HERE).items():
        left = eraser(x).astype(np.float64)
        own, others = left[label == category].mean(axis=0), left[label != category].mean(axis=0)
        np.testing.assert_allclose(own, others, atol=3e-5)
        np.testing.assert_allclose(eraser(left), left, atol=1e-4)
        # What it takes out lies along the difference in means.
        difference = fit_directions(x, label, [category], **HERE)[category]
        assert abs(difference.vector @ eraser.write[:, 0]) == pytest.approx(1.0, abs=1e-5)


def test_leace_moves_activations_less_than_projecting_out_the_difference():
    x, label, _, _ = _rows(20)
    inverse = np.linalg.inv(np.cov(x.T))
    for category, eraser in fit_erasers(x, label, **HERE).items():
        difference = fit_directions(x, label, [category], **HERE)[category].vector
        by_leace = eraser(x) - x
        by_projection = -np.outer((x - eraser.mean) @ difference, difference)
        # The theorem is for every metric: that of the units, and that of their covariance.
        for metric in (np.eye(20), inverse):
            size_leace, size_projection = (
                np.einsum("ij,jk,ik->", moved, metric, moved) for moved in (by_leace, by_projection)
            )
            assert size_leace < size_projection


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"read": [[1.0], [1.0], [0.0]]}, r"reads \(3, 1\)"),
        ({"write": [[2.0], [0.0]]}, "is no projection"),
        ({"write": [[np.nan], [0.0]]}, "is no projection"),
        ({"mean": [np.inf, 0.0]}, "not finite"),
        ({"site": "nowhere"}, "'nowhere'"),
    ],
)
def test_what_is_no_eraser_is_refused(change, message):
    given_ = {"read": [[1.0], [1.0]], "write": [[1.0], [0.0]], "mean": [0.0, 0.0], **HERE}
    assert (
        Eraser(**given_, name="tool").fingerprint
        != Eraser(**{**given_, "mean": [0.0, 1.0]}, name="tool").fingerprint
    )
    with pytest.raises(InputError, match=message):
        Eraser(**{**given_, **change}, name="tool")
