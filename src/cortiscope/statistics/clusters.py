"""Clusters of units above a threshold that are neighbours, and what each weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Units of all maps whose clusters are found in one go.
_UNITS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Clusters:
    """The largest cluster of every map.

    Attributes
    ----------
    mass : ndarray of float64, shape (n_maps,)
        Sum of the values of its units; 0 where no unit is above the threshold.
    total : ndarray of float64, shape (n_maps,)
        Sum of the values of all units above the threshold, in whatever cluster.
    is_in : ndarray of bool, shape (n_maps, n_units)
        Which units the largest cluster has.
    """

    mass: NDArray[np.float64]
    total: NDArray[np.float64]
    is_in: NDArray[np.bool_]

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of the mass above the threshold that lies in the largest cluster, 0 of none."""
        return np.asarray(self.mass / np.where(self.total > 0, self.total, 1.0))


def largest_clusters(
    values: NDArray[np.floating], neighbours: csr_array, threshold: float
) -> Clusters:
    """Find the cluster of the largest mass in each of many maps.

    Units above the threshold are in one cluster where a way of neighbours, all of them above it,
    leads from one to the other. With the labels permuted in `values`, the masses are the
    null of the cluster-mass test, which is corrected over units: a map counts with its largest.

    Parameters
    ----------
    values : ndarray, shape (n_maps, n_units)
        A test statistic of each unit, such as t.
    neighbours : scipy.sparse.csr_array, shape (n_units, n_units)
        Not zero where two units are neighbours, in either direction.
    threshold : float
        Units must exceed it; 0 or more.

    Returns
    -------
    Clusters
        The first of clusters of the same mass.

    References
    ----------
    Bullmore et al. (1999), Global, voxel, and cluster tests, by theory and permutation. IEEE
    Transactions on Medical Imaging 18, 32-42; Maris & Oostenveld (2007), Nonparametric
    statistical testing of EEG- and MEG-data. Journal of Neuroscience Methods 164, 177-190, whose
    mass, the sum of the statistic, this is.

    Examples
    --------
    >>> from cortiscope.statistics import line_neighbours
    >>> found = largest_clusters(np.array([[3.0, 4.0, 0.0, 5.0]]), line_neighbours(4), 2.0)
    >>> found.mass.tolist(), found.total.tolist(), found.is_in.astype(int).tolist()
    ([7.0], [12.0], [[1, 1, 0, 0]])
    """
    step = max(_UNITS_AT_ONCE // values.shape[1], 1)
    parts = [
        _largest(values[start : start + step], neighbours, threshold)
        for start in range(0, len(values), step)
    ]
    return Clusters(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))


_FIELDS = ("mass", "total", "is_in")


def _largest(values: NDArray[np.floating], neighbours: csr_array, threshold: float) -> Clusters:
    """Find the clusters of all maps at once: as if they were islands of one large map."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_maps, n_units = values.shape
    above = values > threshold
    one, other = neighbours.nonzero()
    at, edge = np.nonzero(above[:, one] & above[:, other])
    links = (
        np.ones(len(at), dtype=np.bool_),
        (at * n_units + one[edge], at * n_units + other[edge]),
    )
    graph = coo_array(links, shape=(values.size, values.size)).tocsr()
    cluster = connected_components(graph, directed=False)[1].reshape(n_maps, n_units)
    weight = np.where(above, values, 0.0).astype(np.float64)
    masses = np.bincount(cluster.ravel(), weight.ravel())
    of_unit = np.where(above, masses[cluster], -1.0)
    largest = of_unit.argmax(axis=1)
    is_in = above & (cluster == np.take_along_axis(cluster, largest[:, None], axis=1))
    return Clusters(np.where(is_in, weight, 0.0).sum(axis=1), weight.sum(axis=1), is_in)
