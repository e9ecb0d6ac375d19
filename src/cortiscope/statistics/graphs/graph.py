"""A sparse undirected graph: its edges, and its other forms in the libraries that measure it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

if TYPE_CHECKING:
    import networkit
    import scipy.sparse


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph without loops or double edges.

    Attributes
    ----------
    n_nodes : int
        Nodes are numbered from 0.
    source, target : ndarray of int32, shape (n_edges,)
        The two nodes of every edge, the smaller one first, in ascending order.
    weight : ndarray of float32, shape (n_edges,), optional
        Of every edge, such as a correlation with its sign; None where edges only are or are not.

    Raises
    ------
    InputError
        For loops, double edges, edges that are not in order, and nodes that are not there.

    Examples
    --------
    >>> triangle = Graph(3, np.array([0, 0, 1]), np.array([1, 2, 2]))
    >>> triangle.n_edges, triangle.density, triangle.degrees.tolist()
    (3, 1.0, [2, 2, 2])
    """

    n_nodes: int
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Check the edges."""
        for name in ("source", "target"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), np.int32))
        if self.weight is not None:
            object.__setattr__(self, "weight", np.ascontiguousarray(self.weight, np.float32))
        lengths = {len(self.source), len(self.target)}
        lengths |= set() if self.weight is None else {len(self.weight)}
        if len(lengths) > 1:
            raise InputError("a graph's source, target and weight differ in length: give as many.")
        if not self.n_edges:
            return
        place = self.source.astype(np.int64) * self.n_nodes + self.target
        if (
            self.source.min() < 0
            or self.target.max() >= self.n_nodes
            or np.any(self.source >= self.target)
            or np.any(np.diff(place) <= 0)
        ):
            raise InputError(
                f"a graph of {self.n_nodes:,} nodes needs edges from a node to a later one, in "
                "ascending order and each once: make it with Graph.from_pairs."
            )

    @classmethod
    def from_pairs(
        cls,
        n_nodes: int,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        weight: NDArray[np.floating] | None = None,
    ) -> Graph:
        """Make a graph of edges in any order and direction; of double ones the first counts.

        Parameters
        ----------
        n_nodes : int
            Nodes.
        source, target : ndarray of int, shape (n_pairs,)
            The two nodes of each; loops are left out.
        weight : ndarray of float, shape (n_pairs,), optional
            Of each.

        Returns
        -------
        Graph

        Examples
        --------
        >>> Graph.from_pairs(3, np.array([2, 0, 1, 1]), np.array([1, 1, 2, 1])).n_edges
        2
        """
        low = np.minimum(source, target).astype(np.int64)
        high = np.maximum(source, target).astype(np.int64)
        kept = np.flatnonzero(low != high)
        place, first = np.unique(low[kept] * n_nodes + high[kept], return_index=True)
        weight = None if weight is None else np.asarray(weight, np.float32)[kept[first]]
        return cls(
            n_nodes,
            (place // n_nodes).astype(np.int32),
            (place % n_nodes).astype(np.int32),
            weight,
        )

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.source)

    @property
    def density(self) -> float:
        """Edges among all that there could be."""
        return 2 * self.n_edges / max(1, self.n_nodes * (self.n_nodes - 1))

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Number of edges of every node, (n_nodes,)."""
        return np.bincount(self.source, minlength=self.n_nodes) + np.bincount(
            self.target, minlength=self.n_nodes
        )

    def to_scipy(self) -> scipy.sparse.csr_array:
        """Give the symmetric adjacency matrix, float32; 1 where edges have no weight."""
        from scipy.sparse import coo_array

        weight = self.weight
        if weight is None:
            weight = np.ones(self.n_edges, dtype=np.float32)
        rows = np.concatenate([self.source, self.target])
        columns = np.concatenate([self.target, self.source])
        values = np.concatenate([weight, weight])
        return coo_array((values, (rows, columns)), shape=(self.n_nodes, self.n_nodes)).tocsr()

    def to_networkit(self, *, weighted: bool = False) -> networkit.Graph:
        """Give the graph as networkit has it.

        Raises
        ------
        InputError
            When weights are asked for that are not there, or of which some are not positive:
            networkit's measures are silently wrong with those.
        """
        from networkit import GraphFromCoo

        pairs = (self.source.astype(np.uint64), self.target.astype(np.uint64))
        if not weighted:
            return GraphFromCoo(pairs, n=self.n_nodes)
        return GraphFromCoo(
            (self.edge_weights(weighted=True), pairs), n=self.n_nodes, weighted=True
        )

    def edge_weights(self, *, weighted: bool) -> NDArray[np.float64]:
        """Give the weight that every edge counts with, (n_edges,): 1, or its own.

        Raises
        ------
        InputError
            When weights are asked for that are not there, or of which some are not positive.
        """
        if not weighted:
            return np.ones(self.n_edges)
        if self.weight is None or not np.all(self.weight > 0):
            raise InputError(
                "this graph has no positive weight on every edge: measure it without weights, or "
                "keep its positive edges alone, graph.keep(graph.weight > 0)."
            )
        return self.weight.astype(np.float64)

    def keep(self, edges: NDArray[np.bool_]) -> Graph:
        """Give the graph with some of its edges alone, such as the positive ones.

        Parameters
        ----------
        edges : ndarray of bool, shape (n_edges,)
            Which are kept; all nodes are.

        Examples
        --------
        >>> signed = Graph(3, np.array([0, 1]), np.array([1, 2]), np.array([0.5, -0.5]))
        >>> signed.keep(signed.weight > 0).n_edges
        1
        """
        weight = None if self.weight is None else self.weight[edges]
        return Graph(self.n_nodes, self.source[edges], self.target[edges], weight)

    def strengths(self, *, weighted: bool = False) -> NDArray[np.float64]:
        """Sum of the weights of every node's edges, (n_nodes,); without weights, its degree."""
        weight = self.edge_weights(weighted=weighted)
        strengths = np.bincount(self.source, weight, self.n_nodes)
        strengths = strengths + np.bincount(self.target, weight, self.n_nodes)
        return np.asarray(strengths, dtype=np.float64)
