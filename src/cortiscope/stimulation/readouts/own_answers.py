"""What the subject would answer where every stimulus has answers of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Row
from cortiscope.stimulation.readouts.answering import Answering, told

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


@dataclass(frozen=True, eq=False)
class OwnAnswers(Answering):
    """Log probability of each stimulus' own answer, and its log-odds against wrong ones.

    For stimuli that are questions, such as `facts` and `reasoning`. Log probabilities are summed
    over tokens, and interventions act, as in `AnswerLogOdds`.

    Parameters
    ----------
    right : str
        The label that holds the right answer, without a space in front.
    wrong : sequence of str
        Labels that hold wrong answers; with none there are no log-odds.
    prompt : str
        A template with slots, as `fill_prompts` takes it; by default the stimulus itself.
    after : str
        What follows the mask in a masked model.
    name : str
        With which the names of the variables begin.

    Examples
    --------
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> facts = StimulusSet.load("facts").select(["country_capital_city-Argentina-1"])
    >>> [row] = OwnAnswers().rows(Subject.load("specimen:qwen2"), facts)
    >>> len(row.asked), row.n_answers
    (1, 1)
    """

    right: str = "answer"
    wrong: Sequence[str] = ()
    prompt: str = "{text}"
    after: str = "."
    name: str = "own_answers"

    def __post_init__(self) -> None:
        given = (self.wrong,) if isinstance(self.wrong, str) else tuple(self.wrong)
        object.__setattr__(self, "wrong", given)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of prompt and labels; the answers are the stimuli's."""
        how = [self.right, self.wrong, self.prompt, self.after]
        return fingerprint(["OwnAnswers", self.name, *how])

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Put every stimulus into the prompt, with the beginnings of its answers behind it."""
        labels = (self.right, *self.wrong)
        missing = [label for label in labels if label not in stimuli.labels]
        if missing:
            raise InputError(
                f"{stimuli.name!r} has no label {missing[0]!r} for answers; its labels are "
                f"{', '.join(stimuli.labels)}."
            )
        answers = [[str(value) for value in row] for row in stimuli.table[list(labels)].to_numpy()]
        for stimulus_id, given in zip(stimuli.table["stimulus_id"], answers, strict=True):
            if not all(given) or len(set(given)) < len(given):
                raise InputError(
                    f"The stimulus {stimulus_id!r} has the answers {given}: give it every one, and "
                    "none twice."
                )
        return self.ask(subject, stimuli, answers)

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give the log probability of the answers, and the log-odds of the right one."""
        summed = told(values, len(stimuli))
        answer = f"{self.name}_answer"
        found = xr.Dataset(
            {f"{self.name}_log_probability": (("condition", "stimulus", answer), summed)},
            {
                "stimulus": stimuli.table["stimulus_id"].tolist(),
                answer: [self.right, *self.wrong],
            },
        )
        if self.wrong:
            odds = summed[..., 0] - logsumexp(summed[..., 1:], axis=-1)
            found[f"{self.name}_log_odds"] = (("condition", "stimulus"), odds)
        return found
