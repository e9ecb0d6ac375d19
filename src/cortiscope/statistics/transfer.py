"""Probes of one layer, read at another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.folds import Folds
from cortiscope.statistics.ridge import (
    centred,
    checked_activations,
    relative_lambda,
    solve_ridge,
    sum_by_word,
)


@dataclass(frozen=True, eq=False)
class _Weights:
    """The probe of one fold."""

    train: NDArray[np.intp]
    held_out: NDArray[np.intp]
    mean: NDArray[np.float64]  # (n_units,) of the training stimuli
    by_word: NDArray[np.float64]  # (n_units, n_words): times codes of words, the weights
    mean_code: NDArray[np.float64]  # (n_words,)


class TransferReader:
    """Ridge probes of one layer, of every fold, that read other layers of the same units.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        The layer that they are trained at; nothing of its size is kept.
    folds : Folds
        Who is held out when.
    ridge : float
        As in `fold_operators`.

    Raises
    ------
    InputError
        As `fold_operators`.

    References
    ----------
    King & Dehaene (2014), Characterizing the dynamics of mental representations: the temporal
    generalization method. Trends in Cognitive Sciences 18, 203-210.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 8, range(16), n_folds=2)
    >>> x = rng.normal(size=(16, 40))
    >>> [o.shape for o in TransferReader(x, folds).operators(x + 1.0)]
    [(8, 16), (8, 16)]
    """

    def __init__(
        self, activations: NDArray[np.floating], folds: Folds, *, ridge: float = 0.01
    ) -> None:
        x = checked_activations(activations, folds, ridge)
        self._from = np.asarray(activations, dtype=np.float64).mean(axis=0)
        self._weights = []
        for train, held_out in folds.splits():
            x_train, _ = centred(x, train, train, False)
            codes = (folds.word[train][:, None] == np.arange(folds.n_words)).astype(np.float64)
            if x.shape[1] >= len(train):
                gram = x_train @ x_train.T
                ridge_lambda = relative_lambda(ridge, float(np.trace(gram)), len(train))
                by_word = x_train.T @ solve_ridge(gram, ridge_lambda, codes)
            else:
                covariance = x_train.T @ x_train
                ridge_lambda = relative_lambda(ridge, float(np.trace(covariance)), len(train))
                summed = sum_by_word(x_train.T, folds.word[train], folds.n_words)
                by_word = solve_ridge(covariance, ridge_lambda, summed)
            mean = x[train].mean(axis=0) + self._from
            self._weights.append(_Weights(train, held_out, mean, by_word, codes.mean(axis=0)))

    def operators(
        self, activations: NDArray[np.floating], *, centre: bool = True
    ) -> Iterator[NDArray[np.float64]]:
        """Map labels of words to the scores of held-out stimuli at another layer.

        Parameters
        ----------
        activations : ndarray, shape (n_stimuli, n_units)
            The layer that is read.
        centre : bool
            Whether each unit's mean over the training words is taken at the layer that is read;
            else at the layer of training.

        Yields
        ------
        ndarray of float64, shape (n_held_out, n_words)
            Of each fold, as ``FoldOperator.matrix``.

        Raises
        ------
        InputError
            For another number of units.
        """
        x = np.asarray(activations, dtype=np.float64)
        if x.shape[1] != len(self._from):
            msg = (
                f"a probe of {len(self._from)} units cannot read a layer of {x.shape[1]}: choose "
                "a site whose layers have the same units."
            )
            raise InputError(msg)
        for weights in self._weights:
            mean = x[weights.train].mean(axis=0) if centre else weights.mean
            yield (x[weights.held_out] - mean) @ weights.by_word + weights.mean_code
