"""From text files and the small world to a tokenizer and a stream of training tokens."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TextSplit", "build_tokenizer", "pack_stream", "read_texts", "split_texts"]

BOS = "<|endoftext|>"
PAD = "<|pad|>"
# The family's own way of cutting text into pieces: AutoTokenizer sets it whatever the file says.
QWEN2_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BLOCK_LINES = 50
MAX_DOCUMENT_LINES = 6


@dataclass(frozen=True)
class TextSplit:
    """Documents to train on, and those held out for the validation loss.

    Attributes
    ----------
    train, validation : list of str
        Documents of one to six consecutive lines.
    """

    train: list[str]
    validation: list[str]


def read_texts(paths: Sequence[Path]) -> list[list[str]]:
    """Read text files of one sentence or paragraph a line.

    Parameters
    ----------
    paths : sequence of Path
        Files ending in `.txt` or `.txt.gz`, in UTF-8.

    Returns
    -------
    list of list of str
        The non-empty lines of every file.

    Raises
    ------
    InputError
        If a file is missing, is not UTF-8 text, or is empty.
    """
    files: list[list[str]] = []
    for path in paths:
        data = _bytes_of(path)
        try:
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
        except (UnicodeDecodeError, OSError, EOFError) as error:
            raise InputError(
                f"Text file {path} is not readable as UTF-8 text ({error}); convert it first."
            ) from error
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines:
            raise InputError(f"Text file {path} is empty; give files of one sentence a line.")
        files.append(lines)
    return files


def fingerprint_texts(paths: Sequence[Path]) -> dict[str, str]:
    """Return the sha256 of every text file by its name."""
    return {path.name: hashlib.sha256(_bytes_of(path)).hexdigest() for path in paths}


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"Text file {path} does not exist; give files of one sentence a line.")
    return path.read_bytes()


def split_texts(
    paths: Sequence[Path], *, seed: int = 0, validation_share: float = 0.01
) -> TextSplit:
    """Read texts, hold out whole blocks of lines, and group lines into documents.

    Parameters
    ----------
    paths : sequence of Path
        The text files.
    seed : int, default 0
        Seed of the choice of blocks and of the documents' lengths.
    validation_share : float, default 0.01
        The part of the blocks of 50 lines that is held out (at least one block).

    Returns
    -------
    TextSplit
        The documents. Neighbouring lines share their topic, so blocks are held out whole.
    """
    rng = np.random.default_rng([seed, 1])
    blocks = [
        lines[start : start + BLOCK_LINES]
        for lines in read_texts(paths)
        for start in range(0, len(lines), BLOCK_LINES)
    ]
    n_held_out = max(1, round(validation_share * len(blocks)))
    if n_held_out >= len(blocks):
        raise InputError(
            f"The texts hold only {len(blocks)} block(s) of {BLOCK_LINES} lines; give more text."
        )
    held_out = set(rng.choice(len(blocks), size=n_held_out, replace=False).tolist())
    split = TextSplit(train=[], validation=[])
    for number, block in enumerate(blocks):
        target = split.validation if number in held_out else split.train
        start = 0
        while start < len(block):
            length = int(rng.integers(1, MAX_DOCUMENT_LINES + 1))
            target.append(" ".join(block[start : start + length]))
            start += length
    return split


def build_tokenizer(documents: Iterable[str], *, vocabulary_size: int = 4096) -> Tokenizer:
    """Train a byte-level BPE tokenizer that puts the BOS token before every text.

    Parameters
    ----------
    documents : iterable of str
        What it is trained on.
    vocabulary_size : int, default 4096
        Number of tokens, the two special ones among them.

    Returns
    -------
    tokenizers.Tokenizer
        The tokenizer. Offsets leave out the space that a token begins with.
    """
    from tokenizers import (
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[BOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(
                single=f"{BOS} $A",
                pair=f"{BOS} $A {BOS} $B",
                special_tokens=[(BOS, tokenizer.token_to_id(BOS))],
            ),
        ]
    )
    return tokenizer


def encode_documents(tokenizer: Tokenizer, documents: Sequence[str]) -> list[NDArray[np.uint16]]:
    """Encode documents, each beginning with the BOS token."""
    encoded: list[NDArray[np.uint16]] = []
    for start in range(0, len(documents), 10_000):  # bounds the memory of the encodings
        batch = tokenizer.encode_batch(list(documents[start : start + 10_000]))
        encoded += [np.array(encoding.ids, dtype=np.uint16) for encoding in batch]
    return encoded


def pack_stream(
    real: list[NDArray[np.uint16]],
    world: list[NDArray[np.uint16]],
    *,
    n_real: int,
    n_world: int,
    seed: int,
) -> NDArray[np.uint16]:
    """Interleave real documents (in as many epochs as it takes) with generated ones.

    Parameters
    ----------
    real, world : list of ndarray
        Encoded documents; `world` is used once, in its order.
    n_real, n_world : int
        How many tokens of each are wanted.
    seed : int
        Seed of the order.

    Returns
    -------
    ndarray of uint16, shape (n_real + n_world,)
        The stream of tokens.
    """
    rng = np.random.default_rng([seed, 2])
    repeated: list[NDArray[np.uint16]] = []
    total = 0
    while n_real and total < n_real:
        for index in rng.permutation(len(real)):
            repeated.append(real[index])
            total += len(real[index])
            if total >= n_real:
                break
    fresh: list[NDArray[np.uint16]] = []
    total = 0
    for document in world:
        if total >= n_world:
            break
        fresh.append(document)
        total += len(document)
    keys = np.concatenate(
        [
            (np.arange(len(part)) + rng.random(len(part))) / max(len(part), 1)
            for part in (repeated, fresh)
        ]
    )
    documents = repeated + fresh
    stream: NDArray[np.uint16] = np.concatenate([documents[i] for i in np.argsort(keys)])
    return stream[: n_real + n_world]


def training_rows(stream: NDArray[np.uint16], length: int) -> NDArray[Any]:
    """Cut a stream into rows of `length` inputs with their next tokens: (row, length + 1)."""
    n_rows = (len(stream) - 1) // length
    starts = np.arange(n_rows)[:, None] * length
    rows: NDArray[Any] = stream[starts + np.arange(length + 1)[None, :]]
    return rows
