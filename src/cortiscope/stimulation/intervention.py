"""What is done to activations: small immutable values that change the tokens they are given.

All are computed in float32 (float64 in a model of that dtype) and rounded once to the model's
dtype. Sites with heads count as one axis of units, head after head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Row
from cortiscope.stimulation.where import Where

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cortiscope.codes import Direction

Reference = Mapping[int, "NDArray[np.float32]"]


@dataclass(frozen=True)
class Selected:
    """The tokens of a batch that an intervention changes.

    Parameters
    ----------
    rows : sequence of Row
        Of the batch.
    row, token : Tensor of int64, (n,)
        Which row, and which of its tokens, each value belongs to.
    layer : int
        At which layer.
    """

    rows: Sequence[Row]
    row: Tensor
    token: Tensor
    layer: int

    @classmethod
    def by(cls, mask: Tensor, rows: Sequence[Row], layer: int, tokens: Tensor | None) -> Selected:
        """Make it from a mask (row, column), and the token that stands in each column of a row."""
        row, column = mask.nonzero(as_tuple=True)
        return cls(rows, row, column if tokens is None else tokens[row, column], layer)


class Intervention(ABC):
    """Something that is done at a site: `Lesion`, `Inject`, `Scale` or `Patch`.

    Attributes
    ----------
    where : Where
        Where it acts.
    """

    where: Where

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of what it does, and where."""

    @abstractmethod
    def change(self, values: Tensor, selected: Selected) -> Tensor:
        """Give what takes the place of the selected activations.

        Parameters
        ----------
        values : Tensor of float32 or float64, (n, n_units)
            The activations of the selected tokens.
        selected : Selected
            Which they are.

        Returns
        -------
        Tensor
            Like `values`.
        """

    def apply(
        self,
        x: Tensor,
        mask: Tensor,
        rows: Sequence[Row],
        layer: int,
        tokens: Tensor | None = None,
    ) -> Tensor:
        """Change a batch's activations at the masked tokens; the others stay bit for bit.

        Parameters
        ----------
        x : Tensor, (row, token, ...)
            Activations at the site.
        mask : Tensor of bool, (row, token)
            Where to act: ``where.mask(rows, n_tokens)``.
        rows : sequence of Row
            What is shown.
        layer : int
            One of ``where.layers``.
        tokens : Tensor of int64, (row, token), optional
            Which token of its row each activation is of, where these are not all from the first.

        Returns
        -------
        Tensor
            A new tensor like `x`.
        """
        row, column = mask.to(x.device).nonzero(as_tuple=True)
        changed = x.clone()
        before = x[row, column].reshape(len(row), -1)
        token = column if tokens is None else tokens[row, column]
        after = self.change(before.to(working_dtype(x)), Selected(rows, row, token, layer))
        changed[row, column] = after.to(x.dtype).reshape(len(row), *x.shape[2:])
        return changed

    def __str__(self) -> str:
        """Write what it does, and where."""
        return f"{type(self).__name__} at {self.where}"


