"""Vectors whose inner products are the correlations of units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

Method = Literal["pearson", "spearman", "partial"]

# Columns that are held in double precision at a time.
_COLUMNS = 2048

# Columns that are turned into rows at a time: they fit into a processor's cache.
_TURNED = 64

# A unit varies when its deviations are more than this share of its values: less is rounding.
_NO_VARIANCE = 1e-9

# Eigenvalues below this share of the largest are rounding.
_NO_EIGENVALUE = 1e-10

# Correlations that differ by less are equal: sums in another order differ by far less.
_DECIMALS = 12

# Rounding of inner products in single precision, in units of its epsilon times the root of the
# number of terms: a random walk of so many roundings stays within 1.
_WALKS = 2.0


@dataclass(frozen=True, eq=False)
class UnitVectors:
    """For every unit a vector; the inner products of them are correlations.

    Attributes
    ----------
    base : ndarray of float32, shape (n_terms, n_nodes)
        Before centring and scaling: activations, their ranks, or what partial correlations are
        inner products of.
    centre, scale : ndarray of float64, shape (n_nodes,)
        A vector is (base - centre) * scale; scale is 0 for a unit that does not vary.
    sign : int
        1, or -1 where a correlation is the inner product with its sign changed.
    longest : float
        Squared length of the longest vector.
    """

    base: NDArray[np.float32]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    sign: int = 1
    longest: float = 1.0

    @classmethod
    def of(cls, x: NDArray[np.floating], method: Method = "pearson") -> UnitVectors:
        """Find the vectors of units.

        Parameters
        ----------
        x : ndarray, shape (n_stimuli, n_nodes)
            Activations.
        method : {"pearson", "spearman", "partial"}
            As `correlation_graph` takes it.

        Raises
        ------
        InputError
            For another method, activations of another shape, of fewer than three stimuli or two
            units, and that are not finite.
        """
        values = np.asarray(x, dtype=np.float32)
        _check(values, method)
        if method == "spearman":
            values = _ranks(values)
        vectors = cls._standardised(values)
        return vectors._partial() if method == "partial" else vectors

    @classmethod
    def _standardised(cls, values: NDArray[np.float32]) -> UnitVectors:
        centre = np.empty(values.shape[1])
        scale = np.empty(values.shape[1])
        for columns in slices(values.shape[1], _COLUMNS):
            own = values[:, columns].astype(np.float64)
            centre[columns] = own.mean(axis=0)
            size = np.abs(own).max(axis=0) * np.sqrt(len(own))
            own -= centre[columns]
            length = np.sqrt(np.einsum("su,su->u", own, own))
            varies = length > _NO_VARIANCE * size
            scale[columns] = np.where(varies, 1.0 / np.where(varies, length, 1.0), 0.0)
        return cls(values, centre, scale)

    @property
    def n_nodes(self) -> int:
        """Number of units."""
        return len(self.scale)

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Which units have correlations at all, (n_nodes,)."""
        return self.scale > 0

    def exact(self, nodes: NDArray[np.integer] | slice) -> NDArray[np.float64]:
        """Give the vectors of some units, (n_terms, n_chosen)."""
        vectors = self.base[:, nodes].astype(np.float64)
        vectors -= self.centre[nodes]
        vectors *= self.scale[nodes]
        return np.asarray(vectors)

    def single(self, order: NDArray[np.integer]) -> NDArray[np.float32]:
        """Give all vectors in single precision and in another order, (n_nodes, n_terms)."""
        vectors = np.empty(self.base.shape[::-1], dtype=np.float32)
        place = np.argsort(order)
        for columns in slices(self.n_nodes, _TURNED):  # neighbours in memory are read together
            own = self.exact(columns).astype(np.float32)
            vectors[place[columns]] = np.ascontiguousarray(own.T)
        return vectors

    def correlations(
        self, one: NDArray[np.integer], other: NDArray[np.integer]
    ) -> NDArray[np.float64]:
        """Correlate unit by unit, in double precision, (n_pairs,)."""
        products = np.empty(len(one))
        for pairs in slices(len(one), _COLUMNS):
            products[pairs] = np.einsum(
                "tp,tp->p", self.exact(one[pairs]), self.exact(other[pairs])
            )
        return np.asarray(np.round(self.sign * products, _DECIMALS))

    def correlations_with_all(self, nodes: NDArray[np.integer]) -> NDArray[np.float64]:
        """Correlate some units with all, in double precision, (n_chosen, n_nodes)."""
        own = self.exact(nodes).T
        products = np.empty((len(own), self.n_nodes))
        for columns in slices(self.n_nodes, _COLUMNS):
            products[:, columns] = own @ self.exact(columns)
        return np.asarray(np.round(self.sign * products, _DECIMALS))

    @property
    def rounding(self) -> float:
        """How far products in single precision may be from the correlations."""
        walk = float(np.finfo(np.float32).eps * np.sqrt(len(self.base)))
        return _WALKS * walk * self.longest

    def _partial(self) -> UnitVectors:
        """Turn vectors of correlations into those of partial correlations."""
        here = np.flatnonzero(self.varies)
        if len(here) < 2:
            return self
        eigenvalues, axes = self._principal(here)
        shrinkage = self._shrinkage(here, eigenvalues)
        shrunk = (1.0 - shrinkage) * eigenvalues + shrinkage
        if len(eigenvalues) == len(here):
            # The precision itself is the inner products; partial correlations are less of it.
            vectors, sign = axes / np.sqrt(shrunk)[:, None], -1
            own, longest = np.einsum("au,au->u", vectors, vectors), 1.0
        else:
            # It is 1/shrinkage on the diagonal, less inner products (Woodbury).
            vectors, sign = axes * np.sqrt(1.0 / shrinkage - 1.0 / shrunk)[:, None], 1
            own = 1.0 / shrinkage - np.einsum("au,au->u", vectors, vectors)
            longest = float((1.0 / shrinkage / own).max()) - 1.0
        base = np.zeros((len(vectors), self.n_nodes), dtype=np.float32)
        base[:, here] = vectors
        scale = np.zeros(self.n_nodes)
        scale[here] = 1.0 / np.sqrt(own)
        return UnitVectors(base, np.zeros(self.n_nodes), scale, sign, longest)

    def _principal(self, here: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Eigenvalues above 0 of the correlation matrix, and its eigenvectors as rows."""
        n_terms = len(self.base)
        if len(here) < n_terms:
            own = self.exact(here)
            eigenvalues, vectors = np.linalg.eigh(own.T @ own)
            if eigenvalues[0] > _NO_EIGENVALUE * eigenvalues[-1]:
                return eigenvalues, vectors.T
            kept = eigenvalues > _NO_EIGENVALUE * eigenvalues[-1]
            return eigenvalues[kept], vectors.T[kept]
        gram = np.zeros((n_terms, n_terms))
        for columns in slices(len(here), _COLUMNS):
            own = self.exact(here[columns])
            gram += own @ own.T
        eigenvalues, vectors = np.linalg.eigh(gram)
        kept = eigenvalues > _NO_EIGENVALUE * eigenvalues[-1]
        eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
        axes = np.empty((len(eigenvalues), len(here)))
        for columns in slices(len(here), _COLUMNS):
            axes[:, columns] = vectors.T @ self.exact(here[columns])
        axes /= np.sqrt(eigenvalues)[:, None]
        return eigenvalues, axes

    def _shrinkage(self, here: NDArray[np.intp], eigenvalues: NDArray[np.float64]) -> float:
        """Ledoit and Wolf's shrinkage of the correlation matrix to the identity."""
        n_stimuli, n_units = len(self.base), len(here)
        squares = np.zeros(n_stimuli)
        for columns in slices(n_units, _COLUMNS):
            squares += (self.exact(here[columns]) ** 2).sum(axis=1)
        of_covariance = float((eigenvalues**2).sum())
        distance = of_covariance - n_units
        # The vectors have unit length: times the root of n_stimuli they have unit variance.
        error = float((squares**2).sum()) - of_covariance / n_stimuli
        return min(error, distance) / distance if distance > 0 and error > 0 else 1.0


def slices(n: int, size: int, start: int = 0) -> Iterator[slice]:
    """Cut what lies between `start` and `n` into slices of a size."""
    for first in range(start, n, size):
        yield slice(first, min(first + size, n))


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    from scipy.stats import rankdata

    ranks = np.empty_like(values)
    for columns in slices(values.shape[1], _COLUMNS):
        ranks[:, columns] = rankdata(values[:, columns], axis=0)
    return ranks


def _check(values: NDArray[np.float32], method: str) -> None:
    if method not in ("pearson", "spearman", "partial"):
        raise InputError(
            f"there is no correlation {method!r}: choose pearson, spearman or partial."
        )
    if values.ndim != 2 or len(values) < 3 or values.shape[1] < 2:
        raise InputError(
            f"activations have the shape {values.shape}: to correlate units takes three stimuli "
            "(rows) and two units (columns) or more."
        )
    for columns in slices(values.shape[1], _COLUMNS):
        if not np.isfinite(values[:, columns]).all():
            row, unit = np.argwhere(~np.isfinite(values[:, columns]))[0]
            raise InputError(
                f"stimulus {row}, unit {unit + columns.start} is "
                f"{values[row, unit + columns.start]}: activations must be finite; record them "
                "again, or leave that stimulus out."
            )
