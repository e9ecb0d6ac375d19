"""RSA finds a geometry that two share, keeps its error rate, and equals rsatoolbox."""

import numpy as np
import pandas as pd
import pytest
import rsatoolbox
from rsatoolbox.inference import boot_noise_ceiling
from scipy import stats

from cortiscope import InputError, Recording, Result
from cortiscope.analyses.instruments import INSTRUMENTS
from cortiscope.analyses.rdms import rdms
from cortiscope.analyses.rsa import rsa
from cortiscope.codes import RDM
from cortiscope.phantoms import PHANTOMS, PhantomDesign

# rsatoolbox makes arrays of a kind that numpy warns of.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in cast")

QUICK = {"n_permutations": 99, "n_jackknife": 20}


def _table(n_words=24, n_frames=3, n_categories=2):
    rows = [
        {
            "stimulus_id": f"{w}-{f}",
            "word": f"word {w:02d}",
            "frame": f"f{f}",
            "category": f"c{w % n_categories}",
        }
        for w in range(n_words)
        for f in range(n_frames)
    ]
    return pd.DataFrame(rows)


def _recording(x, table, name="one"):
    return Recording.from_arrays({"resid_post": x}, stimuli=table, name=name)


def _noisy(seed, table, n_layers=2, n_units=30, places=None, layer=0, name="one"):
    """Words, frames and noise, and at one layer words at given places of a space."""
    rng = np.random.default_rng(seed)
    word, frame = (table.groupby(key).ngroup().to_numpy() for key in ("word", "frame"))
    x = rng.normal(size=(word.max() + 1, n_layers, n_units))[word]
    x += 3 * rng.normal(size=(frame.max() + 1, n_layers, n_units))[frame]
    x += 0.5 * rng.normal(size=(len(table), n_layers, n_units))
    if places is not None:
        axes = np.linalg.qr(rng.normal(size=(n_units, places.shape[1])))[0].T
        x[:, layer] += 3 * places[word] @ axes
    return _recording(x, table, name)


def _places(n_words=24):
    return np.random.default_rng(99).normal(size=(n_words, 6))


def _dataset(x, table):
    centred = x - pd.DataFrame(x).groupby(table["frame"].to_numpy()).transform("mean").to_numpy()
    return rsatoolbox.data.Dataset(
        centred,
        obs_descriptors={"word": table["word"].to_numpy(), "frame": table["frame"].to_numpy()},
    )


@pytest.mark.parametrize("measure", ["correlation", "euclidean", "crossnobis"])
def test_rdms_of_a_recording_equal_rsatoolbox(measure):
    table = _table()
    recording = _noisy(0, table)
    options = {"cv_descriptor": "frame"} if measure == "crossnobis" else {}
    for layer, rdm in rdms(recording, measure=measure).items():
        x = recording.layer("resid_post", layer).astype(np.float64)
        theirs = rsatoolbox.rdm.calc_rdm(_dataset(x, table), measure, descriptor="word", **options)
        assert list(rdm.conditions) == list(theirs.pattern_descriptors["word"])
        np.testing.assert_allclose(rdm.dissimilarities, theirs.dissimilarities[0], atol=1e-6)


def test_correlations_and_ceilings_equal_rsatoolbox():
    table = _table()
    one, two = _noisy(0, table, places=_places()), _noisy(1, table, places=_places())
    result = rsa(one, two, **QUICK)
    first, second = (
        rsatoolbox.rdm.RDMs(np.stack([rdm.dissimilarities for rdm in rdms(each).values()]))
        for each in (one, two)
    )
    for name, method in (("spearman", "spearman"), ("rho_a", "rho-a")):
        expected = rsatoolbox.rdm.compare(first, second, method)
        np.testing.assert_allclose(result.estimates[name], expected, atol=1e-9)
    dataset = _dataset(one.layer("resid_post", 0).astype(np.float64), table)
    of_frames = rsatoolbox.rdm.calc_rdm(
        dataset.split_obs("frame"), "correlation", descriptor="word"
    )
    low, high = boot_noise_ceiling(of_frames, "spearman")
    assert float(result.estimates["ceiling_low"][0]) == pytest.approx(low, abs=1e-6)
    assert float(result.estimates["ceiling_high"][0]) == pytest.approx(high, abs=1e-6)
    below = rsatoolbox.rdm.compare(of_frames, second, "spearman").mean(axis=0)
    np.testing.assert_allclose(result.estimates["in_frames"][0], below, atol=1e-6)


