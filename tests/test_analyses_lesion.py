"""Direction against region (F3), on subjects whose causes are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cortiscope.analyses import Result
from cortiscope.analyses.figures.lesion import lost_by_number_of_units
from cortiscope.analyses.lesion import INSTRUMENT, lesion
from cortiscope.analyses.lesion_experiment import lesion_experiment
from cortiscope.analyses.lesion_measures import equal_units, loss_change
from cortiscope.analyses.lesion_statistics import Choices, Contrast
from cortiscope.codes import Direction, Eraser
from cortiscope.errors import InputError
from cortiscope.phantoms import MODEL_PHANTOMS
from cortiscope.scanning import Recording, scan
from cortiscope.stimulation import Condition, Experiment, Inject, Lesion, Response, Where, stimulate
from cortiscope.stimulation.readouts import AnswerLogOdds, AskedOnce
from cortiscope.stimuli import StimulusSet
from lesions import CATEGORIES, CopyingSubject, make_stimuli, spread_axes, unit_axes

N_UNITS = 48
SETTING: dict[str, Any] = {"layers": [0], "n_units": 4, "n_draws": 39}
DRAWS: dict[str, Any] = {"n_permutations": 499, "n_bootstrap": 199}
STIMULI = make_stimuli()


def planned(subject: CopyingSubject, **changed: Any) -> Experiment:
    return lesion_experiment(subject.recording, STIMULI, **{**SETTING, **changed})


def measured(subject: CopyingSubject, **changed: Any) -> Result:
    setting = {**SETTING, **changed}
    return lesion(subject.response(planned(subject, **changed)), **setting, **DRAWS)


def scalars(result: Result) -> dict[str, float]:
    return {
        str(name): float(values)
        for name, values in result.estimates.data_vars.items()
        if not values.dims
    }


@pytest.fixture(scope="module")
def of_direction() -> Result:
    """The category lies along a direction over all units, and is read from there."""
    return measured(CopyingSubject(STIMULI, spread_axes(N_UNITS)))


@pytest.fixture(scope="module")
def of_units() -> Result:
    """The category lies in two units of its own, and is read from there."""
    return measured(CopyingSubject(STIMULI, unit_axes(N_UNITS, 2)))


def test_a_direction_does_more_than_selective_units(of_direction: Result) -> None:
    found = scalars(of_direction)
    assert found["direction_minus_units"] > 0.1
    assert of_direction.intervals["direction_minus_units"].sel(bound="low") > 0
    assert found["n_units_equal"] > 20
    assert found["direction_minus_random"] > 0.2
    assert of_direction.p_values["direction_minus_random"] < 0.01
    assert of_direction.p_values["behaviour_direction_minus_random"] < 0.01
    assert found["specificity"] > 0.2
    assert of_direction.p_values["specificity"] < 0.01


def test_selective_units_do_what_a_direction_does(of_units: Result) -> None:
    found = scalars(of_units)
    assert found["units_minus_random"] > 0.2
    assert of_units.p_values["units_minus_random"] < 0.01
    assert of_units.p_values["behaviour_units_minus_random"] < 0.01
    # The six units of all categories tell the probe which one it is, two tell the subject.
    assert found["n_units_equal"] < 12
    assert found["behaviour_n_units_equal"] < 4
    assert found["behaviour_direction_minus_units"] < 0
    assert of_units.p_values["behaviour_units_specificity"] < 0.05


def test_what_is_not_read_is_missed_by_the_probe_alone() -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS), is_read=False)
    result = measured(subject)
    assert result.p_values["direction_minus_random"] < 0.01
    assert float(result.estimates["behaviour_direction_minus_random"]) == 0.0
    assert result.p_values["behaviour_direction_minus_random"] == 1.0
    assert float(result.estimates["behaviour_n_units_equal"]) == 0.0


def test_without_categories_nothing_is_found() -> None:
    p_values = []
    for seed in range(12):
        subject = CopyingSubject(STIMULI, spread_axes(N_UNITS, seed), strength=0.0, seed=seed)
        result = measured(subject, directions=["difference_in_means"], n_draws=19)
        p_values.append(float(result.p_values["behaviour_direction_minus_random"]))
    assert np.mean(np.array(p_values) <= 0.05) <= 0.25
    assert max(p_values) > 0.3


def test_changes_are_differences_of_scikit_learns_aucs() -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS), strength=3.0)
    response = subject.response(planned(subject))
    result = lesion(response, **SETTING, **DRAWS)
    data = response.data
    truth = data["stimulus_category"].values

    def auc(condition: str, category: str) -> float:
        scores = data["probe_scores"].sel(condition=condition, category=category).values
        # What the lesion of the probe's own direction leaves differs by rounding alone.
        return float(roc_auc_score(truth == category, scores.round(5)))

    changes = result.estimates.sel(layer=0)
    for concept in CATEGORIES:
        clean = auc("clean", concept)
        assert np.isclose(result.estimates["clean_auc"].sel(category=concept), clean)
        for method in ("difference_in_means", "leace", "probe"):
            name = f"{method} {concept} @0"
            own = changes["change_by_direction"].sel(direction=method, category=concept)
            assert np.isclose(own, clean - auc(name, concept))
            others = [auc("clean", c) - auc(name, c) for c in CATEGORIES if c != concept]
            found = changes["others_by_direction"].sel(direction=method, category=concept)
            assert np.isclose(found, np.mean(others))
        units = changes["change_by_units"].sel(n_lesioned=4, category=concept)
        assert np.isclose(units, clean - auc(f"4 units {concept} @0", concept))
        drawn = [clean - auc(f"4 random units {draw} @0", concept) for draw in range(39)]
        random = changes["change_by_random_units"].sel(n_lesioned=4, category=concept)
        assert np.isclose(random, np.mean(drawn))


def test_behaviour_is_the_mean_log_odds_of_the_right_name() -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS))
    response = subject.response(planned(subject))
    result = lesion(response, **SETTING, **DRAWS)
    odds = response.data["answers_log_odds"].sel(category="tool")
    own = odds.isel(stimulus=response.data["stimulus_category"].values == "tool").mean("stimulus")
    wanted = own.sel(condition="clean") - own.sel(condition="leace tool @0")
    found = result.estimates["behaviour_change_by_direction"].sel(
        layer=0, direction="leace", category="tool"
    )
    assert np.isclose(found, wanted)


def test_language_weighs_passages_by_their_tokens() -> None:
    loss = np.array([[1.0, 2.0], [1.5, 2.1]])
    rise = loss_change(loss, np.array([100, 300]), np.array([[1.0, 1.0], [2.0, 0.0]]))
    assert np.allclose(rise, [[0.0, (0.5 + 3 * 0.1) / 4], [0.0, 0.5]])


def test_nothing_is_taken_from_held_out_words() -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS))
    before = planned(subject)
    held_out = set(before.stimuli.table["stimulus_id"])
    rows = [i for i, name in enumerate(STIMULI.table["stimulus_id"]) if name in held_out]
    assert len(rows) == len(STIMULI) // 3
    subject.x[rows] = np.random.default_rng(1).normal(size=(len(rows), N_UNITS))
    after = planned(subject)
    assert after.fingerprint == before.fingerprint
    subject.x[next(i for i in range(len(STIMULI)) if i not in rows)] += 1.0
    assert planned(subject).fingerprint != before.fingerprint


def test_lesions_are_what_their_labels_say() -> None:
    subject = CopyingSubject(STIMULI, unit_axes(N_UNITS, 2))
    experiment = planned(subject, sizes=[2, 8])
    held_out = set(experiment.stimuli.table["stimulus_id"])
    train = [i for i, name in enumerate(STIMULI.table["stimulus_id"]) if name not in held_out]
    for condition in experiment.conditions[1:]:
        (found,) = condition.interventions
        if condition.labels["kind"] == "random_shift":
            assert isinstance(found, Inject)
            continue
        assert isinstance(found, Lesion)
        assert found.where.layers == (condition.labels["lesioned_layer"],)
        kind, n_lesioned = condition.labels["kind"], condition.labels["n_lesioned"]
        if kind in ("units", "random_units"):
            assert found.units is not None
            assert len(found.units) == n_lesioned
        if kind == "units" and n_lesioned == 2:
            place = CATEGORIES.index(str(condition.labels["concept"]))
            assert found.units == (2 * place, 2 * place + 1)
        assert isinstance(found.reference, dict)
        mean = subject.x[train].mean(axis=0)
        assert np.allclose(found.reference[0], mean, atol=1e-5)
    leace = next(c for c in experiment.conditions if c.labels["direction"] == "leace")
    (of_leace,) = leace.interventions
    assert isinstance(of_leace, Lesion)
    assert isinstance(of_leace.eraser, Eraser)
    names = [condition.labels["kind"] for condition in experiment.conditions]
    assert names.count("random_covariance") == names.count("random_isotropic") == 39
    assert names.count("random_units") == 3 * 39


def test_a_lesion_onward_is_of_each_layers_own() -> None:
    x = np.random.default_rng(0).normal(size=(len(STIMULI), 4, N_UNITS))
    recording = Recording.from_arrays({"resid_post": x}, stimuli=STIMULI)
    experiment = lesion_experiment(
        recording, STIMULI, onward=True, layers=[1], n_units=4, n_draws=1
    )
    condition = experiment.conditions[1]
    assert [item.where.layers for item in condition.interventions] == [(1,), (2,), (3,)]
    directions = [item.direction for item in condition.interventions if isinstance(item, Lesion)]
    assert all(isinstance(of, Direction) for of in directions)
    assert [of.layer for of in directions if of] == [1, 2, 3]
    assert directions[0] and directions[1] and abs(directions[0].cosine(directions[1])) < 0.9


def test_units_that_never_vary_are_not_lesioned() -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS))
    subject.x[:, 7] = 1.25
    lesioned = {
        unit
        for condition in planned(subject).conditions
        for item in condition.interventions
        if isinstance(item, Lesion)
        for unit in item.units or ()
    }
    assert lesioned == set(range(N_UNITS)) - {7}


def test_equal_units_between_sizes() -> None:
    assert equal_units([3, 15], np.array([0.1, 0.3]), np.array(0.2)) == pytest.approx(7.0)
    assert equal_units([4, 48], np.array([0.1, 0.05]), np.array(0.1)) == pytest.approx(4.0)
    assert equal_units([4, 48], np.array([0.1, 0.05]), np.array(0.2)) == pytest.approx(48.0)
    assert equal_units([4, 48], np.array([0.1, 0.2]), np.array(-0.3)) == 0.0


@given(
    curve=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    wanted=st.lists(st.floats(-1, 1), min_size=2, max_size=2),
)
def test_more_is_reached_by_more_units(curve: list[float], wanted: list[float]) -> None:
    sizes = [2, 10, 100]
    low, high = equal_units(
        sizes, np.repeat(np.array(curve)[:, None], 2, axis=1), np.sort(np.array(wanted))
    )
    assert 0 <= low <= high <= 100 + 1e-9


def test_exchange_keeps_its_rate_when_a_lesion_is_like_any_other() -> None:
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(400):
        draws = rng.gamma(0.3, size=(40, 1, 5))
        real, draws = draws[:1], draws[1:]
        contrast = Contrast(real, draws, draws.mean(axis=0, keepdims=True))
        choices = Choices.draw(199, 39, 5, seed)
        beyond = contrast.beyond(choices)
        assert beyond.null is not None
        p_values.append((np.sum(beyond.null >= beyond.estimate) + 1) / 200)
    rate = np.mean(np.array(p_values) <= 0.05)
    assert 0.02 <= rate <= 0.08


def test_id_is_known_before_it_is_run(of_direction: Result) -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS))
    response = subject.response(planned(subject))
    assert INSTRUMENT.id_for(response, **SETTING, **DRAWS) == of_direction.id
    assert set(INSTRUMENT.accepted({"n_bootstrap": 1, "nothing": 2})) == {"n_bootstrap"}


def test_the_answer_is_a_sentence(of_direction: Result, of_units: Result) -> None:
    answer = of_units.estimates.attrs["answer"]
    assert answer.startswith("One direction does to the probe what ")
    assert "of 48 units do (95% interval " in answer
    assert answer != of_direction.estimates.attrs["answer"]


def test_a_result_is_saved_with_its_answer(of_units: Result, tmp_path: Any) -> None:
    opened = Result.open(of_units.save(tmp_path))
    assert opened.estimates.attrs["answer"] == of_units.estimates.attrs["answer"]
    assert opened.resamples["n_units_equal"].equals(of_units.resamples["n_units_equal"])


def test_figure_shows_both_readouts_and_twins(of_direction: Result, of_units: Result) -> None:
    figure = lost_by_number_of_units({"subject": of_direction, "twin 0": of_units})
    names = {trace.name for trace in figure.data}
    assert {"most selective units", "random units", "one direction: LEACE"} <= names
    assert {trace.xaxis for trace in figure.data} == {"x", "x2"}
    curve = next(trace for trace in figure.data if trace.name == "most selective units")
    assert list(curve.x) == of_direction.estimates["n_lesioned"].values.tolist()


def test_parameters_of_another_experiment_are_refused() -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS))
    response = subject.response(planned(subject))
    with pytest.raises(InputError, match=r"made with replace='mean'.*replace='zero'"):
        lesion(response, **SETTING, replace="zero")
    data = response.data.isel(condition=np.arange(response.data.sizes["condition"] - 1))
    with pytest.raises(InputError, match="lacks the condition random_shift"):
        lesion(Response(data, [], {}), **SETTING)
    with pytest.raises(InputError, match="no label 'word' of its stimuli"):
        lesion(Response(response.data.drop_vars("word"), [], {}), **SETTING)
    with pytest.raises(InputError, match="no perplexity_loss"):
        lesion(Response(response.data.drop_vars("perplexity_loss"), [], {}), **SETTING)
    broken = response.data.copy(deep=True)
    broken["probe_scores"][3, 2, 1] = np.nan
    with pytest.raises(InputError, match="probe_scores is not finite"):
        lesion(Response(broken, [], {}), **SETTING)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"directions": ["pca"]}, "choose among difference_in_means, leace, probe"),
        ({"replace": "resample"}, "choose mean or zero"),
        ({"n_draws": 0}, "give at least 1"),
        ({"sizes": [100]}, "100 units are to be lesioned, and 48 units"),
        ({"layers": [5]}, "layer 5 of resid_post was not recorded"),
        ({"n_folds": 13}, "fewer than the 13 folds"),
        ({"target": "kind"}, "no label 'kind'"),
        ({"answers": {"animal": ["animal"]}}, "give answers for each of them"),
    ],
)
def test_bad_parameters_are_refused(changed: dict[str, Any], message: str) -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS))
    with pytest.raises(InputError, match=message):
        planned(subject, **changed)


def test_zero_lesions_bring_in_nothing() -> None:
    subject = CopyingSubject(STIMULI, spread_axes(N_UNITS))
    subject.x += 2.0
    experiment = planned(subject, replace="zero")
    by_kind = {c.labels["kind"]: c for c in experiment.conditions}
    (units,) = by_kind["units"].interventions
    assert isinstance(units, Lesion)
    assert units.replace == "zero"
    assert not units.reference


WORDS = make_stimuli(9, ("animal", "colour", "food", "tool"))
IN_MODELS: dict[str, Any] = {"layers": [1], "n_units": 4, "n_draws": 19, "n_passages": 2}


def in_phantom(name: str, folder: Path, words: StimulusSet = WORDS, **options: Any) -> Result:
    subject = MODEL_PHANTOMS[name].make(words, n_units=64, **options)
    recording = scan(subject, words, ["resid_post"], out=folder / name)
    plan = lesion_experiment(recording, words, **IN_MODELS)
    response = stimulate(subject, plan.stimuli, plan.conditions, plan.readouts)
    return lesion(response, **IN_MODELS, **DRAWS)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_direction_that_is_read_is_told_from_units_that_are(family: str, tmp_path: Path) -> None:
    by_direction = in_phantom("read_from_direction", tmp_path, family=family)
    by_units = in_phantom("read_from_units", tmp_path, family=family)
    for result in (by_direction, by_units):
        assert result.p_values["behaviour_direction_minus_shift"] < 0.05
        assert result.p_values["behaviour_specificity"] < 0.01
        assert result.intervals["behaviour_direction_effect"].sel(bound="low") > 2.0
    assert by_direction.intervals["behaviour_n_units_equal"].sel(bound="low") > 16
    assert by_direction.intervals["behaviour_direction_minus_units"].sel(bound="low") > 0
    # Four units are planted for each category.
    assert by_units.intervals["behaviour_n_units_equal"].sel(bound="high") <= 4
    assert by_units.p_values["units_minus_random"] < 0.01


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_what_is_present_and_not_read_is_no_cause(family: str, tmp_path: Path) -> None:
    result = in_phantom("present_not_read", tmp_path, family=family)
    assert result.p_values["behaviour_direction_minus_shift"] > 0.05
    # Of about ten nats.
    assert float(result.estimates["clean_log_odds"].min()) > 9.0
    assert abs(float(result.estimates["behaviour_direction_effect"])) < 0.5


def test_a_probe_loses_what_nothing_else_reads(tmp_path: Path) -> None:
    words = make_stimuli(24, ("animal", "colour", "food", "tool"))
    result = in_phantom("present_not_read", tmp_path, words)
    assert result.p_values["direction_minus_random"] < 0.01
    assert result.p_values["behaviour_direction_minus_shift"] > 0.05


def test_a_prompt_that_stimuli_share_is_asked_once() -> None:
    subject = MODEL_PHANTOMS["read_from_direction"].make(WORDS, n_units=64)
    asked = AnswerLogOdds.naming(["animal", "colour", "food", "tool"])
    nothing = np.zeros((1, 64), dtype=np.float32)
    conditions = [
        Condition("clean"),
        Condition("some", Lesion(units=range(9), reference=nothing, where=Where(layers=1))),
    ]
    assert len(AskedOnce(asked).rows(subject, WORDS)) * 2 == len(asked.rows(subject, WORDS))
    once, always = (
        stimulate(subject, WORDS, conditions, [readout]).data
        for readout in (AskedOnce(asked), asked)
    )
    xr.testing.assert_allclose(once, always, rtol=0, atol=1e-4)
    assert float(abs(once["answers_log_odds"].diff("condition")).max()) > 0.5
