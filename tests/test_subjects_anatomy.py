"""Every family: the sites that its anatomy proves, and their parity with transformers' own."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.subjects import SITES, Subject
from families import FAMILIES

TEXTS = ["Once upon a time there was a little robin.", "Red.", "The old tree fell into the lake"]

# Gemma 4 gives its global layers wider heads, and layers that reuse keys and values wider MLPs.
REFUSED = {
    "gemma4": {
        "mlp_act": "the width of the MLP differs between layers (48, 96)",
        "head_out": "the width of a head differs between layers (8, 16)",
    },
    "gemma4_unified": {"head_out": "the width of a head differs between layers (8, 16)"},
}

KINDS = {
    "olmo2": "additive after post-norms",
    "gemma2": "additive after post-norms",
    "gemma3_text": "additive after post-norms",
    "gemma3": "additive after post-norms",
    "gemma4_text": "additive with declared terms",
    "gemma4": "additive with declared terms",
    "gemma4_unified_text": "additive with declared terms",
    "gemma4_unified": "additive with declared terms",
    "opt_post_norm": "not additive",
    "bert": "not additive",
    "roberta": "not additive",
}

every_family = pytest.mark.parametrize("name", FAMILIES)


def record(subject: Subject, batch: dict[str, Tensor]) -> dict[tuple[str, int], Tensor]:
    """Run the body once and keep what every tap gives, at real tokens only, row after row."""
    seen: dict[tuple[str, int], Tensor] = {}
    mask = batch["attention_mask"].bool()

    def keep(at: tuple[str, int]) -> Callable[[Tensor], None]:
        return lambda tensor: seen.__setitem__(at, tensor[mask].clone())

    handles = [
        subject.anatomy.tap(site, layer).attach(keep((site, layer)))
        for site in subject.anatomy.sites
        for layer in range(subject.anatomy.n_layers)
    ]
    subject.forward(batch)
    for handle in handles:
        handle.remove()
    return seen


@functools.cache
def recorded(name: str) -> dict[tuple[str, int], Tensor]:
    subject = FAMILIES[name]()
    return record(subject, subject.collate(subject.tokenize(TEXTS)))


def error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.square().mean().sqrt())


@every_family
def test_all_sites_are_proved_or_refused_for_a_known_reason(name: str) -> None:
    subject = FAMILIES[name]()
    refused = REFUSED.get(name, {})
    assert subject.anatomy.refused == refused
    assert subject.anatomy.sites == tuple(site for site in SITES if site not in refused)
    assert subject.anatomy.block_kind == KINDS.get(name, "additive")
    for site in subject.proof.sites:
        assert site.proved is (site.site not in refused)
        if site.proved:
            assert site.checks
            assert site.error is not None
            assert site.error <= 1e-5


@every_family
def test_resid_post_is_transformers_own_hidden_state(name: str) -> None:
    subject = FAMILIES[name]()
    batch = subject.collate(subject.tokenize(TEXTS))
    with torch.no_grad():
        output = subject.model(**batch, output_hidden_states=True, use_cache=False)
    mask = batch["attention_mask"].bool()
    found = recorded(name)
    assert len(output.hidden_states) == subject.anatomy.n_layers + 1
    for layer, state in enumerate(output.hidden_states[:-1]):
        assert error(found["resid_pre", layer], state[mask]) <= 1e-5
    for layer, state in enumerate(output.hidden_states[1:-1]):
        assert error(found["resid_post", layer], state[mask]) <= 1e-5
    last = output.hidden_states[-1][mask]
    encoder = subject.anatomy.family.head == "masked"
    # The last entry is after the final norm, which post-LN models do not have.
    after_norm = not encoder and name != "opt_post_norm"
    if name != "opt_post_norm":  # whose last entry may be after the projection to the embedding
        assert (error(found["resid_post", subject.anatomy.n_layers - 1], last) > 1e-2) is after_norm


@every_family
def test_what_is_added_sums_up_to_the_stream(name: str) -> None:
    """The definition of attn_out and mlp_out, written out again without the family's entry."""
    found = recorded(name)
    subject = FAMILIES[name]()
    for layer, block in enumerate(subject.anatomy.blocks):
        before, after = found["resid_pre", layer], found["resid_post", layer]
        attention, mlp = found["attn_out", layer], found["mlp_out", layer]
        with torch.no_grad():
            if name in ("bert", "roberta"):
                between = block.attention.output.LayerNorm(before + attention)
                total = block.output.LayerNorm(between + mlp)
            elif name == "opt_post_norm":
                between = block.self_attn_layer_norm(before + attention)
                total = block.final_layer_norm(between + mlp)
            elif name.startswith("gemma4"):
                total = (before + attention + mlp) * block.layer_scalar
            else:
                total = before + attention + mlp
        if name == "gemma4":  # its per-layer inputs are a third term
            assert error(total, after) > 1e-2
        else:
            assert error(total, after) <= 1e-5


