"""The control task, confusion matrices and surface features hold what they say."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics import confusion_matrix as reference_confusion

from cortiscope.errors import InputError
from cortiscope.statistics import Folds, confusion_matrix, control_task
from cortiscope.statistics.ridge import relative_lambda
from cortiscope.stimuli.surface import surface_features, target_words


def _shared_words(identity, signal, seed=0):
    """Twenty words of each of four categories, in three frames."""
    rng = np.random.default_rng(seed)
    category, word, frame = (
        np.repeat(np.arange(4), 60),
        np.repeat(np.arange(80), 3),
        np.arange(240) % 3,
    )
    folds = Folds.grouped(category, [f"w{w:02d}" for w in word])
    x = rng.normal(size=(240, 100)) + identity * rng.normal(size=(80, 100))[word]
    x += signal * rng.normal(size=(4, 100))[category]
    random = rng.permuted(np.tile(folds.label_of_word, (30, 1)), axis=1)
    return x, folds, frame, random


def test_memory_of_words_alone_reads_random_labels_as_well_as_true_ones():
    task = control_task(*_shared_words(identity=5.0, signal=0.0))
    assert task.random.mean() > 0.9
    assert abs(task.real - task.random.mean()) < 0.05


def test_a_category_is_read_beyond_what_is_memorised():
    task = control_task(*_shared_words(identity=0.3, signal=1.0))
    assert task.real > 0.9
    assert task.random.mean() < 0.5


def test_each_frame_is_read_by_a_probe_of_the_others():
    x, folds, frame, random = _shared_words(identity=0.5, signal=0.3)
    task = control_task(x, folds, frame, random, ridge=0.1)
    predicted = np.empty(len(x), dtype=int)
    for held_out in range(3):
        train = frame != held_out
        trace = np.square(x[train] - x[train].mean(axis=0)).sum()
        model = RidgeClassifier(alpha=relative_lambda(0.1, trace, train.sum()))
        predicted[~train] = model.fit(x[train], folds.label[train]).predict(x[~train])
    assert task.real == pytest.approx(balanced_accuracy_score(folds.label, predicted))


def test_one_frame_is_refused():
    x, folds, frame, random = _shared_words(0.5, 0.5)
    with pytest.raises(InputError, match="all stimuli are in the frame '0'"):
        control_task(x, folds, np.zeros_like(frame), random)


def test_confusion_is_scikit_learns():
    _, folds, *_ = _shared_words(0.5, 0.5)
    scores = np.random.default_rng(0).normal(size=(240, 4))
    expected = reference_confusion(folds.label, scores.argmax(axis=1), normalize="true")
    np.testing.assert_allclose(confusion_matrix(scores, folds), expected)


def test_surface_features_follow_their_words_and_are_finite_without_letters():
    words = ["dog", "dig", "elephant", "7", "ice cream", "dog"]
    features = surface_features(words)
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(features[0], features[5])
    assert (np.linalg.norm(features[0] - features[1:5], axis=1) > 0.1).all()
    order = [4, 2, 0, 5, 1, 3]
    again = surface_features([words[i] for i in order])
    np.testing.assert_allclose(again, features[order], atol=1e-6)


def test_targets_are_what_was_shown():
    table = pd.DataFrame(
        {"text": ["It is a Dog."], "target_start": [8], "target_end": [11], "word": ["dog (noun)"]}
    )
    assert target_words(table, "word") == ["dog"]
    assert target_words(table[["word"]], "word") == ["dog (noun)"]
    assert target_words(table[["text"]], "word") is None
