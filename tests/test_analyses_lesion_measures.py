"""What a lesion takes from a probe does not hang on how passes round."""

from __future__ import annotations

import numpy as np
import pytest

from cortiscope.analyses.lesion_measures import auc_change
from cortiscope.statistics import Folds

RNG = np.random.default_rng(0)
LABELS = np.repeat(["animal", "number", "tool"], 12).tolist()
WORDS = np.repeat([f"word {at}" for at in range(18)], 2).tolist()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_stimuli_that_rounding_alone_tells_apart_are_ties(scale: float) -> None:
    folds = Folds.grouped(LABELS, WORDS, n_folds=2)
    one = Folds(
        np.zeros_like(folds.fold), folds.label, folds.word, folds.half, folds.level,
        folds.categories, folds.words,
    )  # fmt: skip
    clean = RNG.normal(size=(36, 3))
    of_frames = np.tile(RNG.normal(size=(2, 3)), (18, 1))  # all that a lesion of all units leaves
    noise = 1e-6 * RNG.normal(size=(36, 3))
    scores = scale * np.stack([clean, of_frames, of_frames + noise, clean + noise])
    weights = np.concatenate([np.ones((1, 18)), RNG.integers(0, 3, size=(5, 18))])
    change, clean_auc = auc_change(scores, one, weights)
    np.testing.assert_array_equal(change[..., 1], change[..., 2])
    np.testing.assert_allclose(change[0, :, 1], clean_auc[0] - 0.5, atol=1e-12)
    np.testing.assert_array_equal(change[..., 3], 0.0)
