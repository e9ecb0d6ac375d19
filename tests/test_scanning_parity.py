"""What is recorded is what transformers itself computes, in every family."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cortiscope.scanning import scan
from cortiscope.scanning.presentation import present
from cortiscope.subjects import Subject
from families import FAMILIES, make_model, tokenizer
from scanning import assert_close, fresh_subject, make_stimuli, make_subject

ADDS_ALL = ("additive", "additive after post-norms")


def reference(subject, stimuli, position="target_last", batch_size=8):
    """Run the batches of a scan by hand; returns a stimulus' hidden states (kept, layer, unit).

    transformers gives the input of every block, and after the last one the final norm's output,
    which is no site.
    """
    presentation = present(subject, stimuli, position, batch_size)
    states = [None] * len(stimuli)
    for batch in presentation.batches:
        members = presentation.members(batch)
        inputs = subject.collate([item.tokens for item in members], length=batch.length)
        with torch.inference_mode():
            output = subject.anatomy.body(**inputs, use_cache=False, output_hidden_states=True)
        stacked = torch.stack(output.hidden_states[:-1], dim=1).numpy()
        for row, (at, item) in enumerate(zip(batch.stimuli, members, strict=True)):
            states[at] = stacked[row, :, list(item.recorded)]
    return states


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stream_equals_output_hidden_states(family, tmp_path):
    subject, stimuli = make_subject(family), make_stimuli()
    recording = scan(
        subject, stimuli, ["resid_pre", "resid_post"], out=tmp_path / "a", batch_size=8
    )
    expected = np.stack([states[-1] for states in reference(subject, stimuli)])
    n_layers = subject.anatomy.n_layers
    for layer in range(n_layers):
        assert_close(recording.layer("resid_pre", layer), expected[:, layer], 1e-5)
    for layer in range(n_layers - 1):
        assert_close(recording.layer("resid_post", layer), expected[:, layer + 1], 1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_sublayers_are_what_the_block_adds(family, tmp_path):
    subject = make_subject(family)
    if subject.anatomy.block_kind not in ADDS_ALL:
        pytest.skip("attention and MLP are not all that changes the stream")
    sites = ["resid_pre", "attn_out", "mlp_out", "resid_post"]
    recording = scan(subject, make_stimuli(), sites, out=tmp_path / "a", batch_size=8)
    pre, attention, mlp, post = (recording[site].values for site in sites)
    assert_close(attention + mlp, post - pre, 1e-5)
    assert_close(mlp, post - pre - attention, 1e-5)


@pytest.mark.parametrize("silent", ["attention", "mlp"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "gpt_neox", "olmo2"])
def test_a_silent_sublayer_leaves_all_to_the_other(family, silent, tmp_path):
    subject = fresh_subject(family)
    sublayer = getattr(subject.anatomy.family, silent)
    with torch.no_grad():
        for block in subject.anatomy.blocks:
            for parameter in block.get_submodule(sublayer.writes[0]).parameters():
                parameter.zero_()
    sites = ["resid_pre", "resid_post", "attn_out", "mlp_out"]
    recording = scan(subject, make_stimuli(2), sites, out=tmp_path / "a")
    pre, post, attention, mlp = (recording[site].values for site in sites)
    dead, alive = (attention, mlp) if silent == "attention" else (mlp, attention)
    assert np.abs(dead).max() == 0.0
    assert_close(alive, post - pre, 1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_batch_size_and_padding_side_change_nothing_that_matters(family, tmp_path):
    subject, stimuli = make_subject(family), make_stimuli()
    sites = list(subject.anatomy.sites)
    first = scan(subject, stimuli, sites, out=tmp_path / "a", batch_size=8)
    for batch_size, side in ((30, "right"), (4, "left")):
        out = tmp_path / f"{batch_size}-{side}"
        other = scan(subject, stimuli, sites, out=out, batch_size=batch_size, padding_side=side)
        for site in sites:
            assert_close(other[site].values, first[site].values, 1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["gpt2", "gemma3_text", "bert"])
def test_every_position_is_recorded_as_it_says(family, side, tmp_path):
    subject, stimuli = make_subject(family), make_stimuli(2)
    recorded = {
        position: scan(
            subject,
            stimuli,
            ["resid_post[0]", "head_out[1]"],
            position,
            out=tmp_path / position,
            batch_size=5,
            padding_side=side,
        )
        for position in ("target_last", "target_mean", "last", "mean", "every")
    }
    expected = {
        position: reference(subject, stimuli, position)
        for position in ("target_last", "target_mean", "last", "mean", "every")
    }
    for position in ("target_last", "target_mean", "last", "mean"):
        wanted = np.stack([states[:, 1].mean(axis=0) for states in expected[position]])
        assert_close(recorded[position].layer("resid_post", 0), wanted, 1e-4)
    every = recorded["every"]
    n_tokens = every.data["n_tokens"].values
    assert every["resid_post"].dims == ("stimulus", "layer", "token", "unit")
    assert every["resid_post"].sizes["token"] == n_tokens.max()
    for at, states in enumerate(expected["every"]):
        values = every.layer("resid_post", 0)[at]
        assert_close(values[: n_tokens[at]], states[:, 1], 1e-4)
        assert np.isnan(values[n_tokens[at] :]).all()
        heads = every.layer("head_out", 1)[at]
        assert np.isfinite(heads[: n_tokens[at]]).all()
        assert np.isnan(heads[n_tokens[at] :]).all()


def test_bfloat16_is_stored_without_loss(tmp_path):
    subject = Subject.from_model(make_model("llama").bfloat16(), tokenizer(), name="half")
    stimuli = make_stimuli(2)
    wide = scan(subject, stimuli, ["resid_post"], out=tmp_path / "wide", batch_size=8)
    values = wide["resid_post"].values
    assert np.array_equal(torch.from_numpy(values).bfloat16().float().numpy(), values)
    narrow = scan(subject, stimuli, ["resid_post"], out=tmp_path / "narrow", dtype="float16")
    assert narrow["resid_post"].dtype == np.float16
    assert narrow.layer("resid_post", 0).dtype == np.float32
    assert_close(narrow["resid_post"].values.astype(np.float32), values, 0.1)
