"""What a functional localiser contrasts: two kinds of words, their activations, units chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.preparation import activations, check_labels, over_layers
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import ContrastWords, means_of

Convention = Literal["signed", "absolute"]


@dataclass(frozen=True, eq=False)
class Contrast:
    """Two kinds of words of a recording.

    Attributes
    ----------
    rows : ndarray of int, shape (n_stimuli,)
        Stimuli of either kind.
    word : ndarray of int, shape (n_stimuli,)
        Word of each.
    words : ContrastWords
        Kind, stratum and halves of each word.
    positive, negative : str
        What is contrasted; the latter is empty where it is all others.
    convention : {"signed", "absolute"}
        Whether activations count with their sign.
    """

    rows: NDArray[np.intp]
    word: NDArray[np.intp]
    words: ContrastWords
    positive: str
    negative: str
    convention: Convention

    @classmethod
    def of(
        cls,
        recording: Recording,
        target: str,
        groups: str,
        positive: str | None,
        negative: str | None,
        *,
        strata: str | None,
        convention: Convention,
        n_splits: int,
        seed: int,
    ) -> Contrast:
        """Find both kinds among the stimuli; parameters as `localize` has them.

        Raises
        ------
        InputError
            For a label or a value that is not there, a word of both kinds, too few words, and an
            unknown convention.
        """
        check_labels(recording, target, groups)
        if convention not in ("signed", "absolute"):
            raise InputError(f"convention is {convention!r}: choose signed or absolute.")
        labels = recording.labels
        kind = labels[target].astype(str).to_numpy()
        known = sorted(set(kind))
        positive = known[0] if positive is None else positive
        for value in (positive, negative):
            if value is not None and value not in known:
                raise InputError(
                    f"{target} has no value {value!r}: contrast two of {', '.join(known)}."
                )
        if positive == negative:
            raise InputError(f"{positive!r} is contrasted with itself: name another value.")
        is_either = (kind == positive) | (negative is None) | (kind == negative)
        rows = np.flatnonzero(is_either)
        names, word = np.unique(labels[groups].astype(str).to_numpy()[rows], return_inverse=True)
        is_positive = np.zeros(len(names), dtype=np.bool_)
        is_positive[word] = kind[rows] == positive
        if (is_positive[word] != (kind[rows] == positive)).any():
            stray = names[word[is_positive[word] != (kind[rows] == positive)][0]]
            raise InputError(
                f"the {groups} {stray!r} is of both kinds that are contrasted: each must keep to "
                "one."
            )
        return cls(
            rows,
            word.astype(np.intp),
            ContrastWords.deal(
                is_positive,
                _stratum(recording, strata, rows, word),
                n_splits=n_splits,
                seed=seed,
            ),
            positive,
            "" if negative is None else negative,
            convention,
        )

    def activations(
        self, recording: Recording, site: str, layers: Sequence[int]
    ) -> tuple[NDArray[np.float32], list[slice]]:
        """Read the words' activations of all layers side by side.

        Returns
        -------
        x : ndarray of float32, shape (n_words, n_layers * n_units)
            Means over the stimuli of each word, of absolute values by that convention.
        places : list of slice
            Where each layer lies among the units.
        """

        def of_words(layer: int) -> NDArray[np.float32]:
            x = activations(recording, site, layer)[self.rows]
            x = np.abs(x) if self.convention == "absolute" else x
            return means_of(x, self.word).astype(np.float32)

        by_layer = over_layers(of_words, layers, f"read {recording.name} {site}")
        ends = np.cumsum([0, *(x.shape[1] for x in by_layer)])
        places = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        return np.concatenate(by_layer, axis=1), places


def n_units_chosen(top_share: float, n_units: int) -> int:
    """Give the number of units that a share of them is, one at least.

    Raises
    ------
    InputError
        For a share that is not above 0, or above a half.
    """
    if not 0 < top_share <= 0.5:
        raise InputError(f"top_share is {top_share}: give a share of the units from 0 to 0.5.")
    return max(round(top_share * n_units), 1)


def _stratum(
    recording: Recording, strata: str | None, rows: NDArray[np.intp], word: NDArray[np.intp]
) -> NDArray[np.intp] | None:
    """Stratum of each word; None where the label is not there or words lie in several."""
    if strata is None or strata not in recording.labels.columns:
        return None
    values = recording.labels[strata].astype(str).to_numpy()[rows]
    code = np.unique(values, return_inverse=True)[1].astype(np.intp)
    of_word = np.zeros(word.max() + 1, dtype=np.intp)
    of_word[word] = code
    return of_word if (of_word[word] == code).all() else None
