"""Sabotaged models: each is refused precisely the sites that it spoils, with the reason."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cortiscope import plugins
from cortiscope.errors import InputError
from cortiscope.subjects import SITES, Proof, Subject, families
from cortiscope.subjects.families import Family, Place, Sublayer
from families import FAMILIES, make_model, tokenizer


def refusals(model: Any) -> dict[str, str]:
    return Subject.from_model(model, tokenizer(), "patient").anatomy.refused


class Silent(nn.Linear):
    """A projection that a fused kernel computes: the module is there, its hooks never fire."""

    def __call__(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return nn.functional.linear(x, self.weight, self.bias)


def silence(linear: nn.Linear) -> Silent:
    silent = Silent(linear.in_features, linear.out_features, bias=linear.bias is not None)
    silent.weight, silent.bias = linear.weight, linear.bias
    return silent


def change_output(module: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    """Change what a module's forward gives, below its hooks."""
    forward = module.forward

    def changed(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    module.forward = changed  # type: ignore[method-assign]


def test_a_healthy_model_is_refused_nothing() -> None:
    assert refusals(make_model("llama")) == {}


def test_a_projection_whose_hook_does_not_fire() -> None:
    model = make_model("llama")
    attention = model.model.layers[1].self_attn
    attention.o_proj = silence(attention.o_proj)
    found = refusals(model)
    assert set(found) == {"head_out"}
    assert "did not fire in layer 1: layers.1.self_attn.o_proj is not called" in found["head_out"]


def test_attention_that_is_bypassed() -> None:
    model = make_model("llama")
    for block in model.model.layers:

        def forward(x: Tensor, *, block: Any = block, **kwargs: Any) -> Tensor:
            attention, _ = block.self_attn.forward(block.input_layernorm(x), **kwargs)
            x = x + attention
            return x + block.mlp(block.post_attention_layernorm(x))

        block.forward = forward
    found = refusals(model)
    assert set(found) == {"attn_out", "head_out"}
    assert "did not fire in layer 0, 1, 2: layers.0.self_attn is not called" in found["attn_out"]
    assert "attn_out, which its proof needs, failed" in found["head_out"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_extra_term_after_the_mlp(dtype: torch.dtype) -> None:
    model = make_model("llama").to(dtype)
    change_output(model.model.layers[1], lambda stream: stream + 0.1 * stream.roll(1, dims=-1))
    found = refusals(model)
    assert set(found) == {"mlp_out"}
    assert (
        "stream between attention and MLP + mlp_out = resid_post does not hold in layer 1"
        in (found["mlp_out"])
    )


def test_an_extra_term_after_attention() -> None:
    model = make_model("gemma2")
    block = model.model.layers[0]

    def forward(x: Tensor, **kwargs: Any) -> Tensor:
        attention, _ = block.self_attn(hidden_states=block.input_layernorm(x), **kwargs)
        x = x + block.post_attention_layernorm(attention) + 1e-3
        return x + block.post_feedforward_layernorm(block.mlp(block.pre_feedforward_layernorm(x)))

    block.forward = forward
    found = refusals(model)
    assert set(found) == {"attn_out"}
    assert (
        "resid_pre + attn_out = stream between attention and MLP does not hold in layer 0"
        in (found["attn_out"])
    )


def test_an_extra_term_in_a_parallel_block() -> None:
    model = make_model("gpt_neox")
    change_output(model.gpt_neox.layers[2], lambda stream: stream + 1e-3)
    found = refusals(model)
    assert set(found) == {"attn_out", "mlp_out"}  # one sum proves both
    assert (
        "resid_pre + attn_out + mlp_out = resid_post does not hold in layer 2"
        in (found["attn_out"])
    )


def test_an_extra_term_in_a_post_norm_block() -> None:
    model = make_model("bert")
    change_output(model.bert.encoder.layer[1], lambda stream: stream + 1e-3)
    found = refusals(model)
    assert set(found) == {"mlp_out"}
    assert found["mlp_out"].startswith(
        "output.LayerNorm(stream between attention and MLP + mlp_out)"
    )


def test_a_stream_that_is_changed_between_blocks() -> None:
    model = make_model("llama")
    model.model.layers[1].register_forward_pre_hook(lambda _, args: (args[0] * 1.01, *args[1:]))
    found = refusals(model)
    assert set(found) == {"resid_pre", "resid_post"}
    assert (
        "resid_post of a layer = resid_pre of the next does not hold in layer 1"
        in (found["resid_pre"])
    )
    assert "does not hold in layer 0" in found["resid_post"]


def test_a_model_of_one_layer() -> None:
    model = make_model("llama")
    del model.model.layers[1:]
    subject = Subject.from_model(model, tokenizer(), "one")
    assert subject.anatomy.n_layers == 1
    assert subject.anatomy.refused == {}
    assert all(site.checks for site in subject.proof.sites)


def test_an_mlp_whose_output_is_thrown_away() -> None:
    model = make_model("llama")
    block = model.model.layers[2]

    def forward(x: Tensor, **kwargs: Any) -> Tensor:
        attention, _ = block.self_attn(hidden_states=block.input_layernorm(x), **kwargs)
        x = x + attention
        block.mlp(block.post_attention_layernorm(x))
        return x

    block.forward = forward
    assert set(refusals(model)) == {"mlp_out"}


def test_an_mlp_shared_by_two_layers() -> None:
    model = make_model("llama")
    model.model.layers[2].mlp = model.model.layers[0].mlp
    found = refusals(model)
    assert set(found) == {"mlp_out", "mlp_act"}
    assert "fired 2 times a pass in layer 0, 2" in found["mlp_out"]
    assert "layers.0.mlp is used more than once" in found["mlp_out"]


def test_an_mlp_shared_by_two_layers_with_post_norms_of_their_own() -> None:
    model = make_model("gemma2")
    model.model.layers[2].mlp = model.model.layers[0].mlp
    assert set(refusals(model)) == {"mlp_act"}


def test_a_block_that_is_in_the_list_twice() -> None:
    model = make_model("llama")
    model.model.layers[2] = model.model.layers[0]
    with pytest.raises(InputError, match="No site of patient could be proved") as caught:
        refusals(model)
    assert "resid_pre: its hook fired 2 times a pass in layer 0, 2" in str(caught.value)


def test_a_head_that_the_entry_does_not_know() -> None:
    model = make_model("llama")
    change_output(model.lm_head, lambda logits: logits)
    forward = model.forward

    def scaled(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        output.logits = output.logits / 8
        return output

    model.forward = scaled
    found = refusals(model)
    assert set(found) == {"resid_post"}
    assert (
        "through the model's own tail = the model's own output does not hold"
        in (found["resid_post"])
    )


def test_weights_that_are_not_finite() -> None:
    model = make_model("llama")
    model.model.layers[1].mlp.down_proj.weight.data[0, 0] = torch.nan
    with pytest.raises(InputError, match="resid_post: values are not finite in layer 1"):
        refusals(model)


def test_a_dtype_without_a_proof() -> None:
    model = make_model("llama").to(torch.float8_e4m3fn)
    with pytest.raises(InputError, match="loaded as float8_e4m3fn, for which there is no proof"):
        refusals(model)


@contextmanager
def entry(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> Iterator[None]:
    table = dict(families.registered())
    table[name] = dataclasses.replace(table[name], **changes)
    with monkeypatch.context() as patch:
        patch.setattr(families, "registered", lambda: table)
        yield


@pytest.mark.parametrize(
    ("name", "changes", "refused"),
    [
        # Gemma 2 as if it had no post-norm.
        (
            "gemma2",
            {"attention": Sublayer(Place("self_attn", "output"), ("self_attn.o_proj",))},
            {"attn_out"},
        ),
        # Gemma 4 without what it declares.
        ("gemma4", {"terms": ()}, {"mlp_out"}),
        ("gemma4", {"scale": None}, {"mlp_out"}),
        ("gemma2", {"logit_cap": None}, {"resid_post"}),
        ("llama", {"tail": ("lm_head",)}, {"resid_post"}),
        # BERT as if its blocks were additive.
        (
            "bert",
            {
                "attention": Sublayer(
                    Place("attention.output.dense", "output"), ("attention.output.dense",)
                )
            },
            {"attn_out"},
        ),
        # Units of the wrong module: as wide, but not what the projection reads.
        (
            "llama",
            {
                "mlp": Sublayer(
                    Place("mlp", "output"), ("mlp.down_proj", "post_attention_layernorm")
                )
            },
            {"mlp_act"},
        ),
        # An OPT whose feed-forward input is taken for what it adds.
        (
            "opt",
            {"mlp": Sublayer(Place("final_layer_norm", "output", flat=True), ("fc2",))},
            {"mlp_out", "mlp_act"},
        ),
    ],
)
def test_a_wrong_entry_is_found_out(
    monkeypatch: pytest.MonkeyPatch, name: str, changes: dict[str, Any], refused: set[str]
) -> None:
    usual = set(FAMILIES[name]().anatomy.refused)
    with entry(monkeypatch, name, **changes):
        assert set(refusals(make_model(name))) == refused | usual


def test_an_entry_that_names_a_module_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        entry(monkeypatch, "llama", blocks="h"),
        pytest.raises(InputError, match="The body has no module h, which the entry of the family"),
    ):
        refusals(make_model("llama"))


def test_a_site_of_the_wrong_width(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Sublayer(Place("mlp.up_proj", "output"), ("mlp.down_proj",))
    with (
        entry(monkeypatch, "llama", mlp=wrong),
        pytest.raises(InputError, match=r"layers.0.mlp.up_proj is \(2, \d+, 48\).*width 32"),
    ):
        refusals(make_model("llama"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_types": ("theirs",)}, None),
        ({"model_types": ("gpt2",)}, "registers 'gpt2', which is there already"),
        (None, "gives a str, where a Family was expected"),
        ({}, r"cannot be loaded \(ImportError: no torch\)"),
    ],
)
def test_other_packages_register_families(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any] | None, message: str | None
) -> None:
    llama = families.registered()["llama"]
    given = dataclasses.replace(llama, **changes) if changes is not None else "no family"

    class Point:
        value = "their_package:FAMILIES"

        def load(self) -> Any:
            if changes == {}:
                raise ImportError("no torch")
            return [given]

    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [Point()] * (group == "cortiscope.families")
    )
    find_all = families.registered.__wrapped__  # not what an earlier call has found
    if message is None:
        assert find_all()["theirs"] is given
    else:
        with pytest.raises(InputError, match=f"their_package:FAMILIES .*{message}"):
            find_all()


def test_the_record_of_a_proof() -> None:
    proof = FAMILIES["gemma4"]().proof
    assert isinstance(proof, Proof)
    frame = proof.to_frame()
    assert tuple(frame.index) == SITES
    assert frame.loc["mlp_out", "verdict"] == "proved"
    assert "declared terms) × layer_scalar" in frame.loc["mlp_out", "checked"]
    assert frame.loc["head_out", "verdict"] == "refused"
    assert (frame["tolerance"] == 1e-5).all()
    assert json.loads(json.dumps(proof.to_dict(), allow_nan=False))["family"] == "Gemma 4"
    assert proof.table().row_count == 6
    assert isinstance(FAMILIES["gemma4"]().anatomy.family, Family)
