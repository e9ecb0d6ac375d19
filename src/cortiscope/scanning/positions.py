"""Which tokens of a stimulus are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from cortiscope.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.subjects import Tokens

Position = Literal["target_last", "target_mean", "last", "mean", "every"]

POSITIONS: tuple[Position, ...] = get_args(Position)


def check_position(position: str) -> Position:
    """Return the position when there is one of that name, and raise `InputError` otherwise."""
    for known in POSITIONS:
        if position == known:
            return known
    raise InputError(f"The position {position!r} is unknown: expected one of {POSITIONS}.")


def recorded_tokens(
    tokens: Tokens, position: Position, target: tuple[int, int], stimulus_id: str
) -> tuple[int, ...]:
    """Find the tokens of a stimulus that a position speaks of.

    Special tokens never count. A token belongs to the target when it stands for at least one of
    its characters.

    Parameters
    ----------
    tokens : Tokens
        The stimulus as the subject reads it.
    position : str
        ``target_last``, ``target_mean``, ``last``, ``mean`` or ``every``.
    target : (int, int)
        Characters of the target, end exclusive.
    stimulus_id : str
        For the message.

    Returns
    -------
    tuple of int
        Ascending indices into the unpadded tokens: one for ``target_last`` and ``last``, else
        all that are averaged or kept.

    Raises
    ------
    InputError
        When no token is left.

    Examples
    --------
    >>> from cortiscope.subjects import Tokens
    >>> tokens = Tokens((9, 1, 2, 3), ((0, 0), (0, 1), (1, 5), (5, 6)), (True, False, False, False))
    >>> recorded_tokens(tokens, "target_last", (2, 5), "s1")
    (2,)
    >>> recorded_tokens(tokens, "every", (2, 5), "s1")
    (1, 2, 3)
    """
    own = [at for at, special in enumerate(tokens.special) if not special]
    if position.startswith("target"):
        start, end = target
        spans = tokens.offsets
        own = [at for at in own if max(spans[at][0], start) < min(spans[at][1], end)]
    if not own:
        what = "its target" if position.startswith("target") else "its text"
        raise InputError(
            f"Stimulus {stimulus_id!r}: no token of the subject stands for {what}; take the "
            "stimulus out, or mend its text."
        )
    return tuple(own[-1:] if position in ("target_last", "last") else own)


def gather_index(
    recorded: Sequence[Sequence[int]],
    lengths: Sequence[int],
    padded_length: int,
    padding_side: str,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Lay the recorded tokens of a batch into one rectangle of indices into its padded tokens.

    Parameters
    ----------
    recorded : sequence of sequence of int
        For every row, indices into its unpadded tokens.
    lengths : sequence of int
        For every row, its number of tokens.
    padded_length : int
        Tokens of every padded row.
    padding_side : {"left", "right"}
        Where the padding is.

    Returns
    -------
    index : ndarray of int64, (batch, kept)
        Tokens to take; 0 where a row has fewer than the most.
    valid : ndarray of bool, (batch, kept)
        False at those.

    Examples
    --------
    >>> index, valid = gather_index([(1,), (0, 1)], [2, 2], padded_length=3, padding_side="left")
    >>> index.tolist(), valid.tolist()
    ([[2, 0], [1, 2]], [[True, False], [True, True]])
    """
    index = np.zeros((len(recorded), max(map(len, recorded))), dtype=np.int64)
    valid = np.zeros(index.shape, dtype=bool)
    for row, (kept, length) in enumerate(zip(recorded, lengths, strict=True)):
        shift = padded_length - length if padding_side == "left" else 0
        index[row, : len(kept)] = np.asarray(kept) + shift
        valid[row, : len(kept)] = True
    return index, valid
