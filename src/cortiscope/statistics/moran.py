"""Moran's I: whether neighbours are more alike than units that are far from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def line_neighbours(n_units: int, reach: int = 1) -> csr_array:
    """Make neighbours of units that stand in a line, such as in the order of their index.

    Parameters
    ----------
    n_units : int
        Units.
    reach : int
        How far apart neighbours may stand.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n_units, n_units)
        1 where two units are neighbours; symmetric.

    Raises
    ------
    InputError
        For a reach that is not positive, or does not fit the line.

    Examples
    --------
    >>> line_neighbours(4).toarray().astype(int).tolist()
    [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    """
    from scipy.sparse import csr_array, diags_array

    if not 1 <= reach < n_units:
        msg = f"neighbours reach {reach} units: give 1 or more, and less than the {n_units} units."
        raise InputError(msg)
    offsets = [step for step in range(-reach, reach + 1) if step]
    return csr_array(diags_array([1.0] * len(offsets), offsets=offsets, shape=(n_units, n_units)))


def nearest_neighbours(positions: NDArray[np.floating], n_neighbours: int = 8) -> csr_array:
    """Find the units that lie nearest to each unit.

    Parameters
    ----------
    positions : ndarray, shape (n_units, n_dims)
        Where units lie.
    n_neighbours : int
        How many neighbours each has.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n_units, n_units)
        1 where the unit of the column is among the nearest of the unit of the row; so many in
        each row, and not symmetric.

    Raises
    ------
    InputError
        For a number of neighbours that is not positive, or that the units cannot give.

    Examples
    --------
    >>> nearest_neighbours(np.array([[0.0], [1.0], [3.0]]), 1).toarray().astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 1, 0]]
    """
    from scipy.sparse import csr_array
    from scipy.spatial import KDTree

    n_units = len(positions)
    if not 1 <= n_neighbours < n_units:
        msg = f"n_neighbours is {n_neighbours}: give 1 or more, and less than the {n_units} units."
        raise InputError(msg)
    tree = KDTree(positions, compact_nodes=False, balanced_tree=False)
    found = tree.query(positions, n_neighbours + 1)[1]
    # A unit is its own nearest, but for others that lie in the very same place.
    own = found == np.arange(n_units)[:, None]
    own[~own.any(axis=1), -1] = True
    columns = found[~own]
    starts = n_neighbours * np.arange(n_units + 1)
    return csr_array((np.ones(len(columns)), columns, starts), shape=(n_units, n_units))


def morans_i(values: NDArray[np.floating], weights: csr_array) -> NDArray[np.float64]:
    """Measure the spatial autocorrelation of maps.

    Parameters
    ----------
    values : ndarray, shape (..., n_units)
        Maps: a value a unit.
    weights : scipy.sparse.csr_array, shape (n_units, n_units)
        How much of a neighbour each unit is to each other; nothing on the diagonal.

    Returns
    -------
    ndarray of float64, shape (...)
        n / (sum of weights) times the sum over neighbours of the products of their deviations,
        over the sum of squared deviations: -1 / (n_units - 1) is expected where values lie at
        random, see `expected_morans_i`. NaN for a map without variance.

    References
    ----------
    Moran (1950), Notes on continuous stochastic phenomena. Biometrika 37, 17-23; Cliff & Ord
    (1981), Spatial Processes.

    Examples
    --------
    >>> morans_i(np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]]), line_neighbours(4)).round(
    ...     3
    ... ).tolist()
    [0.333, -1.0]
    """
    values = np.asarray(values, dtype=np.float64)
    n_units = values.shape[-1]
    maps = (values - values.mean(axis=-1, keepdims=True)).reshape(-1, n_units)
    alike = np.einsum("mu,mu->m", maps, (weights @ maps.T).T)
    size = np.einsum("mu,mu->m", maps, maps)
    scale = n_units / weights.data.sum()
    found = np.divide(scale * alike, size, out=np.full(len(maps), np.nan), where=size > 0)
    return np.asarray(found.reshape(values.shape[:-1]))


def expected_morans_i(n_units: int) -> float:
    """Mean of Moran's I over all arrangements of the same values.

    Examples
    --------
    >>> expected_morans_i(5)
    -0.25
    """
    return -1.0 / (n_units - 1)


def smoothed(values: NDArray[np.floating], weights: csr_array) -> NDArray[np.float64]:
    """Average every unit with its neighbours, which makes any map look ordered.

    Parameters
    ----------
    values : ndarray, shape (..., n_units)
        Maps.
    weights : scipy.sparse.csr_array, shape (n_units, n_units)
        Neighbours of the unit of the row.

    Returns
    -------
    ndarray of float64, shape (..., n_units)

    Examples
    --------
    >>> smoothed(np.array([3.0, 0.0, 0.0]), line_neighbours(3)).tolist()
    [1.5, 1.0, 0.0]
    """
    values = np.asarray(values, dtype=np.float64)
    maps = values.reshape(-1, values.shape[-1])
    sums = maps + (weights @ maps.T).T
    return np.asarray((sums / (1 + weights.sum(axis=1))).reshape(values.shape))
