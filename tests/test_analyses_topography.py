"""Topography is found on a sheet, and not where units lie nowhere."""

import numpy as np
import pytest
from scipy.stats import binomtest

from cortiscope import InputError
from cortiscope.analyses.topography import topography
from cortiscope.phantoms import PHANTOMS, PhantomDesign

DESIGN = PhantomDesign.balanced(n_categories=6, n_words=30, n_frames=2, n_units=120)
FEW = {"n_rotations": 39, "n_jackknife": 20}
MEANS = ("mean_fall_excess", "mean_near_excess")


def phantom(name, seed=0, strength=2.0, design=DESIGN):
    return PHANTOMS[name].make(design, seed, strength)


@pytest.fixture(scope="module")
def sheet():
    return topography(phantom("sheet", 1, 3.0), **FEW)


def test_a_sheet_is_found(sheet):
    for name in MEANS:
        assert float(sheet.p_values[name]) == 1 / 40
        low, high = sheet.intervals[name].values
        assert 0 < low < float(sheet.estimates[name]) < high
    assert float(sheet.estimates["range"][0]) < 0.5 * float(sheet.estimates["range_rotated"][0])


def test_similarity_falls_from_near_to_far(sheet):
    curve = sheet.estimates["similarity"].values[0]
    known = curve[~np.isnan(curve)]
    assert known[0] > 0.3
    assert known[len(known) // 2 :].mean() < 0
    assert known[0] > sheet.estimates["similarity_rotated_high"].values[0, 0]


@pytest.mark.parametrize("name", ["noise", "selective_units"])
def test_what_lies_nowhere_is_not_found(name):
    found = dict.fromkeys(MEANS, 0)
    for seed in range(16):
        result = topography(phantom(name, seed), n_rotations=19, n_jackknife=2, seed=seed)
        for mean in MEANS:
            found[mean] += float(result.p_values[mean]) <= 0.05
    for n in found.values():
        assert binomtest(n, 16, 0.05, alternative="greater").pvalue > 0.001


def test_some_fall_is_there_by_construction():
    """What words have along their principal components: rotated units show it as well."""
    result = topography(phantom("noise"), **FEW)
    assert float(result.estimates["fall_rotated"][0]) > 0.05
    assert float(result.estimates["fall"][0]) > 0.05


@pytest.mark.parametrize("changed", [{"n_rotations": 0}, {"n_jackknife": 0}])
def test_bad_requests_are_refused(changed):
    with pytest.raises(InputError, match="give at least 1"):
        topography(phantom("noise"), **{**FEW, **changed})


def test_one_category_is_too_few_to_lay_units_out_by_others():
    few = PhantomDesign.balanced(n_categories=2, n_words=5, n_units=30)
    with pytest.raises(InputError, match="words are left to lay units out by"):
        topography(phantom("noise", design=few), **FEW)
