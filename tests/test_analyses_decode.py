"""Decoding finds what is planted, keeps its error rate, and equals scikit-learn."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from cortiscope import InputError, Recording, Result, decode
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.figures.decode import confusion_heat_map
from cortiscope.statistics import Folds, fold_operators
from cortiscope.stimuli.surface import surface_features


def _table(n_categories=4, n_words=10, n_frames=3):
    rows = [
        {"stimulus_id": f"{c}-{w}-{f}", "category": f"c{c}", "word": f"c{c}w{w}", "frame": f"f{f}"}
        for c in range(n_categories)
        for w in range(n_words)
        for f in range(n_frames)
    ]
    return pd.DataFrame(rows)


def _recording(x, table, name="phantom"):
    return Recording.from_arrays({"resid_post": x}, stimuli=table, name=name)


def _planted(seed, strength, n_layers=3, n_units=40, planted_layer=1):
    """A direction a category, words that differ from one another, frames shared by all."""
    rng = np.random.default_rng(seed)
    table = _table()
    word = table.groupby("word", sort=False).ngroup().to_numpy()
    frame = table.groupby("frame", sort=False).ngroup().to_numpy()
    category = table.groupby("category", sort=False).ngroup().to_numpy()
    x = 0.3 * rng.normal(size=(len(table), n_layers, n_units))
    x += rng.normal(size=(word.max() + 1, n_layers, n_units))[word]
    x += rng.normal(size=(3, n_layers, n_units))[frame]
    x[:, planted_layer] += strength * rng.normal(size=(4, n_units))[category]
    return _recording(x, table)


def test_a_planted_category_is_found_where_it_is_and_nowhere_else():
    result = decode(_planted(0, strength=1.0), n_permutations=199)
    accuracy, p = result.estimates["accuracy"], result.p_values["accuracy"]
    assert float(accuracy.sel(layer=1)) > 0.9
    assert float(p.sel(layer=1)) == 1 / 200
    assert (p.sel(layer=[0, 2]) > 0.05).all()
    assert (result.p_values["auc"].sel(layer=1) < 0.05).all()


def test_without_an_effect_it_rejects_at_its_rate():
    """Words, not sentences, are the sample: 200 recordings that hold words and no category."""
    n_studies = 200
    p = [
        float(
            decode(_planted(s, 0.0, n_layers=2), n_permutations=99, n_bootstrap=2, seed=s)
            .p_values["accuracy"]
            .min()
        )
        for s in range(n_studies)
    ]
    rejected = sum(value <= 0.05 for value in p)
    low, high = stats.binom.interval(0.999, n_studies, 0.05)
    assert low <= rejected <= high


def test_word_memory_alone_is_not_decoding():
    """Activations that say which word it is, and nothing of its category."""
    rng = np.random.default_rng(1)
    table = _table()
    word = table.groupby("word", sort=False).ngroup().to_numpy()
    x = 10 * rng.normal(size=(word.max() + 1, 1, 60))[word]
    result = decode(_recording(x, table), n_permutations=199)
    assert float(result.p_values["accuracy"].item()) > 0.05


def test_it_equals_scikit_learn_on_the_same_folds():
    recording = _planted(2, strength=0.5)
    labels = recording.labels
    folds = Folds.grouped(labels["category"].tolist(), labels["word"].tolist())
    result = decode(recording, n_permutations=19, ridge=0.1)
    for layer in range(3):
        x = recording.layer("resid_post", layer)
        predicted = np.zeros(len(x), dtype=int)
        for operator, (train, test) in zip(
            fold_operators(x, folds, ridge=0.1), folds.splits(), strict=True
        ):
            model = RidgeClassifier(alpha=operator.ridge_lambda).fit(x[train], folds.label[train])
            predicted[test] = model.predict(x[test])
        expected = balanced_accuracy_score(folds.label, predicted)
        assert float(result.estimates["accuracy"].sel(layer=layer)) == pytest.approx(expected)


def test_the_interval_holds_the_estimate_and_the_null_centres_on_chance():
    result = decode(_planted(3, strength=0.4), n_permutations=400)
    for name in ("accuracy", "auc", "auc_macro"):
        low, high = (result.intervals[name].sel(bound=b) for b in ("low", "high"))
        assert (low <= result.estimates[name]).all()
        assert (result.estimates[name] <= high).all()
    assert float(result.null["accuracy"].mean()) == pytest.approx(0.25, abs=0.01)
    assert float(result.null["auc"].mean()) == pytest.approx(0.5, abs=0.01)


def test_order_of_stimuli_and_rotation_of_units_do_not_matter():
    recording = _planted(4, strength=0.5)
    x, table = recording["resid_post"].values, _table()
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 40)))[0]
    order = np.random.default_rng(1).permutation(len(table))
    turned = _recording((x @ rotation)[order], table.iloc[order].reset_index(drop=True))
    first, second = decode(recording, n_permutations=9), decode(turned, n_permutations=9)
    np.testing.assert_allclose(
        first.estimates["accuracy"], second.estimates["accuracy"], atol=1e-12
    )


def test_equal_activations_of_different_words_are_ties_not_luck():
    """At the embedding, words that end in one token are one and the same vector."""
    table = _table(n_frames=1)
    vectors = np.random.default_rng(0).normal(size=(5, 7))
    x = vectors[np.arange(len(table)) % 5][:, None]
    result = decode(_recording(x, table), n_permutations=19)
    folds = Folds.grouped(table["category"].tolist(), table["word"].tolist())
    wins, pairs = np.zeros(4), np.zeros(4)
    for operator in fold_operators(x[:, 0], folds):
        held_out = operator.held_out
        scores = operator.matrix @ np.eye(4)[folds.label_of_word]
        for c in range(4):
            positive = folds.label[held_out] == c
            n_pairs = positive.sum() * (~positive).sum()
            # Rounding puts back the ties that the last bits of a product break.
            wins[c] += n_pairs * roc_auc_score(positive, scores[:, c].round(9))
            pairs[c] += n_pairs
    np.testing.assert_allclose(result.estimates["auc"].values[0], wins / pairs, atol=1e-12)


def test_saved_results_open_as_they_were(tmp_path):
    result = decode(_planted(5, strength=0.5), n_permutations=19)
    opened = Result.open(result.save(tmp_path))
    assert opened.id == result.id
    assert opened.fingerprint == result.fingerprint
    pd.testing.assert_frame_equal(opened.to_frame(), result.to_frame())


def test_the_id_is_known_before_the_work_and_changes_with_it():
    recording = _planted(6, strength=0.5)
    result = decode(recording, n_permutations=19)
    instrument = INSTRUMENTS["decode"]
    assert instrument.id_for(recording, n_permutations=19) == result.id
    assert instrument.id_for(recording, n_permutations=20) != result.id
    assert instrument.id_for(_planted(7, 0.5), n_permutations=19) != result.id


def test_repeating_gives_the_same_numbers():
    recording = _planted(8, strength=0.3)
    first, second = decode(recording, n_permutations=49), decode(recording, n_permutations=49)
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "colour"}, "no label 'colour': choose one of"),
        ({"groups": "frame"}, "group 'f0' spans two categories"),
        ({"layers": [9]}, "layer 9 of resid_post was not recorded"),
        ({"n_folds": 11}, "fewer than the 11 folds"),
        ({"n_permutations": 0}, "n_permutations is 0"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        decode(_planted(0, 0.5), **arguments)


def test_a_damaged_result_is_refused(tmp_path):
    path = decode(_planted(9, 0.5), n_permutations=9).save(tmp_path)
    text = path.read_text()
    path.write_text(text.replace('"n_folds": 5', '"n_folds": 4'))
    with pytest.raises(InputError, match="is damaged"):
        Result.open(path)
    path.write_text(text[:100])
    with pytest.raises(InputError, match="is damaged"):
        Result.open(path)


def test_its_figure_shows_every_layer():
    result = decode(_planted(10, 0.5), n_permutations=19)
    curve = next(trace for trace in result.plot().data if trace.name == "phantom")
    assert list(curve.x) == [0, 1, 2]
    np.testing.assert_allclose(curve.y, result.estimates["accuracy"])


def test_the_peak_is_not_flattered_by_the_choice_of_its_layer():
    """Over many layers of noise the best accuracy is above chance; the cross-fitted peak is not."""
    peaks, maxima = [], []
    for seed in range(30):
        result = decode(
            _planted(seed, 0.0, n_layers=8), n_permutations=19, n_bootstrap=2, seed=seed
        )
        peaks.append(float(result.estimates["peak_accuracy"]))
        maxima.append(float(result.estimates["accuracy"].max()))
    standard_error = np.std(peaks) / np.sqrt(len(peaks))
    assert abs(np.mean(peaks) - 0.25) < 3 * standard_error
    assert np.mean(maxima) > 0.25 + 6 * standard_error


def test_a_held_out_frame_is_never_trained_on():
    """A direction that exists in one frame only is no use to a probe of the other frames."""
    table = _table()
    rng = np.random.default_rng(0)
    category = table.groupby("category", sort=False).ngroup().to_numpy()
    x = rng.normal(size=(len(table), 1, 40))
    only_here = (table["frame"] == "f1").to_numpy()
    x[only_here, 0] += 3 * rng.normal(size=(4, 40))[category[only_here]]
    recording = _recording(x, table)
    seen = decode(recording, n_permutations=99).estimates["accuracy"].item()
    unseen = decode(recording, n_permutations=99, cross="frame")
    assert seen > 0.4
    assert float(unseen.p_values["accuracy"].item()) > 0.05


def test_a_result_of_scalars_alone_is_a_table_of_one_row():
    frame = Result("demo", estimates=xr.Dataset({"rank": ((), 1.0), "area": ((), 2.5)})).to_frame()
    assert frame.to_dict("records") == [{"rank": 1.0, "area": 2.5}]


def test_a_logistic_probe_finds_what_is_planted_and_permutes_only_when_asked():
    recording = _planted(11, strength=1.0, n_layers=2)
    silent = decode(recording, probe="logistic", n_bootstrap=50)
    assert float(silent.estimates["accuracy"].sel(layer=1)) > 0.9
    assert not silent.p_values.data_vars
    assert silent.n["n_permutations"] == 0
    assert float(silent.intervals["peak_accuracy"].sel(bound="low")) > 0.25
    names = [trace.name for trace in silent.plot().data]
    assert "chance" in names
    assert "corrected p = .05" not in names
    refitted = decode(recording, probe="logistic", n_permutations=19, n_bootstrap=50, refit=True)
    assert float(refitted.p_values["accuracy"].sel(layer=1)) == 1 / 20
    assert float(refitted.null["accuracy"].mean()) == pytest.approx(0.25, abs=0.03)
    xr.testing.assert_equal(silent.estimates["auc"], refitted.estimates["auc"])


def test_a_permutation_test_whose_ridge_is_chosen_within_it_keeps_its_rate():
    p = [
        decode(
            _planted(s, 0.0, n_layers=1, planted_layer=0),
            n_permutations=99,
            n_bootstrap=2,
            ridge="inner",
            auc=False,
        ).p_values["accuracy"]
        for s in range(60)
    ]
    rejected = sum(float(value.item()) <= 0.05 for value in p)
    assert rejected <= stats.binom.isf(0.001, 60, 0.05)


def test_a_chosen_ridge_finds_what_is_planted():
    result = decode(_planted(0, strength=1.0), n_permutations=99, ridge="inner")
    assert float(result.p_values["accuracy"].sel(layer=1)) == 1 / 100
    chosen = result.estimates["chosen_ridge"]
    assert float(chosen.sel(layer=1)) < float(chosen.sel(layer=[0, 2]).min())


def test_confusion_matrices_hold_the_accuracy_on_their_diagonal():
    result = decode(_planted(12, 0.5), n_permutations=9, confusion=True)
    confusion = result.estimates["confusion"].transpose("layer", "category", "predicted").values
    np.testing.assert_allclose(confusion.sum(axis=2), 1.0)
    diagonal = np.diagonal(confusion, axis1=1, axis2=2)
    np.testing.assert_allclose(diagonal.mean(axis=1), result.estimates["accuracy"])
    figure = confusion_heat_map(result, layer=1)
    np.testing.assert_allclose(figure.data[0].z, confusion[1])


def test_words_that_are_memorised_are_not_beyond_memory():
    """Activations that say which word it is, in every frame, and nothing of its category."""
    rng = np.random.default_rng(1)
    table = _table()
    word = table.groupby("word", sort=False).ngroup().to_numpy()
    x = 10 * rng.normal(size=(word.max() + 1, 1, 60))[word]
    known = decode(_recording(x, table), n_permutations=99, memory=True)
    assert known.estimates["accuracy_shared_words"].item() == 1.0
    assert float(known.estimates["mean_beyond_memory"]) < 0.01
    category = table.groupby("category", sort=False).ngroup().to_numpy()
    x = rng.normal(size=(len(table), 1, 60)) + rng.normal(size=(4, 1, 60))[category]
    read = decode(_recording(x, table), n_permutations=99, memory=True)
    assert float(read.estimates["mean_beyond_memory"]) > 0.3
    assert float(read.p_values["mean_beyond_memory"]) == 1 / 100


def test_a_surface_is_the_baseline_of_activations_that_hold_it():
    """Words whose categories differ in their letters, and activations that hold nothing else."""
    rng = np.random.default_rng(0)
    table = _table(n_words=20)
    letters = dict(zip("0123", ("kt", "mo", "se", "ru"), strict=True))
    spelt = {
        word: "".join(rng.choice(list(letters[word[1]] + "ai"), 6))
        + word[3:].translate(str.maketrans("0123456789", "bcdfghjlnp"))
        for word in table["word"].unique()
    }
    table["word"] = table["word"].map(spelt)
    features = surface_features(table["word"].tolist())
    x = (features @ rng.normal(size=(features.shape[1], 60)))[:, None]
    result = decode(_recording(x, table), n_permutations=99, surface=True)
    assert float(result.estimates["surface_accuracy"]) > 0.7
    assert float(result.p_values["surface_accuracy"]) == 1 / 100
    assert float(result.intervals["beyond_surface"].sel(bound="low")) < 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probe": "svm"}, "probe is 'svm': choose"),
        ({"ridge": "best"}, "ridge is 'best': give a number"),
        ({"probe": "logistic", "ridge": "inner"}, 'ridge="inner" is for probe="ridge"'),
        ({"probe": "logistic", "memory": True}, 'it needs probe="ridge"'),
        ({"memory": True, "frames": "sentence"}, "no label 'sentence'"),
        ({"ridge": "inner", "n_folds": 2}, "needs 3 folds or more"),
    ],
)
def test_what_a_probe_cannot_do_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        decode(_planted(0, 0.5), n_permutations=9, **arguments)
