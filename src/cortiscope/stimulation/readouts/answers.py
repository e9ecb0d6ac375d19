"""What the subject would answer: the log-odds of each category's names behind a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Row
from cortiscope.stimulation.readouts.answering import Answering, told
from cortiscope.subjects.world import spoken_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


@dataclass(frozen=True, eq=False)
class AnswerLogOdds(Answering):
    """Log-odds of the answers of each category against those of the others, behind a prompt.

    The log probability of an answer is the sum over its tokens of the log probability of each,
    given the prompt and the tokens before it. That of a longer answer is the lower for its
    length, in the clean pass as under a condition: compare conditions, or the same answer
    between prompts. The log-odds of a category are the log of the summed probability of its
    answers minus the log of that of all others, in nats.

    A masked model is asked at its mask token, where an answer must be a single token.

    Interventions that act from the target on, act in the prompt: from the target's last token
    there to the end, the answer's own tokens included.

    Parameters
    ----------
    answers : mapping of str to sequence of str
        The answers of each category, at least two categories; without the space in front.
    prompt : str
        A template with slots, as `fill_prompts` takes it: ``{a}`` is the word with its article,
        ``{word}``, ``{target}`` and ``{text}`` are what they say.
    after : str
        What follows the mask in a masked model.
    name : str
        With which the names of the variables begin.

    Raises
    ------
    InputError
        For fewer than two categories, a category without answers, an answer that is empty, begins
        or ends with a space, or stands twice.

    References
    ----------
    Salazar et al. (2020), Masked language model scoring, ACL, for the probability at a mask;
    Holtzman et al. (2021), Surface form competition, EMNLP, for why several answers are summed and
    why the log probabilities of different answers are not compared with each other.

    Examples
    --------
    >>> readout = AnswerLogOdds.naming(["animal", "body_part"])
    >>> dict(readout.answers)
    {'animal': ('animal',), 'body_part': ('body part',)}
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> stimuli = StimulusSet.from_words({"animal": ["otter"]}, {"card": "The card said {word}."})
    >>> [row] = readout.rows(Subject.load("specimen:qwen2"), stimuli)
    >>> row.stimulus_id, row.target, row.read_at
    ('animal-otter-card', (2,), (6, 7))
    """

    answers: Mapping[str, Sequence[str]]
    prompt: str = "{a} is a kind of"
    after: str = "."
    name: str = "answers"
    _flat: tuple[tuple[str, str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        answers = {
            str(category): (given,) if isinstance(given, str) else tuple(given)
            for category, given in self.answers.items()
        }
        flat = tuple((category, answer) for category in answers for answer in answers[category])
        _check(answers, [answer for _, answer in flat])
        object.__setattr__(self, "answers", answers)
        object.__setattr__(self, "_flat", flat)

    @classmethod
    def naming(cls, categories: Iterable[str], prompt: str = "{a} is a kind of") -> Self:
        """Ask for the names of the categories themselves.

        Parameters
        ----------
        categories : iterable of str
            As stimuli are labelled; an underscore is spoken as a space.
        prompt : str
            As in the class.

        Returns
        -------
        AnswerLogOdds
            With one answer a category.
        """
        return cls({category: (spoken_name(category),) for category in categories}, prompt)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of prompt and answers."""
        return fingerprint(
            [
                "AnswerLogOdds",
                self.name,
                self.prompt,
                self.after,
                [list(pair) for pair in self._flat],
            ]
        )

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Put every stimulus into the prompt, with the beginnings of answers behind it."""
        return self.ask(subject, stimuli, [[text for _, text in self._flat]] * len(stimuli))

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give the log probability of each answer and the log-odds of each category, sorted."""
        summed = told(values, len(stimuli))
        answer = f"{self.name}_answer"
        return xr.Dataset(
            {
                f"{self.name}_log_probability": (("condition", "stimulus", answer), summed),
                f"{self.name}_log_odds": (
                    ("condition", "stimulus", "category"),
                    self._log_odds(summed),
                ),
            },
            {
                "stimulus": stimuli.table["stimulus_id"].tolist(),
                "category": sorted(self.answers),
                answer: [text for _, text in self._flat],
                f"{answer}_category": (answer, [category for category, _ in self._flat]),
            },
        )

    def _log_odds(self, summed: NDArray[np.float64]) -> NDArray[np.float64]:
        of_answer = np.array([category for category, _ in self._flat])
        odds = [
            logsumexp(summed[..., of_answer == category], axis=-1)
            - logsumexp(summed[..., of_answer != category], axis=-1)
            for category in sorted(self.answers)
        ]
        return np.stack(odds, axis=-1)


def _check(answers: Mapping[str, Sequence[str]], flat: Sequence[str]) -> None:
    if len(answers) < 2:
        raise InputError(
            f"There are answers for {len(answers)} category, and log-odds need at least two: give "
            "the answers of the others too."
        )
    empty = [category for category, given in answers.items() if not given]
    if empty:
        raise InputError(f"The category {empty[0]!r} has no answers; give it at least one.")
    for answer in flat:
        if not isinstance(answer, str) or not answer or answer != answer.strip():
            raise InputError(
                f"The answer {answer!r} must be a text without spaces around it; the space in "
                "front of an answer is put there."
            )
        if flat.count(answer) > 1:
            raise InputError(
                f"The answer {answer!r} stands twice, and can speak for one category only; take it "
                "out of the others."
            )
