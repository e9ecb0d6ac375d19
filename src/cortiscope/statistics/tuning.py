"""Probes whose settings are chosen on inner folds, on training words alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.folds import Folds
from cortiscope.statistics.mlp import MlpSetting, train_mlps
from cortiscope.statistics.principal import PrincipalProblem
from cortiscope.statistics.scores import auc_pairs


@dataclass(frozen=True, eq=False)
class TunedScores:
    """What tuned probes read, and how they were set.

    Attributes
    ----------
    scores : ndarray of float64, shape (n_stimuli, n_categories)
        Held-out log-probabilities.
    settings : list of MlpSetting
        Of each fold's probe.
    n_epochs : list of int
        For how long each was trained.
    """

    scores: NDArray[np.float64]
    settings: list[MlpSetting]
    n_epochs: list[int]


class NestedFolds:
    """One layer, cut into outer and inner folds, in the principal axes of each.

    The words of an outer fold are read by a probe that is trained on all others. How it is set is
    chosen among these others: probes are trained on all folds but two neighbours, and read each of
    the two on behalf of the other. So one inner probe serves two outer folds, and every outer fold
    has two inner ones.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        One layer.
    folds : Folds
        Who is held out when.
    kept : ndarray of bool, shape (n_stimuli,), optional
        The stimuli that may be trained on, or chosen by; all when left out. All are read.

    Raises
    ------
    InputError
        For fewer than three folds, folds that are crossed with another label, and training rows
        that are all alike.

    References
    ----------
    Varma & Simon (2006), Bias in error estimation when using cross-validation for model selection.
    BMC Bioinformatics 7, 91.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 30, range(60))
    >>> x = rng.normal(size=(60, 5)) + 2 * folds.label[:, None]
    >>> tuned = NestedFolds(x, folds).scores([MlpSetting(0), MlpSetting(8)], epochs=(5, 20))
    >>> bool((tuned.scores.argmax(axis=1) == folds.label).mean() > 0.9)
    True
    """

    def __init__(
        self,
        activations: NDArray[np.floating],
        folds: Folds,
        kept: NDArray[np.bool_] | None = None,
    ) -> None:
        if folds.n_folds < 3:
            msg = (
                f"n_folds is {folds.n_folds}: probes that are tuned on inner folds need at least "
                "3, one to read, one to choose by and one to train on."
            )
            raise InputError(msg)
        if folds.n_levels > 1:
            msg = "the folds are crossed with a label, which tuned probes cannot hold out."
            raise InputError(msg)
        kept = np.ones(len(folds.fold), dtype=np.bool_) if kept is None else kept
        self._folds = folds
        self._pairs = [(fold, (fold + 1) % folds.n_folds) for fold in range(folds.n_folds)]
        self._chosen_by = [
            [np.flatnonzero(kept & (folds.fold == other)) for other in pair] for pair in self._pairs
        ]
        self._held_out = [np.flatnonzero(folds.fold == fold) for fold in range(folds.n_folds)]
        self._inner = [
            self._problem(activations, kept & ~np.isin(folds.fold, pair), np.concatenate(rows))
            for pair, rows in zip(self._pairs, self._chosen_by, strict=True)
        ]
        self._outer = [
            self._problem(activations, kept & (folds.fold != fold), rows)
            for fold, rows in enumerate(self._held_out)
        ]
        self._first_alike = [_first_alike(activations[rows]) for rows in self._held_out]

    def scores(
        self,
        settings: Sequence[MlpSetting],
        *,
        epochs: Sequence[int] = (5, 10, 20, 40),
        n_initialisations: int = 1,
        seed: int = 0,
    ) -> TunedScores:
        """Choose a setting and a number of epochs for each fold by AUC, train, and read.

        Parameters
        ----------
        settings : sequence of MlpSetting
            To choose among; the first of equals is taken.
        epochs : sequence of int
            Numbers of epochs to choose among, ascending.
        n_initialisations : int
            Networks that are averaged in the end; choices are made with one.
        seed : int
            Seed of the initial weights.

        Returns
        -------
        TunedScores
        """
        areas = self._inner_areas(settings, epochs, seed)
        best = areas.reshape(len(areas), -1).argmax(axis=1)
        chosen = [settings[index] for index in best // len(epochs)]
        stops = best % len(epochs)
        trained = train_mlps(
            self._outer,
            chosen,
            self._folds.n_categories,
            epochs=epochs[: stops.max() + 1],
            n_initialisations=n_initialisations,
            seed=seed,
        )
        scores = np.empty((len(self._folds.label), self._folds.n_categories))
        for rows, alike, stop, by_epoch in zip(
            self._held_out, self._first_alike, stops, trained, strict=True
        ):
            scores[rows] = by_epoch[stop][alike]
        return TunedScores(scores, chosen, [int(epochs[stop]) for stop in stops])

    def _problem(
        self, x: NDArray[np.floating], train: NDArray[np.bool_], test: NDArray[np.intp]
    ) -> PrincipalProblem:
        rows = np.flatnonzero(train)
        return PrincipalProblem.of(x[rows], self._folds.label[rows], x[test])

    def _inner_areas(
        self, settings: Sequence[MlpSetting], epochs: Sequence[int], seed: int
    ) -> NDArray[np.float64]:
        """AUC (fold, setting, epoch) of inner probes on each outer fold's behalf."""
        folds = self._folds
        trained = train_mlps(
            [problem for _ in settings for problem in self._inner],
            [setting for setting in settings for _ in self._inner],
            folds.n_categories,
            epochs=epochs,
            seed=seed,
        )
        areas = np.zeros((folds.n_folds, len(settings), len(epochs)))
        for index, scores in enumerate(trained):
            setting, inner = divmod(index, len(self._inner))
            halves = np.split(scores, [len(self._chosen_by[inner][0])], axis=1)
            # What is read in one of the two is for the other to choose by.
            for other, rows, half in zip(
                self._pairs[inner][::-1], self._chosen_by[inner], halves, strict=True
            ):
                areas[other, setting] += _macro_auc(half, folds.label[rows])
        return areas


def _macro_auc(scores: NDArray[np.float64], label: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean AUC (epoch,) over categories of scores (epoch, row, category)."""
    labels = np.broadcast_to(label, (len(scores), len(label)))
    wins, pairs = auc_pairs(scores.transpose(0, 2, 1), labels, np.arange(len(label)))
    return np.asarray((wins / pairs).mean(axis=1))


def _first_alike(rows: NDArray[np.floating]) -> NDArray[np.intp]:
    """For each row the first that equals it: equal rows must have equal scores to the last bit."""
    _, first, inverse = np.unique(
        [row.tobytes() for row in rows], return_index=True, return_inverse=True
    )
    return np.asarray(first[inverse], dtype=np.intp)
