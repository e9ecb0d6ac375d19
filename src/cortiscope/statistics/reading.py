"""Reading one layer: held-out scores for the true labels and for any number of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.folds import Folds
from cortiscope.statistics.inner_ridge import InnerRidge
from cortiscope.statistics.logistic import LogisticReader
from cortiscope.statistics.ridge import fold_operators
from cortiscope.statistics.scores import auc_pairs, balanced_accuracy

# Permutations that ride in one matrix product: enough to keep a core busy, few enough for the
# scores of one fold to stay in the cache.
_BLOCK = 125


@dataclass(frozen=True, eq=False)
class Reading:
    """How well labels of words are read, for each of several labellings.

    Attributes
    ----------
    accuracy : ndarray of float64, shape (n_labellings,)
        Balanced accuracy over all stimuli.
    accuracy_by_part : ndarray of float64, shape (n_labellings, 2, n_levels)
        The same over the stimuli of each half of the words at each level of what is crossed.
    auc : ndarray of float64, shape (n_labellings, n_categories), or None
        One-vs-rest AUC over pairs that one probe reads; None when it was not asked for.
    """

    accuracy: NDArray[np.float64]
    accuracy_by_part: NDArray[np.float64]
    auc: NDArray[np.float64] | None


class LayerReader:
    """A layer, factorised once, that reads any labelling of the words.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        One layer.
    folds : Folds
        Who is held out when.
    ridge : float or "inner"
        λ as in `fold_operators`; or chosen on inner folds as in `InnerRidge`, for every labelling
        anew.
    scale : bool
        As in `fold_operators`.
    probe : {"ridge", "logistic"}
        Least squares on one-hot codes, or logistic regression as in `LogisticReader`, which is
        trained for every labelling anew and takes its time.

    Raises
    ------
    InputError
        As the probe does.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 10, range(20))
    >>> x = rng.normal(size=(20, 5)) + 3 * folds.label[:, None]
    >>> reader = LayerReader(x, folds)
    >>> float(reader.read(folds.label_of_word[None]).accuracy[0])
    1.0
    """

    def __init__(
        self,
        activations: NDArray[np.floating],
        folds: Folds,
        *,
        ridge: float | Literal["inner"] = 0.01,
        scale: bool = False,
        probe: Literal["ridge", "logistic"] = "ridge",
    ) -> None:
        self.folds = folds
        self._parts = [_Part.of(held_out, activations) for _, held_out in folds.splits()]
        self._probes: _Probes = _probes(activations, folds, self._parts, ridge, scale, probe)

    @classmethod
    def of_operators(
        cls,
        activations: NDArray[np.floating],
        folds: Folds,
        operators: Iterable[NDArray[np.float64]],
    ) -> LayerReader:
        """Make a reader of probes that were trained elsewhere.

        Parameters
        ----------
        activations : ndarray, shape (n_stimuli, n_units)
            The layer that is read.
        folds : Folds
            Who is held out when.
        operators : iterable of ndarray, shape (n_held_out, n_words)
            Of each fold, as ``FoldOperator.matrix``.
        """
        reader = cls.__new__(cls)
        reader.folds = folds
        reader._parts = [_Part.of(held_out, activations) for _, held_out in folds.splits()]
        rows = [matrix[p.first] for matrix, p in zip(operators, reader._parts, strict=True)]
        reader._probes = _LinearProbes(rows, folds.n_categories)
        return reader

    def scores(self) -> NDArray[np.float64]:
        """Held-out scores for the true labels, shape (n_stimuli, n_categories)."""
        scores = np.zeros((len(self.folds.label), self.folds.n_categories))
        labels = self.folds.label_of_word[None]
        for part, of_part in zip(self._parts, self._probes.scores(labels), strict=True):
            scores[part.held_out] = of_part[0].T[part.same_row]
        return scores

    def chosen_ridge(self) -> float:
        """Geometric mean over folds of the λ that inner folds chose for the true labels.

        In multiples of the mean eigenvalue; NaN where λ was given.
        """
        if not isinstance(self._probes, _InnerProbes):
            return float("nan")
        chosen = self._probes.inner.choose(self.folds.label_of_word[None])[:, 0]
        return float(np.exp(np.log(np.asarray(self._probes.inner.ridges)[chosen]).mean()))

    def read(self, labels: NDArray[np.intp], *, auc: bool = True) -> Reading:
        """Read given labels of the words.

        Parameters
        ----------
        labels : ndarray of int, shape (n_labellings, n_words)
            Labels of the words, such as permutations of the true ones.
        auc : bool
            Whether the AUC is computed too, which takes about as long as all the rest.

        Returns
        -------
        Reading
            Equal to refitting the probe for each labelling.
        """
        blocks = [
            self._read_block(labels[start : start + _BLOCK], auc)
            for start in range(0, len(labels), _BLOCK)
        ]
        return Reading(
            accuracy=np.concatenate([block.accuracy for block in blocks]),
            accuracy_by_part=np.concatenate([block.accuracy_by_part for block in blocks]),
            auc=np.concatenate([b.auc for b in blocks if b.auc is not None]) if auc else None,
        )

    def accuracy(self, labels: NDArray[np.intp]) -> NDArray[np.float64]:
        """Balanced accuracy for given labels of the words, shape (n_labellings,), and no more."""
        accuracy = np.empty(len(labels))
        for start in range(0, len(labels), _BLOCK):
            block = labels[start : start + _BLOCK]
            of_stimulus = block[:, self.folds.word]
            predicted = np.empty(of_stimulus.shape, dtype=np.intp)
            for part, scores in zip(self._parts, self._probes.scores(block), strict=True):
                predicted[:, part.held_out] = scores.argmax(axis=1)[:, part.same_row]
            accuracy[start : start + _BLOCK] = balanced_accuracy(
                predicted, of_stimulus, self.folds.n_categories
            )
        return accuracy

    def _read_block(self, labels: NDArray[np.intp], auc: bool) -> Reading:
        folds = self.folds
        of_stimulus = labels[:, folds.word]
        predicted = np.empty(of_stimulus.shape, dtype=np.intp)
        wins = np.zeros((len(labels), folds.n_categories))
        pairs = np.zeros_like(wins)
        for part, scores in zip(self._parts, self._probes.scores(labels), strict=True):
            predicted[:, part.held_out] = scores.argmax(axis=1)[:, part.same_row]
            if auc:
                won, of = auc_pairs(scores, of_stimulus[:, part.held_out], part.same_row)
                wins += won
                pairs += of
        parts = [
            balanced_accuracy(predicted[:, members], of_stimulus[:, members], folds.n_categories)
            for members in folds.parts()
        ]
        return Reading(
            accuracy=balanced_accuracy(predicted, of_stimulus, folds.n_categories),
            accuracy_by_part=np.stack(parts, axis=1).reshape(len(labels), 2, -1),
            auc=wins / pairs if auc else None,
        )


@dataclass(frozen=True, eq=False)
class _Part:
    """What one probe reads, with stimuli of equal activations taken together.

    Equal activations have equal scores. Rounding would break such ties at random (at the
    embedding every frame of a word is one and the same vector), so each distinct row is scored
    once and counted as often as it occurs.
    """

    held_out: NDArray[np.intp]  # (n_held_out,)
    same_row: NDArray[np.intp]  # (n_held_out,) which distinct row each stimulus is
    first: NDArray[np.intp]  # (n_rows,) the first held-out stimulus of each row

    @classmethod
    def of(cls, held_out: NDArray[np.intp], activations: NDArray[np.floating]) -> _Part:
        rows = [activations[i].tobytes() for i in held_out]
        _, first, same_row = np.unique(rows, return_index=True, return_inverse=True)
        return cls(held_out, same_row.astype(np.intp), first.astype(np.intp))


class _Probes(Protocol):
    """Probes of all parts."""

    def scores(self, labels: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        """Yield each part's scores (labelling, category, row) for labels of the words."""
        ...  # pragma: no cover


