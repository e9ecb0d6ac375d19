"""The connectome finds planted modules, and takes no geometry for one."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from cortiscope import InputError, PhantomDesign, Recording
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.connectome import connectome
from cortiscope.analyses.connectome_modules import found_modules, modules_of
from cortiscope.analyses.connectome_nodes import GraphSettings, Nodes
from cortiscope.phantoms import PHANTOMS
from cortiscope.phantoms.background import power_law
from cortiscope.statistics import random_frame
from cortiscope.statistics.graphs import adjusted_mutual_information, clustering, rewired

DESIGN = PhantomDesign.balanced(4, 20, 2, 64)
FEW = {"n_rotations": 19, "n_subsets": 5, "n_shuffles": 3, "n_rewired": 3, "n_seeds": 10}
GATE = {**FEW, "densities": (0.1,), "references": False, "modules": False}


def _phantom(name, seed=0, strength=1.0, design=DESIGN):
    return PHANTOMS[name].make(design, seed=seed, strength=strength)


def _recording(x, **labels):
    stimuli = pd.DataFrame({"word": [f"w{i}" for i in range(len(x))], **labels})
    if "category" not in stimuli:
        stimuli["category"] = ["a", "b"] * (len(x) // 2)
    return Recording.from_arrays({"resid_post": x}, stimuli=stimuli)


def test_what_belongs_to_no_unit_clusters_and_has_modules():
    """As STUDY.md says: C .48, Q .44 rotated, .12 and .11 where units are independent."""
    rng = np.random.default_rng(0)
    n_stimuli, n_units = 1200, 500
    x = rng.normal(size=(n_stimuli, n_units)) * np.sqrt(power_law(n_units, 1.0))
    rotated = _recording((x @ random_frame(n_units, n_units, rng))[:, None])
    nodes = Nodes.of(rotated, [0], frames=None)
    settings = GraphSettings.checked([0.1], "positive")
    for points, c, q in ((nodes.points, 0.48, 0.44), (nodes.shuffled(rng), 0.12, 0.11)):
        graph = settings.graphs(points)[0]
        assert clustering(graph).mean() == pytest.approx(c, abs=0.02)
        assert found_modules([graph])[0][1] == pytest.approx(q, abs=0.02)


def test_noise_of_few_stimuli_clusters():
    x = np.random.default_rng(0).normal(size=(20, 500)).astype(np.float32)
    graph = GraphSettings.checked([0.1], "positive").graphs(x)[0]
    assert clustering(graph).mean() == pytest.approx(0.25, abs=0.02)
    assert clustering(rewired(graph)).mean() == pytest.approx(0.10, abs=0.02)


def test_planted_modules_are_found_and_are_those_that_were_planted():
    recording = _phantom("modular", strength=1.5)
    result = connectome(recording, **FEW)
    assert result.p_values["modularity_excess"] == 1 / 20
    assert result.intervals["modularity_excess"].sel(bound="low") > 0.1
    truth = PHANTOMS["modular"].truth(DESIGN, 0)["module"].values
    found = result.estimates["module"].sel(layer=0).values
    assert adjusted_mutual_information(np.stack([truth, found + 1]))[0, 1] > 0.9
    sizes = result.estimates["module_size"].sel(layer=0)
    assert sizes.sum() == (found >= 0).sum()
    between = result.estimates["block_density"].sel(layer=0).values[:8, :8]
    assert np.diag(between).min() > 5 * between[~np.eye(8, dtype=bool)].mean()
    nulls = result.estimates["reference_modularity"].sel(layer=0, density=0.1)
    assert nulls.sel(null="rotated") > nulls.sel(null="shuffled")


@pytest.mark.parametrize(("name", "strength"), [("noise", 1), ("not_modular", 2)])
def test_without_modules_it_rejects_no_more_often_than_it_says(name, strength):
    n = 25
    p = [
        float(
            connectome(_phantom(name, seed, strength), seed=seed, **GATE).p_values[
                "modularity_excess"
            ]
        )
        for seed in range(n)
    ]
    assert np.sum(np.array(p) <= 0.05) <= binom.ppf(0.999, n, 0.05)
    assert np.sum(np.array(p) <= 0.5) >= binom.ppf(0.001, n, 0.5)  # nor does it never


def test_its_statistic_grows_with_what_is_planted():
    def excess(strength):
        results = [connectome(_phantom("modular", i, strength), **GATE) for i in range(6)]
        return np.mean([float(result.estimates["modularity_excess"]) for result in results])

    assert (np.diff([excess(strength) for strength in (0.0, 0.7, 1.0, 2.0)]) > 0).all()


def test_what_words_have_in_common_by_frame_is_taken_out():
    """Without that, frames alone join all units that they move."""
    recording = _phantom("noise")
    shift = 30 * np.random.default_rng(0).normal(size=(2, 1, 64))
    moved = Recording.from_arrays(
        {"resid_post": recording["resid_post"].values + shift[DESIGN.frame]},
        stimuli=recording.table,
    )
    one, other = (connectome(of, **GATE).estimates["modularity"] for of in (recording, moved))
    np.testing.assert_allclose(one, other, atol=0.02)
    frames = connectome(moved, frames=None, **GATE).estimates["modularity"]
    assert abs(frames - one).item() > 0.02


def test_modules_of_categories_agree_with_them_and_others_do_not():
    """Units of one category each, and units of modules that know no category."""
    design = PhantomDesign.balanced(4, 20, 2, 64)
    category = design.category
    rng = np.random.default_rng(0)
    unit = np.arange(64) % 4
    tuned = 2.0 * (category[:, None] == unit) + rng.normal(size=(len(category), 64))
    recording = Recording.from_arrays({"resid_post": tuned[:, None]}, stimuli=design.table)
    result = connectome(recording, **FEW)
    assert result.estimates["category_agreement"] > 0.8
    assert result.p_values["category_agreement_excess"] == 1 / 20
    found = connectome(_phantom("modular", strength=1.5), **FEW)
    assert found.p_values["category_agreement_excess"] > 1 / 20


@pytest.mark.parametrize("sign", ["absolute", "signed"])
def test_negative_correlations_count_as_one_asks_for(sign):
    """Two groups that oppose each other: one module by size, two by sign."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(60, 1)) * np.repeat([1.0, -1.0], 10)
    x = signal + 0.3 * rng.normal(size=(60, 20))
    x = np.hstack([x, rng.normal(size=(60, 20))])[:, None]
    options = {"frames": None, "sign": sign, "densities": (0.24,), "module_density": 0.24}
    result = connectome(_recording(x), references=True, **options, **FEW)
    module = result.estimates["module"].values[0][:20]
    n_groups = {"absolute": 1, "signed": 2}[sign]
    assert len(np.unique(module)) == n_groups
    assert np.isfinite(result.estimates["reference_modularity"]).all()


