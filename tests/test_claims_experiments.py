"""Claims about what a subject does: calibrated on models, and challenged by further experiments."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.claims import Bench, Claim, calibrate, phantom_that_calibrates
from cortiscope.claims.controls import known_controls
from cortiscope.claims.effect import Effect
from cortiscope.claims.on_phantoms import run_on_phantoms, settings_of_phantoms
from cortiscope.errors import InputError
from cortiscope.ledger import Run
from cortiscope.phantoms import MODEL_PHANTOMS, PhantomDesign
from cortiscope.report import write_report
from cortiscope.scanning import Recording
from cortiscope.stimuli import StimulusSet
from cortiscope.studies import Protocol, reproduce, run_study
from cortiscope.studies.phantom_subject import load_model_phantom, name_of_model_phantom

LESION = INSTRUMENTS["lesion"]
DESIGN = PhantomDesign.balanced(n_categories=3, n_words=12, n_frames=2, n_units=64)
SPEC = "phantom:{}(seed=1, n_units=64, n_layers=3)"
CONTROLS = ("twins", "permuted_words", "matched_random", "half_replication", "multiverse")


def claim(statistic="lesion:behaviour_direction_effect", kind="greater", **given):
    sizes = given if {"size", "bound", "low"} & set(given) else {"size": 0.5, **given}
    return Claim(name="of a step", statistic=statistic, kind=kind, controls=(), **sizes)


# --- Calibration ----------------------------------------------------------------------------------


def small(instrument, **more):
    return {**instrument.defaults, "n_units": 4, **more}


@pytest.mark.slow
def test_a_claim_about_lesions_is_calibrated_on_models(tmp_path):
    def calibrated():
        return calibrate(
            LESION,
            claim(size=2.0, phantom="read_from_direction(n_units=64)"),
            [DESIGN],
            small(LESION),
            n_phantoms=4,
            n_permutations=39,
            cache=tmp_path,
        )

    first = calibrated()
    assert first.is_valid and 0 < first.strength < 1
    assert first.power > 0.5 and first.false_positive_rate < 0.5
    strengths, estimates, _ = zip(*first.curve, strict=True)
    assert list(strengths) == sorted(strengths) and estimates[-1] > 2 > estimates[0]
    assert calibrated() == first  # from the cache
    assert len(list(tmp_path.iterdir())) == 1


def test_a_size_that_no_lesion_has_cannot_be_calibrated(monkeypatch):
    """The ladder of strengths ends, and the instrument is said not to see it."""

    def weak(instrument, phantom, designs, settings, seed, *, strength, **options):
        rng = np.random.default_rng([*seed, int(1000 * strength)])
        # It rises, and falls again before it would have the size.
        value = min(strength, 1.0) - max(strength - 1.0, 0.0) + 0.01 * rng.standard_normal()
        return one_number(value, rng)

    monkeypatch.setattr("cortiscope.claims.calibration.run_on_phantoms", weak)
    design = [DESIGN]
    missed = calibrate(LESION, claim(size=1.5), design, LESION.defaults, n_phantoms=5)
    assert missed.strength is None and not missed.is_valid
    # What is above a fall of the curve is not needed to find what is before it.
    found = calibrate(LESION, claim(size=0.8), design, LESION.defaults, n_phantoms=5)
    assert found.strength == pytest.approx(0.8, abs=0.1)


def one_number(value: float, rng: np.random.Generator) -> Result:
    draws = value + 0.01 * rng.standard_normal(99)
    found = {
        "behaviour_direction_effect": Statistic((), value, resamples=draws),
        "change_by_units": Statistic(("layer",), [value]),
    }
    return Result(
        analysis="lesion",
        subject="nobody",
        **datasets(found, {"layer": [1]}),
        n={},
        parameters={},
        inputs={},
        reference="",
        source="",
    )


def test_phantoms_are_models_where_a_response_is_read():
    name, options = phantom_that_calibrates(LESION, claim(phantom="read_from_units(n_selective=2)"))
    assert name == "read_from_units" and options == {"n_layers": 3, "n_selective": 2}
    decode = INSTRUMENTS["decode"]
    assert phantom_that_calibrates(decode, claim("decode:peak_accuracy")) == ("direction", {})
    with pytest.raises(InputError, match="names the phantom direction, and lesion reads a subj"):
        phantom_that_calibrates(LESION, claim(phantom="direction"))
    with pytest.raises(InputError, match="read_from_units, and decode reads a recording"):
        phantom_that_calibrates(decode, claim("decode:peak_accuracy", phantom="read_from_units"))
    with pytest.raises(InputError, match=r"the option 'strength'.*calibration chooses"):
        phantom_that_calibrates(LESION, claim(phantom="stored_twice(strength=2)"))


@pytest.mark.parametrize(
    ("variable", "spared"),
    [
        ("behaviour_direction_effect", {"sizes": [], "n_passages": 1}),
        ("n_units_equal", {"n_passages": 1}),
        ("language_direction_effect", {"sizes": []}),
    ],
)
def test_what_a_variable_does_not_need_is_spared(variable, spared):
    light = LESION.lightened(variable, LESION.defaults)
    always = {"directions": ["difference_in_means"], "n_draws": 10}
    assert light == {**always, **spared}
    assert set(LESION.accepted(light)) == set(light)


def test_switches_are_spared_too():
    steerability = INSTRUMENTS["steerability"]
    assert not steerability.lightened("mean_steerability", steerability.defaults)["dimensions"]
    assert steerability.lightened("correlation", steerability.defaults)["dimensions"]
    assert INSTRUMENTS["decode"].lightened("peak_accuracy", {}) == {}


@pytest.mark.slow
def test_where_nothing_is_there_a_lesion_is_rarely_found():
    """What a lesion takes from a probe that learned nothing is luck with the words it is shown."""
    variable, n, alpha = "direction_effect", 16, 0.05
    settings = {
        **small(LESION),
        **settings_of_phantoms(LESION, 99),
        **LESION.lightened(variable, LESION.defaults),
        "n_draws": 5,
    }
    found = 0
    for index in range(n):
        result = run_on_phantoms(
            LESION,
            "read_from_direction",
            [DESIGN],
            settings,
            [7, index],
            strength=0.0,
            n_units=64,
            n_layers=3,
        )
        found += Effect.of(result, variable).p_of_presence() <= alpha
    assert found <= 3  # of 16 at .05, more than 3 in 0.7% of cases


# --- A phantom that plants a correlation ----------------------------------------------------------


def test_the_longer_a_category_the_less_it_is_read():
    phantom = MODEL_PHANTOMS["steered_by_length"]
    design = PhantomDesign.balanced(n_categories=8, n_words=4, n_units=96)
    gains = {
        strength: phantom.truth(design, seed=2, n_units=96, strength=strength)
        for strength in (0.0, 1.0)
    }
    lengths = gains[0.0]["lengths"]
    assert lengths.equals(gains[1.0]["lengths"])
    assert float(lengths.max() / lengths.min()) == pytest.approx(3.0)
    log_ratio = np.log(gains[1.0]["gain"] / gains[0.0]["gain"])
    assert np.corrcoef(log_ratio, np.log(lengths))[0, 1] == pytest.approx(-1.0)
    with pytest.raises(InputError, match="spread is 1"):
        phantom.make(design, spread=1)


# --- Controls -------------------------------------------------------------------------------------

PROTOCOL = """
study = "models"
subjects = {subjects}
stimuli = "{stimuli}"
sites = ["resid_post"]
n_twins = 1
claim_permutations = 99

