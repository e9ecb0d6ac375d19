"""What all readouts of answers share: the texts that ask, and the summed log probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row
from cortiscope.stimulation.readouts.answer_tokens import AnswerRow, causal_rows, masked_rows
from cortiscope.stimulation.readouts.prompts import fill_prompts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


class Answering(Readout):
    """A readout of the log probabilities of answers behind a prompt, equally many a stimulus.

    Attributes
    ----------
    prompt : str
        A template, as `fill_prompts` takes it.
    after : str
        What follows the mask in a masked model.
    """

    prompt: str
    after: str

    @property
    def needs(self) -> Needs:
        """The logits behind the prompt."""
        return Needs(logits=True)

    def ask(
        self, subject: Subject, stimuli: StimulusSet, answers: Sequence[Sequence[str]]
    ) -> list[Row]:
        """Put every stimulus into the prompt, with the beginnings of its answers behind it."""
        prompts = fill_prompts(stimuli, self.prompt)
        if subject.anatomy.family.head == "masked":
            return [*masked_rows(subject, prompts, answers, self.after)]
        return [*causal_rows(subject, prompts, answers)]

    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Sum the log probabilities of each answer's tokens: (row, answer), NaN where not told."""
        assert outputs.logits is not None  # asked for in `needs`
        logits = outputs.logits
        texts = [row for row in outputs.rows if isinstance(row, AnswerRow)]
        places = [
            (at, number, read, token_id)
            for at, row in enumerate(texts)
            for number, steps in row.asked
            for read, token_id in steps
        ]
        rows, numbers, reads, ids = np.array(places, dtype=np.int64).reshape(-1, 4).T
        of_row, of_read, of_id = (
            torch.from_numpy(part.copy()).to(logits.device) for part in (rows, reads, ids)
        )
        log_p = logits[of_row, of_read, of_id] - logits.logsumexp(dim=-1)[of_row, of_read]
        sums = np.full((len(texts), texts[0].n_answers), np.nan)
        sums[rows, numbers] = 0.0
        np.add.at(sums, (rows, numbers), log_p.cpu().double().numpy())
        return {
            "log_probability": sums,
            "stimulus": np.array([row.stimulus for row in texts]),
        }


def told(values: Mapping[str, NDArray[np.generic]], n_stimuli: int) -> NDArray[np.float64]:
    """Gather what the texts of each stimulus told.

    Parameters
    ----------
    values : mapping of str to ndarray
        What `Answering.read` gave, over all texts: ``log_probability`` (condition, row, answer)
        and ``stimulus`` (condition, row).
    n_stimuli : int
        How many were shown.

    Returns
    -------
    ndarray of float64, (condition, stimulus, answer)
        Log probabilities.
    """
    by_row = np.asarray(values["log_probability"], dtype=np.float64)
    of_row = np.asarray(values["stimulus"])[0]  # the same under every condition
    rows, answers = np.nonzero(~np.isnan(by_row).all(axis=0))
    summed = np.full((len(by_row), n_stimuli, by_row.shape[-1]), np.nan)
    summed[:, of_row[rows], answers] = by_row[:, rows, answers]
    return summed
