"""Graphs of correlated units, made without ever holding the matrix of their correlations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Lock, local
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.strongest_neighbours import StrongestNeighbours
from cortiscope.statistics.graphs.strongest_pairs import StrongestPairs
from cortiscope.statistics.graphs.tiles import NumpyTiles, Tiles, TorchTiles
from cortiscope.statistics.graphs.unit_vectors import Method, UnitVectors, slices
from cortiscope.statistics.parallel import map_in_threads

Sign = Literal["positive", "absolute", "signed"]

# Rows and columns of a tile: large enough for products at full speed, and small beside the
# vectors. A device takes larger ones.
_ROWS, _COLUMNS = 1024, 4096
_DEVICE_ROWS, _DEVICE_COLUMNS = 4096, 32768


def correlation_graph(
    x: NDArray[np.floating],
    *,
    method: Method = "pearson",
    sign: Sign = "positive",
    density: float | None = None,
    n_neighbours: int | None = None,
    device: str = "cpu",
) -> Graph:
    """Connect the units that are correlated most strongly over stimuli.

    The correlations are products of blocks of standardised activations, a tile at a time. Of a
    tile only those are kept that are stronger than what is already there: the graph is that of the
    full matrix, and the full matrix is never held.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_nodes)
        Activations, which count in single precision.
    method : {"pearson", "spearman", "partial"}
        Pearson's correlation; that of ranks; or the correlation of two units when all others are
        held constant, from the inverse of the correlation matrix, shrunk to the identity as Ledoit
        and Wolf do.
    sign : {"positive", "absolute", "signed"}
        Keep positive correlations; or positive and negative ones by their size, with the size as
        weight, or with the correlation itself.
    density : float, optional
        Keep exactly this share of all pairs, rounded to a number of edges; fewer where fewer
        correlations are above 0 (or other than 0, where negative ones count).
    n_neighbours : int, optional
        Keep for every unit its strongest ones, so many at most: the union over both units of an
        edge. Either this or a density.
    device : str
        ``cpu``, or a device of torch, such as ``cuda``.

    Returns
    -------
    Graph
        With the correlations as weights. Units that do not vary are nodes without edges.

    Raises
    ------
    InputError
        For a method, sign or device that is not there, both of density and n_neighbours or
        neither, values out of range, activations that are not finite, fewer than three stimuli,
        and fewer than two units.

    Notes
    -----
    Which edges are kept does not depend on the rounding of products in single precision, nor on
    the device: where two correlations are too close to tell which is stronger, both are computed
    again in double precision, and of correlations that are equal in 12 decimals that of the first
    units counts. Weights have single precision. Partial correlations come out of an eigenvalue
    decomposition first, whose last digits are the machine's.

    References
    ----------
    Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices,
    Journal of Multivariate Analysis 88, 365-411. Schäfer & Strimmer (2005), Statistical
    Applications in Genetics and Molecular Biology 4, 32, for partial correlations by shrinkage.

    Examples
    --------
    >>> x = np.array([[0.0, 0, 3], [1, 1, 1], [2, 3, 0], [3, 4, 2]])
    >>> graph = correlation_graph(x, density=1 / 3)
    >>> graph.source.tolist(), graph.target.tolist(), graph.weight.round(3).tolist()
    ([0], [1], [0.990...])
    """
    if (density is None) == (n_neighbours is None):
        raise InputError("give either a density or n_neighbours, to say which edges to keep.")
    if n_neighbours is None:
        assert density is not None
        return correlation_graphs(x, [density], method=method, sign=sign, device=device)[0]
    _check_sign(sign)
    vectors = UnitVectors.of(x, method)
    if not 1 <= n_neighbours < vectors.n_nodes:
        raise InputError(
            f"n_neighbours is {n_neighbours}: give a number from 1 to {vectors.n_nodes - 1}, as "
            "each of so many units has others."
        )
    absolute = sign != "positive"
    blocks = _Blocks(vectors, absolute, device, least_rows=4 * n_neighbours)
    neighbours = StrongestNeighbours(vectors, blocks.order, n_neighbours, absolute=absolute)
    lock = Lock()

    def take(tiles: Tiles, rows: slice, columns: slice) -> None:
        _take_neighbours(tiles, rows, columns, neighbours, lock)

    blocks.go_through(take)
    return _with_sign(neighbours.graph(), sign)


def correlation_graphs(
    x: NDArray[np.floating],
    densities: Sequence[float],
    *,
    method: Method = "pearson",
    sign: Sign = "positive",
    device: str = "cpu",
) -> list[Graph]:
    """Make the graphs of several densities at the cost of the densest.

    Parameters
    ----------
    x, method, sign, device
        As `correlation_graph` takes them.
    densities : sequence of float
        Each above 0 and at most 1.

    Returns
    -------
    list of Graph
        One a density; a sparser one has edges of a denser one only.

    Raises
    ------
    InputError
        As `correlation_graph`.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(30, 100))
    >>> [graph.n_edges for graph in correlation_graphs(x, [0.02, 0.1])]
    [99, 495]
    """
    _check_sign(sign)
    if not densities:
        raise InputError("there is no density: give one or more, to say which edges to keep.")
    for density in densities:
        if not 0 < density <= 1:
            raise InputError(
                f"the density is {density}: give the share of all pairs of units that are to be "
                "edges, above 0 and at most 1."
            )
    absolute = sign != "positive"
    vectors = UnitVectors.of(x, method)
    n = vectors.n_nodes
    n_pairs = [round(density * n * (n - 1) / 2) for density in densities]
    blocks = _Blocks(vectors, absolute, device)
    pairs = StrongestPairs(vectors, max(n_pairs), absolute=absolute)
    lock = Lock()

    def take(tiles: Tiles, rows: slice, columns: slice) -> None:
        row, column, values = tiles.above(pairs.bound)
        if rows == columns:
            once = np.flatnonzero(row < column)
            row, column, values = row[once], column[once], values[once]
        one, other = blocks.order[rows][row], blocks.order[columns][column]
        with lock:
            pairs.add(one, other, values)

    blocks.go_through(take)
    return [_with_sign(pairs.graph(wanted), sign) for wanted in n_pairs]


class _Blocks:
    """Goes through the tiles of the upper triangle.

    Nodes come in a random order, the same every time: whatever the order of layers and of units
    in them, what came so far is a fair sample, and so few of those that come are ever kept.
    """

    def __init__(
        self, vectors: UnitVectors, absolute: bool, device: str, least_rows: int = 1
    ) -> None:
        n = vectors.n_nodes
        on_processor = device == "cpu"
        rows, columns = (_ROWS, _COLUMNS) if on_processor else (_DEVICE_ROWS, _DEVICE_COLUMNS)
        self._n_rows = n if n <= 2 * rows else max(rows, least_rows)
        self._n_columns, self._n = columns, n
        self.order = np.random.default_rng(0).permutation(n)
        single, sign = vectors.single(self.order), vectors.sign
        self._of_device: Tiles | None = None
        if on_processor:
            n_values = min(self._n_rows, n) * min(max(columns, self._n_rows), n)
            self._new_tiles = partial(NumpyTiles, single, sign, absolute, n_values)
        else:
            self._of_device = TorchTiles(single, sign, absolute, device)

    def go_through(self, take: Callable[[Tiles, slice, slice], None]) -> None:
        """Make tile after tile, and have something taken of each, with its rows and columns.

        On the processor several are made at a time: each core multiplies and picks by itself.
        """
        places = list(self._places())
        own = local()

        def make(place: tuple[slice, slice]) -> None:
            if not hasattr(own, "tiles"):
                own.tiles = self._of_device or self._new_tiles()
            own.tiles.multiply(*place)
            take(own.tiles, *place)

        if self._of_device is not None or len(places) == 1:
            for place in places:
                make(place)
        else:
            for _ in map_in_threads(make, places):
                pass

    def _places(self) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of all tiles, row by row; what is below the diagonal is above it too."""
        first, *others = slices(self._n, self._n_rows)
        yield first, first
        for columns in slices(self._n, self._n_columns, start=first.stop):
            yield columns, first  # the others find the first in their rows
        for rows in others:
            yield rows, rows
            for columns in slices(self._n, self._n_columns, start=rows.stop):
                yield rows, columns


