"""Folds keep words whole and categories balanced."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.statistics import Folds


@settings(max_examples=40, deadline=None)
@given(
    words_a_category=st.lists(st.integers(5, 12), min_size=2, max_size=5),
    frames=st.integers(1, 4),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 1000),
)
def test_words_stay_whole_and_categories_are_dealt_evenly(words_a_category, frames, n_folds, seed):
    target, groups = [], []
    for category, n_words in enumerate(words_a_category):
        for word in range(n_words):
            target += [f"c{category}"] * frames
            groups += [f"c{category}w{word}"] * frames
    order = np.random.default_rng(seed).permutation(len(target))
    folds = Folds.grouped(
        [target[i] for i in order], [groups[i] for i in order], n_folds=n_folds, seed=seed
    )
    for word in range(folds.n_words):
        assert len(set(folds.fold[folds.word == word])) == 1
    table = np.zeros((folds.n_categories, folds.n_folds), dtype=int)
    np.add.at(table, (folds.label_of_word, folds.fold_of_word), 1)
    assert (table.max(axis=1) - table.min(axis=1) <= 1).all()
    held_out = np.concatenate([test for _, test in folds.splits()])
    assert sorted(held_out) == list(range(len(target)))


@pytest.mark.parametrize(
    ("target", "groups", "n_folds", "message"),
    [
        (["a", "b"], ["x"], 2, "target has 2 entries and groups has 1"),
        (["a", "b", "a", "b"], ["x", "x", "y", "z"], 2, "group 'x' spans two categories"),
        (["a", "a"], ["x", "y"], 2, "one category only"),
        (["a", "a", "b"], ["x", "y", "z"], 2, "category 'b' has 1 groups, fewer than the 2 folds"),
        (["a", "b"], ["x", "y"], 1, "needs at least 2"),
    ],
)
def test_bad_labels_are_named(target, groups, n_folds, message):
    with pytest.raises(InputError, match=message):
        Folds.grouped(target, groups, n_folds=n_folds)
