"""Random rotations of units: the geometry of the stimuli kept, what belongs to units destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

# Eigenvalues below this share of the largest are rounding.
_ROUNDING = 1e-9

# How eigenvalues are matched: rounds, and rotations that a round averages over, of which
# many units need fewer.
_ROUNDS = 6
_UNITS_OF_A_ROUND = 512


def random_frame(n_dimensions: int, n_units: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw orthonormal directions, uniformly: some rows of a random rotation.

    Parameters
    ----------
    n_dimensions : int
        How many, at most as many as there are units.
    n_units : int
        Length of each.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    ndarray of float64, shape (n_dimensions, n_units)

    References
    ----------
    Mezzadri (2007), How to generate random matrices from the classical compact groups. Notices of
    the American Mathematical Society 54, 592-604.

    Examples
    --------
    >>> frame = random_frame(3, 5, np.random.default_rng(0))
    >>> bool(np.allclose(frame @ frame.T, np.eye(3)))
    True
    """
    q, r = np.linalg.qr(rng.standard_normal((n_units, n_dimensions)))
    # QR alone prefers some rotations to others: its signs are not free.
    return np.asarray((q * np.sign(np.diag(r))).T)


@dataclass(frozen=True, eq=False)
class UnitRotations:
    """Activations whose units are exchanged for random directions in the space of the units.

    Correlations do not see the scale of a unit, but a rotation does: a few units of massive
    activation, rotated as they are, would be all that any direction holds. Units are therefore
    standardised first. Directions are not all as long as each other, however, and correlations
    standardise them again, which takes something from the largest eigenvalues; they are raised
    before, so that rotated units have, on average, just the eigenvalues that the correlations of
    the units have. Without, a rotated Gaussian would seem to have modules more often than chance.

    Attributes
    ----------
    factors : tuple of ndarray of float64
        Each layer's activations, standardised and with raised eigenvalues: (n_rows, n_units), or
        in the coordinates of its own directions, (n_rows, n_dimensions), where it is one layer.
    n_units : int
        Units of each layer.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 10)) * np.arange(1, 11)
    >>> rotated = UnitRotations.of([x], rng).draw(rng)
    >>> rotated.shape
    (11, 10)
    """

    factors: tuple[NDArray[np.float64], ...]
    n_units: int

    @classmethod
    def of(cls, layers: Sequence[NDArray[np.floating]], rng: np.random.Generator) -> UnitRotations:
        """Prepare one layer, or several that are rotated alike.

        Parameters
        ----------
        layers : sequence of ndarray, shape (n_stimuli, n_units)
            Activations, whose columns have a mean of 0; units that are constant are left as they
            are.
        rng : Generator
            Where chance comes from, in matching the eigenvalues.

        Returns
        -------
        UnitRotations

        Raises
        ------
        InputError
            For layers of different width, or that are constant.
        """
        widths = {x.shape[1] for x in layers}
        if len(widths) != 1:
            msg = (
                "layers that are rotated together differ in their number of units "
                f"({', '.join(map(str, sorted(widths)))}): rotate each by itself."
            )
            raise InputError(msg)
        found = [decomposed(x) for x in layers]
        (n_units,) = widths
        raised = [raised_eigenvalues(size**2, n_units, rng) for _, size, _ in found]
        if len(layers) == 1:
            return cls((_centred_rows(np.sqrt(raised[0])),), n_units)
        return cls(
            tuple(
                (left * np.sqrt(eigenvalues)) @ right
                for (left, _, right), eigenvalues in zip(found, raised, strict=True)
            ),
            n_units,
        )

    def draw(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw a rotation, and give the rotated units.

        Parameters
        ----------
        rng : Generator
            Where chance comes from.

        Returns
        -------
        ndarray of float32, shape (n_rows, n_layers * n_units)
            Whose columns have a mean of 0 and the inner products of rotated activations. Rows are
            stimuli for several layers; of one there are only as many as the inner products need.
        """
        frame = random_frame(self.factors[0].shape[1], self.n_units, rng)
        return np.hstack([factor @ frame for factor in self.factors]).astype(np.float32)


def decomposed(
    x: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Decompose activations, columns of mean 0, into singular values and vectors.

    Parameters
    ----------
    x : ndarray, shape (n_rows, n_units)
        Units are brought to length 1 first; constant ones are left as they are.

    Returns
    -------
    left : ndarray of float64, shape (n_rows, rank)
    size : ndarray of float64, shape (rank,)
        Above 0.
    right : ndarray of float64, shape (rank, n_units)

    Raises
    ------
    InputError
        When no unit varies.
    """
    length = np.sqrt(np.einsum("ij,ij->j", x, x, dtype=np.float64))
    z = x / np.where(length > 0, length, 1.0)
    if not length.any():
        raise InputError("no unit varies, and nothing can be rotated: leave that layer out.")
    left, size, right = np.linalg.svd(z, full_matrices=False)
    kept = size**2 > _ROUNDING * size[0] ** 2
    return left[:, kept], size[kept], right[kept]


def raised_eigenvalues(
    eigenvalues: NDArray[np.float64], n_units: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Find eigenvalues that, rotated and standardised, are those given, on average.

    Parameters
    ----------
    eigenvalues : ndarray of float64, shape (rank,)
        Of standardised units, descending.
    n_units : int
        Units.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    ndarray of float64, shape (rank,)
        Descending, of the same sum.
    """
    raised = eigenvalues.copy()
    n_rotations = max(1, round(_UNITS_OF_A_ROUND / n_units))
    for _ in range(_ROUNDS):
        seen = np.zeros_like(raised)
        for _ in range(n_rotations):
            rotated = np.sqrt(raised)[:, None] * random_frame(len(raised), n_units, rng)
            rotated /= np.linalg.norm(rotated, axis=0)
            seen += np.linalg.eigvalsh(rotated @ rotated.T)[::-1] / n_rotations
        seen *= eigenvalues.sum() / seen.sum()
        raised *= eigenvalues / np.maximum(seen, _ROUNDING * seen[0])
        raised = np.sort(raised)[::-1] * (eigenvalues.sum() / raised.sum())
    return raised


def _centred_rows(size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a matrix of these singular values, as few rows as it takes, columns of mean 0."""
    from scipy.linalg import helmert

    return np.asarray(helmert(len(size) + 1).T * size)
