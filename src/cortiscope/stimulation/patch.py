"""Put in the activations of another recording."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.scanning import Recording
from cortiscope.stimulation.intervention import (
    Intervention,
    Selected,
    check_width,
    checked_units,
    tensor_like,
)
from cortiscope.stimulation.where import Where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


# Of recordings in use: patches of many conditions share what they read.
_READ: WeakKeyDictionary[Recording, dict[tuple[str, int], NDArray[np.float32]]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, eq=False)
class Patch(Intervention):
    """Replace activations by those of another recording, row by stimulus id.

    Parameters
    ----------
    source : Recording or array
        What comes in. A recording of one vector a stimulus goes to a single token
        (``positions="target_last"``, or "target" where targets have one token); one of every token
        goes to any, token by token, special ones not counted. An array is (n_stimuli, n_units),
        for one layer.
    where : Where
        Where it acts.
    stimulus_ids : sequence of str, optional
        Rows of an array; a recording knows its own.
    partners : mapping of str to str, optional
        For a shown stimulus, the source's stimulus whose activations it gets; itself by default.
    units : collection of int, optional
        Only these units are replaced; all by default.
    align : {"start", "end"}
        Whether tokens of a text and of its partner's are matched counting from the start, or from
        the end, for partners that end alike. The source then holds the shown stimuli too, and
        tokens that follow their text, such as those of an answer, keep what they have.

    Raises
    ------
    InputError
        When the source does not hold the site and layers, or more than one token is to get one
        vector; in the pass, when it has no row or token for one that is shown.

    Examples
    --------
    >>> from cortiscope.stimulation import Row
    >>> from cortiscope.subjects import Tokens
    >>> patch = Patch(np.ones((1, 3)), Where(layers=0, positions="target_last"), stimulus_ids=["a"])
    >>> row = Row("a", Tokens((5, 6), (), (False, False)), (0,), ())
    >>> patch.apply(torch.zeros(1, 2, 3), patch.where.mask([row], 2), [row], layer=0).tolist()
    [[[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]]
    """

    source: Recording | ArrayLike
    where: Where
    stimulus_ids: Sequence[str] | None = None
    partners: Mapping[str, str] | None = None
    units: Collection[int] | None = None
    align: Literal["start", "end"] = "start"

    def __post_init__(self) -> None:
        if self.align not in ("start", "end"):
            raise InputError(f"A patch cannot align by {self.align!r}; take start or end.")
        if self.units is not None:
            object.__setattr__(self, "units", checked_units(self.units, "A patch"))
        if not self._every_token and self.where.positions not in ("target_last", "target"):
            raise InputError(
                f"{self} would put one vector a stimulus into several tokens; act at "
                'positions="target_last", or give a recording of every token.'
            )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the source, which rows go where, and where."""
        source = self.source if isinstance(self.source, Recording) else np.asarray(self.source)
        return fingerprint(
            {
                "patch": source,
                "ids": self.stimulus_ids,
                "partners": self.partners,
                "where": self.where,
                "units": self.units,
                "align": self.align,
            }
        )

    @cached_property
    def _layers(self) -> dict[int, NDArray[np.float32]]:
        """The source's activations, (n_stimuli, [token,] n_units), by layer."""
        if isinstance(self.source, Recording):
            found = {at: _read(self.source, self.where.site, at) for at in self.where.layers}
            n_own = 2 if "token" in self.source[self.where.site].dims else 1
        elif len(self.where.layers) == 1:
            found, n_own = {self.where.layers[0]: np.asarray(self.source, dtype=np.float32)}, 1
        else:
            raise InputError(f"{self} was given one array for several layers; give a recording.")
        return {at: values.reshape(*values.shape[:n_own], -1) for at, values in found.items()}

    @property
    def _every_token(self) -> bool:
        return next(iter(self._layers.values())).ndim == 3

    @cached_property
    def _row_of(self) -> dict[str, int]:
        ids: Any = self.stimulus_ids
        if isinstance(self.source, Recording):
            ids = self.source.table["stimulus_id"].tolist()
        n_rows = len(next(iter(self._layers.values())))
        if ids is None or len(ids) != n_rows:
            raise InputError(
                f"{self} has {n_rows} rows and {0 if ids is None else len(ids)} stimulus_ids; give "
                "the id of every row."
            )
        return {str(stimulus_id): at for at, stimulus_id in enumerate(ids)}

    def incoming(self, like: Tensor, selected: Selected) -> Tensor:
        """Give what is put in at the selected tokens, (n, n_units)."""
        values = self._layers[selected.layer]
        source = np.array([self._source_row(row.stimulus_id) for row in selected.rows])
        at, token = selected.row.cpu().numpy(), selected.token.cpu().numpy()
        if not self._every_token:
            if len(np.unique(at)) < len(at):
                raise InputError(
                    f"{self} has one vector a stimulus, and a target has several tokens; act at "
                    'positions="target_last".'
                )
            return tensor_like(values[source[at]], like, self)
        own = [np.cumsum(~np.array(row.tokens.special, dtype=bool)) - 1 for row in selected.rows]
        nth = np.array([own[row][column] for row, column in zip(at, token, strict=True)])
        special = [selected.rows[r].tokens.special[c] for r, c in zip(at, token, strict=True)]
        follows = np.zeros(len(nth), dtype=bool)
        if self.align == "end":
            shown = np.array([self._row_named(row.stimulus_id) for row in selected.rows])
            follows = nth >= self._n_tokens[shown][at]
            nth = nth + (self._n_tokens[source] - self._n_tokens[shown])[at]
        known = (nth >= 0) & (nth < values.shape[1]) & ~np.array(special, dtype=bool)
        incoming = values[source[at], np.where(known, nth, 0)]
        if not (known | follows).all() or np.isnan(incoming[~follows]).any():
            raise InputError(
                f"{self} acts at tokens for which the source has none, such as those behind its "
                "text; act at the target, or give texts of equal length."
            )
        stays = torch.from_numpy(follows).to(like.device)
        return torch.where(stays[:, None], like, tensor_like(incoming, like, self))

    def change(self, values: Tensor, selected: Selected) -> Tensor:
        """Put the source's activations in."""
        incoming = self.incoming(values, selected).to(values.dtype)
        if self.units is None:
            return incoming
        check_width(max(self.units) + 1, values.shape[-1], self, exact=False)
        index = torch.tensor(list(self.units), device=values.device)
        changed = values.clone()
        changed[:, index] = incoming[:, index]
        return changed

    @cached_property
    def _n_tokens(self) -> NDArray[np.intp]:
        """Tokens of each stimulus of a source of every token."""
        first = next(iter(self._layers.values()))[..., 0]
        return np.asarray((~np.isnan(first)).sum(axis=1), dtype=np.intp)

    def _source_row(self, stimulus_id: str) -> int:
        partners = self.partners or {}
        return self._row_named(partners.get(stimulus_id, stimulus_id))

    def _row_named(self, name: str) -> int:
        if name not in self._row_of:
            raise InputError(
                f"{self} has no row for the stimulus {name!r}; give a source that holds it, or "
                "name its partner."
            )
        return self._row_of[name]


def _read(recording: Recording, site: str, layer: int) -> NDArray[np.float32]:
    read = _READ.setdefault(recording, {})
    if (site, layer) not in read:
        read[site, layer] = recording.layer(site, layer)
    return read[site, layer]
