"""What is read from a subject while it is stimulated: what a readout shows, asks for, and returns.

A readout lays out rows (texts), each with the tokens at which it reads. All rows are shown under
every condition, in batches; for each batch and condition the readout turns outputs into arrays with
a first axis of rows, and in the end lays these out with names for their axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xarray as xr

from cortiscope.errors import InputError
from cortiscope.subjects import Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


@dataclass(frozen=True)
class Row:
    """One text that is shown, with where its target is and where it is read.

    Indices count the unpadded tokens, special ones included.

    Parameters
    ----------
    stimulus_id : str
        Which stimulus it shows, or another name for a text that is none. A patch takes its
        activations from the source's row of this name.
    tokens : Tokens
        As `Subject.tokenize` gave them; tokens that a readout appends are not special.
    target : tuple of int or None
        Tokens of the target. None for a text that has no target, in which interventions act on
        every token but the leading special ones.
    read_at : tuple of int
        Tokens whose activations and logits the readout gets; may differ in number between rows.
    """

    stimulus_id: str
    tokens: Tokens
    target: tuple[int, ...] | None
    read_at: tuple[int, ...]


@dataclass(frozen=True)
class Needs:
    """What a readout gets of every pass.

    Parameters
    ----------
    captures : tuple of (str, int)
        Sites and layers, at each row's `read_at`.
    logits : bool
        The next-token logits (in an encoder the token's own), at each row's `read_at`.
    clean : bool
        The same of the clean pass over the same rows.
    n_new_tokens : int
        Tokens by which every row is continued under the condition, greedily or as `choose` says.
    choose : callable or None
        Given logits (row, vocabulary) float32, the step from 0 and the rows, the next ids (row,);
        None takes the most probable.
    """

    captures: tuple[tuple[str, int], ...] = ()
    logits: bool = False
    clean: bool = False
    n_new_tokens: int = 0
    choose: Callable[[Tensor, int, Sequence[Row]], Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Outputs:
    """What one pass gave for some rows under one condition.

    Parameters
    ----------
    rows : tuple of Row
        Which rows, in order.
    valid : Tensor of bool, (row, read)
        False where a row is read at fewer tokens than the others of its batch.
    captures : mapping of (str, int) to Tensor, (row, read, ...)
        By site and layer, in the model's dtype; zero where not valid.
    logits : Tensor of float32 or None, (row, read, vocabulary)
        Zero where not valid.
    clean : Outputs or None
        Of the same rows without interventions.
    continued : Tensor of int64 or None, (row, n_new_tokens)
        The ids by which each row was continued.
    """

    rows: tuple[Row, ...]
    valid: Tensor
    captures: Mapping[tuple[str, int], Tensor] = field(default_factory=dict)
    logits: Tensor | None = None
    clean: Outputs | None = None
    continued: Tensor | None = None


class Readout(ABC):
    """Something that is read under every condition.

    A readout is an immutable value. `fingerprint` is of all that its numbers depend on besides
    subject, stimuli and conditions.

    Attributes
    ----------
    name : str
        Unique among the readouts of a call.
    """

    name: str

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of what it reads and how."""

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """What it gets of every pass."""

    @abstractmethod
    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Lay out the texts that are shown; see `stimulus_rows` for the stimuli as they are."""

    @abstractmethod
    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Turn the outputs of some rows into arrays (row, ...), named as variables.

        Rows are read independently of what other rows are in the batch.
        """

    @abstractmethod
    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Name the axes of what was read.

        Parameters
        ----------
        values : mapping of str to ndarray, (condition, row, ...)
            What `read` gave, for all rows in the order of `rows`.
        stimuli : StimulusSet
            What was shown.

        Returns
        -------
        xarray.Dataset
            One or several variables, whose names begin with `name`, with the first dimension
            ``condition`` (without coordinate) and mostly ``stimulus`` (the ids as coordinate) as
            the second.
        """


def stimulus_rows(
    subject: Subject,
    stimuli: StimulusSet,
    read_at: Callable[[Tokens, tuple[int, ...]], tuple[int, ...]],
    *,
    after: str = "",
) -> list[Row]:
    """Show every stimulus as it is, or with some text after it.

    Parameters
    ----------
    subject : Subject
        Who reads them.
    stimuli : StimulusSet
        What is shown.
    read_at : callable
        Given tokens and the target's tokens, the tokens to read at.
    after : str
        Appended to every text, before trailing special tokens.

    Returns
    -------
    list of Row
        In the order of the set.

    Raises
    ------
    InputError
        When no token stands for a stimulus' target.
    """
    table = stimuli.table
    texts = [text + after for text in table["text"]]
    spans = zip(table["target_start"].tolist(), table["target_end"].tolist(), strict=True)
    rows = []
    for stimulus_id, span, tokens in zip(
        table["stimulus_id"], spans, subject.tokenize(texts), strict=True
    ):
        target = target_tokens(tokens, span, stimulus_id)
        rows.append(Row(stimulus_id, tokens, target, read_at(tokens, target)))
    return rows


def target_tokens(tokens: Tokens, span: tuple[int, int], stimulus_id: str) -> tuple[int, ...]:
    """Find the tokens that stand for at least one of the target's characters.

    Examples
    --------
    >>> tokens = Tokens((9, 1, 2), ((0, 0), (0, 1), (1, 5)), (True, False, False))
    >>> target_tokens(tokens, (2, 5), "s1")
    (2,)
    """
    start, end = span
    found = tuple(
        at
        for at, (first, last) in enumerate(tokens.offsets)
        if not tokens.special[at] and max(first, start) < min(last, end)
    )
    if not found:
        raise InputError(
            f"Stimulus {stimulus_id!r}: no token of the subject stands for its target; take the "
            "stimulus out, or mend its text."
        )
    return found
