"""Probes predict what refitting predicts, and are what was saved."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from sklearn.linear_model import Ridge

from cortiscope import InputError, MachineError
from cortiscope.codes import Direction, Probe, fit_probe, probe_of
from cortiscope.scanning import Recording
from cortiscope.statistics import Folds, fold_operators

HERE = {"site": "resid_post", "layer": 2}


def _problem(seed, n_units, n_words=24, n_frames=2):
    rng = np.random.default_rng(seed)
    word = np.repeat(np.arange(n_words), n_frames)
    label = np.array(["animal", "colour", "tool", "food"])[word % 4]
    x = rng.normal(size=(len(word), n_units)) * rng.uniform(0.1, 5, n_units)
    x += 2.0 * rng.normal(size=(4, n_units))[word % 4] + 30.0 * rng.normal(size=n_units)
    return x, label, np.array([f"w{index}" for index in word])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_units=st.sampled_from([3, 20, 35, 36, 37, 150]),
    ridge=st.sampled_from([1e-3, 0.01, 1.0, 30.0]),
)
def test_held_out_scores_equal_those_of_the_statistics_and_of_scikit_learn(seed, n_units, ridge):
    x, label, words = _problem(seed, n_units)
    folds = Folds.grouped(label, words, n_folds=4, seed=seed)
    codes = np.eye(folds.n_categories)[folds.label_of_word]
    for operator, (train, held_out) in zip(
        fold_operators(x, folds, ridge=ridge), folds.splits(), strict=True
    ):
        probe = fit_probe(x[train], label[train], ridge=ridge, **HERE)
        scores = probe.scores(x[held_out])
        np.testing.assert_allclose(scores, operator.matrix @ codes, atol=1e-8)
        reference = Ridge(alpha=operator.ridge_lambda).fit(
            x[train], label[train][:, None] == np.array(probe.categories)
        )
        np.testing.assert_allclose(scores, reference.predict(x[held_out]), atol=1e-8)


def test_scores_keep_the_axes_before_units():
    x, label, _ = _problem(0, 20)
    probe = fit_probe(x, label, **HERE)
    stack = x[:12].reshape(3, 4, 20)
    np.testing.assert_allclose(probe.scores(stack).reshape(12, 4), probe.scores(x[:12]))
    assert probe.scores(x[0]).shape == (4,)
    with pytest.raises(InputError, match="reads 20 units"):
        probe.scores(x[:, :19])
    with pytest.raises(InputError, match="reads 20 units"):
        probe.scores(3.0)


def test_columns_of_some_categories_are_those_of_all():
    x, label, _ = _problem(1, 20)
    every = fit_probe(x, label, **HERE)
    some = fit_probe(x, label, ["tool", "animal"], **HERE)
    assert some.categories == ("tool", "animal")
    columns = [every.categories.index(name) for name in some.categories]
    np.testing.assert_allclose(some.scores(x), every.scores(x)[:, columns], atol=1e-10)


def test_moving_along_its_weights_raises_a_score_as_much_as_they_say():
    x, label, _ = _problem(2, 20)
    probe = fit_probe(x, label, **HERE)
    direction = Direction.from_vector(probe.weights[:, 0], name="animal", **HERE)
    moved = probe.scores(x + direction.vector.astype(np.float64)) - probe.scores(x)
    np.testing.assert_allclose(moved[:, 0], direction.scale, rtol=1e-5)


def test_a_probe_of_a_recording_is_trained_on_its_words_alone():
    x, label, words = _problem(3, 20)
    train = [f"w{index}" for index in range(16)]
    chosen = np.isin(words, train)
    recording = Recording.from_arrays(
        {"resid_post": np.stack([0 * x, x], axis=1)},
        stimuli=pd.DataFrame({"category": label, "word": words}),
    )
    probe = probe_of(recording, layer=1, words=train)
    plain = fit_probe(x[chosen].astype(np.float32), label[chosen], site="resid_post", layer=1)
    assert probe.fingerprint == plain.fingerprint
    assert probe.words == frozenset(train)
    assert plain.words == frozenset()
    assert probe.origin["ridge"] == 0.01
    with pytest.raises(InputError, match="constant"):
        probe_of(recording, layer=0, words=train)


def test_what_is_opened_is_what_was_saved(tmp_path):
    x, label, words = _problem(4, 20)
    saved = fit_probe(x, label, words=words, **HERE)
    path = saved.save(tmp_path / "probe.safetensors")
    opened = Probe.open(path)
    assert opened.fingerprint == saved.fingerprint
    assert (opened.categories, opened.words) == (saved.categories, frozenset(words))
    np.testing.assert_array_equal(opened.scores(x), saved.scores(x))
    assert sorted(load_file(path)) == ["intercept", "weights"]
    with pytest.raises(InputError, match="does not say that it holds a direction"):
        Direction.open(path)
    path.write_bytes(path.read_bytes().replace(b"colour", b"coluor"))
    with pytest.raises(MachineError, match="not what was saved"):
        Probe.open(path)


def test_it_cannot_be_changed_from_outside():
    weights = np.ones((3, 2))
    probe = Probe(weights, np.zeros(2), ("<a>", "b"), **HERE)
    weights[:] = 0.0
    assert probe.weights.all()
    with pytest.raises(ValueError, match="read-only"):
        probe.intercept[0] = 1.0
    assert "&lt;a&gt;" in probe._repr_html_()
    other = Probe(np.ones((3, 2)), np.zeros(2), ("b", "<a>"), **HERE)
    assert probe.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.ones(3)}, r"shape \(3,\)"),
        ({"intercept": np.zeros(3)}, r"shape \(3,\)"),
        ({"categories": ("a", "a")}, "name of its own"),
        ({"categories": ("a",)}, "name of its own"),
        ({"weights": np.full((3, 2), np.nan)}, "not finite"),
        ({"site": "logits"}, "'logits'"),
        ({"layer": -1}, "layer -1"),
        ({"origin": {"x": {1, 2}}}, "JSON"),
    ],
)
def test_what_is_no_probe_is_refused(change, message):
    given_ = {"weights": np.ones((3, 2)), "intercept": np.zeros(2), "categories": ("a", "b")}
    with pytest.raises(InputError, match=message):
        Probe(**{**given_, **HERE, **change})


@pytest.mark.parametrize("ridge", [0.0, -1.0, float("nan")])
def test_a_ridge_that_is_not_positive_is_refused(ridge):
    x, label, _ = _problem(5, 6)
    with pytest.raises(InputError, match="ridge is"):
        fit_probe(x, label, ridge=ridge, **HERE)
