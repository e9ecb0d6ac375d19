"""The dynamic connectome sees correlations that change, and nothing else that contexts do."""

import numpy as np
import pytest
from scipy.stats import binom

from cortiscope import InputError, PhantomDesign, Recording
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.dynamic_connectome import dynamic_connectome
from cortiscope.phantoms import PHANTOMS

DESIGN = PhantomDesign.balanced(3, 20, 3, 48)
FEW = {"n_surrogates": 19, "n_subsets": 5}
GATE = {**FEW, "modules": False}


def _phantom(name, seed=0, strength=1.0):
    return PHANTOMS[name].make(DESIGN, seed=seed, strength=strength)


def test_modules_that_regroup_are_found():
    result = dynamic_connectome(_phantom("regrouping", strength=1.5), **FEW)
    assert result.p_values["change_excess"] == 1 / 20
    assert result.p_values["module_change_excess"] == 1 / 20
    assert result.intervals["change_excess"].sel(bound="low") > 0.05
    between = result.estimates["change_between"].sel(layer=0)
    np.testing.assert_allclose(between, between.T)
    assert np.diag(between) == pytest.approx(0, abs=1e-6)
    flexible = result.estimates["flexibility"].mean()
    assert flexible > result.estimates["flexibility_by_chance"].mean()


@pytest.mark.parametrize(
    ("name", "strength", "contexts"),
    [
        ("noise", 1, "category"),
        ("modular", 1, "category"),
        ("direction", 3, "category"),
        ("modular", 1, "frame"),
    ],
)
def test_what_is_stationary_is_rejected_no_more_often_than_it_says(name, strength, contexts):
    """Modules that stay, and categories that move means alone."""
    n = 25
    results = [
        dynamic_connectome(_phantom(name, i, strength), contexts, seed=i, **GATE) for i in range(n)
    ]
    p = np.array([float(result.p_values["change_excess"]) for result in results])
    assert np.sum(p <= 0.05) <= binom.ppf(0.999, n, 0.05)
    assert np.sum(p <= 0.5) >= binom.ppf(0.001, n, 0.5)


def test_its_statistic_grows_with_what_is_planted():
    excess = [
        float(dynamic_connectome(_phantom("regrouping", 0, s), **GATE).estimates["change_excess"])
        for s in (0.0, 0.5, 1.0, 2.0)
    ]
    assert (np.diff(excess) > 0).all()


def test_units_that_regroup_are_the_flexible_ones():
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(DESIGN.n_stimuli, 4))
    module = np.tile(np.arange(48) % 4, (3, 1))
    module[:, 24:] = rng.permuted(module[:, 24:], axis=1)  # the second half regroups
    x = signals[np.arange(DESIGN.n_stimuli)[:, None], module[DESIGN.category]]
    x = (x + 0.3 * rng.normal(size=x.shape))[:, None]
    recording = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    result = dynamic_connectome(recording, density=0.2, **FEW)
    flexibility = result.estimates["flexibility"].values[0]
    assert flexibility[:24].max() < flexibility[24:].mean()


def test_frames_are_contexts_of_the_same_words():
    """In one frame half of the units change their sign."""
    recording = _phantom("modular", strength=1.5)
    x = recording["resid_post"].values.copy()
    x[DESIGN.frame == 1, :, :24] *= -1
    turned = Recording.from_arrays({"resid_post": x}, stimuli=recording.table)
    result = dynamic_connectome(turned, "frame", **FEW)
    assert result.p_values["change_excess"] == 1 / 20
    between = result.estimates["change_between"].sel(layer=0)
    one = between.sel(context="frame-0", other_context="frame-2")
    assert one < between.sel(context="frame-0", other_context="frame-1")


def test_switches_leave_out_what_they_say():
    recording = _phantom("noise")
    everything, without = (dynamic_connectome(recording, modules=m, **FEW) for m in (True, False))
    instrument = INSTRUMENTS["dynamic_connectome"]
    missing = set(everything.estimates.data_vars) - set(without.estimates.data_vars)
    assert missing == set(instrument.switches["modules"])
    for results in ({"subject": everything, "twin 0": without}, {"subject": without}):
        assert instrument.figure(results).data


def test_bad_input_is_named():
    recording = _phantom("noise")
    with pytest.raises(InputError, match="no label 'voice'"):
        dynamic_connectome(recording, "voice")
    one = recording.sel(category="category-0")
    with pytest.raises(InputError, match="'category' has one value only"):
        dynamic_connectome(one)
    few = recording.sel(word=recording.labels["word"].unique()[:24].tolist())
    with pytest.raises(InputError, match="category 'category-1' has 4 values of 'word'"):
        dynamic_connectome(few)
    with pytest.raises(InputError, match="n_surrogates is 0"):
        dynamic_connectome(recording, n_surrogates=0)
    constant = Recording.from_arrays({"resid_post": np.ones((180, 1, 8))}, stimuli=DESIGN.table)
    with pytest.raises(InputError, match="0 units of layer 0 of resid_post vary"):
        dynamic_connectome(constant)