def test_a_shared_geometry_is_found_at_its_layers_and_nowhere_else():
    table = _table()
    one = _noisy(0, table, places=_places(), layer=1)
    two = _noisy(1, table, n_layers=3, n_units=17, places=_places(), layer=2, name="two")
    result = rsa(one, two, **QUICK)
    found = result.estimates["spearman"]
    assert found.dims == ("layer", "other_layer")
    assert found.shape == (2, 3)
    assert float(found.sel(layer=1, other_layer=2)) > 0.6
    p = result.p_values["spearman"]
    assert float(p.sel(layer=1, other_layer=2)) == 1 / 100
    assert (p.sel(layer=0) > 0.05).all()
    assert (p.sel(other_layer=[0, 1]) > 0.05).all()
    assert float(result.estimates["best_match"].sel(layer=1)) > 0.6
    assert result.subject == "one and two"
    assert result.n["n_words"] == 24


def test_without_a_shared_geometry_p_values_are_uniform():
    table = _table(n_words=16, n_frames=1)
    p = {"mean_best_match": [], "mean_by_depth": [], "spearman": []}
    for seed in range(200):
        one, two = (_noisy([seed, place], table, n_units=8) for place in (0, 1))
        result = rsa(one, two, n_permutations=99, n_jackknife=2, ceiling=False, seed=seed)
        for variable, of_variable in p.items():
            # The smallest corrected p-value is that of the largest of all pairs of layers.
            of_variable.append(float(result.p_values[variable].min()))
    for variable, of_variable in p.items():
        assert stats.kstest(of_variable, "uniform").pvalue > 0.01, variable


def test_the_phantom_that_it_must_detect_is_detected():
    design = PhantomDesign.balanced(n_categories=4, n_words=10, n_units=64)
    estimates = []
    for strength in (0.0, 1.0, 2.0):
        one, two = (PHANTOMS["shared_geometry"].make(design, s, strength) for s in (1, 2))
        estimates.append(float(rsa(one, two, **QUICK).estimates["mean_best_match"]))
    assert abs(estimates[0]) < 0.1
    assert estimates[0] + 0.2 < estimates[1] < estimates[2]
    assert estimates[2] > 0.7


def test_an_rdm_stands_in_for_a_model_whatever_the_case_of_its_names():
    table = _table()
    recording = _noisy(0, table, places=_places(), layer=1)
    order = np.random.default_rng(0).permutation(24)[:20]
    brain = RDM.from_features(
        "IT", [f"Word_{w:02d}" for w in order], _places()[order], measure="euclidean"
    )
    result = rsa(recording, brain, **QUICK)
    assert result.estimates["spearman"].shape == (2, 1)
    assert result.n["n_words"] == 20
    assert result.n["n_stimuli"] == 60
    assert float(result.p_values["spearman"].sel(layer=1).item()) == 1 / 100
    # Frames' means are those of the stimuli that are used: the same as without the rest.
    words = sorted(f"word {w:02d}" for w in order)
    model = rdms(recording.sel(word=words))[1]
    there = brain.select([name.replace("word ", "Word_") for name in words])
    expected = stats.spearmanr(model.dissimilarities, there.dissimilarities).statistic
    assert result.estimates["spearman"].sel(layer=1).item() == pytest.approx(expected, abs=1e-9)
    assert np.isnan(result.estimates["other_ceiling_low"]).all()


def test_recordings_are_aligned_by_stimulus_id():
    table = _table()
    one, two = _noisy(0, table, places=_places()), _noisy(1, table, places=_places())
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = _recording(two["resid_post"].values[order], table.iloc[order].reset_index(drop=True))
    first, second = rsa(one, two, **QUICK), rsa(one, shuffled, **QUICK)
    for name in first.estimates.data_vars:
        np.testing.assert_allclose(first.estimates[name], second.estimates[name], atol=1e-9)
    fewer = two.sel(word=[f"word {w:02d}" for w in range(12)])
    assert rsa(one, fewer, **QUICK).n["n_words"] == 12


def test_conditions_can_be_categories():
    table = _table(n_words=40, n_categories=10)
    centres = np.random.default_rng(5).normal(size=(10, 6))
    places = centres[np.arange(40) % 10]
    one, two = (_noisy(seed, table, places=places) for seed in (0, 1))
    result = rsa(one, two, groups="category", **QUICK)
    assert result.n["n_words"] == 10
    assert float(result.p_values["spearman"].sel(layer=0, other_layer=0)) < 0.05


