"""Asking each question once, where several stimuli make the same prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import xarray as xr

from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row
from cortiscope.stimulation.readouts.prompts import fill_prompts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cortiscope.stimulation.readouts.answers import AnswerLogOdds
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


@dataclass(frozen=True, eq=False)
class AskedOnce(Readout):
    """Answers behind a prompt that sentences of one word share: what one says holds for all.

    For interventions that do to equal texts the same: those that draw by stimulus, or take
    another's activations, do not.

    Parameters
    ----------
    answers : AnswerLogOdds
        What is asked; variables and their names are as it has them.

    Examples
    --------
    >>> from cortiscope.stimulation.readouts import AnswerLogOdds
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> words, frames = {"animal": ["otter"]}, {"card": "The card said {word}.", "so": "So {word}"}
    >>> stimuli = StimulusSet.from_words(words, frames)
    >>> asked = AnswerLogOdds.naming(["animal", "tool"])
    >>> subject = Subject.load("specimen:qwen2")
    >>> len(asked.rows(subject, stimuli)), len(AskedOnce(asked).rows(subject, stimuli))
    (2, 1)
    """

    answers: AnswerLogOdds

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the answers."""
        return self.answers.name

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what is asked, and that it is asked once."""
        return fingerprint(["AskedOnce", self.answers.fingerprint])

    @property
    def needs(self) -> Needs:
        """What the answers need."""
        return self.answers.needs

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Put the first stimulus of each prompt into it."""
        first, _ = self._first(stimuli)
        return self.answers.rows(subject, stimuli.select(first))

    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Read as the answers do."""
        return self.answers.read(outputs)

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give every stimulus what the first of its prompt told."""
        first, place = self._first(stimuli)
        told = self.answers.lay_out(values, stimuli.select(first))
        ids = stimuli.table["stimulus_id"].tolist()
        return told.isel(stimulus=place).assign_coords(stimulus=ids)

    def _first(self, stimuli: StimulusSet) -> tuple[list[str], list[int]]:
        """List the first stimulus of each prompt, and for every stimulus which of these it has."""
        prompts = fill_prompts(stimuli, self.answers.prompt)
        numbers: dict[tuple[str, tuple[int, int]], int] = {}
        place = [numbers.setdefault((p.text, p.target), len(numbers)) for p in prompts]
        first = [prompts[place.index(number)].stimulus_id for number in range(len(numbers))]
        return first, place
