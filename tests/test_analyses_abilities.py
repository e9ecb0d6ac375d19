"""Abilities: planted heads are found, shared ones are not told apart, and chance keeps its rate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.analyses.abilities import abilities
from cortiscope.analyses.abilities_experiment import abilities_experiment
from cortiscope.analyses.abilities_measures import dissociation
from cortiscope.errors import InputError
from cortiscope.phantoms import MODEL_PHANTOMS, PhantomDesign
from cortiscope.scanning import Recording, scan
from cortiscope.stimulation import Experiment, Response, stimulate
from cortiscope.stimulation.response import with_labels
from cortiscope.stimuli import StimulusSet

SETTINGS: dict[str, Any] = {"share": 0.05, "n_words": 8, "n_draws": 39, "n_parts": 2}
ASKED = MODEL_PHANTOMS["abilities_apart"].shown(PhantomDesign.balanced(n_words=8, n_units=128))
N_UNITS = {"head_out": (4, 2), "mlp_act": (6,)}


def carried_out(kind: str, folder: Path, **settings: Any) -> tuple[Response, Result]:
    """Carry all steps out on a phantom, recorded at every token."""
    subject = MODEL_PHANTOMS[kind].make(ASKED, seed=2)
    stimuli = StimulusSet.from_table(ASKED.table)
    sites = settings.get("sites", ["head_out", "mlp_act"])
    recording = scan(subject, stimuli, sites, position="every", out=folder / "s.zarr")
    experiment = abilities_experiment(recording, stimuli, **settings)
    response = experiment.carried_out(
        lambda step: stimulate(subject, step.stimuli, step.conditions, step.readouts)
    )
    return response, abilities(response, **settings, n_bootstrap=99)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Response, Result]:
    return carried_out("abilities_apart", tmp_path_factory.mktemp("apart"), **SETTINGS)


def test_each_ability_s_head_is_found_and_its_loss_spares_the_other(
    apart: tuple[Response, Result],
) -> None:
    _, result = apart
    truth = MODEL_PHANTOMS["abilities_apart"].truth(ASKED, seed=2)["is_read_by"]
    found = result.estimates
    for ability in ("one", "two"):
        head = int(np.flatnonzero(truth.values[int(ability == "two")])[0])
        assert str(found["chosen_heads"].sel(layer=3, head=head).values) == ability
        harm = found["harm_by_head"].sel(layer=3, head=head)
        assert float(harm.sel(ability=ability)) > 5
        assert float(np.abs(harm.drop_sel(ability=ability)).max()) < 1
    assert float(result.p_values["double_dissociation"]) == 1 / 40
    assert float(found["double_dissociation"]) > 5
    assert float(found["harm_to_own"]) > 5
    assert float(found["harm_to_other"]) < 1
    assert found["clean_accuracy"].values.tolist() == [1.0, 1.0]
    assert float(found["lowest_log_odds"]) == float(found["clean_log_odds"].min())


def test_one_head_for_both_is_no_dissociation(tmp_path: Path) -> None:
    _, result = carried_out("abilities_together", tmp_path, **SETTINGS | {"sites": ["head_out"]})
    whole = result.estimates["harm_by_layer"].sel(whole_layer=3)
    assert float(whole.min()) > 5  # both abilities need the layer
    assert float(result.p_values["double_dissociation"]) > 0.05


def test_a_patch_gives_the_partner_s_answer(tmp_path: Path) -> None:
    patching = SETTINGS | {"how": "patch", "sites": ["head_out"]}
    _, result = carried_out("abilities_apart", tmp_path, **patching)
    clean = result.estimates["clean_log_odds"]
    for ability in ("one", "two"):
        # Right and wrong answer change places, so that twice the lead is lost.
        own = result.estimates["harm_by_set"].sel(ability=ability, chosen_for=ability)
        assert float(own) == pytest.approx(2 * float(clean.sel(ability=ability)), rel=0.15)
    assert float(result.p_values["double_dissociation"]) == 1 / 40


def test_harm_is_the_mean_over_groups_of_what_is_lost(apart: tuple[Response, Result]) -> None:
    response, result = apart
    frame = response.to_frame("own_answers_log_odds")
    clean = frame[frame["kind"] == "clean"].set_index("stimulus")["own_answers_log_odds"]
    heads = frame[(frame["kind"] == "part") & (frame["at_site"] == "head_out")].copy()
    heads["lost"] = clean.loc[heads["stimulus"]].to_numpy() - heads["own_answers_log_odds"]
    by_group = heads.groupby(["at_layer", "part", "ability", "word"])["lost"].mean()
    wanted = by_group.groupby(["at_layer", "part", "ability"]).mean().to_xarray()
    np.testing.assert_allclose(result.estimates["harm_by_head"].values, wanted.values)


def test_the_id_is_known_beforehand(apart: tuple[Response, Result]) -> None:
    response, result = apart
    instrument = INSTRUMENTS["abilities"]
    assert instrument.id_for(response, **SETTINGS, n_bootstrap=99) == result.id


def test_the_figure_has_a_map_for_each_site_and_ability(apart: tuple[Response, Result]) -> None:
    figure = INSTRUMENTS["abilities"].figure({"subject": apart[1], "twin 0": apart[1]})
    assert [trace.type for trace in figure.data].count("heatmap") == 4
    assert {trace.name for trace in figure.data} >= {"subject", "untrained twins"}


def some_stimuli(n_groups: int = 10) -> StimulusSet:
    rows = [
        {
            "stimulus_id": f"{ability}-{group}-{at}",
            "text": f"Question {at} on {ability}-{group}",
            "ability": ability,
            "word": f"{ability}-{group}",
            "answer": f"answer {at}",
            "foil_1": f"answer {1 - at}",
            "partner": f"{ability}-{group}-{1 - at}",
        }
        for ability in ("facts", "reasoning")
        for group in range(n_groups)
        for at in range(2)
    ]
    return StimulusSet.from_table(pd.DataFrame(rows))


def a_recording(stimuli: StimulusSet, seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    sizes = {site: (len(stimuli), 3, *units) for site, units in N_UNITS.items()}
    arrays = {site: rng.normal(size=shape).astype("f4") for site, shape in sizes.items()}
    return Recording.from_arrays(arrays, stimuli=stimuli)


Loss = Callable[[str, str, int, int], float]  # of ability, site, layer, unit


def pretended(step: Experiment, loss: Loss, rng: np.random.Generator) -> Response:
    """Answer as a subject would in which losses of units add up."""
    table = step.stimuli.table.set_index("stimulus_id")
    odds = np.zeros((len(step.conditions), len(table)))
    for at, condition in enumerate(step.conditions):
        for ability in ("facts", "reasoning"):
            lost = sum(
                loss(ability, item.where.site, layer, unit)
                for item in condition.interventions
                for layer in item.where.layers
                for unit in item.units  # type: ignore[attr-defined]
            )
            odds[at, table["ability"] == ability] -= lost
    odds += rng.normal(scale=0.1, size=odds.shape)
    names = [condition.name for condition in step.conditions]
    data = xr.Dataset(
        {"own_answers_log_odds": (("condition", "stimulus"), odds)},
        {"condition": names, "stimulus": table.index.tolist()},
    )
    labels = pd.DataFrame([dict(condition.labels) for condition in step.conditions])
    labelled = with_labels(data, stimulus=table[list(step.stimuli.labels)], condition=labels)
    return Response(labelled, [], {"subject": {"name": "pretended"}})


def pretend(make_loss: Callable[[], Loss], seed: int, **settings: Any) -> Result:
    stimuli = some_stimuli()
    rng = np.random.default_rng(seed)
    given_settings = {"n_parts": 3, "share": 0.15, "n_draws": 19, **settings}
    experiment = abilities_experiment(a_recording(stimuli), stimuli, **given_settings)
    response = experiment.carried_out(lambda step: pretended(step, make_loss(), rng))
    return abilities(response, **given_settings, n_bootstrap=9)


def test_where_the_halves_have_nothing_in_common_p_keeps_its_rate() -> None:
    rng = np.random.default_rng(0)

    def anew() -> Loss:
        drawn: dict[Any, float] = {}

        def loss(*place: Any) -> float:
            return drawn.setdefault(place, float(rng.normal()))

        return loss

    n = 60
    p = [
        float(pretend(anew, seed, sites=["head_out"], share=0.25).p_values["double_dissociation"])
        for seed in range(n)
    ]
    for level in (0.05, 0.2):
        assert sum(at <= level for at in p) <= binom.ppf(0.999, n, level)
        assert sum(at <= level for at in p) >= binom.ppf(0.001, n, level)


def test_what_is_hard_is_harmed_more_and_that_is_no_double_dissociation() -> None:
    rng = np.random.default_rng(1)
    size = {(site, layer): rng.exponential(size=12) for site in N_UNITS for layer in range(3)}

    def harder(ability: str, site: str, layer: int, unit: int) -> float:
        return float(size[site, layer][unit]) * (3.0 if ability == "reasoning" else 1.0)

    found = [pretend(lambda: harder, seed) for seed in range(10)]
    assert all(float(result.p_values["double_dissociation"]) > 0.05 for result in found)


def test_the_search_sees_nothing_of_the_second_half() -> None:
    stimuli = some_stimuli()
    first = abilities_experiment(a_recording(stimuli), stimuli)
    shown = set(first.stimuli.table["stimulus_id"])
    data = a_recording(stimuli).data.copy(deep=True)
    for site in N_UNITS:
        data[site].values[[at not in shown for at in data["stimulus"].values]] += 1.0
    changed = Recording.from_arrays({site: data[site].values for site in N_UNITS}, stimuli=stimuli)
    assert abilities_experiment(changed, stimuli).fingerprint == first.fingerprint
    second: list[Experiment] = []

    def keep(step: Experiment) -> Response:
        second.append(step)
        return pretended(step, lambda *place: 0.0, np.random.default_rng(0))

    first.carried_out(keep)
    words = [set(step.stimuli.table["word"]) for step in second]
    assert len(words) == 2
    assert not words[0] & words[1]


def test_random_sets_have_as_many_parts_in_every_layer() -> None:
    stimuli = some_stimuli()
    steps: list[Experiment] = []

    def keep(step: Experiment) -> Response:
        steps.append(step)
        rng = np.random.default_rng(3)
        return pretended(step, lambda *place: float(rng.normal()), rng)

    abilities_experiment(a_recording(stimuli), stimuli, n_draws=9).carried_out(keep)
    sets: dict[Any, list[Any]] = {}
    for condition in steps[1].conditions:
        if condition.labels["kind"] in ("chosen", "random"):
            size = {
                (item.where.site, item.where.layers): len(item.units)  # type: ignore[attr-defined]
                for item in condition.interventions
            }
            units = {
                (item.where, unit)
                for item in condition.interventions
                for unit in item.units  # type: ignore[attr-defined]
            }
            sets.setdefault(condition.labels["draw"], []).append((size, units))
    assert len(sets) == 10
    for (one, of_one), (two, of_two) in sets.values():
        assert [one, two] == [size for size, _ in sets[-1]]
        assert not of_one & of_two


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=4), st.floats(-3, 3))
def test_a_dissociation_does_not_come_of_what_harms_an_ability_anyway(
    values: list[float], more: float
) -> None:
    harm = np.array(values).reshape(2, 2)
    same = harm + np.array([more, -more])  # whatever is lesioned
    np.testing.assert_allclose(dissociation(same), dissociation(harm), atol=1e-12)
    np.testing.assert_allclose(dissociation(harm[::-1, ::-1]), dissociation(harm))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"how": "cut"}, "choose lesion or patch"),
        ({"sites": ["resid_post"]}, "choose among head_out, mlp_act"),
        ({"share": 0.7}, "0.5 at most"),
        ({"n_draws": 0}, "at least 1"),
        ({"n_words": 1}, "two groups"),
        ({"target": "word", "groups": "stimulus_id"}, "no label"),
        ({"target": "answer", "groups": "partner"}, "two"),
        ({"partner": "text"}, "no label"),
        ({"partner": "answer", "how": "patch", "positions": "target_last"}, "is a partner"),
        ({"how": "patch"}, "several tokens"),
    ],
)
def test_what_cannot_be_done_is_refused(settings: dict[str, Any], message: str) -> None:
    stimuli = some_stimuli()
    if settings.get("target") == "answer":
        table = stimuli.table
        table["answer"] = [f"answer {at % 3}" for at in range(len(table))]
        table["partner"] = table["stimulus_id"]
        stimuli = StimulusSet.from_table(table)
    with pytest.raises(InputError, match=message):
        abilities_experiment(a_recording(stimuli), stimuli, **settings)


def test_another_response_is_refused() -> None:
    stimuli = some_stimuli()
    experiment = abilities_experiment(a_recording(stimuli), stimuli, n_draws=3)
    rng = np.random.default_rng(0)
    search = pretended(experiment, lambda *place: 0.0, rng)
    with pytest.raises(InputError, match="carry the whole experiment out"):
        abilities(search, n_draws=3)
    with pytest.raises(InputError, match="share"):
        abilities(search, n_draws=3, share=0.2)
