"""What tests of readouts share: plain passes one text at a time, and tokenizers of every kind."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import transformers
import xarray as xr
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordPieceTrainer

from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row
from cortiscope.stimulation.readouts import neutral_text
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject

Hook = Callable[[Row], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def untouched(row: Row) -> Iterator[None]:
    """Do nothing."""
    yield


def push_vector(subject: Subject) -> torch.Tensor:
    """Draw a vector as large as an activation."""
    return torch.randn(subject.anatomy.n_units, generator=torch.Generator().manual_seed(3))


def push(subject: Subject, layer: int = 1) -> Hook:
    """Add that vector to a block's output from the target on, or to a whole text without one."""
    vector = push_vector(subject)

    @contextlib.contextmanager
    def edit(row: Row) -> Iterator[None]:
        first = row.tokens.special.index(False) if row.target is None else row.target[-1]

        def hook(module: Any, args: Any, output: Any) -> Any:
            hidden = (output[0] if isinstance(output, tuple) else output).clone()
            hidden[:, first:] += vector
            return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

        handle = subject.anatomy.blocks[layer].register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    return edit


@torch.no_grad()
def logits_of(subject: Subject, ids: Sequence[int]) -> torch.Tensor:
    """Run the Hugging Face model on the ids of one text: (token, vocabulary)."""
    return subject.model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0].float()


def plain_outputs(subject: Subject, needs: Needs, row: Row, hook: Hook) -> Outputs:
    """Run one text alone, and give what a readout needs of it."""
    at = list(row.read_at)
    captures: dict[tuple[str, int], torch.Tensor] = {}
    with hook(row), contextlib.ExitStack() as taps:
        for place in needs.captures:
            keep = functools.partial(_keep, captures, place, at)
            taps.enter_context(subject.anatomy.tap(*place).attach(keep))
        logits = logits_of(subject, row.tokens.ids)[None, at]
    ids = list(row.tokens.ids)
    with hook(row):
        for step in range(needs.n_new_tokens):
            last = logits_of(subject, ids)[None, -1]
            new = last.argmax(dim=-1) if needs.choose is None else needs.choose(last, step, [row])
            ids.append(int(new))
    clean = plain_outputs(subject, Needs(logits=True), row, untouched) if needs.clean else None
    valid = torch.ones((1, len(at)), dtype=torch.bool)
    continued = torch.tensor([ids[len(row.tokens) :]])
    return Outputs((row,), valid, captures, logits, clean, continued)


def _keep(captures: dict[Any, torch.Tensor], place: Any, at: list[int], x: torch.Tensor) -> None:
    captures[place] = x[:, at].clone()


def show(
    subject: Subject, readout: Readout, stimuli: StimulusSet, hooks: Sequence[Hook] = (untouched,)
) -> xr.Dataset:
    """Read every text of a readout, one by one, under each hook."""
    rows = readout.rows(subject, stimuli)
    values: dict[str, list[np.ndarray]] = {}
    for hook in hooks:
        found = [readout.read(plain_outputs(subject, readout.needs, row, hook)) for row in rows]
        for name in found[0]:
            values.setdefault(name, []).append(np.concatenate([one[name] for one in found]))
    stacked = {name: np.stack(parts) for name, parts in values.items()}
    return readout.lay_out(stacked, stimuli)


# What tokenizers do to a space differs: byte-level BPE and SentencePiece put it into the token
# that follows (whose offsets hold it or not), WordPiece drops it.


def _byte_level(trim: bool) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=600, special_tokens=["<e>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(neutral_text(), trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<e>")


def _sentence_piece() -> Any:
    """Unigram with spaces as ▁, and an end-of-text token behind every text."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=600, special_tokens=["<u>", "<e>"], unk_token="<u>", show_progress=False
    )
    tokenizer.train_from_iterator(neutral_text(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <e>", special_tokens=[("<e>", tokenizer.token_to_id("<e>"))]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<u>", eos_token="<e>"
    )


def _word_piece() -> Any:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = WordPieceTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    lines = [*neutral_text(), *["An animal, a tool, a thing; food."] * 50]
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **dict(zip(names, special, strict=True))
    )


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "byte-level": functools.partial(_byte_level, False),
    "byte-level, offsets without the space": functools.partial(_byte_level, True),
    "SentencePiece with an end token": _sentence_piece,
    "WordPiece": _word_piece,
}


@functools.cache
def subject_with(kind: str, *, masked: bool = False) -> Subject:
    """Make a small random model that reads with a tokenizer of a kind."""
    tokenizer = TOKENIZERS[kind]()
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "initializer_range": 0.4,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = (
            transformers.BertForMaskedLM(transformers.BertConfig(**sizes))
            if masked
            else transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
        )
    return Subject.from_model(model, tokenizer, kind)
