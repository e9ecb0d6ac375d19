"""What lesions change in what is read: of every readout one array of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.lesion_experiment import RANDOM_KINDS
from cortiscope.errors import InputError
from cortiscope.statistics import Folds, aucs_of_words

Array = NDArray[np.float64]

LABELS = ("kind", "lesioned_layer", "direction", "concept", "n_lesioned", "draw")
"""Labels of conditions that say which lesion each is."""

# Scores of so many conditions are compared at once: each takes a number for each pair of stimuli
# and for each resample of the words.
_CONDITIONS_AT_ONCE = 128

# As a share of the standard deviation of clean scores: what stimulation in float32 keeps to.
_ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class Lesions:
    """Where the conditions of one layer are in a response.

    Attributes
    ----------
    layer : int
        The layer.
    clean : int
        The clean condition.
    direction : ndarray of int, shape (n_directions, n_categories)
        Lesions of each concept's direction.
    units : ndarray of int, shape (n_sizes, n_categories)
        Lesions of each concept's most selective units; the last size is all units.
    random_units : ndarray of int, shape (n_sizes, n_draws)
        Lesions of as many random units; all units are the same lesion again and again.
    random_direction : ndarray of int, shape (n_kinds, n_draws)
        Lesions of random directions, of the kinds `RANDOM_KINDS`.
    sizes : tuple of int
        Numbers of units.
    """

    layer: int
    clean: int
    direction: NDArray[np.intp]
    units: NDArray[np.intp]
    random_units: NDArray[np.intp]
    random_direction: NDArray[np.intp]
    sizes: tuple[int, ...]

    @property
    def conditions(self) -> NDArray[np.intp]:
        """All of them, each once: the clean one first, the others ascending."""
        parts = (self.direction, self.units, self.random_units, self.random_direction)
        others = np.unique(np.concatenate([part.ravel() for part in parts]))
        return np.concatenate([[self.clean], others])


def find_lesions(
    conditions: pd.DataFrame, categories: Sequence[str], directions: Sequence[str], n_draws: int
) -> list[Lesions]:
    """Sort the conditions of a response by their labels.

    Parameters
    ----------
    conditions : DataFrame
        A row for each condition, with the columns `LABELS`.
    categories, directions : sequence of str
        In the order that is wanted.
    n_draws : int
        Random draws of each kind.

    Returns
    -------
    list of Lesions
        One for each layer, ascending.

    Raises
    ------
    InputError
        Naming a condition that is missing.
    """
    keys = zip(*(conditions[name].tolist() for name in LABELS), strict=True)
    place = {tuple(key): at for at, key in enumerate(keys)}

    def at(
        kind: str, layer: int, direction: str = "", concept: str = "", n: int = 0, draw: int = -1
    ) -> int:
        found = place.get((kind, layer, direction, concept, n, draw))
        if found is None:
            what = " ".join(map(str, filter(None, (direction, concept, n and f"{n} units"))))
            msg = (
                f"the response lacks the condition {kind} {what} (layer {layer}, draw {draw}): "
                "stimulate with all that lesion_experiment plans."
            )
            raise InputError(msg)
        return found

    clean = at("clean", -1)
    found = []
    for layer in sorted({key[1] for key in place} - {-1}):
        sizes = sorted({key[4] for key in place if key[:2] == ("units", layer)})
        some = sizes[:-1]
        drawn = [[at("random_units", layer, n=n, draw=d) for d in range(n_draws)] for n in some]
        whole = at("units", layer, n=sizes[-1])
        chosen = [[at("units", layer, concept=c, n=n) for c in categories] for n in some]
        found.append(
            Lesions(
                layer,
                clean,
                np.array(
                    [[at("direction", layer, d, c) for c in categories] for d in directions],
                    dtype=np.intp,
                ),
                np.array([*chosen, [whole] * len(categories)], dtype=np.intp),
                np.array([*drawn, [whole] * n_draws], dtype=np.intp),
                np.array(
                    [
                        [at(f"random_{kind}", layer, draw=draw) for draw in range(n_draws)]
                        for kind in RANDOM_KINDS
                    ],
                    dtype=np.intp,
                ),
                tuple(sizes),
            )
        )
    return found


@dataclass(frozen=True, eq=False)
class Change:
    """What the lesions of a layer changed in one readout; positive is damage.

    The first axis of all is the weighting of the words: as they are, then each resample.

    Attributes
    ----------
    direction : ndarray, shape (n_weightings, n_directions, n_categories)
        In the concept that was lesioned.
    direction_others : ndarray, of the same shape
        Mean over the other concepts.
    units, units_others : ndarray, shape (n_weightings, n_sizes, n_categories)
        The same for units.
    random_units, random_units_others : ndarray, shape (n_draws, n_sizes, n_categories)
        Of the words as they are.
    random_direction, random_direction_others : ndarray, shape (n_draws, n_kinds, n_categories)
        Of the words as they are.
    mean_random_units : ndarray, shape (n_weightings, n_sizes, n_categories)
        Mean over draws.
    mean_random_direction : ndarray, shape (n_weightings, n_kinds, n_categories)
        Mean over draws.
    """

    direction: Array
    direction_others: Array
    units: Array
    units_others: Array
    random_units: Array
    random_units_others: Array
    random_direction: Array
    random_direction_others: Array
    mean_random_units: Array
    mean_random_direction: Array

    @classmethod
    def of(cls, change: Array, lesions: Lesions) -> Change:
        """Sort changes (n_weightings, n_categories, n_conditions), conditions as in `lesions`."""
        n_categories = change.shape[1]
        every = np.arange(n_categories)
        others = change
        if n_categories > 1:
            others = (change.sum(axis=1, keepdims=True) - change) / (n_categories - 1)
        place = np.zeros(lesions.conditions.max() + 1, dtype=np.intp)
        place[lesions.conditions] = np.arange(len(lesions.conditions))
        direction, units = place[lesions.direction], place[lesions.units]
        random_units, random_direction = (
            place[lesions.random_units],
            place[lesions.random_direction],
        )

        def drawn(values: Array, at: NDArray[np.intp]) -> Array:
            return np.asarray(np.transpose(values[0][:, at], (2, 1, 0)))

        def mean_drawn(at: NDArray[np.intp]) -> Array:
            return np.stack([change[:, :, draws].mean(axis=2) for draws in at], axis=1)

        return cls(
            change[:, every, direction],
            others[:, every, direction],
            change[:, every, units],
            others[:, every, units],
            drawn(change, random_units),
            drawn(others, random_units),
            drawn(change, random_direction),
            drawn(others, random_direction),
            mean_drawn(random_units),
            mean_drawn(random_direction),
        )


def auc_change(scores: Array, folds: Folds, weights: Array) -> tuple[Array, Array]:
    """Measure how far the AUC of each category falls under every condition.

    Parameters
    ----------
    scores : ndarray, shape (n_conditions, n_stimuli, n_categories)
        Of a probe; the clean condition first.
    folds : Folds
        Labels and words of the stimuli.
    weights : ndarray, shape (n_weightings, n_words)
        How often each word counts.

    Returns
    -------
    change : ndarray, shape (n_weightings, n_categories, n_conditions)
        Clean minus lesioned.
    clean : ndarray, shape (n_weightings, n_categories)
        The AUC of the clean condition.

    Notes
    -----
    Scores that differ by no more than passes in other batches round count as equal: a lesion of all
    units leaves the sentences of a frame nothing to differ by.
    """
    by_stimulus = np.moveaxis(_ranks(scores), 0, 2)
    parts = [
        aucs_of_words(by_stimulus[..., first : first + _CONDITIONS_AT_ONCE], folds, weights)
        for first in range(0, len(scores), _CONDITIONS_AT_ONCE)
    ]
    auc = np.concatenate(parts, axis=2)
    return auc[:, :, :1] - auc, auc[:, :, 0]


def _ranks(scores: Array) -> NDArray[np.float64]:
    """Rank stimuli, with ties where rounding may be all that tells them apart.

    Examples
    --------
    >>> clean, lesioned = [[0.0], [1.0], [2.0]], [[1.0], [3.0], [1.0000001]]
    >>> _ranks(np.array([clean, lesioned]))[..., 0].tolist()
    [[0.0, 1.0, 2.0], [0.0, 1.0, 0.0]]
    """
    order = scores.argsort(axis=1)
    steps = np.diff(np.take_along_axis(scores, order, axis=1), axis=1)
    apart = steps > _ROUNDING * scores[0].std(axis=0)
    ranked = np.zeros(scores.shape)
    ranked[:, 1:] = apart.cumsum(axis=1)
    ranks = np.empty(scores.shape)
    np.put_along_axis(ranks, order, ranked, axis=1)
    return ranks


def log_odds_change(log_odds: Array, folds: Folds, weights: Array) -> tuple[Array, Array]:
    """Measure how far the log-odds of the right name fall under every condition.

    Parameters
    ----------
    log_odds : ndarray, shape (n_conditions, n_stimuli, n_categories)
        In nats; the clean condition first.
    folds, weights
        As in `auc_change`.

    Returns
    -------
    change : ndarray, shape (n_weightings, n_categories, n_conditions)
        Clean minus lesioned, mean over the stimuli of each category.
    clean : ndarray, shape (n_weightings, n_categories)
        The log-odds of the clean condition.
    """
    right = np.take_along_axis(log_odds, folds.label[None, :, None], axis=2)[..., 0]
    weight = weights[:, folds.word]
    means = np.empty((len(weights), folds.n_categories, len(log_odds)))
    for category in range(folds.n_categories):
        own = folds.label == category
        of_own = weight[:, own]
        means[:, category] = of_own @ right[:, own].T / of_own.sum(axis=1, keepdims=True)
    return means[:, :, :1] - means, means[:, :, 0]


def loss_change(loss: Array, n_tokens: NDArray[np.int64], weights: Array) -> Array:
    """Measure how far the loss on a neutral text rises under every condition.

    Parameters
    ----------
    loss : ndarray, shape (n_conditions, n_passages)
        Mean over the tokens of each passage, in nats; the clean condition first.
    n_tokens : ndarray of int, shape (n_passages,)
        Tokens of each.
    weights : ndarray, shape (n_weightings, n_passages)
        How often each passage counts.

    Returns
    -------
    ndarray, shape (n_weightings, n_conditions)
        Lesioned minus clean: the rise of the log perplexity.
    """
    counted = weights * n_tokens
    rise = (loss - loss[:1]) @ counted.T / counted.sum(axis=1)
    return np.asarray(rise.T)


def equal_units(sizes: Sequence[int], curve: Array, wanted: Array) -> Array:
    """Read off how many units' lesion does as much as something else.

    Between the sizes the curve is a straight line over the logarithm of 1 + the number; it begins
    with no effect of no units, and where it falls it stays at its highest before.

    Parameters
    ----------
    sizes : sequence of int, length n_sizes
        Numbers of units, ascending; the last is all.
    curve : ndarray, shape (n_sizes, ...)
        Effect of lesioning so many.
    wanted : ndarray, shape (...)
        The effect to reach.

    Returns
    -------
    ndarray, shape (...)
        From 0, where nothing is to be reached, to all units, also where these do not reach it.

    Examples
    --------
    >>> equal_units([3, 15], np.array([0.1, 0.3]), np.array(0.2)).round(6).item()
    7.0
    >>> equal_units([3, 15], np.array([0.1, 0.3]), np.array(0.4)).item()
    15.0
    """
    wanted = np.asarray(wanted, dtype=np.float64)
    curve = np.asarray(curve, dtype=np.float64)
    heights = np.concatenate([np.zeros((1, *wanted.shape)), curve])
    heights = np.maximum.accumulate(heights, axis=0)
    places = np.log1p(np.array([0, *sizes], dtype=np.float64))
    reached = heights >= wanted
    is_reached = reached.any(axis=0)
    after = np.where(is_reached, reached.argmax(axis=0), len(sizes))
    before = np.maximum(after - 1, 0)
    low, high = (np.take_along_axis(heights, at[None], axis=0)[0] for at in (before, after))
    rise = np.where(high > low, high - low, 1.0)
    share = np.clip((wanted - low) / rise, 0.0, 1.0)
    at = places[before] + share * (places[after] - places[before])
    found = np.minimum(np.expm1(at), sizes[-1])
    return np.asarray(np.where(is_reached, np.where(after == 0, 0.0, found), sizes[-1]))
