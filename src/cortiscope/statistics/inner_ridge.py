"""Ridge probes whose λ is chosen on inner folds, anew for every labelling of the words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from cortiscope.errors import InputError
from cortiscope.statistics.folds import Folds
from cortiscope.statistics.ridge import (
    centred,
    centred_gram,
    checked_activations,
    relative_lambda,
    sum_by_word,
)

_Array = NDArray[np.float64]

RIDGES = tuple(float(10.0 ** (half / 2)) for half in range(4, -9, -1))
"""What `InnerRidge` chooses from, as multiples of the mean eigenvalue: 100 to 0.0001."""

# Labellings whose errors are summed in one matrix product.
_BLOCK = 25


class InnerRidge:
    """A layer, factorised once, on which ridge probes choose their λ by inner folds.

    The inner folds of an outer fold are the other outer folds, so that words stay together in
    both: the probe that leaves out two folds reads each of them on behalf of the other. The λ with
    the smallest summed squared error of the one-hot codes, over the inner held-out stimuli, is
    used for the outer fold. Every λ follows from one eigendecomposition a training set, and the
    error of a labelling from one quadratic form a λ, so that permutations choose again.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        One layer.
    folds : Folds
        Who is held out when; 3 folds or more. Where a label is crossed with the words, its level
        is left out of the inner folds too.
    scale : bool
        As in `fold_operators`.
    ridges : sequence of float
        What λ is chosen from, as multiples of the mean eigenvalue of each training Gram matrix;
        of equal errors the first one's is taken.

    Raises
    ------
    InputError
        As `fold_operators`, and for fewer than 3 folds.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, sections 3.4.1
    and 7.10. Varma & Simon (2006), BMC Bioinformatics 7, 91 (inner folds). The criterion is that
    of ``sklearn.linear_model.RidgeCV``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 15, range(30))
    >>> x = rng.normal(size=(30, 60)) + 2 * folds.label[:, None]
    >>> InnerRidge(x, folds).choose(folds.label_of_word[None]).shape
    (5, 1)
    """

    def __init__(
        self,
        activations: NDArray[np.floating],
        folds: Folds,
        *,
        scale: bool = False,
        ridges: Sequence[float] = RIDGES,
    ) -> None:
        x = checked_activations(activations, folds, min(ridges))
        if folds.n_folds < 3:
            msg = (
                f"a ridge chosen on inner folds needs 3 folds or more, not {folds.n_folds}: "
                "raise n_folds, or give ridge as a number."
            )
            raise InputError(msg)
        self.ridges = tuple(ridges)
        self._space = _Space(x, folds, scale)
        self._pairs = np.triu_indices(folds.n_words, 1)
        errors = self._errors(folds)
        self._off_diagonal = np.concatenate(
            [2.0 * error[:, self._pairs[0], self._pairs[1]] for error in errors]
        ).T
        self._diagonal = np.concatenate([np.trace(e, axis1=1, axis2=2) for e in errors])
        self._splits = list(folds.splits())

    def operators(self) -> Iterator[_Array]:
        """Yield the outer folds' operators, shape (n_ridges, n_held_out, n_words), in order."""
        for train, held_out in self._splits:
            yield self._space.operators(train, held_out, self.ridges)

    def choose(self, labels: NDArray[np.intp]) -> NDArray[np.intp]:
        """Choose the λ of every fold for given labels of the words.

        Parameters
        ----------
        labels : ndarray of int, shape (n_labellings, n_words)
            Labels of the words, such as permutations of the true ones.

        Returns
        -------
        ndarray of int, shape (n_cells, n_labellings)
            Index into `ridges`, for each fold (each fold and level where folds are crossed).
        """
        chosen = []
        first, second = self._pairs
        for start in range(0, len(labels), _BLOCK):
            block = labels[start : start + _BLOCK]
            # Codes are one-hot: a quadratic form sums its matrix over words of equal labels.
            same = (block[:, first] == block[:, second]).astype(np.float64)
            errors = same @ self._off_diagonal + self._diagonal
            chosen.append(errors.reshape(len(block), -1, len(self.ridges)).argmin(axis=2))
        return np.concatenate(chosen).T.astype(np.intp)

    def _errors(self, folds: Folds) -> list[_Array]:
        """Quadratic form (ridge, word, word) of each cell: codes to summed squared error."""
        shape = (len(self.ridges), folds.n_words, folds.n_words)
        errors = [np.zeros(shape) for _ in range(folds.n_folds * folds.n_levels)]
        for one, other in combinations(range(folds.n_folds), 2):
            for level in range(folds.n_levels):
                usable = (folds.level != level) | (folds.n_levels == 1)
                train = np.flatnonzero((folds.fold != one) & (folds.fold != other) & usable)
                for outer, inner in ((one, other), (other, one)):
                    test = np.flatnonzero((folds.fold == inner) & usable)
                    truth = folds.word[test][:, None] == np.arange(folds.n_words)
                    residual = truth - self._space.operators(train, test, self.ridges)
                    errors[outer * folds.n_levels + level] += residual.swapaxes(1, 2) @ residual
        return errors


class _Space:
    """Inner products of the stimuli, from which any training set is factorised."""

    def __init__(self, x: _Array, folds: Folds, scale: bool) -> None:
        self.x, self.folds, self.scale = x, folds, scale
        self.gram = None if scale or x.shape[1] < len(x) // 2 else x @ x.T
        self.last: tuple[bytes, _Spectrum] | None = None

    def operators(
        self, train: NDArray[np.intp], test: NDArray[np.intp], ridges: Sequence[float]
    ) -> _Array:
        """Operators (ridge, test stimulus, word) of probes of one training set."""
        spectrum = self._spectrum(train)
        if self.gram is not None:
            cross = centred_gram(self.gram, train, test)[1] @ spectrum.vectors
        else:
            cross = centred(self.x, train, test, self.scale)[1] @ spectrum.vectors
        mean_eigenvalue = relative_lambda(1.0, float(spectrum.values.sum()), len(train))
        operators = np.empty((len(ridges), len(test), self.folds.n_words))
        for ridge, operator in zip(ridges, operators, strict=True):
            shrunk = cross / (spectrum.values + ridge * mean_eigenvalue)
            # Unpenalised intercept: the training mean of the codes.
            operator[:] = shrunk @ spectrum.by_word + spectrum.mean_code
        return operators

    def _spectrum(self, train: NDArray[np.intp]) -> _Spectrum:
        # Two folds are read from the same training set, one after the other.
        if self.last is None or self.last[0] != train.tobytes():
            self.last = (train.tobytes(), self._factorise(train))
        return self.last[1]

    def _factorise(self, train: NDArray[np.intp]) -> _Spectrum:
        word, n_words = self.folds.word[train], self.folds.n_words
        mean_code = np.bincount(word, minlength=n_words) / len(train)
        x_train = None
        if self.gram is not None:
            inner = centred_gram(self.gram, train, train)[0]
        else:
            x_train = centred(self.x, train, train, self.scale)[0]
            inner = x_train.T @ x_train
        values, vectors = linalg.eigh(inner, overwrite_a=True, check_finite=False, driver="evd")
        coordinates = vectors if x_train is None else x_train @ vectors
        by_word = sum_by_word(coordinates.T, word, n_words)
        return _Spectrum(np.maximum(values, 0.0), vectors, by_word, mean_code)


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """One training set in its principal axes."""

    values: _Array  # (axis,) eigenvalues of the Gram matrix, or of its twin over units
    vectors: _Array  # (training stimulus or unit, axis)
    by_word: _Array  # (axis, word)
    mean_code: _Array  # (word,)
