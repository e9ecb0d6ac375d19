"""The type that holds a functional connectome: units, and the correlations between them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.codes.graphml import write_graphml
from cortiscope.codes.tensor_file import as_json_holds_it, read_tensors, write_tensors
from cortiscope.errors import InputError, MachineError
from cortiscope.ledger import fingerprint
from cortiscope.scanning import Recording
from cortiscope.statistics import d_prime, without_means
from cortiscope.statistics.graphs import Graph, correlation_graph
from cortiscope.statistics.graphs.correlation import Sign
from cortiscope.statistics.graphs.unit_vectors import Method

if TYPE_CHECKING:
    import networkx

# What every table of nodes has.
_COLUMNS = ("site", "layer", "unit")


@dataclass(frozen=True, eq=False)
class Connectome:
    """Units of a model as the nodes of a graph, and strong correlations over stimuli as its edges.

    Parameters
    ----------
    nodes : DataFrame
        A row a node, numbered from 0: ``site``, ``layer`` and ``unit`` (of ``head_out``, heads lie
        one after the other), and what else is known, such as ``best_category``.
    graph : Graph
        The edges; their weights are correlations.
    parameters : mapping
        How it was made, as JSON holds it.
    origin : mapping
        What it was made from, as JSON holds it.

    Raises
    ------
    InputError
        For a table that has other rows than the graph has nodes, or lacks a column, and for
        parameters or an origin that JSON cannot hold.

    References
    ----------
    Bullmore & Sporns (2009), Complex brain networks: graph theoretical analysis of structural and
    functional systems. Nature Reviews Neuroscience 10, 186-198.

    Examples
    --------
    >>> words = pd.DataFrame({"word": ["dog", "saw", "owl", "axe"], "frame": "the"})
    >>> x = np.random.default_rng(0).normal(size=(4, 2, 50))
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> connectome = Connectome.of(recording, density=0.1)
    >>> connectome
    Connectome(arrays: 100 units of resid_post, 2 layers; 495 edges, density 0.1; pearson, positive)
    >>> connectome.nodes.loc[70].to_dict()
    {'site': 'resid_post', 'layer': 1, 'unit': 20, 'varies': True}
    """

    nodes: pd.DataFrame = field(repr=False)
    graph: Graph = field(repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Check that nodes and edges fit."""
        nodes = self.nodes.reset_index(drop=True)
        if missing := [column for column in _COLUMNS if column not in nodes]:
            raise InputError(
                f"the table of nodes has no column {missing[0]!r}: it needs {', '.join(_COLUMNS)}."
            )
        if len(nodes) != self.graph.n_nodes:
            raise InputError(
                f"there are {len(nodes):,} rows in the table of nodes, and {self.graph.n_nodes:,} "
                "nodes in the graph: give one row for each."
            )
        object.__setattr__(self, "nodes", nodes)
        for name in ("parameters", "origin"):
            held = as_json_holds_it("a connectome", getattr(self, name))
            object.__setattr__(self, name, held)

    @classmethod
    def of(
        cls,
        recording: Recording,
        *,
        site: str = "resid_post",
        layers: Sequence[int] | None = None,
        frames: str | None = "frame",
        target: str | None = None,
        method: Method = "pearson",
        sign: Sign = "positive",
        density: float | None = None,
        n_neighbours: int | None = None,
        device: str = "cpu",
    ) -> Connectome:
        """Correlate the units of one layer, of some, or of all.

        Parameters
        ----------
        recording : Recording
            With one position a stimulus.
        site : str
            Site of the recording.
        layers : sequence of int, optional
            Layers whose units are in one graph; all that were recorded when left out.
        frames : str, optional
            Label of the frames. The mean of each frame is taken out of every unit first: what
            units have in common there belongs to the sentences and not to the words. None leaves
            all in.
        target : str, optional
            Label for whose values the units' tuning is measured: columns ``best_category``, for
            which its d' is largest, and ``d_prime``, how large, as `selectivity` has it.
        method, sign, density, n_neighbours, device
            As `statistics.graphs.correlation_graph` takes them.

        Returns
        -------
        Connectome
            Of all units: those that do not vary have no edges, and False in the column ``varies``.

        Raises
        ------
        InputError
            For a site, layer or label that the recording lacks, a recording of every token, a
            target with a single value, and as `correlation_graph`.
        """
        chosen = _chosen_layers(recording, site, layers)
        names = _labels(recording, frames)
        frame = None if names is None else np.unique(names, return_inverse=True)[1]
        category = _labels(recording, target)
        n_units = int(np.prod(recording[site].shape[2:]))
        x = np.empty((recording.n_stimuli, len(chosen) * n_units), dtype=np.float32)
        tables = []
        for place, layer in enumerate(chosen):
            own = recording.layer(site, layer).reshape(len(x), -1)
            tuning = {} if category is None else _tuning(own, category)
            if frame is not None:
                own = without_means(own, frame).astype(np.float32)
            x[:, place * n_units : (place + 1) * n_units] = own
            varies = (own != own[:1]).any(axis=0)
            about = {"site": site, "layer": layer, "unit": np.arange(n_units), "varies": varies}
            tables.append(pd.DataFrame({**about, **tuning}))
        graph = correlation_graph(
            x, method=method, sign=sign, density=density, n_neighbours=n_neighbours, device=device
        )
        subject = recording.provenance.get("subject", {})
        return cls(
            pd.concat(tables, ignore_index=True),
            graph,
            {
                "site": site,
                "layers": chosen,
                "frames": frames,
                "target": target,
                "method": method,
                "sign": sign,
                "density": density,
                "n_neighbours": n_neighbours,
            },
            {
                "recording": recording.fingerprint,
                "n_stimuli": recording.n_stimuli,
                "subject": recording.subject,
                "weights": subject.get("weights", {}),
            },
        )

    @property
    def n_units(self) -> int:
        """Number of nodes."""
        return self.graph.n_nodes

    @property
    def n_constant(self) -> int:
        """Number of units that do not vary, and so have no edges; 0 where it is not known."""
        return int((~self.nodes["varies"]).sum()) if "varies" in self.nodes else 0

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the nodes and the edges, however they were found."""
        return fingerprint(
            {
                "nodes": {str(name): self.nodes[name].to_numpy() for name in self.nodes.columns},
                "source": self.graph.source,
                "target": self.graph.target,
                "weight": self.graph.weight,
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Give the table of nodes, with how many edges each has.

        Returns
        -------
        DataFrame
            As `nodes`, and ``degree``.
        """
        return self.nodes.assign(degree=self.graph.degrees)

    def to_networkx(self) -> networkx.Graph:
        """Give it as networkx has it: attributes of nodes by column, of edges ``weight``.

        Raises
        ------
        InputError
            When networkx is not installed.
        """
        try:
            import networkx
        except ImportError as error:
            raise InputError("networkx is not installed: pip install networkx.") from error
        graph = networkx.Graph()
        graph.add_nodes_from(enumerate(self.nodes.to_dict("records")))
        pairs = (self.graph.source.tolist(), self.graph.target.tolist())
        if self.graph.weight is None:
            graph.add_edges_from(zip(*pairs, strict=True))
        else:
            graph.add_weighted_edges_from(zip(*pairs, self.graph.weight.tolist(), strict=True))
        return graph

    def to_graphml(self, path: str | Path) -> Path:
        """Write it as GraphML, which Gephi, Cytoscape, igraph and networkx read.

        Parameters
        ----------
        path : str or Path
            Ends with ``.graphml``.

        Returns
        -------
        Path
            The file: attributes of nodes by column, of edges ``weight``.

        Raises
        ------
        InputError
            For another ending.
        """
        return write_graphml(path, self.nodes, self.graph)

    def save(self, path: str | Path) -> Path:
        """Write it as a safetensors file, which `open` reads back.

        Parameters
        ----------
        path : str or Path
            Ends with ``.safetensors``.

        Returns
        -------
        Path
            The file: ``source``, ``target`` and ``weight`` (n_edges,), and a tensor ``node.NAME``
            (n_nodes,) for each column of the nodes, of text as its place in a list of values. All
            else is JSON under ``cortiscope.connectome`` in the metadata of its header.

        Raises
        ------
        InputError
            For another ending.
        """
        tensors: dict[str, NDArray[Any]] = {
            "source": self.graph.source,
            "target": self.graph.target,
        }
        if self.graph.weight is not None:
            tensors["weight"] = self.graph.weight
        values: dict[str, list[str]] = {}
        for name in map(str, self.nodes.columns):
            column = self.nodes[name].to_numpy()
            if column.dtype.kind not in "biuf":
                column, known = pd.factorize(column.astype(str), sort=True)
                values[name] = [str(value) for value in known]
            tensors[f"node.{name}"] = column
        about = {
            "n_nodes": self.graph.n_nodes,
            "columns": list(map(str, self.nodes.columns)),
            "values": values,
            "parameters": self.parameters,
            "origin": self.origin,
            "fingerprint": self.fingerprint,
        }
        return write_tensors(path, "connectome", tensors, about)

    @classmethod
    def open(cls, path: str | Path) -> Connectome:
        """Open a connectome that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        Connectome
            Equal to the one that was saved, bit for bit.

        Raises
        ------
        InputError
            When there is no such file, or it holds no connectome of Cortiscope.
        MachineError
            When its content is not what was saved.
        """
        tensors, about = read_tensors(path, "connectome")
        columns = {name: tensors[f"node.{name}"] for name in about["columns"]}
        for name, values in about["values"].items():
            columns[name] = np.array(values, dtype=object)[columns[name]]
        graph = Graph(about["n_nodes"], tensors["source"], tensors["target"], tensors.get("weight"))
        connectome = cls(pd.DataFrame(columns), graph, about["parameters"], about["origin"])
        if connectome.fingerprint != about["fingerprint"]:
            raise MachineError(
                f"{path} is not what was saved there: its fingerprint is "
                f"{connectome.fingerprint[:12]}, and was {about['fingerprint'][:12]}; save the "
                "connectome again."
            )
        return connectome

    def __repr__(self) -> str:
        subject = self.origin.get("subject", "given")
        return f"Connectome({subject}: {'; '.join(self._about().values())})"

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th style="text-align:left">{key}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for key, value in {**self._about(), "fingerprint": self.fingerprint[:12]}.items()
        )
        subject = html.escape(str(self.origin.get("subject", "")))
        return (
            f"<div><strong>Connectome</strong> {subject}<table><tbody>{cells}</tbody></table></div>"
        )

    def _about(self) -> dict[str, str]:
        sites = " and ".join(map(str, self.nodes["site"].unique()))
        layers = sorted(self.nodes["layer"].unique())
        where = f"layer {layers[0]}" if len(layers) == 1 else f"{len(layers)} layers"
        about = {
            "units": f"{self.n_units:,} units of {sites}, {where}",
            "edges": f"{self.graph.n_edges:,} edges, density {self.graph.density:.3g}",
        }
        if "method" in self.parameters:
            about["correlations"] = f"{self.parameters['method']}, {self.parameters['sign']}"
        if n_constant := self.n_constant:
            about["constant"] = f"{n_constant:,} units do not vary"
        return about


