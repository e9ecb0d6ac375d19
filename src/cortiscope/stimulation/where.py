"""Where an intervention acts: a site, layers, and tokens counted from the target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.stimulation.readout import Row
from cortiscope.subjects import SITES

Positions = Literal["from_target", "target", "target_last", "all"]

POSITIONS: tuple[Positions, ...] = get_args(Positions)

# Where positions begin in a text, the first first.
_BEGINNINGS: tuple[Positions, ...] = ("all", "target", "from_target")

# In the order in which a block computes them. Where attention and MLP read the same stream
# (GPT-NeoX), neither is upstream of the other and attention comes first.
SITE_ORDER = ("resid_pre", "head_out", "attn_out", "mlp_act", "mlp_out", "resid_post")


@dataclass(frozen=True, init=False)
class Where:
    """A site, its layers, and the tokens at which an intervention acts.

    Special tokens in front of a text (BOS, [CLS]) are never touched; those behind it count as text.

    Parameters
    ----------
    site : str
        One of `cortiscope.subjects.SITES`.
    layers : int or iterable of int
        Counted from 0; kept as an ascending tuple. At least one.
    positions : {"from_target", "target", "target_last", "all"}
        From the target's last token on to the end of the text; all tokens of the target; its last
        token; the whole text. In a text that has no target, every one means the whole text.

    Examples
    --------
    >>> Where(layers=range(2, 4))
    Where(site='resid_post', layers=(2, 3), positions='from_target')
    """

    site: str
    layers: tuple[int, ...]
    positions: Positions

    def __init__(
        self,
        site: str = "resid_post",
        layers: int | Iterable[int] = (),
        positions: Positions = "from_target",
    ) -> None:
        listed = layers if isinstance(layers, Iterable) else (layers,)
        layers = tuple(sorted({int(layer) for layer in listed}))
        object.__setattr__(self, "site", site)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "positions", positions)
        if site not in SITES:
            raise InputError(f"There is no site {site!r}; take one of {', '.join(SITES)}.")
        if not layers or layers[0] < 0:
            raise InputError(
                f"An intervention is to act at the layers {layers}; name at least one, from 0 on."
            )
        if positions not in POSITIONS:
            raise InputError(
                f"The positions {positions!r} are unknown; take one of {', '.join(POSITIONS)}."
            )

    def __str__(self) -> str:
        """Write it as "resid_post[2,3], from_target"."""
        return f"{self.site}[{','.join(map(str, self.layers))}], {self.positions}"

    def tokens(self, row: Row) -> tuple[int, ...]:
        """List the tokens of a row at which it acts.

        Examples
        --------
        >>> from cortiscope.subjects import Tokens
        >>> row = Row("a", Tokens((1, 5, 6, 7), (), (True, False, False, False)), (1, 2), ())
        >>> [Where(layers=0, positions=positions).tokens(row) for positions in POSITIONS]
        [(2, 3), (1, 2), (2,), (1, 2, 3)]
        """
        if self.positions == "target" and row.target is not None:
            return row.target
        if self.positions == "target_last" and row.target is not None:
            return row.target[-1:]
        if self.positions == "from_target" and row.target is not None:
            return tuple(range(row.target[-1], len(row.tokens)))
        return tuple(range(_first_own(row), len(row.tokens)))

    @property
    def begins(self) -> Positions:
        """The positions that begin where these do: all, target or from_target."""
        return "from_target" if self.positions == "target_last" else self.positions

    def mask(self, rows: Sequence[Row], length: int) -> Tensor:
        """Mark the tokens of a batch, padded on the right, at which it acts.

        Returns
        -------
        Tensor of bool, (row, token)
        """
        mask = torch.zeros((len(rows), length), dtype=torch.bool)
        for at, row in enumerate(rows):
            mask[at, list(self.tokens(row))] = True
        return mask


def earliest(wheres: Iterable[Where]) -> Positions:
    """Give the positions that begin first in every text; those that begin last where none is given.

    Examples
    --------
    >>> earliest([Where(layers=0), Where(layers=1, positions="target")]), earliest([])
    ('target', 'from_target')
    """
    begins = {where.begins for where in wheres}
    return next((known for known in _BEGINNINGS if known in begins), _BEGINNINGS[-1])


def _first_own(row: Row) -> int:
    return next((at for at, special in enumerate(row.tokens.special) if not special), 0)
