"""A map of units from how they vary together, and recordings whose units are rotated at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.unit_rotations import decomposed, raised_eigenvalues


def z_scored(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give every unit mean 0 and variance 1 over words.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations; every unit varies.

    Returns
    -------
    ndarray of float64, shape (n_words, n_units)
    """
    z = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    return np.asarray(z / z.std(axis=0))


def unit_layout(z: NDArray[np.floating], n_dims: int = 2) -> NDArray[np.float64]:
    """Lay units out by how they vary together over words.

    Classical scaling of the distances between the units' responses to the words (principal
    coordinates), as a cortical gradient is made by principal components; each coordinate is
    divided by the length of the unit's response, so that it is its correlation with a principal
    component of the words, and units lie in the unit disk.

    Parameters
    ----------
    z : ndarray, shape (n_words, n_units)
        Activations; units on one scale, see `z_scored`.
    n_dims : int
        Coordinates of a unit.

    Returns
    -------
    ndarray of float64, shape (n_units, n_dims)
        Positions; the sign of each coordinate, and so which side of the map is left, is chance.

    Raises
    ------
    InputError
        For fewer words or units than it takes.

    References
    ----------
    Torgerson (1952), Multidimensional scaling: I. Theory and method. Psychometrika 17, 401-419;
    Gower (1966), Biometrika 53, 325-338; Hong et al. (2020), NeuroImage 223, 117322 (gradients
    by principal components replicate better than those by other embeddings).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> place = np.linspace(0, np.pi, 50)  # units stand in a line; words are waves along it
    >>> positions = unit_layout(np.cos(rng.uniform(0, 2 * np.pi, (40, 1)) + place))
    >>> sorted(np.linalg.norm(positions[7] - positions, axis=1).argsort()[:3].tolist())
    [6, 7, 8]
    """
    from scipy.linalg import eigh

    n_words, n_units = z.shape
    if min(n_words - 1, n_units - 1) < n_dims:
        msg = f"{n_words} words and {n_units} units cannot be laid out in {n_dims} dimensions."
        raise InputError(msg)
    centred = z - z.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    chosen = [n_words - n_dims, n_words - 1]
    components = eigh(centred @ centred.T, subset_by_index=chosen, check_finite=False)[1]
    length = np.sqrt(np.einsum("wu,wu->u", centred, centred))
    return np.asarray((components[:, ::-1].T @ centred / np.where(length > 0, length, 1.0)).T)


def linear_share(
    values: NDArray[np.floating], positions: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Share of a map's variance that a plane over the layout explains.

    Parameters
    ----------
    values : ndarray, shape (..., n_units)
        Maps.
    positions : ndarray, shape (n_units, n_dims)
        Where units lie.

    Returns
    -------
    ndarray of float64, shape (...)
        R² of the regression on the coordinates. What words have along their principal components
        they keep however units are rotated, and with it this share: it says nothing about units.
    """
    axes = np.linalg.qr(positions - positions.mean(axis=0))[0]
    centred = values - values.mean(axis=-1, keepdims=True)
    size = np.einsum("...u,...u->...", centred, centred)
    explained = ((centred @ axes) ** 2).sum(axis=-1)
    return np.asarray(np.divide(explained, size, out=np.zeros_like(size), where=size > 0))


@dataclass(frozen=True, eq=False)
class RotatedUnits:
    """Recordings with the same words, whose units are random directions among those of another.

    As `UnitRotations`, which serves correlations between units; here rows are kept as words, and
    many units are turned in no time, the same way in any layer of so many.

    Attributes
    ----------
    factor : ndarray of float64, shape (n_words, n_units)
        The activations with raised eigenvalues, as in `UnitRotations`, up to their scale.

    References
    ----------
    Choromanski, Rowland & Weller (2017), The unreasonable effectiveness of structured random
    orthogonal embeddings, NeurIPS: three times random signs and an orthogonal transform, which
    is as good as a uniformly random rotation where the order of units does not matter.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rotated = RotatedUnits.of(z_scored(rng.normal(size=(90, 40))), rng).draw(rng)
    >>> rotated.shape, bool(np.allclose(rotated.var(axis=0), 1))
    ((90, 40), True)
    """

    factor: NDArray[np.float64]

    @classmethod
    def of(cls, z: NDArray[np.float64], rng: np.random.Generator) -> RotatedUnits:
        """Find the eigenvalues to start from.

        Parameters
        ----------
        z : ndarray of float64, shape (n_words, n_units)
            Activations, `z_scored`.
        rng : Generator
            Where chance comes from.
        """
        left, size, right = decomposed(z)
        raised = raised_eigenvalues(size**2, z.shape[1], rng)
        return cls((left * np.sqrt(raised)) @ right)

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Rotate the units, shape (n_words, n_units), each with mean 0 and variance 1.

        Parameters
        ----------
        rng : Generator
            Where chance comes from; the rotation is the same for any layer of so many units.
        """
        return np.asarray(_on_one_scale(_turned(self.factor, rng)) * np.sqrt(len(self.factor)))


def _turned(rows: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Rotate vectors (row, unit) at random."""
    from scipy.fft import dct

    for signs in rng.choice([-1.0, 1.0], size=(3, rows.shape[1])):
        rows = dct(rows * signs, norm="ortho", axis=1, overwrite_x=True)
    return np.asarray(rows)


def _on_one_scale(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give every column length 1."""
    length = np.sqrt(np.einsum("wu,wu->u", units, units))
    return np.asarray(units / np.where(length > 0, length, 1.0))
