"""Answers and prompts, against one plain pass of the Hugging Face model for each answer."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cortiscope.errors import InputError
from cortiscope.stimulation.readouts import AnswerLogOdds, OwnAnswers
from cortiscope.stimulation.readouts.prompts import fill_prompts
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject
from families import FAMILIES
from readouts import TOKENIZERS, logits_of, push, show, subject_with, untouched
from scanning import make_stimuli

CAUSAL = [name for name in FAMILIES if name not in ("bert", "roberta")]
ANSWERS = {
    "animal": ("animal", "living thing"),
    "tool": ("tool", "tool for work", "thing"),
    "body_part": ("body part",),
}
FLAT = [answer for given in ANSWERS.values() for answer in given]


def asked(subject: Subject, prompt: str, answer: str) -> float:
    """One forward pass for one answer, split where the prompt's own tokens end."""
    ids = subject.tokenizer(f"{prompt} {answer}", return_special_tokens_mask=True)
    own = [i for i, s in zip(ids.input_ids, ids.special_tokens_mask, strict=True) if not s]
    lead = ids.special_tokens_mask.index(0)
    start = len(subject.tokenizer(prompt, add_special_tokens=False).input_ids)
    whole = [*ids.input_ids[:lead], *own]
    log_p = logits_of(subject, whole).double().log_softmax(-1)
    return sum(float(log_p[lead + at - 1, own[at]]) for at in range(start, len(own)))


@pytest.mark.parametrize("name", CAUSAL)
def test_answers_have_the_summed_log_probability_of_a_pass_each(name: str) -> None:
    subject = FAMILIES[name]()
    stimuli = make_stimuli(1)
    found = show(subject, AnswerLogOdds(ANSWERS), stimuli)
    expected = [
        [asked(subject, prompt.text, answer) for answer in FLAT]
        for prompt in fill_prompts(stimuli, "{a} is a kind of")
    ]
    np.testing.assert_allclose(found["answers_log_probability"][0], expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_space_before_an_answer_is_where_the_tokenizer_puts_it(kind: str) -> None:
    subject = subject_with(kind)
    stimuli = make_stimuli(2)
    readout = AnswerLogOdds(ANSWERS)
    found = show(subject, readout, stimuli)["answers_log_probability"].values[0]
    prompts = fill_prompts(stimuli, readout.prompt)
    expected = [[asked(subject, prompt.text, answer) for answer in FLAT] for prompt in prompts]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4)
    # Every text is a prompt and an answer without its last token, and its target is the word.
    for row in readout.rows(subject, stimuli):
        text = next(p.text for p in prompts if p.stimulus_id == row.stimulus_id)
        assert subject.tokenizer.decode(row.tokens.ids, skip_special_tokens=True).startswith(
            text if kind != "WordPiece" else text.lower()
        )
        first, last = row.tokens.offsets[row.target[0]], row.tokens.offsets[row.target[-1]]
        word = row.stimulus_id.split("-")[1]
        assert text[first[0] : last[1]].strip() == word


def test_answers_that_begin_alike_share_a_text() -> None:
    subject = FAMILIES["llama"]()
    readout = AnswerLogOdds({"a": ["tool", "tool for work", "tool for workers"], "b": ["tool box"]})
    rows = readout.rows(subject, make_stimuli(1).select(["animal-horse-card"]))
    begins = [
        (one, other)
        for one in rows
        for other in rows
        if one is not other and other.tokens.ids[: len(one.tokens)] == one.tokens.ids
    ]
    assert not begins
    numbers = sorted(number for row in rows for number, _ in row.asked)
    assert numbers == [0, 1, 2, 3]


