"""Run networkit's random algorithms so that a seed repeats them, and side by side.

networkit draws from one generator a thread, all of them seeded alike, and repeats itself only with
one thread of its own. So every run gets a fresh thread, which starts that generator anew.
What differs between runs is the numbering of the nodes, and how many numbers are drawn first: both
from a generator of numpy. (Of a few nodes there are too few numberings for fair draws.)
networkit's number of threads, which is kept for each thread, is left as it was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Lock, Thread
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.parallel import map_in_threads

if TYPE_CHECKING:
    import networkit

_Value = TypeVar("_Value")

_LOCK = Lock()
_NETWORKIT_SEED = 1  # any but networkit's own default will do
_MOST_SKIPPED = 1024
_n_running = 0


class Edges(NamedTuple):
    """The edges that networkit gets, which may be loops.

    Attributes
    ----------
    n_nodes : int
        Nodes are numbered from 0.
    source, target : ndarray of int, shape (n_edges,)
        The two nodes of every edge, each edge once.
    weight : ndarray of float64, shape (n_edges,), optional
        Of every edge, positive; that of a loop counts twice in its node's strength.
    """

    n_nodes: int
    source: NDArray[np.integer]
    target: NDArray[np.integer]
    weight: NDArray[np.float64] | None

    @classmethod
    def of(cls, graph: Graph, *, weighted: bool = False) -> Edges:
        """Take those of a graph; its weights must be positive if they are asked for."""
        weight = graph.edge_weights(weighted=True) if weighted else None
        return cls(graph.n_nodes, graph.source, graph.target, weight)


def over_numberings(
    edges: Edges,
    measure: Callable[[networkit.Graph, NDArray[np.intp]], _Value],
    n_numberings: int,
    seed: int,
) -> Iterator[_Value]:
    """Measure a graph under random numberings of its nodes, with one thread of networkit each.

    Parameters
    ----------
    edges : Edges
        Of the graph that is measured.
    measure : callable
        Takes the graph as networkit has it, and the number that each node has there.
    n_numberings : int
        How often.
    seed : int
        Of the numberings: the first few are the same however many follow.

    Yields
    ------
    value
        What ``measure`` returned, in order.

    Examples
    --------
    >>> edges = Edges.of(Graph(2, np.array([0]), np.array([1])))
    >>> list(over_numberings(edges, lambda numbered, number: numbered.numberOfEdges(), 2, seed=0))
    [1, 1]
    """

    def run(index: int) -> _Value:
        return _in_fresh_thread(lambda: numbered(index))

    def numbered(index: int) -> _Value:
        import networkit

        networkit.setNumberOfThreads(1)
        rng = np.random.default_rng([seed, index])
        number = rng.permutation(edges.n_nodes)
        pairs = (number[edges.source].astype(np.uint64), number[edges.target].astype(np.uint64))
        weighted = edges.weight is not None
        data = (edges.weight, pairs) if weighted else pairs
        graph = networkit.GraphFromCoo(data, n=edges.n_nodes, weighted=weighted)
        for _ in range(rng.integers(_MOST_SKIPPED)):
            networkit.graphtools.randomNode(graph)
        return measure(graph, number)

    with _seeded():
        yield from map_in_threads(run, range(n_numberings))


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed networkit, unless it runs: that would start the generators of the runs anew."""
    import networkit

    global _n_running
    with _LOCK:
        if not _n_running:
            networkit.setSeed(_NETWORKIT_SEED, False)
        _n_running += 1
    try:
        yield
    finally:
        with _LOCK:
            _n_running -= 1


def _in_fresh_thread(function: Callable[[], _Value]) -> _Value:
    result: Future[_Value] = Future()

    def body() -> None:
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)

    thread = Thread(target=body)
    thread.start()
    thread.join()
    return result.result()