@dataclass(frozen=True, eq=False)
class Inject(Intervention):
    """Add a direction, ``dose * direction.scale`` long.

    Parameters
    ----------
    direction : Direction
        What is added.
    dose : float
        In natural lengths of the direction; negative doses take away.
    where : Where
        Where it acts; at several layers it is added at each.
    """

    direction: Direction
    dose: float
    where: Where

    def __post_init__(self) -> None:
        check_factor(self.dose, 0.0, "An injection of the dose")

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the vector that is added, and where."""
        return fingerprint({"inject": self.vector, "where": self.where})

    @property
    def vector(self) -> NDArray[np.float64]:
        """What is added, (n_units,)."""
        unit = np.asarray(self.direction.vector, dtype=np.float64)
        return unit * (self.dose * self.direction.scale)

    def change(self, values: Tensor, selected: Selected) -> Tensor:
        """Add the vector."""
        return values + tensor_like(self.vector, values, self)


@dataclass(frozen=True, eq=False)
class Scale(Intervention):
    """Multiply the activations, or only their component along a direction.

    Parameters
    ----------
    factor : float
        By which.
    along : Direction, optional
        Only the component along it; the whole tensor by default.
    where : Where
        Where it acts.
    reference : array or mapping of int to array, optional
        With `along`: activations (n_reference, n_units), by layer where there are several, around
        whose mean projection the component is scaled; around 0 by default.
    """

    factor: float
    along: Direction | None = None
    where: Where = field(kw_only=True)
    reference: Reference | ArrayLike | None = None

    def __post_init__(self) -> None:
        check_factor(self.factor, 1.0, "A scaling by the factor")
        if self.reference is not None and self.along is None:
            raise InputError(
                "A scaling of the whole tensor was given a reference, which only the component "
                "along a direction is scaled around; leave it out."
            )
        means = {
            layer: rows.mean(axis=0, dtype=np.float64, keepdims=True).astype(np.float32)
            for layer, rows in by_layer(
                self.reference, self.where, needed=False, who="A scaling"
            ).items()
        }
        object.__setattr__(self, "reference", means)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of factor, direction, reference, and where."""
        along = None if self.along is None else np.asarray(self.along.vector)
        return fingerprint(
            {
                "scale": self.factor,
                "along": along,
                "reference": self.reference,
                "where": self.where,
            }
        )

    @cached_property
    def vector(self) -> NDArray[np.float64]:
        """What it scales along, of unit length in double precision."""
        assert self.along is not None
        vector = np.asarray(self.along.vector, dtype=np.float64)
        return np.asarray(vector / np.linalg.norm(vector))

    def centre(self, like: Tensor, layer: int) -> Tensor:
        """Give what the component is scaled around, (1, n_units)."""
        assert isinstance(self.reference, Mapping)
        if not self.reference:
            return torch.zeros_like(like[:1])
        return tensor_like(self.reference[layer], like, self)

    def change(self, values: Tensor, selected: Selected) -> Tensor:
        """Multiply."""
        if self.along is None:
            return values * self.factor
        vector = tensor_like(self.vector, values, self)
        component = (values - self.centre(values, selected.layer)) @ vector
        return values + (self.factor - 1.0) * component[:, None] * vector


def working_dtype(x: Tensor) -> torch.dtype:
    """Name the dtype in which activations are changed."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def tensor_like(array: NDArray[np.floating], like: Tensor, who: Intervention) -> Tensor:
    """Give an array whose last axis is units as a tensor, after a look at its width."""
    check_width(array.shape[-1], like.shape[-1], who)
    return torch.tensor(array).to(like)


def check_width(found: int, n_units: int, who: Intervention, *, exact: bool = True) -> None:
    """Raise `InputError` unless an intervention fits the site's number of units."""
    if found == n_units or (not exact and found <= n_units):
        return
    raise InputError(
        f"{who} speaks of {found:,} units, and the site has {n_units:,}; take one made for this "
        "site of this subject."
    )


def checked_units(units: Collection[int], who: str) -> tuple[int, ...]:
    """Give indices of units, ascending and each once; raise `InputError` where there are none."""
    listed = tuple(sorted({int(unit) for unit in units}))
    if not listed or listed[0] < 0:
        raise InputError(f"{who} was given the units {listed}; name some, from 0 on.")
    return listed


def check_factor(value: float, nothing: float, what: str) -> None:
    """Raise `InputError` for a strength that changes nothing, or is no number."""
    if not np.isfinite(value) or value == nothing:
        raise InputError(
            f"{what} {value:g} changes nothing or is no number; for the clean subject give a "
            "condition without interventions."
        )


def by_layer(
    reference: Reference | ArrayLike | None, where: Where, *, needed: bool, who: str
) -> dict[int, NDArray[np.float32]]:
    """Give reference activations for every layer as (n_reference, n_units)."""
    if reference is None:
        if needed:
            raise InputError(
                f"{who} at {where} needs reference activations (n_reference, n_units) of clean "
                'training words; give them, or replace="zero".'
            )
        return {}
    if not isinstance(reference, Mapping):
        if len(where.layers) > 1:
            raise InputError(
                f"{who} at {where} was given one reference for several layers; give a mapping "
                "from each layer to its own."
            )
        reference = {where.layers[0]: np.asarray(reference)}
    missing = [layer for layer in where.layers if layer not in reference]
    if missing:
        raise InputError(f"{who} at {where} has no reference for the layers {missing}; give it.")
    found = {}
    for layer in where.layers:
        rows = np.asarray(reference[layer], dtype=np.float32)
        rows = rows.reshape(1 if rows.ndim == 1 else len(rows), -1)
        if not len(rows) or not np.isfinite(rows).all():
            raise InputError(
                f"{who} at {where} was given a reference for layer {layer} that is empty or not "
                "finite; give clean activations (n_reference, n_units)."
            )
        found[layer] = rows
    return found
