"""Erasers: the least change of activations after which no linear probe reads a category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from cortiscope.codes.tensor_file import as_json_holds_it
from cortiscope.codes.training_rows import TrainingRows
from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.statistics import FoldSpace, leace_eraser
from cortiscope.subjects import SITES

# Rounding to single precision parts readᵀ write from the identity by less than this.
_IDEMPOTENCE_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Eraser:
    """An oblique projection: it reads along some directions, and takes out along others.

    What is left of x is ``x - (x - mean) @ read @ write.T``. Lesioning a `Direction` about its
    mean is the case where both are the same; LEACE is the one that moves activations least.

    Parameters
    ----------
    read, write : ndarray of float32, shape (n_units, n_directions)
        With ``read.T @ write`` the identity, so that erasing twice is erasing once. Copies are
        kept, and cannot be written to.
    mean : ndarray of float32, shape (n_units,)
        Activations that stay as they are.
    site : str
        One of `cortiscope.subjects.SITES`.
    layer : int
        Counted from 0.
    name : str
        Such as the category that it erases.
    origin : mapping
        What it was fitted on, as JSON holds it.

    Raises
    ------
    InputError
        For shapes that do not fit, values that are not finite, and factors that do not make a
        projection.

    Examples
    --------
    >>> eraser = Eraser([[1.0], [1.0]], [[1.0], [0.0]], [0.0, 5.0], "resid_post", 3, "animal")
    >>> eraser([2.0, 6.0]).tolist()
    [-1.0, 6.0]
    >>> eraser(eraser([2.0, 6.0])).tolist()
    [-1.0, 6.0]
    """

    read: NDArray[np.float32] = field(repr=False)
    write: NDArray[np.float32] = field(repr=False)
    mean: NDArray[np.float32] = field(repr=False)
    site: str
    layer: int
    name: str
    origin: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        read, write, mean = (
            np.array(values, dtype=np.float32) for values in (self.read, self.write, self.mean)
        )
        if read.ndim != 2 or read.shape != write.shape or mean.shape != read.shape[:1]:
            raise InputError(
                f"The eraser {self.name!r} reads {read.shape}, writes {write.shape} and has a mean "
                f"of {mean.shape}: give (n_units, n_directions) twice, and (n_units,)."
            )
        product = read.astype(np.float64).T @ write
        # Written so that what is not a number fails too.
        if not np.abs(product - np.eye(len(product))).max(initial=0.0) < _IDEMPOTENCE_TOLERANCE:
            raise InputError(
                f"The eraser {self.name!r} is no projection: give factors of which read.T @ write "
                "is the identity."
            )
        if not np.isfinite(mean).all():
            raise InputError(f"The eraser {self.name!r} has a mean that is not finite: mend it.")
        if self.site not in SITES or self.layer < 0:
            raise InputError(
                f"The eraser {self.name!r} is in {self.site!r} at the layer {self.layer}: choose "
                f"one of {', '.join(SITES)}, and count layers from 0."
            )
        for name, values in (("read", read), ("write", write), ("mean", mean)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        object.__setattr__(
            self, "origin", as_json_holds_it(f"the eraser {self.name!r}", self.origin)
        )

    @property
    def n_units(self) -> int:
        """Number of units of the site."""
        return len(self.mean)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what it does (factors, mean, site, layer), whatever its name and origin."""
        return fingerprint(
            {
                "read": self.read,
                "write": self.write,
                "mean": self.mean,
                "site": self.site,
                "layer": self.layer,
            }
        )

    def __call__(self, x: ArrayLike) -> NDArray[np.float32]:
        """Erase from activations, shape (..., n_units)."""
        values = np.asarray(x, dtype=np.float32)
        return np.asarray(values - ((values - self.mean) @ self.read) @ self.write.T)

    def __repr__(self) -> str:
        return (
            f"Eraser({self.name}: {self.site} of layer {self.layer}, {self.n_units:,} units, "
            f"rank {self.read.shape[1]})"
        )


def fit_erasers(
    x: ArrayLike,
    label: Sequence[str],
    categories: Sequence[str] | None = None,
    *,
    site: str,
    layer: int,
    words: Sequence[str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> dict[str, Eraser]:
    """Fit LEACE for each category against all others.

    Parameters
    ----------
    x : array-like of float, shape (n_rows, n_units)
        Activations: training words only, which is the caller's duty.
    label : sequence of str, length n_rows
        Category of each row.
    categories : sequence of str, optional
        Those that are erased, each by an eraser of its own; all by default.
    site : str
        Where the activations are from.
    layer : int
        Which layer.
    words : sequence of str, length n_rows, optional
        Word of each row, for the origin.
    origin : mapping, optional
        What else is known of the rows, as JSON holds it.

    Returns
    -------
    dict of str to Eraser
        Each of rank one: it writes along the difference in means, of unit length, and reads along
        the inverse of the shrunk covariance times it.

    Raises
    ------
    InputError
        As `cortiscope.codes.fit_probe`, and for a category whose mean is that of the others.

    References
    ----------
    Belrose et al. (2023), LEACE: Perfect linear concept erasure in closed form, NeurIPS, theorem
    4.3; for the shrinkage see `cortiscope.statistics.leace_eraser`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> label = np.array(["animal", "tool"] * 20)
    >>> x = rng.normal(size=(40, 6)) + 3.0 * (label == "animal")[:, None]
    >>> left = fit_erasers(x, label, site="resid_post", layer=3)["animal"](x)
    >>> means = left[label == "animal"].mean(axis=0), left[label == "tool"].mean(axis=0)
    >>> bool(np.allclose(*means, atol=1e-5))
    True
    """
    rows = TrainingRows.of(x, label, categories, words=words, origin=origin)
    return erasers_of_rows(rows, site, layer)


def erasers_of_rows(rows: TrainingRows, site: str, layer: int) -> dict[str, Eraser]:
    """Fit LEACE on rows that have been checked."""
    rows.differences_in_means()  # which refuses categories that have none to erase
    space, axes = _space_of(rows.centred())
    codes, mean = rows.codes, rows.mean()
    erasers = {}
    for column, category in enumerate(rows.categories):
        eraser = leace_eraser(space, codes[:, [column]])
        write, read = axes @ eraser.left, axes @ eraser.right
        length = np.linalg.norm(write)
        erasers[category] = Eraser(
            (read * length).astype(np.float32),
            (write / length).astype(np.float32),
            mean.astype(np.float32),
            site,
            layer,
            category,
            rows.origin,
        )
    return erasers


def _space_of(x: NDArray[np.float64]) -> tuple[FoldSpace, NDArray[np.float64]]:
    """Write centred rows in their principal axes, which are the columns of the second value."""
    in_row_space = x.shape[1] >= len(x)
    gram = x @ x.T if in_row_space else x.T @ x
    eigenvalues, vectors = linalg.eigh(gram, overwrite_a=True, check_finite=False)
    kept = eigenvalues > max(x.shape) * np.finfo(np.float64).eps * eigenvalues[-1]
    eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
    if in_row_space:
        coordinates = vectors * np.sqrt(eigenvalues)
        axes = (x.T @ vectors) / np.sqrt(eigenvalues)
    else:
        coordinates, axes = x @ vectors, vectors
    space = FoldSpace(
        train=np.arange(len(x)),
        held_out=np.zeros(0, dtype=np.intp),
        train_coordinates=coordinates,
        row_coordinates=coordinates[:0],
        same_row=np.zeros(0, dtype=np.intp),
        eigenvalues=eigenvalues,
        ridge_lambda=0.0,  # of nullspace projection, which LEACE does without
        n_units=x.shape[1],
    )
    return space, axes
