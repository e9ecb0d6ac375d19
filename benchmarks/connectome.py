"""Graphs of all units of a model against the full matrix, bare products, and networkx.

Run with ``OMP_NUM_THREADS=2 python -m benchmarks.connectome``: one layer at a density. Correlation
and threshold are timed beside numpy's full matrix and beside the bare products of the same blocks;
the measures of one graph beside networkx, which is given fewer units and is not scaled.

With ``--layers 28 --neighbours 50`` it is a whole model instead. The products that are made on the
way are the bare products then: both are timed in the same minutes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar
from unittest import mock

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs import (
    Graph,
    clustering,
    communities,
    correlation_graph,
    participation,
    path_length,
    rich_club,
    transitivity,
    within_module_z,
)
from cortiscope.statistics.graphs.tiles import NumpyTiles

_Value = TypeVar("_Value")

_ROWS, _COLUMNS = 1024, 4096
_NETWORKX_UNITS = 3584


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=1200)
    parser.add_argument("--units", type=int, default=14336, help="of a layer")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--density", type=float, default=0.02)
    parser.add_argument("--neighbours", type=int, help="in place of a density")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    x = _activations(options.stimuli, options.layers, options.units)
    print(f"{options.stimuli:,} stimuli, {x.shape[1]:,} units")
    if options.neighbours:
        graph = _neighbours(x, options.neighbours)
        _measure(graph, ("Leiden", "clustering", "rich club"))
    else:
        graph = _density(x, options.density, options.repeats)
        print(f"measures of it: {_measure(graph, tuple(_MEASURES)):.1f} s in all")
        print(f"largest memory until here: {_memory():.2f} GB")
        _beside_numpy(x, graph)
        _beside_networkx(x[:, :_NETWORKX_UNITS], options.density)


def _activations(n_stimuli: int, n_layers: int, n_units: int) -> NDArray[np.float32]:
    """Noise and a spectrum of common components, which change from layer to layer."""
    rng = np.random.default_rng(0)

    def noise(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32)

    sizes = (np.arange(1, 61, dtype=np.float32) ** -0.5)[:, None]
    common, mixing = noise(n_stimuli, 60), noise(60, n_units)
    x = np.empty((n_stimuli, n_layers * n_units), dtype=np.float32)
    for layer in range(n_layers):
        own = x[:, layer * n_units : (layer + 1) * n_units]
        own[:] = common @ (sizes * mixing) + 2 * noise(n_stimuli, n_units)
        common = np.float32(0.9) * common + np.float32(0.45) * noise(*common.shape)
        mixing = np.float32(0.95) * mixing + np.float32(0.3) * noise(*mixing.shape)
    return x


def _density(x: NDArray[np.float32], density: float, repeats: int) -> Graph:
    bare, ours = [], []
    for _ in range(repeats):
        bare.append(_timed(lambda: _bare_products(x))[0])
        seconds, graph = _timed(lambda: correlation_graph(x, density=density))
        ours.append(seconds)
    mine, products = statistics.median(ours), statistics.median(bare)
    print(f"correlation and threshold, {graph.n_edges:,} edges: {mine:.2f} s")
    print(f"bare products of the same blocks: {products:.2f} s; ratio {mine / products:.2f}")
    return graph


def _bare_products(x: NDArray[np.float32]) -> None:
    vectors = np.ascontiguousarray(x.T)
    tile = np.empty(_ROWS * _COLUMNS, dtype=np.float32)
    for row in range(0, len(vectors), _ROWS):
        one = vectors[row : row + _ROWS]
        for column in range(row, len(vectors), _COLUMNS):
            other = vectors[column : column + _COLUMNS]
            np.matmul(one, other.T, out=tile[: len(one) * len(other)].reshape(len(one), -1))


def _neighbours(x: NDArray[np.float32], n_neighbours: int) -> Graph:
    with _timed_products() as spent:
        seconds, graph = _timed(lambda: correlation_graph(x, n_neighbours=n_neighbours))
    products = sum(spent.values()) / len(spent)
    print(f"the {n_neighbours} strongest neighbours, {graph.n_edges:,} edges: {seconds:.1f} s")
    print(f"of them in products, on {len(spent)} cores: {products:.1f} s", end="; ")
    print(f"ratio {seconds / products:.2f}; largest memory {_memory():.2f} GB")
    return graph


@contextmanager
def _timed_products() -> Iterator[dict[int, float]]:
    """Time all products that are made meanwhile, by thread."""
    spent: dict[int, float] = {}
    multiply = NumpyTiles.multiply

    def timed(self: NumpyTiles, rows: slice, columns: slice) -> None:
        began = time.perf_counter()
        multiply(self, rows, columns)
        own = threading.get_ident()
        spent[own] = spent.get(own, 0.0) + time.perf_counter() - began

    with mock.patch.object(NumpyTiles, "multiply", timed):
        yield spent


def _leiden(graph: Graph) -> NDArray[np.int32]:
    return communities(graph, n_seeds=1).partitions[0]


_MEASURES: dict[str, Callable[[Graph, NDArray[np.int32]], object]] = {
    "Leiden": lambda graph, _: _leiden(graph),
    "clustering": lambda graph, _: clustering(graph),
    "transitivity": lambda graph, _: transitivity(graph),
    "path length, 200 sources": lambda graph, _: path_length(graph, 200),
    "rich club": lambda graph, _: rich_club(graph),
    "participation": participation,
    "within-module z": within_module_z,
}


def _measure(graph: Graph, names: tuple[str, ...]) -> float:
    """Time measures of a graph, and give how long they took together."""
    import networkit  # noqa: F401  (it takes seconds to load, once)

    partition = np.zeros(graph.n_nodes, dtype=np.int32)
    total = 0.0
    for name in names:
        seconds, value = _timed(partial(_MEASURES[name], graph, partition))
        partition = np.asarray(value) if name == "Leiden" else partition
        total += seconds
        print(f"  {name}: {seconds:.2f} s")
    return total


def _beside_numpy(x: NDArray[np.float32], graph: Graph) -> None:
    began = time.perf_counter()
    matrix = np.corrcoef(x, rowvar=False, dtype=np.float32)
    one, other = np.triu_indices(len(matrix), 1)
    values = matrix[one, other]
    kept = np.sort(np.argpartition(values, -graph.n_edges)[-graph.n_edges :])
    seconds = time.perf_counter() - began
    same = np.isin(
        one[kept].astype(np.int64) * len(matrix) + other[kept],
        graph.source.astype(np.int64) * len(matrix) + graph.target,
    ).mean()
    print(
        f"numpy.corrcoef and argpartition: {seconds:.1f} s, {_memory():.1f} GB; same edges {same}"
    )


def _beside_networkx(x: NDArray[np.float32], density: float) -> None:
    graph = correlation_graph(x, density=density)
    theirs = nx.Graph()
    theirs.add_edges_from(zip(graph.source.tolist(), graph.target.tolist(), strict=True))
    mine, found = _timed(lambda: clustering(graph))
    seconds, expected = _timed(lambda: nx.clustering(theirs))
    difference = max(abs(found[node] - value) for node, value in expected.items())
    print(
        f"clustering of {graph.n_nodes:,} units, {graph.n_edges:,} edges: {mine:.3f} s; networkx "
        f"{seconds:.1f} s; ratio {seconds / mine:,.0f}; largest difference {difference:.1e}"
    )


def _timed(function: Callable[[], _Value]) -> tuple[float, _Value]:
    began = time.perf_counter()
    value = function()
    return time.perf_counter() - began, value


def _memory() -> float:
    """Give the largest memory that the process has had, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
