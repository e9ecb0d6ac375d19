"""At which tokens of a text a readout reads, and the mean over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, get_args

from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.subjects import Tokens

Place = Literal["target_last", "target_mean", "last", "mean", "from_target"]
"""The target's last token; all its tokens; the text's last; all; from the target's last token on.

Special tokens never count. What is read at several tokens is averaged.
"""

_PLACES: tuple[Place, ...] = get_args(Place)


def reading_at(place: str) -> Callable[[Tokens, tuple[int, ...]], tuple[int, ...]]:
    """Give the function that finds the tokens of a place.

    Parameters
    ----------
    place : str
        One of `Place`.

    Returns
    -------
    callable
        Given tokens and the target's tokens, ascending indices of the tokens to read at.

    Raises
    ------
    InputError
        For a place that is not known.

    Examples
    --------
    >>> tokens = Tokens((9, 1, 2, 3), ((0, 0), (0, 1), (1, 5), (5, 6)), (True, False, False, False))
    >>> [reading_at(place)(tokens, (1, 2)) for place in ("target_last", "last", "from_target")]
    [(2,), (3,), (2, 3)]
    """
    if place not in _PLACES:
        raise InputError(f"A readout reads at {place!r}: expected one of {', '.join(_PLACES)}.")

    def find(tokens: Tokens, target: tuple[int, ...]) -> tuple[int, ...]:
        if place.startswith("target"):
            return target[-1:] if place == "target_last" else target
        own = own_tokens(tokens)
        if place == "from_target":
            return tuple(at for at in own if at >= target[-1])
        return own[-1:] if place == "last" else own

    return find


def own_tokens(tokens: Tokens) -> tuple[int, ...]:
    """List the tokens that are not special."""
    return tuple(at for at, special in enumerate(tokens.special) if not special)


def without_end(tokens: Tokens) -> Tokens:
    """Leave out the special tokens behind a text, so that it can go on.

    Examples
    --------
    >>> tokens = Tokens((9, 1, 8), ((0, 0), (0, 1), (0, 0)), (True, False, True))
    >>> without_end(tokens).ids
    (9, 1)
    """
    return take_tokens(tokens, range(own_tokens(tokens)[-1] + 1))


def take_tokens(tokens: Tokens, kept: Iterable[int]) -> Tokens:
    """Take some of the tokens of a text.

    Examples
    --------
    >>> take_tokens(Tokens((9, 1, 8), ((0, 0), (0, 1), (1, 2)), (True, False, False)), (0, 2)).ids
    (9, 8)
    """
    places = tuple(kept)
    return Tokens(
        tuple(tokens.ids[at] for at in places),
        tuple(tokens.offsets[at] for at in places),
        tuple(tokens.special[at] for at in places),
    )


def mean_over_read(values: Tensor, valid: Tensor) -> Tensor:
    """Average over the tokens that a row is read at.

    Parameters
    ----------
    values : Tensor, (row, read, ...)
        Of any dtype; what is not valid is not looked at.
    valid : Tensor of bool, (row, read)
        Which of them count.

    Returns
    -------
    Tensor of float32, (row, ...)
        The means.

    Examples
    --------
    >>> import torch
    >>> values = torch.tensor([[1.0, 3.0], [5.0, float("nan")]])
    >>> mean_over_read(values, torch.tensor([[True, True], [True, False]])).tolist()
    [2.0, 5.0]
    """
    mask = valid.to(values.device).reshape(*valid.shape, *(1,) * (values.ndim - valid.ndim))
    total = values.float().masked_fill(~mask, 0.0).sum(dim=1)
    return total / mask.sum(dim=1)
