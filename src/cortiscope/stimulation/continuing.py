"""Continue texts under a condition, token by token, in full passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.editing import Edits
from cortiscope.stimulation.readout import Needs, Row
from cortiscope.subjects import Tokens

if TYPE_CHECKING:
    from cortiscope.subjects import Subject


@torch.inference_mode()
def continue_rows(
    subject: Subject, rows: Sequence[Row], needs: Needs, condition: Condition
) -> Tensor:
    """Let a subject go on writing while it is stimulated.

    Every step is a pass over the whole text, so that interventions act on new tokens as on the
    others (those from the target on reach them) and nothing of an earlier step is reused.

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
    for step in range(needs.n_new_tokens):
        logits = _last_logits(subject, texts, condition)
        ids = logits.argmax(-1) if needs.choose is None else needs.choose(logits, step, texts)
        chosen.append(ids)
        texts = [_extended(row, int(token)) for row, token in zip(texts, ids, strict=True)]
    return torch.stack(chosen, dim=1)


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
