"""Dimensionality finds the dimensions that were planted."""

import numpy as np
import pandas as pd
import pytest

from cortiscope import InputError, PhantomDesign, Recording, Result
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.dimensionality import dimensionality
from cortiscope.phantoms import PHANTOMS, Background


def _table(n_words=40, n_categories=3, n_frames=2):
    return PhantomDesign.balanced(n_categories, n_words, n_frames, 8).table


def _planted(dimensions, n_units=300, seed=0, n_words=60):
    """Each category in a subspace of its own, of as many dimensions as it is told."""
    rng = np.random.default_rng(seed)
    table = _table(n_words, len(dimensions))
    x = np.zeros((len(table), 1, n_units))
    word = pd.factorize(table["word"])[0]
    category = pd.factorize(table["category"])[0]
    for index, d in enumerate(dimensions):
        axes = np.linalg.qr(rng.normal(size=(n_units, d)))[0].T
        points = rng.normal(size=(word.max() + 1, d)) @ axes
        x[category == index, 0] = points[word[category == index]]
    return Recording.from_arrays({"resid_post": x}, stimuli=table, name="planted")


def test_the_dimensions_of_planted_subspaces_come_back():
    """2, 10 and 50 of them, from 60 words each; uncorrected, 50 look like 27."""
    result = dimensionality(_planted([2, 10, 50]), n_jackknife=100)
    found = result.estimates["participation_ratio"].values[0]
    np.testing.assert_allclose(found, [2, 10, 50], rtol=0.15)
    biased = result.estimates["participation_ratio_biased"].values[0]
    assert biased[2] == pytest.approx(50 * 59 / (50 + 59), rel=0.1)
    two_nn = result.estimates["two_nn"].values[0]
    assert (np.diff(two_nn) > 0).all()
    pca = result.estimates["pca90"].values[0]
    assert pca[0] == 2
    assert pca[2] < 50


def test_kinds_of_a_category_span_one_dimension_less_than_there_are():
    """The phantom `subspace`: each word of a category moves along one of several directions."""
    background = Background(exponent=0.0, frame_variance=0.0, n_massive=0)
    design = PhantomDesign.balanced(4, 60, 2, 200, background=background)
    for shares in ((1, 1), (1, 1, 1), (1, 1, 1, 1, 1)):
        recording = PHANTOMS["subspace"].make(design, seed=0, strength=200.0, shares=shares)
        found = dimensionality(recording, n_jackknife=5).estimates["participation_ratio"]
        np.testing.assert_allclose(found, len(shares) - 1, rtol=0.1)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    covered = [
        bool(low <= 10 <= high)
        for low, high in (
            dimensionality(_planted([10, 10, 10], seed=seed, n_words=40), pca=False)
            .intervals["participation_ratio"]
            .values[:, 0, 0]
            for seed in range(60)
        )
    ]
    assert 0.85 <= np.mean(covered) <= 1


def test_sentences_are_no_words():
    """Noise of their own in two sentences of a word: n is the number of words."""
    recording = _planted([20, 20, 20])
    averaged = dimensionality(recording, n_jackknife=5).estimates
    alone = dimensionality(recording, average=False, n_jackknife=5).estimates
    # Here both sentences of a word are one point, which TwoNN counts once.
    np.testing.assert_allclose(averaged["two_nn"], alone["two_nn"], rtol=1e-6)
    biased = "participation_ratio_biased"
    np.testing.assert_allclose(averaged[biased], alone[biased], rtol=1e-6)


def test_sentences_may_differ_in_number():
    recording = _planted([3, 3, 3])
    ids = np.asarray(recording.labels.index)
    uneven = recording.sel(stimulus_id=ids[5:].tolist())
    result = dimensionality(uneven, average=False, n_jackknife=20)
    assert np.isfinite(result.estimates["pca90"]).all()


def test_frames_do_not_matter_unless_sentences_count():
    recording = _planted([5, 5, 5])
    frame = pd.factorize(recording.labels["frame"])[0]
    shift = 20 * np.random.default_rng(0).normal(size=(2, 1, 300))
    x = recording["resid_post"].values + shift[frame]
    shifted = Recording.from_arrays({"resid_post": x}, stimuli=recording.table)
    plain = dimensionality(recording, n_jackknife=5).estimates["participation_ratio"]
    same = dimensionality(shifted, n_jackknife=5).estimates["participation_ratio"]
    np.testing.assert_allclose(same, plain, rtol=1e-4)
    sentences = {"average": False, "n_jackknife": 5}
    with_frames = dimensionality(shifted, **sentences).estimates["participation_ratio"]
    without = dimensionality(shifted, frames="frame", **sentences).estimates["participation_ratio"]
    assert (with_frames < 2).all()
    assert (without > 4).all()


def test_words_that_end_in_one_token_count_once():
    """At the embedding: five vectors for all words of a category are not a dimension."""
    table = _table()
    vectors = np.random.default_rng(0).normal(size=(2, 30))
    x = vectors[np.arange(len(table)) // 2 % 2][:, None]
    result = dimensionality(Recording.from_arrays({"resid_post": x}, stimuli=table), n_jackknife=5)
    assert np.isnan(result.estimates["two_nn"]).all()
    np.testing.assert_allclose(result.estimates["participation_ratio"], 1)


def test_the_id_is_known_before_the_work_and_results_open_as_they_were(tmp_path):
    recording = _planted([2, 3, 4])
    instrument = INSTRUMENTS["dimensionality"]
    result = dimensionality(recording, n_jackknife=10)
    assert instrument.id_for(recording, n_jackknife=10) == result.id
    assert Result.open(result.save(tmp_path)).fingerprint == result.fingerprint
    without = dimensionality(recording, n_jackknife=10, pca=False)
    missing = set(result.estimates.data_vars) - set(without.estimates.data_vars)
    assert missing == set(instrument.switches["pca"])
    for results in ({"subject": result, "twin 0": without}, {"subject": without}):
        assert instrument.figure(results).data


def test_bad_recordings_are_named():
    table = pd.DataFrame({"category": ["a", "b"] * 4, "word": [f"w{i}" for i in range(8)]})
    few = Recording.from_arrays({"resid_post": np.ones((8, 1, 4))}, stimuli=table)
    with pytest.raises(InputError, match="has 4 values of 'word', and 5 or more"):
        dimensionality(few)
    table = _table()
    constant = Recording.from_arrays({"resid_post": np.ones((len(table), 1, 4))}, stimuli=table)
    with pytest.raises(InputError, match="no unit of layer 0 of resid_post varies"):
        dimensionality(constant)
    with pytest.raises(InputError, match="no label 'voice'"):
        dimensionality(constant, frames="voice")
