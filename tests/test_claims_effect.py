"""One number of a result: what it takes to support a claim, alone, of pairs, and of phantoms."""

import dataclasses
import re

import numpy as np
import pytest

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.claims import Bench, Case, Claim, calibrate, check_on_phantoms, judge
from cortiscope.claims.controls import known_controls
from cortiscope.claims.effect import Effect
from cortiscope.codes import RDM
from cortiscope.errors import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.scanning import Recording
from cortiscope.stimuli import StimulusSet
from cortiscope.studies import Protocol
from cortiscope.studies.power import calibration_of

DESIGN = PhantomDesign.balanced(n_categories=2, n_words=20, n_frames=2, n_units=20)
SMALL = PhantomDesign.balanced(n_categories=2, n_words=12, n_frames=2, n_units=20)
KINDS = {
    "greater": {"size": 0.2},
    "less": {"size": -0.2},
    "at_most": {"bound": 0.2},
    "equivalent": {"low": -0.2, "high": 0.2},
}
FEW = {"n_permutations": 39, "n_jackknife": 39}


def claim(kind="greater", statistic="step:value", controls=(), **given):
    given = given or KINDS[kind]
    return Claim(name="demo", statistic=statistic, kind=kind, controls=controls, **given)


def result(estimate, null=None, draws=None, none=0.0):
    found = Statistic((), estimate, null, draws, none)
    return Result("demo", subject="nobody", **datasets({"value": found}, {}))


def verdict(said, measured):
    nobody = Recording.from_arrays({"resid_post": np.zeros((4, 1, 4))}, DESIGN.table[:4])
    bench = Bench(said, INSTRUMENTS["decode"], {}, (nobody,), measured)
    return judge([Case("nobody", {"nobody": bench})])[0]


def test_without_a_null_the_p_value_is_the_share_of_resamples_without_effect():
    draws = np.r_[np.full(95, 0.5), np.full(3, -0.1), 0.0, 0.0]
    effect = Effect.of(result(0.4, draws=draws), "value")
    assert (effect.none, len(effect.null)) == (0.0, 0)
    assert effect.p_value(claim("greater")) == pytest.approx(6 / 101)
    # Against small values nearly all resamples speak; those that are exactly none speak too.
    assert effect.p_value(claim("less")) == pytest.approx(98 / 101)
    assert effect.smallest_p == pytest.approx(1 / 101)


def test_what_no_effect_is_the_instrument_says_unless_there_is_a_null():
    draws = np.linspace(1.1, 1.3, 99)
    assert Effect.of(result(1.2, draws=draws, none=1.0), "value").p_of_presence() == 0.01
    assert Effect.of(result(1.2, draws=draws, none=1.3), "value").p_of_presence() == 1.0
    null = np.full(99, 1.15)
    permuted = Effect.of(result(1.2, null, draws, none=1.3), "value")
    assert permuted.none == pytest.approx(1.15)
    assert permuted.p_of_presence() == 0.01
    assert permuted.p_of_presence(sign=-1.0) == 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("has_null", [True, False])
@pytest.mark.parametrize("is_undefined", ["estimate", "one draw", "all draws", "null"])
def test_what_is_not_defined_supports_no_claim(kind, has_null, is_undefined):
    sure = {"greater": 0.5, "less": -0.5}.get(kind, 0.0)
    rng = np.random.default_rng(0)
    estimate, draws = sure, sure + 0.01 * rng.normal(size=999)
    null = 0.05 * rng.normal(size=999) if has_null else None
    assert verdict(claim(kind), result(estimate, null, draws)).outcome == "supported"
    if is_undefined == "estimate":
        estimate = np.nan
    elif is_undefined == "one draw":
        draws[17] = np.nan
    elif is_undefined == "all draws":
        draws[:] = np.nan
    elif null is not None:
        null[:] = np.nan
    found = verdict(claim(kind), result(estimate, null, draws))
    needs_null = has_null and kind in ("greater", "less")
    if is_undefined == "null" and not needs_null:
        assert found.outcome == "supported"
    else:
        assert found.outcome in ("inconclusive", "not supported"), found.sentence


def test_a_twin_in_which_nothing_is_defined_is_not_surpassed():
    draws = np.full(99, 0.5)
    measured = result(0.5, draws=draws)
    for values in ([0.1, np.nan], [np.nan, 0.1]):
        twins = tuple(result(value, draws=draws) for value in values)
        bench = Bench(claim(), INSTRUMENTS["decode"], {}, (), measured, twins)
        assert known_controls()["twins"](bench).survived is False


