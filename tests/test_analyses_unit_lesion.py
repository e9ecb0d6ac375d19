"""The lesion of sets of units: what is planned, and what is told of a response that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.analyses.figures.unit_lesion import damage_beside_random_sets
from cortiscope.analyses.unit_lesion import INSTRUMENT, unit_lesion
from cortiscope.analyses.unit_lesion_experiment import unit_lesion_experiment
from cortiscope.errors import InputError
from cortiscope.scanning import Recording, scan
from cortiscope.statistics import size_bins
from cortiscope.stimulation import Experiment, Lesion, Response, stimulate
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject

N_UNITS, N_LAYERS = 48, 3
PREFERRING = {(1, 5), (2, 7), (2, 8)}
SETTING: dict[str, Any] = {"top_share": 3 / (N_UNITS * N_LAYERS), "n_draws": 39}
DRAWS: dict[str, Any] = {"n_bootstrap": 199}

# By how much each of ten passages suffers.
SHARE = np.linspace(0.5, 1.6, 10)


def stimuli() -> StimulusSet:
    words = {
        "sentence": [f"sen{i}" for i in range(12)],
        "nonwords": [f"non{i}" for i in range(12)],
    }
    return StimulusSet.from_words(words, {"card": "The card said {word}."})


def recording(massive: tuple[int, ...] = ()) -> Recording:
    """Units of like size, but for massive ones of layer 2; three prefer sentences."""
    rng = np.random.default_rng(0)
    shown = stimuli()
    x = rng.normal(size=(len(shown), N_LAYERS, N_UNITS))
    is_sentence = (shown.table["category"] == "sentence").to_numpy()
    for layer, unit in PREFERRING:
        x[is_sentence, layer, unit] += 4
    for layer in range(N_LAYERS):
        x[:, layer] /= x[:, layer].std(axis=0)
    x[:, 2, list(massive)] *= 30
    return Recording.from_arrays({"resid_post": x}, stimuli=shown, name="made")


def lesioned(condition: Any) -> set[tuple[int, int]]:
    return {
        (lesion.where.layers[0], unit)
        for lesion in condition.interventions
        if isinstance(lesion, Lesion)
        for unit in lesion.units
    }


def responded(plan: Experiment, weight: dict[tuple[int, int], float]) -> Response:
    """A subject whose loss rises by a weight of each unit that is lesioned, in every passage."""
    clean = np.random.default_rng(1).uniform(2, 3, size=10)
    harm = [sum(weight.get(unit, 0.01) for unit in lesioned(c)) for c in plan.conditions]
    loss = clean + np.outer(harm, SHARE)
    labels = {
        name: ("condition", [condition.labels[name] for condition in plan.conditions])
        for name in plan.conditions[0].labels
    }
    data = xr.Dataset(
        {"perplexity_loss": (("condition", "perplexity_passage"), loss)},
        {
            "condition": [condition.name for condition in plan.conditions],
            "perplexity_passage": np.arange(10),
            "perplexity_tokens": ("perplexity_passage", np.full(10, 20)),
            **labels,
        },
    )
    return Response(data, (), {"subject": {"name": "made"}})


def measured(weight: dict[tuple[int, int], float], **changed: Any) -> Result:
    setting = {**SETTING, **changed}
    plan = unit_lesion_experiment(recording(), stimuli(), **setting)
    return unit_lesion(responded(plan, weight), **setting, **DRAWS)


def test_localised_units_are_lesioned_and_random_ones_like_them() -> None:
    read = recording()
    plan = unit_lesion_experiment(read, stimuli(), **SETTING)
    clean, chosen, *random = plan.conditions
    assert clean.interventions == ()
    assert lesioned(chosen) == PREFERRING
    assert len(random) == 39
    for condition in random:
        units = lesioned(condition)
        assert len(units) == 3
        assert sorted(layer for layer, _ in units) == [1, 2, 2]
        assert abs(float(condition.labels["size_ratio"]) - 1) < 0.25
    assert len({frozenset(lesioned(condition)) for condition in random}) > 20


def test_massive_units_are_in_every_set_of_equal_norm() -> None:
    read = recording(massive=(7, 20))
    size = read["resid_post"].values[:, 2].std(axis=0)
    assert {tuple(sorted(units)) for units in size_bins(size) if len(units) < 3} == {(7, 20)}
    plan = unit_lesion_experiment(read, stimuli(), **SETTING)
    assert all(lesioned(c) & {(2, 7), (2, 20)} for c in plan.conditions[1:])
    by_number = unit_lesion_experiment(read, stimuli(), match="number", **SETTING)
    assert not all(lesioned(c) & {(2, 7), (2, 20)} for c in by_number.conditions[1:])
    ratios = [float(c.labels["size_ratio"]) for c in by_number.conditions[2:]]
    assert np.median(ratios) < 0.2


def test_units_without_peer_are_counted() -> None:
    plan = unit_lesion_experiment(recording(massive=(7,)), stimuli(), **SETTING)
    assert plan.conditions[1].labels["n_alone"] == 1
    assert all((2, 7) in lesioned(condition) for condition in plan.conditions[1:])


def test_harm_of_chosen_units_is_found() -> None:
    result = measured(dict.fromkeys(PREFERRING, 0.3))
    mean_share = SHARE.mean()
    damage = float(result.estimates["mean_damage"])
    assert damage == pytest.approx(0.9 * mean_share)
    assert float(result.p_values["mean_damage_minus_random"]) == 1 / 40
    low, high = result.intervals["mean_damage_minus_random"].values
    assert 0 < low < float(result.estimates["mean_damage_minus_random"]) < high
    assert result.n["n_passages"] == 10


def test_units_that_are_like_others_are_not_special() -> None:
    p_values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        weight = {(la, u): rng.uniform(0, 0.2) for la in range(N_LAYERS) for u in range(N_UNITS)}
        p_values.append(float(measured(weight).p_values["mean_damage_minus_random"]))
    # Binomial(20, .05): more than 5 in less than one case in three thousand.
    assert np.sum(np.array(p_values) <= 0.05) <= 5
    assert max(p_values) > 0.4


def test_modules_are_lesioned_one_by_one() -> None:
    partition = [0] * 20 + [1] * 20 + [2] * 7 + [3]
    setting: dict[str, Any] = {
        "select": "modules",
        "partition": partition,
        "layers": [1],
        "n_draws": 19,
    }
    plan = unit_lesion_experiment(recording(), stimuli(), **setting)
    harm = {(1, unit): 0.1 for unit in range(40, 47)}
    result = unit_lesion(responded(plan, harm), **setting, **DRAWS)
    # The unit by itself is no module.
    assert result.estimates["lesion"].values.tolist() == ["module 0", "module 1", "module 2"]
    assert result.estimates["n_lesioned"].values.tolist() == [20, 20, 7]
    assert float(result.p_values["damage_minus_random"].sel(lesion="module 2")) == 1 / 20
    assert float(result.estimates["damage_minus_random"].sel(lesion="module 0")) < 0


def test_modules_are_those_of_the_connectome() -> None:
    rng = np.random.default_rng(0)
    shown = stimuli()
    signals = np.repeat(rng.normal(size=(len(shown), 3)), 16, axis=1)
    x = signals + 0.3 * rng.normal(size=signals.shape)
    made = Recording.from_arrays({"resid_post": x[:, None]}, stimuli=shown)
    plan = unit_lesion_experiment(made, shown, select="modules", n_draws=1, density=0.3)
    chosen = [c for c in plan.conditions if c.labels["kind"] == "chosen"]
    found = {frozenset(unit for _, unit in lesioned(condition)) for condition in chosen}
    assert found == {frozenset(range(start, start + 16)) for start in (0, 16, 32)}


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject.load("specimen:qwen2")


@pytest.fixture(scope="module")
def of_specimen(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    shipped = StimulusSet.load("localizer")
    some = shipped.select(shipped.table["stimulus_id"].tolist()[::8])
    folder: Path = tmp_path_factory.mktemp("scan")
    return scan(subject, some, ["resid_post"], position="mean", out=folder / "s.zarr")


def test_a_subject_is_lesioned_and_asked(subject: Subject, of_specimen: Recording) -> None:
    setting: dict[str, Any] = {"n_draws": 3, "n_passages": 2, "layers": [2, 5]}
    asked = {**setting, "questions": "reasoning", "wrong": ["foil_1"]}
    plan = unit_lesion_experiment(of_specimen, StimulusSet.load("localizer"), **asked)
    few = plan.stimuli.select(plan.stimuli.table["stimulus_id"].tolist()[:6])
    response = stimulate(subject, few, plan.conditions, plan.readouts, progress=False)
    result = unit_lesion(response, **asked, **DRAWS)
    assert result.n["n_questions"] == 6
    clean = response.data["perplexity_loss"].values[0] @ response.data["perplexity_tokens"].values
    n_tokens = int(response.data["perplexity_tokens"].sum())
    assert float(result.estimates["clean_loss"]) == pytest.approx(clean / n_tokens)
    perplexity = response.data["perplexity"].values
    rise = np.log(perplexity[1] / perplexity[0])
    assert float(result.estimates["mean_damage"]) == pytest.approx(rise)
    values = response.data["own_answers_log_odds"].values
    fall = (values[0] - values[1]).mean()
    assert float(result.estimates["mean_answers_damage"]) == pytest.approx(fall)
    figure = damage_beside_random_sets({"subject": result, "twin 0": result})
    assert len({trace.yaxis for trace in figure.data}) == 2


def test_id_is_known_before_and_parameters_are_all() -> None:
    plan = unit_lesion_experiment(recording(), stimuli(), **SETTING)
    response = responded(plan, {})
    result = unit_lesion(response, **SETTING, **DRAWS)
    assert INSTRUMENT.id_for(response, **SETTING, **DRAWS) == result.id
    assert set(result.parameters) == set(INSTRUMENT.defaults)
    assert INSTRUMENTS["unit_lesion"].attainable({"n_draws": 39}, 1) == (39, "raise n_draws")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"select": "regions"}, "select is 'regions'"),
        ({"replace": "noise"}, "replace is 'noise'"),
        ({"match": "shape"}, "match is 'shape'"),
        ({"select": "modules", "layers": [0, 1]}, "name one layer"),
        ({"select": "modules", "partition": [0, 1]}, "partition has 2 units"),
        ({"select": "modules", "partition": list(range(N_UNITS))}, "no module of two units"),
        ({"n_draws": 0}, "n_draws is 0"),
    ],
)
def test_bad_input_is_said_in_a_sentence(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        unit_lesion_experiment(recording(), stimuli(), **{**SETTING, **changed})


def test_a_response_of_other_parameters_is_refused() -> None:
    response = responded(unit_lesion_experiment(recording(), stimuli(), **SETTING), {})
    with pytest.raises(InputError, match="the response was made with"):
        unit_lesion(response, **{**SETTING, "match": "number"}, **DRAWS)
