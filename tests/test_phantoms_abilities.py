"""Phantoms of abilities are what they say: heads are cut out with plain torch hooks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cortiscope.errors import InputError
from cortiscope.phantoms import MODEL_PHANTOMS, PhantomDesign

ASKED = MODEL_PHANTOMS["abilities_apart"].shown(PhantomDesign.balanced(n_words=8, n_units=128))
READ_LAYER = 3


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["abilities_apart", "abilities_together"])
def test_an_ability_is_lost_with_its_head_and_with_no_other(kind: str, family: str) -> None:
    phantom = MODEL_PHANTOMS[kind]
    subject = phantom.make(ASKED, seed=4, family=family)
    is_read_by = phantom.truth(ASKED, seed=4, family=family)["is_read_by"].values
    assert (is_read_by[0] != is_read_by[1]).any() == (kind == "abilities_apart")
    block = subject.anatomy.blocks[READ_LAYER]
    projection = block.self_attn.o_proj if family == "llama" else block.attn.c_proj
    table = ASKED.table
    tokens = subject.tokenize(table["text"].tolist())
    answers = [
        subject.tokenizer.convert_tokens_to_ids(table[label].tolist())
        for label in ("answer", "foil_1")
    ]

    def accuracy(head: int | None) -> list[float]:
        def cut(module: object, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            values = inputs[0].clone()
            if head is not None:
                values[..., head * 8 : (head + 1) * 8] = 0.0
            return (values, *inputs[1:])

        handle = projection.register_forward_pre_hook(cut)
        with torch.no_grad():
            logits = subject.model(**subject.collate(tokens)).logits
        handle.remove()
        at_end = logits[range(len(tokens)), [len(row) - 1 for row in tokens]].numpy()
        right, foil = (at_end[range(len(tokens)), ids] for ids in answers)
        # Undecided without the answer: by how much right answers lead, and not whether they do.
        return [float((right - foil)[table["ability"] == at].mean()) for at in ("one", "two")]

    clean = accuracy(None)
    assert min(clean) > 5
    for head in range(16):
        left = np.array(accuracy(head)) / clean
        np.testing.assert_allclose(left, np.where(is_read_by[:, head], 0.0, 1.0), atol=0.15)


def test_words_are_dealt_to_answers_and_to_partners() -> None:
    table = ASKED.table.set_index("stimulus_id")
    partner = table.loc[table["partner"]]
    assert partner["answer"].tolist() == table["foil_1"].tolist()
    assert partner["ability"].tolist() == table["ability"].tolist()
    assert table.groupby("answer").size().tolist() == [10] * 8
    with pytest.raises(InputError, match="give 32 or more"):
        MODEL_PHANTOMS["abilities_apart"].shown(PhantomDesign.balanced(n_words=2, n_units=64))


def test_answers_must_fit_into_a_head() -> None:
    with pytest.raises(InputError, match="a unit for each answer"):
        MODEL_PHANTOMS["abilities_together"].make(ASKED, n_heads=32)
