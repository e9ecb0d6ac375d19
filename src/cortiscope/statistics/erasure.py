"""Taking a concept out of activations in one step, fold by fold.

All of it works in an orthonormal basis of what the training stimuli span: their principal axes,
of which there are no more than stimuli or units. Ridge weights, means and covariances of the
training stimuli lie in that span, so nothing is lost, and every step costs as many operations as
there are axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from cortiscope.errors import InputError
from cortiscope.statistics.folds import Folds

# What is left of a vector, relative to before, when only rounding is left.
_ROUNDING = 1e-10


@dataclass(frozen=True, eq=False)
class FoldSpace:
    """One fold's stimuli along the principal axes of its training stimuli.

    Attributes
    ----------
    train, held_out : ndarray of int, shape (n_train,), (n_held_out,)
        Indices of the stimuli.
    train_coordinates : ndarray of float64, shape (n_train, n_axes)
        Centred; columns are orthogonal.
    row_coordinates : ndarray of float64, shape (n_rows, n_axes)
        Held-out stimuli, centred on the training mean; each distinct row of activations once,
        so that equal activations have exactly equal scores.
    same_row : ndarray of int, shape (n_held_out,)
        Which of those rows each held-out stimulus is.
    eigenvalues : ndarray of float64, shape (n_axes,)
        Sums of squares of the columns of `train_coordinates`; all positive.
    ridge_lambda : float
        Penalty, in squared activation units.
    n_units : int
        Units that the activations had.
    """

    train: NDArray[np.intp]
    held_out: NDArray[np.intp]
    train_coordinates: NDArray[np.float64]
    row_coordinates: NDArray[np.float64]
    same_row: NDArray[np.intp]
    eigenvalues: NDArray[np.float64]
    ridge_lambda: float
    n_units: int


def fold_spaces(
    activations: NDArray[np.floating], folds: Folds, *, ridge: float = 0.01
) -> Iterator[FoldSpace]:
    """Find the principal axes of the training stimuli of every fold.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        One layer; finite.
    folds : Folds
        Who is held out when.
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix, as in
        `fold_operators`.

    Yields
    ------
    FoldSpace
        One a fold, in order.

    Raises
    ------
    InputError
        When all units are constant over the training words of a fold.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 8, range(16), n_folds=2)
    >>> [s.train_coordinates.shape for s in fold_spaces(rng.normal(size=(16, 40)), folds)]
    [(8, 7), (8, 7)]
    """
    x = np.asarray(activations, dtype=np.float64)
    x = x - x.mean(axis=0)
    in_row_space = x.shape[1] >= min(len(train) for train, _ in folds.splits())
    gram = x @ x.T if in_row_space else None
    for train, held_out in folds.splits():
        same = [activations[i].tobytes() for i in held_out]
        _, first, same_row = np.unique(same, return_index=True, return_inverse=True)
        rows = held_out[first]
        if gram is None:
            mean = x[train].mean(axis=0)
            own, others = x[train] - mean, x[rows] - mean
            eigenvalues, axes = _positive(own.T @ own, len(train), x.shape[1])
            train_coordinates, row_coordinates = own @ axes, others @ axes
        else:
            column = gram[np.ix_(train, train)].mean(axis=0)
            centred = gram[np.ix_(train, train)] - column - column[:, None] + column.mean()
            cross = gram[np.ix_(rows, train)]
            cross = cross - column - cross.mean(axis=1, keepdims=True) + column.mean()
            eigenvalues, left = _positive(centred, len(train), x.shape[1])
            train_coordinates = left * np.sqrt(eigenvalues)
            row_coordinates = (cross @ left) / np.sqrt(eigenvalues)
        yield FoldSpace(
            train=train,
            held_out=held_out,
            train_coordinates=train_coordinates,
            row_coordinates=row_coordinates,
            same_row=same_row.astype(np.intp),
            eigenvalues=eigenvalues,
            ridge_lambda=ridge * float(eigenvalues.sum()) / len(train),
            n_units=x.shape[1],
        )


def _positive(
    matrix: NDArray[np.float64], n_train: int, n_units: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues above rounding, and their eigenvectors in columns."""
    eigenvalues, vectors = linalg.eigh(matrix, overwrite_a=True, check_finite=False)
    floor = max(n_train, n_units) * np.finfo(np.float64).eps * max(float(eigenvalues[-1]), 0.0)
    kept = eigenvalues > floor
    if not kept.any():
        msg = (
            "all units are constant over the training words: there is nothing to take out; check "
            "the site and the position."
        )
        raise InputError(msg)
    return eigenvalues[kept], vectors[:, kept]


