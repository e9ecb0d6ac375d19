"""Generalisation tells one code for all layers from a code of each layer's own."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score

from cortiscope import InputError, Recording, decode
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.generalize import generalize
from cortiscope.statistics import Folds, fold_operators

TABLE = pd.DataFrame(
    [
        {"category": f"c{c}", "word": f"c{c}w{w}", "frame": f"f{f}"}
        for c in range(4)
        for w in range(10)
        for f in range(2)
    ]
)
CATEGORY = TABLE["category"].factorize()[0]
WORD = TABLE["word"].factorize()[0]


def _recording(x, name="phantom"):
    return Recording.from_arrays({"resid_post": x}, stimuli=TABLE, name=name)


def _planted(seed, shared, own, n_layers=3, n_units=40):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, n_layers, n_units)) + rng.normal(size=(40, n_layers, n_units))[WORD]
    x += shared * rng.normal(size=(4, 1, n_units))[CATEGORY]
    x += own * rng.normal(size=(4, n_layers, n_units))[CATEGORY]
    return _recording(x + 5 * rng.normal(size=(1, n_layers, n_units)))  # each layer is elsewhere


def test_one_code_is_read_everywhere_and_codes_of_their_own_only_at_home():
    one = generalize(_planted(0, shared=2.0, own=0.0), n_permutations=199)
    own = generalize(_planted(0, shared=0.0, own=2.0), n_permutations=199)
    assert float(one.estimates["share_kept"]) > 0.95
    assert float(one.p_values["accuracy_elsewhere"]) == 1 / 200
    assert (np.diag(own.estimates["accuracy"]) > 0.9).all()
    low, high = own.intervals["share_kept"].values
    assert low < 0.15
    assert high < 0.5
    assert float(own.p_values["accuracy_elsewhere"]) > 0.05


def test_without_an_effect_it_rejects_at_its_rate_and_keeps_no_share():
    results = [
        generalize(
            _planted(seed, 0.0, 0.0, n_layers=2), n_permutations=99, n_bootstrap=2, seed=seed
        )
        for seed in range(100)
    ]
    for name in ("accuracy_elsewhere", "accuracy_at_home"):
        rejected = sum(float(result.p_values[name]) <= 0.05 for result in results)
        assert rejected <= stats.binom.isf(0.001, 100, 0.05)
    silent = [r for r in results if float(r.p_values["accuracy_at_home"]) >= 0.05]
    assert all(np.isnan(float(r.estimates["share_kept"])) for r in silent)


def test_the_diagonal_is_what_decode_reads():
    recording = _planted(1, 0.4, 0.4)
    across, at = generalize(recording, n_permutations=19), decode(recording, n_permutations=19)
    np.testing.assert_allclose(np.diag(across.estimates["accuracy"]), at.estimates["accuracy"])
    diagonal = np.diagonal(across.null["accuracy"].values, axis1=1, axis2=2)
    np.testing.assert_allclose(diagonal, at.null["accuracy"])


@pytest.mark.parametrize("n_units", [12, 150])
@pytest.mark.parametrize("centre", [True, False])
def test_off_the_diagonal_it_is_scikit_learns_probe_of_the_other_layer(n_units, centre):
    recording = _planted(2, 0.5, 0.5, n_units=n_units)
    folds = Folds.grouped(TABLE["category"].tolist(), TABLE["word"].tolist())
    trained, read = (recording.layer("resid_post", layer).astype(float) for layer in (0, 2))
    predicted = np.empty(80, dtype=int)
    for operator, (train, test) in zip(fold_operators(trained, folds), folds.splits(), strict=True):
        model = RidgeClassifier(alpha=operator.ridge_lambda)
        model.fit(trained[train] - trained[train].mean(axis=0), folds.label[train])
        at = read if centre else trained
        predicted[test] = model.predict(read[test] - at[train].mean(axis=0))
    expected = balanced_accuracy_score(folds.label, predicted)
    result = generalize(recording, n_permutations=9, centre=centre)
    measured = float(result.estimates["accuracy"].sel(train_layer=0, layer=2))
    assert measured == pytest.approx(expected)


def test_of_one_layer_elsewhere_is_there():
    result = generalize(_planted(3, 1.0, 0.0), layers=[1], n_permutations=9)
    assert float(result.estimates["accuracy_elsewhere"]) == float(
        result.estimates["accuracy_at_home"]
    )


def test_the_id_is_known_before_the_work():
    recording = _planted(4, 0.5, 0.5)
    assert INSTRUMENTS["generalize"].id_for(recording, n_permutations=9) == (
        generalize(recording, n_permutations=9).id
    )


def test_its_figure_holds_the_map_of_the_subject_and_the_mean_of_its_twins():
    subject, *twins = (generalize(_planted(s, 1.0, 0.0), n_permutations=19) for s in range(3))
    figure = INSTRUMENTS["generalize"].figure(
        {"subject": subject, "twin 0": twins[0], "twin 1": twins[1]}
    )
    np.testing.assert_allclose(figure.data[0].z, subject.estimates["accuracy"])
    mean = np.mean([twin.estimates["accuracy"] for twin in twins], axis=0)
    np.testing.assert_allclose(figure.data[1].z, mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "colour"}, "no label 'colour': choose one of"),
        ({"layers": [9]}, "layer 9 of resid_post was not recorded"),
        ({"n_folds": 11}, "fewer than the 11 folds"),
        ({"ridge": 0.0}, "ridge is 0.0"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        generalize(_planted(0, 0.5, 0.5), **arguments)
