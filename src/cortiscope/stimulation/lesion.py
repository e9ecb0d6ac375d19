"""Take away units, a direction, a subspace, or what an eraser reads."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.intervention import (
    Intervention,
    Reference,
    Selected,
    by_layer,
    check_width,
    checked_units,
    tensor_like,
)
from cortiscope.stimulation.where import Where

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cortiscope.codes import Direction, Eraser

Replace = Literal["mean", "zero", "resample"]


@dataclass(frozen=True, eq=False)
class Lesion(Intervention):
    """Take away units, a direction, a subspace or what an eraser reads, for a reference's values.

    Parameters
    ----------
    units : collection of int, optional
        Indices of units.
    direction : Direction, optional
        The projection on it is taken away; what is orthogonal to it stays.
    subspace : ndarray, (k, n_units), optional
        The same for the span of orthonormal rows.
    eraser : Eraser, optional
        What it reads is taken away along what it writes. Exactly one of the four is given.
    replace : {"mean", "zero", "resample"}
        What comes in place: the mean of the reference, zero, or the values of one row of the
        reference, which is drawn for each stimulus by its id.
    where : Where
        Where it acts.
    reference : array or mapping of int to array, optional
        Clean activations of training words at that site, (n_reference, n_units); for several
        layers by layer. A mean may be given as (1, n_units); an eraser brings its own.
    seed : int
        Of the draws of "resample".

    Examples
    --------
    >>> from cortiscope.stimulation import Row
    >>> from cortiscope.subjects import Tokens
    >>> lesion = Lesion(units=(0, 2), replace="zero", where=Where(layers=1))
    >>> row = Row("a", Tokens((5, 6), (), (False, False)), (1,), ())
    >>> x = torch.ones(1, 2, 3)
    >>> lesion.apply(x, lesion.where.mask([row], 2), [row], layer=1).tolist()
    [[[1.0, 1.0, 1.0], [0.0, 1.0, 0.0]]]
    """

    units: Collection[int] | None = None
    direction: Direction | None = None
    subspace: NDArray[np.float32] | None = None
    eraser: Eraser | None = None
    replace: Replace = "mean"
    where: Where = field(kw_only=True)
    reference: Reference | ArrayLike | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        ways = (self.units, self.direction, self.subspace, self.eraser)
        n_given = sum(way is not None for way in ways)
        if n_given != 1:
            raise InputError(
                f"A lesion was given {n_given} of units, direction, subspace and eraser; give one."
            )
        if self.replace not in ("mean", "zero", "resample"):
            raise InputError(
                f"A lesion cannot replace by {self.replace!r}; take mean, zero or resample."
            )
        if self.units is not None:
            object.__setattr__(self, "units", checked_units(self.units, "A lesion"))
        if self.subspace is not None:
            object.__setattr__(self, "subspace", _check_orthonormal(self.subspace))
        given = self.reference
        if given is None and self.eraser is not None and self.replace == "mean":
            given = dict.fromkeys(self.where.layers, self.eraser.mean)
        reference = by_layer(given, self.where, needed=self.replace != "zero", who="A lesion")
        if self.replace == "mean":
            reference = {
                layer: rows.mean(axis=0, dtype=np.float64, keepdims=True).astype(np.float32)
                for layer, rows in reference.items()
            }
        object.__setattr__(self, "reference", reference)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what it takes away, what it puts in, and where."""
        return fingerprint(
            {
                "lesion": self.units if self.factors is None else self.factors,
                "replace": self.replace,
                "reference": self.reference,
                "where": self.where,
                "seed": self.seed if self.replace == "resample" else None,
            }
        )

    @cached_property
    def factors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """What it reads and writes, (k, n_units) each; None where it lesions units.

        They come in single precision, and are mended so that they make a projection in double.
        """
        if self.units is not None:
            return None
        if self.eraser is not None:
            read, write = self.eraser.read.T.astype(float), self.eraser.write.T.astype(float)
        else:
            rows = self.subspace if self.direction is None else self.direction.vector[None]
            read = write = np.asarray(rows, dtype=float)
        return np.linalg.solve(read @ write.T, read), write

    def replacement(self, like: Tensor, selected: Selected) -> Tensor:
        """Give the reference activations that come in, (n, n_units) or (1, n_units)."""
        if self.replace == "zero":
            return torch.zeros_like(like[:1])
        assert isinstance(self.reference, Mapping)
        rows = tensor_like(self.reference[selected.layer], like, self)
        if self.replace == "mean":
            return rows
        drawn = [draw(row.stimulus_id, len(rows), self.seed) for row in selected.rows]
        return rows[torch.tensor(drawn, device=like.device)[selected.row]]

    def change(self, values: Tensor, selected: Selected) -> Tensor:
        """Put the reference's units, or its part in the subspace, in place of the values'."""
        wanted = self.replacement(values, selected)
        if self.factors is None:
            assert self.units is not None
            check_width(max(self.units) + 1, values.shape[-1], self, exact=False)
            index = torch.tensor(self.units, device=values.device)
            changed = values.clone()
            changed[:, index] = wanted[:, index].expand(len(values), -1)
            return changed
        read, write = (tensor_like(factor, values, self) for factor in self.factors)
        return values + ((wanted - values) @ read.T) @ write


def units_of_head(head: int, head_width: int) -> tuple[int, ...]:
    """List the units of ``head_out`` that one attention head writes.

    Examples
    --------
    >>> units_of_head(1, 4)
    (4, 5, 6, 7)
    """
    return tuple(range(head * head_width, (head + 1) * head_width))


def draw(stimulus_id: str, n: int, seed: int) -> int:
    """Draw one of `n` for a stimulus, whatever batch it is in."""
    digest = hashlib.sha256(f"{seed}:{stimulus_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % n


def _check_orthonormal(subspace: ArrayLike) -> NDArray[np.float32]:
    rows = np.asarray(subspace, dtype=np.float32)
    if rows.ndim != 2 or np.abs(rows @ rows.T - np.eye(len(rows))).max(initial=0.0) > 1e-4:
        raise InputError(
            f"A lesion was given a subspace {rows.shape} whose rows are not orthonormal; give "
            "(k, n_units) with unit rows at right angles."
        )
    return rows
