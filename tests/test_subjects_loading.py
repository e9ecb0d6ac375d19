"""From a name to a subject, and what is said when there is no way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
import transformers
from huggingface_hub import errors

from cortiscope.errors import InputError, MachineError
from cortiscope.subjects import Subject, hub, loading, sources
from families import FAMILIES, STORIES, make_model, tokenizer


def save(name: str, folder: Path, **options: Any) -> Path:
    make_model(name).save_pretrained(folder, **options)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return save("llama", tmp_path / "llama")


def configure(folder: Path, **changes: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def refusal(spec: object, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        Subject.load(spec, **options)  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_loads_as_it_was_saved(name: str, tmp_path: Path) -> None:
    subject = Subject.load(save(name, tmp_path / "it"))
    made = FAMILIES[name]()
    assert subject.name == "it"
    assert (subject.dtype, str(subject.device)) == (torch.float32, "cpu")
    assert subject.attention == made.attention
    assert subject.anatomy.refused == made.anatomy.refused
    batch = made.collate(made.tokenize(["The old tree."]))
    assert torch.equal(subject.forward(batch, logits=True), made.forward(batch, logits=True))


def test_stories260k_is_a_llama_that_starts_with_bos() -> None:
    subject = Subject.load(STORIES)
    assert subject.name == "stories260k"
    assert subject.anatomy.family.name == "Llama"
    assert subject.n_parameters == 260_032
    assert subject.anatomy.refused == {}
    assert subject.special_tokens.adds_bos
    assert subject.warnings == ()
    source = subject.record()["source"]
    assert source == {"kind": "directory", "name": "stories260k", "revision": None}


def test_half_precision_weights_are_float32_on_a_cpu(tmp_path: Path) -> None:
    make_model("qwen2").half().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    assert Subject.load(tmp_path, device="cpu").dtype == torch.float32
    assert Subject.load(tmp_path, device="cpu", dtype="auto").dtype == torch.float16
    assert Subject.load(tmp_path, device="cpu", dtype=torch.bfloat16).dtype == torch.bfloat16


def test_options_are_passed_through(llama: Path) -> None:
    assert Subject.load(llama, attention="eager").attention == "eager"
    with pytest.raises(InputError, match="device and device_map exclude each other"):
        Subject.load(llama, device="cpu", device_map="auto")


def test_a_model_in_several_places_proves_itself(llama: Path) -> None:
    places = {
        "model.embed_tokens": "cpu",
        "model.rotary_emb": "cpu",
        "model.layers.0": "cpu",
        "model.layers.1": "disk",
        "model.layers.2": "cpu",
        "model.norm": "disk",
        "lm_head": "cpu",
    }
    subject = Subject.load(llama, device_map=places)
    assert subject.model.hf_device_map == places
    assert subject.anatomy.refused == {}
    whole = Subject.load(llama)
    batch = whole.collate(whole.tokenize(["The old tree."]))
    assert torch.equal(subject.forward(batch, logits=True), whole.forward(batch, logits=True))
    assert torch.equal(
        subject.twin(3).forward(batch, logits=True), whole.twin(3).forward(batch, logits=True)
    )


def test_options_that_do_not_exist(llama: Path, tmp_path: Path) -> None:
    assert "choose sdpa or eager" in refusal(llama, attention="flash")
    assert "no device 'gpu'" in refusal(llama, device="gpu")
    assert "has no device cuda:9" in refusal(llama, device="cuda:9")
    assert "choose auto, float32, bfloat16" in refusal(llama, dtype="int8")
    assert "llama is local and has no revisions" in refusal(llama, revision="main")
    gemma = save("gemma2", tmp_path / "gemma2")
    assert "Gemma 2 model, which transformers does not run with sdpa" in refusal(
        gemma, attention="sdpa"
    )


def test_sharded_weights(tmp_path: Path) -> None:
    folder = save("llama", tmp_path / "sharded", max_shard_size="20KB")
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 2
    assert set(Subject.load(folder).record()["weights"]) == {shard.name for shard in shards}
    shards[1].unlink()
    assert f"{shards[1].name} of sharded, which model.safetensors.index.json names" in refusal(
        folder
    )


def test_pickled_weights_only_when_allowed(llama: Path) -> None:
    (llama / "model.safetensors").unlink()
    assert "llama has no safetensors weights; give" in refusal(llama)
    torch.save(make_model("llama").state_dict(), llama / "pytorch_model.bin")
    assert "which allow_pickle=True would load" in refusal(llama)
    assert Subject.load(llama, allow_pickle=True).anatomy.refused == {}


def test_a_damaged_weight_file(llama: Path) -> None:
    path = llama / "model.safetensors"
    whole = path.read_bytes()
    for part in (whole[: len(whole) // 2], whole[:4], b""):
        path.write_bytes(part)
        assert "model.safetensors of llama is damaged or cut short" in refusal(llama)


def test_weights_are_never_made_up(llama: Path, tmp_path: Path) -> None:
    configure(llama, num_hidden_layers=4)
    sentence = refusal(llama)
    assert "llama lacks weights that its configuration asks for (model.layers.3." in sentence
    assert "and 6 more) and random ones would stand in for them" in sentence
    make_model("bert").bert.save_pretrained(tmp_path / "body")
    tokenizer().save_pretrained(tmp_path / "body")
    assert "body lacks weights that its configuration asks for (cls." in refusal(tmp_path / "body")


def test_weights_are_never_left_out_of_a_block(llama: Path) -> None:
    configure(llama, num_hidden_layers=2)
    assert "no place (model.layers.2.input_layernorm.weight" in refusal(llama)


def test_weights_of_another_shape(llama: Path) -> None:
    configure(llama, intermediate_size=64)
    assert "another shape than its configuration asks for (model.layers.0.mlp.down_proj" in (
        refusal(llama)
    )


def test_a_checkpoint_as_the_hub_has_gpt2(tmp_path: Path) -> None:
    """Saved without its head, without prefixes, and with the masks that were buffers once."""
    from safetensors.torch import save_file

    folder = save("gpt2", tmp_path / "gpt2")
    model = make_model("gpt2")
    weights = {name: tensor.clone() for name, tensor in model.transformer.state_dict().items()}
    for layer in range(3):
        weights[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 64, 64).tril()
        weights[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    subject = Subject.load(folder)
    batch = subject.collate(subject.tokenize(["The old tree."]))
    with torch.no_grad():
        expected = model(**batch).logits
    assert torch.equal(subject.forward(batch, logits=True), expected)
    weights["h.1.attn.adapter.weight"] = torch.ones(2, 2)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert "no place (h.1.attn.adapter.weight)" in refusal(folder)


def test_a_second_head_may_be_left_out(tmp_path: Path) -> None:
    model = transformers.BertForPreTraining(make_model("bert").config)
    model.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    assert Subject.load(tmp_path).anatomy.family.name == "BERT"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model_type": "mixtral"}, "is a mixture of experts (num_local_experts=8)"),
        ({"model_type": "qwen3_moe"}, "is a mixture of experts (num_local_experts=128)"),
        ({"model_type": "bloom"}, "model type bloom, of which no family is known (known are bert"),
        ({"model_type": "t5"}, "register a cortiscope.subjects.Family for it through the entry-"),
        (
            {"model_type": "nobody"},
            "model type nobody, which this version of transformers does not",
        ),
        ({"num_hidden_layers": "many"}, "config.json of llama cannot be used (Validation error"),
    ],
)
def test_a_configuration_that_is_not_covered(
    llama: Path, changes: dict[str, Any], sentence: str
) -> None:
    (llama / "model.safetensors").unlink()  # it is found out before any weights are read
    assert sentence in refusal(configure(llama, **changes))


def test_a_gemma_4_with_experts(tmp_path: Path) -> None:
    config = make_model("gemma4_text").config
    config.num_experts, config.enable_moe_block = 4, True
    config.save_pretrained(tmp_path)
    assert "is a mixture of experts (num_experts=4)" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "config.json").unlink(), "llama has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "llama is not JSON"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "llama has no tokenizer; save one"),
        (
            lambda folder: (folder / "tokenizer.json").write_text("{}"),
            "The tokenizer of llama cannot be read",
        ),
    ],
)
def test_files_that_are_missing_or_broken(
    llama: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(llama)
    assert sentence in refusal(llama)


def test_a_slow_tokenizer(tmp_path: Path) -> None:
    slow = transformers.ByT5Tokenizer()
    with pytest.raises(InputError, match="ByT5Tokenizer, which does not tell which characters"):
        Subject.from_model(make_model("llama"), slow, "patient")


def test_the_tokenizer_of_another_model() -> None:
    config = make_model("llama").config
    config.vocab_size = 100
    with pytest.raises(InputError, match="give the model its own tokenizer"):
        Subject.from_model(transformers.LlamaForCausalLM(config), tokenizer(), "patient")


def test_a_model_without_its_head() -> None:
    with pytest.raises(InputError, match=r"The model has no module model, .* with its head"):
        Subject.from_model(make_model("llama").model, tokenizer(), "patient")


def test_names_that_mean_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "There is no folder ./nowhere" in refusal("./nowhere")
    assert "There is no folder two words" in refusal("two words")
    (tmp_path / "a.txt").write_text("a")
    assert "is a file; give the folder" in refusal(tmp_path / "a.txt")
    for name in ("one", "two"):
        save("llama", tmp_path / name)
    monkeypatch.setattr(sources, "SPECIMENS", tmp_path)
    assert "those in the package are: specimen:one, specimen:two" in refusal("specimen:three")
    subject = Subject.load("specimen:two")
    assert (subject.name, subject.slug) == ("specimen:two", "specimen-two")


class Hub:
    """Stands in for the hub: repositories are folders, fetched file by file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str | None, tuple[str, ...]]] = []

    def __call__(
        self, repository: str, *, revision: str | None, allow_patterns: list[str], **_: Any
    ) -> str:
        self.asked.append((repository, revision, tuple(allow_patterns)))
        snapshot = self.folder.parent / "snapshots" / "abc123"
        snapshot.mkdir(parents=True, exist_ok=True)
        for pattern in allow_patterns:
            for path in self.folder.glob(pattern):
                shutil.copy(path, snapshot)
        return str(snapshot)


