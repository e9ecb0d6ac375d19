"""Passes over some tokens of a text give what passes over all of them give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from cortiscope import Subject, scan
from cortiscope.stimulation import (
    Condition,
    Inject,
    Needs,
    Patch,
    Response,
    Row,
    Where,
    attention,
    stimulate,
    stimulus_rows,
)
from cortiscope.stimulation.continuing import continue_rows
from cortiscope.stimulation.where import POSITIONS
from cortiscope.stimulation.window import Window, ending_at_last_read
from cortiscope.subjects import Tokens
from families import FAMILIES, make_model, tokenizer
from stimulation import STIMULI, Everything, direction, off_by


def conditions(n_units: int = 32) -> list[Condition]:
    return [Condition("clean")] + [
        Condition(f"{site} {layer} {positions}", Inject(direction(n_units, layer), 2.0, where))
        for site, layer in (("resid_pre", 0), ("attn_out", 1), ("resid_post", 2))
        for positions in POSITIONS
        for where in [Where(site, layer, positions)]
    ]


def run(subject: Subject, readout: Everything | None = None, **options: Any) -> Response:
    options = {"conditions": conditions(), "batch_size": 8, **options}
    return stimulate(subject, STIMULI, readouts=[readout or Everything(subject)], **options)


def worst(one: Response, other: Response) -> float:
    return max(off_by(one.data[name], other.data[name]) for name in other.data)


@st.composite
def texts(draw: st.DrawFn) -> list[Row]:
    rows = []
    for at in range(draw(st.integers(1, 5))):
        n = draw(st.integers(2, 12))
        first = draw(st.integers(1, n - 1))
        target = tuple(range(first, draw(st.integers(first, n - 1)) + 1))
        tokens = Tokens(tuple(range(n)), ((0, 0),) * n, (True, *(False,) * (n - 1)))
        rows.append(Row(str(at), tokens, draw(st.sampled_from([target, None])), ()))
    return rows


@given(rows=texts(), positions=st.sampled_from(POSITIONS), data=st.data())
def test_a_window_holds_all_that_may_change_and_is_read(
    rows: list[Row], positions: Any, data: st.DataObject
) -> None:
    read_at = [data.draw(st.sets(st.integers(0, len(row.tokens) - 1), max_size=3)) for row in rows]
    cut = ending_at_last_read(rows, [tuple(at) for at in read_at])
    length = max(len(row.tokens) for row in cut)
    where = Where(layers=0, positions=positions)
    window = Window.of(cut, length, where.begins)
    index = np.tile(np.arange(length), (len(rows), 1)) if window is None else window.index.numpy()
    assert index.min() >= 0
    assert index.max() < length
    for row, short, at, run_again in zip(rows, cut, read_at, index, strict=True):
        assert short.tokens.ids == row.tokens.ids[: len(short.tokens)]
        changed = where.tokens(short)
        assert changed
        assert changed[0] == where.tokens(row)[0]
        assert set(changed) <= set(run_again)
        # What is read is run again, or lies before all that changes.
        assert all(token in run_again or token < changed[0] for token in at)
        assert not at or max(at) < len(short.tokens)


class Early(Everything):
    """Reads before the target too, and not behind it."""

    def rows(self, subject: Subject, stimuli: Any) -> list[Row]:
        return stimulus_rows(subject, stimuli, lambda _tokens, target: (0, 2, target[-1]))


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral", "gemma2", "opt"])
def test_what_is_read_before_the_target_is_the_clean_passs(name: str) -> None:
    subject = FAMILIES[name]()
    fast, slow = (run(subject, Early(subject), fast=fast) for fast in (True, False))
    assert fast.provenance["self-check"]["tokens left out"]
    assert worst(fast, slow) < 1e-5
    from_target = fast.data.sel(condition="resid_pre 0 from_target")["all_stream"]
    clean = fast.data.sel(condition="clean")["all_stream"]
    assert (from_target == clean).all(dim=("layer", "unit")).values[:, :2].all()
    assert (from_target != clean).any(dim=("layer", "unit")).values[:, 2].all()


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, ...]]]:
    seen: list[tuple[int, ...]] = []
    forward = Subject.forward

    def noted(self: Subject, batch: Any, **options: Any) -> Any:
        seen.append(tuple(batch["input_ids"].shape))
        return forward(self, batch, **options)

    monkeypatch.setattr(Subject, "forward", noted)
    return seen


class AtTarget(Everything):
    """Reads at the target's last token alone."""

    @property
    def needs(self) -> Needs:
        return Needs(captures=self._needs.captures)

    def rows(self, subject: Subject, stimuli: Any) -> list[Row]:
        return stimulus_rows(subject, stimuli, lambda _tokens, target: target[-1:])


def test_from_the_target_to_where_it_is_read_is_one_token(shapes: list[tuple[int, ...]]) -> None:
    subject = FAMILIES["llama"]()
    late = [
        Condition(str(nth), Inject(direction(32, nth), 1.0, Where(layers=1))) for nth in range(40)
    ]
    fast = run(subject, AtTarget(subject), conditions=late)
    assert shapes[-1] == (40 * len(STIMULI), 1)
    assert worst(fast, run(subject, AtTarget(subject), conditions=late, fast=False)) < 1e-5


