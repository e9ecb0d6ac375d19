"""What d' needs of the words: their sums, and the halves that they are dealt to."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError


@dataclass(frozen=True, eq=False)
class WordSums:
    """What d' needs to know of the stimuli of each word.

    Attributes
    ----------
    count : ndarray, shape (n_words + 1,)
        Stimuli of each word; the last entry, here and below, is 0: a place without a word.
    first, second : ndarray, shape (n_words + 1, n_units)
        Sums of standardised activations and of their squares.
    """

    count: NDArray[np.floating]
    first: NDArray[np.floating]
    second: NDArray[np.floating]

    @classmethod
    def of(cls, x: NDArray[np.floating], word: NDArray[np.intp]) -> WordSums:
        """Sum over the stimuli of each word.

        Units are standardised before, which no d' notices, so that sums of squares are exact
        also in units with a large mean.

        Parameters
        ----------
        x : ndarray, shape (n_stimuli, n_units)
            Activations.
        word : ndarray of int, shape (n_stimuli,)
            Word of each stimulus, from 0 on without gaps.

        Returns
        -------
        WordSums
            In float64.
        """
        z = np.asarray(x, dtype=np.float64) - x.mean(axis=0, dtype=np.float64)
        deviation = z.std(axis=0)
        z /= np.where(deviation > 0, deviation, 1.0)
        order = np.argsort(word, kind="stable")
        starts = np.searchsorted(word[order], np.arange(word.max() + 1))
        z = z[order]
        nothing = np.zeros((1, x.shape[1]))
        return cls(
            np.append(np.bincount(word), 0).astype(np.float64),
            np.concatenate([np.add.reduceat(z, starts, axis=0), nothing]),
            np.concatenate([np.add.reduceat(z**2, starts, axis=0), nothing]),
        )

    def single(self) -> WordSums:
        """Give the same in float32, which is enough for draws."""
        return WordSums(*(getattr(self, field.name).astype(np.float32) for field in fields(self)))


@dataclass(frozen=True, eq=False)
class SplitHalves:
    """Splits of the words into halves, stratified by category.

    Words are kept by their places: place p of category c. A permutation of the labels puts other
    words in these places, and so takes the halves along: halves are stratified on the permuted
    labels as they are on the true ones, and words can be permuted over all folds.

    Attributes
    ----------
    word : ndarray of int, shape (n_categories, n_places)
        The word in each place; n_words in places that a smaller category leaves empty.
    is_in : ndarray of bool, shape (2, n_splits, n_categories, n_places)
        Whether the word in a place lies in a half.
    """

    word: NDArray[np.intp]
    is_in: NDArray[np.bool_]

    @classmethod
    def draw(
        cls, label_of_word: NDArray[np.intp], n_splits: int = 100, seed: int = 0
    ) -> SplitHalves:
        """Deal the words of each category to two halves, again and again.

        Parameters
        ----------
        label_of_word : ndarray of int, shape (n_words,)
            Category of each word.
        n_splits : int
            Number of splits.
        seed : int
            Seed of the deals; more splits begin with the same ones.

        Returns
        -------
        SplitHalves
            Where a category has an odd number of words, chance says which half has one more.

        Raises
        ------
        InputError
            For a category of one word, and when there is no split.

        Examples
        --------
        >>> halves = SplitHalves.draw(np.array([0, 0, 0, 0, 1, 1]), n_splits=3)
        >>> halves.word.tolist()
        [[0, 1, 2, 3], [4, 5, 6, 6]]
        >>> halves.is_in.sum(axis=3).tolist()
        [[[2, 1], [2, 1], [2, 1]], [[2, 1], [2, 1], [2, 1]]]
        """
        if n_splits < 1:
            msg = f"the number of splits is {n_splits}: give at least 1."
            raise InputError(msg)
        sizes = np.bincount(label_of_word)
        if sizes.min() < 2:
            msg = "a category has one word only: to split it into halves takes two or more."
            raise InputError(msg)
        word = np.full((len(sizes), sizes.max()), len(label_of_word))
        for category, size in enumerate(sizes):
            word[category, :size] = np.flatnonzero(label_of_word == category)
        is_in = np.zeros((2, n_splits, *word.shape), dtype=np.bool_)
        for split in range(n_splits):
            rng = np.random.default_rng([seed, split])
            for category, size in enumerate(sizes):
                half = rng.permutation((np.arange(size) + rng.integers(2)) % 2)
                is_in[:, split, category, :size] = half == np.arange(2)[:, None]
        return cls(word, is_in)

    @property
    def n_splits(self) -> int:
        """Number of splits."""
        return int(self.is_in.shape[1])

    def some(self, start: int, stop: int) -> SplitHalves:
        """Take the splits from `start` up to `stop`."""
        return SplitHalves(self.word, self.is_in[:, start:stop])
