"""What stimulation gives, against plain torch hooks; the fast path against full passes."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.backends import mps

from cortiscope import Subject
from cortiscope.errors import InputError
from cortiscope.stimulation import (
    Condition,
    Inject,
    Intervention,
    Lesion,
    Response,
    Scale,
    Where,
    stimulate,
)
from cortiscope.subjects.proving import TOLERANCES
from families import FAMILIES, make_model, tokenizer
from stimulation import STIMULI, Everything, direction, off_by

every_family = pytest.mark.parametrize("name", FAMILIES)
Formula = Callable[[Tensor], Tensor]


def run(
    subject: Subject, conditions: Sequence[Condition], *, logits: bool = True, **options: Any
) -> Response:
    readout = Everything(subject, logits=logits)
    return stimulate(subject, STIMULI, conditions, [readout], batch_size=8, **options)


def by_plain_hooks(
    subject: Subject, where: Where, formula: Formula, layer: int
) -> tuple[np.ndarray, np.ndarray]:
    """Change what a block takes or gives by a hook of torch's own, one stimulus after another."""
    block = subject.anatomy.blocks[layer]
    streams, logits = [], []
    for text, start, end in zip(
        *(STIMULI.table[name] for name in ("text", "target_start", "target_end")), strict=True
    ):
        encoding = subject.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
        spans = encoding.pop("offset_mapping")[0].tolist()
        own = [at for at, (a, b) in enumerate(spans) if max(a, start) < min(b, end)]
        first = 1 if where.positions == "all" else own[-1]
        if subject.anatomy.family.name == "RoBERTa":
            n = len(spans)
            encoding["position_ids"] = torch.arange(n)[None] + subject.model.config.pad_token_id + 1

        def changed(hidden: Tensor, first: int = first) -> Tensor:
            new = formula(hidden[:, first:].double()).to(hidden.dtype)
            return torch.cat([hidden[:, :first], new], dim=1)

        if where.site == "resid_pre":
            handle = block.register_forward_pre_hook(
                lambda _module, args, changed=changed: (changed(args[0]), *args[1:])
            )
        else:
            handle = block.register_forward_hook(
                lambda _module, _args, output, changed=changed: changed(output)
            )
        kept: list[Tensor] = []
        listeners = [
            module.register_forward_hook(
                lambda _module, _args, output, kept=kept: kept.append(output[0].clone())
            )
            for module in subject.anatomy.blocks
        ]
        encoding = {k: v for k, v in encoding.items() if k != "token_type_ids"}
        with torch.no_grad():
            output = subject.model(**encoding, use_cache=False).logits[0]
        for hook in (handle, *listeners):
            hook.remove()
        at = [own[-1], len(spans) - 1]
        streams.append(torch.stack(kept, dim=1)[at])
        logits.append(output[at])
    return torch.stack(streams).numpy(), torch.stack(logits).numpy()


def formulas(n_units: int) -> dict[str, tuple[Callable[[Where], Intervention], Formula]]:
    v = torch.tensor(direction(n_units, 1).vector, dtype=torch.float64)
    v /= v.norm()  # directions are kept in single precision
    reference = np.random.default_rng(3).normal(size=(5, n_units)).astype(np.float32)
    mean = torch.from_numpy(reference.mean(axis=0).astype(np.float64))

    def without_units(x: Tensor) -> Tensor:
        keep = torch.ones(n_units, dtype=torch.float64)
        keep[[0, 7, 9]] = 0.0
        return x * keep + mean * (1.0 - keep)

    return {
        "inject": (
            lambda where: Inject(direction(n_units, 1), 2.0, where),
            lambda x: x + 6.0 * v,
        ),
        "lesion of units": (
            lambda where: Lesion(units=(0, 7, 9), reference=reference, where=where),
            without_units,
        ),
        "lesion of a direction": (
            lambda where: Lesion(direction=direction(n_units, 1), replace="zero", where=where),
            lambda x: x - (x @ v)[..., None] * v,
        ),
        "scale": (lambda where: Scale(3.0, where=where), lambda x: 3.0 * x),
    }


@every_family
def test_every_family_gives_what_plain_hooks_give(name: str) -> None:
    # In float64, because the hooks see one stimulus at a time and rounding depends on the batch;
    # Gemma 2's attention gives NaN in that dtype.
    model = make_model(name) if name == "gemma2" else make_model(name).double()
    subject = Subject.from_model(model, tokenizer(), name=name)
    made = formulas(subject.anatomy.n_units)
    cases = [
        (Where(site, layer, positions), *made[kind])
        for site, layer, positions, kind in (
            ("resid_post", 0, "from_target", "inject"),
            ("resid_post", 1, "all", "lesion of units"),
            ("resid_pre", 1, "from_target", "lesion of a direction"),
            ("resid_pre", 2, "all", "scale"),
        )
    ]
    conditions = [
        Condition(str(at), intervention(where)) for at, (where, intervention, _) in enumerate(cases)
    ]
    response = run(subject, conditions)
    for at, (where, _, formula) in enumerate(cases):
        streams, logits = by_plain_hooks(subject, where, formula, where.layers[0])
        found = response.data.isel(condition=at)
        assert off_by(found["all_stream"], streams.reshape(found["all_stream"].shape)) < 1e-5
        assert off_by(found["all_logits"], logits) < 1e-5
        assert np.abs(found["all_logits"] - found["all_clean"]).max() > 1e-2


