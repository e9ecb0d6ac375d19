"""Damage to language: the loss on a neutral text under a condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row
from cortiscope.stimulation.readouts.places import own_tokens, take_tokens
from cortiscope.subjects import Tokens
from cortiscope.subjects.tokens import tokenize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject

MASKED_EVERY = 7
"""In a masked model every seventh token is masked: about the share that such models train on."""


def neutral_text() -> tuple[str, ...]:
    """Read the text that ships: 32 passages of fairy tales, about 5,100 words.

    The specimen was not trained on them. They come from FairytaleQA (see NOTICE).

    Returns
    -------
    tuple of str
        Passages of 100 words and more.

    Examples
    --------
    >>> len(neutral_text()), sum(len(passage.split()) for passage in neutral_text())
    (32, 5122)
    """
    path = files("cortiscope.stimulation") / "data" / "neutral.txt"
    return tuple(path.read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True)
class ScoredRow(Row):
    """A text of which some tokens are predicted.

    Parameters
    ----------
    expected : tuple of int
        The right id at each of `read_at`.
    passage : int
        Which passage it is a stretch of, from 0.
    """

    expected: tuple[int, ...] = ()
    passage: int = 0


@dataclass(frozen=True, eq=False)
class Perplexity(Readout):
    """Perplexity of a neutral text, which says how much a condition damages language at all.

    The text has no target, so that interventions act on all of its tokens but the leading special
    ones, whatever positions they name: on far more than they touch of a stimulus. A patch, which
    has no activations for it, raises. Every passage is cut into stretches that the subject reads
    each by itself, and every token is predicted that has another before it (in families with BOS
    all are).

    A masked model, which gives a text no probability in one pass, predicts every seventh token at
    a mask, with all others in sight. Perplexities are compared between conditions of one subject;
    between subjects they are in other tokens.

    Parameters
    ----------
    passages : sequence of str or None
        The text; by default `neutral_text`.
    n_passages : int or None
        How many of them to read, evenly spread; by default all, which are some 7,500 tokens and
        take as long as 800 short sentences.
    n_tokens : int
        The longest stretch, in tokens of the text; 4 or more.
    name : str
        With which the names of the variables begin.

    Raises
    ------
    InputError
        For passages that are empty, or a number of passages that are not there.

    References
    ----------
    Jelinek et al. (1977), Perplexity, Journal of the Acoustical Society of America 62.

    Examples
    --------
    >>> readout = Perplexity(["A robin sang in the tree."])
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> stimuli = StimulusSet.from_words({"animal": ["otter"]}, {"card": "The card said {word}."})
    >>> [row] = readout.rows(Subject.load("specimen:qwen2"), stimuli)
    >>> row.target is None, row.read_at[0], len(row.read_at) == len(row.tokens) - 1
    (True, 0, True)
    """

    passages: Sequence[str] | None = None
    n_passages: int | None = None
    n_tokens: int = 128
    name: str = "perplexity"

    def __post_init__(self) -> None:
        given = neutral_text() if self.passages is None else self.passages
        if isinstance(given, str) or not given or not all(text.strip() for text in given):
            raise InputError(
                "The neutral text must be a list of passages, none of them empty; leave it out to "
                "take the text that ships."
            )
        wanted = len(given) if self.n_passages is None else self.n_passages
        if not 1 <= wanted <= len(given):
            raise InputError(
                f"The neutral text has {len(given)} passages and n_passages is {wanted}: give a "
                f"number from 1 to {len(given)}."
            )
        if self.n_tokens < 4:
            raise InputError(
                f"The stretches of the neutral text have {self.n_tokens} tokens: give at least 4, "
                "so that each has something to predict from."
            )
        kept = [given[at * len(given) // wanted] for at in range(wanted)]
        object.__setattr__(self, "passages", tuple(kept))
        object.__setattr__(self, "n_passages", wanted)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the text and of how it is cut."""
        return fingerprint(["Perplexity", self.name, self.passages, self.n_tokens])

    @property
    def needs(self) -> Needs:
        """The logits at every token that predicts another."""
        return Needs(logits=True)

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Cut the passages into stretches; the stimuli have no part in it."""
        masked = subject.anatomy.family.head == "masked"
        rows: list[Row] = []
        for number, text in enumerate(self.passages or ()):
            for tokens in self._stretches(subject, text, keep_end=masked):
                row = _masked(subject, number, tokens) if masked else _causal(number, tokens)
                rows += [row] if row.read_at else []
        if not rows:
            raise InputError(
                "No token of the neutral text has another before it from which it could be "
                "predicted; give longer passages."
            )
        return rows

    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Sum the loss of each stretch, in nats; count its tokens, and name its passage: (row,)."""
        assert outputs.logits is not None  # asked for in `needs`
        expected = torch.zeros(outputs.valid.shape, dtype=torch.long)
        for at, row in enumerate(outputs.rows):
            assert isinstance(row, ScoredRow)
            expected[at, : len(row.expected)] = torch.tensor(row.expected)
        logits = outputs.logits
        chosen = logits.gather(-1, expected.to(logits.device)[..., None])[..., 0]
        loss = (logits.logsumexp(dim=-1) - chosen).masked_fill(
            ~outputs.valid.to(logits.device), 0.0
        )
        rows = [row for row in outputs.rows if isinstance(row, ScoredRow)]
        return {
            "loss": loss.cpu().double().sum(dim=1).numpy(),
            "n_tokens": np.array([len(row.expected) for row in rows]),
            "passage": np.array([row.passage for row in rows]),
        }

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give the mean loss of each passage, in nats a token, and the perplexity of the text."""
        # The same under every condition.
        of_row, n_tokens = values["passage"][0], values["n_tokens"][0]
        passages, place = np.unique(of_row, return_inverse=True)
        belongs = np.eye(len(passages))[place]
        summed = np.asarray(values["loss"], dtype=np.float64) @ belongs
        counts = (n_tokens @ belongs).astype(np.int64)
        passage = f"{self.name}_passage"
        return xr.Dataset(
            {
                self.name: ("condition", np.exp(summed.sum(axis=1) / counts.sum())),
                f"{self.name}_loss": (("condition", passage), summed / counts),
            },
            {passage: passages, f"{self.name}_tokens": (passage, counts)},
        )

    def _stretches(self, subject: Subject, text: str, *, keep_end: bool) -> list[Tokens]:
        """Cut a passage into stretches of like length, each with special tokens of its own."""
        [tokens] = tokenize(subject.tokenizer, [text], subject.name)
        own = own_tokens(tokens)
        before = tuple(range(own[0]))
        after = tuple(range(own[-1] + 1, len(tokens))) if keep_end else ()
        longest = self.n_tokens
        if subject.n_context is not None:
            longest = min(longest, subject.n_context - len(before) - len(after))
        n_stretches = -(-len(own) // longest)
        return [
            take_tokens(tokens, (*before, *part.tolist(), *after))
            for part in np.array_split(np.array(own), n_stretches)
        ]


def _causal(passage: int, tokens: Tokens) -> ScoredRow:
    predicted = [at for at in own_tokens(tokens) if at > 0]
    return ScoredRow(
        stimulus_id=f"passage-{passage}",
        tokens=tokens,
        target=None,
        read_at=tuple(at - 1 for at in predicted),
        expected=tuple(tokens.ids[at] for at in predicted),
        passage=passage,
    )


def _masked(subject: Subject, passage: int, tokens: Tokens) -> ScoredRow:
    mask_id = subject.tokenizer.mask_token_id
    if mask_id is None:
        raise InputError(
            f"{subject.name} is a masked model whose tokenizer has no mask token, at which it "
            "could predict a token; give it its own tokenizer."
        )
    hidden = own_tokens(tokens)[MASKED_EVERY // 2 :: MASKED_EVERY]
    ids = [mask_id if at in hidden else token_id for at, token_id in enumerate(tokens.ids)]
    return ScoredRow(
        stimulus_id=f"passage-{passage}",
        tokens=Tokens(tuple(ids), tokens.offsets, tokens.special),
        target=None,
        read_at=hidden,
        expected=tuple(tokens.ids[at] for at in hidden),
        passage=passage,
    )
