from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cortiscope.errors import InputError
from cortiscope.subjects.training import train_specimen

CATEGORIES = {"animal": ["horse", "shark", "fox"], "tool": ["axe", "hoe", "rake"]}
TINY: dict[str, Any] = {
    "n_tokens": 6_000,
    "categories": CATEGORIES,
    "vocabulary_size": 400,
    "width": 16,
    "mlp_width": 32,
    "layers": 2,
    "heads": 2,
    "key_value_heads": 1,
    "length": 32,
    "batch": 8,
    "checkpoint_every": 4,
    "progress": False,
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = Random(0)
    words = ["the", "a", "dog", "cat", "sat", "ran", "on", "mat", "hill", "and", "then", "red"]
    path = tmp_path_factory.mktemp("texts") / "small.txt"
    lines = (" ".join(random.choices(words, k=9)).capitalize() + "." for _ in range(300))
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def specimen(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_specimen([text], tmp_path_factory.mktemp("whole") / "tiny", **TINY)


def test_an_ordinary_directory_that_loads(specimen: Path) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(specimen)
    tokenizer = AutoTokenizer.from_pretrained(specimen)
    assert model.config.model_type == "qwen2"
    assert model.dtype == torch.float16
    sentence = 'An axe, "said" the dog\'s cat, is 12 miles  away.\n'
    encoding = tokenizer(sentence, return_offsets_mapping=True)
    assert encoding.input_ids[0] == tokenizer.bos_token_id == model.config.bos_token_id
    # AutoTokenizer rebuilds a family's tokenizer: it must still be the one that was trained.
    trained = Tokenizer.from_file(str(specimen / "tokenizer.json"))
    assert trained.encode(sentence).ids == encoding.input_ids
    assert tokenizer.decode(encoding.input_ids, skip_special_tokens=True) == sentence
    start = sentence.index("dog")
    assert start in {a for a, b in encoding.offset_mapping if b > a}
    padded = tokenizer([sentence, "An axe"], padding=True, return_tensors="pt")
    assert model.float()(**padded).logits.isfinite().all()
    assert not (specimen / ".training").exists()
    record = json.loads((specimen / "training.json").read_text())
    assert record["history"]["step"][-1] == 6_000 // (8 * 32)
    assert set(record["trained_words"]) == set(CATEGORIES)


def test_interrupted_and_continued_equals_uninterrupted(
    specimen: Path, text: Path, tmp_path: Path
) -> None:
    for steps in (5, 14, None):
        train_specimen([text], tmp_path / "tiny", stop_after=steps, **TINY)
    name = "model.safetensors"
    assert (tmp_path / "tiny" / name).read_bytes() == (specimen / name).read_bytes()


def test_another_training_in_the_same_directory_is_refused(
    specimen: Path, text: Path, tmp_path: Path
) -> None:
    train_specimen([text], tmp_path / "tiny", stop_after=5, **TINY)
    with pytest.raises(InputError, match="unfinished training"):
        train_specimen([text], tmp_path / "tiny", seed=1, **TINY)
    with pytest.raises(InputError, match="already holds a model"):
        train_specimen([text], specimen, **TINY)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"", "is empty"), (b"\xff\xfe\x00", "UTF-8"), (b"one", "block")],
)
def test_bad_texts_are_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        train_specimen([path], tmp_path / "out", **TINY)


def test_unknown_family_and_too_few_tokens(text: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="qwen2"):
        train_specimen([text], tmp_path / "out", **{**TINY, "family": "nope"})
    with pytest.raises(InputError, match="at least 256"):
        train_specimen([text], tmp_path / "out", **{**TINY, "n_tokens": 10})
