"""Connectomes hold the units and the correlations of a recording, on disk and elsewhere too."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from cortiscope import InputError, MachineError, Recording
from cortiscope.codes import Connectome
from cortiscope.statistics import d_prime
from cortiscope.statistics.graphs import Graph, correlation_graph


def _recording(**arrays):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {"word": f"w{word}", "category": "animal" if word % 2 else "tool & <saw>", "frame": f}
            for word in range(20)
            for f in ("card", "book")
        ]
    )
    x = rng.normal(size=(40, 3, 30)).astype(np.float32)
    x[table["category"] == "animal", 1, 7] += 4
    x[table["frame"] == "card"] += 5 * rng.normal(size=(3, 30)).astype(np.float32)
    x[:, 2, 4] = np.where(table["frame"] == "card", 0.1, 0.7)  # varies between frames only
    return Recording.from_arrays({"resid_post": x, **arrays}, stimuli=table, name="toy")


def _same(one, other):
    pd.testing.assert_frame_equal(one.nodes, other.nodes)
    for name in ("source", "target", "weight"):
        np.testing.assert_array_equal(getattr(one.graph, name), getattr(other.graph, name))
    assert one.parameters == other.parameters
    assert one.origin == other.origin
    assert one.fingerprint == other.fingerprint


def test_it_correlates_all_units_of_all_layers_within_frames():
    recording = _recording()
    connectome = Connectome.of(recording, sign="signed", density=0.05)
    x = recording["resid_post"].values.reshape(40, -1).astype(np.float64)
    for frame in ("card", "book"):
        rows = (recording.labels["frame"] == frame).to_numpy()
        x[rows] -= x[rows].mean(axis=0)
    x[:, 64] = 0
    expected = correlation_graph(x, sign="signed", density=0.05)
    np.testing.assert_array_equal(connectome.graph.source, expected.source)
    np.testing.assert_array_equal(connectome.graph.target, expected.target)
    np.testing.assert_allclose(connectome.graph.weight, expected.weight, atol=1e-5)
    assert connectome.nodes.loc[37, ["site", "layer", "unit"]].tolist() == ["resid_post", 1, 7]
    assert connectome.n_constant == 1
    assert connectome.nodes.index[~connectome.nodes["varies"]].tolist() == [64]
    assert connectome.to_frame()["degree"].tolist() == connectome.graph.degrees.tolist()
    assert "90 units of resid_post, 3 layers" in repr(connectome)
    assert "1 units do not vary" in repr(connectome)


def test_some_layers_and_frames_left_in():
    recording = _recording()
    connectome = Connectome.of(recording, layers=[2, 0], frames=None, n_neighbours=3)
    assert connectome.nodes["layer"].tolist() == [2] * 30 + [0] * 30
    x = recording["resid_post"].values[:, [2, 0]].reshape(40, -1)
    expected = correlation_graph(x, n_neighbours=3)
    np.testing.assert_array_equal(connectome.graph.target, expected.target)
    assert connectome.n_constant == 0


def test_units_of_heads_lie_one_after_the_other():
    heads = np.random.default_rng(1).normal(size=(40, 2, 3, 5)).astype(np.float32)
    connectome = Connectome.of(_recording(head_out=heads), site="head_out", density=0.1)
    assert connectome.nodes["unit"].tolist() == [*range(15), *range(15)]
    assert connectome.nodes["layer"].tolist() == [0] * 15 + [1] * 15


def test_tuning_is_that_of_the_category_with_the_largest_d_prime():
    recording = _recording()
    nodes = Connectome.of(recording, target="category", density=0.1).nodes
    label = (recording.labels["category"] != "animal").to_numpy().astype(int)
    values = d_prime(recording.layer("resid_post", 1), label, 2)
    assert nodes["best_category"][37] == "animal"
    assert nodes["d_prime"][37] == pytest.approx(values[0, 7])
    assert (nodes["d_prime"] >= 0).all()  # of two categories, one prefers what the other does not


def test_what_was_saved_is_opened(tmp_path):
    for way in ({"density": 0.1}, {"n_neighbours": 2, "sign": "signed", "target": "category"}):
        connectome = Connectome.of(_recording(), **way)
        path = connectome.save(tmp_path / "toy.safetensors")
        _same(Connectome.open(path), connectome)
    bare = Connectome(connectome.nodes, Graph(90, connectome.graph.source, connectome.graph.target))
    again = Connectome.open(bare.save(tmp_path / "bare.safetensors"))
    assert again.graph.weight is None
    assert again.fingerprint == bare.fingerprint != connectome.fingerprint


def test_what_was_damaged_is_refused(tmp_path):
    path = Connectome.of(_recording(), density=0.1).save(tmp_path / "toy.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(MachineError, match="not what was saved"):
        Connectome.open(path)
    with pytest.raises(InputError, match=r"ending \.safetensors"):
        Connectome.of(_recording(), density=0.1).save(tmp_path / "toy.pickle")


def _same_as_networkx(graph, connectome):
    assert graph.number_of_nodes() == connectome.n_units
    source, target = connectome.graph.source.tolist(), connectome.graph.target.tolist()
    weights = dict(
        zip(zip(source, target, strict=True), connectome.graph.weight.tolist(), strict=True)
    )
    found = {(min(a, b), max(a, b)): w for a, b, w in graph.edges(data="weight")}
    assert found.keys() == weights.keys()
    assert {edge: np.float32(w) for edge, w in found.items()} == weights
    for node, about in enumerate(connectome.nodes.to_dict("records")):
        assert graph.nodes[node] == about


def test_networkx_has_the_same_nodes_and_edges():
    connectome = Connectome.of(_recording(), target="category", sign="signed", density=0.1)
    _same_as_networkx(connectome.to_networkx(), connectome)


def test_graphml_is_read_back_by_networkx(tmp_path):
    connectome = Connectome.of(_recording(), target="category", sign="signed", density=0.1)
    path = connectome.to_graphml(tmp_path / "toy.graphml")
    _same_as_networkx(nx.read_graphml(path, node_type=int), connectome)
    assert [file.name for file in tmp_path.iterdir()] == ["toy.graphml"]
    bare = Connectome(connectome.nodes, Graph(90, np.array([0, 3]), np.array([5, 4])))
    graph = nx.read_graphml(bare.to_graphml(tmp_path / "bare.graphml"), node_type=int)
    assert sorted(graph.edges()) == [(0, 5), (3, 4)]
    with pytest.raises(InputError, match=r"ending \.graphml"):
        connectome.to_graphml(tmp_path / "toy.xml")


def test_the_fingerprint_is_that_of_nodes_and_edges():
    one = Connectome.of(_recording(), density=0.1)
    assert Connectome(one.nodes, one.graph).fingerprint == one.fingerprint
    assert Connectome.of(_recording(), density=0.2).fingerprint != one.fingerprint
    moved = one.nodes.assign(layer=one.nodes["layer"] + 1)
    assert Connectome(moved, one.graph).fingerprint != one.fingerprint


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"site": "mlp_out"}, "holds no mlp_out"),
        ({"layers": [7]}, "holds no layer 7"),
        ({"layers": []}, "no layer to correlate"),
        ({"frames": "template"}, "no label 'template'"),
        ({"target": "colour"}, "no label 'colour'"),
        ({"density": None}, "either a density or n_neighbours"),
    ],
)
def test_bad_input_is_told_in_a_sentence(changed, message):
    with pytest.raises(InputError, match=message):
        Connectome.of(_recording(), **{"density": 0.1, **changed})


def test_nodes_and_edges_must_fit():
    nodes = pd.DataFrame({"site": "resid_post", "layer": 0, "unit": np.arange(3)})
    graph = Graph(4, np.array([0]), np.array([1]))
    with pytest.raises(InputError, match="3 rows in the table of nodes, and 4"):
        Connectome(nodes, graph)
    with pytest.raises(InputError, match="no column 'unit'"):
        Connectome(nodes.drop(columns="unit"), graph)


def test_a_recording_of_every_token_is_refused():
    x = np.zeros((3, 1, 4, 5))
    recording = Recording.from_arrays(
        {"resid_post": x}, stimuli=pd.DataFrame({"word": list("abc")})
    )
    with pytest.raises(InputError, match="holds every token"):
        Connectome.of(recording, frames=None, density=0.1)
