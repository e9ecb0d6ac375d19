"""Regions finds patches over the index and on a sheet, says where, and finds no others."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cortiscope import InputError, Recording
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.regions import regions
from cortiscope.analyses.regions_statistics import ranges
from cortiscope.analyses.unit_maps import UnitMaps
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import d_prime, line_neighbours, morans_i

DESIGN = PhantomDesign.balanced(n_categories=6, n_words=30, n_frames=2, n_units=120)
FEW = {"n_permutations": 99, "n_rotations": 39, "n_jackknife": 20}
MEANS = ("mean_index_excess", "mean_layout_excess", "morans_i_excess")


def phantom(name, seed=0, strength=2.0, design=DESIGN, **options):
    return PHANTOMS[name].make(design, seed, strength, **options)


def units_in(text):
    return {
        unit
        for run in text.split(", ")
        for unit in range(int(run.split("-")[0]), int(run.split("-")[-1]) + 1)
    }


@pytest.fixture(scope="module")
def patch():
    return regions(phantom("patch"), **FEW)


@pytest.fixture(scope="module")
def sheet():
    return regions(phantom("sheet", 1, 3.0), **FEW)


def test_a_patch_over_the_index_is_found_and_localised(patch):
    assert float(patch.p_values["mean_index_excess"]) == 1 / 40
    assert float(patch.p_values["mean_index_cluster_excess"]) == 1 / 40
    assert float(patch.p_values["morans_i_excess"]) == 1 / 40
    assert (patch.p_values["index_morans_i"] == 1 / 40).all()
    assert (patch.p_values["index_cluster_mass"] == 1 / 100).all()
    planted = PHANTOMS["patch"].truth(DESIGN, 0)["is_selective"].values
    for category, text in enumerate(patch.estimates["index_cluster"].values[0]):
        found, own = units_in(text), set(np.flatnonzero(planted[category]).tolist())
        assert len(found & own) >= 4
        assert len(found - own) <= 1


def test_a_patch_over_the_index_has_no_place_on_the_layout(patch):
    assert float(patch.p_values["mean_layout_excess"]) > 0.05


def test_a_patch_on_a_sheet_is_found_and_localised(sheet):
    assert float(sheet.p_values["mean_layout_excess"]) == 1 / 40
    assert float(sheet.p_values["morans_i_excess"]) == 1 / 40
    assert float(sheet.p_values["mean_index_excess"]) > 0.05
    rise = PHANTOMS["sheet"].truth(DESIGN, 1)["rise"].values
    for category, text in enumerate(sheet.estimates["layout_cluster"].values[0]):
        if text:
            found = sorted(units_in(text))
            assert rise[category, found].mean() > 2 * rise[category].mean()
    assert sum(bool(text) for text in sheet.estimates["layout_cluster"].values[0]) >= 4


@pytest.mark.parametrize("name", ["noise", "selective_units", "direction"])
def test_what_lies_nowhere_is_not_found(name):
    """In 16 recordings of each; selectivity itself is found by the masses of clusters."""
    found = dict.fromkeys(MEANS, 0)
    for seed in range(16):
        result = regions(
            phantom(name, seed),
            n_rotations=19,
            n_jackknife=2,
            clusters=False,
            smoothed=False,
            seed=seed,
        )
        for mean in MEANS:
            found[mean] += float(result.p_values[mean]) <= 0.05
    for n in found.values():
        assert binomtest(n, 16, 0.05, alternative="greater").pvalue > 0.001


def test_clusters_of_units_anywhere_have_a_mass_but_no_excess():
    result = regions(phantom("selective_units"), **FEW, layout=False)
    assert (result.p_values["index_cluster_mass"] <= 0.05).any()
    assert float(result.p_values["mean_index_cluster_excess"]) > 0.05


def test_morans_i_is_that_of_d_prime_over_words(patch):
    """Frames' means removed, sentences averaged, d' over words: all by hand."""
    recording = phantom("patch")
    table = pd.DataFrame(recording.layer("resid_post", 0))
    labels = recording.labels.reset_index(drop=True)
    table -= table.groupby(labels["frame"]).transform("mean")
    words = table.groupby(labels["word"]).mean()
    category = labels.groupby("word")["category"].first()
    values = d_prime(words.to_numpy(), category.factorize(sort=True)[0], 6)
    expected = morans_i(values, line_neighbours(120, 2))
    np.testing.assert_allclose(patch.estimates["index_morans_i"].values[0], expected, rtol=1e-5)
    np.testing.assert_allclose(
        patch.estimates["index_excess"].values[0],
        expected - patch.null["index_morans_i"].values[:, 0].mean(axis=0),
        rtol=1e-5,
    )


def test_smoothing_raises_morans_i_and_its_null(patch):
    for kind in (patch.estimates, patch.null):
        raw, smooth = kind["layout_morans_i"], kind["layout_morans_i_smoothed"]
        assert float((smooth - raw).min()) > 0.1


def test_layouts_know_neither_words_nor_categories_that_are_tested():
    maps = UnitMaps.draw(phantom("noise"), "category", "word", "frame", seed=4)
    tested = [set(side.categories.tolist()) for side in maps.sides]
    assert tested[0] | tested[1] == set(range(6))
    assert not tested[0] & tested[1]
    for side in maps.sides:
        assert not (side.fitted & side.tested).any()
        assert not np.isin(side.label_of_word[side.fitted], side.categories).any()
        assert set(side.label_of_word[side.tested].tolist()) == set(range(6))


def test_intervals_hold_the_estimate(patch, sheet):
    for result in (patch, sheet):
        for name in MEANS:
            low, high = result.intervals[name].values
            assert low < float(result.estimates[name]) < high


def test_switches_leave_out_what_they_say(patch):
    instrument = INSTRUMENTS["regions"]
    named = {variable for group in instrument.switches.values() for variable in group}
    assert named == set(map(str, patch.estimates.data_vars))
    only = regions(phantom("patch"), **FEW, **instrument.only("mean_index_excess"))
    assert set(only.estimates.data_vars) == {
        "index_morans_i",
        "index_excess",
        "mean_index_excess",
    }
    assert float(only.estimates["mean_index_excess"]) == float(patch.estimates["mean_index_excess"])
    both = regions(phantom("patch"), **FEW, **instrument.only("morans_i_excess"))
    assert float(both.estimates["morans_i_excess"]) == float(patch.estimates["morans_i_excess"])


def test_units_that_are_constant_are_left_out_and_keep_their_numbers():
    x = phantom("patch").layer("resid_post", 0).copy()
    x = np.insert(x, [0, 0, 40], 3.0, axis=1)[:, None]
    recording = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    result = regions(recording, **FEW, layout=False)
    assert result.n["n_units"] == 120
    planted = PHANTOMS["patch"].truth(DESIGN, 0)["is_selective"].values
    number = np.delete(np.arange(123), [0, 1, 42])
    found = units_in(str(result.estimates["index_cluster"].values[0, 0]))
    assert len(found & set(number[planted[0]].tolist())) >= 4


def test_numbers_are_drawn_together():
    assert ranges(np.array([], dtype=int)) == ""
    assert ranges(np.array([4])) == "4"
    assert ranges(np.array([0, 1, 2, 5, 7, 8])) == "0-2, 5, 7-8"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"index": False, "layout": False}, "nothing to measure"),
        ({"n_rotations": 0}, "n_rotations is 0"),
        ({"threshold": -1.0}, "threshold"),
        ({"n_neighbours": 500}, "n_neighbours is 500"),
        ({"reach": 0}, "reach 0"),
        ({"frames": "chapter"}, "chapter"),
        ({"target": "colour"}, "colour"),
    ],
)
def test_bad_requests_are_refused(changed, said):
    with pytest.raises(InputError, match=said):
        regions(phantom("noise"), **{**FEW, **changed})


def test_too_few_words_are_refused():
    few = PhantomDesign.balanced(n_categories=2, n_words=3, n_units=30)
    with pytest.raises(InputError, match="3 values of 'word'"):
        regions(phantom("noise", design=few), **FEW)
    few = PhantomDesign.balanced(n_categories=2, n_words=5, n_units=30)
    with pytest.raises(InputError, match="words are left to lay units out by"):
        regions(phantom("noise", design=few), **FEW)


def test_too_few_units_that_vary_are_refused():
    x = np.zeros((DESIGN.n_stimuli, 1, 40), dtype=np.float32)
    x[:, 0, :5] = np.random.default_rng(0).normal(size=(DESIGN.n_stimuli, 5))
    recording = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    with pytest.raises(InputError, match="5 units of resid_post vary"):
        regions(recording, **FEW)
