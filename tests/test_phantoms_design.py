"""Designs hold labels that analyses take, and made-up words that give no category away."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortiscope import InputError, Recording, StimulusSet
from cortiscope.phantoms import PHANTOMS, Background, PhantomDesign
from cortiscope.phantoms.words import letters_of, made_up_words


def _recording(**labels):
    table = pd.DataFrame({"stimulus_id": ["1", "2", "3"], **labels})
    return Recording.from_arrays({"resid_post": np.ones((3, 2, 20))}, stimuli=table)


def test_a_balanced_design_crosses_words_with_frames():
    design = PhantomDesign.balanced(n_categories=3, n_words=5, n_frames=2, n_units=16)
    counts = design.table.groupby(["category", "word"])["frame"].nunique()
    assert len(counts) == design.n_words == 15
    assert (counts == 2).all()
    assert (design.n_categories, design.n_frames, design.n_stimuli) == (3, 2, 30)


def test_its_table_is_a_stimulus_set_with_the_word_as_target():
    design = PhantomDesign.balanced(n_categories=2, n_words=6, n_units=16)
    stimuli = StimulusSet.from_table(design.table)
    targets = [row.text[row.target_start : row.target_end] for row in stimuli.table.itertuples()]
    assert targets == design.table["word"].tolist()
    stimuli.check_groups()


def test_words_of_a_balanced_design_do_not_show_the_category():
    design = PhantomDesign.balanced(n_categories=4, n_words=300, n_frames=1, n_units=16)
    counts = letters_of(design.words)
    p = [
        stats.f_oneway(*(counts[name][design.category_of_word == c] for c in range(4))).pvalue
        for name in counts
    ]
    assert min(p) > 0.05 / len(p)


def test_contrast_makes_words_of_categories_differ_and_all_words_stay_different():
    category = np.repeat(np.arange(4), 200)
    words = made_up_words(category, np.random.default_rng(0), contrast=0.5)
    assert len(set(words)) == len(words)
    counts = letters_of(words)
    for feature in ("length", "b", "f"):  # categories 0 and 1 like b and f
        assert stats.f_oneway(*(counts[feature][category == c] for c in range(4))).pvalue < 1e-6
    assert (counts["length"] == counts.drop(columns="length").sum(axis=1)).all()


def test_more_words_than_short_ones_are_made():
    words = made_up_words(np.zeros(6000, dtype=int), np.random.default_rng(0), contrast=1.0)
    assert len(set(words)) == 6000


def test_like_takes_labels_order_and_width_of_a_recording():
    recording = _recording(kind=["a", "b", "a"], lemma=["x", "y", "z"], extra=[1, 2, 3])
    design = PhantomDesign.like(recording, "resid_post", target="kind", groups="lemma")
    made = PHANTOMS["direction"].make(design, seed=0)
    pd.testing.assert_frame_equal(made.labels, recording.labels)
    assert made["resid_post"].shape == (3, 1, 20)
    assert design.n_frames == 1  # no label holds frames


def test_heads_are_laid_side_by_side():
    table = pd.DataFrame({"stimulus_id": ["1", "2"], "category": ["a", "b"], "word": ["x", "y"]})
    heads = Recording.from_arrays({"head_out": np.ones((2, 1, 3, 5))}, stimuli=table)
    assert PhantomDesign.like(heads, "head_out").n_units == 15


def test_every_token_is_refused():
    table = pd.DataFrame({"stimulus_id": ["1", "2"], "category": ["a", "b"], "word": ["x", "y"]})
    recording = Recording.from_arrays({"resid_post": np.ones((2, 1, 4, 6))}, stimuli=table)
    with pytest.raises(InputError, match="at every token"):
        PhantomDesign.like(recording, "resid_post")


def test_the_fingerprint_follows_the_content():
    design = PhantomDesign.balanced(n_units=32)
    assert design.fingerprint == PhantomDesign.balanced(n_units=32).fingerprint
    others = [
        PhantomDesign.balanced(n_units=33),
        PhantomDesign.balanced(n_units=32, n_words=39),
        PhantomDesign.balanced(n_units=32, n_layers=2),
        PhantomDesign.balanced(n_units=32, background=Background(exponent=1.5)),
    ]
    assert len({design.fingerprint, *(other.fingerprint for other in others)}) == 5


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"category": ["a", "a", "a"], "word": ["x", "y", "z"]}, "has 1 values"),
        ({"category": ["a", "b", "a"], "word": ["x", "x", "z"]}, "word 'x' of the phantom"),
        ({"category": ["a", "b", "a"]}, "no label 'word'"),
        ({"category": ["a", "b", None], "word": ["x", "y", "z"]}, "'category' has gaps"),
    ],
)
def test_tables_that_no_phantom_can_have_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        PhantomDesign(pd.DataFrame(labels), n_units=8)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_units": 3}, "n_units is 3"),
        ({"n_layers": 0}, "n_layers is 0"),
        ({"n_words": 0}, "n_words is 0"),
        ({"n_frames": 0}, "n_frames is 0"),
        ({"n_categories": 1}, "has 1 values"),
        ({"n_categories": 0}, "has 0 values"),
    ],
)
def test_sizes_that_are_too_small_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        PhantomDesign.balanced(**sizes)


@pytest.mark.parametrize(
    "shape", [{"word_share": 1.2}, {"exponent": -1.0}, {"massive_mean": np.inf}]
)
def test_backgrounds_that_cannot_be_are_refused(shape):
    with pytest.raises(InputError, match=f"background's {next(iter(shape))}"):
        Background(**shape)
