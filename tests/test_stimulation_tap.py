"""`Tap.edit`: what the callback returns is what the model goes on with."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.subjects import Subject
from families import FAMILIES

TEXTS = ["Once upon a time there was a little robin.", "Red."]

every_family = pytest.mark.parametrize("name", FAMILIES)


def places(subject: Subject) -> list[tuple[str, int]]:
    anatomy = subject.anatomy
    return [(site, layer) for site in anatomy.sites for layer in range(anatomy.n_layers)]


@every_family
def test_putting_back_what_was_given_leaves_the_logits_bit_for_bit(name: str) -> None:
    subject = FAMILIES[name]()
    batch = subject.collate(subject.tokenize(TEXTS))
    clean = subject.forward(batch, logits=True)
    handles = [subject.anatomy.tap(*place).edit(torch.clone) for place in places(subject)]
    edited = subject.forward(batch, logits=True)
    for handle in handles:
        handle.remove()
    mask = batch["attention_mask"].bool()
    assert torch.equal(edited[mask], clean[mask])
    assert torch.equal(subject.forward(batch, logits=True)[mask], clean[mask])


@every_family
def test_an_edit_reaches_the_model_and_what_listens_after_it(name: str) -> None:
    subject = FAMILIES[name]()
    batch = subject.collate(subject.tokenize(TEXTS))
    mask = batch["attention_mask"].bool()
    clean = subject.forward(batch, logits=True)[mask]
    for place in places(subject):
        tap = subject.anatomy.tap(*place)
        before: list[Tensor] = []
        after: list[Tensor] = []
        with (
            tap.attach(lambda hidden, kept=before: kept.append(hidden.clone())),
            tap.edit(lambda hidden: hidden.roll(1, dims=-1)),
            tap.attach(lambda hidden, kept=after: kept.append(hidden.clone())),
        ):
            edited = subject.forward(batch, logits=True)[mask]
        assert torch.equal(after[0], before[0].roll(1, dims=-1))
        assert (edited - clean).abs().max() > 1e-3, place


def test_an_edit_that_returns_none_changes_nothing() -> None:
    subject = FAMILIES["gpt2"]()
    batch = subject.collate(subject.tokenize(TEXTS))
    clean = subject.forward(batch)
    with subject.anatomy.tap("attn_out", 1).edit(lambda hidden: None):
        assert torch.equal(subject.forward(batch), clean)


@pytest.mark.parametrize("site", ["attn_out", "resid_pre", "mlp_act"])
def test_an_edit_of_another_shape_or_dtype_is_refused(site: str) -> None:
    subject = FAMILIES["gpt2"]()
    batch = subject.collate(subject.tokenize(TEXTS))
    tap = subject.anatomy.tap(site, 1)
    with tap.edit(lambda hidden: hidden[:, :1]), pytest.raises(InputError, match=f"edit of {site}"):
        subject.forward(batch)
    with tap.edit(lambda hidden: hidden.double()), pytest.raises(InputError, match="float64"):
        subject.forward(batch)