def test_means_of_frames_are_not_geometry():
    """Frames that both share move all of their sentences; words that lack one stand apart."""
    table = _table()
    rng = np.random.default_rng(0)
    keep = rng.random(len(table)) > 0.3
    keep[::3] = True  # every word keeps its first frame
    uneven = table[keep].reset_index(drop=True)
    p = []
    for seed in range(20):
        one, two = (_noisy([seed, place], uneven, n_layers=1) for place in (0, 1))
        p.append(float(rsa(one, two, **QUICK).p_values["mean_by_depth"]))
    assert np.mean(np.array(p) <= 0.05) <= 0.25


def test_crossnobis_is_in_reach_with_frames_as_runs():
    table = _table()
    one, two = _noisy(0, table, places=_places()), _noisy(1, table, places=_places())
    for normalise in (False, True):
        result = rsa(one, two, measure="crossnobis", normalise=normalise, **QUICK)
        assert float(result.estimates["spearman"].sel(layer=0, other_layer=0)) > 0.6
        assert np.isnan(result.estimates["ceiling_low"]).all()


def test_intervals_hold_the_estimates_and_repeating_gives_the_same_numbers(tmp_path):
    table = _table()
    one, two = _noisy(0, table, places=_places()), _noisy(1, table, places=_places())
    first, second = rsa(one, two, **QUICK), rsa(one, two, **QUICK)
    assert first.fingerprint == second.fingerprint
    for name, interval in first.intervals.items():
        assert (interval.sel(bound="low") <= first.estimates[name]).all(), name
        assert (first.estimates[name] <= interval.sel(bound="high")).all(), name
    assert Result.open(first.save(tmp_path)).fingerprint == first.fingerprint


def test_the_id_is_known_before_the_work():
    table = _table()
    recording = _noisy(0, table)
    brain = RDM.from_features("IT", [f"word {w:02d}" for w in range(24)], _places())
    instrument = INSTRUMENTS["rsa"]
    result = rsa(recording, brain, **QUICK)
    assert instrument.id_for(recording, brain, **QUICK) == result.id
    assert instrument.id_for(recording, recording, **QUICK) != result.id


def test_its_figure_is_a_curve_against_one_rdm_and_a_map_otherwise():
    table = _table()
    recording = _noisy(0, table)
    brain = RDM.from_features("IT", [f"word {w:02d}" for w in range(24)], _places())
    result = rsa(recording, brain, **QUICK)
    curve = next(trace for trace in result.plot().data if trace.name == result.subject)
    np.testing.assert_allclose(curve.y, result.estimates["spearman"][:, 0])
    with_recording = rsa(recording, _noisy(1, table), **QUICK)
    assert any(trace.type == "heatmap" for trace in with_recording.plot().data)


def _few():
    return RDM.from_features(
        "IT", ["word 03", *"abcdefgh"], np.random.default_rng(0).random((9, 4))
    )


def _without_a_cell(recording):
    return recording.sel(stimulus_id=[i for i in recording.labels.index if i != "3-1"])


def _flat(recording):
    x = recording["resid_post"].values.copy()
    x[:, 1] = x[:, 1, :1]
    return _recording(x, recording.table)


@pytest.mark.parametrize(
    ("change", "other", "arguments", "message"),
    [
        (None, _few, {}, "share 1 conditions by name, and 8 or more .* 'word 00'"),
        (None, None, {"measure": "cosine"}, "no measure 'cosine'"),
        (None, None, {"normalise": True}, "with measure='crossnobis' alone"),
        (None, None, {"groups": "colour"}, "no label 'colour'"),
        (None, None, {"layers": [7]}, "layer 7 of resid_post was not recorded"),
        (None, None, {"measure": "crossnobis", "frames": None}, "give two or more runs"),
        (
            _without_a_cell,
            None,
            {"measure": "crossnobis"},
            "'word 03' is missing in the frame 'f1'",
        ),
        (_flat, None, {}, "The correlation of 'word 00' and 'word 01' is not defined in layer 1"),
        (None, None, {"n_permutations": 0}, "n_permutations is 0"),
    ],
)
def test_bad_input_is_named(change, other, arguments, message):
    recording = _noisy(0, _table())
    second = recording if other is None else other()
    first = recording if change is None else change(recording)
    with pytest.raises(InputError, match=message):
        rsa(first, second, **arguments)
