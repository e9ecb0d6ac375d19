"""Additivity: what the stream, the network and post-LN blocks each make of an injection."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from causal import WORDS, recorded, responded, some_stimuli
from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.analyses.additivity import additivity, additivity_experiment
from cortiscope.analyses.causal import crossed_weights, slope_over_concepts
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.stimulation import Inject, Response
from cortiscope.subjects import Subject
from families import make_model, make_subject, tokenizer

SETTINGS = {"layers": [0], "doses": (0.5, 1.0), "n_words": 2, "behaviour": False}
LARGE = (1.0, 4.0)


def result_of(subject: Subject, folder, **changes) -> Result:
    settings = {**SETTINGS, **changes}
    response = responded(subject, additivity_experiment, folder, **settings)
    return additivity(response, **settings, n_bootstrap=50)


@pytest.fixture(scope="module")
def response(tmp_path_factory) -> Response:
    folder = tmp_path_factory.mktemp("llama")
    settings = {**SETTINGS, "behaviour": True}
    return responded(make_subject("llama"), additivity_experiment, folder, **settings)


@pytest.fixture(scope="module")
def result(response) -> Result:
    return additivity(response, **{**SETTINGS, "behaviour": True}, n_bootstrap=50)


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "gemma2"])
def test_an_untrained_model_passes_through_what_is_injected(name, tmp_path):
    untrained = result_of(make_subject(name).twin(0), tmp_path, doses=LARGE)
    np.testing.assert_allclose(untrained.estimates["pass_through"], 1.0, atol=0.02)
    assert abs(float(untrained.estimates["mean_own_once"])) < 0.1


@pytest.mark.parametrize("name", ["bert", "opt_post_norm"])
def test_a_post_ln_model_breaks_it(name, tmp_path):
    untrained = result_of(make_subject(name).twin(0), tmp_path, doses=LARGE)
    # A LayerNorm shrinks what came before it, so that what enters late counts for more.
    assert float(untrained.estimates["pass_through"].sel(n_layers=3).min()) > 1.2
    assert float(untrained.estimates["mean_own_once"]) < -0.2


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "gemma2"])
def test_little_injections_superpose_where_blocks_add_to_the_stream(name, tmp_path):
    small = result_of(make_subject(name), tmp_path, doses=(0.002,))
    np.testing.assert_allclose(small.estimates["superposition"], 1.0, atol=0.02)
    assert float(abs(small.estimates["own_once"]).mean()) > 0.02


def test_blocks_that_add_nothing_leave_the_injected_vector_alone(tmp_path):
    model = make_model("llama")
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
    idle = result_of(Subject.from_model(model, tokenizer(), name="idle"), tmp_path)
    np.testing.assert_allclose(idle.estimates["pass_through"], 1.0, atol=1e-5)
    for name in ("own_spread", "own_once"):
        np.testing.assert_allclose(idle.estimates[name], 0.0, atol=1e-5)


def test_numbers_are_those_of_plain_hooks(tmp_path):
    subject = make_subject("llama")
    experiment = additivity_experiment(recorded(subject, tmp_path), some_stimuli(), **SETTINGS)
    [condition] = [
        item
        for item in experiment.conditions
        if (item.labels["kind"], item.labels["n_injections"], item.labels["total"])
        == ("spread", 3, 1.5)
        and item.labels["concept"] == "number"
    ]
    [inject] = condition.interventions
    assert isinstance(inject, Inject)
    vector = torch.tensor(inject.direction.vector)
    added = 0.5 * inject.direction.scale * vector

    def projection(text: str, span: tuple[int, int], injected: bool) -> float:
        [tokens] = subject.tokenize([text])
        at = max(i for i, (a, b) in enumerate(tokens.offsets) if max(a, span[0]) < min(b, span[1]))

        def hook(module, args, output):
            output = output.clone()
            output[:, at:] += added
            return output

        blocks = subject.anatomy.blocks
        handles = [block.register_forward_hook(hook) for block in blocks] if injected else []
        streams = []
        last = blocks[-1].register_forward_hook(lambda m, a, out: streams.append(out))
        with torch.no_grad():
            subject.model(input_ids=torch.tensor([tokens.ids]))
        for handle in [*handles, last]:
            handle.remove()
        return float(streams[0][0, at].double() @ vector.double())

    changes = []
    for row in experiment.stimuli.table.to_dict("records"):
        span = (row["target_start"], row["target_end"])
        changes.append(projection(row["text"], span, True) - projection(row["text"], span, False))
    wanted = np.mean(changes) / (1.5 * inject.direction.scale) - 1.0
    found = result_of(subject, tmp_path).estimates["own_spread"]
    assert float(found.sel(layer=0, n_layers=3, dose=0.5, category="number")) == pytest.approx(
        wanted, abs=1e-4
    )


def test_directions_and_shown_words_share_no_word(tmp_path):
    experiment = additivity_experiment(
        recorded(make_subject("llama"), tmp_path), some_stimuli(), **SETTINGS
    )
    shown = set(experiment.stimuli.table["word"])
    fitted = {
        word
        for condition in experiment.conditions
        for item in condition.interventions
        for word in item.direction.origin["words"]
    }
    assert not shown & fitted
    assert shown | fitted == {word for words in WORDS.values() for word in words}


def test_every_span_is_compared_up_to_the_last_layer(result):
    assert result.estimates["n_layers"].values.tolist() == [2, 3]
    assert result.estimates["own_spread"].dims == ("layer", "n_layers", "dose", "category")
    for name in ("pass_through", "superposition", "behaviour_superposition", "own_ratio"):
        assert np.isfinite(result.estimates[name].values).all()
        mean = float(result.estimates[name].mean())
        assert float(result.estimates[f"mean_{name}"]) == pytest.approx(mean)
        low, high = result.intervals[f"mean_{name}"].values
        assert low <= high


def test_differences_are_of_what_is_compared(result):
    for own in ("own", "behaviour"):
        gap = result.estimates[f"{own}_spread"] - result.estimates[f"{own}_once"]
        found = result.estimates[f"{own}_difference"]
        np.testing.assert_allclose(found, gap.mean("category"), atol=1e-12)
        assert float(result.estimates[f"mean_{own}_difference"]) == pytest.approx(float(gap.mean()))


def test_a_span_for_which_too_few_layers_are_left_has_no_number(tmp_path):
    found = result_of(make_subject("llama"), tmp_path, layers=[0, 1], doses=(0.5,))
    there = np.isfinite(found.estimates["superposition"].sel(dose=0.5).values)
    assert there.tolist() == [[True, True], [True, False]]
    assert np.isfinite(found.estimates["mean_superposition"])


def test_the_id_is_known_before_and_the_result_comes_back_from_disk(response, result, tmp_path):
    settings = {**SETTINGS, "behaviour": True, "n_bootstrap": 50}
    instrument = INSTRUMENTS["additivity"]
    assert instrument.id_for(response, **settings) == result.id
    assert set(result.parameters) == set(instrument.defaults)
    json.dumps(result.parameters)
    assert Result.open(result.save(tmp_path)).id == result.id
    figure = instrument.figure({"subject": result, "twin 0": result})
    assert len(figure.data) > 4


def test_a_response_with_other_parameters_is_refused(response):
    with pytest.raises(InputError, match=r"doses=\[0.5, 1.0\].*doses=\[0.25\]"):
        additivity(response, **{**SETTINGS, "behaviour": True, "doses": (0.25,)})
    other = Response(response.data.drop_vars("fitted"), response.proof, response.provenance)
    with pytest.raises(InputError, match="no label 'fitted'"):
        additivity(other, **{**SETTINGS, "behaviour": True})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": [2]}, "begin earlier"),
        ({"doses": (0.0, 1.0)}, "doses"),
        ({"most": 1}, "most is 1"),
        ({"n_words": 0}, "n_words is 0"),
        ({"behaviour": True, "answers": {"animal": ["beast"], "tool": ["tool"]}}, "number"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, said):
    x = np.random.default_rng(0).normal(size=(24, 3, 8))
    recording = Recording.from_arrays({"resid_post": x}, stimuli=some_stimuli())
    with pytest.raises(InputError, match=said):
        additivity_experiment(recording, some_stimuli(), **{**SETTINGS, **changes})


def test_slopes_hold_where_signs_differ_between_concepts():
    x = np.array([[1.0, -1.0, 0.5]])
    weights = np.ones((1, 3))
    assert slope_over_concepts(0.5 * x, x, weights).tolist() == [0.5]
    assert np.isnan(slope_over_concepts(x, 0 * x, weights)).all()
    twice = slope_over_concepts(np.array([[2.0, 9.0]]), np.array([[1.0, 1.0]]), np.eye(2)[:1])
    assert twice.tolist() == [2.0]


def test_words_and_concepts_are_drawn_apart():
    label = np.repeat([0, 1], 5)
    words, concepts = crossed_weights(label, 4, n_bootstrap=200, seed=0)
    assert (words[0] == 1).all() and (concepts[0] == 1).all()
    assert (words[:, :5].sum(axis=1) == 5).all() and (concepts.sum(axis=1) == 4).all()
    # A coefficient of variation as of independent draws.
    assert concepts[1:].var() == pytest.approx(0.75, rel=0.15)
