"""The tokens of an answer where it stands behind its prompt, and the texts that ask for them.

An answer is split into tokens together with its prompt, so that the space before it falls where
the tokenizer puts it: into the answer's first token in byte-level BPE and SentencePiece, nowhere
in WordPiece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cortiscope.errors import InputError
from cortiscope.stimulation.readout import Row, target_tokens
from cortiscope.stimulation.readouts.places import take_tokens, without_end

if TYPE_CHECKING:
    from cortiscope.stimulation.readouts.prompts import Prompt
    from cortiscope.subjects import Subject, Tokens

Steps = tuple[tuple[int, int], ...]
"""For each token of an answer: at which of `read_at` it is predicted, and its id."""


@dataclass(frozen=True)
class AnswerRow(Row):
    """A prompt, perhaps with the beginning of an answer behind it.

    Parameters
    ----------
    asked : tuple of (int, Steps)
        Which answers (by number) this text tells the probability of, and where.
    n_answers : int
        How many the stimulus has, in all its texts together.
    stimulus : int
        Which of the stimuli, from 0.
    """

    asked: tuple[tuple[int, Steps], ...] = ()
    n_answers: int = 0
    stimulus: int = 0


def causal_rows(
    subject: Subject, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]]
) -> list[AnswerRow]:
    """Lay out the texts that tell every answer's probability in a causal model.

    A text tells the probability of every token that follows any of its beginnings, so all answers
    of one token are told by the prompt itself, and each longer one by the prompt with all its
    tokens but the last; a text that is the beginning of another is left out.

    Parameters
    ----------
    subject : Subject
        Who reads them.
    prompts : sequence of Prompt
        One a stimulus.
    answers : sequence of sequence of str
        Those of each prompt, equally many, without the space in front.

    Returns
    -------
    list of AnswerRow
        In the order of the prompts; each answer in exactly one of a prompt's texts.

    Raises
    ------
    InputError
        When the tokenizer joins the end of a prompt and an answer in one token.
    """
    whole = _filled(subject, prompts, answers, after="")
    bare = subject.tokenize([prompt.text for prompt in prompts])
    rows = []
    for number, prompt in enumerate(prompts):
        start = without_end(bare[number])
        endings = []
        for answer, filled in zip(answers[number], whole[number], strict=True):
            tokens = without_end(filled)
            if tokens.ids[: len(start)] != start.ids or len(tokens) == len(start):
                raise InputError(
                    f"The tokenizer of {subject.name} joins the end of the prompt "
                    f"{prompt.text!r} with the answer {answer!r}, so that none of its tokens "
                    "stands for the answer alone; end the prompt with a whole word."
                )
            endings.append(tokens)
        target = target_tokens(start, prompt.target, prompt.stimulus_id)
        for shown, asked in _shared(start, endings):
            read_at = tuple(range(len(start) - 1, len(shown)))
            rows.append(
                AnswerRow(prompt.stimulus_id, shown, target, read_at, asked, len(endings), number)
            )
    return rows


def _shared(
    start: Tokens, endings: Sequence[Tokens]
) -> list[tuple[Tokens, tuple[tuple[int, Steps], ...]]]:
    """Choose the texts to show, each with the answers that it tells; every answer once."""
    shown = {tokens.ids[:-1]: take_tokens(tokens, range(len(tokens) - 1)) for tokens in endings}
    chosen = []
    told: set[int] = set()
    for ids, text in shown.items():
        if any(_begins(longer, ids) for longer in shown):
            continue
        asked = []
        for answer, tokens in enumerate(endings):
            if answer not in told and ids[: len(tokens) - 1] == tokens.ids[:-1]:
                told.add(answer)
                asked.append((answer, tuple(enumerate(tokens.ids[len(start) :]))))
        chosen.append((text, tuple(asked)))
    return chosen


def masked_rows(
    subject: Subject, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]], after: str
) -> list[AnswerRow]:
    """Lay out the texts that tell every answer's probability at the mask of a masked model.

    Parameters
    ----------
    subject, prompts, answers
        As in `causal_rows`.
    after : str
        What follows the mask, such as a full stop.

    Returns
    -------
    list of AnswerRow
        One a prompt.

    Raises
    ------
    InputError
        When the tokenizer has no mask, or an answer is not exactly one token in its place.
    """
    mask = subject.tokenizer.mask_token
    if mask is None:
        raise InputError(
            f"{subject.name} is a masked model whose tokenizer has no mask token, at which it "
            "could be asked for an answer; give it its own tokenizer."
        )
    mask_id = subject.tokenizer.mask_token_id
    asked_texts = subject.tokenize([f"{prompt.text} {mask}{after}" for prompt in prompts])
    whole = _filled(subject, prompts, answers, after)
    rows = []
    for number, (prompt, tokens) in enumerate(zip(prompts, asked_texts, strict=True)):
        place = max(at for at, token_id in enumerate(tokens.ids) if token_id == mask_id)
        asked = []
        for at, answer in enumerate(answers[number]):
            filled = whole[number][at].ids
            others = (filled[:place], filled[place + 1 :])
            if others != (tokens.ids[:place], tokens.ids[place + 1 :]):
                raise InputError(
                    f"The answer {answer!r} is not one token of {subject.name} behind "
                    f"{prompt.text!r}, and a masked model gives the probability of one token only; "
                    "take an answer of one token."
                )
            asked.append((at, ((0, filled[place]),)))
        target = target_tokens(tokens, prompt.target, prompt.stimulus_id)
        told, n_answers = tuple(asked), len(asked)
        rows.append(
            AnswerRow(prompt.stimulus_id, tokens, target, (place,), told, n_answers, number)
        )
    return rows


def _filled(
    subject: Subject, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]], after: str
) -> list[list[Tokens]]:
    """Split every prompt with each of its answers into tokens."""
    pairs = [(prompt, own) for prompt, given in zip(prompts, answers, strict=True) for own in given]
    tokens = iter(subject.tokenize([f"{prompt.text} {own}{after}" for prompt, own in pairs]))
    return [[next(tokens) for _ in given] for given in answers]


def _begins(longer: tuple[int, ...], ids: tuple[int, ...]) -> bool:
    return len(longer) > len(ids) and longer[: len(ids)] == ids
