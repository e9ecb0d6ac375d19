"""Reading one layer: held-out scores for the true labels and for any number of others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.folds import Folds
from cortiscope.statistics.ridge import FoldOperator, fold_operators
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
    ridge, scale : float, bool
        As in `fold_operators`.

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
        ridge: float = 0.01,
        scale: bool = False,
    ) -> None:
        self.folds = folds
        self._parts = [
            _Part.of(operator, activations)
            for operator in fold_operators(activations, folds, ridge=ridge, scale=scale)
        ]

    def scores(self) -> NDArray[np.float64]:
        """Held-out scores for the true labels, shape (n_stimuli, n_categories)."""
        codes = _codes(self.folds.label_of_word[None], self.folds.n_categories)
        scores = np.zeros((len(self.folds.label), self.folds.n_categories))
        for part in self._parts:
            scores[part.held_out] = part.scores(codes)[0].T[part.same_row]
        return scores

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

    def _read_block(self, labels: NDArray[np.intp], auc: bool) -> Reading:
        folds = self.folds
        codes = _codes(labels, folds.n_categories)
        of_stimulus = labels[:, folds.word]
        predicted = np.empty(of_stimulus.shape, dtype=np.intp)
        wins = np.zeros((len(labels), folds.n_categories))
        pairs = np.zeros_like(wins)
        for part in self._parts:
            scores = part.scores(codes)
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
    rows: NDArray[np.float64]  # (n_rows, n_words)

    @classmethod
    def of(cls, operator: FoldOperator, activations: NDArray[np.floating]) -> _Part:
        held_out = [activations[i].tobytes() for i in operator.held_out]
        _, first, same_row = np.unique(held_out, return_index=True, return_inverse=True)
        return cls(operator.held_out, same_row.astype(np.intp), operator.matrix[first])

    def scores(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (labelling, category, row) for codes (labelling, category, word)."""
        flat: NDArray[np.float64] = codes.reshape(-1, codes.shape[-1]) @ self.rows.T
        return flat.reshape(*codes.shape[:-1], -1)


def _codes(labels: NDArray[np.intp], n_categories: int) -> NDArray[np.float64]:
    """One-hot codes of words, shape (n_labellings, n_categories, n_words)."""
    codes = labels[:, None, :] == np.arange(n_categories)[None, :, None]
    return np.asarray(codes, dtype=np.float64)
