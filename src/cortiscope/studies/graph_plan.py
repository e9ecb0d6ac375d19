"""What the graphs of a study's connectomes would take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.filesize import decimal

from cortiscope.scanning.plan import duration
from cortiscope.scanning.sites import SiteLayout
from cortiscope.statistics.graphs import GraphCost, correlation_graph_cost
from cortiscope.studies.protocol import Step


@dataclass(frozen=True)
class GraphPlan:
    """The graphs of one step, of one subject.

    Attributes
    ----------
    n_graphs : int
        Graphs of the subject's own units: one a layer, or one of all together.
    n_draws : int
        Times that each is made again: of rotated units and of subsets of the words.
    cost : GraphCost
        Of one, at the largest density.
    """

    n_graphs: int
    n_draws: int
    cost: GraphCost

    @property
    def seconds(self) -> float:
        """Time for all graphs; what is measured of each comes on top."""
        return self.n_graphs * (1 + self.n_draws) * self.cost.seconds

    def __repr__(self) -> str:
        graphs = f"{self.n_graphs} graphs" if self.n_graphs > 1 else "1 graph"
        return (
            f"{graphs} of {self.cost.n_nodes:,} units, {self.cost.n_edges:,} edges at most; with "
            f"{self.n_draws} draws each about {duration(self.seconds)}, before measures, and "
            f"{decimal(self.cost.peak_memory)} of memory"
        )


def makes_graphs(step: Step) -> bool:
    """Whether a step makes graphs of correlations between units."""
    return "densities" in step.parameters


def plan_graphs(step: Step, layout: SiteLayout, n_stimuli: int, device: str = "cpu") -> GraphPlan:
    """Work out what the graphs of a step would take.

    Parameters
    ----------
    step : Step
        One that makes graphs.
    layout : SiteLayout
        Of the site that it reads.
    n_stimuli : int
        Stimuli.
    device : str
        Where correlations are computed.

    Returns
    -------
    GraphPlan
        Two small graphs are made and timed.
    """
    parameters = step.parameters
    layers = parameters.get("layers") or layout.layers
    n_units = math.prod(size for _, size in layout.dims)
    together = bool(parameters.get("together"))
    cost = correlation_graph_cost(
        n_stimuli,
        n_units * (len(layers) if together else 1),
        density=max(parameters["densities"]),
        device=device,
    )
    n_draws = parameters.get("n_rotations", 0) + parameters.get("n_subsets", 0)
    return GraphPlan(1 if together else len(layers), n_draws, cost)
