"""The strongest of all pairs, from pairs that come a few at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.graphs.graph import Graph
from cortiscope.statistics.graphs.unit_vectors import UnitVectors

# Pairs are kept until there are so many times those that are wanted, or this many more.
_CAPACITY = 2
_ROOM = 1 << 20


class StrongestPairs:
    """Keeps the strongest pairs of those that it is given, and a bound that they must exceed.

    Correlations that come in single precision decide as far as their rounding lets them; pairs so
    close to the last one kept that it might matter are correlated again in double precision, and
    of equal ones the first nodes count. So the choice is the same on every device.

    Parameters
    ----------
    vectors : UnitVectors
        What the correlations are of.
    n_pairs : int
        How many are wanted at most.
    absolute : bool
        Whether negative correlations are as strong as positive ones.
    """

    def __init__(self, vectors: UnitVectors, n_pairs: int, *, absolute: bool) -> None:
        self._vectors, self._n_pairs, self._absolute = vectors, n_pairs, absolute
        self._places: list[NDArray[np.int64]] = []
        self._values: list[NDArray[np.float32]] = []
        self._n_kept = 0
        self._capacity = max(_CAPACITY * n_pairs, n_pairs + _ROOM)
        self.bound = np.float32(0.0)

    def add(
        self,
        one: NDArray[np.integer],
        other: NDArray[np.integer],
        values: NDArray[np.float32],
    ) -> None:
        """Take pairs of nodes that exceed the bound, each pair once."""
        low = np.minimum(one, other).astype(np.int64)
        self._places.append(low * self._vectors.n_nodes + np.maximum(one, other))
        self._values.append(values)
        self._n_kept += len(values)
        if self._n_kept > self._capacity:
            self._prune()

    def graph(self, n_pairs: int) -> Graph:
        """Make the graph of the strongest, as many as are wanted at most, with their values."""
        places, values = self._gathered()
        kept = self._chosen(places, values, n_pairs)
        places, values = places[kept], values[kept]
        order = np.argsort(places)
        places, values = places[order], values[order]
        n = self._vectors.n_nodes
        return Graph(n, (places // n).astype(np.int32), (places % n).astype(np.int32), values)

    def _prune(self) -> None:
        places, values = self._gathered()
        strength = np.abs(values)
        weakest = _at_place(strength, self._n_pairs)
        self.bound = np.maximum(np.float32(weakest - 2 * self._vectors.rounding), self.bound)
        kept = np.flatnonzero(strength > self.bound)
        if len(kept) > self._capacity - _ROOM // 2:  # so many are equal that none can wait
            kept = self._chosen(places, values, self._n_pairs)
        self._hold(places[kept], values[kept])

    def _chosen(
        self, places: NDArray[np.int64], values: NDArray[np.float32], n_pairs: int
    ) -> NDArray[np.intp]:
        """Find the strongest, up to so many."""
        strength = np.abs(values)
        cut = _at_place(strength, n_pairs) if len(values) > n_pairs else 0.0
        unsure = 2 * self._vectors.rounding
        sure = np.flatnonzero(strength > cut + unsure)
        close = np.flatnonzero((strength <= cut + unsure) & (strength >= cut - unsure))
        one, other = np.divmod(places[close], self._vectors.n_nodes)
        exact = self._vectors.correlations(one, other)
        exact = np.abs(exact) if self._absolute else exact
        order = np.lexsort((places[close], -exact))
        order = order[exact[order] > 0][: max(n_pairs - len(sure), 0)]
        return np.concatenate([sure, close[order]])

    def _gathered(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if len(self._places) != 1:
            places = np.concatenate([np.empty(0, np.int64), *self._places])
            self._hold(places, np.concatenate([np.empty(0, np.float32), *self._values]))
        return self._places[0], self._values[0]

    def _hold(self, places: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        self._places, self._values, self._n_kept = [places], [values], len(places)


def _at_place(strength: NDArray[np.float32], place: int) -> float:
    """Give the strength at a place from 1 on, the strongest first."""
    if not place:
        return float("inf")
    index = len(strength) - place
    return float(np.partition(strength, index)[index])
