"""Retention is 1 where categories are read in parallel, and falls where one probe cannot."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from cortiscope import InputError, Recording, Result
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.retention import retention
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import Folds, auc_of_words

FULL = PhantomDesign.balanced()
SMALL = PhantomDesign.balanced(n_categories=4, n_words=10, n_units=40)
FAST = {"n_permutations": 99, "n_bootstrap": 99}


def _folds(recording):
    labels = recording.labels
    return Folds.grouped(labels["category"].tolist(), labels["word"].tolist())


def test_it_equals_scikit_learn_on_the_same_folds():
    recording = PHANTOMS["direction"].make(SMALL, seed=1, strength=1.5)
    result = retention(recording, ridge=0.1, ratio=False, **FAST)
    folds, x = _folds(recording), recording.layer("resid_post", 0).astype(float)
    wins, pairs = np.zeros((2, 4)), np.zeros(4)
    for train, test in folds.splits():
        centred = x[train] - x[train].mean(axis=0)
        weight = len(train) / (0.1 * np.square(centred).sum())
        scale = np.sqrt(np.square(centred).sum() / len(train))
        seen, unseen = centred / scale, (x[test] - x[train].mean(axis=0)) / scale
        settings = {"C": weight * scale**2, "tol": 1e-8, "max_iter": 5000}
        shared = LogisticRegression(**settings).fit(seen, folds.label[train])
        odds = shared.predict_proba(unseen)
        for c in range(4):
            own = LogisticRegression(**settings).fit(seen, folds.label[train] == c)
            positive = folds.label[test] == c
            n_pairs = positive.sum() * (~positive).sum()
            wins[0, c] += n_pairs * roc_auc_score(positive, odds[:, c])
            wins[1, c] += n_pairs * roc_auc_score(positive, own.decision_function(unseen))
            pairs[c] += n_pairs
    np.testing.assert_allclose(result.estimates["auc_shared"].values[0], wins[0] / pairs, atol=2e-3)
    np.testing.assert_allclose(result.estimates["auc_own"].values[0], wins[1] / pairs, atol=2e-3)


def test_with_least_squares_there_is_nothing_to_measure():
    """A column of a least-squares probe of all categories is the category's own probe."""
    recording = PHANTOMS["overshadowed"].make(SMALL, seed=0, strength=4.0)
    folds, x = _folds(recording), recording.layer("resid_post", 0).astype(float)
    shared, own = np.zeros((2, len(x), 4))
    codes = np.eye(4)[folds.label]
    for train, test in folds.splits():
        shared[test] = Ridge(alpha=10.0).fit(x[train], codes[train]).predict(x[test])
        for c in range(4):
            own[test, c] = Ridge(alpha=10.0).fit(x[train], codes[train, c]).predict(x[test])
    every_word = np.ones((1, folds.n_words))
    np.testing.assert_allclose(
        auc_of_words(shared, folds, every_word), auc_of_words(own, folds, every_word), atol=1e-12
    )


def test_it_falls_in_the_categories_that_others_overshadow():
    recording = PHANTOMS["overshadowed"].make(FULL, seed=3, strength=4.0)
    is_faint = PHANTOMS["overshadowed"].truth(FULL, seed=3)["is_faint"].values
    result = retention(recording, **FAST)
    retained = result.estimates["retention"].sel(category=list(FULL.categories)).values[0]
    assert np.isfinite(retained).all()
    assert retained[is_faint].mean() < 0.8
    assert retained[~is_faint].min() > 0.95
    assert float(result.estimates["mean_retention"]) < 0.95
    assert float(result.p_values["mean_loss"]) == 0.01
    assert float(result.intervals["mean_loss"].sel(bound="low")) > 0


def test_nothing_is_lost_where_each_category_has_a_direction():
    result = retention(PHANTOMS["direction"].make(FULL, seed=0, strength=3.0), **FAST)
    assert float(result.estimates["share_defined"]) == 1.0
    low, high = result.intervals["mean_retention"].values
    assert 0.95 < low <= float(result.estimates["mean_retention"]) <= high < 1.05


def test_without_an_effect_it_keeps_its_rates():
    """100 recordings that hold no category: neither a loss, nor a place where it is defined."""
    results = [
        retention(PHANTOMS["noise"].make(SMALL, seed=s), n_permutations=99, n_bootstrap=2, seed=s)
        for s in range(100)
    ]
    n_lost = sum(float(r.p_values["mean_loss"]) <= 0.05 for r in results)
    n_defined = sum(float(r.estimates["share_defined"]) > 0 for r in results)
    assert n_lost <= stats.binom.ppf(0.999, len(results), 0.05)
    assert n_defined <= stats.binom.ppf(0.999, len(results), 0.05)


def test_its_numbers_follow_from_the_areas():
    recording = PHANTOMS["direction"].make(FULL, seed=2, strength=1.0)
    result = retention(recording, **FAST)
    own, shared = (result.estimates[name].values for name in ("auc_own", "auc_shared"))
    defined = own > float(result.estimates["auc_to_beat"])
    assert 0 < defined.sum() < defined.size
    expected = np.where(defined, (shared - 0.5) / (own - 0.5), np.nan)
    np.testing.assert_allclose(result.estimates["retention"].values, expected)
    assert float(result.estimates["mean_retention"]) == pytest.approx(np.nanmean(expected))
    assert float(result.estimates["mean_loss"]) == pytest.approx((own - shared).mean())
    draws = result.resamples
    np.testing.assert_allclose(
        draws["mean_loss"], (draws["auc_own"] - draws["auc_shared"]).mean(("layer", "category"))
    )
    without = retention(recording, ratio=False, **FAST)
    assert "retention" not in without.estimates
    assert without.estimates["mean_loss"].identical(result.estimates["mean_loss"])


