"""Dissimilarities of patterns by matrix products: correlation, Euclidean, crossnobis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import squareform

from cortiscope.errors import InputError

Kernel = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def correlation_distances(patterns: NDArray[np.floating]) -> NDArray[np.float64]:
    """One minus the correlation over units of every two patterns.

    Parameters
    ----------
    patterns : ndarray of float, shape (n_conditions, n_units)
        A row a condition.

    Returns
    -------
    ndarray of float64, shape (n_conditions * (n_conditions - 1) / 2,)
        In the order of ``scipy.spatial.distance.squareform``; NaN for the pairs of a pattern that
        is the same in all units.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Representational similarity analysis. Frontiers in
    Systems Neuroscience 2, 4. Equal to ``rsatoolbox.rdm.calc_rdm(method="correlation")``.

    Examples
    --------
    >>> correlation_distances(np.array([[1.0, 2, 3], [2, 4, 6], [3, 2, 1]])).round(6).tolist()
    [0.0, 2.0, 2.0]
    """
    means = patterns.mean(axis=1, dtype=np.float64, keepdims=True)
    centred = patterns - means
    products = centred @ centred.T
    squares = products.diagonal()
    # What rounding leaves of a constant pattern is no direction.
    flat = squares <= 1e-24 * (squares + patterns.shape[1] * means[:, 0] ** 2)
    norms = np.where(flat, np.nan, np.sqrt(squares))
    products /= norms[:, None]
    products /= norms
    return np.asarray(np.clip(1.0 - _condensed(products), 0.0, 2.0))


def euclidean_distances(patterns: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared Euclidean distance of every two patterns, as its mean over units.

    Parameters
    ----------
    patterns : ndarray of float, shape (n_conditions, n_units)
        A row a condition.

    Returns
    -------
    ndarray of float64, shape (n_conditions * (n_conditions - 1) / 2,)
        In the order of ``scipy.spatial.distance.squareform``.

    References
    ----------
    Equal to ``rsatoolbox.rdm.calc_rdm(method="euclidean")``.

    Examples
    --------
    >>> euclidean_distances(np.array([[0.0, 0, 0, 0], [2, 0, 0, 0]])).tolist()
    [1.0]
    """
    # A common offset would cost digits in the difference below, and cancels in distances.
    centred = patterns - patterns.mean(axis=0, dtype=np.float64)
    distances = _condensed(_distances(centred @ centred.T))
    return np.asarray(np.maximum(distances, 0.0) / patterns.shape[1], dtype=np.float64)


def crossnobis_distances(
    runs: NDArray[np.floating], kernel: Kernel | None = None
) -> NDArray[np.float64]:
    """Squared distance of every two patterns, cross-validated over runs, as its mean over units.

    The difference of two conditions in one run is multiplied with the same difference in another,
    for all ordered pairs of runs. Noise of different runs is independent, so that it adds nothing
    on average: distances of equal patterns are zero on average, and may be negative.

    Parameters
    ----------
    runs : ndarray of float, shape (n_runs, n_conditions, n_units)
        Patterns of all conditions in each of two or more runs.
    kernel : callable, optional
        Inner products of rows in which noise is normalised, from `noise_kernel`; plain ones when
        left out.

    Returns
    -------
    ndarray of float64, shape (n_conditions * (n_conditions - 1) / 2,)
        In the order of ``scipy.spatial.distance.squareform``.

    Raises
    ------
    InputError
        For one run only.

    References
    ----------
    Walther et al. (2016), Reliability of dissimilarity measures for multi-voxel pattern analysis.
    NeuroImage 137, 188-200. Equal to ``rsatoolbox.rdm.calc_rdm(method="crossnobis")``.

    Examples
    --------
    >>> run = np.array([[0.0, 0, 0, 0], [2, 0, 0, 0]])
    >>> crossnobis_distances(np.stack([run, run, run])).tolist()
    [1.0]
    """
    n_runs = len(runs)
    if n_runs < 2:
        raise InputError(
            f"Crossnobis distances compare runs, and there is {n_runs}: give two or more runs "
            "(frames), or take another measure."
        )
    inner = kernel or _plain
    x = np.asarray(runs, dtype=np.float64)
    x = x - x.mean(axis=1, keepdims=True)
    total = x.sum(axis=0)
    # All ordered pairs of different runs: all pairs, less those of a run with itself.
    products = inner(total, total)
    for run in x:
        products -= inner(run, run)
    return _condensed(_distances(products / (n_runs * (n_runs - 1) * x.shape[2])))


