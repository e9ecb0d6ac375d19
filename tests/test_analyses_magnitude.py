"""Magnitude: what norms make of a scaled stream, and concepts of a scaled direction."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from causal import responded, some_stimuli
from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.analyses.magnitude import _slope, _spearman, magnitude, magnitude_experiment
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.stimulation import Response
from cortiscope.subjects import Subject
from families import make_model, make_subject, tokenizer

SETTINGS = {"factors": (0.25, 2.0), "n_random": 9, "n_words": 2}
WHOLE = {**SETTINGS, "along": False}


def result_of(subject: Subject, folder, **changes) -> tuple[Response, Result]:
    settings = {**WHOLE, **changes}
    response = responded(subject, magnitude_experiment, folder, **settings)
    return response, magnitude(response, **settings, n_bootstrap=50)


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[Response, Result]:
    return result_of(make_subject("llama"), tmp_path_factory.mktemp("llama"), along=True)


def last_streams(subject: Subject, response: Response) -> torch.Tensor:
    """Run the model itself on the texts shown: the stream after the last block, (text, unit)."""
    table = some_stimuli().select(response.data["stimulus"].values.tolist()).table
    streams = []
    keep = subject.anatomy.blocks[-1].register_forward_hook(
        lambda m, a, out: streams.append((out[0] if isinstance(out, tuple) else out)[0, -1])
    )
    with torch.no_grad():
        for tokens in subject.tokenize(table["text"].tolist()):
            subject.model(input_ids=torch.tensor([tokens.ids]))
    keep.remove()
    return torch.stack(streams)


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "gemma2"])
def test_behind_the_norm_the_size_of_the_stream_is_lost_but_for_epsilon(name, tmp_path):
    subject = make_subject(name)
    response, result = result_of(subject, tmp_path)
    stream = last_streams(subject, response)
    norm = subject.anatomy.tail[0]
    epsilon = getattr(norm, "variance_epsilon", None) or norm.eps
    centred = stream - stream.mean(-1, keepdim=True) if name == "gpt2" else stream
    share = epsilon / centred.double().square().mean(-1)
    assert float(result.estimates["epsilon_share"]) == pytest.approx(float(share.mean()), rel=1e-4)
    with torch.no_grad():
        offset = norm(torch.zeros_like(stream))  # the bias of a LayerNorm
        clean = norm(stream) - offset
        for factor in (0.25, 2.0):
            change = (norm(factor * stream) - offset - clean).norm(dim=-1) / clean.norm(dim=-1)
            bound = float(result.estimates["norm_bound"].sel(factor=factor))
            assert float(change.max()) == pytest.approx(bound, abs=1e-6)
    assert float(result.estimates["max_kl_before_norm"]) < 1e-6
    assert float(result.estimates["mean_top1_change_before_norm"]) == 0.0
    assert float(result.estimates["mean_kl_inner"]) > 1e-3


def test_a_norm_with_a_large_epsilon_lets_the_size_through(tmp_path):
    model = make_model("llama")
    model.model.norm.variance_epsilon = 1.0
    _, result = result_of(Subject.from_model(model, tokenizer(), name="large"), tmp_path)
    assert float(result.estimates["norm_bound"].sel(factor=0.25)) > 0.1
    assert float(result.estimates["max_kl_before_norm"]) > 1e-4


def test_where_no_norm_is_first_behind_the_stream_no_bound_is_stated(tmp_path):
    _, result = result_of(make_subject("bert"), tmp_path)
    assert np.isnan(result.estimates["norm_bound"].values).all()
    assert float(result.estimates["max_kl_before_norm"]) > 1e-4


def test_divergences_are_those_of_plain_hooks(tmp_path):
    subject = make_subject("gpt2")
    response, result = result_of(subject, tmp_path)
    table = some_stimuli().select(response.data["stimulus"].values.tolist()).table
    divergences = []
    for tokens in subject.tokenize(table["text"].tolist()):
        first = tokens.special.index(False)

        def hook(module, args, output, first=first):
            hidden = (output[0] if isinstance(output, tuple) else output).clone()
            hidden[:, first:] *= 0.25
            return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

        ids = torch.tensor([tokens.ids])
        with torch.no_grad():
            clean = subject.model(input_ids=ids).logits[0, -1].double().log_softmax(-1)
            handle = subject.anatomy.blocks[1].register_forward_hook(hook)
            scaled = subject.model(input_ids=ids).logits[0, -1].double().log_softmax(-1)
            handle.remove()
        divergences.append(float((clean.exp() * (clean - scaled)).sum()))
    found = float(result.estimates["kl"].sel(layer=1, factor=0.25))
    assert found == pytest.approx(np.mean(divergences), rel=1e-4)


def test_log_odds_are_of_the_concept_in_its_own_words(both):
    response, result = both
    at = np.flatnonzero(
        (response.data["kind"] == "along").values
        & (response.data["factor"] == 2.0).values
        & (response.data["concept"] == "tool").values
    )
    own = [name.startswith("tool-") for name in response.data["stimulus"].values]
    told = response.data["answers_log_odds"].sel(category="tool").values
    place = {"along_layer": 0, "category": "tool"}
    log_odds = result.estimates["log_odds"].sel(place)
    assert float(log_odds.sel(along_factor=2.0)) == pytest.approx(told[at][:, own].mean())
    assert float(log_odds.sel(along_factor=1.0)) == pytest.approx(told[0, own].mean())
    rho = spearmanr([0.25, 1.0, 2.0], log_odds.values).statistic
    assert float(result.estimates["rho"].sel(place)) == pytest.approx(rho)


def test_concepts_are_tested_against_random_directions(both):
    result = both[1]
    assert result.null["mean_rho"].shape == (9,)
    null = result.null["mean_slope"].values
    larger = (null >= float(result.estimates["mean_slope"])).sum()
    assert float(result.p_values["mean_slope"]) == pytest.approx((larger + 1) / 10)
    for name in ("mean_rho", "mean_slope"):
        low, high = result.intervals[name].values
        assert low <= high


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=6))
def test_rank_correlations_are_those_of_scipy(values):
    x = np.arange(len(values), dtype=float)
    found = _spearman(np.array([values]), x)[0]
    wanted = spearmanr(x, values).statistic if len(set(values)) > 1 else 0.0
    assert found == pytest.approx(wanted)


def test_slopes_are_nats_for_a_doubling():
    doublings = np.log2([0.25, 0.5, 1.0, 2.0, 4.0])
    assert _slope(3.0 + 0.7 * doublings, doublings) == pytest.approx(0.7)


def test_the_id_is_known_before_and_the_result_comes_back_from_disk(both, tmp_path):
    response, result = both
    instrument = INSTRUMENTS["magnitude"]
    assert instrument.id_for(response, **SETTINGS, n_bootstrap=50) == result.id
    assert set(result.parameters) == set(instrument.defaults)
    json.dumps(result.parameters)
    assert Result.open(result.save(tmp_path)).id == result.id
    assert instrument.figure({"subject": result, "twin 0": result}).data


def test_a_response_with_other_parameters_is_refused(both):
    with pytest.raises(InputError, match=r"around='mean'.*around='zero'"):
        magnitude(both[0], **SETTINGS, around="zero")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"factors": (0.5, 1.0)}, "not 1"),
        ({"factors": (-1.0, 2.0)}, "above 0"),
        ({"around": "median"}, "mean or zero"),
        ({"n_random": 0}, "n_random is 0"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, said):
    x = np.random.default_rng(0).normal(size=(24, 3, 8))
    recording = Recording.from_arrays({"resid_post": x}, stimuli=some_stimuli())
    with pytest.raises(InputError, match=said):
        magnitude_experiment(recording, some_stimuli(), **{**SETTINGS, **changes})


def test_the_last_recorded_layer_must_be_the_last(tmp_path):
    subject = make_subject("llama")
    x = np.random.default_rng(0).normal(size=(24, 2, 32))
    recording = Recording.from_arrays({"resid_post": x}, stimuli=some_stimuli())
    plan = magnitude_experiment(recording, some_stimuli(), **WHOLE)
    with pytest.raises(InputError, match="the last layer of llama is 2"):
        plan.readouts[-1].rows(subject, plan.stimuli)
