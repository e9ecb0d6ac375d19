"""Who a subject is: twins, fingerprints, records, and how texts reach it."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.subjects import Subject, Tokens
from cortiscope.subjects.identity import hash_config, hash_tokenizer
from cortiscope.subjects.tokens import pad, positions
from families import FAMILIES, STORIES, make_model, tokenizer

every_family = pytest.mark.parametrize("name", FAMILIES)


def state(subject: Subject) -> dict[str, torch.Tensor]:
    return dict(subject.model.state_dict())


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@every_family
def test_a_twin_has_the_same_anatomy_and_fresh_weights(name: str) -> None:
    subject = FAMILIES[name]()
    before = torch.get_rng_state()
    twin = subject.twin(7)
    assert torch.equal(torch.get_rng_state(), before)
    assert twin.name == f"{name}--twin-7"
    assert twin.tokenizer is subject.tokenizer
    assert (twin.dtype, twin.device, twin.attention) == (
        subject.dtype,
        subject.device,
        subject.attention,
    )
    assert twin.anatomy.sites == subject.anatomy.sites
    assert hash_config(twin.model.config) == hash_config(subject.model.config)
    assert equal(state(twin), state(subject.twin(7)))
    assert not equal(state(twin), state(subject.twin(8)))
    assert not equal(state(twin), state(subject))
    prints = {one.fingerprint for one in (subject, twin, subject.twin(8))}
    assert len(prints) == 3
    assert twin.fingerprint == subject.twin(7).fingerprint


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "gemma4"])
def test_a_twins_weights_are_those_of_the_familys_own_initialiser(name: str) -> None:
    model = FAMILIES[name]().model
    with torch.random.fork_rng():
        torch.manual_seed(11)
        fresh = type(model)(copy.deepcopy(model.config))
    assert equal(state(FAMILIES[name]().twin(11)), dict(fresh.state_dict()))


def test_a_twin_keeps_dtype_and_kernel() -> None:
    model = make_model("qwen2").to(torch.bfloat16)
    model.set_attn_implementation("eager")
    twin = Subject.from_model(model, tokenizer(), "q").twin(0)
    assert (twin.dtype, twin.attention) == (torch.bfloat16, "eager")
    assert {parameter.dtype for parameter in twin.model.parameters()} == {torch.bfloat16}


def test_the_fingerprint_is_of_content_not_of_place(tmp_path: Path) -> None:
    for name in ("here", "there"):
        shutil.copytree(STORIES, tmp_path / name)
    here = Subject.load(tmp_path / "here")
    assert here.fingerprint == Subject.load(tmp_path / "there").fingerprint
    assert here.fingerprint == Subject.load(STORIES).fingerprint


def spoil_weights(folder: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.model.layers[0].mlp.up_proj.weight.data[0, 0] += 1e-3
    model.save_pretrained(folder)


def spoil_config(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rms_norm_eps": 1e-4}))


def spoil_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    parts = json.loads(path.read_text())
    parts["post_processor"] = None
    path.write_text(json.dumps(parts))


@pytest.mark.parametrize(
    ("spoil", "options"),
    [
        (spoil_weights, {}),
        (spoil_config, {}),
        (spoil_tokenizer, {}),
        (lambda folder: None, {"dtype": "bfloat16"}),
        (lambda folder: None, {"attention": "eager"}),
    ],
)
def test_the_fingerprint_changes_with_what_activations_depend_on(
    tmp_path: Path, spoil: Callable[[Path], None], options: dict[str, Any]
) -> None:
    shutil.copytree(STORIES, tmp_path / "it")
    before = Subject.load(tmp_path / "it").fingerprint
    spoil(tmp_path / "it")
    assert Subject.load(tmp_path / "it", **options).fingerprint != before


def test_a_model_in_memory_is_known_by_its_weights() -> None:
    one, other = (Subject.from_model(make_model("llama"), tokenizer(), "a") for _ in range(2))
    assert one.fingerprint == other.fingerprint
    different = Subject.from_model(make_model("llama", seed=1), tokenizer(), "a")
    assert different.fingerprint != one.fingerprint


def test_a_tokenizer_is_the_same_after_it_was_made_to_pad() -> None:
    fresh = copy.deepcopy(tokenizer())
    before = hash_tokenizer(fresh)
    fresh(["a", "a longer text"], padding=True, truncation=True, max_length=3)
    assert hash_tokenizer(fresh) == before


def test_the_record_is_json_and_names_no_place(tmp_path: Path) -> None:
    shutil.copytree(STORIES, tmp_path / "stories")
    record = Subject.load(tmp_path / "stories").record()
    text = json.dumps(record, allow_nan=False)
    assert str(tmp_path) not in text
    assert record["weights"].keys() == {"model.safetensors"}
    assert all(len(value) == 64 for value in record["weights"].values())
    assert record["dtype"] == "float32"
    assert record["attention"] == "sdpa"
    assert record["special_tokens"]["before"] == ["<s>"]
    assert record["special_tokens"]["adds_bos"] is True
    assert record["special_tokens"]["chat_template"] is False
    assert {site["site"]: site["proved"] for site in record["proof"]["sites"]} == dict.fromkeys(
        Subject.load(STORIES).anatomy.sites, True
    )
    assert record["versions"]["transformers"] == transformers.__version__


def test_tokens_have_offsets_and_special_tokens() -> None:
    text = "A robin sang."
    (tokens,) = FAMILIES["llama"]().tokenize([text])
    assert len(tokens) == len(tokens.ids) == len(tokens.offsets) == len(tokens.special)
    assert tokens.ids[0] == 1  # <s>
    assert tokens.special == (True, *[False] * (len(tokens) - 1))
    assert tokens.offsets[0] == (0, 0)
    # Every character belongs to a token, in reading order; the marker "▁" of a word's beginning
    # may share its first character.
    covered = {at for start, end in tokens.offsets for at in range(start, end)}
    assert covered >= {at for at, character in enumerate(text) if character != " "}
    assert list(tokens.offsets) == sorted(tokens.offsets)


def test_a_lost_bos_is_recorded_and_warned_of() -> None:
    lost = copy.deepcopy(tokenizer())
    lost.backend_tokenizer.post_processor = None
    lost._add_bos_token = False
    subject = Subject.from_model(make_model("llama"), lost, "amnesiac")
    assert not subject.special_tokens.adds_bos
    assert subject.special_tokens.bos_token == "<s>"
    assert subject.special_tokens.before == ()
    (warning,) = subject.warnings
    assert "amnesiac puts no special token in front of a text, although models of the family" in (
        warning
    )
    # A family that does without is not warned of.
    assert Subject.from_model(make_model("qwen2"), lost, "q").warnings == ()


def test_padding_without_a_padding_token_leaves_the_vocabulary_alone() -> None:
    bare = copy.deepcopy(tokenizer())
    bare.pad_token = None
    size = len(bare)
    subject = Subject.from_model(make_model("llama"), bare, "bare")
    assert (subject.special_tokens.pad_id, subject.special_tokens.pad_source) == (2, "eos token")
    assert subject.collate(subject.tokenize(["a", "a b c"]))["input_ids"][0, -1] == 2
    assert len(bare) == size
    assert bare.pad_token is None


def test_a_padding_token_that_the_model_has_no_row_for_is_passed_over() -> None:
    grown = copy.deepcopy(tokenizer())
    grown.add_special_tokens({"pad_token": "<pad>"})
    assert grown.pad_token_id == 512
    subject = Subject.from_model(make_model("llama"), grown, "grown")
    assert (subject.special_tokens.pad_id, subject.special_tokens.pad_source) == (2, "eos token")


def test_texts_that_cannot_be_shown() -> None:
    subject = FAMILIES["llama"]()
    with pytest.raises(InputError, match="text '' gives llama no tokens of its own"):
        subject.tokenize(["a", ""])
    with pytest.raises(InputError, match="has 99 tokens and llama takes at most 64"):
        subject.tokenize(["e" * 98])
    with pytest.raises(InputError, match="put the text into a list"):
        subject.tokenize("a robin")
    assert subject.tokenize([]) == []
    with pytest.raises(InputError, match="at least one text"):
        subject.collate([])
    with pytest.raises(InputError, match="batch of length 2 cannot hold"):
        subject.collate(subject.tokenize(["a robin sang"]), length=2)
    with pytest.raises(InputError, match="padding_side is 'top'"):
        subject.collate(subject.tokenize(["a"]), padding_side="top")  # type: ignore[arg-type]


def test_robertas_context_is_two_tokens_shorter_than_its_table() -> None:
    assert FAMILIES["bert"]().n_context == 64
    assert FAMILIES["roberta"]().n_context == 61  # positions start after the padding id, 2
    subject = FAMILIES["roberta"]()
    row = Tokens(tuple([5] * 61), tuple([(0, 1)] * 61), tuple([False] * 61))
    batch = subject.collate([row])
    assert int(batch["position_ids"].max()) == 63
    assert subject.forward(batch, logits=True).isfinite().all()


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    side=st.sampled_from(["left", "right"]),
    extra=st.integers(0, 3),
)
def test_padding_keeps_every_token_in_its_place(lengths: list[int], side: Any, extra: int) -> None:
    rows = [
        Tokens(tuple(range(1, n + 1)), tuple([(0, 1)] * n), tuple([False] * n)) for n in lengths
    ]
    ids, mask = pad(rows, 0, length=max(lengths) + extra, padding_side=side)
    places = positions(mask, first=3)
    for row, (one, where, place) in enumerate(zip(ids, mask.bool(), places, strict=True)):
        assert tuple(one[where].tolist()) == rows[row].ids
        assert not one[~where].any()
        assert place[where].tolist() == list(range(3, 3 + lengths[row]))
        ends = where[0] if side == "right" else where[-1]
        assert bool(ends)


def test_a_subject_draws_itself() -> None:
    text = repr(FAMILIES["gemma4"]())
    assert "Subject gemma4" in text
    assert "Gemma 4, blocks additive with declared terms" in text
    assert "float32 on cpu, sdpa attention" in text
    assert "<s> …" in text
    assert "head_out (the width of a head differs" in text
    assert "Subject gemma4</caption>" in FAMILIES["gemma4"]()._repr_html_()