@st.composite
def random_conditions(draw: st.DrawFn, name: str) -> list[Condition]:
    anatomy = FAMILIES[name]().anatomy
    conditions = [Condition("clean")]
    for at in range(draw(st.integers(1, 6))):
        interventions = []
        for _ in range(draw(st.integers(1, 3))):
            site = draw(st.sampled_from(anatomy.sites))
            first = draw(st.integers(0, anatomy.n_layers - 1))
            last = draw(st.integers(first, anatomy.n_layers - 1))
            positions = draw(st.sampled_from(["from_target", "target", "target_last", "all"]))
            where = Where(site, tuple(range(first, last + 1)), positions)
            n_units = int(np.prod([size for _, size in anatomy.shape(site)]))
            seed = draw(st.integers(0, 99))
            kind = draw(st.sampled_from(["inject", "units", "direction", "scale", "along"]))
            if kind == "inject":
                interventions.append(
                    Inject(direction(n_units, seed), draw(st.floats(0.1, 3.0)), where)
                )
            elif kind == "units":
                reference = np.random.default_rng(seed).normal(size=(4, n_units))
                interventions.append(
                    Lesion(
                        units=draw(st.sets(st.integers(0, n_units - 1), min_size=1, max_size=9)),
                        replace=draw(st.sampled_from(["mean", "resample"])),
                        reference=dict.fromkeys(where.layers, reference),
                        where=where,
                    )
                )
            elif kind == "direction":
                interventions.append(
                    Lesion(direction=direction(n_units, seed), replace="zero", where=where)
                )
            else:
                along = direction(n_units, seed) if kind == "along" else None
                interventions.append(Scale(draw(st.floats(1.5, 3.0)), along, where=where))
        conditions.append(Condition(f"condition {at}", tuple(interventions)))
    return conditions


@every_family
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_fast_path_gives_what_full_passes_give(name: str, data: st.DataObject) -> None:
    subject = FAMILIES[name]()
    conditions = data.draw(random_conditions(name))
    try:
        slow = run(subject, conditions, fast=False)
    except InputError as error:
        assert "had no effect" in str(error)  # such as a lesion of what was lesioned before
        return
    fast = run(subject, conditions, fast=True)
    checked = fast.provenance["self-check"]
    assert checked["fast path"] == (name != "gemma4")
    assert checked["tokens left out"] == (name not in ("gemma4", "bert", "roberta"))
    for variable in slow.data:
        assert off_by(fast.data[variable], slow.data[variable]) < 1e-5
    assert np.array_equal(fast.data["all_logits"][0], fast.data["all_clean"][0])
    assert np.array_equal(slow.data["all_logits"][0], slow.data["all_clean"][0])


def test_shared_keys_and_values_take_full_passes() -> None:
    subject = FAMILIES["gemma4"]()
    made = formulas(subject.anatomy.n_units)["inject"][0](Where(layers=3))
    checked = run(subject, [Condition("late", made)]).provenance["self-check"]
    assert (checked["fast path"], checked["reason for full passes"]) == (
        False,
        "layers share keys and values",
    )


def test_blocks_below_are_not_run_and_are_themselves_again_afterwards() -> None:
    subject = Subject.from_model(make_model("llama"), tokenizer(), name="own")
    blocks = subject.anatomy.blocks
    conditions = [
        Condition(str(nth), Inject(direction(subject.anatomy.n_units, nth), 1.0, Where(layers=1)))
        for nth in range(40)
    ]
    calls = [0] * len(blocks)

    def count(at: int) -> Callable[..., None]:
        def counted(*_: object) -> None:
            calls[at] += 1

        return counted

    for at, block in enumerate(blocks):
        block.self_attn.register_forward_hook(count(at))
    run(subject, conditions)
    assert calls[0] == calls[1] < calls[2]
    assert all("forward" not in vars(block) for block in blocks)


