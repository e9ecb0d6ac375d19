"""Training and held-out rows in the principal axes of the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

# Axes with less than this share of the largest variance are rounding.
_NO_VARIANCE = 1e-9


@dataclass(frozen=True, eq=False)
class PrincipalProblem:
    """A problem in the principal axes of its training rows.

    Attributes
    ----------
    train, test : ndarray of float64, shape (n_train, n_axes) and (n_test, n_axes)
        Coordinates; over training rows they have mean 0 and the variances below.
    y_train : ndarray of int, shape (n_train,)
        Classes of the training rows.
    variances : ndarray of float64, shape (n_axes,)
        Above zero, ascending.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    y_train: NDArray[np.intp]
    variances: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        x_train: NDArray[np.floating],
        y_train: NDArray[np.intp],
        x_test: NDArray[np.floating],
        *,
        standardise: bool = True,
    ) -> PrincipalProblem:
        """Find the axes.

        Parameters
        ----------
        x_train, x_test : ndarray, shape (n_train, n_units) and (n_test, n_units)
            Training and held-out rows, finite.
        y_train : ndarray of int, shape (n_train,)
            Classes of the training rows.
        standardise : bool
            Whether every unit is divided by its standard deviation over the training rows first.

        Raises
        ------
        InputError
            When all units are constant over the training rows.
        """
        train = np.asarray(x_train, dtype=np.float64)
        test = np.asarray(x_test, dtype=np.float64)
        mean = train.mean(axis=0)
        train, test = train - mean, test - mean
        if standardise:
            deviation = train.std(axis=0)
            varies = deviation > _NO_VARIANCE * max(float(deviation.max()), 1e-300)
            factor = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)
            train, test = train * factor, test * factor
        n_train, n_units = train.shape
        if not train.any():
            msg = (
                "all units are constant over the training rows: there is nothing to read; check "
                "the site and the position."
            )
            raise InputError(msg)
        if n_units < n_train:
            variances, axes = np.linalg.eigh(train.T @ train / n_train)
            kept = variances > _NO_VARIANCE * variances[-1]
            variances, axes = variances[kept], axes[:, kept]
        else:  # the axes span the training rows
            variances, rows = np.linalg.eigh(train @ train.T / n_train)
            kept = variances > _NO_VARIANCE * variances[-1]
            variances = variances[kept]
            axes = train.T @ rows[:, kept] / np.sqrt(n_train * variances)
        train, test = train @ axes, test @ axes
        # An axis has no sign of its own: it points to its longer tail.
        signs = np.where((train**3).sum(axis=0) < 0, -1.0, 1.0)
        return cls(train * signs, test * signs, np.asarray(y_train), variances)

    def scaled(self, shrinkage: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Whiten training and held-out rows, the more the smaller `shrinkage`; mean square 1."""
        scale = 1.0 / np.sqrt(self.variances + shrinkage * self.variances.mean())
        scale /= np.sqrt((scale**2 * self.variances).mean())
        return (self.train * scale).astype(np.float32), (self.test * scale).astype(np.float32)