def _take_neighbours(
    tiles: Tiles, rows: slice, columns: slice, neighbours: StrongestNeighbours, lock: Lock
) -> None:
    """Give the nodes of a tile's rows what is strong for them, and those of its columns."""
    bound = neighbours.bound
    if not columns.start and columns.stop > neighbours.n_kept:
        # None has any yet: so many of the first block are as strong as this, or stronger.
        least = tiles.strongest_of_rows(neighbours.n_kept)
        with lock:
            bound[rows] = np.maximum(np.nextafter(least, np.float32(0)), bound[rows])
    row, column, values = tiles.above(bound[rows, None])
    with lock:
        neighbours.add(rows.start + row, columns.start + column, values)
    if rows != columns:
        row, column, values = tiles.above(bound[columns])
        with lock:
            neighbours.add(columns.start + column, rows.start + row, values)
    with lock:
        neighbours.settle()


def _with_sign(graph: Graph, sign: Sign) -> Graph:
    if sign != "absolute" or graph.weight is None:
        return graph
    return Graph(graph.n_nodes, graph.source, graph.target, np.abs(graph.weight))


def _check_sign(sign: str) -> None:
    if sign not in ("positive", "absolute", "signed"):
        raise InputError(f"there is no sign {sign!r}: choose positive, absolute or signed.")
