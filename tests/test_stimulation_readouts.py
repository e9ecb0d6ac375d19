"""Readouts against slow, plain passes of the Hugging Face models themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cortiscope.codes import Direction, Probe
from cortiscope.errors import InputError
from cortiscope.scanning import scan
from cortiscope.stimulation import Condition, Inject, Where, stimulate
from cortiscope.stimulation.readout import Row
from cortiscope.stimulation.readouts import (
    AnswerLogOdds,
    Continuation,
    OutputKL,
    Perplexity,
    ProbeReadout,
    Top1Change,
    neutral_text,
)
from cortiscope.stimulation.readouts.continuation import OpenRow, draw_tokens
from cortiscope.stimulation.readouts.divergence import divergence
from cortiscope.subjects import Subject, Tokens
from families import FAMILIES
from readouts import TOKENIZERS, logits_of, push, push_vector, show, subject_with, untouched
from scanning import make_stimuli

ANSWERS = {
    "animal": ("animal", "living thing"),
    "tool": ("tool", "tool for work", "thing"),
    "body_part": ("body part",),
}


# -------------------------------------------------------------------------- divergence


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=2, max_size=40))
def test_divergence_is_that_of_the_definition(pairs: list[tuple[float, float]]) -> None:
    logits = torch.tensor(pairs, dtype=torch.float64).T
    log_p, log_q = logits.log_softmax(-1)
    expected = float((log_p.exp() * (log_p - log_q)).sum())
    found = float(divergence(log_p.float(), log_q.float()))
    assert found >= 0
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert float(divergence(log_p, log_p)) == 0


def test_small_divergences_are_not_lost_in_rounding() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5000, generator=generator, dtype=torch.float64)
    other = logits + 1e-4 * torch.randn(5000, generator=generator, dtype=torch.float64)
    log_p, log_q = logits.float().log_softmax(-1), other.float().log_softmax(-1)
    exact = float(
        (
            log_p.double().softmax(-1)
            * (log_p.double().log_softmax(-1) - log_q.double().log_softmax(-1))
        ).sum()
    )
    assert float(divergence(log_p, log_q)) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "bert"])
@pytest.mark.parametrize("position", ["last", "from_target", "mean", "target_last"])
def test_divergence_from_the_clean_output(name: str, position: Any) -> None:
    subject = FAMILIES[name]()
    stimuli = make_stimuli(1)
    hooks = [untouched, push(subject)]
    kl = show(subject, OutputKL(position), stimuli, hooks)["kl"]
    top = show(subject, Top1Change(position), stimuli, hooks)["top1_change"]
    assert (kl[0] == 0).all()
    assert (top[0] == 0).all()
    for at, row in enumerate(OutputKL(position).rows(subject, stimuli)):
        own = [i for i, special in enumerate(row.tokens.special) if not special]
        expected_at = {
            "last": own[-1:],
            "mean": own,
            "target_last": [row.target[-1]],
            "from_target": [i for i in own if i >= row.target[-1]],
        }[position]
        clean = logits_of(subject, row.tokens.ids)[expected_at].double().log_softmax(-1)
        with hooks[1](row):
            changed = logits_of(subject, row.tokens.ids)[expected_at].double().log_softmax(-1)
        exact = (clean.exp() * (clean - changed)).sum(-1).mean()
        assert float(kl[1, at]) == pytest.approx(float(exact), rel=1e-4, abs=1e-6)
        assert float(top[1, at]) == pytest.approx(
            float((clean.argmax(-1) != changed.argmax(-1)).double().mean())
        )


# -------------------------------------------------------------------------- perplexity


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma3", "opt"])
def test_perplexity_is_the_models_own_loss(name: str) -> None:
    subject = FAMILIES[name]()
    passages = ["The robin sat in the old tree and sang.", "One red apple."]
    hook = push(subject)
    found = show(subject, Perplexity(passages), make_stimuli(1), [untouched, hook])
    losses, counts = [], []
    for text in passages:
        ids = torch.tensor([subject.tokenizer(text).input_ids])
        with torch.no_grad():
            losses.append(float(subject.model(input_ids=ids, labels=ids).loss))
        counts.append(ids.shape[1] - 1)
    np.testing.assert_allclose(found["perplexity_loss"][0], losses, rtol=1e-5)
    assert found["perplexity_tokens"].values.tolist() == counts
    assert float(found["perplexity"][0]) == pytest.approx(
        np.exp(np.average(losses, weights=counts))
    )
    assert float(found["perplexity"][1]) != float(found["perplexity"][0])


@given(
    n_tokens=st.integers(4, 80), name=st.sampled_from(["llama", "SentencePiece with an end token"])
)
@settings(max_examples=25, deadline=None)
def test_stretches_hold_every_token_of_the_text_once(n_tokens: int, name: str) -> None:
    subject = FAMILIES[name]() if name in FAMILIES else subject_with(name)
    passages = ["The robin sat in the old tree and sang, then it flew away. " * 6, "One apple."]
    rows = Perplexity(passages, n_tokens=n_tokens).rows(subject, make_stimuli(1))
    own: list[int] = []
    for row in rows:
        lead = row.tokens.special.index(False)
        assert row.tokens.special == (True,) * lead + (False,) * (len(row.tokens) - lead)
        assert len(row.tokens) - lead <= n_tokens
        assert len(row.tokens) <= 64  # what the models take
        assert row.target is None
        assert [row.tokens.ids[at + 1] for at in row.read_at] == list(row.expected)
        assert len(row.expected) == len(row.tokens) - 1
        own += row.tokens.ids[lead:]
    whole = [i for p in passages for i in subject.tokenizer(p, add_special_tokens=False).input_ids]
    assert own == whole


def test_a_masked_model_predicts_every_seventh_token() -> None:
    subject = subject_with("WordPiece", masked=True)
    text = "The robin sat in the old tree and sang, then it flew away over the hill."
    [row] = Perplexity([text]).rows(subject, make_stimuli(1))
    right = subject.tokenizer(text).input_ids
    assert [right[at] for at in row.read_at] == list(row.expected)
    assert [at for at, i in enumerate(row.tokens.ids) if i == 4] == list(row.read_at)
    assert set(np.diff(row.read_at)) == {7}
    found = show(subject, Perplexity([text]), make_stimuli(1))
    log_p = logits_of(subject, row.tokens.ids).log_softmax(-1)
    expected = -np.mean([float(log_p[at, right[at]]) for at in row.read_at])
    assert float(found["perplexity_loss"][0, 0]) == pytest.approx(expected, rel=1e-5)


def test_the_neutral_text_is_new_to_the_specimen_and_not_hard() -> None:
    subject = Subject.load("specimen:qwen2")
    found = show(subject, Perplexity(n_passages=6), make_stimuli(1))
    # The card's 3.71 nats are over short captions too; stories are somewhat harder.
    assert 3.0 < float(np.log(found["perplexity"][0])) < 5.5
    twin = show(subject.twin(0), Perplexity(n_passages=2), make_stimuli(1))
    assert float(np.log(twin["perplexity"][0])) > 7


def test_perplexity_takes_passages_evenly() -> None:
    text = neutral_text()
    assert Perplexity(n_passages=4).passages == (text[0], text[8], text[16], text[24])
    assert Perplexity().fingerprint != Perplexity(n_passages=4).fingerprint
    for wrong in ({"passages": []}, {"passages": "one"}, {"n_passages": 99}, {"n_tokens": 3}):
        with pytest.raises(InputError):
            Perplexity(**wrong)


# ------------------------------------------------------------------------ continuation


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma4"])
def test_greedy_is_what_generate_gives(name: str) -> None:
    subject = FAMILIES[name]()
    stimuli = make_stimuli(1)
    found = show(subject, Continuation(6), stimuli, [untouched, push(subject)])
    for at, text in enumerate(stimuli.table["text"]):
        ids = torch.tensor([subject.tokenizer(text).input_ids])
        out = subject.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=6,
            min_new_tokens=6,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert found["continuation_ids"][0, at].values.tolist() == out[0, ids.shape[1] :].tolist()
    assert (found["continuation_ids"][0] != found["continuation_ids"][1]).any()


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_text_and_continuation_make_the_whole_text(kind: str) -> None:
    subject = subject_with(kind)
    stimuli = make_stimuli(1).select(["tool-hammer-last", "animal-horse-last"])
    found = show(subject, Continuation(5, temperature=1.0, seed=2), stimuli)
    rows = Continuation(5).rows(subject, stimuli)
    for at, row in enumerate(rows):
        new = found["continuation_ids"][0, at].values.tolist()
        ends = [at for at, i in enumerate(new) if i == subject.tokenizer.eos_token_id]
        new = new[: ends[0]] if ends else new
        ids = [i for i, s in zip(row.tokens.ids, row.tokens.special, strict=True) if not s]
        decode = subject.tokenizer.decode
        assert decode(ids) + str(found["continuation"][0, at].values) == decode([*ids, *new])


def test_a_continuation_stops_at_the_end_of_the_text() -> None:
    subject = subject_with("byte-level")
    [row] = Continuation(3).rows(subject, make_stimuli(1).select(["tool-hammer-last"]))
    assert isinstance(row, OpenRow)
    word, end = subject.tokenizer.encode(" of"), subject.tokenizer.eos_token_id
    assert row.said([*word, end, *word]) == " of"
    assert row.said([*word, *word]) == " of of"


def rows_named(n: int) -> list[Row]:
    return [Row(f"s{at}", Tokens((1,), ((0, 1),), (False,)), (0,), ()) for at in range(n)]


def test_draws_follow_the_probabilities() -> None:
    p = torch.tensor([0.1, 0.0, 0.6, 0.3])
    n = 4000
    draw = draw_tokens(p.log().expand(n, 4), 3, rows_named(n), temperature=1.0, top_p=1.0, seed=5)
    share = np.bincount(draw.numpy(), minlength=4) / n
    # Five standard errors of a share of 0.6.
    np.testing.assert_allclose(share, p, atol=5 * (0.24 / n) ** 0.5)
    assert share[1] == 0
    cold = draw_tokens(p.log().expand(n, 4), 3, rows_named(n), temperature=0.5, top_p=1.0, seed=5)
    np.testing.assert_allclose(
        np.bincount(cold.numpy(), minlength=4) / n, p**2 / (p**2).sum(), atol=5 * (0.24 / n) ** 0.5
    )


@given(
    top_p=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**63),
    logits=st.lists(st.floats(-9, 9), min_size=1, max_size=12),
)
def test_draws_stay_in_the_nucleus(top_p: float, seed: int, logits: list[float]) -> None:
    probability = torch.tensor(logits).double().softmax(-1).numpy()
    order = np.argsort(-probability, kind="stable")
    n_kept = int(np.searchsorted(np.cumsum(probability[order]), top_p * (1 - 1e-12))) + 1
    drawn = draw_tokens(
        torch.tensor([logits]), 0, rows_named(1), temperature=1.0, top_p=top_p, seed=seed
    )
    assert int(drawn) in order[: n_kept + 1]
    assert probability[int(drawn)] >= probability[order[min(n_kept, len(order)) - 1]] - 1e-9


def test_draws_do_not_depend_on_the_batch() -> None:
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    rows = rows_named(6)
    settings_of: dict[str, Any] = {"temperature": 0.9, "top_p": 0.9, "seed": 1}
    together = draw_tokens(logits, 2, rows, **settings_of)
    alone = [
        int(draw_tokens(logits[at : at + 1], 2, rows[at : at + 1], **settings_of))
        for at in range(6)
    ]
    assert together.tolist() == alone
    other = draw_tokens(logits, 2, rows, **{**settings_of, "seed": 2})
    assert together.tolist() != other.tolist()


def test_continuations_that_cannot_be_are_refused() -> None:
    for wrong in ({"n_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(InputError):
            Continuation(**wrong)
    with pytest.raises(InputError, match="masked model"):
        Continuation().rows(FAMILIES["bert"](), make_stimuli(1))
    with pytest.raises(InputError, match="ask for fewer"):
        Continuation(60).rows(FAMILIES["llama"](), make_stimuli(1))


# ------------------------------------------------------------------------------- probe


@pytest.mark.parametrize("site", ["resid_post", "head_out", "mlp_act"])
@pytest.mark.parametrize("position", ["target_last", "target_mean", "mean"])
def test_a_probe_reads_what_a_scan_records(site: str, position: Any, tmp_path: Path) -> None:
    subject, stimuli = FAMILIES["llama"](), make_stimuli(2)
    recorded = scan(subject, stimuli, [f"{site}[2]"], position, out=tmp_path / "r", progress=False)
    x = recorded.layer(site, 2).reshape(len(stimuli), -1)
    rng = np.random.default_rng(0)
    probe = Probe(rng.normal(size=(x.shape[1], 2)), [0.5, -1.0], ("animal", "tool"), site, 2)
    found = show(subject, ProbeReadout(probe, position), stimuli, [untouched, push(subject, 0)])
    scores = found["probe_scores"]
    assert scores.dims == ("condition", "stimulus", "category")
    assert scores["category"].values.tolist() == ["animal", "tool"]
    by_id = scores[0].sel(stimulus=recorded.labels.index.to_list()).values
    np.testing.assert_allclose(by_id, probe.scores(x), atol=1e-4)
    assert (scores[1] != scores[0]).all()


def probe_of_words(words: Sequence[str], n_units: int = 32) -> Probe:
    weights = np.random.default_rng(0).normal(size=(n_units, 2))
    return Probe(weights, [0.0, 0.0], ("animal", "tool"), "resid_post", 2, {"words": list(words)})


def test_a_probe_scores_no_word_that_it_was_trained_on() -> None:
    subject, stimuli = FAMILIES["gpt2"](), make_stimuli(2)
    found = show(subject, ProbeReadout(probe_of_words(["horse", "saw"])), stimuli)
    seen = stimuli.table["word"].isin(["horse", "saw"]).to_numpy()
    assert (found["probe_held_out"].values == ~seen).all()
    assert np.isnan(found["probe_scores"].values[0, seen]).all()
    assert np.isfinite(found["probe_scores"].values[0, ~seen]).all()
    fingerprints = {ProbeReadout(probe_of_words(words)).fingerprint for words in ([], ["saw"])}
    assert len(fingerprints) == 2
    with pytest.raises(InputError, match="never saw"):
        ProbeReadout(probe_of_words(["horse", "otter", "hammer", "saw"])).rows(subject, stimuli)
    with pytest.raises(InputError, match="reads 7 units"):
        ProbeReadout(probe_of_words([], n_units=7)).rows(subject, stimuli)


def test_a_place_that_is_not_known_is_refused() -> None:
    for make in (OutputKL, Top1Change, lambda place: ProbeReadout(probe_of_words([]), place)):
        with pytest.raises(InputError, match="reads at 'middle'"):
            make("middle")


def test_fingerprints_tell_readouts_apart() -> None:
    made = [
        AnswerLogOdds(ANSWERS),
        AnswerLogOdds(ANSWERS, "{word} is"),
        AnswerLogOdds(ANSWERS, after="!"),
        OutputKL(),
        OutputKL("mean"),
        Top1Change(),
        Perplexity(),
        Perplexity(n_tokens=64),
        Continuation(),
        Continuation(seed=1),
        Continuation(temperature=1.0),
    ]
    assert len({readout.fingerprint for readout in made}) == len(made)
    assert AnswerLogOdds(ANSWERS).fingerprint == AnswerLogOdds(dict(ANSWERS)).fingerprint


# ------------------------------------------------------------------------- all of them at once


@pytest.mark.parametrize(
    ("name", "fast"), [("llama", True), ("llama", False), ("gpt2", True), ("gemma2", True)]
)
def test_stimulate_gives_what_plain_passes_give(name: str, fast: bool, tmp_path: Path) -> None:
    subject, stimuli = FAMILIES[name](), make_stimuli(2)
    direction = Direction.from_vector(
        push_vector(subject).numpy(), site="resid_post", layer=1, name="push"
    )
    conditions = [
        Condition("clean"),
        Condition("push", (Inject(direction, 1.0, Where("resid_post", 1)),)),
    ]
    readouts = [
        ProbeReadout(probe_of_words(["horse"])),
        AnswerLogOdds({"tool": ("tool", "tool for work"), "animal": ("animal",)}),
        OutputKL(),
        Top1Change("mean"),
        Perplexity(["The robin sat in the old tree and sang.", "One red apple."], n_tokens=8),
        Continuation(4),
        Continuation(4, temperature=1.0, top_p=0.9, name="drawn"),
    ]
    settings_of: dict[str, Any] = {"batch_size": 5, "fast": fast, "progress": False}
    response = stimulate(
        subject, stimuli, conditions, readouts, out=tmp_path / "response", **settings_of
    )
    for readout in readouts:
        expected = show(subject, readout, stimuli, [untouched, push(subject)])
        for variable in expected.data_vars:
            values = response.data[variable]
            plain = expected[variable]
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, plain, rtol=1e-4, atol=1e-4)
            else:
                assert (values.values == plain.values).all()
    opened = type(response).open(tmp_path / "response")
    assert opened.fingerprint == response.fingerprint
    assert (opened.data["drawn"].values == response.data["drawn"].values).all()
