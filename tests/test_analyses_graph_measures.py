"""Graph measures see what units do together, beside what any correlations do."""

import networkx
import numpy as np
import pytest
from scipy.stats import binom

from cortiscope import InputError, PhantomDesign, Recording
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.graph_measures import graph_measures
from cortiscope.phantoms import PHANTOMS
from cortiscope.statistics.graphs import ROLES

DESIGN = PhantomDesign.balanced(4, 20, 2, 64)
FEW = {
    "n_rotations": 19,
    "n_subsets": 5,
    "n_random": 5,
    "n_references": 3,
    "n_rich_club": 19,
    "n_seeds": 10,
}
GATE = {**FEW, "densities": (0.1,), "small_world": False, "rich_club": False, "hubs": False}


def _phantom(name, seed=0, strength=1.0, design=DESIGN):
    return PHANTOMS[name].make(design, seed=seed, strength=strength)


def test_it_measures_the_graph_of_the_strongest_correlations():
    recording = _phantom("modular")
    x = recording["resid_post"].values[:, 0].astype(float)
    for frame in range(2):
        x[DESIGN.frame == frame] -= x[DESIGN.frame == frame].mean(axis=0)
    correlation = np.corrcoef(x.T)
    pairs = np.triu_indices(64, 1)
    strongest = np.argsort(-correlation[pairs])[: round(0.1 * len(pairs[0]))]
    graph = networkx.Graph()
    graph.add_nodes_from(range(64))
    graph.add_edges_from(zip(*(of[strongest] for of in pairs), strict=True))
    estimates = graph_measures(recording, **FEW).estimates.sel(layer=0)
    of_density = estimates.sel(density=0.1)
    assert of_density["clustering"] == pytest.approx(networkx.average_clustering(graph))
    lengths = [
        d for _, of in networkx.all_pairs_shortest_path_length(graph) for d in of.values() if d
    ]
    assert of_density["path_length"] == pytest.approx(np.mean(lengths))
    assert of_density["reachable"] == pytest.approx(len(lengths) / (64 * 63))
    assert estimates["unit_degree"].values.tolist() == [d for _, d in sorted(graph.degree)]


def test_planted_modules_cluster_and_are_a_small_world():
    result = graph_measures(_phantom("modular", strength=1.5), **FEW)
    assert result.p_values["clustering_excess"] == 1 / 20
    assert result.intervals["clustering_excess"].sel(bound="low") > 0.1
    assert result.intervals["mean_sigma"].sel(bound="low") > 1
    references = result.estimates["reference_sigma"].sel(layer=0, density=0.1)
    assert references.sel(null="rewired") == pytest.approx(1.0, abs=0.05)
    assert references.sel(null="rotated") > 1.2  # correlations alone
    role = result.estimates["role"].values
    assert set(np.unique(role)) <= {*ROLES, ""}
    p = result.p_values["rich_club"].values
    assert np.nanmin(p) >= 1 / 20
    assert np.nanmax(p) <= 1


@pytest.mark.parametrize(("name", "strength"), [("noise", 1), ("not_modular", 2)])
def test_without_modules_it_rejects_no_more_often_than_it_says(name, strength):
    n = 25
    results = [graph_measures(_phantom(name, i, strength), seed=i, **GATE) for i in range(n)]
    p = np.array([float(result.p_values["clustering_excess"]) for result in results])
    assert np.sum(p <= 0.05) <= binom.ppf(0.999, n, 0.05)
    assert np.sum(p <= 0.5) >= binom.ppf(0.001, n, 0.5)


def test_all_layers_make_one_graph():
    design = PhantomDesign.balanced(3, 12, 2, 24, n_layers=3)
    result = graph_measures(_phantom("modular", 0, 1.5, design), together=True, **FEW)
    assert result.n["n_nodes"] == 72
    assert result.estimates["participation"].shape == (3, 24)
    assert result.estimates["sigma"].dims == ("density",)
    assert INSTRUMENTS["graph_measures"].figure({"subject": result}).data


def test_switches_leave_out_what_they_say():
    recording = _phantom("noise")
    everything = graph_measures(recording, **FEW)
    instrument = INSTRUMENTS["graph_measures"]
    for switch, names in instrument.switches.items():
        without = graph_measures(recording, **FEW, **{switch: False})
        missing = set(everything.estimates.data_vars) - set(without.estimates.data_vars)
        assert missing == set(names)
        np.testing.assert_array_equal(
            without.estimates["clustering_above_rotation"],
            everything.estimates["clustering_above_rotation"],
        )
        assert instrument.figure({"subject": everything, "twin 0": without}).data
    assert instrument.figure({"subject": graph_measures(recording, **GATE)}).data


def test_units_that_do_not_vary_play_no_part():
    recording = _phantom("modular", strength=1.5)
    x = recording["resid_post"].values.copy()
    x[:, :, 5] = 3.0
    still = Recording.from_arrays({"resid_post": x}, stimuli=recording.table)
    estimates = graph_measures(still, **FEW).estimates.sel(layer=0, unit=5)
    assert estimates["role"] == ""
    assert np.isnan(estimates["participation"])


def test_bad_input_is_named():
    recording = _phantom("noise")
    with pytest.raises(InputError, match="take no negative edges"):
        graph_measures(recording, sign="signed")
    with pytest.raises(InputError, match=r"hub_density is 0.3: choose one of the densities"):
        graph_measures(recording, hub_density=0.3)
