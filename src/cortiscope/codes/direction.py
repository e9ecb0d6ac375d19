"""The type that holds a direction in the activations of a site, whoever found it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortiscope.codes.tensor_file import as_json_holds_it, read_tensors, write_tensors
from cortiscope.errors import InputError, MachineError
from cortiscope.ledger import fingerprint
from cortiscope.subjects import SITES

# Rounding to single precision parts a unit vector's length from 1 by less than this.
_UNIT_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction in the units of a site: what is added to activations, or taken out of them.

    Parameters
    ----------
    vector : ndarray of float32, shape (n_units,)
        Of unit length; `from_vector` takes any length. A copy is kept, and cannot be written to.
    site : str
        One of `cortiscope.subjects.SITES`; heads lie one after the other in ``head_out``.
    layer : int
        Counted from 0.
    name : str
        Such as the category that it belongs to.
    scale : float
        Its natural length, in units of the activations: a dose of 1 adds ``scale * vector``.
    method : str
        How it was found, such as ``difference_in_means``.
    origin : mapping
        What it was found in (words, fingerprints), as JSON holds it.

    Raises
    ------
    InputError
        For a vector that is not one row of finite numbers of unit length, a site that does not
        exist, a layer below 0, a scale that is not positive, and an origin that JSON cannot hold.

    Examples
    --------
    >>> direction = Direction.from_vector([3, 0, 4], site="resid_post", layer=2, name="animal")
    >>> direction
    Direction(animal: resid_post of layer 2, 3 units, natural length 5, given)
    >>> direction.vector.tolist() == np.float32([0.6, 0.0, 0.8]).tolist()
    True
    >>> (-direction).name
    '-animal'
    """

    vector: NDArray[np.float32] = field(repr=False)
    site: str
    layer: int
    name: str
    scale: float = 1.0
    method: str = "given"
    origin: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        vector = _checked_vector(self.name, self.vector)
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if abs(length - 1.0) > _UNIT_TOLERANCE:
            raise InputError(
                f"The vector of the direction {self.name!r} has the length {length:g}, and must "
                "have 1: make it with Direction.from_vector, which keeps the length as its scale."
            )
        if self.site not in SITES:
            raise InputError(
                f"The direction {self.name!r} is in {self.site!r}, which is no site: choose one "
                f"of {', '.join(SITES)}."
            )
        if int(self.layer) != self.layer or self.layer < 0:
            raise InputError(
                f"The direction {self.name!r} is at the layer {self.layer}: layers are whole "
                "numbers, counted from 0."
            )
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise InputError(
                f"The direction {self.name!r} has the scale {self.scale}: give a positive length; "
                "negative doses, or -direction, go the other way."
            )
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "layer", int(self.layer))
        object.__setattr__(self, "scale", float(self.scale))
        object.__setattr__(
            self, "origin", as_json_holds_it(f"the direction {self.name!r}", self.origin)
        )

    @classmethod
    def from_vector(
        cls,
        vector: ArrayLike,
        *,
        site: str,
        layer: int,
        name: str,
        method: str = "given",
        origin: Mapping[str, Any] | None = None,
    ) -> Direction:
        """Make a direction of a vector of any length, which becomes its scale.

        Parameters
        ----------
        vector : array-like of float, shape (n_units,)
            Finite, and not zero.
        site, layer, name, method, origin
            As in `Direction`.

        Returns
        -------
        Direction

        Raises
        ------
        InputError
            As `Direction`, and for a vector of zeros.
        """
        values = _checked_vector(name, vector, np.float64)
        length = float(np.linalg.norm(values))
        if length == 0.0:
            raise InputError(
                f"The vector of the direction {name!r} is zero, and points nowhere: give one with "
                "a length."
            )
        unit = (values / length).astype(np.float32)
        return cls(unit, site, layer, name, length, method, origin or {})

    @property
    def n_units(self) -> int:
        """Number of units of the site."""
        return len(self.vector)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what it does (vector, scale, site, layer), whatever its name and origin."""
        return fingerprint(
            {
                "vector": self.vector,
                "scale": self.scale,
                "site": self.site,
                "layer": self.layer,
            }
        )

    def cosine(self, other: Direction) -> float:
        """Give the cosine of the angle to another direction.

        Raises
        ------
        InputError
            For a direction in another number of units.
        """
        if self.n_units != other.n_units:
            raise InputError(
                f"{self.name!r} has {self.n_units} units and {other.name!r} {other.n_units}: "
                "compare directions in the same units."
            )
        return float(self.vector.astype(np.float64) @ other.vector.astype(np.float64))

    def scaled_like(self, other: Direction) -> Direction:
        """Give it another's natural length, so that equal doses of both are equally long."""
        return replace(self, scale=other.scale)

    def __neg__(self) -> Direction:
        """Turn it round: the control for what any vector of its length and axis does."""
        name = self.name.removeprefix("-") if self.name.startswith("-") else f"-{self.name}"
        return replace(self, vector=-self.vector, name=name)

    def save(self, path: str | Path) -> Path:
        """Write it as a safetensors file, which `open` reads back.

        Parameters
        ----------
        path : str or Path
            Ends with ``.safetensors``.

        Returns
        -------
        Path
            The file: one tensor, ``direction`` (n_units,), of unit length, and all else as JSON
            under ``cortiscope.direction`` in the metadata of its header.

        Raises
        ------
        InputError
            For another ending.
        """
        about = {
            "name": self.name,
            "site": self.site,
            "layer": self.layer,
            "scale": self.scale,
            "method": self.method,
            "origin": self.origin,
            "fingerprint": self.fingerprint,
        }
        return write_tensors(path, "direction", {"direction": self.vector}, about)

    @classmethod
    def open(cls, path: str | Path) -> Direction:
        """Open a direction that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        Direction
            Equal to the one that was saved, bit for bit.

        Raises
        ------
        InputError
            When there is no such file, or it holds no direction of Cortiscope.
        MachineError
            When its content is not what was saved.
        """
        tensors, about = read_tensors(path, "direction")
        stated = about.pop("fingerprint")
        direction = cls(tensors["direction"], **about)
        if direction.fingerprint != stated:
            raise MachineError(
                f"{path} is not what was saved there: its fingerprint is "
                f"{direction.fingerprint[:12]}, and was {stated[:12]}; save the direction again."
            )
        return direction

    def __repr__(self) -> str:
        return (
            f"Direction({self.name}: {self.site} of layer {self.layer}, {self.n_units:,} units, "
            f"natural length {self.scale:.4g}, {self.method})"
        )

    def _repr_html_(self) -> str:
        rows = {
            "site": f"{self.site} of layer {self.layer}",
            "units": f"{self.n_units:,}",
            "natural length": f"{self.scale:.4g}",
            "method": self.method,
            "fingerprint": self.fingerprint[:12],
        }
        cells = "".join(
            f'<tr><th style="text-align:left">{html.escape(key)}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for key, value in rows.items()
        )
        return (
            f"<div><strong>Direction</strong> {html.escape(self.name)}"
            f"<table><tbody>{cells}</tbody></table></div>"
        )


def _checked_vector(
    name: str, vector: ArrayLike, dtype: type[np.floating] = np.float32
) -> NDArray[Any]:
    """Copy a vector of finite numbers."""
    values = np.array(vector, dtype=dtype)
    if values.ndim != 1 or not values.size:
        raise InputError(
            f"The vector of the direction {name!r} has the shape {values.shape}: give one number "
            "a unit."
        )
    if not np.isfinite(values).all():
        unit = int(np.argmax(~np.isfinite(values)))
        raise InputError(
            f"The vector of the direction {name!r} is {values[unit]} at unit {unit}: give finite "
            "numbers."
        )
    return values