def test_eager_attention_is_stood_in_for_too() -> None:
    model = make_model("llama")
    model.set_attn_implementation("eager")
    subject = Subject.from_model(model, tokenizer(), name="eager")
    assert subject.attention == "eager"
    fast = run(subject)
    assert fast.provenance["self-check"]["tokens left out"]
    assert worst(fast, run(subject, fast=False)) < 1e-5


def test_a_patch_finds_its_tokens_in_a_window(tmp_path: Path) -> None:
    subject = FAMILIES["gpt2"]()
    source = scan(subject, STIMULI, ["resid_post"], "every", out=tmp_path / "a.zarr", batch_size=4)
    ids = STIMULI.table["stimulus_id"].tolist()
    where = Where(layers=1, positions="target_last")
    swapped = Patch(source, where, partners=dict(zip(ids, reversed(ids), strict=True)))
    made = [Condition("swapped", swapped)]
    fast, slow = (run(subject, conditions=made, fast=fast) for fast in (True, False))
    assert fast.provenance["self-check"]["tokens left out"]
    assert worst(fast, slow) < 1e-5


def test_keys_that_are_not_the_clean_passs_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = FAMILIES["llama"]()
    held = attention.Held
    monkeypatch.setattr(attention, "Held", lambda key, value, mask: held(1.01 * key, value, mask))
    found = run(subject)
    checked = found.provenance["self-check"]
    assert checked["fast path"]
    assert not checked["tokens left out"]
    assert "some tokens differs from a full one" in checked["reason for all tokens"]
    assert worst(found, run(subject, fast=False)) < 1e-5


def test_tokens_that_meet_outside_attention_are_all_run() -> None:
    model = make_model("llama")
    model.model.layers[2].mlp.register_forward_hook(
        lambda _module, _args, output: output + output.cumsum(dim=1)
    )
    subject = Subject.from_model(model, tokenizer(), name="recurrent")
    found = run(subject)
    checked = found.provenance["self-check"]
    assert (checked["fast path"], checked["tokens left out"]) == (True, False)
    assert worst(found, run(subject, fast=False)) < 1e-5


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
@pytest.mark.parametrize("later", [False, True])
def test_a_mask_that_lets_tokens_see_later_ones_is_known(dtype: torch.dtype, later: bool) -> None:
    module = nn.Linear(1, 1)
    held = attention.HeldAttention("sdpa", {id(module)})
    sees = torch.ones(2, 1, 4, 4, dtype=torch.bool).tril()
    sees[1, 0, 3] = True
    sees[0, 0, 1, 2] = later
    mask = sees if dtype == torch.bool else torch.zeros(sees.shape).masked_fill(~sees, -3e38)
    real = torch.tensor([[True] * 4, [True] * 3 + [False]])
    keys = torch.zeros(2, 1, 4, 3)

    def attend(*_args: Tensor, **_options: Any) -> None: ...

    before = ALL_ATTENTION_FUNCTIONS["sdpa"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ALL_ATTENTION_FUNCTIONS, "sdpa", attend)
        with held.recording(real):
            ALL_ATTENTION_FUNCTIONS["sdpa"](module, keys, keys, keys, mask)
    assert held.is_causal is not later
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is before


def test_the_kernel_is_itself_again_after_an_error() -> None:
    before = dict(ALL_ATTENTION_FUNCTIONS)
    subject = FAMILIES["llama"]()
    failing = Everything(subject)
    failing.fail_after = 0
    with pytest.raises(KeyboardInterrupt):
        run(subject, failing)
    with (
        pytest.raises(RuntimeError),
        attention.HeldAttention("eager", ()).recording(torch.ones(1, 1)),
    ):
        raise RuntimeError
    assert dict(ALL_ATTENTION_FUNCTIONS) == before


@pytest.mark.parametrize("name", ["llama", "mistral", "gpt2", "gemma2", "gemma3_text", "opt"])
def test_a_text_goes_on_from_what_was_held_as_from_the_whole(
    name: str, shapes: list[tuple[int, ...]]
) -> None:
    subject = FAMILIES[name]()
    rows = stimulus_rows(subject, STIMULI, lambda _tokens, _target: ())
    kept: list[list[Tensor]] = []

    def choose(logits: Tensor, _step: int, _rows: Any) -> Tensor:
        kept[-1].append(logits)
        return logits.topk(2).indices[:, 1]

    needs = Needs(n_new_tokens=6, choose=choose)
    for condition in conditions()[::3]:
        found = []
        for cut in (True, False):
            kept.append([])
            shapes.clear()
            found.append(continue_rows(subject, rows, needs, condition, cut=cut))
            assert {shape[1] for shape in shapes[1:]} == {1} or not cut
        assert torch.equal(*found)
        assert off_by(torch.stack(kept[-2]), torch.stack(kept[-1])) < 1e-5