def noise_kernel(residuals: NDArray[np.floating], n_means: int) -> Kernel:
    """Inner products under the precision of noise, its correlations shrunk.

    The precision is that of ``rsatoolbox.data.noise`` with ``method="shrinkage_diag"``. It is never
    formed: with r residuals all that is inverted is r by r, however many units there are.

    Parameters
    ----------
    residuals : ndarray of float, shape (n_residuals, n_units)
        What is left of each measurement when its condition's mean is removed.
    n_means : int
        Number of means that were removed.

    Returns
    -------
    callable
        Takes two arrays of rows, (n, n_units) and (m, n_units), and returns (n, m).

    Raises
    ------
    InputError
        When there are no more residuals than means, or a unit has none.

    References
    ----------
    Schäfer & Strimmer (2005), A shrinkage approach to large-scale covariance matrix estimation.
    Statistical Applications in Genetics and Molecular Biology 4, 32.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> inner = noise_kernel(rng.normal(size=(60, 3)) * [1, 10, 1], n_means=1)
    >>> (inner(np.eye(3), np.eye(3)).diagonal() > [0.5, 0.005, 0.5]).all()
    np.True_
    """
    x = np.asarray(residuals, dtype=np.float64)
    n, dof = len(x), len(x) - n_means
    if dof < 1:
        raise InputError(
            f"Noise cannot be estimated from {n} measurements of {n_means} conditions: give each "
            "condition two sentences or more, or leave noise as it is."
        )
    x = x - x.mean(axis=0)
    sd = np.sqrt(np.einsum("ij,ij->j", x, x) / dof)
    if not sd.all():
        raise InputError(
            f"Unit {int(np.argmin(sd))} has no noise to normalise by, being equal in all sentences "
            "of each condition: drop the unit, or leave noise as it is."
        )
    return _ShrunkPrecision.of(x / sd, sd, dof)


@dataclass(frozen=True, eq=False)
class _ShrunkPrecision:
    """Inverse of D (s I + (1 - s) Z'Z / dof) D by the matrix inversion lemma."""

    sd: NDArray[np.float64]  # (n_units,) the diagonal of D
    z: NDArray[np.float64]  # (n_residuals, n_units)
    shrinkage: float
    factor: tuple[NDArray[np.float64], bool] | None  # of the (n_residuals, n_residuals) system

    @classmethod
    def of(cls, z: NDArray[np.float64], sd: NDArray[np.float64], dof: int) -> _ShrunkPrecision:
        n = len(z)
        gram = z @ z.T
        # Sums over all entries of Z'Z squared, and of Z²'Z², less their diagonals.
        squares = z**2
        on_diagonal = squares.sum(axis=0)
        of_squares = (gram**2).sum() - (on_diagonal**2).sum()
        of_fourths = (squares.sum(axis=1) ** 2).sum() - (squares**2).sum()
        variance = n / dof**2 * (of_fourths / (n - 1) - of_squares / (n - 1) ** 2)
        correlations = of_squares / (n - 1) ** 2
        shrinkage = float(np.clip(variance / correlations, 1e-9, 1.0)) if correlations else 1.0
        if shrinkage == 1.0:
            return cls(sd, z, shrinkage, None)
        gram[np.diag_indices(n)] += shrinkage * dof / (1.0 - shrinkage)
        return cls(sd, z, shrinkage, cho_factor(gram, lower=True))

    def __call__(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b = a / self.sd, b / self.sd
        inner = a @ b.T
        if self.factor is not None:
            inner -= (a @ self.z.T) @ cho_solve(self.factor, self.z @ b.T)
        return np.asarray(inner / self.shrinkage, dtype=np.float64)


def _plain(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(a @ b.T, dtype=np.float64)


def _distances(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances from inner products."""
    lengths = products.diagonal()
    return np.asarray(lengths[:, None] + lengths - products - products.T)


def _condensed(square: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(squareform(square, checks=False), dtype=np.float64)
