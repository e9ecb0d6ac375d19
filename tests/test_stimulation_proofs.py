"""Conditions that are not what they claim are caught; what is proved is in the response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cortiscope import Subject
from cortiscope.errors import InputError, MachineError
from cortiscope.stimulation import (
    Condition,
    Inject,
    Lesion,
    Patch,
    Response,
    Row,
    Scale,
    Where,
    stimulate,
)
from cortiscope.stimulation.intervention import Selected
from families import FAMILIES, make_model, tokenizer
from stimulation import STIMULI, Everything, direction

AT = Where(layers=1)
V = direction(32, 2)
both_paths = pytest.mark.parametrize("fast", [True, False])


def run(subject: Subject, *conditions: Condition, fast: bool = True) -> Response:
    readout = Everything(subject, logits=False)
    return stimulate(subject, STIMULI, conditions, [readout], batch_size=4, fast=fast)


@both_paths
def test_the_response_keeps_what_was_proved(fast: bool) -> None:
    subject = FAMILIES["llama"]()
    response = run(
        subject,
        Condition("clean"),
        Condition("two", (Inject(V, 2.0, AT), Scale(0.5, where=Where("mlp_out", (0, 2), "all")))),
        fast=fast,
    )
    table = response.proof_frame()
    assert table[["condition", "intervention", "layer"]].to_numpy().tolist() == [
        ["two", 0, 1],
        ["two", 1, 0],
        ["two", 1, 2],
    ]
    n_from_target = n_own = 0
    for row in Everything(subject).rows(subject, STIMULI):
        assert row.target is not None
        n_from_target += len(row.tokens) - row.target[-1]
        n_own += sum(not special for special in row.tokens.special)
    assert table["n_tokens"].tolist() == [n_from_target, n_own, n_own]
    assert table["n_batches"].tolist() == [2, 2, 2]
    assert table["effect"].to_numpy()[1:] == pytest.approx(0.5)
    assert (table["error"] < 1e-5).all()
    assert response.provenance["self-check"]["clean logits repeated"] == "bit for bit"


@pytest.mark.parametrize(
    "idle",
    [
        Lesion(units=(3,), replace="zero", where=Where("mlp_act", 1)),
        Lesion(direction=V, replace="zero", where=Where("mlp_out", 1)),
    ],
)
@both_paths
def test_an_intervention_without_effect_raises_with_its_name(idle: Lesion, fast: bool) -> None:
    model = make_model("gpt2")
    with torch.no_grad():
        if idle.units:  # a unit whose activation is always zero
            model.transformer.h[1].mlp.c_fc.weight[:, 3] = 0.0
            model.transformer.h[1].mlp.c_fc.bias[3] = 0.0
        else:  # an MLP that never writes
            model.transformer.h[1].mlp.c_proj.weight.zero_()
            model.transformer.h[1].mlp.c_proj.bias.zero_()
    subject = Subject.from_model(model, tokenizer(), name="idle")
    with pytest.raises(InputError, match=r"'idle one' the Lesion at .*no effect in layer 1"):
        run(
            subject,
            Condition("idle one", idle),
            Condition("other", Scale(2.0, where=AT)),
            fast=fast,
        )


@dataclass(frozen=True, eq=False)
class Careless(Inject):
    """Says that it injects, and does something else."""

    fault: str = ""

    def change(self, values: Tensor, selected: Selected) -> Tensor:
        changed = super().change(values, selected)
        if self.fault == "too much":
            return values + 1.001 * (changed - values)
        if self.fault == "one token left out":
            changed[-1] = values[-1]
        return changed

    def apply(self, x: Tensor, mask: Tensor, rows: Sequence[Row], *at: Any) -> Tensor:
        changed = super().apply(x, mask, rows, *at)
        if self.fault == "another token":
            changed[0, 0, 0] += 1e-6
        return changed


@both_paths
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("too much", "did not do in layer 1 what it claims"),
        ("one token left out", "did not do in layer 1 what it claims"),
        ("another token", "changed other tokens"),
    ],
)
def test_an_intervention_that_is_not_what_it_says_is_caught(
    fault: str, message: str, fast: bool
) -> None:
    with pytest.raises(InputError, match=f"'careless' the Careless .*{message}"):
        run(FAMILIES["llama"](), Condition("careless", Careless(V, 1.0, AT, fault)), fast=fast)


@both_paths
def test_a_value_that_is_no_number_is_caught(fast: bool) -> None:
    subject = Subject.from_model(make_model("llama").half(), tokenizer(), name="half")
    with pytest.raises(InputError, match="wider one"):
        run(subject, Condition("huge", Scale(1e6, where=AT)), fast=fast)


def test_a_hook_of_others_that_changes_what_is_put_in_is_caught() -> None:
    model = make_model("llama")
    subject = Subject.from_model(model, tokenizer(), name="hooked")
    condition = Condition("inject", Inject(V, 1.0, AT))
    readout = Everything(subject, logits=False)
    spoiled = []

    def spoil(module: torch.nn.Module, _args: object, output: Tensor) -> Tensor | None:
        return None if len(module._forward_hooks) < 3 else spoiled.append(1) or output + 1e-3

    tap = subject.anatomy.tap("resid_post", 1)
    original = type(tap).edit

    def edit_then_spoil(self: object, callback: object) -> object:
        handle = original(self, callback)  # type: ignore[arg-type]
        self.module.register_forward_hook(spoil)  # type: ignore[attr-defined]
        return handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(tap), "edit", edit_then_spoil)
        with pytest.raises((InputError, MachineError)):
            stimulate(subject, STIMULI, [condition], [readout], batch_size=4)
    assert spoiled


def test_a_change_upstream_is_caught_in_full_passes() -> None:
    model = make_model("llama")
    subject = Subject.from_model(model, tokenizer(), name="leaky")
    leaking: list[bool] = [False]

    @dataclass(frozen=True, eq=False)
    class Leaky(Inject):
        def change(self, values: Tensor, selected: Selected) -> Tensor:
            leaking[0] = True
            return super().change(values, selected)

    model.model.layers[0].mlp.register_forward_hook(
        lambda _module, _args, output: output + 1e-3 if leaking[0] else output
    )
    conditions = [Condition("first", Leaky(V, 1.0, AT)), Condition("second", Leaky(V, 2.0, AT))]
    with pytest.raises((InputError, MachineError), match="upstream"):
        run(subject, *conditions, fast=False)


def test_a_subject_that_does_not_repeat_itself_is_refused() -> None:
    model = make_model("llama")
    subject = Subject.from_model(model, tokenizer(), name="noisy")
    model.model.layers[0].mlp.register_forward_hook(
        lambda _module, _args, output: output + 1e-5 * torch.rand(1)
    )
    with pytest.raises(MachineError, match="noisy gives other logits"):
        run(subject, Condition("inject", Inject(V, 1.0, AT)))


def test_a_patch_of_its_own_clean_activations_is_told_to_do_nothing(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from cortiscope import scan

    subject = FAMILIES["llama"]()
    source = scan(subject, STIMULI, ["resid_post"], out=tmp_path / "a.zarr", batch_size=4)
    where = Where(layers=1, positions="target_last")
    with pytest.raises(InputError, match=r"Patch at .*no effect"):
        run(subject, Condition("same", Patch(source, where)))
    ids = STIMULI.table["stimulus_id"].tolist()
    partners = dict(zip(ids, reversed(ids), strict=True))
    response = run(subject, Condition("swapped", Patch(source, where, partners=partners)))
    found = response.data["all_stream"].isel(condition=0, read=0, layer=1)
    np.testing.assert_array_equal(found, source.layer("resid_post", 1)[::-1])


def test_conditions_are_refused_before_anything_runs() -> None:
    subject = FAMILIES["llama"]()
    for conditions, message in (
        ([], "there are none"),
        ([Condition("a"), Condition("a")], "several are called 'a'"),
        (
            [Condition("deep", Inject(V, 1.0, Where(layers=9)))],
            "'deep' cannot be made: There is no",
        ),
    ):
        with pytest.raises(InputError, match=message):
            run(subject, *conditions)
