"""How the subject goes on under a condition: the likeliest tokens, or drawn ones."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row, target_tokens
from cortiscope.stimulation.readouts.places import own_tokens, without_end
from cortiscope.stimulation.readouts.prompts import fill_prompts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


@dataclass(frozen=True)
class OpenRow(Row):
    """A text that goes on.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        Which turns ids into text.
    ends : frozenset of int
        Ids at which a text ends.
    """

    tokenizer: Any = None
    ends: frozenset[int] = frozenset()

    def said(self, new: list[int]) -> str:
        """Decode new ids behind the old ones, where alone they would lose their first space."""
        stop = next((at for at, token_id in enumerate(new) if token_id in self.ends), len(new))
        old = [self.tokens.ids[at] for at in own_tokens(self.tokens)]
        before, after = self._decode(old), self._decode(old + new[:stop])
        return after[len(before) :] if after.startswith(before) else self._decode(new[:stop])

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


@dataclass(frozen=True, eq=False)
class Continuation(Readout):
    """The text with which the subject goes on from each stimulus under the condition.

    The condition acts on every step: interventions from the target on (or at all positions) act
    on what has been said so far too, those at the target on the target alone. What follows an
    end-of-text token is cut off in the text, not in the ids.

    Drawn tokens depend on the seed, the stimulus and the step alone, not on the batch: every
    condition meets the same chance, so that where two conditions' texts differ, the conditions
    made the difference.

    Parameters
    ----------
    n_tokens : int
        How many tokens to go on for.
    temperature : float
        0 takes the likeliest token (greedy); above, the logits are divided by it and a token is
        drawn.
    top_p : float
        Draw among the fewest likeliest tokens whose probability is this much together.
    seed : int
        Of the draws.
    prompt : str
        A template with slots, as in `AnswerLogOdds`; by default the stimulus itself.
    name : str
        With which the names of the variables begin.

    Raises
    ------
    InputError
        For a number of tokens below 1, a temperature below 0, a share `top_p` that is not above 0
        and up to 1.

    References
    ----------
    Holtzman et al. (2020), The curious case of neural text degeneration, ICLR, for `top_p`.

    Examples
    --------
    >>> Continuation(n_tokens=8, temperature=0.8, top_p=0.9).needs.n_new_tokens
    8
    """

    n_tokens: int = 20
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    prompt: str = "{text}"
    name: str = "continuation"

    def __post_init__(self) -> None:
        if self.n_tokens < 1:
            raise InputError(f"A continuation of {self.n_tokens} tokens: ask for at least 1.")
        if not (self.temperature >= 0 and np.isfinite(self.temperature)):
            raise InputError(
                f"The temperature is {self.temperature}: give 0 for the likeliest token, or a "
                "positive number to draw."
            )
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}: give a share above 0, and up to 1.")

    @cached_property
    def fingerprint(self) -> str:
        """Hash of how it goes on, and from what."""
        how = [self.n_tokens, float(self.temperature), float(self.top_p), self.seed, self.prompt]
        return fingerprint(["Continuation", self.name, *how])

    @property
    def needs(self) -> Needs:
        """New tokens, the likeliest or drawn."""
        if self.temperature == 0:
            return Needs(n_new_tokens=self.n_tokens)
        choose = functools.partial(
            draw_tokens, temperature=self.temperature, top_p=self.top_p, seed=self.seed
        )
        return Needs(n_new_tokens=self.n_tokens, choose=choose)

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Show every prompt without the special tokens that would end it."""
        if subject.anatomy.family.head != "causal":
            raise InputError(
                f"{subject.name} is a masked model, which cannot go on from a text; take a causal "
                "one."
            )
        prompts = fill_prompts(stimuli, self.prompt)
        ends = _end_ids(subject)
        rows: list[Row] = []
        for prompt, tokens in zip(
            prompts, subject.tokenize([prompt.text for prompt in prompts]), strict=True
        ):
            start = without_end(tokens)
            if subject.n_context is not None and len(start) + self.n_tokens > subject.n_context:
                raise InputError(
                    f"The prompt {prompt.text[:40]!r}… has {len(start)} tokens and should go on "
                    f"for {self.n_tokens}, and {subject.name} takes {subject.n_context} in all: "
                    "ask for fewer."
                )
            target = target_tokens(start, prompt.target, prompt.stimulus_id)
            rows.append(OpenRow(prompt.stimulus_id, start, target, (), subject.tokenizer, ends))
        return rows

    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Give the new ids, (row, n_tokens), and the text that they stand for, (row,)."""
        assert outputs.continued is not None  # asked for in `needs`
        ids = outputs.continued.cpu().numpy()
        texts = [
            row.said(new)
            for row, new in zip(outputs.rows, ids.tolist(), strict=True)
            if isinstance(row, OpenRow)
        ]
        return {"ids": ids, "text": np.array(texts, dtype=str)}

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give the new ids, and the text that they stand for."""
        return xr.Dataset(
            {
                self.name: (("condition", "stimulus"), values["text"]),
                f"{self.name}_ids": (
                    ("condition", "stimulus", f"{self.name}_step"),
                    values["ids"],
                ),
            },
            {"stimulus": stimuli.table["stimulus_id"].tolist()},
        )


def draw_tokens(
    logits: Tensor,
    step: int,
    rows: Sequence[Row],
    *,
    temperature: float,
    top_p: float,
    seed: int,
) -> Tensor:
    """Draw a token a row, by a number that seed, stimulus and step alone decide.

    Parameters
    ----------
    logits : Tensor, (row, vocabulary)
        Of the next token.
    step : int
        Which token of the continuation, from 0.
    rows : sequence of Row
        Whose `stimulus_id` goes into the draw.
    temperature : float
        Above 0.
    top_p : float
        Above 0, and up to 1.
    seed : int
        Of the draws.

    Returns
    -------
    Tensor of int64, (row,)
        On the device of the logits.

    Examples
    --------
    >>> from cortiscope.subjects import Tokens
    >>> row = Row("s", Tokens((5,), ((0, 1),), (False,)), (0,), ())
    >>> logits = torch.tensor([[0.0, 9.0, 0.0]])
    >>> draw_tokens(logits, 0, [row], temperature=1.0, top_p=0.5, seed=0).tolist()
    [1]
    """
    # In float64 on the host, so that every device draws alike from the same logits.
    probability = (logits.cpu().double() / temperature).softmax(dim=-1)
    ranked, order = probability.sort(dim=-1, descending=True, stable=True)
    before = ranked.cumsum(dim=-1) - ranked
    ranked = torch.where(before < top_p, ranked, torch.zeros_like(ranked))
    share = torch.tensor([_uniform(seed, row.stimulus_id, step) for row in rows])[:, None]
    reached = ranked.cumsum(dim=-1)
    rank = torch.searchsorted(reached, share.double() * reached[:, -1:], right=True)
    # Rounding may carry a share next to 1 beyond the last token that is left.
    last = (ranked > 0).sum(dim=-1, keepdim=True) - 1
    return order.gather(-1, torch.minimum(rank, last))[:, 0].to(logits.device)


def _uniform(seed: int, stimulus_id: str, step: int) -> float:
    digits = fingerprint([seed, stimulus_id, step])[:13]
    return int(digits, 16) / 16**13


def _end_ids(subject: Subject) -> frozenset[int]:
    settings = getattr(subject.model, "generation_config", None)
    of_model = getattr(settings, "eos_token_id", None)
    of_model = of_model if isinstance(of_model, list) else [of_model]
    return frozenset({subject.tokenizer.eos_token_id, *of_model} - {None})
