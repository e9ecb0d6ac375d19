"""Continue texts under a condition, token by token.

Where passes may leave out tokens, a step runs the new token alone: the keys and values of all that
came before, edited as they are, were held.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.stimulation.attention import HeldAttention
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.editing import Edits
from cortiscope.stimulation.passes import unembed
from cortiscope.stimulation.readout import Needs, Row
from cortiscope.stimulation.window import Window
from cortiscope.subjects import Tokens

if TYPE_CHECKING:
    from cortiscope.subjects import Subject


@torch.inference_mode()
def continue_rows(
    subject: Subject, rows: Sequence[Row], needs: Needs, condition: Condition, *, cut: bool
) -> Tensor:
    """Let a subject go on writing while it is stimulated.

    Interventions act on new tokens as on the others: those from the target on reach them.

    Parameters
    ----------
    subject : Subject
        A causal model.
    rows : sequence of Row
        The texts.
    needs : Needs
        How many tokens, and how each is chosen.
    condition : Condition
        What is done to it.
    cut : bool
        Run only the new token in every step but the first; otherwise, the whole text.

    Returns
    -------
    Tensor of int64, (row, n_new_tokens)
        The new ids.

    Raises
    ------
    InputError
        When a text would get longer than the subject can read.
    """
    longest = max(len(row.tokens) for row in rows) + needs.n_new_tokens
    if subject.n_context is not None and longest > subject.n_context:
        raise InputError(
            f"A text with {needs.n_new_tokens} new tokens has {longest:,}, and {subject.name} "
            f"takes at most {subject.n_context:,}; shorten it, or ask for fewer."
        )
    texts, chosen = list(rows), []
    steps = _Steps(subject, rows, needs.n_new_tokens, condition) if cut else None
    for step in range(needs.n_new_tokens):
        logits = steps.logits(texts) if steps else _last_logits(subject, texts, condition)
        ids = logits.argmax(-1) if needs.choose is None else needs.choose(logits, step, texts)
        chosen.append(ids)
        texts = [_extended(row, int(token)) for row, token in zip(texts, ids, strict=True)]
    return torch.stack(chosen, dim=1)


class _Steps:
    """Gives the logits of the next token, step after step, from keys and values that it holds."""

    def __init__(
        self, subject: Subject, rows: Sequence[Row], n_new_tokens: int, condition: Condition
    ) -> None:
        self._subject = subject
        self._condition = condition
        self._n_new = n_new_tokens
        self._length = max(len(row.tokens) for row in rows) + n_new_tokens
        modules = {id(module) for block in subject.anatomy.blocks for module in block.modules()}
        self._attention = HeldAttention(subject.attention, modules)

    def logits(self, texts: Sequence[Row]) -> Tensor:
        """Run what was not run before: all of the texts at first, and then their last tokens."""
        batch = self._subject.collate([row.tokens for row in texts], length=self._length)
        last = torch.tensor([len(row.tokens) - 1 for row in texts])
        if not self._attention.by_module:
            # Tokens to come count as there, so that the mask says what they will see. Nobody sees
            # them before they are run.
            room = torch.arange(self._length) <= last[:, None] + self._n_new
            batch["attention_mask"] = room.to(batch["attention_mask"])
            held = self._attention.recording(room.to(self._subject.device))
            return self._run(texts, batch, last, held, None)
        window = Window(last, 1)
        batch = {name: window.take(values) for name, values in batch.items()}
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
        held = self._attention.standing_in(window, keep=True)
        return self._run(texts, batch, torch.zeros_like(last), held, window)

    def _run(
        self,
        texts: Sequence[Row],
        batch: dict[str, Tensor],
        read_at: Tensor,
        held: AbstractContextManager[None],
        window: Window | None,
    ) -> Tensor:
        anatomy = self._subject.anatomy
        streams: list[Tensor] = []
        with held, Edits(anatomy, [self._condition], [texts], self._length, {}, window):
            handle = anatomy.tap("resid_post", anatomy.n_layers - 1).attach(streams.append)
            try:
                self._subject.forward(batch)
            finally:
                handle.remove()
        [stream] = streams
        at = read_at.to(stream.device)
        return unembed(anatomy, stream[torch.arange(len(at), device=at.device), at]).float()


def _last_logits(subject: Subject, rows: Sequence[Row], condition: Condition) -> Tensor:
    batch = subject.collate([row.tokens for row in rows])
    length = batch["input_ids"].shape[1]
    with Edits(subject.anatomy, [condition], [rows], length, {}):
        logits = subject.forward(batch, logits=True)
    last = torch.tensor([len(row.tokens) - 1 for row in rows], device=logits.device)
    return logits[torch.arange(len(rows), device=logits.device), last].float()


def _extended(row: Row, token: int) -> Row:
    tokens = Tokens(
        (*row.tokens.ids, token), (*row.tokens.offsets, (0, 0)), (*row.tokens.special, False)
    )
    return replace(row, tokens=tokens)
