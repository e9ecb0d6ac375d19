"""Model phantoms are what they say: lesions with plain torch hooks do what their truth says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from cortiscope.errors import InputError
from cortiscope.phantoms import MODEL_PHANTOMS, PhantomDesign, model_phantom
from cortiscope.scanning import scan
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject

# Those of abilities are asked otherwise, and the strength of another is not that of the category:
# they have tests of their own.
KINDS = tuple(
    kind for kind in MODEL_PHANTOMS if not kind.startswith(("abilities", "steered_by_length"))
)
FAMILIES = ("llama", "gpt2")
CONCEPTS = StimulusSet.load("concepts")
CATEGORIES = tuple(dict.fromkeys(CONCEPTS.table["category"]))

# Eight words of each category; the models know all 400.
WORDS = CONCEPTS.table.drop_duplicates("word").groupby("category", sort=False).head(8)
LABEL = np.array([CATEGORIES.index(category) for category in WORDS["category"]])

Edit = Callable[[torch.Tensor], torch.Tensor]


@functools.cache
def made(kind: str, family: str) -> tuple[Subject, xr.Dataset]:
    phantom = MODEL_PHANTOMS[kind]
    return phantom.make(CONCEPTS, 3, family=family), phantom.truth(CONCEPTS, 3, family=family)


class Bench:
    """Shows a prompt for each word, and edits the residual stream with plain forward hooks."""

    def __init__(self, subject: Subject, prompt: str = "{} is a kind of") -> None:
        self.blocks = getattr(subject.model.base_model, "layers", None)
        if self.blocks is None:
            self.blocks = subject.model.base_model.h
        self.model = subject.model
        texts = [prompt.format(word) for word in WORDS["word"]]
        tokens = subject.tokenize(texts)
        self.batch = subject.collate(tokens)
        before = prompt.index("{")
        self.target = [[a for a, _ in row.offsets].index(before, 1) for row in tokens]
        self.last = [len(row) - 1 for row in tokens]
        names = [category.replace("_", " ") for category in CATEGORIES]
        self.answers = subject.tokenizer.convert_tokens_to_ids(names)

    def log_probabilities(self, layer: int = 0, edit: Edit | None = None) -> np.ndarray:
        """Of each category's name, where the prompt ends: (word, category)."""

        def hook(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor | None:
            return None if edit is None else edit(output)

        handle = self.blocks[layer].register_forward_hook(hook)
        try:
            with torch.no_grad():
                logits = self.model(**self.batch).logits
        finally:
            handle.remove()
        at_end = logits[range(len(self.last)), self.last].double()
        return at_end.log_softmax(-1)[:, self.answers].numpy()

    def log_odds(self, layer: int = 0, edit: Edit | None = None) -> np.ndarray:
        """Of the right category against the others: (word,)."""
        values = self.log_probabilities(layer, edit)
        rows = np.arange(len(values))
        right = values[rows, LABEL]
        values[rows, LABEL] = -np.inf
        return right - np.logaddexp.reduce(values, axis=1)

    def at_target(self, layer: int) -> torch.Tensor:
        """The residual stream at the target: (word, unit)."""
        seen = {}

        def keep(output: torch.Tensor) -> torch.Tensor:
            seen["x"] = output[range(len(self.target)), self.target].clone()
            return output

        self.log_probabilities(layer, keep)
        return seen["x"]

    def lesion(self, layer: int, rows: np.ndarray) -> np.ndarray:
        """Log-odds after a mean lesion of a subspace, from the target on."""
        basis = torch.tensor(np.atleast_2d(rows), dtype=torch.float32)
        mean = self.at_target(layer).mean(dim=0)

        def edit(output: torch.Tensor) -> torch.Tensor:
            lesioned = output.clone()
            for row, at in enumerate(self.target):
                away = lesioned[row, at:] - mean
                lesioned[row, at:] -= away @ basis.T @ basis
            return lesioned

        return self.log_odds(layer, edit)


def unit_rows(is_chosen: np.ndarray) -> np.ndarray:
    return np.eye(len(is_chosen))[is_chosen]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_the_category(kind: str, family: str) -> None:
    subject, _ = made(kind, family)
    for prompt in ("{} is a kind of", "The word on the card was {}. It is a kind of"):
        bench = Bench(subject, prompt)
        assert bench.log_odds().min() > 3
        assert np.exp(bench.log_probabilities())[np.arange(len(LABEL)), LABEL].mean() > 0.9


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_lesions_of_directions_do_what_the_truth_says(kind: str, family: str) -> None:
    subject, truth = made(kind, family)
    bench = Bench(subject)
    clean = bench.log_odds()
    category = 4
    mine = category == LABEL
    for layer in truth["layer"].values:
        directions = truth["direction"].values[:, category]
        is_read = truth["is_read"].sel(layer=layer).values
        everything = bench.lesion(layer, directions)
        if is_read.all():
            assert everything[mine].mean() < 0
            assert (clean - everything)[mine].min() > 3
        else:
            assert everything[mine].mean() == pytest.approx(clean[mine].mean(), rel=0.05)
        # What it does is about this category alone.
        assert everything[~mine].mean() == pytest.approx(clean[~mine].mean(), rel=0.05)
        if len(directions) > 1:
            for one in directions:
                alone = bench.lesion(layer, one)
                assert alone[mine].mean() == pytest.approx(clean[mine].mean(), rel=0.1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_random_directions_and_units_do_nothing(kind: str, family: str) -> None:
    subject, truth = made(kind, family)
    bench = Bench(subject)
    clean = bench.log_odds()
    rng = np.random.default_rng(5)
    n_units = truth.sizes["unit"]
    for _ in range(4):
        direction = rng.standard_normal(n_units)
        lesioned = bench.lesion(1, direction / np.linalg.norm(direction))
        assert lesioned.mean() == pytest.approx(clean.mean(), rel=0.15)
    planted = truth["is_selective"].values.any(0) if "is_selective" in truth else np.zeros(n_units)
    for _ in range(4):
        chosen = np.zeros(n_units, dtype=bool)
        chosen[rng.choice(np.flatnonzero(planted == 0), size=4, replace=False)] = True
        assert bench.lesion(1, unit_rows(chosen)).mean() > 0.6 * clean.mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_units_are_read_where_the_category_lives_in_units(family: str) -> None:
    subject, truth = made("read_from_units", family)
    bench = Bench(subject)
    for category, is_selective in enumerate(truth["is_selective"].values):
        lesioned = bench.lesion(2, unit_rows(is_selective))
        assert lesioned[category == LABEL].mean() < 0
        assert lesioned[category != LABEL].min() > 3


@pytest.mark.parametrize("family", FAMILIES)
def test_no_few_units_are_read_where_the_category_is_a_direction(family: str) -> None:
    subject, truth = made("read_from_direction", family)
    bench = Bench(subject)
    x, clean = bench.at_target(1).numpy(), bench.log_odds()
    for category in range(3):
        mine = category == LABEL
        difference = np.abs(x[mine].mean(0) - x[~mine].mean(0))
        most_selective = difference / np.sqrt(x[mine].var(0) + x[~mine].var(0))
        chosen = np.isin(np.arange(truth.sizes["unit"]), most_selective.argsort()[-4:])
        assert bench.lesion(1, unit_rows(chosen))[mine].mean() > 0.6 * clean[mine].mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_not_read_leaves_the_answer_to_words(family: str) -> None:
    subject, truth = made("present_not_read", family)
    bench = Bench(subject)
    assert bench.lesion(1, truth["word_axes"].values).max() < 0
    every_category = bench.lesion(1, truth["direction"].values[0])
    assert every_category.mean() == pytest.approx(bench.log_odds().mean(), rel=0.05)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_injection_moves_the_answer_where_it_is_read(kind: str, family: str) -> None:
    subject, truth = made(kind, family)
    bench = Bench(subject)
    category = 2
    direction = torch.tensor(truth["direction"].values[0, category]) * float(truth["length"])
    # After words of other categories, against the names of the categories that are wrong too: what
    # is injected lengthens the stream, which a norm turns into an effect on all names alike.
    is_wrong = np.arange(len(CATEGORIES)) != LABEL[category != LABEL, None]
    is_wrong[:, category] = False

    def preference(layer: int, dose: float) -> float:
        values = bench.log_probabilities(layer, lambda output: output + dose * direction)
        values = values[category != LABEL]
        return float(values[:, category].mean() - values[is_wrong].mean())

    for layer in truth["layer"].values:
        effect = preference(layer, 1.0) - preference(layer, 0.0)
        if truth["is_read"].sel(layer=layer).any():
            assert effect > 5
        else:
            assert abs(effect) < 0.25


def test_steering_works_without_a_target() -> None:
    subject, truth = made("read_from_direction", "llama")
    batch = subject.collate(subject.tokenize(["The"]))
    direction = torch.tensor(truth["direction"].sel(category="animal").values[0])
    block = subject.model.model.layers[0]
    handle = block.register_forward_hook(
        lambda _module, _inputs, output: output + 4 * float(truth["length"]) * direction
    )
    with torch.no_grad():
        steered = subject.model(**batch).logits[0, -1].argmax()
    handle.remove()
    assert subject.tokenizer.decode(steered) == "animal"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_anatomy_is_proved_and_a_probe_reads_the_category(
    kind: str, family: str, tmp_path: Path
) -> None:
    subject, truth = made(kind, family)
    assert subject.proof.refused == {}
    shown = CONCEPTS.table[CONCEPTS.table["word"].isin(WORDS["word"])]
    recording = scan(
        subject,
        CONCEPTS.select(shown["stimulus_id"].tolist()),
        out=tmp_path / "x.zarr",
        progress=False,
    )
    x, table = recording["resid_post"].values, recording.table
    trained = table.groupby("category")["word"].transform(lambda w: pd.factorize(w)[0]) < 5
    for layer in truth["layer"].values:
        probe = LogisticRegression(max_iter=200).fit(x[trained, layer], table["category"][trained])
        accuracy = probe.score(x[~trained, layer], table["category"][~trained])
        assert truth["is_present"].sel(layer=layer)
        assert accuracy > 0.95


@pytest.mark.parametrize("family", FAMILIES)
def test_the_category_is_where_it_was_told_to_be(family: str) -> None:
    options = {"family": family, "n_layers": 5, "written": 1, "read": 3}
    phantom = MODEL_PHANTOMS["read_from_direction"]
    truth = phantom.truth(CONCEPTS, 0, **options)
    assert truth["is_present"].values.tolist() == [False, True, True, True, True]
    assert truth["is_read"].values.tolist() == [[False, True, True, False, False]]
    bench = Bench(phantom.make(CONCEPTS, 0, **options))
    for layer, (is_present, is_read) in enumerate(
        zip(truth["is_present"].values, truth["is_read"].values[0], strict=True)
    ):
        along = bench.at_target(layer).numpy() @ truth["direction"].values[0, 0]
        margin = along[LABEL == 0].mean() - along[LABEL != 0].mean()
        assert margin == pytest.approx(float(truth["length"]) * is_present, abs=0.5)
        lesioned = bench.lesion(layer, truth["direction"].values[0, 0])[LABEL == 0]
        assert (lesioned.mean() < 0) == is_read


@pytest.mark.parametrize("kind", KINDS)
def test_without_strength_nothing_is_there(kind: str) -> None:
    phantom = MODEL_PHANTOMS[kind]
    truth = phantom.truth(CONCEPTS, 0, strength=0)
    bench = Bench(phantom.make(CONCEPTS, 0, strength=0))
    assert not truth["is_present"].any()
    along = bench.at_target(2).numpy() @ truth["direction"].values[0, 0]
    assert abs(along[LABEL == 0].mean() - along[LABEL != 0].mean()) < 0.5
    if kind != "present_not_read":  # whose answer comes from words
        chance = -np.log(len(CATEGORIES) - 1)
        assert bench.log_odds().mean() == pytest.approx(chance, abs=0.5)


def test_the_twin_knows_nothing() -> None:
    subject, _ = made("read_from_direction", "llama")
    assert np.abs(Bench(subject.twin(0)).log_odds() + np.log(len(CATEGORIES) - 1)).max() < 2


def test_a_seed_gives_the_same_weights_and_leaves_torch_alone() -> None:
    design = PhantomDesign.balanced(n_categories=3, n_words=4)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = model_phantom("stored_twice", design, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert model_phantom("stored_twice", design, seed=1).fingerprint == first.fingerprint
    assert model_phantom("stored_twice", design, seed=2).fingerprint != first.fingerprint


def test_every_target_and_every_name_is_one_token() -> None:
    table = pd.DataFrame(
        {
            "text": ["I like Ice cream now.", "I saw an X-ray."],
            "target_start": [7, 9],
            "target_end": [16, 14],
            "category": ["sweet_thing", "category-1"],
            "word": ["ice cream", "X-ray"],
        }
    )
    subject = model_phantom("read_from_direction", StimulusSet.from_table(table))
    texts = [*table["text"], "ICE CREAM: a sweet_thing, a sweet thing", "x-ray: category-1"]
    tokens = subject.tokenize(texts)
    pieces = [
        [text[a:b] for a, b in row.offsets[1:]] for text, row in zip(texts, tokens, strict=True)
    ]
    assert pieces[0] == ["I", "like", "Ice cream", "now", "."]
    assert pieces[1] == ["I", "saw", "an", "X-ray", "."]
    assert pieces[2] == ["ICE CREAM", ":", "a", "sweet_thing", ",", "a", "sweet thing"]
    assert pieces[3] == ["x-ray", ":", "category-1"]
    assert tokens[2].ids[4] == tokens[2].ids[7]


@settings(max_examples=10, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**31),
    n_categories=st.integers(2, 8),
    n_units=st.sampled_from([96, 128, 192]),
)
def test_truths_are_orthonormal(kind: str, seed: int, n_categories: int, n_units: int) -> None:
    design = PhantomDesign.balanced(n_categories=n_categories, n_words=2, n_frames=1)
    truth = MODEL_PHANTOMS[kind].truth(design, seed, n_units=n_units)
    directions = truth["direction"].values.reshape(-1, n_units)
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-5)
    if "is_selective" in truth:
        np.testing.assert_array_equal(directions != 0, truth["is_selective"].values)
        assert truth["is_selective"].sum("category").max() == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": -1}, "give 0 or more"),
        ({"speed": 3}, "has no option 'speed'"),
        ({"family": "bert"}, "choose among llama, gpt2"),
        ({"n_units": 130}, "even number of units"),
        ({"n_units": 72}, "more n_units"),
        ({"written": 2, "read": 2}, "read it later"),
        ({"read": 4}, "in one of its layers"),
        ({"strength": -1.0}, "a number of 0 or more"),
        ({"strength": float("nan")}, "a number of 0 or more"),
        ({"n_selective": 40}, "more units"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        model_phantom("read_from_units", CONCEPTS, **options)  # type: ignore[arg-type]


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(InputError, match="choose among read_from_direction"):
        model_phantom("read_from_nothing", CONCEPTS)
    table = pd.DataFrame({"word": ["turkey", "Turkey"], "category": ["animal", "country"]})
    with pytest.raises(InputError, match="in two categories"):
        model_phantom("stored_twice", PhantomDesign(table, n_units=128))
    table = pd.DataFrame({"word": ["hand", "lung"], "category": ["body_part", "Body part"]})
    with pytest.raises(InputError, match="same name"):
        model_phantom("stored_twice", PhantomDesign(table, n_units=128))
