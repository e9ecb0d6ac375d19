"""GraphML files of large graphs, written a part at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from cortiscope.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from cortiscope.statistics.graphs import Graph

# Edges that are put into words at a time.
_EDGES = 100_000

# What GraphML calls the kinds of numpy's dtypes; all else is text.
_TYPES = {"b": "boolean", "i": "long", "u": "long", "f": "double"}


def write_graphml(path: str | Path, nodes: pd.DataFrame, graph: Graph) -> Path:
    """Write a graph with what is known of its nodes as GraphML.

    Parameters
    ----------
    path : str or Path
        Ends with ``.graphml``.
    nodes : DataFrame
        A row a node, in order; its columns become the nodes' attributes.
    graph : Graph
        Its weights become the edges' attribute ``weight``.

    Returns
    -------
    Path
        The file, which is whole or not there.

    Raises
    ------
    InputError
        For another ending.

    References
    ----------
    Brandes et al. (2002), GraphML progress report: structural layer proposal, in Graph Drawing,
    LNCS 2265, 501-512.
    """
    path = Path(path)
    if path.suffix.lower() != ".graphml":
        raise InputError(f"GraphML is asked for: give {path.name} the ending .graphml.")
    _write_in_parts(path, chain(_head(nodes, graph), _nodes(nodes), _edges(graph), [_FOOT]))
    return path


_FOOT = "  </graph>\n</graphml>\n"


def _head(nodes: pd.DataFrame, graph: Graph) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield (
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns '
        'http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">\n'
    )
    for place, column in enumerate(nodes.columns):
        kind = _TYPES.get(nodes[column].to_numpy().dtype.kind, "string")
        yield (
            f'  <key id="n{place}" for="node" attr.name={quoteattr(str(column))} '
            f'attr.type="{kind}"/>\n'
        )
    if graph.weight is not None:
        yield '  <key id="weight" for="edge" attr.name="weight" attr.type="double"/>\n'
    yield '  <graph edgedefault="undirected">\n'


def _nodes(nodes: pd.DataFrame) -> Iterator[str]:
    columns = [map(_as_text, nodes[column].tolist()) for column in nodes.columns]
    for node, values in enumerate(zip(*columns, strict=True)):
        data = "".join(f'<data key="n{place}">{value}</data>' for place, value in enumerate(values))
        yield f'    <node id="{node}">{data}</node>\n'


def _edges(graph: Graph) -> Iterator[str]:
    for first in range(0, graph.n_edges, _EDGES):
        part = slice(first, first + _EDGES)
        source, target = graph.source[part].tolist(), graph.target[part].tolist()
        if graph.weight is None:
            yield "".join(
                f'    <edge source="{one}" target="{other}"/>\n'
                for one, other in zip(source, target, strict=True)
            )
        else:  # nine digits tell every number of single precision from the next
            yield "".join(
                f'    <edge source="{one}" target="{other}"><data key="weight">{value:.9g}</data>'
                "</edge>\n"
                for one, other, value in zip(
                    source, target, graph.weight[part].tolist(), strict=True
                )
            )


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, (int, float)) else escape(str(value))


def _write_in_parts(path: Path, parts: Iterable[str]) -> None:
    """Write text to a hidden file, which takes its place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        whole = Path(folder) / path.name
        with whole.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(parts)
        whole.replace(path)