[steps.lesion]
analysis = "lesion"
n_units = 4
n_draws = 10
n_passages = 1
sizes = []
directions = ["difference_in_means"]

[[claims]]
name = "Behaviour depends on a direction"
statistic = "lesion:behaviour_direction_minus_shift"
kind = "greater"
size = 0.5
controls = {controls}
"""


@pytest.fixture
def study(tmp_path, monkeypatch) -> Callable[..., Run]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    StimulusSet.from_table(DESIGN.table, name="words").save(tmp_path / "words.parquet")
    table = pd.read_parquet(tmp_path / "words.parquet")
    table.to_csv(tmp_path / "words.tsv", sep="\t", index=False)

    def run(*kinds: str, controls: tuple[str, ...] = CONTROLS) -> Run:
        path = tmp_path / "models.toml"
        subjects = json.dumps([SPEC.format(kind) for kind in kinds])
        stimuli = tmp_path / "words.tsv"
        path.write_text(
            PROTOCOL.format(subjects=subjects, stimuli=stimuli, controls=json.dumps(list(controls)))
        )
        return run_study(Protocol.load(path), tmp_path / "run")

    return run


def verdicts(run: Run):
    return json.loads((run.path / "verdicts.json").read_text())


@pytest.mark.slow
def test_what_is_read_from_a_direction_survives_every_control(study, monkeypatch):
    run = study("read_from_direction")
    (verdict,) = verdicts(run)
    survived = {found["control"]: found["survived"] for found in verdict["evidence"]}
    assert survived == dict.fromkeys(CONTROLS, True)
    assert verdict["outcome"] == "supported"
    numbers = {found["control"]: found["numbers"] for found in verdict["evidence"]}
    permuted = [found["estimate"] for found in numbers["permuted_words"].values()]
    assert len(permuted) == 5 and max(map(abs, permuted)) < verdict["estimate"] / 4
    said = [row["specification"] for row in numbers["multiverse"]["curve"]]
    assert {"replace zero", "onward true", "positions target", "layer 0"} <= set(said)
    assert {"directions by leace", "directions by probe"} <= set(said)

    # All of it can be drawn and traced.
    assert "permuted words 3" in write_report(run).read_text()

    # All that controls stimulated with is in the ledger, and comes out again without the model.
    kinds = [entry.kind for entry in run.entries()]
    assert kinds.count("response") > 10
    assert {str(found.outcome) for found in reproduce(run)} == {"identical"}

    # The same again finds all of it, and loads no model to judge.
    loaded = []
    monkeypatch.setattr(
        "cortiscope.studies.runner.load_model_phantom",
        lambda *given: loaded.append(given) or load_model_phantom(*given),
    )
    again = study("read_from_direction")
    assert verdicts(again) == [verdict] and len(loaded) == 1


@pytest.mark.slow
def test_what_is_present_and_not_read_is_not_supported(study):
    (verdict,) = verdicts(study("present_not_read"))
    assert verdict["outcome"] != "supported"


def bench(statistic, parameters, run, analysis="lesion", **more) -> Bench:
    instrument = INSTRUMENTS[analysis]
    rng = np.random.default_rng(0)
    recording = Recording.from_arrays(
        {"resid_post": rng.normal(size=(DESIGN.n_stimuli, 4, 8))}, stimuli=DESIGN.table
    )
    return Bench(
        claim=claim(statistic, **more),
        instrument=instrument,
        parameters={**instrument.defaults, **parameters},
        recordings=(recording,),
        result=one_number(1.0, rng),
        run=run,
    )


def test_words_are_dealt_other_labels_before_anything_is_fitted():
    seen: list[Recording] = []

    def run(_, recordings, parameters):
        seen.append(recordings[0])
        assert parameters["n_draws"] == 10  # and no more than the variable needs
        return one_number(0.0, np.random.default_rng(len(seen)))

    lying = bench("lesion:behaviour_direction_effect", {}, run)
    evidence = known_controls()["permuted_words"](lying)
    assert evidence.survived and len(seen) == 5
    before = lying.recording.table
    for recording in seen:
        table = recording.table
        by_word = table.groupby("word")["category"].unique()
        assert (by_word.map(len) == 1).all()
        assert sorted(by_word.map(lambda own: own[0])) == sorted(
            before.drop_duplicates("word")["category"]
        )
        assert (table["category"] != before["category"]).mean() > 0.4
        assert np.array_equal(recording["resid_post"].values, lying.recording["resid_post"].values)
    assert len({recording.fingerprint for recording in seen}) == 5


def test_an_effect_that_permuted_words_have_too_falls():
    values = iter([0.1, 0.2, 1.1, 0.0, 0.1])

    def run(*_):
        return one_number(next(values), np.random.default_rng(0))

    evidence = known_controls()["permuted_words"](
        bench("lesion:behaviour_direction_effect", {}, run)
    )
    assert evidence.survived is False and "1.100" in evidence.statement


def test_other_choices_are_those_that_the_instrument_has():
    changed = []

    def run(_, __, parameters):
        changed.append(parameters)
        return one_number(1.0, np.random.default_rng(0))

    known_controls()["multiverse"](bench("lesion:behaviour_direction_effect", {}, run))
    assert [p["replace"] for p in changed].count("zero") == 1
    assert sorted({p["directions"][0] for p in changed}) == [
        "difference_in_means",
        "leace",
        "probe",
    ]
    assert [p["layers"] for p in changed if p["layers"]] == [[0], [2]]
    assert {p["ridge"] for p in changed} == {0.01}  # no probe is read
    assert {p["n_permutations"] for p in changed} == {99}


def test_random_ones_of_every_kind_are_exceeded(study):
    run = study("read_from_direction", controls=("matched_random",))
    (verdict,) = verdicts(run)
    (found,) = verdict["evidence"]
    assert found["survived"]
    assert set(found["numbers"]) == {
        f"behaviour direction minus {kind}" for kind in ("random", "isotropic", "shift")
    }


@pytest.mark.parametrize(
    ("analysis", "control", "sentence"),
    [
        ("lesion", "surface", "changes what a probe reads of a recording, and lesion reads a subj"),
        ("decode", "matched_random", "is about lesions and injections, and decode reads a record"),
    ],
)
def test_controls_of_the_other_sort_are_refused(analysis, control, sentence):
    statistic = {"lesion": "lesion:direction_effect", "decode": "decode:peak_accuracy"}[analysis]
    protocol = Protocol(
        study="refused",
        subjects=("specimen:qwen2",),
        steps={analysis: {"analysis": analysis}},
        claims=(
            Claim(name="it", statistic=statistic, kind="greater", size=0.1, controls=(control,)),
        ),
    )
    with pytest.raises(InputError, match=sentence):
        protocol.check()


# --- Models in a subject's place ------------------------------------------------------------------


def test_a_protocol_names_a_model_phantom_as_any_phantom():
    stimuli = StimulusSet.from_table(DESIGN.table, name="words")
    spec = "phantom:read_from_units(seed=3, n_units=64, n_selective=2, family='gpt2')"
    subject = load_model_phantom(spec, stimuli)
    assert subject.name == name_of_model_phantom(spec)
    assert subject.anatomy.family.name == "GPT-2" and subject.anatomy.n_units == 64


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("phantom:stored_twice(seed=0.5)", "the seed of .* is 0.5: give a whole number"),
        ("phantom:stored_twice(strength='a')", "the strength of .* is 'a': give a number"),
        ("phantom:stored_twice(family=2)", "the family of .* is 2: give a text"),
        ("phantom:stored_twice(read=0.5)", "the read of .* is 0.5: give a whole number"),
        ("phantom:stored_twice(depth=2)", "no option 'depth'"),
    ],
)
def test_options_of_a_model_phantom_are_checked(spec, sentence):
    with pytest.raises(InputError, match=sentence):
        load_model_phantom(spec, StimulusSet.from_table(DESIGN.table, name="words"))