@every_family
@pytest.mark.parametrize("padding_side", ["left", "right"])
def test_padding_changes_nothing(name: str, padding_side: str) -> None:
    subject = FAMILIES[name]()
    tokens = subject.tokenize(TEXTS)
    longest = max(map(len, tokens))
    batch = subject.collate(tokens, length=longest + 5, padding_side=padding_side)
    padded = record(subject, batch)
    alone = [record(subject, subject.collate([row])) for row in tokens]
    for at, tensor in padded.items():
        assert error(tensor, torch.cat([one[at] for one in alone])) <= 1e-4, at


@every_family
def test_the_body_alone_gives_the_state_that_the_head_reads(name: str) -> None:
    subject = FAMILIES[name]()
    batch = subject.collate(subject.tokenize(TEXTS))
    state = subject.forward(batch)
    logits = subject.forward(batch, logits=True)
    assert not state.requires_grad
    with torch.no_grad():
        head = getattr(subject.model, "lm_head", None) or subject.model.cls
        found = head(state)
        if subject.anatomy.logit_cap is not None:
            cap = subject.anatomy.logit_cap
            assert error(found, logits) > 1e-2  # the cap has a value that matters here
            found = torch.tanh(found / cap) * cap
    mask = batch["attention_mask"].bool()
    assert error(found[mask], logits[mask]) <= 1e-5


@every_family
def test_taps_give_the_shapes_that_the_anatomy_names(name: str) -> None:
    subject = FAMILIES[name]()
    n_tokens = sum(map(len, subject.tokenize(TEXTS)))
    for (site, _), tensor in recorded(name).items():
        sizes = tuple(size for _, size in subject.anatomy.shape(site))
        assert tensor.shape == (n_tokens, *sizes)


@every_family
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_other_dtypes_prove_themselves_too(name: str, dtype: torch.dtype) -> None:
    from families import make_model, tokenizer

    model = make_model(name).to(dtype)
    subject = Subject.from_model(model, tokenizer(), name)
    assert subject.anatomy.refused == REFUSED.get(name, {})
    assert subject.proof.dtype == str(dtype).removeprefix("torch.")
    assert subject.dtype == dtype


def test_eager_attention_is_recorded_and_agrees_with_sdpa() -> None:
    from families import make_model, tokenizer

    model = make_model("qwen2")
    model.set_attn_implementation("eager")
    eager = Subject.from_model(model, tokenizer(), "qwen2")
    assert (eager.attention, FAMILIES["qwen2"]().attention) == ("eager", "sdpa")
    assert FAMILIES["gemma2"]().attention == "eager"  # SDPA cannot cap attention scores
    found = record(eager, eager.collate(eager.tokenize(TEXTS)))
    for at, tensor in recorded("qwen2").items():
        assert error(found[at], tensor) <= 1e-5


def test_a_tap_says_what_is_wrong() -> None:
    anatomy = FAMILIES["gemma4"]().anatomy
    with pytest.raises(InputError, match="no site 'resid'; take one of resid_pre, resid_post"):
        anatomy.tap("resid", 0)
    with pytest.raises(InputError, match="no layer 4: the model has 4 layers"):
        anatomy.tap("resid_post", 4)
    with pytest.raises(InputError, match="no layer -1"):
        anatomy.tap("resid_post", -1)
    with pytest.raises(
        InputError, match=r"head_out is refused .* differs between layers \(8, 16\)"
    ):
        anatomy.tap("head_out", 0)
    with pytest.raises(InputError, match="head_out is refused"):
        anatomy.shape("head_out")
    assert anatomy.head_width is None
    assert anatomy.n_mlp_units is None


def n_hooks(subject: Subject) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in subject.model.modules()
    )


def test_a_removed_tap_is_silent() -> None:
    subject = FAMILIES["opt"]()
    batch = subject.collate(subject.tokenize(TEXTS))
    before = n_hooks(subject)
    seen: list[Tensor] = []
    with subject.anatomy.tap("mlp_act", 1).attach(seen.append):
        assert n_hooks(subject) > before
        subject.forward(batch)
    assert [tuple(tensor.shape) for tensor in seen] == [(*batch["input_ids"].shape, 48)]
    subject.forward(batch)
    assert len(seen) == 1
    assert n_hooks(subject) == before


def test_anatomy_draws_itself() -> None:
    text = repr(FAMILIES["gemma4"]().anatomy)
    assert "Gemma 4, 4 layers, blocks additive with declared terms" in text
    assert "refused" in text
    assert "post_attention_layernorm (output)" in text
    assert "<td" in FAMILIES["gemma4"]().anatomy._repr_html_()
