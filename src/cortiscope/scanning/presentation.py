"""Stimuli as a subject reads them: their tokens, which of these are recorded, the batches."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.scanning.batches import Batch, make_batches
from cortiscope.scanning.positions import Position, recorded_tokens
from cortiscope.subjects import Tokens

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject

_TOKENIZED_AT_ONCE = 512


class Lists:
    """Lists of whole numbers, one a stimulus, end to end in one array.

    As Python objects the tokens of a large set would take most of the memory of a scan.

    Examples
    --------
    >>> lists = Lists()
    >>> lists.append([5, 6])
    >>> lists.append([7])
    >>> lists[0], lists[1], lists.sizes.tolist()
    ((5, 6), (7,), [2, 1])
    """

    def __init__(self) -> None:
        self._values = array("i")
        self._ends = array("q", [0])

    def append(self, values: Iterable[int]) -> None:
        """Add the next list."""
        self._values.extend(values)
        self._ends.append(len(self._values))

    def __getitem__(self, at: int) -> tuple[int, ...]:
        """Give one list."""
        return tuple(self._values[self._ends[at] : self._ends[at + 1]])

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Length of each list."""
        ends = np.array(self._ends, dtype=np.int64)
        return ends[1:] - ends[:-1]

    @property
    def fingerprint(self) -> str:
        """Hash of all lists."""
        return fingerprint([np.array(self._values, dtype=np.int64), self.sizes])


@dataclass(frozen=True)
class Presented:
    """One stimulus as the subject reads it.

    Parameters
    ----------
    stimulus_id : str
        Which stimulus.
    tokens : Tokens
        Its ids alone, special ones included.
    recorded : tuple of int
        Indices of the tokens that are recorded.
    """

    stimulus_id: str
    tokens: Tokens
    recorded: tuple[int, ...]


@dataclass(frozen=True)
class Presentation:
    """All stimuli of a scan, and the batches in which they are shown.

    Parameters
    ----------
    stimulus_ids : tuple of str
        In the order of the stimulus set, as all that follows.
    ids : Lists
        Tokens of each stimulus, special ones included.
    recorded : Lists
        Indices of those that are recorded.
    n_tokens : ndarray of int64, (n_stimuli,)
        Tokens of each stimulus, special ones not counted.
    batches : tuple of Batch
        In the order in which they are shown and stored.
    """

    stimulus_ids: tuple[str, ...]
    ids: Lists
    recorded: Lists
    n_tokens: NDArray[np.int64]
    batches: tuple[Batch, ...]

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return len(self.stimulus_ids)

    @property
    def order(self) -> NDArray[np.int64]:
        """For each row of the store, the position of its stimulus in the stimulus set."""
        return np.array([at for batch in self.batches for at in batch.stimuli], dtype=np.int64)

    @property
    def n_padded_tokens(self) -> int:
        """Tokens that go through the model, padding counted."""
        return sum(len(batch.stimuli) * batch.length for batch in self.batches)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what decides the numbers: ids, recorded tokens and composition of batches."""
        lengths = [batch.length for batch in self.batches]
        return fingerprint([self.ids, self.recorded, self.order, lengths])

    def members(self, batch: Batch) -> list[Presented]:
        """Give the stimuli of a batch."""
        return [
            Presented(self.stimulus_ids[at], Tokens(self.ids[at], (), ()), self.recorded[at])
            for at in batch.stimuli
        ]


def present(
    subject: Subject, stimuli: StimulusSet, position: Position, batch_size: int
) -> Presentation:
    """Turn stimuli into what the subject is shown.

    Parameters
    ----------
    subject : Subject
        Who reads them.
    stimuli : StimulusSet
        What is shown.
    position : str
        Which tokens are recorded.
    batch_size : int
        Stimuli in a pass.

    Returns
    -------
    Presentation
        A pure function of stimuli, tokenizer and parameters.

    Raises
    ------
    InputError
        When a stimulus is longer than the subject can read, or has no token at the position.
    """
    table = stimuli.table
    ids, recorded, n_tokens = Lists(), Lists(), []
    for first in range(0, len(table), _TOKENIZED_AT_ONCE):
        part = table.iloc[first : first + _TOKENIZED_AT_ONCE]
        targets = zip(part["target_start"].tolist(), part["target_end"].tolist(), strict=True)
        for stimulus_id, target, tokens in zip(
            part["stimulus_id"], targets, _tokenize(subject, part), strict=True
        ):
            ids.append(tokens.ids)
            recorded.append(recorded_tokens(tokens, position, target, stimulus_id))
            n_tokens.append(len(tokens) - sum(tokens.special))
    return Presentation(
        stimulus_ids=tuple(table["stimulus_id"]),
        ids=ids,
        recorded=recorded,
        n_tokens=np.array(n_tokens, dtype=np.int64),
        batches=make_batches(ids.sizes.tolist(), batch_size),
    )


def _tokenize(subject: Subject, part: pd.DataFrame) -> list[Tokens]:
    try:
        return subject.tokenize(part["text"].tolist())
    except InputError:
        for stimulus_id, text in zip(part["stimulus_id"], part["text"], strict=True):
            try:
                subject.tokenize([text])
            except InputError as error:
                raise InputError(f"Stimulus {stimulus_id!r} cannot be shown: {error}") from error
        raise