def _probes(
    activations: NDArray[np.floating],
    folds: Folds,
    parts: list[_Part],
    ridge: float | Literal["inner"],
    scale: bool,
    probe: Literal["ridge", "logistic"],
) -> _Probes:
    if probe == "logistic" and ridge != "inner":
        reader = LogisticReader(activations, folds, ridge=ridge, scale=scale)
        return _LogisticProbes(reader, parts)
    if probe == "logistic":
        msg = 'ridge="inner" is for probe="ridge": give a logistic probe a number.'
        raise InputError(msg)
    if probe != "ridge":
        msg = f'probe is {probe!r}: choose "ridge" or "logistic".'
        raise InputError(msg)
    if ridge == "inner":
        inner = InnerRidge(activations, folds, scale=scale)
        operators = zip(inner.operators(), parts, strict=True)
        rows = [matrices[:, part.first] for matrices, part in operators]
        return _InnerProbes(inner, rows, folds.n_categories)
    if isinstance(ridge, str):
        msg = f'ridge is {ridge!r}: give a number, or "inner".'
        raise InputError(msg)
    made = fold_operators(activations, folds, ridge=ridge, scale=scale)
    linear = [operator.matrix[part.first] for operator, part in zip(made, parts, strict=True)]
    return _LinearProbes(linear, folds.n_categories)


@dataclass(frozen=True, eq=False)
class _LinearProbes:
    """Ridge probes of a given λ."""

    rows: list[NDArray[np.float64]]  # of each part (row, word)
    n_categories: int

    def scores(self, labels: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        codes = _codes(labels, self.n_categories)
        for rows in self.rows:
            yield _product(codes, rows)


@dataclass(frozen=True, eq=False)
class _InnerProbes:
    """Ridge probes whose λ inner folds choose."""

    inner: InnerRidge
    rows: list[NDArray[np.float64]]  # of each part (ridge, row, word)
    n_categories: int

    def scores(self, labels: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        codes = _codes(labels, self.n_categories)
        for rows, chosen in zip(self.rows, self.inner.choose(labels), strict=True):
            scores = np.empty((*codes.shape[:2], rows.shape[1]))
            for ridge in np.unique(chosen):
                scores[chosen == ridge] = _product(codes[chosen == ridge], rows[ridge])
            yield scores


@dataclass(frozen=True, eq=False)
class _LogisticProbes:
    """Logistic probes, which are trained when they are asked."""

    reader: LogisticReader
    parts: list[_Part]

    def scores(self, labels: NDArray[np.intp]) -> Iterator[NDArray[np.float64]]:
        scores = self.reader.scores(labels)
        for part in self.parts:
            yield scores[:, :, part.held_out[part.first]]


def _product(codes: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (labelling, category, row) for codes (labelling, category, word)."""
    flat: NDArray[np.float64] = codes.reshape(-1, codes.shape[-1]) @ rows.T
    return flat.reshape(*codes.shape[:-1], -1)


def _codes(labels: NDArray[np.intp], n_categories: int) -> NDArray[np.float64]:
    """One-hot codes of words, shape (n_labellings, n_categories, n_words)."""
    codes = labels[:, None, :] == np.arange(n_categories)[None, :, None]
    return np.asarray(codes, dtype=np.float64)