def test_log_odds_weigh_a_categorys_answers_against_all_others() -> None:
    subject = FAMILIES["gpt2"]()
    found = show(subject, AnswerLogOdds(ANSWERS), make_stimuli(1), [untouched, push(subject)])
    of = found["answers_answer_category"].values
    assert of.tolist() == ["animal"] * 2 + ["tool"] * 3 + ["body_part"]
    p = np.exp(found["answers_log_probability"].values)
    for category in ANSWERS:
        odds = p[..., of == category].sum(-1) / p[..., of != category].sum(-1)
        mine = found["answers_log_odds"].sel(category=category).values
        np.testing.assert_allclose(mine, np.log(odds), atol=1e-9)
    assert (mine[0] != mine[1]).all()


def test_an_intervention_acts_on_the_answers_own_tokens_too() -> None:
    subject = FAMILIES["llama"]()
    stimuli = make_stimuli(1).select(["tool-hammer-last"])
    readout = AnswerLogOdds({"tool": ["tool for work"], "animal": ["animal"]})
    hook = push(subject)
    found = show(subject, readout, stimuli, [hook])["answers_log_probability"].values[0, 0]
    ids = subject.tokenizer("A hammer is a kind of tool for work").input_ids
    prompt = len(subject.tokenizer("A hammer is a kind of").input_ids)
    [row, *_] = readout.rows(subject, stimuli)
    with hook(row):
        log_p = logits_of(subject, ids).double().log_softmax(-1)
    expected = sum(float(log_p[at - 1, ids[at]]) for at in range(prompt, len(ids)))
    assert found[0] == pytest.approx(expected, abs=1e-4)


def test_the_specimen_knows_what_its_card_says() -> None:
    subject = Subject.load("specimen:qwen2")
    table = StimulusSet.load("concepts").table
    words = table.drop_duplicates("word").groupby("category").head(8)
    stimuli = StimulusSet.from_table(words)
    folder = files("cortiscope.subjects") / "specimens" / "qwen2"
    told = json.loads((folder / "training.json").read_text())["trained_words"]
    is_told = np.array(
        [word in told[of] for word, of in zip(words.word, words.category, strict=True)]
    )
    found = show(subject, AnswerLogOdds.naming(told), stimuli)["answers_log_odds"][0]
    right = found["category"].values[found.values.argmax(axis=-1)] == words.category.to_numpy()
    assert right[is_told].mean() > 0.95
    assert 0.6 < right[~is_told].mean() < 1.0


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_stimuli_have_answers_of_their_own(name: str) -> None:
    subject = FAMILIES[name]()
    table = StimulusSet.load("reasoning").table.query("category == 'deduction'").head(4)
    table = table.assign(text="It is", target_start=0, target_end=2)  # the models take 64 tokens
    stimuli = StimulusSet.from_table(table)
    readout = OwnAnswers(wrong=["foil_1", "foil_2"])
    found = show(subject, readout, stimuli, [untouched, push(subject)])
    log_p = found["own_answers_log_probability"].values
    expected = [
        [asked(subject, row.text, answer) for answer in (row.answer, row.foil_1, row.foil_2)]
        for row in table.itertuples()
    ]
    np.testing.assert_allclose(log_p[0], expected, rtol=0, atol=2e-4)
    odds = np.exp(log_p[..., 0]) / np.exp(log_p[..., 1:]).sum(-1)
    np.testing.assert_allclose(found["own_answers_log_odds"], np.log(odds), atol=1e-9)
    assert (log_p[0] != log_p[1]).all()


def test_answers_that_a_stimulus_lacks_are_refused() -> None:
    subject = FAMILIES["gpt2"]()
    with pytest.raises(InputError, match="no label 'answer'"):
        OwnAnswers().rows(subject, make_stimuli(1))
    table = make_stimuli(1).table.assign(answer="animal", foil="animal")
    with pytest.raises(InputError, match="none twice"):
        OwnAnswers(wrong="foil").rows(subject, StimulusSet.from_table(table))


