"""Exact cross-validated ridge predictions as a linear map of the labels.

For fixed activations a ridge probe is linear in its targets: the prediction for held-out stimuli
is a matrix times the training labels. That matrix is computed once a fold and serves every
category and every permutation of the labels, with predictions equal to refitting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from cortiscope.errors import InputError
from cortiscope.statistics.folds import Folds


@dataclass(frozen=True, eq=False)
class FoldOperator:
    """The map from labels of words to held-out predictions of one fold.

    Attributes
    ----------
    held_out : ndarray of int, shape (n_held_out,)
        Indices of the held-out stimuli.
    matrix : ndarray of float64, shape (n_held_out, n_words)
        Predictions are ``matrix @ codes`` with one row of codes a word; the columns of words
        that are held out in this fold are zero.
    ridge_lambda : float
        The λ that was used, in squared activation units.
    """

    held_out: NDArray[np.intp]
    matrix: NDArray[np.float64]
    ridge_lambda: float


def fold_operators(
    activations: NDArray[np.floating],
    folds: Folds,
    *,
    ridge: float = 0.01,
    scale: bool = False,
) -> Iterator[FoldOperator]:
    """Factorise a layer's activations once a fold, for all labels that it may be asked about.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        One layer.
    folds : Folds
        Who is held out when; its words define the columns of the operators.
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix (of the centred
        training activations), computed on the training words of each fold.
    scale : bool
        Whether units are divided by their standard deviation over the training words of the
        fold; units that do not vary there are left at zero.

    Yields
    ------
    FoldOperator
        One a fold, in order.

    Raises
    ------
    InputError
        For activations that are not finite, are all constant, or do not match the folds, and
        for a ridge that is not positive.

    Notes
    -----
    The intercept is not penalised. With fewer units than training stimuli the normal equations
    are solved in unit space, else in the row space of the stimuli, whose Gram matrix is formed
    once for all folds unless `scale` asks for one a fold. Both solve the same problem, that of
    ``sklearn.linear_model.Ridge(alpha=ridge_lambda)``.

    References
    ----------
    Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2nd ed., sections 3.4.1
    and 18.3.5.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 8, range(16), n_folds=2)
    >>> operators = list(fold_operators(rng.normal(size=(16, 40)), folds))
    >>> [o.matrix.shape for o in operators]
    [(8, 16), (8, 16)]
    """
    x = checked_activations(activations, folds, ridge)
    in_row_space = x.shape[1] >= min(len(train) for train, _ in folds.splits())
    gram = x @ x.T if in_row_space and not scale else None
    for train, held_out in folds.splits():
        if gram is not None:
            k_train, k_cross = centred_gram(gram, train, held_out)
        else:
            x_train, x_test = centred(x, train, held_out, scale)
            if in_row_space:
                k_train, k_cross = x_train @ x_train.T, x_test @ x_train.T
        if in_row_space:
            ridge_lambda = relative_lambda(ridge, float(np.trace(k_train)), len(train))
            weights = solve_ridge(k_train, ridge_lambda, k_cross.T).T
        else:
            covariance = x_train.T @ x_train
            ridge_lambda = relative_lambda(ridge, float(np.trace(covariance)), len(train))
            weights = x_test @ solve_ridge(covariance, ridge_lambda, x_train.T)
        # Unpenalised intercept: centred labels go in, their training mean comes back.
        weights += (1.0 - weights.sum(axis=1, keepdims=True)) / len(train)
        yield FoldOperator(
            held_out=held_out,
            matrix=sum_by_word(weights, folds.word[train], folds.n_words),
            ridge_lambda=ridge_lambda,
        )


def checked_activations(
    activations: NDArray[np.floating], folds: Folds, ridge: float
) -> NDArray[np.float64]:
    """Activations in double precision, centred on all stimuli, which keeps products precise.

    Raises
    ------
    InputError
        For a shape that does not match the folds, values that are not finite, and a ridge that
        is not positive.
    """
    x = np.asarray(activations, dtype=np.float64)
    if x.ndim != 2 or len(x) != len(folds.fold):
        msg = (
            f"activations have shape {x.shape}: expected one row for each of the "
            f"{len(folds.fold)} stimuli and one column a unit."
        )
        raise InputError(msg)
    if not ridge > 0:
        msg = f"ridge is {ridge}: give a positive multiple of the mean eigenvalue."
        raise InputError(msg)
    if not np.isfinite(x).all():
        row, unit = np.argwhere(~np.isfinite(x))[0]
        msg = (
            f"stimulus {row}, unit {unit} is {x[row, unit]}: activations must be finite; record "
            "them again, or drop that stimulus."
        )
        raise InputError(msg)
    from_mean: NDArray[np.float64] = x - x.mean(axis=0)
    return from_mean


def centred_gram(
    gram: NDArray[np.float64], train: NDArray[np.intp], held_out: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inner products of training stimuli, and of held-out with training ones, about their mean."""
    k_train = gram[np.ix_(train, train)]
    k_cross = gram[np.ix_(held_out, train)]
    column = k_train.mean(axis=0)
    grand = column.mean()
    return (
        k_train - column - column[:, None] + grand,
        k_cross - column - k_cross.mean(axis=1, keepdims=True) + grand,
    )


def centred(
    x: NDArray[np.float64], train: NDArray[np.intp], held_out: NDArray[np.intp], scale: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Training and held-out stimuli less the training mean, and scaled where that is asked for."""
    mean = x[train].mean(axis=0)
    x_train, x_test = x[train] - mean, x[held_out] - mean
    if scale:
        deviation = x_train.std(axis=0)
        varies = deviation > 1e-12 * max(float(deviation.max()), 1e-300)
        factor = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)
        x_train, x_test = x_train * factor, x_test * factor
    return x_train, x_test


def relative_lambda(ridge: float, trace: float, n_train: int) -> float:
    """λ as a multiple of the mean eigenvalue of a Gram matrix of given trace.

    Raises
    ------
    InputError
        Where the trace is zero.
    """
    if trace <= 0.0:
        msg = (
            "all units are constant over the training words: there is nothing to decode; check "
            "the site and the position."
        )
        raise InputError(msg)
    return ridge * trace / n_train


def solve_ridge(
    matrix: NDArray[np.float64], ridge_lambda: float, right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve (matrix + λ times the identity) times the unknown = right, for a symmetric matrix."""
    matrix = matrix.copy()
    matrix[np.diag_indices_from(matrix)] += ridge_lambda
    factor = linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(linalg.cho_solve(factor, right, check_finite=False), dtype=np.float64)


def sum_by_word(
    weights: NDArray[np.float64], word: NDArray[np.intp], n_words: int
) -> NDArray[np.float64]:
    """Sum the columns of each word, shape (n_rows, n_words)."""
    order = np.argsort(word, kind="stable")
    present, first = np.unique(word[order], return_index=True)
    by_word = np.zeros((len(weights), n_words))
    by_word[:, present] = np.add.reduceat(weights[:, order], first, axis=1)
    return by_word