def test_of_what_has_no_interval_nothing_can_be_claimed():
    kept = {"sure": Statistic((), 0.5, resamples=np.zeros(9)), "bare": Statistic((), 0.5)}
    kept["by_layer"] = Statistic(("layer",), [0.5, 0.6], resamples=np.zeros((9, 2)))
    measured = Result("demo", subject="nobody", **datasets(kept, {"layer": [0, 3]}))
    with pytest.raises(InputError, match=r"no interval of 'bare'.*choose one of sure, by_layer"):
        Effect.of(measured, "bare")
    with pytest.raises(InputError, match=r"no variable 'ghost'.*sure, bare, by_layer"):
        Effect.of(measured, "ghost")
    with pytest.raises(InputError, match=r"by_layer is no single number.*\[layer=\.\.\.\]"):
        Effect.of(measured, "by_layer")
    with pytest.raises(InputError, match="no layer '1': choose among 0, 3"):
        Effect.of(measured, "by_layer", {"layer": "1"})
    there = Effect.of(measured, "by_layer", {"layer": "3"})
    assert (there.estimate, there.address) == (0.6, f"{measured.id}:by_layer[layer=3]")


def shared(seed, n_units=20, strength=3.0, name=""):
    design = dataclasses.replace(DESIGN, n_units=n_units)
    made = PHANTOMS["shared_geometry"].make(design, seed=seed, strength=strength)
    return Recording.from_arrays(
        {"resid_post": made["resid_post"].values}, made.table, name=name or f"shared {seed}"
    )


def at_sites(recording, sites, name):
    values = recording["resid_post"].values
    return Recording.from_arrays(
        {site: values[:, [0] * n_layers] for site, n_layers in sites.items()},
        recording.table,
        name=name,
    )


def pair_bench(recordings, analysis="cka", **parameters):
    instrument = INSTRUMENTS[analysis]
    parameters = {**instrument.defaults, **FEW, **parameters}
    said = claim(statistic=f"{analysis}:mean_best_match")
    measured = instrument.run(*recordings, **parameters)
    return Bench(said, instrument, parameters, recordings, measured)


def control(name, bench):
    return known_controls()[name](bench)


@pytest.mark.parametrize("target", ["category", None])
def test_halves_of_a_pair_are_the_same_words_in_both(target):
    one, other = shared(1), shared(2, 24)
    read = []

    def run(instrument, recordings, parameters):
        read.append([set(recording.labels["word"]) for recording in recordings])
        return instrument.run(*recordings, **parameters)

    bench = dataclasses.replace(pair_bench((one, other), target=target), run=run)
    found = control("half_replication", bench)
    assert found.survived, found.statement
    (first, first_other), (second, second_other) = read
    assert first == first_other
    assert second == second_other
    assert not first & second
    assert len(first) == len(second) == 20
    noise = pair_bench((one, shared(2, strength=0.0)), target=target)
    assert control("half_replication", noise).survived is False


def test_halves_beside_an_rdm_leave_it_whole():
    one = shared(1)
    truth = PHANTOMS["shared_geometry"].truth(DESIGN, seed=1)
    brain = RDM.from_features("brain", list(DESIGN.words), truth["place"].values, "euclidean")
    bench = pair_bench((one, brain), "rsa", measure="euclidean")
    found = control("half_replication", bench)
    assert found.survived, found.statement
    assert control("outlier_units", bench).survived is not None


def massive(recording, unit):
    values = recording["resid_post"].values.copy()
    values[..., unit] = 1e4 * np.random.default_rng(unit).normal(size=values.shape[:2])
    return Recording.from_arrays({"resid_post": values}, recording.table, name=recording.name)


def test_massive_units_are_left_out_of_both():
    one, other = shared(1), shared(2)
    bench = pair_bench((massive(one, 3), massive(massive(other, 4), 5)))
    assert bench.effect.estimate < 0.2
    found = control("outlier_units", bench)
    assert found.survived, found.statement
    (condition,) = found.numbers
    first, second = map(int, re.findall(r"\d+", condition))
    assert first >= 1
    assert second >= 2


@pytest.mark.parametrize("place", [0, 1])
def test_massive_units_are_sought_at_the_site_that_is_read(place):
    one = at_sites(massive(shared(1), 3), {"resid_post": 1}, "one")
    other = at_sites(massive(shared(2), 4), {"attn_out": 2}, "other")
    pair = (one, other) if place == 0 else (other, one)
    sites = {"site": "resid_post", "other_site": "attn_out"}
    if place:
        sites = {"site": "attn_out", "other_site": "resid_post"}
    bench = pair_bench(pair, **sites)
    assert bench.sites == tuple(sites.values())
    found = control("outlier_units", bench)
    assert found.survived, found.statement


def specifications(bench):
    return [row["specification"] for row in control("multiverse", bench).numbers["curve"]]


def test_other_sites_are_tried_where_both_of_a_pair_have_them():
    rich = at_sites(shared(1), {"resid_post": 2, "attn_out": 2, "resid_pre": 1}, "rich")
    alike = at_sites(shared(2), {"resid_post": 3, "attn_out": 3, "resid_pre": 3}, "alike")
    poor = at_sites(shared(2), {"resid_post": 2}, "poor")
    always = ["as the protocol says", "other folds (seed 1)"]
    assert specifications(pair_bench((rich, alike))) == [*always, "site attn_out"]
    assert specifications(pair_bench((rich, poor))) == always
    # What the second is read at stays, so that it need not have the other site.
    apart = pair_bench((rich, poor), other_site="resid_post")
    assert specifications(apart) == [*always, "site attn_out"]


