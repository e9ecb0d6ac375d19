"""Decoding by words reads what is planted in categories, and keeps its rate on the rest."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_score

from cortiscope import StimulusSet, decode
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics.proportions import binomial_interval

SMALL = PhantomDesign.balanced(n_categories=2, n_words=15, n_frames=2, n_units=40)
FOUR = PhantomDesign.balanced(n_categories=4, n_words=20, n_frames=2, n_units=64)


def _n_rejected(name, design, n_phantoms, **options):
    results = (
        decode(PHANTOMS[name].make(design, seed, **options), n_permutations=99, n_bootstrap=2)
        for seed in range(n_phantoms)
    )
    return sum(float(result.p_values["accuracy"][0]) <= 0.05 for result in results)


@pytest.mark.parametrize("name", ["direction", "selective_units", "patch"])
def test_planted_categories_are_found(name):
    assert _n_rejected(name, FOUR, 5, strength=2.0) == 5


def test_a_subspace_is_found():
    assert _n_rejected("subspace", FOUR, 5, strength=4.0) == 5


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("noise", 1.0),
        ("xor", 4.0),
        ("training_words", 1.0),
        ("modular", 1.0),
        ("not_modular", 1.0),
        ("power_law", 1.0),
    ],
)
def test_without_a_category_it_rejects_at_its_rate(name, strength):
    n_phantoms = 60
    rejected = _n_rejected(name, SMALL, n_phantoms, strength=strength)
    assert rejected <= stats.binom.isf(0.001, n_phantoms, 0.05)


def test_leaky_folds_read_categories_in_words_seen_in_training_and_folds_by_word_do_not():
    recording = PHANTOMS["training_words"].make(FOUR, seed=0)
    x, y = recording.layer("resid_post", 0), FOUR.category
    leaky = cross_val_score(RidgeClassifier(), x, y, cv=KFold(5, shuffle=True, random_state=0))
    by_word = cross_val_score(RidgeClassifier(), x, y, groups=FOUR.word, cv=GroupKFold(5))
    assert leaky.mean() > 0.7
    assert by_word.mean() < 0.4


def test_a_surface_is_read_as_a_category_and_nothing_is_left_beyond_it():
    n_found, n_beyond = 0, 0
    for seed in range(5):
        phantom = PHANTOMS["surface"].make(FOUR, seed, strength=2.0, contrast=0.8)
        n_found += float(decode(phantom, n_permutations=99).p_values["accuracy"][0]) <= 0.05
        surface = PHANTOMS["surface"].truth(FOUR, seed, contrast=0.8)["surface"].values[FOUR.word]
        x = phantom["resid_post"].values[:, 0]
        predictors = np.column_stack([np.ones(len(surface)), surface])
        phantom["resid_post"].values[:, 0] -= predictors @ np.linalg.lstsq(predictors, x)[0]
        n_beyond += float(decode(phantom, n_permutations=99).p_values["accuracy"][0]) <= 0.05
    assert n_found == 5
    assert n_beyond <= 1


def test_without_contrast_the_surface_says_nothing():
    assert _n_rejected("surface", SMALL, 40, strength=2.0, contrast=0.0) <= 7


def test_a_surface_phantom_brings_its_words_in_labels_and_texts():
    recording = PHANTOMS["surface"].make(FOUR, seed=1)
    truth = PHANTOMS["surface"].truth(FOUR, seed=1)
    table = StimulusSet.from_table(recording.table).table
    assert table["word"].tolist() == truth["new_word"].values[FOUR.word].tolist()
    spans = zip(table["text"], table["target_start"], table["target_end"], strict=True)
    assert [text[start:end] for text, start, end in spans] == table["word"].tolist()
    assert table["category"].tolist() == FOUR.table["category"].tolist()
    scores = cross_val_score(RidgeClassifier(), truth["surface"].values, FOUR.category_of_word)
    assert scores.mean() > 0.5  # the words alone give the category away


@pytest.mark.parametrize(("n_successes", "n_trials"), [(0, 30), (5, 100), (200, 200)])
def test_the_binomial_interval_is_clopper_and_pearsons(n_successes, n_trials):
    low, high = binomial_interval(n_successes, n_trials)
    beta = stats.beta
    expected_low = beta.ppf(0.025, n_successes, n_trials - n_successes + 1) if n_successes else 0.0
    left = n_trials - n_successes
    expected_high = beta.ppf(0.975, n_successes + 1, left) if left else 1.0
    assert (low, high) == pytest.approx((expected_low, expected_high))