@pytest.mark.parametrize(
    ("missing", "reason"), [(None, r"fails \(IndexError\)"), (0.0, "differs from a full one")]
)
def test_layers_that_need_what_earlier_ones_computed_take_full_passes(
    missing: float | None, reason: str
) -> None:
    model = make_model("llama")
    kept: list[Any] = []

    def begin(*_: object) -> None:
        kept[:] = [] if missing is None else [missing]

    model.model.register_forward_pre_hook(begin)
    model.model.layers[0].mlp.register_forward_hook(lambda _m, _a, out: kept.append(out))
    model.model.layers[2].mlp.register_forward_hook(lambda _m, _a, out: out + kept[-1])
    subject = Subject.from_model(model, tokenizer(), name="skipping")
    late = formulas(subject.anatomy.n_units)["inject"][0](Where("resid_post", 1))
    checked = run(subject, [Condition("late", late)]).provenance["self-check"]
    assert checked["fast path"] is False
    assert re.search(reason, checked["reason for full passes"])


# Passes of other shapes round otherwise, and three blocks carry a rounding on: so many of them, as
# a share of the RMS, may lie between the fast path and full passes.
_ROUNDINGS = 16


def narrow_or_skip(name: str, dtype: torch.dtype, device: str) -> Subject:
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": mps.is_available()}
    if not available[device]:
        pytest.skip(f"there is no {device} device")
    return Subject.from_model(make_model(name).to(device, dtype), tokenizer(), name=name)


@every_family
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_narrow_dtypes_prove_themselves_on_both_paths(
    name: str, dtype: torch.dtype, device: str
) -> None:
    subject = narrow_or_skip(name, dtype, device)
    made = formulas(subject.anatomy.n_units)
    conditions = [Condition("clean")] + [
        Condition(kind, intervention(Where(layers=1))) for kind, (intervention, _) in made.items()
    ]
    fast = run(subject, conditions)
    slow = run(subject, conditions, fast=False)
    checked = fast.provenance["self-check"]
    assert checked["fast path"] == (name != "gemma4")
    assert checked["tokens left out"] == (name not in ("gemma4", "bert", "roberta"))
    bound = _ROUNDINGS * torch.finfo(dtype).eps
    for variable in ("all_stream", "all_logits"):
        assert off_by(fast.data[variable], slow.data[variable]) < bound
    for response in (fast, slow):
        table = response.proof_frame()
        assert len(table) == len(conditions) - 1
        assert (table["effect"] > 0).all()
        assert table["error"].max() < TOLERANCES[dtype]
    # What is injected is there, up to one rounding of the sum: nothing else is different.
    clean, injected = fast.data["all_stream"].isel(layer=1, read=0).to_numpy()[:2]
    added = 6.0 * direction(subject.anatomy.n_units, 1).vector
    assert (abs(injected - clean - added) <= torch.finfo(dtype).eps * abs(injected)).all()


def pass_through(subject: Subject, n: int) -> tuple[float, float]:
    """F5: the projection's change by αv at n layers over that by nαv at the first of them."""
    v = direction(subject.anatomy.n_units, 5, length=0.01)
    together = Condition("together", Inject(v, float(n), Where(layers=0)))
    apart = Condition("apart", Inject(v, 1.0, Where(layers=range(n))))
    response = run(subject, [Condition("clean"), together, apart], logits=False)
    streams = response.data["all_stream"].isel(layer=n - 1).to_numpy().astype(np.float64)
    projected = (streams[1:] - streams[0]) @ v.vector.astype(np.float64)
    means = projected.mean(axis=(1, 2))
    return float(means[1] / means[0]), float(means[0] / (n * v.scale))


@pytest.mark.parametrize("name", ["llama", "qwen2", "gpt2", "gemma2"])
@pytest.mark.parametrize("n", [2, 3])
def test_what_is_injected_passes_through_additive_blocks(name: str, n: int) -> None:
    """With attention and MLP writing nothing, the ratio is 1: the stream only adds."""
    subject = Subject.from_model(silent(name), tokenizer(), name=name)
    ratio, arrived = pass_through(subject, n)
    assert ratio == pytest.approx(1.0, abs=1e-3)
    assert arrived == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", ["bert", "opt_post_norm"])
def test_post_norm_blocks_do_not_add(name: str) -> None:
    subject = Subject.from_model(silent(name), tokenizer(), name=name)
    ratio, arrived = pass_through(subject, 3)
    assert abs(ratio - 1.0) > 0.02 or abs(arrived - 1.0) > 0.1


def silent(name: str) -> Any:
    """Let what attention and MLP write be zero, so that only the blocks' sums are left."""
    model = make_model(name)
    family = FAMILIES[name]().anatomy.family
    with torch.no_grad():
        for block in functools.reduce(
            getattr, [*family.body.split("."), *family.blocks.split(".")], model
        ):
            for half in (family.attention, family.mlp):
                module = block.get_submodule(half.writes[0])
                module.weight.zero_()
                if getattr(module, "bias", None) is not None:
                    module.bias.zero_()
    return model