def test_a_ridge_that_is_chosen_inside_is_not_multiplied():
    recording = PHANTOMS["direction"].make(DESIGN, seed=1, strength=4.0)
    instrument = INSTRUMENTS["decode"]
    parameters = {**instrument.defaults, "n_permutations": 39, "n_bootstrap": 39, "n_folds": 3}
    said = claim(statistic="decode:peak_accuracy", size=0.6)
    benches = {
        ridge: Bench(
            said,
            instrument,
            parameters | {"ridge": ridge},
            (recording,),
            instrument.run(recording, **parameters | {"ridge": ridge}),
        )
        for ridge in ("inner", 0.1)
    }
    assert not [s for s in specifications(benches["inner"]) if s.startswith("ridge")]
    assert {"ridge 0.01", "ridge 1", "ridge 10"} <= set(specifications(benches[0.1]))
    assert control("multiverse", benches["inner"]).survived


def test_surface_and_frames_say_why_they_cannot_challenge_a_pair():
    bench = pair_bench((shared(1), shared(2)))
    for name in ("surface", "held_out_frame", "memory"):
        found = control(name, bench)
        assert found.survived is None
        assert "cka" in found.statement


STUDY = {
    "study": "demo",
    "subjects": ("phantom:noise",),
    "n_phantoms": 6,
    "phantom_permutations": 19,
    "steps": {
        "decode": {"analysis": "decode", "n_folds": 3, "n_permutations": 19, "n_bootstrap": 19},
        "cka": {"analysis": "cka"},
    },
}


def test_a_claim_has_its_own_phantom_and_number_of_phantoms(tmp_path, monkeypatch):
    monkeypatch.setattr("cortiscope.studies.power.calibration_cache", lambda: tmp_path)

    stimuli = StimulusSet.from_table(SMALL.table)
    found = []
    for own in ({}, {"phantom": "subspace(shares=(0.5, 0.5))", "n_phantoms": 4}):
        said = claim(statistic="decode:peak_accuracy", size=0.7, **own)
        protocol = Protocol(**STUDY, claims=(said,))
        found.append(calibration_of(protocol, said, stimuli, [20]))
        assert calibration_of(protocol, said, stimuli, [20]) == found[-1]
    plain, subspace = found
    assert (plain.n_phantoms, subspace.n_phantoms) == (6, 4)
    assert len(list(tmp_path.glob("*.json"))) == 2
    # Half of the words in each of two directions: it takes more to see the same.
    assert subspace.strength > plain.strength


def test_a_claim_of_pairs_is_calibrated_on_pairs_of_their_own_sizes():
    said = claim(statistic="cka:mean_best_match", size=0.3)
    designs = [SMALL, dataclasses.replace(SMALL, n_units=12)]
    parameters = {**INSTRUMENTS["cka"].defaults, **FEW}
    found = calibrate(
        INSTRUMENTS["cka"], said, designs, parameters, n_phantoms=6, n_permutations=19
    )
    assert found.is_valid
    assert found.curve[0][0] == 0.0
    assert abs(found.curve[0][1]) < 0.2
    means = {strength: mean for strength, mean, _ in found.curve}
    assert means[found.strength] == pytest.approx(0.3, abs=0.15)


def test_a_statistic_that_is_never_defined_cannot_be_calibrated():
    decode = INSTRUMENTS["decode"]

    def undefined(recording, **parameters):
        measured = decode.run(recording, **parameters)
        estimates = measured.estimates.assign(peak_accuracy=np.nan)
        return dataclasses.replace(measured, estimates=estimates)

    found = calibrate(
        dataclasses.replace(decode, run=undefined),
        claim(statistic="decode:peak_accuracy", size=0.6),
        [DESIGN],
        {},
        n_phantoms=5,
        n_permutations=19,
    )
    assert (found.strength, found.is_valid, found.power) == (None, False, 0.0)


@pytest.mark.parametrize(
    ("phantom", "sentence"),
    [
        ("ghost", "no phantom 'ghost'"),
        ("subspace(n_dims=2)", "the option 'n_dims': it takes shares"),
        ("noise(seed=1)", "the option 'seed': it takes none"),
        ("subspace(strength=2)", "calibration chooses the strength"),
    ],
)
def test_a_phantom_that_cannot_be_planted_is_refused_before_anything_is_scanned(phantom, sentence):
    said = claim(statistic="decode:peak_accuracy", size=0.7, phantom=phantom)
    with pytest.raises(InputError) as caught:
        Protocol(**STUDY, claims=(said,)).check()
    assert sentence in str(caught.value)


def test_an_instrument_of_pairs_is_tried_on_pairs():
    checked = check_on_phantoms(
        INSTRUMENTS["cka"], DESIGN, strengths=(0.0, 2.0), n_phantoms=8, n_permutations=39
    )
    found = checked.estimates["share_found"].sel(phantom="shared_geometry")
    assert found.sel(strength=2.0) == 1.0
    assert found.sel(strength=0.0) < 0.5