def test_a_repository_is_fetched_in_two_steps(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Hub(llama)
    monkeypatch.setattr("huggingface_hub.snapshot_download", there)
    subject = Subject.load("someone/robin-1B", revision="main")
    assert subject.name == "someone/robin-1B"
    assert subject.slug == "someone-robin-1B"
    assert subject.record()["source"] == {
        "kind": "hub",
        "name": "someone/robin-1B",
        "revision": "abc123",
    }
    (_, asked_for, first), (_, pinned, second) = there.asked
    assert (asked_for, pinned) == ("main", "abc123")  # weights of the very same commit
    assert "model.safetensors" not in first
    assert second == ("model.safetensors",)


def test_weights_of_an_uncovered_repository_are_not_fetched(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Hub(configure(llama, model_type="bloom"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", there)
    assert "no family is known" in refusal("someone/robin-1B")
    assert len(there.asked) == 1


def hub_error(kind: type[Exception], status: int) -> Exception:
    if not issubclass(kind, errors.HfHubHTTPError):
        return kind("…")
    return kind("…", response=MagicMock(status_code=status))


@pytest.mark.parametrize(
    ("error", "expected", "sentence"),
    [
        (hub_error(errors.GatedRepoError, 403), InputError, "is gated: ask for access at https"),
        (
            hub_error(errors.RepositoryNotFoundError, 404),
            InputError,
            "no repository a/b on the hub",
        ),
        (hub_error(errors.RevisionNotFoundError, 404), InputError, "a/b has no revision 'v9'"),
        (hub_error(errors.LocalEntryNotFoundError, 0), InputError, "the hub cannot be reached"),
        (hub_error(errors.HFValidationError, 0), InputError, "nor an id on the hub"),
        (hub_error(errors.HfHubHTTPError, 503), MachineError, r"fetched \(HfHubHTTPError\)"),
        (TimeoutError("…"), MachineError, r"fetched \(TimeoutError\); try again"),
        (OSError("disk full"), MachineError, r"could not be fetched \(OSError\)"),
    ],
)
def test_what_the_hub_says(
    monkeypatch: pytest.MonkeyPatch, error: Exception, expected: type[Exception], sentence: str
) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(expected, match=sentence):
        Subject.load("a/b", revision="v9")


def test_a_machine_without_memory(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", fail)
    with pytest.raises(MachineError, match="does not fit into the device's memory"):
        Subject.load(llama)


def test_the_device_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert loading.choose_device(None).type == "cuda"
    assert loading.choose_dtype(None, torch.device("cuda")) == "auto"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert loading.choose_device(None).type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert loading.choose_device(None).type == "cpu"
    assert loading.choose_dtype(None, torch.device("cpu")) == torch.float32


def test_a_local_folder_needs_no_hub(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_fetch", lambda *_: pytest.fail("the hub was asked"))
    assert Subject.load(llama).name == "llama"
