"""How alike the tuning of two units is, against how far they lie from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Length scales, in extents of the layout, among which the best is sought.
_LENGTHS = np.geomspace(0.05, 5.0, 93)


def unit_pairs(
    n_units: int, most: int = 20_000, seed: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """List pairs of units: all, or so many at random where there are more.

    Parameters
    ----------
    n_units : int
        Units.
    most : int
        Pairs at most.
    seed : int
        Seed of the choice.

    Returns
    -------
    tuple of two ndarrays of int, shape (n_pairs,)
        One unit of each pair, and the other.

    Examples
    --------
    >>> [pair.tolist() for pair in unit_pairs(3)]
    [[0, 0, 1], [1, 2, 2]]
    >>> len(unit_pairs(5000)[0])
    20000
    """
    if n_units * (n_units - 1) // 2 <= most:
        one, other = np.triu_indices(n_units, 1)
        return one, other
    rng = np.random.default_rng([seed, n_units])
    one = rng.integers(n_units, size=most)
    return one, (one + rng.integers(1, n_units, size=most)) % n_units


def pair_distances(
    positions: NDArray[np.floating], pairs: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Measure distances in extents of the layout: the root of the mean squared distance.

    Parameters
    ----------
    positions : ndarray, shape (n_units, n_dims)
        Where units lie; not all in one place.
    pairs : tuple of two ndarrays of int
        From `unit_pairs`.

    Returns
    -------
    ndarray of float64, shape (n_pairs,)
    """
    squared = ((positions[pairs[0]] - positions[pairs[1]]) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(squared / squared.mean()))


def tuning_similarity(
    tuning: NDArray[np.floating], pairs: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Tell how alike two units are tuned, where a unit and itself are 1 on average.

    Each category is put on one scale over units, and the products of both units' values are
    averaged over categories: as in a spatial correlogram, and other than in a correlation over
    categories, units without tuning count for nothing.

    Parameters
    ----------
    tuning : ndarray, shape (n_categories, n_units)
        Such as d'.
    pairs : tuple of two ndarrays of int
        From `unit_pairs`.

    Returns
    -------
    ndarray of float64, shape (n_pairs,)
        0 on average, or just below: -1 / (n_units - 1).

    References
    ----------
    Oden & Sokal (1986), Directional autocorrelation: an extension of spatial correlograms to two
    dimensions. Systematic Zoology 35, 608-617; Legendre & Fortin (1989), Spatial pattern and
    ecological analysis. Vegetatio 80, 107-138.

    Examples
    --------
    >>> tuning = np.array([[1.0, 1.0, -1.0, -1.0], [2.0, 2.0, 0.0, 0.0]])
    >>> tuning_similarity(tuning, unit_pairs(4)).tolist()
    [1.0, -1.0, -1.0, -1.0, -1.0, 1.0]
    """
    centred = tuning - tuning.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    scaled = centred / np.where(size > 0, size, 1.0)
    products = np.einsum("cp,cp->p", scaled[:, pairs[0]], scaled[:, pairs[1]])
    return np.asarray(products / len(tuning), dtype=np.float64)


def fall_with_distance(
    similarity: NDArray[np.float64], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Tell how much similarity falls with distance: minus the slope of the regression line.

    Parameters
    ----------
    similarity : ndarray of float64, shape (..., n_pairs)
        Of pairs.
    distance : ndarray of float64, shape (n_pairs,)
        Of the same pairs.

    Returns
    -------
    ndarray of float64, shape (...)

    Examples
    --------
    >>> fall_with_distance(np.array([1.0, 0.5, 0.0]), np.array([0.0, 1.0, 2.0])).item()
    0.5
    """
    centred = distance - distance.mean()
    return np.asarray(-(similarity @ centred) / (centred @ centred))


def near_similarity(
    similarity: NDArray[np.float64], distance: NDArray[np.float64], share: float = 0.05
) -> NDArray[np.float64]:
    """Tell how much more alike the nearest pairs are than all.

    Parameters
    ----------
    similarity : ndarray of float64, shape (..., n_pairs)
        Of pairs.
    distance : ndarray of float64, shape (n_pairs,)
        Of the same pairs.
    share : float
        Share of the pairs that count as near.

    Returns
    -------
    ndarray of float64, shape (...)
    """
    near = distance <= np.quantile(distance, share)
    return np.asarray(similarity[..., near].mean(axis=-1) - similarity.mean(axis=-1))


def similarity_curve(
    similarity: NDArray[np.float64], distance: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average similarity in bins of distance.

    Parameters
    ----------
    similarity, distance : ndarray of float64, shape (n_pairs,)
        Of pairs.
    edges : ndarray of float64, shape (n_bins + 1,)
        Ascending.

    Returns
    -------
    ndarray of float64, shape (n_bins,)
        NaN where no pair is as far apart.
    """
    place = np.searchsorted(edges, distance, side="right") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    n_bins = len(edges) - 1
    count = np.bincount(place[inside], minlength=n_bins)
    total = np.bincount(place[inside], similarity[inside], minlength=n_bins)
    return np.asarray(np.divide(total, count, out=np.full(n_bins, np.nan), where=count > 0))


def length_of_decay(curve: NDArray[np.float64], distance: NDArray[np.float64]) -> float:
    """Fit an exponential decay to a curve: the distance after which 1/e of it is left.

    Parameters
    ----------
    curve : ndarray of float64, shape (n_bins,)
        Similarity; bins that are NaN are passed over.
    distance : ndarray of float64, shape (n_bins,)
        Of each bin.

    Returns
    -------
    float
        The length, from .05 to 5, of the least squares fit of a constant and a decay; 5 where the
        curve falls as a line does, or even more slowly at first. NaN for one that does not fall.

    Examples
    --------
    >>> distance = np.linspace(0, 2, 10)
    >>> round(length_of_decay(0.1 + 0.6 * np.exp(-distance / 0.4), distance), 1)
    0.4
    """
    known = ~np.isnan(curve)
    if known.sum() < 4:
        return float("nan")
    x, y = distance[known], curve[known] - curve[known].mean()
    shapes = np.exp(-x / _LENGTHS[:, None])
    shapes -= shapes.mean(axis=1, keepdims=True)
    size = (shapes**2).sum(axis=1)
    height = shapes @ y / size
    # What is left of the sum of squares, where the decay is a decay.
    explained = np.where(height > 0, height**2 * size, -np.inf)
    best = int(explained.argmax())
    return float(_LENGTHS[best]) if height[best] > 0 else float("nan")


def shuffled_around_plane(
    tuning: NDArray[np.floating],
    positions: NDArray[np.floating],
    order: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Keep what a plane over the layout explains, and let units exchange what is left.

    Parameters
    ----------
    tuning : ndarray, shape (n_categories, n_units)
        Maps.
    positions : ndarray, shape (n_units, n_dims)
        Where units lie.
    order : ndarray of int, shape (n_units,)
        The unit whose rest each takes.

    Returns
    -------
    ndarray of float64, shape (n_categories, n_units)

    References
    ----------
    Freedman & Lane (1983), A nonstochastic interpretation of reported significance levels.
    Journal of Business & Economic Statistics 1, 292-298.
    """
    axes = np.linalg.qr(positions - positions.mean(axis=0))[0]
    centred = tuning - tuning.mean(axis=1, keepdims=True)
    plane = (centred @ axes) @ axes.T
    return np.asarray(plane + (centred - plane)[:, order])
