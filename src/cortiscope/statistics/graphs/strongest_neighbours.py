"""The strongest neighbours of every node, from neighbours that come a few at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.unit_vectors import UnitVectors, slices

# So many more than are wanted are kept, to see whether some are as good as the last one wanted.
_SPARE = 16

# Numbers that are sorted, or correlated again, at a time.
_VALUES = 1 << 22

_LARGEST_NODE = 2**31 - 1
_ONE, _UPPER = np.uint64(1), np.uint64(32)


class StrongestNeighbours:
    """Keeps the strongest neighbours of every node, and the bound that others must exceed.

    As in `StrongestPairs`, what single precision cannot decide is correlated again.

    A neighbour is kept as one number, which is the larger the stronger it is, and of equally
    strong ones, the smaller its node: strength in the upper half, 31 bits of the node, and one bit
    for the sign of the correlation.

    Parameters
    ----------
    vectors : UnitVectors
        What the correlations are of.
    order : ndarray of int, shape (n_nodes,)
        The order in which nodes come: rows below are places in it.
    n_neighbours : int
        How many are wanted, of each node.
    absolute : bool
        Whether negative correlations are as strong as positive ones.
    """

    def __init__(
        self,
        vectors: UnitVectors,
        order: NDArray[np.intp],
        n_neighbours: int,
        *,
        absolute: bool,
    ) -> None:
        self._vectors, self._order, self._absolute = vectors, order, absolute
        self._n_neighbours = n_neighbours
        self.n_kept = n_neighbours + _SPARE
        self._kept = np.zeros((vectors.n_nodes, self.n_kept), dtype=np.uint64)
        self._rows: list[NDArray[np.int32]] = []
        self._new: list[NDArray[np.uint64]] = []
        self._n_new = 0
        self.bound = np.zeros(vectors.n_nodes, dtype=np.float32)

    def add(
        self,
        rows: NDArray[np.intp],
        neighbours: NDArray[np.intp],
        values: NDArray[np.float32],
    ) -> None:
        """Take neighbours that exceed the bounds of their rows."""
        if not len(rows):
            return
        strength = np.abs(values).view(np.uint32).astype(np.uint64)
        node = (_LARGEST_NODE - self._order[neighbours]).astype(np.uint64)
        is_negative = (values < 0).astype(np.uint64)
        self._rows.append(rows.astype(np.int32))
        self._new.append((strength << _UPPER) | (node << _ONE) | is_negative)
        self._n_new += len(rows)

    def settle(self, *, at_once: bool = False) -> None:
        """Let the bounds rise, when enough has come since they last did."""
        if self._n_new and (at_once or 2 * self._n_new > self._kept.size):
            rows, new = np.concatenate(self._rows), np.concatenate(self._new)
            self._rows, self._new, self._n_new = [], [], 0
            order = np.argsort(rows)
            self._merge(rows[order], new[order])

    def graph(self) -> Graph:
        """Make the graph of all nodes with their neighbours, with the correlations."""
        self.settle(at_once=True)
        kept = self._kept
        kept.sort(axis=1)
        kept = kept[:, ::-1]
        ones, others, values = [], [], []
        for rows in slices(len(kept), max(_VALUES // self.n_kept, 1)):
            row, other, value = self._wanted(np.arange(rows.start, rows.stop), kept[rows])
            ones.append(self._order[row])
            others.append(other)
            values.append(value)
        n = self._vectors.n_nodes
        one, other = np.concatenate(ones), np.concatenate(others)
        places = np.minimum(one, other) * n + np.maximum(one, other)
        order = np.argsort(places)
        places = places[order]
        once = np.flatnonzero(np.diff(places, prepend=-1))  # both may have chosen each other
        places, weight = places[once], np.concatenate(values)[order[once]]
        return Graph(n, (places // n).astype(np.int32), (places % n).astype(np.int32), weight)

    def _merge(self, rows: NDArray[np.int32], new: NDArray[np.uint64]) -> None:
        """Keep the best of what is kept and what is new, which is sorted by row."""
        counts = np.bincount(rows, minlength=len(self._kept))
        starts = np.cumsum(counts) - counts
        first = 0
        while first < len(counts):
            # As many rows as fit, when each has room for the largest number of new ones.
            widths = self.n_kept + np.maximum.accumulate(counts[first : first + _VALUES])
            last = first + max(
                int(np.searchsorted(widths * np.arange(1, len(widths) + 1), _VALUES)), 1
            )
            part = slice(first, last)
            table = np.zeros((len(counts[part]), widths[last - first - 1]), dtype=np.uint64)
            table[:, : self.n_kept] = self._kept[part]
            own = slice(starts[first], starts[last - 1] + counts[last - 1])
            place = np.arange(own.start, own.stop) - starts[rows[own]]
            table[rows[own] - first, self.n_kept + place] = new[own]
            table.partition(table.shape[1] - self.n_kept, axis=1)
            self._kept[part] = table[:, -self.n_kept :]
            self.bound[part] = np.maximum(self.bound[part], _strength(table[:, -self.n_kept]))
            first = last

    def _wanted(
        self, rows: NDArray[np.intp], kept: NDArray[np.uint64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Choose among what some rows keep, the strongest first: row, node and value of each."""
        k, unsure = self._n_neighbours, 2 * self._vectors.rounding
        strength = _strength(kept)
        cut = strength[:, k - 1 : k]
        wanted = np.zeros(kept.shape, dtype=np.bool_)
        wanted[:, :k] = strength[:, :k] > 0
        # Where the last that is wanted and the next are too close to tell, or some might be 0.
        close = (np.abs(strength - cut) <= unsure) & (cut - strength[:, k : k + 1] <= 2 * unsure)
        close |= strength <= unsure
        close &= strength > 0
        more = close[:, -1]  # others that were not kept may be as good
        some = np.flatnonzero(close.any(axis=1) & ~more)
        wanted[more] = False
        wanted[some] = self._chosen(rows[some], kept[some], strength[some], close[some])
        at_row, at = np.nonzero(wanted)
        chosen = kept[at_row, at]
        value = np.where(chosen & _ONE, -1, 1) * strength[at_row, at]
        exact = [self._measured_again(rows[part]) for part in self._parts(np.flatnonzero(more))]
        parts = [(rows[at_row], _node(chosen), value.astype(np.float32)), *exact]
        row, node, value = (np.concatenate(values) for values in zip(*parts, strict=True))
        return row, node, value

    def _chosen(
        self,
        rows: NDArray[np.intp],
        kept: NDArray[np.uint64],
        strength: NDArray[np.float32],
        close: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Choose once more, with correlations in double precision where it is close."""
        at_row, at = np.nonzero(close)
        node = _node(kept)
        exact = strength.astype(np.float64)
        exact[at_row, at] = self._as_strength(
            self._vectors.correlations(self._order[rows[at_row]], node[at_row, at])
        )
        best = np.lexsort((node, -exact), axis=1)[:, : self._n_neighbours]
        chosen = np.zeros(kept.shape, dtype=np.bool_)
        np.put_along_axis(chosen, best, True, axis=1)
        return np.asarray(chosen & (exact > 0))

    def _parts(self, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        size = max(_VALUES // self._vectors.n_nodes, 1)
        return [rows[part] for part in slices(len(rows), size)]

    def _measured_again(
        self, rows: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Choose among all nodes, in double precision."""
        values = self._vectors.correlations_with_all(self._order[rows])
        strength = self._as_strength(values)
        strength[np.arange(len(rows)), self._order[rows]] = 0.0
        best = np.argsort(-strength, axis=1, kind="stable")[:, : self._n_neighbours]
        at_row, at = np.nonzero(np.take_along_axis(strength, best, axis=1) > 0)
        node = best[at_row, at]
        return rows[at_row], node, values[at_row, node].astype(np.float32)

    def _as_strength(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.abs(values) if self._absolute else values.copy()


def _strength(kept: NDArray[np.uint64]) -> NDArray[np.float32]:
    return (kept >> _UPPER).astype(np.uint32).view(np.float32)


def _node(kept: NDArray[np.uint64]) -> NDArray[np.intp]:
    return _LARGEST_NODE - ((kept >> _ONE) & np.uint64(_LARGEST_NODE)).astype(np.intp)