@dataclass(frozen=True, eq=False)
class LinearEraser:
    """A projection that takes a few directions out of centred activations.

    Attributes
    ----------
    left, right : ndarray of float64, shape (n_axes, n_directions)
        ``x - x @ right @ left.T`` is what is left of x.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]

    def __call__(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Erase from coordinates, shape (n, n_axes)."""
        return np.asarray(coordinates - (coordinates @ self.right) @ self.left.T)


def mean_difference_eraser(space: FoldSpace, codes: NDArray[np.generic]) -> LinearEraser:
    """Project orthogonally to the differences between a concept's means.

    Parameters
    ----------
    space : FoldSpace
        The fold; its training stimuli are fitted.
    codes : ndarray, shape (n_train, n_codes)
        One-hot codes of categories, or one column for a category against the rest.

    Returns
    -------
    LinearEraser
        After it, the training means of all values are equal.

    References
    ----------
    Belrose et al. (2023), LEACE, section 3; the method ``orth`` of the concept-erasure library.

    Examples
    --------
    >>> folds = Folds.grouped(["a", "b"] * 20, range(40), n_folds=2)
    >>> x = np.random.default_rng(0).normal(size=(40, 6)) + 5.0 * folds.label[:, None]
    >>> space = next(fold_spaces(x, folds))
    >>> y = folds.label[space.train]
    >>> left = mean_difference_eraser(space, y[:, None])(space.train_coordinates)
    >>> bool(np.allclose(left[y == 0].mean(axis=0), left[y == 1].mean(axis=0)))
    True
    """
    return _eraser(space, codes, np.ones_like(space.eigenvalues))


def leace_eraser(
    space: FoldSpace, codes: NDArray[np.generic], *, shrinkage: bool = True
) -> LinearEraser:
    """Make a concept linearly unreadable at the least change of the activations.

    Parameters
    ----------
    space : FoldSpace
        The fold; its training stimuli are fitted.
    codes : ndarray, shape (n_train, n_codes)
        As in `mean_difference_eraser`.
    shrinkage : bool
        Whether the covariance of the units is shrunk towards a multiple of the identity. Without
        it, and with more units than stimuli, the eraser knows the training stimuli by heart and
        erases little of others.

    Returns
    -------
    LinearEraser
        After it, no linear probe beats a constant on the training stimuli.

    References
    ----------
    Belrose et al. (2023), LEACE: Perfect linear concept erasure in closed form, NeurIPS,
    theorem 4.3; shrinkage of Bodnar, Gupta & Parolya (2014), Journal of Multivariate Analysis
    132, 215-228. Equal to the concept-erasure library's ``LeaceFitter`` with
    ``constrain_cov_trace=False``.

    Examples
    --------
    >>> folds = Folds.grouped(["a", "b"] * 20, range(40), n_folds=2)
    >>> x = np.random.default_rng(0).normal(size=(40, 6)) + 5.0 * folds.label[:, None]
    >>> space = next(fold_spaces(x, folds))
    >>> y = folds.label[space.train]
    >>> left = leace_eraser(space, y[:, None])(space.train_coordinates)
    >>> bool(np.allclose(left.T @ (y - y.mean()), 0.0))
    True
    """
    n_train = len(space.train)
    variances = space.eigenvalues / n_train
    if shrinkage:
        trace = variances.sum()
        spread = (variances**2).sum() - trace**2 / space.n_units
        weight = np.clip(trace**2 / n_train / spread, 0.0, 1.0) if spread > 0 else 1.0
        variances = (1.0 - weight) * variances + weight * trace / space.n_units
    return _eraser(space, codes, np.sqrt(variances))


def _eraser(
    space: FoldSpace, codes: NDArray[np.generic], deviations: NDArray[np.float64]
) -> LinearEraser:
    """Whiten by given deviations of the axes, project out the cross-covariance, unwhiten."""
    whitened = (space.train_coordinates.T @ _centred(codes)) / deviations[:, None]
    directions, sizes, _ = np.linalg.svd(whitened, full_matrices=False)
    directions = directions[:, sizes > _ROUNDING * max(float(sizes[0]), 1e-300)]
    return LinearEraser(directions * deviations[:, None], directions / deviations[:, None])


def _centred(codes: NDArray[np.generic]) -> NDArray[np.float64]:
    centred = codes.astype(np.float64)
    centred -= centred.mean(axis=0)
    return centred
