"""Maps of units: laid out by some words and some categories, and tested with the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.preparation import activations, check_labels, grouped_folds
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    Folds,
    d_prime_of_members,
    means_of,
    unit_layout,
    without_means,
    z_scored,
)

# Words of a category from which each half keeps one when a jackknife leaves some out.
_FEWEST_WORDS = 4

# Words that a layout is fitted on, at least, and units that it takes.
_FEWEST_TO_FIT = 6
_FEWEST_UNITS = 16

_ROUNDING = 1e-6  # of float32, relative to a unit's size: less variation than this is none


@dataclass(frozen=True, eq=False)
class Side:
    """A layout and what is tested on it, which share neither words nor categories.

    Attributes
    ----------
    fitted, tested : ndarray of bool, shape (n_words,)
        Words that the layout is fitted on: one half of those of the other categories; and words
        that d' is measured on: the other half of all.
    categories : ndarray of int, shape (n_tested,)
        Categories whose d' is measured.
    label_of_word : ndarray of int, shape (n_words,)
        Category of each word.
    """

    fitted: NDArray[np.bool_]
    tested: NDArray[np.bool_]
    categories: NDArray[np.intp]
    label_of_word: NDArray[np.intp]

    def layout(
        self, z: NDArray[np.floating], kept: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Lay units out, (unit, 2), from all words or from those that are kept."""
        return unit_layout(z[self.fitted if kept is None else self.fitted & kept])

    def d_prime(
        self, z: NDArray[np.floating], kept: NDArray[np.bool_] | None = None
    ) -> NDArray[np.floating]:
        """Measure d' (category, unit) of the categories that are tested here."""
        words = self.tested if kept is None else self.tested & kept
        return d_prime_of_members(z, self.members(self.label_of_word) & words, words)

    def members(self, label_of_word: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell which words are in each category that is tested here, (..., category, word)."""
        return np.asarray(label_of_word[..., None, :] == self.categories[:, None])


@dataclass(frozen=True, eq=False)
class UnitMaps:
    """How words and categories are dealt: the same at every layer.

    Attributes
    ----------
    words : Folds
        Words and categories.
    frame : ndarray of int, shape (n_stimuli,), or None
        Frame of each stimulus.
    sides : tuple of two `Side`
        In each, half of the categories are tested on the layout that the others gave.
    """

    words: Folds
    frame: NDArray[np.intp] | None
    sides: tuple[Side, Side]

    @classmethod
    def draw(
        cls,
        recording: Recording,
        target: str,
        groups: str,
        frames: str | None,
        *,
        fewest_categories: int = 2,
        seed: int = 0,
    ) -> UnitMaps:
        """Deal words to halves, those of each category evenly, and categories to two sets.

        Parameters
        ----------
        recording : Recording
            With the labels.
        target, groups : str
            Labels of categories and of words.
        frames : str, optional
            Label of frames.
        fewest_categories : int
            Categories that it takes.
        seed : int
            Seed of the deal.

        Returns
        -------
        UnitMaps

        Raises
        ------
        InputError
            For labels that are missing, and too few categories or words.
        """
        check_labels(recording, target, groups, frames)
        n_words = recording.labels.groupby(target)[groups].nunique()
        if n_words.min() < _FEWEST_WORDS:
            msg = (
                f"{target} {str(n_words.idxmin())!r} has {n_words.min()} values of {groups!r}: to "
                f"split it into halves takes {_FEWEST_WORDS} or more; add words to it, or leave "
                "it out."
            )
            raise InputError(msg)
        if len(n_words) < fewest_categories:
            msg = (
                f"the recording has {len(n_words)} values of {target!r}, and {fewest_categories} "
                "or more are needed, since units are laid out by other categories than those "
                "that are tested: add categories."
            )
            raise InputError(msg)
        words = grouped_folds(recording, target, groups, n_folds=2, seed=seed)
        half = words.fold_of_word
        is_first = np.zeros(words.n_categories, dtype=np.bool_)
        chosen = np.random.default_rng([seed, 5]).permutation(words.n_categories)
        is_first[chosen[: words.n_categories // 2]] = True
        sides = tuple(
            Side(
                (half == place) & (is_first[words.label_of_word] != bool(place)),
                half != place,
                np.flatnonzero(is_first == bool(place)),
                words.label_of_word,
            )
            for place in (0, 1)
        )
        fewest = min(int(side.fitted.sum()) for side in sides)
        if fewest < _FEWEST_TO_FIT:
            msg = (
                f"only {fewest} words are left to lay units out by, half of those of half of the "
                f"categories, and {_FEWEST_TO_FIT} or more are needed: add words or categories."
            )
            raise InputError(msg)
        codes = None
        if frames is not None:
            values = recording.labels[frames].astype(str).to_numpy()
            codes = np.unique(values, return_inverse=True)[1].astype(np.intp)
        return cls(words, codes, (sides[0], sides[1]))

    def read(
        self, recording: Recording, site: str, layer: int
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Read a layer: frames' means removed, sentences averaged, units on one scale.

        Returns
        -------
        z : ndarray of float64, shape (n_words, n_varying)
            Activations of words, without units that are constant.
        units : ndarray of int, shape (n_varying,)
            Which units these are.

        Raises
        ------
        InputError
            Where too few units vary.
        """
        x: NDArray[np.floating] = activations(recording, site, layer)
        size = np.abs(x).max(axis=0)
        if self.frame is not None:
            x = without_means(x, self.frame)
        x = means_of(x, self.words.word)
        # In a unit that is constant, or in which frames were all that varied, rounding is left.
        units = np.flatnonzero(np.ptp(x, axis=0) > _ROUNDING * size)
        if len(units) < _FEWEST_UNITS:
            msg = (
                f"{len(units)} units of {site} vary over words at layer {layer}, and a map takes "
                f"{_FEWEST_UNITS} or more: check site and position, or leave the layer out."
            )
            raise InputError(msg)
        return z_scored(x[:, units]), units
