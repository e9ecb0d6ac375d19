"""Which tokens of a batch have to go through the model again under a condition.

In a causal model nothing that is done from some token on reaches the tokens before it, and nothing
behind the last token that is read reaches what is read. So a pass needs only the tokens from the
first that is changed to the last that is read; to the former the rest of their text is keys and
values of a clean pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from cortiscope.stimulation.readout import Row
from cortiscope.stimulation.where import Positions, Where
from cortiscope.subjects import Tokens


@dataclass(frozen=True, eq=False)
class Window:
    """Neighbouring tokens of every row, equally many in each.

    Parameters
    ----------
    first : Tensor of int64, (row,)
        The first of them, as an index into the padded tokens.
    n_tokens : int
        How many.
    """

    first: Tensor
    n_tokens: int

    @classmethod
    def of(cls, rows: Sequence[Row], length: int, positions: Positions) -> Window | None:
        """Find the tokens from the first that positions speak of to the end of each row.

        Rows in which they are fewer than in others get tokens before them too, and where there are
        none left, padding.

        Parameters
        ----------
        rows : sequence of Row
            The batch, as `ending_at_last_read` gives it.
        length : int
            Tokens of every padded row.
        positions : str
            As in `Where`: the earliest of all that act in the pass.

        Returns
        -------
        Window or None
            None where it would hold every token.

        Examples
        --------
        >>> tokens = Tokens((1, 5, 6, 7), ((0, 0),) * 4, (True, False, False, False))
        >>> rows = [Row("a", tokens, (3,), ()), Row("b", tokens, (2,), ())]
        >>> Window.of(rows, 4, "from_target").index.tolist()
        [[2, 3], [2, 3]]
        """
        where = Where(layers=0, positions=positions)
        n_needed = max(len(row.tokens) - where.tokens(row)[0] for row in rows)
        if n_needed == length:
            return None
        ends = torch.tensor([len(row.tokens) for row in rows])
        return cls((ends - n_needed).clamp_min(0), n_needed)

    @cached_property
    def index(self) -> Tensor:
        """The tokens as indices into the padded ones, (row, n_tokens)."""
        return self.first[:, None] + torch.arange(self.n_tokens)

    def take(self, values: Tensor) -> Tensor:
        """Take its tokens of something that is (row, token, ...)."""
        index = self.index.to(values.device)
        return values[torch.arange(len(index), device=values.device)[:, None], index]


def ending_at_last_read(rows: Sequence[Row], read_at: Sequence[Sequence[int]]) -> list[Row]:
    """Leave out of every row what is behind the last token that is read.

    The target stays, so that there is something to act on wherever it is read.

    Parameters
    ----------
    rows : sequence of Row
        The texts.
    read_at : sequence of sequence of int
        For each, the tokens at which any readout reads it.

    Returns
    -------
    list of Row
    """
    return [
        replace(row, tokens=_beginning(row.tokens, 1 + max((*at, _last_needed(row)))))
        for row, at in zip(rows, read_at, strict=True)
    ]


def _last_needed(row: Row) -> int:
    if row.target is not None:
        return row.target[-1]
    return Where(layers=0, positions="all").tokens(row)[0]


def _beginning(tokens: Tokens, n: int) -> Tokens:
    return Tokens(tokens.ids[:n], tokens.offsets[:n], tokens.special[:n])
