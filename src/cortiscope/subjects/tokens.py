"""Texts as tokens: ids with character offsets, the policy on special tokens, padding."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Literal

import torch

from cortiscope.errors import InputError

PaddingSide = Literal["left", "right"]


@dataclasses.dataclass(frozen=True)
class Tokens:
    """One text as the model reads it, without padding.

    Parameters
    ----------
    ids : tuple of int
        Ids in the vocabulary.
    offsets : tuple of (int, int)
        The characters that each token stands for, end exclusive; (0, 0) for a special token.
    special : tuple of bool
        True for the tokens that the tokenizer added, such as BOS.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    special: tuple[bool, ...]

    def __len__(self) -> int:
        """Count the tokens, special ones included."""
        return len(self.ids)


@dataclasses.dataclass(frozen=True)
class SpecialTokens:
    """Which special tokens texts get, as the tokenizer's own default adds them.

    Parameters
    ----------
    before, after : tuple of str
        The tokens added in front of and behind every text.
    bos_token : str or None
        The token that the tokenizer calls beginning of sequence.
    adds_bos : bool
        True when texts start with it. Some conversions of models that were trained with BOS have
        lost this setting: then this is False although `bos_token` is there.
    pad_id : int
        The id written at padded positions, which no other position attends to.
    pad_source : str
        Where `pad_id` comes from.
    chat_template : bool
        Always False: texts are shown as they are.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    bos_token: str | None
    adds_bos: bool
    pad_id: int
    pad_source: str
    chat_template: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Give the policy as JSON-able values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def of(cls, tokenizer: Any, n_vocabulary: int) -> SpecialTokens:
        """Read the policy off a tokenizer by showing it a text.

        Parameters
        ----------
        tokenizer : transformers.PreTrainedTokenizerBase
            A fast tokenizer.
        n_vocabulary : int
            Ids that the model's embedding has a row for.

        Returns
        -------
        SpecialTokens
            As the tokenizer adds them by default.
        """
        encoding = tokenizer("a", return_special_tokens_mask=True)
        ids = encoding["input_ids"]
        special = encoding["special_tokens_mask"]
        texts = [at for at, is_special in enumerate(special) if not is_special]
        first, last = (texts[0], texts[-1]) if texts else (len(ids), len(ids))
        before = tuple(tokenizer.convert_ids_to_tokens(ids[:first]))
        pad_id, pad_source = _padding(tokenizer, n_vocabulary)
        return cls(
            before=before,
            after=tuple(tokenizer.convert_ids_to_tokens(ids[last + 1 :])),
            bos_token=tokenizer.bos_token,
            adds_bos=bool(before) and before[0] == tokenizer.bos_token,
            pad_id=pad_id,
            pad_source=pad_source,
        )


def _padding(tokenizer: Any, n_vocabulary: int) -> tuple[int, str]:
    # Padded positions are masked, so any id will do; the vocabulary is never added to. Some
    # tokenizers were given a padding token for which the model has no row.
    for kind in ("pad", "eos", "bos"):
        token_id = getattr(tokenizer, f"{kind}_token_id")
        if token_id is not None and token_id < n_vocabulary:
            return int(token_id), f"{kind} token"
    return 0, "first id of the vocabulary"


def check_tokenizer(tokenizer: Any, name: str) -> None:
    """Raise `InputError` unless a tokenizer tells which characters a token stands for."""
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            f"The tokenizer of {name} is a {type(tokenizer).__name__}, which does not tell which "
            "characters a token stands for; save a fast tokenizer (tokenizer.json) beside the "
            "model."
        )


def tokenize(tokenizer: Any, texts: Sequence[str], name: str) -> list[Tokens]:
    """Turn texts into tokens, with the special tokens that the tokenizer adds by default.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        A fast tokenizer.
    texts : sequence of str
        What is shown.
    name : str
        The subject's name, for the message.

    Returns
    -------
    list of Tokens
        One a text, in the same order.

    Raises
    ------
    InputError
        When a text has no tokens of its own.
    """
    if isinstance(texts, str):
        raise InputError(
            "tokenize() was given one str, where a sequence of them was expected; "
            "put the text into a list."
        )
    if not texts:
        return []
    encoding = tokenizer(list(texts), return_offsets_mapping=True, return_special_tokens_mask=True)
    rows = zip(
        encoding["input_ids"],
        encoding["offset_mapping"],
        encoding["special_tokens_mask"],
        strict=True,
    )
    tokens = [
        Tokens(tuple(ids), tuple((a, b) for a, b in offsets), tuple(bool(s) for s in special))
        for ids, offsets, special in rows
    ]
    for text, row in zip(texts, tokens, strict=True):
        if all(row.special):
            raise InputError(
                f"The text {text!r} gives {name} no tokens of its own; every stimulus needs a "
                "text that the tokenizer knows."
            )
    return tokens


def pad(
    tokens: Sequence[Tokens],
    pad_id: int,
    *,
    length: int | None = None,
    padding_side: PaddingSide = "right",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay tokens of different length into one rectangle.

    Parameters
    ----------
    tokens : sequence of Tokens
        The rows.
    pad_id : int
        Written at padded positions.
    length : int or None
        Columns; by default those of the longest row.
    padding_side : {"right", "left"}
        Where the padding goes.

    Returns
    -------
    ids, mask : Tensor
        Both int64 (batch, token); the mask is 1 at tokens and 0 at padding.

    Raises
    ------
    InputError
        When there are no rows, a row is longer than `length`, or the side is unknown.

    Examples
    --------
    >>> rows = [Tokens((5, 6), ((0, 1), (1, 2)), (False, False)), Tokens((7,), ((0, 1),), (False,))]
    >>> pad(rows, pad_id=0, padding_side="left")
    (tensor([[5, 6],
            [0, 7]]), tensor([[1, 1],
            [0, 1]]))
    """
    if not tokens:
        raise InputError("A batch needs at least one text; none was given.")
    if padding_side not in ("left", "right"):
        raise InputError(f"padding_side is {padding_side!r}, where 'left' or 'right' was expected.")
    longest = max(len(row) for row in tokens)
    length = longest if length is None else length
    if longest > length:
        raise InputError(
            f"A text has {longest} tokens, which a batch of length {length} cannot hold; "
            f"give a length of at least {longest}."
        )
    ids = torch.full((len(tokens), length), pad_id, dtype=torch.long)
    mask = torch.zeros((len(tokens), length), dtype=torch.long)
    for row, item in enumerate(tokens):
        columns = (
            slice(0, len(item)) if padding_side == "right" else slice(length - len(item), None)
        )
        ids[row, columns] = torch.tensor(item.ids, dtype=torch.long)
        mask[row, columns] = 1
    return ids, mask


def positions(mask: torch.Tensor, first: int = 0) -> torch.Tensor:
    """Count the tokens of each row from `first` on, whichever side the padding is on.

    Examples
    --------
    >>> positions(torch.tensor([[0, 1, 1], [1, 1, 0]]))
    tensor([[0, 0, 1],
            [0, 1, 0]])
    """
    # Padding gets the first position: any valid row of the position table will do for it.
    return (mask.cumsum(dim=1) - 1) * mask + first
