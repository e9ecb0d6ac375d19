"""Nested folds: what is chosen sees training words alone, and what is kept apart stays apart."""

import numpy as np
import pytest

from cortiscope import InputError
from cortiscope.statistics import Folds, MlpSetting, NestedFolds, auc_of_words

LINEAR = [MlpSetting(0, decay, shrinkage) for decay in (1.0, 10.0) for shrinkage in (0.1, 10.0)]
NETWORK = [MlpSetting(16, 1.0, shrinkage) for shrinkage in (0.1, 10.0)]


def _exclusive_or(seed, n_words=240, n_frames=2, n_units=6):
    rng = np.random.default_rng(seed)
    # Each key as often in each category: in this sample, too, neither code tells anything.
    key, category = np.arange(n_words) % 2, np.arange(n_words) // 2 % 2
    x = 0.5 * rng.normal(size=(n_words, n_units))
    x[:, 0] += 2 * key - 1
    x[:, 1] += 2 * (key ^ category) - 1
    word = np.repeat(np.arange(n_words), n_frames)
    x = x[word] + 0.2 * rng.normal(size=(len(word), n_units))
    return x.astype(np.float32), Folds.grouped(category[word].tolist(), word.tolist())


def _auc(scores, folds):
    return float(auc_of_words(scores, folds, np.ones((1, folds.n_words))).mean())


def test_the_network_reads_the_exclusive_or_and_the_linear_probe_does_not():
    x, folds = _exclusive_or(0)
    nested = NestedFolds(x, folds)
    assert _auc(nested.scores(NETWORK).scores, folds) > 0.95
    assert abs(_auc(nested.scores(LINEAR).scores, folds) - 0.5) < 0.1


def test_a_setting_that_cannot_work_is_not_chosen():
    """Decay so strong that weights vanish, and a linear probe where a network is needed."""
    x, folds = _exclusive_or(1)
    good = MlpSetting(16, 1.0, 10.0)
    tuned = NestedFolds(x, folds).scores([MlpSetting(0), good, MlpSetting(16, 1e6, 10.0)])
    assert tuned.settings == [good] * 5


def test_held_out_stimuli_neither_train_nor_choose():
    """Whatever is done to the words of one fold, the probe that reads it stays the same."""
    x, folds = _exclusive_or(2, n_words=60)
    held_out = folds.fold == 0
    altered = x.copy()
    altered[held_out] = 100 * np.random.default_rng(0).normal(size=altered[held_out].shape)
    before, after = (NestedFolds(values, folds).scores(NETWORK) for values in (x, altered))
    assert before.settings[0] == after.settings[0]
    assert before.n_epochs[0] == after.n_epochs[0]
    # Put the rows back: had they mattered, what is read in them would differ.
    partly = altered.copy()
    one = np.flatnonzero(held_out)[:1]
    partly[one] = x[one]
    np.testing.assert_allclose(
        NestedFolds(partly, folds).scores(NETWORK).scores[one], before.scores[one], atol=1e-5
    )


def test_words_that_are_not_kept_are_never_trained_on():
    x, folds = _exclusive_or(3, n_words=60)
    kept = folds.half == 0
    altered = x.copy()
    altered[~kept] += 100
    before, after = (NestedFolds(values, folds, kept).scores(NETWORK) for values in (x, altered))
    np.testing.assert_allclose(before.scores[kept], after.scores[kept], atol=1e-5)


def test_equal_stimuli_have_equal_scores():
    x, folds = _exclusive_or(4, n_words=60)
    x = np.repeat(x[::2], 2, axis=0)  # both sentences of a word are alike
    scores = NestedFolds(x, folds).scores(NETWORK).scores
    np.testing.assert_array_equal(scores[::2], scores[1::2])


def test_too_few_folds_and_crossed_folds_are_named():
    x, folds = _exclusive_or(5, n_words=40)
    category, word = folds.label.tolist(), folds.word.tolist()
    with pytest.raises(InputError, match="n_folds is 2"):
        NestedFolds(x, Folds.grouped(category, word, n_folds=2))
    with pytest.raises(InputError, match="crossed with a label"):
        NestedFolds(x, Folds.grouped(category, word, cross=[0, 1] * (len(x) // 2)))
