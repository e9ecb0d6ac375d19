"""The nodes of functional graphs: units without the means of frames, and their graphs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.preparation import activations, check_labels, chosen_layers
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import UnitRotations, without_means
from cortiscope.statistics.graphs import Graph, correlation_graphs

Method = Literal["pearson", "spearman"]
Sign = Literal["positive", "absolute", "signed"]

# Of float32, relative to a unit's size: less variation than this is none.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Nodes:
    """Units of one layer, or of several, that are the nodes of one graph.

    Attributes
    ----------
    layers : tuple of int
        Whose units they are.
    x : ndarray of float32, shape (n_stimuli, n_layers * n_varying)
        Activations without the means of frames, layer after layer.
    varies : ndarray of bool, shape (n_units,)
        Units that are nodes: those that vary over stimuli, in every layer.
    frame : ndarray of int, shape (n_stimuli,)
        Frame of each stimulus, numbered.
    method : str
        Correlation of values, ``pearson``, or of their ranks within frames, ``spearman``.
    """

    layers: tuple[int, ...]
    x: NDArray[np.float32]
    varies: NDArray[np.bool_]
    frame: NDArray[np.intp]
    method: Method = "pearson"

    @classmethod
    def of(
        cls,
        recording: Recording,
        layers: Sequence[int],
        *,
        site: str = "resid_post",
        frames: str | None = "frame",
        method: Method = "pearson",
    ) -> Nodes:
        """Read layers, and remove the means of frames.

        Raises
        ------
        InputError
            For a label that the recording lacks, an unknown method, and fewer than three units
            that vary.
        """
        check_labels(recording, frames)
        if method not in get_args(Method):
            raise InputError(f"method is {method!r}: choose one of {', '.join(get_args(Method))}.")
        frame = frame_of(recording, frames)
        read = [_without_frames(activations(recording, site, layer), frame) for layer in layers]
        varies = np.logical_and.reduce([np.any(x != 0, axis=0) for x in read])
        if varies.sum() < 3:
            msg = (
                f"{varies.sum()} units of {site} at layer {', '.join(map(str, layers))} vary over "
                "stimuli within a frame, and a graph needs 3 or more: check the position, or "
                "leave the layer out."
            )
            raise InputError(msg)
        x = np.hstack([x[:, varies] for x in read])
        return cls(tuple(layers), x, varies, frame, method)

    @property
    def n_nodes(self) -> int:
        """Units that vary, of all layers."""
        return int(self.x.shape[1])

    @property
    def layer_of_node(self) -> NDArray[np.intp]:
        """Layer of each node."""
        return np.repeat(np.asarray(self.layers, dtype=np.intp), int(self.varies.sum()))

    def head_of_node(self, n_heads: int) -> NDArray[np.intp]:
        """Head of each node, where so many heads lie side by side in every layer."""
        heads = np.repeat(np.arange(n_heads), len(self.varies) // n_heads)
        return np.tile(heads[self.varies], len(self.layers))

    @property
    def points(self) -> NDArray[np.float32]:
        """What is correlated: values or ranks, (n_stimuli, n_nodes)."""
        return self.x if self.method == "pearson" else _ranked(self.x, self.frame)

    def some(self, stimuli: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Give the points of some stimuli alone, without the means of their frames."""
        x, frame = self.x[stimuli], self.frame[stimuli]
        return _less_means(x, frame) if self.method == "pearson" else _ranked(x, frame)

    def shuffled(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Give points whose stimuli are permuted in each unit by itself, within frames."""
        points = self.points.copy()
        for frame in np.unique(self.frame):
            rows = self.frame == frame
            points[rows] = rng.permuted(points[rows], axis=0)
        return points

    def rotations(self, rng: np.random.Generator) -> UnitRotations:
        """Prepare rotations of the units, the same in each layer."""
        points = self.points - self.points.mean(axis=0, dtype=np.float64)
        return UnitRotations.of(np.split(points, len(self.layers), axis=1), rng)

    def laid_out(self, of_nodes: NDArray[np.generic], missing: float | str) -> NDArray[np.generic]:
        """Lay values of nodes out by layer and unit; units that do not vary have none."""
        table = np.full((len(self.layers), len(self.varies)), missing, dtype=of_nodes.dtype)
        table[:, self.varies] = of_nodes.reshape(len(self.layers), -1)
        return table


@dataclass(frozen=True)
class GraphSettings:
    """Which graphs are made of points.

    Attributes
    ----------
    densities : tuple of float
        Ascending.
    sign : str
        ``positive``, ``absolute`` or ``signed``.
    """

    densities: tuple[float, ...]
    sign: Sign = "positive"

    @classmethod
    def checked(cls, densities: Sequence[float], sign: Sign) -> GraphSettings:
        """Take the settings of an instrument.

        Raises
        ------
        InputError
            For no densities, densities outside of (0, 1], and an unknown sign.
        """
        if sign not in get_args(Sign):
            raise InputError(f"sign is {sign!r}: choose one of {', '.join(get_args(Sign))}.")
        if not densities or not all(0 < density <= 1 for density in densities):
            msg = (
                f"densities are {list(densities)}: give shares of all pairs of units, above 0 "
                "and at most 1, such as 0.02 to 0.2."
            )
            raise InputError(msg)
        return cls(tuple(sorted({float(density) for density in densities})), sign)

    def check_size(self, nodes: Nodes) -> None:
        """Refuse densities at which no edge is left.

        Raises
        ------
        InputError
            Naming the density.
        """
        n_pairs = nodes.n_nodes * (nodes.n_nodes - 1) // 2
        if round(self.densities[0] * n_pairs) < 1:
            msg = (
                f"{nodes.n_nodes} units have {n_pairs} pairs, and a density of "
                f"{self.densities[0]} leaves no edge: give larger densities."
            )
            raise InputError(msg)

    def check_density(self, density: float, name: str) -> None:
        """Refuse a density that is none of these.

        Raises
        ------
        InputError
            Naming the parameter.
        """
        if float(density) not in self.densities:
            msg = f"{name} is {density}: choose one of the densities, {list(self.densities)}."
            raise InputError(msg)

    def graphs(self, points: NDArray[np.float32]) -> list[Graph]:
        """Make the graph of each density."""
        return correlation_graphs(points, self.densities, sign=self.sign)


def node_sets(
    recording: Recording, site: str, layers: Sequence[int] | None, together: bool
) -> list[list[int]]:
    """List the layers of each graph: one each, or all together."""
    chosen = chosen_layers(recording, site, layers)
    return [chosen] if together else [[layer] for layer in chosen]


def n_units_of(recording: Recording, site: str) -> int:
    """Count the units of a layer; those of heads side by side."""
    sizes = recording[site].sizes
    return math.prod(size for dim, size in sizes.items() if dim not in ("stimulus", "layer"))


def frame_of(recording: Recording, frames: str | None) -> NDArray[np.intp]:
    """Give the frame of each stimulus, numbered; all 0 without a label of frames."""
    if frames is None:
        return np.zeros(recording.n_stimuli, dtype=np.intp)
    values = recording.labels[frames].astype(str).to_numpy()
    return np.unique(values, return_inverse=True)[1].astype(np.intp)


def is_signed(graph: Graph) -> bool:
    """Whether some edges are negative."""
    return graph.weight is not None and bool((graph.weight <= 0).any())


def attractive(graph: Graph) -> Graph:
    """Keep the edges that pull units together: all but negative ones."""
    if graph.weight is None or not is_signed(graph):
        return graph
    return graph.keep(graph.weight > 0)


def repulsive(graph: Graph) -> Graph:
    """Keep the edges of negative weight."""
    negative = np.zeros(graph.n_edges, np.bool_) if graph.weight is None else graph.weight < 0
    return graph.keep(negative)


def _without_frames(x: NDArray[np.float32], frame: NDArray[np.intp]) -> NDArray[np.float32]:
    """Remove the means of frames; what is left of units that are constant in each is 0."""
    size = np.abs(x).max(axis=0)
    free = without_means(x, frame)
    free[:, ~(np.abs(free).max(axis=0) > _ROUNDING * size)] = 0.0
    return free.astype(np.float32)


def _less_means(x: NDArray[np.float32], frame: NDArray[np.intp]) -> NDArray[np.float32]:
    present = np.unique(frame, return_inverse=True)[1]
    return without_means(x, present.astype(np.intp)).astype(np.float32)


def _ranked(x: NDArray[np.float32], frame: NDArray[np.intp]) -> NDArray[np.float32]:
    """Rank each unit within each frame, from -1/2 to 1/2: outliers move no frame's mean."""
    from scipy.stats import rankdata

    ranks = np.empty_like(x)
    for of in np.unique(frame):
        rows = frame == of
        n = np.count_nonzero(rows)
        ranks[rows] = (rankdata(x[rows], axis=0) - (n + 1) / 2) / n
    return ranks