def test_ranks_do_not_mind_outliers():
    recording = _phantom("modular", strength=1.5)
    truth = PHANTOMS["modular"].truth(DESIGN, 0)["module"].values
    x = recording["resid_post"].values.copy()
    x[3] += 1000.0 * np.random.default_rng(0).choice([-1.0, 1.0], 64)
    wild = Recording.from_arrays({"resid_post": x}, stimuli=recording.table)
    agreement = {}
    for method in ("pearson", "spearman"):
        found = modules_of(wild, 0, method=method, n_seeds=10)
        agreement[method] = adjusted_mutual_information(np.stack([truth, found + 1]))[0, 1]
    assert agreement["spearman"] > 0.8
    assert agreement["pearson"] < 0.5
    by_rank = connectome(wild, method="spearman", **GATE)
    assert by_rank.p_values["modularity_excess"] == 1 / 20


def test_all_layers_make_one_graph():
    design = PhantomDesign.balanced(3, 12, 2, 24, n_layers=3)
    recording = _phantom("modular", strength=1.5, design=design)
    result = connectome(recording, together=True, **FEW)
    assert result.n["n_nodes"] == 72
    assert result.estimates["module"].shape == (3, 24)
    assert result.estimates["modularity"].dims == ("density",)
    assert result.estimates["layer_agreement"] < 0.3
    figure = INSTRUMENTS["connectome"].figure({"subject": result})
    assert figure.data
    one = connectome(recording, layers=[1], **FEW)
    assert one.estimates["layer"].values.tolist() == [1]


def test_modules_are_compared_with_heads():
    rng = np.random.default_rng(0)
    signals = np.repeat(rng.normal(size=(60, 4)), 8, axis=1)
    x = (signals + 0.3 * rng.normal(size=(60, 32))).reshape(60, 1, 4, 8)
    stimuli = pd.DataFrame({"word": [f"w{i}" for i in range(60)], "category": ["a", "b"] * 30})
    recording = Recording.from_arrays({"head_out": x}, stimuli=stimuli)
    result = connectome(
        recording, site="head_out", frames=None, densities=[0.2], module_density=0.2, **FEW
    )
    assert result.estimates["head_agreement"].item() > 0.95
    assert result.p_values["head_agreement"] == 1 / 20


def test_units_that_do_not_vary_are_in_no_module():
    recording = _phantom("modular", strength=1.5)
    x = recording["resid_post"].values.copy()
    x[:, :, 5] = 3.0
    still = Recording.from_arrays({"resid_post": x}, stimuli=recording.table)
    result = connectome(still, **FEW)
    assert result.n["n_nodes"] == 63
    assert result.estimates["module"].values[0, 5] == -1
    assert modules_of(still, 0, n_seeds=10)[5] == -1


def test_switches_leave_out_what_they_say():
    recording = _phantom("noise")
    everything = connectome(recording, **FEW)
    for switch, names in INSTRUMENTS["connectome"].switches.items():
        without = connectome(recording, **FEW, **{switch: False})
        missing = set(everything.estimates.data_vars) - set(without.estimates.data_vars)
        assert missing <= set(names)
        assert missing
        np.testing.assert_array_equal(without.estimates["excess"], everything.estimates["excess"])
        figure = INSTRUMENTS["connectome"].figure({"subject": everything, "twin 0": without})
        assert figure.data


def test_bad_input_is_named():
    recording = _phantom("noise")
    with pytest.raises(InputError, match=r"densities are \[0.0\]"):
        connectome(recording, densities=[0.0])
    with pytest.raises(InputError, match=r"module_density is 0.3: choose one of the densities"):
        connectome(recording, module_density=0.3)
    with pytest.raises(InputError, match=r"64 units have 2016 pairs.* leaves no edge"):
        connectome(recording, densities=[0.0001, 0.1], **FEW)
    with pytest.raises(InputError, match="sign is 'negative'"):
        connectome(recording, sign="negative")
    with pytest.raises(InputError, match="method is 'kendall'"):
        connectome(recording, method="kendall")
    with pytest.raises(InputError, match="no label 'voice'"):
        connectome(recording, frames="voice")
    constant = Recording.from_arrays({"resid_post": np.ones((160, 1, 8))}, stimuli=DESIGN.table)
    with pytest.raises(InputError, match="0 units of resid_post at layer 0 vary"):
        connectome(constant)
