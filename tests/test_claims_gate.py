"""The gate on phantoms: every kind of truth gets the verdict that it deserves."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from cortiscope.analyses import INSTRUMENTS
from cortiscope.claims import Bench, Case, Claim, calibrate, judge
from cortiscope.claims.controls import known_controls
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import binomial_interval

DECODE = INSTRUMENTS["decode"]
PARAMETERS = {
    "target": "category",
    "groups": "word",
    "site": "resid_post",
    "n_permutations": 199,
    "n_bootstrap": 199,
    "n_folds": 5,
    "ridge": 0.01,
    "scale": False,
    "auc": False,
    "seed": 0,
}
AMPLE = PhantomDesign.balanced(n_categories=4, n_words=30, n_frames=2, n_units=30)
TINY = PhantomDesign.balanced(n_categories=2, n_words=5, n_frames=2, n_units=30)


def claim(kind="greater", controls=("permuted_words",), **sizes):
    sizes = sizes or {"size": 0.35}
    return Claim(
        name="demo", statistic="decode:peak_accuracy", kind=kind, controls=controls, **sizes
    )


def case(recording, said, *, twins=(), design=None, instrument=DECODE, n_phantoms=20):
    result = instrument.run(recording, **PARAMETERS)
    bench = Bench(
        claim=said,
        instrument=instrument,
        parameters=PARAMETERS,
        recordings=(recording,),
        result=result,
        twins=tuple(instrument.run(twin, **PARAMETERS) for twin in twins),
    )
    calibrations = {}
    if "calibration" in said.controls:
        calibrations["phantom"] = calibrate(
            instrument,
            said,
            [design or AMPLE],
            PARAMETERS,
            n_phantoms=n_phantoms,
            n_permutations=99,
        )
    return Case("phantom", {"phantom": bench}, calibrations)


def verdict(*arguments, **options):
    return judge([case(*arguments, **options)])[0]


def test_a_true_effect_is_supported_and_survives_every_control():
    recording = PHANTOMS["direction"].make(AMPLE, seed=1, strength=2.5)
    twins = [PHANTOMS["noise"].make(AMPLE, seed=100 + i) for i in range(5)]
    controls = (
        "twins",
        "permuted_words",
        "held_out_frame",
        "surface",
        "half_replication",
        "outlier_units",
        "multiverse",
        "calibration",
    )
    found = verdict(recording, claim(controls=controls, size=0.45), twins=twins)
    assert found.outcome == "supported", found.sentence
    assert [evidence.control for evidence in found.evidence] == list(controls[:-1])
    assert all(evidence.survived for evidence in found.evidence)
    assert found.calibration.has_power


def test_a_true_absence_with_ample_data_is_supported():
    recording = PHANTOMS["noise"].make(AMPLE, seed=2)
    found = verdict(recording, claim("equivalent", ("calibration",), low=0.1, high=0.4))
    assert found.outcome == "supported", found.sentence
    assert found.calibration.is_valid


def test_no_effect_with_ample_data_is_not_supported():
    found = verdict(PHANTOMS["noise"].make(AMPLE, seed=3), claim(controls=("calibration",)))
    assert found.outcome == "not supported"
    assert found.decided_by == "test"
    assert "excludes the claim" in found.sentence


def test_no_effect_with_tiny_data_is_inconclusive():
    found = verdict(
        PHANTOMS["noise"].make(TINY, seed=4),
        claim(controls=("calibration",), size=0.6),
        design=TINY,
    )
    assert found.outcome == "inconclusive", found.sentence
    assert found.decided_by == "power"
    assert not found.calibration.has_power


def test_an_effect_through_a_confound_falls_to_the_surface_control():
    recording = PHANTOMS["surface"].make(AMPLE, seed=5, strength=3.0)
    found = verdict(recording, claim(controls=("permuted_words", "surface")))
    assert found.outcome == "not supported", found.sentence
    assert found.decided_by == "surface"
    assert "surface" in found.sentence


def test_the_surface_is_what_was_shown_and_not_how_it_is_called():
    """Groups whose names give the category away must not make the surface look informative."""
    recording = PHANTOMS["direction"].make(AMPLE, seed=12, strength=2.5)
    table = recording.table
    table = table.assign(word=table["category"] + " " + table["word"])
    named = type(recording).from_arrays(
        {"resid_post": recording["resid_post"].values}, stimuli=table, name="telling names"
    )
    found = verdict(named, claim(controls=("surface",)))
    assert found.outcome == "supported", found.sentence
    assert found.evidence[0].numbers["surface"] < 0.5


def test_what_lives_in_training_words_only_is_not_supported():
    recording = PHANTOMS["training_words"].make(AMPLE, seed=6, strength=1.0)
    found = verdict(recording, claim(controls=("calibration",), size=0.5))
    assert found.outcome == "not supported"


def test_an_effect_of_one_frame_falls_to_the_held_out_frame():
    recording = PHANTOMS["noise"].make(AMPLE, seed=7)
    x = recording["resid_post"].values.copy()
    labels = recording.labels
    here = (labels["frame"] == labels["frame"].iloc[0]).to_numpy()
    category = labels["category"].astype("category").cat.codes.to_numpy()
    spread = x.std(axis=0)
    x[here] += 4 * spread * np.random.default_rng(0).normal(size=(4, 1, 30))[category[here]]
    planted = type(recording).from_arrays(
        {"resid_post": x}, stimuli=recording.table, name="one frame"
    )
    found = verdict(planted, claim(controls=("held_out_frame",), size=0.3))
    assert found.outcome == "not supported"
    assert found.decided_by == "held_out_frame"


def test_memory_of_words_falls_to_the_memory_control_and_a_category_does_not():
    """Any labels of known words are read as well as the true ones: that is memory."""
    controls = known_controls()
    found = {}
    for name, strength in (("training_words", 1.0), ("direction", 2.5)):
        recording = PHANTOMS[name].make(AMPLE, seed=10, strength=strength)
        said = claim(controls=("memory",))
        result = DECODE.run(recording, **PARAMETERS)
        found[name] = controls["memory"](Bench(said, DECODE, PARAMETERS, (recording,), result))
    assert not found["training_words"].survived, found["training_words"].statement
    assert found["training_words"].numbers["random"] > 0.5  # chance is 0.25
    assert found["direction"].survived, found["direction"].statement


def test_a_half_with_too_few_words_cannot_replicate_anything():
    few = PhantomDesign.balanced(n_categories=2, n_words=8, n_frames=2, n_units=30)
    recording = PHANTOMS["direction"].make(few, seed=11, strength=8.0)
    found = verdict(recording, claim(controls=("half_replication",), size=0.6))
    assert found.outcome == "invalid", found.sentence
    assert "could not run" in found.sentence


def _ignores_labels(recording, **parameters):
    result = DECODE.run(recording, **parameters)
    constant = {"estimates": result.estimates * 0 + 0.25, "intervals": result.intervals * 0 + 0.25}
    return dataclasses.replace(result, **constant, resamples=result.resamples * 0 + 0.25)


def _always_rejects(recording, **parameters):
    result = DECODE.run(recording, **parameters)
    return dataclasses.replace(result, null=result.null * 0)


@pytest.mark.parametrize("broken", [_ignores_labels, _always_rejects])
def test_a_broken_instrument_makes_its_claims_invalid(broken):
    instrument = dataclasses.replace(DECODE, run=broken)
    recording = PHANTOMS["direction"].make(AMPLE, seed=8, strength=2.5)
    found = verdict(recording, claim(controls=("calibration",)), instrument=instrument)
    assert found.outcome == "invalid"
    assert found.decided_by == "calibration"


def test_a_control_that_cannot_run_makes_the_claim_invalid():
    recording = PHANTOMS["direction"].make(AMPLE, seed=9, strength=2.5)
    found = verdict(recording, claim(controls=("twins",)))
    assert found.outcome == "invalid"
    assert "no twins" in found.sentence


def test_a_twin_as_good_as_the_subject_is_a_veto():
    strong = [PHANTOMS["direction"].make(AMPLE, seed=s, strength=2.5) for s in range(6)]
    results = [DECODE.run(recording, **PARAMETERS) for recording in strong]
    order = np.argsort([float(result.estimates["peak_accuracy"]) for result in results])
    weakest, rest = order[0], order[1:]
    said = claim(controls=("twins",))
    bench = Bench(
        claim=said,
        instrument=DECODE,
        parameters=PARAMETERS,
        recordings=(strong[weakest],),
        result=results[weakest],
        twins=tuple(results[i] for i in rest),
    )
    found = judge([Case("phantom", {"phantom": bench})])[0]
    assert found.outcome == "not supported"
    assert found.decided_by == "twins"


def test_claims_are_corrected_together():
    recordings = [PHANTOMS["noise"].make(AMPLE, seed=20 + i) for i in range(4)]
    recordings.append(PHANTOMS["direction"].make(AMPLE, seed=30, strength=2.5))
    found = judge([case(recording, claim()) for recording in recordings], correction="by")
    raw = [one.p for one in found]
    expected = stats.false_discovery_control(raw, method="by")
    np.testing.assert_allclose([one.corrected_p for one in found], expected)


def test_a_claim_about_all_holds_only_if_each_does():
    said = claim()
    strong = case(PHANTOMS["direction"].make(AMPLE, seed=40, strength=2.5), said)
    empty = case(PHANTOMS["noise"].make(AMPLE, seed=41), said)
    both = Case("all", {"a": strong.benches["phantom"], "b": empty.benches["phantom"]})
    found = judge([both])[0]
    assert found.subject == "all"
    assert found.outcome == "not supported"
    assert "held in 0 of 2" in found.sentence or "held in 1 of 2" in found.sentence
    assert found.corrected_p == empty.p_value


@pytest.mark.slow
def test_studies_of_pure_noise_rarely_support_anything():
    """200 studies of noise with ten claims each: the share with any supported claim."""
    n_studies = 200
    design = PhantomDesign.balanced(n_categories=10, n_words=10, n_frames=2, n_units=20)
    parameters = {**PARAMETERS, "auc": True, "n_permutations": 999}
    wrong = 0
    for study in range(n_studies):
        recording = PHANTOMS["noise"].make(design, seed=1000 + study)
        result = DECODE.run(recording, **parameters)
        cases = []
        for category in design.categories:
            said = Claim(
                name=category,
                statistic=f"decode:auc[layer=0,category={category}]",
                kind="greater",
                size=0.55,
                controls=("permuted_words",),
            )
            bench = Bench(said, DECODE, parameters, (recording,), result)
            cases.append(Case("noise", {"noise": bench}))
        wrong += any(one.outcome == "supported" for one in judge(cases))
    low, high = binomial_interval(wrong, n_studies)
    print(f"{wrong} of {n_studies} studies of noise support a claim [{low:.3f}, {high:.3f}]")
    assert low <= 0.05