def _chosen_layers(recording: Recording, site: str, layers: Sequence[int] | None) -> list[int]:
    if "token" in recording[site].dims:
        raise InputError(
            f"{recording.name} holds every token: scan again with one position, such as "
            "target_last."
        )
    chosen = recording.layers(site) if layers is None else layers
    if not len(chosen):
        raise InputError("there is no layer to correlate: name one or more, or leave layers out.")
    return [int(layer) for layer in chosen]


def _labels(recording: Recording, name: str | None) -> NDArray[np.str_] | None:
    if name is None:
        return None
    if name not in recording.labels.columns:
        raise InputError(
            f"{recording.name} has no label {name!r}: it has "
            f"{', '.join(map(str, recording.labels.columns)) or 'none'}; or give None."
        )
    return recording.labels[name].to_numpy().astype(str)


def _tuning(x: NDArray[np.float32], category: NDArray[np.str_]) -> dict[str, NDArray[Any]]:
    """Find the category that each unit prefers, and how much."""
    categories, label = np.unique(category, return_inverse=True)
    if len(categories) < 2:
        raise InputError(
            f"all stimuli are of the category {str(categories[0])!r}: tuning needs two or more."
        )
    values = d_prime(x, label, len(categories))
    best = values.argmax(axis=0)
    return {
        "best_category": categories[best].astype(object),
        "d_prime": values[best, np.arange(x.shape[1])],
    }
