"""The graphs of a study are counted before they are made."""

import numpy as np
import pandas as pd
import pytest

from cortiscope.codes import Connectome
from cortiscope.scanning import Recording
from cortiscope.studies import Protocol, Step, plan_study
from cortiscope.studies.graph_plan import makes_graphs

STUDY = """
study = "graphs"
subjects = ["specimen:qwen2"]
sites = ["resid_post"]
n_twins = 0

[steps.by_layer]
analysis = "connectome"
n_rotations = 20
n_subsets = 10

[steps.together]
analysis = "connectome"
together = true
layers = [0, 2]
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "graphs.toml"
    path.write_text(STUDY)
    return plan_study(Protocol.load(path), path.parent / "run")


def test_each_step_has_its_graphs(planned):
    by_layer = planned.graphs["by_layer", "specimen:qwen2"]
    together = planned.graphs["together", "specimen:qwen2"]
    assert (by_layer.n_graphs, by_layer.n_draws, by_layer.cost.n_nodes) == (6, 30, 160)
    assert (together.n_graphs, together.n_draws, together.cost.n_nodes) == (1, 299, 320)
    assert "6 graphs of 160 units" in repr(planned)


def test_the_edges_are_those_of_the_graph(planned):
    x = np.random.default_rng(0).standard_normal((1200, 1, 160), dtype=np.float32)
    recording = Recording.from_arrays({"resid_post": x}, pd.DataFrame({"word": range(1200)}))
    graph = Connectome.of(recording, frames=None, density=0.2).graph
    assert planned.graphs["by_layer", "specimen:qwen2"].cost.n_edges == graph.n_edges


def test_other_steps_make_none():
    assert makes_graphs(Step(analysis="graph_measures"))
    assert not makes_graphs(Step(analysis="decode"))
