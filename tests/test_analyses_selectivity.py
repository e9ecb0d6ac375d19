"""Selectivity finds planted units, keeps its error rate, and is not taken in by its own choice."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortiscope import InputError, Recording, Result
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.selectivity import selectivity
from cortiscope.claims import check_on_phantoms, failures
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import spearman_brown

DESIGN = PhantomDesign.balanced(n_categories=4, n_words=12, n_frames=2, n_units=100, n_layers=2)
FEW = {"n_permutations": 49, "n_jackknife": 49, "overlap": False}
SCALARS = (
    "mean_reliability",
    "mean_held_out_d_prime",
    "mean_held_out_d_prime_1",
    "mean_overlap_20",
)


def _phantom(name="selective_units", seed=0, strength=2.0, design=DESIGN, **options):
    return PHANTOMS[name].make(design, seed, strength, **options)


@pytest.fixture(scope="module")
def found():
    return selectivity(_phantom(), n_permutations=99, n_jackknife=99)


def test_planted_units_are_found_again(found):
    for name in SCALARS:
        assert float(found.p_values[name]) == 1 / 100
        low, high = found.intervals[name].values
        assert low < float(found.estimates[name]) < high
    assert (found.p_values["held_out_d_prime"] < 0.05).all()


def test_held_out_d_prime_is_what_was_planted():
    """Without frames, whose variance would add to that within categories."""
    design = PhantomDesign.balanced(n_categories=4, n_words=100, n_frames=1, n_units=500)
    estimates = selectivity(_phantom(design=design), **FEW).estimates
    for name in ("mean_held_out_d_prime", "mean_held_out_d_prime_1"):  # 5 are 1% of the units
        assert float(estimates[name]) == pytest.approx(2.0, abs=0.2)
    # Five of the twenty are selective.
    assert float(estimates["mean_held_out_d_prime_20"]) == pytest.approx(0.5, abs=0.15)


def test_without_an_effect_p_values_are_uniform():
    """200 recordings of words and frames without a category."""
    design = PhantomDesign.balanced(n_categories=3, n_words=8, n_frames=2, n_units=30)
    p_values = {name: [] for name in SCALARS}
    for seed in range(200):
        recording = _phantom("noise", seed, design=design)
        result = selectivity(
            recording, n_permutations=49, n_jackknife=2, n_splits=2, overlap=False, seed=seed
        )
        for name, values in p_values.items():
            values.append(float(result.p_values[name]))
    rng = np.random.default_rng(0)
    for values in p_values.values():
        # p is one of .02, .04, ..., 1: spread over the step below it, it is continuous.
        spread = np.array(values) - rng.random(200) / 50
        assert stats.kstest(spread, "uniform").pvalue > 0.001


def test_the_same_half_flatters_and_the_other_half_does_not():
    results = [selectivity(_phantom("noise", seed), **FEW).estimates for seed in range(10)]
    held_out, same_half, circular = (
        np.array([float(of[name].mean()) for of in results])
        for name in ("held_out_d_prime", "same_half_d_prime", "circular_d_prime")
    )
    error = held_out.std(ddof=1) / np.sqrt(10)
    assert abs(held_out.mean()) < 4 * error
    assert circular.min() > held_out.max() + 4 * error
    assert same_half.min() > held_out.max() + 4 * error


def test_scalars_are_means_over_layers_and_categories(found):
    estimates = found.estimates
    for name in ("held_out_d_prime", "held_out_d_prime_20", "held_out_d_prime_1", "overlap_20"):
        assert float(estimates[f"mean_{name}"]) == pytest.approx(float(estimates[name].mean()))
    reliability = estimates["reliability"]
    correlation = (reliability / (2 - reliability)).mean()
    assert float(estimates["mean_reliability"]) == pytest.approx(
        float(spearman_brown(float(correlation)))
    )
    chance = float(found.null["mean_overlap_20"].mean())
    above = (float(estimates["mean_overlap_20"]) - chance) / (1 - chance)
    assert float(estimates["mean_overlap_above_chance"]) == pytest.approx(above)
    assert float(found.p_values["mean_overlap_above_chance"]) == float(
        found.p_values["mean_overlap_20"]
    )


def test_the_curve_has_its_chance_and_the_phantoms_that_fit(found):
    estimates = found.estimates
    assert estimates.attrs["oracles_left_out"] == [200, 1000]
    assert "overlap_of_200" not in estimates
    assert float(estimates["overlap_of_20"].sel(n_chosen=20)) >= 0.9
    known = np.isfinite(estimates["overlap"]).all(["layer", "category"])
    assert estimates["n_chosen"].values[known].tolist() == [5, 10, 20, 50]
    by_label = estimates["overlap_permuted"].mean(["layer", "category"])
    by_formula = estimates["overlap_hypergeometric"].mean("layer")
    np.testing.assert_allclose(by_label[:4], by_formula[:4], atol=0.05)
    assert (estimates["overlap"].mean(["layer", "category"])[:3] > by_label[:3] + 0.1).all()


def test_all_phantoms_of_known_units_fit_a_wide_model():
    """Top 20: all of 20 units come back, and of 200 that are as selective hardly any."""
    design = PhantomDesign.balanced(n_categories=3, n_words=20, n_frames=1, n_units=1100)
    result = selectivity(
        _phantom("noise", design=design),
        n_permutations=5,
        n_jackknife=2,
        n_splits=1,
        n_overlap_splits=20,
    )
    at_20 = result.estimates.sel(n_chosen=20)
    assert float(at_20["overlap_of_20"]) >= 0.9
    assert 0 < float(at_20["overlap_of_200"]) < 0.2
    assert float(result.estimates.sel(n_chosen=200)["overlap_of_200"]) > 0.85
    assert result.estimates.attrs["oracles_left_out"] == []


def test_words_stay_together():
    """What a unit says of a word comes back with its other sentences, if halves divide them."""
    table = DESIGN.table
    word = pd.factorize(table["word"])[0]
    x = 5 * np.random.default_rng(1).normal(size=(word.max() + 1, 1, 100))[word]
    recording = Recording.from_arrays({"resid_post": x}, stimuli=table)
    together = selectivity(recording, **FEW)
    alone = table.assign(word=table["word"] + table["frame"])
    apart = selectivity(Recording.from_arrays({"resid_post": x}, stimuli=alone), **FEW)
    assert float(together.p_values["mean_held_out_d_prime"]) > 0.05
    assert float(apart.p_values["mean_held_out_d_prime"]) == 1 / 50


def test_silenced_units_count_when_sign_does_not():
    effect = (
        _phantom(strength=2.0)["resid_post"].values - _phantom(strength=0.0)["resid_post"].values
    )
    x = _phantom(strength=0.0)["resid_post"].values - effect
    recording = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    signed, absolute = selectivity(recording, **FEW), selectivity(recording, absolute=True, **FEW)
    assert float(absolute.estimates["mean_held_out_d_prime_1"]) > 1
    assert float(signed.estimates["mean_held_out_d_prime_1"]) < 0.8


def test_order_of_stimuli_and_scale_of_units_do_not_matter():
    recording = _phantom(strength=1.0)
    order = np.random.default_rng(0).permutation(DESIGN.n_stimuli)
    x = 3 * recording["resid_post"].values[order] - 7
    table = DESIGN.table.iloc[order].reset_index(drop=True)
    shuffled = Recording.from_arrays({"resid_post": x}, stimuli=table)
    first, second = selectivity(recording, **FEW), selectivity(shuffled, **FEW)
    np.testing.assert_allclose(
        first.estimates["held_out_d_prime"], second.estimates["held_out_d_prime"], atol=1e-4
    )


def test_constant_units_are_left_out():
    recording = _phantom(strength=1.0)
    x = recording["resid_post"].values
    padded = np.concatenate([x, np.full((*x.shape[:2], 30), 2.5, dtype=np.float32)], axis=2)
    wider = selectivity(Recording.from_arrays({"resid_post": padded}, stimuli=DESIGN.table), **FEW)
    narrow = selectivity(recording, **FEW)
    assert wider.n["n_units"] == 100
    for name in SCALARS:
        assert float(wider.estimates[name]) == pytest.approx(float(narrow.estimates[name]))


def test_saved_results_open_as_they_were_and_ids_are_known_before(found, tmp_path):
    opened = Result.open(found.save(tmp_path))
    assert opened.fingerprint == found.fingerprint
    instrument = INSTRUMENTS["selectivity"]
    assert instrument.id_for(_phantom(), n_permutations=99, n_jackknife=99) == found.id
    again = selectivity(_phantom(), n_permutations=99, n_jackknife=99)
    assert again.fingerprint == found.fingerprint


def test_it_detects_and_stays_silent_on_its_phantoms():
    design = PhantomDesign.balanced(n_categories=4, n_words=20, n_frames=2, n_units=64)
    checked = check_on_phantoms(
        INSTRUMENTS["selectivity"], design, strengths=(0.0, 3.0), n_phantoms=5, n_permutations=39
    )
    assert failures(checked) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "colour"}, "no label 'colour': choose one of"),
        ({"groups": "frame"}, "has 2 words \\(frame\\)"),
        ({"layers": [9]}, "layer 9 of resid_post was not recorded"),
        ({"top_share": 0.0}, "top_share is 0.0"),
        ({"n_splits": 0}, "number of splits is 0"),
        ({"n_permutations": 0}, "n_permutations is 0"),
        ({"n_jackknife": 0}, "n_jackknife is 0"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        selectivity(_phantom(), **arguments)


def test_bad_recordings_are_named():
    table = DESIGN.table
    x = np.random.default_rng(0).normal(size=(len(table), 1, 10))
    with pytest.raises(InputError, match="all units of resid_post at layer 0 are constant"):
        selectivity(Recording.from_arrays({"resid_post": 0 * x}, stimuli=table))
    rare = table.assign(category=table["category"].where(table["word"] != table["word"][0], "rare"))
    with pytest.raises(InputError, match="category 'rare' has 1 words"):
        selectivity(Recording.from_arrays({"resid_post": x}, stimuli=rare))


def test_its_figure_shows_what_replicates_beside_chance_and_what_it_cannot_say(found):
    others = {f"twin {i}": selectivity(_phantom("noise", i), **FEW) for i in range(2)}
    figure = INSTRUMENTS["selectivity"].figure({"subject": found, **others})
    names = {trace.name for trace in figure.data}
    assert {
        "subject",
        "untrained twins",
        "permuted words (95%)",
        "circular: chosen and measured on the same words",
        "chance, hypergeometric",
        "chance, permuted words",
        "phantom, 20 selective units",
    } <= names
    text = figure.layout.annotations[0].text
    assert "Low overlap alone does not mean that no unit is selective" in text
    assert "no room for phantoms with 200 and 1,000 units" in text
    curve = next(trace for trace in figure.data if trace.name == "subject")
    np.testing.assert_allclose(curve.y, found.estimates["reliability"].mean("category"))
    without = INSTRUMENTS["selectivity"].figure(others)
    assert without.layout.annotations[0].text == "not measured"
