"""Spread finds what is planted, is silent where nothing is, and says what noise gives."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortiscope import InputError, PhantomDesign, Recording, Result
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.spread import spread
from cortiscope.phantoms import PHANTOMS

DESIGN = PhantomDesign.balanced(n_categories=4, n_words=20, n_units=120, n_layers=2)
FAST = {"n_permutations": 99, "n_jackknife": 50, "references": False}


def _phantom(name, strength=0.0, seed=0, **options):
    return PHANTOMS[name].make(DESIGN, seed=seed, strength=strength, **options)


def test_a_few_units_and_all_units_are_told_apart():
    few = spread(_phantom("selective_units", 4.0), **FAST)
    many = spread(_phantom("direction", 12.0), **FAST)
    for result in (few, many):
        assert result.p_values["mean_cosine"] == 1 / 100
        assert result.p_values["mean_n90_share"] <= 0.05
    # Five units of its own, and those of three other categories at a third of the weight.
    assert float(few.estimates["mean_n90_share"]) == pytest.approx(14 / 120, rel=0.15)
    assert float(many.estimates["mean_n90_share"]) > 0.3
    bounds = [r.intervals["mean_n90_share"] for r in (few, many)]
    assert float(bounds[0].sel(bound="high")) < float(bounds[1].sel(bound="low"))
    assert float(many.intervals["mean_participation_share"].sel(bound="low")) > 0.15


def test_the_biased_numbers_say_nothing():
    """Pure noise needs about as many units as a direction that lies in all of them."""
    noise = spread(_phantom("noise"), **FAST)
    many = spread(_phantom("direction", 12.0), **FAST)
    biased = [float(r.estimates["n90_share_biased"].mean()) for r in (noise, many)]
    assert biased[0] == pytest.approx(biased[1], rel=0.1)
    assert float(noise.estimates["mean_n90_share"]) < 0.1
    assert float(noise.p_values["mean_n90_share"]) > 0.05
    assert float(noise.p_values["mean_cosine"]) > 0.05
    assert np.isnan(noise.estimates["participation_ratio"]).mean() > 0.5


@pytest.mark.parametrize("weights", ["difference", "ridge"])
def test_without_an_effect_it_rejects_at_its_rate(weights):
    design = PhantomDesign.balanced(n_categories=3, n_words=8, n_units=40)
    p = {"mean_cosine": [], "mean_n90_share": [], "mean_overlap": []}
    for seed in range(80):
        recording = PHANTOMS["noise"].make(design, seed=seed)
        result = spread(
            recording, n_permutations=99, n_jackknife=2, references=False, top=5, n_halves=2,
            weights=weights, seed=seed,
        )  # fmt: skip
        for name, values in p.items():
            values.append(float(result.p_values[name]))
    low, high = stats.binom.interval(0.999, 80, 0.05)
    for values in p.values():
        assert low <= np.sum(np.array(values) <= 0.05) <= high


def test_it_grows_with_the_strength_of_what_is_planted():
    for phantom, name in (("direction", "mean_n90_share"), ("patch", "mean_cosine")):
        values = [float(spread(_phantom(phantom, s), **FAST).estimates[name]) for s in (0, 2, 4, 8)]
        assert values == sorted(values)


def test_phantoms_stand_beside():
    result = spread(_phantom("noise"), n_permutations=9, n_jackknife=5)
    assert result.estimates["reference"].values.tolist() == [
        "noise",
        "20 units of d' = 1",
        "the same weight over all units",
    ]
    cosine = result.estimates["reference_cosine"].values
    assert abs(cosine[0]) < 0.1
    assert (cosine[1:] > 0.3).all()
    noise = float(result.estimates["reference_participation_share_biased"][0])
    assert noise == pytest.approx(1 / 3, abs=0.03)


def test_massive_units_hold_everything_unless_units_are_scaled():
    recording = _phantom("noise")
    x = recording["resid_post"].values.copy()
    x[..., 7] *= 1e5
    massive = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    raw = spread(massive, scale=False, **FAST)
    assert float(raw.estimates["n90_share_biased"].max()) == 1 / 120
    scaled = spread(massive, **FAST)
    before = spread(recording, **FAST)
    np.testing.assert_allclose(scaled.estimates["cosine"], before.estimates["cosine"], atol=1e-4)


def test_frames_that_all_words_share_do_not_matter():
    recording = _phantom("direction", 3.0)
    x = recording["resid_post"].values.copy()
    x += 30 * np.random.default_rng(0).normal(size=(3, 1, 120))[DESIGN.frame]
    shifted = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    plain = spread(recording, **FAST).estimates
    for result in (spread(shifted, **FAST), spread(shifted, frames="frame", **FAST)):
        np.testing.assert_allclose(result.estimates["cosine"], plain["cosine"], atol=1e-3)


def test_order_of_stimuli_and_of_units_does_not_matter():
    recording = _phantom("direction", 3.0)
    rng = np.random.default_rng(1)
    order, units = rng.permutation(DESIGN.n_stimuli), rng.permutation(120)
    turned = Recording.from_arrays(
        {"resid_post": recording["resid_post"].values[order][..., units]},
        stimuli=DESIGN.table.iloc[order].reset_index(drop=True),
    )
    one, other = (spread(r, **FAST).estimates for r in (recording, turned))
    for name in ("cosine", "n90_share", "participation_share", "participation_ratio"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5)


def test_ridge_weights_find_the_planted_category_too():
    result = spread(_phantom("direction", 6.0), weights="ridge", ridge=0.1, **FAST)
    assert float(result.p_values["mean_cosine"]) == 1 / 100
    assert float(result.p_values["mean_n90_share"]) == 1 / 100
    assert "participation_ratio" not in result.estimates


def test_constant_units_hold_no_weight():
    x = _phantom("selective_units", 4.0)["resid_post"].values.copy()
    x[..., :30] = 2.5
    result = spread(Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table), **FAST)
    assert np.isfinite(result.estimates["mean_cosine"])
    assert float(result.estimates["n90_share_biased"].max()) < 90 / 120


def test_the_id_is_known_before_the_work_and_results_open_as_they_were(tmp_path):
    recording = _phantom("noise")
    settings = FAST | {"references": True}
    result = spread(recording, **settings)
    assert INSTRUMENTS["spread"].id_for(recording, **settings) == result.id
    opened = Result.open(result.save(tmp_path))
    assert opened.fingerprint == result.fingerprint


def test_what_is_switched_off_is_not_there():
    switches = INSTRUMENTS["spread"].switches
    off = spread(_phantom("noise"), n_permutations=9, n_jackknife=5, **dict.fromkeys(switches, 0))
    on = spread(_phantom("noise"), n_permutations=9, n_jackknife=5)
    missing = set(on.estimates.data_vars) - set(off.estimates.data_vars)
    assert missing == {name for names in switches.values() for name in names}


def test_the_figure_says_what_noise_gives():
    result = spread(_phantom("noise"), n_permutations=9, n_jackknife=5)
    figure = INSTRUMENTS["spread"].figure({"subject": result, "twin 0": result, "twin 1": result})
    names = [trace.name for trace in figure.data if trace.showlegend]
    assert names.count("untrained twins") == 1
    assert "phantom: noise" in names
    assert any("says nothing" in note.text for note in figure.layout.annotations)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": "lasso"}, "choose one of difference, ridge"),
        ({"ridge": 0.0}, "positive multiple"),
        ({"n_halves": 0}, "at least 1"),
        ({"top": 120}, "more than 120 are needed"),
        ({"frames": "voice"}, "no label 'voice'"),
        ({"layers": [5]}, "layer 5"),
    ],
)
def test_what_cannot_be_is_said(given, message):
    with pytest.raises(InputError, match=message):
        spread(_phantom("noise"), **(FAST | given))


def test_bad_recordings_are_named():
    table = pd.DataFrame({"category": ["a", "b"] * 4, "word": [f"w{i}" for i in range(8)]})
    few = Recording.from_arrays({"resid_post": np.ones((8, 1, 40))}, stimuli=table)
    with pytest.raises(InputError, match="has 4 values of 'word', and 5 or more"):
        spread(few, **FAST)
    shape = (DESIGN.n_stimuli, 1, 40)
    constant = Recording.from_arrays({"resid_post": np.ones(shape)}, stimuli=DESIGN.table)
    with pytest.raises(InputError, match="0 of the 40 units of layer 0"):
        spread(constant, **FAST)
