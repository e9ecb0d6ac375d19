"""What is compared in two recordings: their shared words, halves of these, who may swap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.alignment import aligned
from cortiscope.errors import InputError
from cortiscope.scanning import Recording

LEVELS = ("word", "stimulus")

# Halves of the words are compared, and U-centring needs 4 items in each.
_FEWEST_WORDS = 8
_FEWEST_OF_A_CATEGORY = 4

# Where all that is left of a layer's sum of squares is less than this share, it was rounding.
_ROUNDING = 1e-13


@dataclass(frozen=True, eq=False)
class PairDesign:
    """The words that two recordings share, and how each recording's stimuli become rows.

    Attributes
    ----------
    stimuli, other_stimuli : ndarray of int, shape (n_shared,)
        Where each recording holds the shared stimuli, sorted by word, frame and stimulus_id.
    word : ndarray of int, shape (n_shared,)
        Word of each.
    frame : ndarray of int, shape (n_shared,)
        Frame of each.
    category_of_word, half_of_word : ndarray of int, shape (n_words,)
        Category, and to which half each word was dealt.
    stratum_of_word : ndarray of int, shape (n_words,)
        Words of one half that come in the same frames: these alone take each other's place.
    level : str
        What a row is: ``word``, the mean of its sentences, or ``stimulus``.
    """

    stimuli: NDArray[np.intp]
    other_stimuli: NDArray[np.intp]
    word: NDArray[np.intp]
    frame: NDArray[np.intp]
    category_of_word: NDArray[np.intp]
    half_of_word: NDArray[np.intp]
    stratum_of_word: NDArray[np.intp]
    level: str

    @classmethod
    def of(
        cls,
        recording: Recording,
        other: Recording,
        *,
        groups: str,
        frames: str | None,
        target: str | None,
        level: str,
        seed: int,
    ) -> PairDesign:
        """Align two recordings and deal the words that they share to halves.

        Raises
        ------
        InputError
            For an unknown level, labels that are missing or differ, a word in two categories, and
            fewer shared words than it takes.
        """
        if level not in LEVELS:
            msg = f"level is {level!r}: choose one of {', '.join(LEVELS)}."
            raise InputError(msg)
        shared = aligned(
            recording, other, agree_on=(groups, frames, target), at_least=_FEWEST_WORDS
        )
        word, words = _codes(shared.labels[groups])
        frame = np.zeros_like(word) if frames is None else _codes(shared.labels[frames])[0]
        category = np.zeros_like(word) if target is None else _codes(shared.labels[target])[0]
        _check_words(words, f"{recording.name} and {other.name}")
        order = np.lexsort((shared.labels.index.to_numpy(dtype=str), frame, word))
        word, frame = word[order], frame[order]
        category_of_word = _category_of_word(category[order], word, words, target)
        if target is not None:
            _check_categories(category_of_word, np.unique(shared.labels[target].astype(str)))
        frames_of_word = _same_frames(word, frame)
        half = _deal(category_of_word, frames_of_word, seed)
        return cls(
            stimuli=shared.rows[order],
            other_stimuli=shared.other_rows[order],
            word=word,
            frame=frame,
            category_of_word=category_of_word,
            half_of_word=half,
            stratum_of_word=2 * frames_of_word + half,
            level=level,
        )

    @property
    def n_words(self) -> int:
        """Number of words that both recordings hold."""
        return len(self.category_of_word)

    @property
    def counted(self) -> dict[str, int]:
        """Stimuli, words, and words that another one can take the place of."""
        sizes = np.bincount(self.stratum_of_word)[self.stratum_of_word]
        return {
            "n_stimuli": len(self.word),
            "n_words": self.n_words,
            "n_exchangeable_words": int((sizes > 1).sum()),
        }

    @property
    def word_of_row(self) -> NDArray[np.intp]:
        """Word of each row."""
        return np.arange(self.n_words) if self.level == "word" else self.word

    @property
    def jackknife_strata(self) -> NDArray[np.intp]:
        """Category and half of each word: a subset of the jackknife loses the same of each."""
        return 2 * self.category_of_word + self.half_of_word

    def rows(
        self, x: NDArray[np.float32], stimuli: NDArray[np.intp], what: str
    ) -> NDArray[np.float32]:
        """Give the rows of one layer, without the means of frames.

        Parameters
        ----------
        x : ndarray of float32, shape (n_stimuli, n_units)
            All that the recording holds.
        stimuli : ndarray of int, shape (n_shared,)
            `stimuli`, or `other_stimuli`.
        what : str
            Said where all rows are the same.

        Returns
        -------
        ndarray of float32, shape (n_rows, n_units)
        """
        x = x[stimuli]
        total = float(np.einsum("ij,ij->", x, x, dtype=np.float64))
        for frame in range(int(self.frame.max()) + 1):
            members = np.flatnonzero(self.frame == frame)
            within = x[members]
            x[members] = within - within.mean(axis=0, dtype=np.float64).astype(np.float32)
        if self.level == "word":
            starts = np.searchsorted(self.word, np.arange(self.n_words))
            x = np.add.reduceat(x, starts, axis=0)
            x /= np.bincount(self.word).astype(np.float32)[:, None]
        if not float(np.einsum("ij,ij->", x, x, dtype=np.float64)) > _ROUNDING * total:
            msg = (
                f"{what} is the same for all words within a frame, and similarity needs words "
                "that differ: leave that layer out."
            )
            raise InputError(msg)
        return x

    def permutations_of_rows(self, of_words: NDArray[np.intp]) -> NDArray[np.intp]:
        """Give the rows that move with their words, each to the place of the same frame.

        Parameters
        ----------
        of_words : ndarray of int, shape (m, n_words)
            Permutations that keep to `stratum_of_word`.

        Returns
        -------
        ndarray of int, shape (m, n_rows)
        """
        word = self.word_of_row
        starts = np.searchsorted(word, np.arange(self.n_words))
        place = np.arange(len(word)) - starts[word]
        return np.asarray(starts[of_words][:, word] + place, dtype=np.intp)


def _codes(label: pd.Series[Any]) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    names, codes = np.unique(label.astype(str).to_numpy(dtype=str), return_inverse=True)
    return codes.astype(np.intp), names


def _category_of_word(
    category: NDArray[np.intp], word: NDArray[np.intp], words: NDArray[np.str_], target: str | None
) -> NDArray[np.intp]:
    by_word = np.zeros(len(words), dtype=np.intp)
    by_word[word] = category
    if (stray := np.flatnonzero(by_word[word] != category)).size:
        msg = (
            f"{str(words[word[stray[0]]])!r} has two values of {target!r}: a word must keep to "
            "one, or choose target=None, which deals words to halves without it."
        )
        raise InputError(msg)
    return by_word


def _check_words(words: NDArray[np.str_], names: str) -> None:
    if len(words) < _FEWEST_WORDS:
        msg = (
            f"{names} share {len(words)} words, and {_FEWEST_WORDS} or more are needed: record "
            "both on more of the same words."
        )
        raise InputError(msg)


def _check_categories(category_of_word: NDArray[np.intp], names: NDArray[np.str_]) -> None:
    sizes = np.bincount(category_of_word)
    if sizes.min() < _FEWEST_OF_A_CATEGORY:
        msg = (
            f"category {str(names[sizes.argmin()])!r} has {sizes.min()} of the words that both "
            f"recordings share, and {_FEWEST_OF_A_CATEGORY} or more are needed, two for each half: "
            "leave the category out, or choose target=None, which deals words to halves without it."
        )
        raise InputError(msg)


def _same_frames(word: NDArray[np.intp], frame: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give words that come in the same frames, as often in each, the same number."""
    counts = np.zeros((int(word.max()) + 1, int(frame.max()) + 1), dtype=np.intp)
    np.add.at(counts, (word, frame), 1)
    return np.unique(counts, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)


def _deal(
    category_of_word: NDArray[np.intp], frames_of_word: NDArray[np.intp], seed: int
) -> NDArray[np.intp]:
    """Deal the words of each category to two halves, evenly over those in the same frames."""
    rng = np.random.default_rng([seed, 1])
    half = np.zeros(len(category_of_word), dtype=np.intp)
    side = 0
    for category in np.unique(category_of_word):
        members = rng.permutation(np.flatnonzero(category_of_word == category))
        members = members[np.argsort(frames_of_word[members], kind="stable")]
        half[members] = (np.arange(len(members)) + side) % 2
        side = (side + len(members)) % 2
    return half