def test_equal_activations_of_different_words_are_ties_not_luck():
    x = np.random.default_rng(0).normal(size=(5, 40))[np.arange(SMALL.n_stimuli) % 5]
    recording = Recording.from_arrays({"resid_post": x[:, None]}, stimuli=SMALL.table)
    noisy = x + 1e-9 * np.random.default_rng(1).normal(size=x.shape)
    broken = Recording.from_arrays({"resid_post": noisy[:, None]}, stimuli=SMALL.table)
    tied, untied = (
        retention(r, ratio=False, **FAST).estimates["auc_own"].values for r in (recording, broken)
    )
    folds = _folds(recording)
    wins, pairs = np.zeros(4), np.zeros(4)
    for train, test in folds.splits():
        for c in range(4):
            centred = x[train] - x[train].mean(axis=0)
            scale = np.sqrt(np.square(centred).sum() / len(train))
            model = LogisticRegression(C=100.0, tol=1e-9, max_iter=5000)
            model.fit(centred / scale, folds.label[train] == c)
            scores = model.decision_function((x[test] - x[train].mean(axis=0)) / scale)
            positive = folds.label[test] == c
            n_pairs = positive.sum() * (~positive).sum()
            wins[c] += n_pairs * roc_auc_score(positive, scores.round(6))
            pairs[c] += n_pairs
    np.testing.assert_allclose(tied[0], wins / pairs, atol=1e-12)
    assert not np.allclose(tied, untied, atol=1e-6)


def test_a_concept_that_is_read_in_familiar_company_only_is_found_out():
    """A code of each pair of concepts is of no use to a probe that never saw the pair."""
    kinds = [f"c{c}" for c in range(4)]
    table = pd.DataFrame(
        [
            {"category": a, "word": f"{a}-{w}", "other_category": b}
            for a in kinds
            for w in range(15)
            for b in kinds
        ]
    )
    place = table.groupby(["category", "other_category"], sort=False).ngroup().to_numpy()
    familiar, strange = [], []
    for seed in range(8):
        x = np.random.default_rng(seed).normal(size=(len(table), 16)) + 4.0 * np.eye(16)[place]
        recording = Recording.from_arrays({"resid_post": x[:, None]}, stimuli=table)
        for areas, cross in ((familiar, None), (strange, "other_category")):
            result = retention(recording, cross=cross, ratio=False, **FAST)
            areas.append(float(result.estimates["auc_own"].mean()))
    assert min(familiar) > 0.85
    assert max(strange) < 0.75
    assert np.mean(strange) == pytest.approx(0.5, abs=0.1)


def test_saved_results_open_as_they_were_where_nothing_is_defined(tmp_path):
    result = retention(PHANTOMS["noise"].make(SMALL, seed=2), **FAST)
    assert float(result.estimates["share_defined"]) == 0.0
    assert np.isnan(float(result.estimates["mean_retention"]))
    opened = Result.open(result.save(tmp_path))
    assert opened.fingerprint == result.fingerprint
    pd.testing.assert_frame_equal(opened.to_frame(), result.to_frame())
    texts = [a.text for a in INSTRUMENTS["retention"].figure({"noise": opened}).layout.annotations]
    assert texts == ["not defined: no category is readable at any layer"]


def test_the_id_is_known_before_the_work_and_the_work_repeats():
    recording = PHANTOMS["direction"].make(SMALL, seed=4, strength=2.0)
    result = retention(recording, **FAST)
    assert INSTRUMENTS["retention"].id_for(recording, **FAST) == result.id
    assert INSTRUMENTS["retention"].id_for(recording, **FAST, ridge=0.1) != result.id
    assert retention(recording, **FAST).fingerprint == result.fingerprint


def test_its_figure_shows_the_mean_of_every_layer_and_how_many_are_defined():
    design = PhantomDesign.balanced(n_categories=4, n_words=20, n_units=60, n_layers=3)
    result = retention(PHANTOMS["direction"].make(design, seed=0, strength=4.0), **FAST)
    figure = INSTRUMENTS["retention"].figure({"subject": result, "twin 0": result})
    mean = next(trace for trace in figure.data if trace.name == "subject: mean")
    np.testing.assert_allclose(mean.y, result.estimates["retention"].mean("category"))
    assert list(figure.layout.xaxis.ticktext) == [f"{layer}<br>4 of 4" for layer in range(3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "colour"}, "no label 'colour': choose one of"),
        ({"cross": "company"}, "no label 'company': choose one of"),
        ({"n_folds": 11}, "fewer than the 11 folds"),
        ({"n_permutations": 0}, "n_permutations is 0"),
        ({"ridge": 0.0}, "ridge is 0.0"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        retention(PHANTOMS["noise"].make(SMALL, seed=0), **arguments)


def test_units_that_do_not_vary_are_refused():
    recording = Recording.from_arrays(
        {"resid_post": np.ones((SMALL.n_stimuli, 1, 4))}, stimuli=SMALL.table
    )
    with pytest.raises(InputError, match="all units are constant"):
        retention(recording)
