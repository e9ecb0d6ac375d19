"""Cross-validation folds that keep all stimuli of a word together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from cortiscope.errors import InputError


@dataclass(frozen=True, eq=False)
class Folds:
    """Folds over stimuli, grouped by word and stratified by category.

    Categories are nested in words: every word has one category, and all of its stimuli lie in
    one fold. Labels that are permuted are labels of words, so the words' view is kept here too.

    Attributes
    ----------
    fold : ndarray of int, shape (n_stimuli,)
        The fold in which each stimulus is held out.
    label : ndarray of int, shape (n_stimuli,)
        Category of each stimulus, an index into `categories`.
    word : ndarray of int, shape (n_stimuli,)
        Word of each stimulus, an index into `words`.
    half : ndarray of int, shape (n_stimuli,)
        0 or 1: in which half of the words of its category and fold each stimulus lies, so that
        something can be chosen on one half of the held-out words and measured on the other.
    level : ndarray of int, shape (n_stimuli,)
        What is held out besides the words, such as the frame; all 0 when nothing is.
    categories, words : tuple of str
        Their names, sorted.
    """

    fold: NDArray[np.intp]
    label: NDArray[np.intp]
    word: NDArray[np.intp]
    half: NDArray[np.intp]
    level: NDArray[np.intp]
    categories: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def grouped(
        cls,
        target: Sequence[object],
        groups: Sequence[object],
        *,
        n_folds: int = 5,
        seed: int = 0,
        cross: Sequence[object] | None = None,
    ) -> Folds:
        """Deal the words of each category evenly over the folds.

        Parameters
        ----------
        target : sequence, length n_stimuli
            Category of each stimulus.
        groups : sequence, length n_stimuli
            Word of each stimulus.
        n_folds : int
            Number of folds.
        seed : int
            Seed of the deal.
        cross : sequence, length n_stimuli, optional
            A second thing to hold out, such as the frame: stimuli are then read by a probe that
            saw neither their word nor their frame.

        Returns
        -------
        Folds
            Every fold holds words of every category, as equal in number as they divide.

        Raises
        ------
        InputError
            When there are fewer than two categories, a category has fewer words than folds, or
            a word has two categories.

        References
        ----------
        The deal is scikit-learn's ``StratifiedKFold`` over words.

        Examples
        --------
        >>> folds = Folds.grouped(list("aabbaabb"), list("ppqqrrss"), n_folds=2)
        >>> folds.n_folds, folds.categories, folds.words
        (2, ('a', 'b'), ('p', 'q', 'r', 's'))
        >>> bool(folds.fold[0] == folds.fold[1])
        True
        """
        if len(target) != len(groups):
            msg = (
                f"target has {len(target)} entries and groups has {len(groups)}: give one of "
                "each for every stimulus."
            )
            raise InputError(msg)
        if n_folds < 2:
            msg = f"n_folds is {n_folds}: cross-validation needs at least 2."
            raise InputError(msg)
        categories, label = np.unique(np.asarray(target, dtype=str), return_inverse=True)
        words, word = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        label_of_word = np.zeros(len(words), dtype=np.intp)
        label_of_word[word] = label
        if not np.array_equal(label_of_word[word], label):
            stray = str(words[word[label_of_word[word] != label][0]])
            msg = (
                f"group {stray!r} spans two categories: every group must lie in one, else its "
                "stimuli would be in training and test at once."
            )
            raise InputError(msg)
        if len(categories) < 2:
            msg = f"the target has one category only ({str(categories[0])!r}): decoding needs two."
            raise InputError(msg)
        counts = np.bincount(label_of_word)
        if counts.min() < n_folds:
            poorest = str(categories[counts.argmin()])
            msg = (
                f"category {poorest!r} has {counts.min()} groups, fewer than the {n_folds} folds: "
                "add words to it or lower n_folds."
            )
            raise InputError(msg)
        fold_of_word = np.zeros(len(words), dtype=np.intp)
        splitter = StratifiedKFold(n_splits=n_folds, shuffle=True, random_state=seed)
        for index, (_, held_out) in enumerate(splitter.split(np.zeros(len(words)), label_of_word)):
            fold_of_word[held_out] = index
        level = np.zeros(len(target), dtype=np.intp)
        if cross is not None:
            level = np.unique(np.asarray(cross, dtype=str), return_inverse=True)[1].astype(np.intp)
        return cls(
            fold=fold_of_word[word],
            label=label.astype(np.intp),
            word=word.astype(np.intp),
            half=_halve(label_of_word, fold_of_word, seed)[word],
            level=level,
            categories=tuple(str(c) for c in categories),
            words=tuple(str(w) for w in words),
        )

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    @property
    def n_categories(self) -> int:
        """Number of categories."""
        return len(self.categories)

    @property
    def n_words(self) -> int:
        """Number of words."""
        return len(self.words)

    @property
    def label_of_word(self) -> NDArray[np.intp]:
        """Category of each word, shape (n_words,)."""
        return self._of_word(self.label)

    @property
    def fold_of_word(self) -> NDArray[np.intp]:
        """Fold of each word, shape (n_words,)."""
        return self._of_word(self.fold)

    @property
    def half_of_word(self) -> NDArray[np.intp]:
        """Half of each word, shape (n_words,)."""
        return self._of_word(self.half)

    @property
    def n_levels(self) -> int:
        """Number of levels of what is crossed with the words; 1 when nothing is."""
        return int(self.level.max()) + 1

    def parts(self) -> list[NDArray[np.intp]]:
        """List the stimuli of each half at each level: half 0 first, levels in order."""
        return [
            np.flatnonzero((self.half == half) & (self.level == level))
            for half in (0, 1)
            for level in range(self.n_levels)
        ]

    @property
    def cell(self) -> NDArray[np.intp]:
        """Which probe reads each stimulus, shape (n_stimuli,): its fold, or fold and level."""
        return self.fold * self.n_levels + self.level

    def splits(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield (training, held-out) indices of stimuli; each stimulus is held out once."""
        for index in range(self.n_folds):
            for level in range(self.n_levels):
                held_out = (self.fold == index) & (self.level == level)
                train = self.fold != index
                if self.n_levels > 1:
                    train &= self.level != level
                yield np.flatnonzero(train), np.flatnonzero(held_out)

    def _of_word(self, values: NDArray[np.intp]) -> NDArray[np.intp]:
        by_word = np.zeros(self.n_words, dtype=np.intp)
        by_word[self.word] = values
        return by_word


def _halve(
    label_of_word: NDArray[np.intp], fold_of_word: NDArray[np.intp], seed: int
) -> NDArray[np.intp]:
    """Deal the words of each category to two halves, fold by fold, evenly over both."""
    rng = np.random.default_rng([seed, 1])
    half = np.zeros(len(label_of_word), dtype=np.intp)
    for category in np.unique(label_of_word):
        members = rng.permutation(np.flatnonzero(label_of_word == category))
        by_fold = members[np.argsort(fold_of_word[members], kind="stable")]
        half[by_fold] = (np.arange(len(by_fold)) + rng.integers(2)) % 2
    return half