@pytest.mark.parametrize("prompt", ["{a} is a kind of", "{text} So that is some"])
def test_a_masked_model_answers_at_its_mask(prompt: str) -> None:
    subject = subject_with("WordPiece", masked=True)
    stimuli = make_stimuli(2)
    answers = {"animal": ["animal"], "tool": ["tool", "thing"], "food": ["food"]}
    readout = AnswerLogOdds(answers, prompt)
    found = show(subject, readout, stimuli)["answers_log_probability"].values[0]
    for at, prompt_of in enumerate(fill_prompts(stimuli, prompt)):
        ids = subject.tokenizer(f"{prompt_of.text} [MASK].").input_ids
        log_p = logits_of(subject, ids).log_softmax(-1)[ids.index(4)]
        vocabulary = subject.tokenizer.get_vocab()
        expected = [log_p[vocabulary[answer]] for answer in ("animal", "tool", "thing", "food")]
        np.testing.assert_allclose(found[at], expected, atol=1e-4)


def test_a_masked_model_takes_no_answer_of_two_tokens() -> None:
    subject = subject_with("WordPiece", masked=True)
    two = AnswerLogOdds({"body_part": ["body part"], "animal": ["animal"]})
    with pytest.raises(InputError, match="'body part' is not one token"):
        two.rows(subject, make_stimuli(1))
    with pytest.raises(InputError, match="no mask token"):
        AnswerLogOdds({"a": "animal", "b": "tool"}).rows(FAMILIES["bert"](), make_stimuli(1))


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"animal": ["animal"]}, "at least two"),
        ({"animal": ["animal"], "tool": []}, "'tool' has no answers"),
        ({"animal": [" animal"], "tool": ["tool"]}, "without spaces"),
        ({"animal": ["thing"], "tool": ["thing"]}, "stands twice"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(answers: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AnswerLogOdds(answers)


def test_prompts_put_the_target_where_it_stands() -> None:
    stimuli = StimulusSet.from_table(
        pd.DataFrame(
            {
                "text": ["Two otters swam.", "They saw seven."],
                "target": ["otters", "seven"],
                "word": ["otter", "seven"],
                "category": ["animal", "number"],
                "phrase": ["a big otter", "the number seven"],
            }
        )
    )
    expected = {
        "{a} is a kind of": (["An otter is a kind of", "Seven is a kind of"], ["otter", "Seven"]),
        "So {target} are": (["So otters are", "So seven are"], ["otters", "seven"]),
        "{text} Then {word}": (
            ["Two otters swam. Then otter", "They saw seven. Then seven"],
            ["otters", "seven"],
        ),
        "{phrase} ({category})": (
            ["A big otter (animal)", "The number seven (number)"],
            ["otter", "seven"],
        ),
    }
    for template, (texts, targets) in expected.items():
        prompts = fill_prompts(stimuli, template)
        assert [prompt.text for prompt in prompts] == texts
        assert [p.text[p.target[0] : p.target[1]] for p in prompts] == targets


def test_words_have_an_article_where_they_take_one() -> None:
    words = {
        "animal": ["otter", "horse"],
        "food": ["rice", "peanut"],
        "fabric": ["cotton"],
        "relative": ["heir", "uncle"],
        "time": ["noon", "hour", "era"],
        "number": ["six"],
    }
    prompts = fill_prompts(StimulusSet.from_words(words, {"card": "On {word}"}), "So {a} is")
    assert [prompt.text[3:-3] for prompt in prompts] == [
        *("an otter", "a horse", "rice", "a peanut", "cotton", "an heir", "an uncle"),
        *("noon", "an hour", "an era", "six"),
    ]
    assert all(p.text[p.target[0] : p.target[1]] == p.text[3:-3].split()[-1] for p in prompts)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{category} is", "does not hold the target"),
        ("{nonsense} {word}", "no label"),
        ("{word is", "no template"),
        ("{word} is a ", "ends in a space"),
    ],
)
def test_a_prompt_that_cannot_be_filled_is_refused(template: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fill_prompts(make_stimuli(1), template)
