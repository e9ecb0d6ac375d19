"""How many dimensions points fill: of their covariance, and of the surface that they lie on.

Everything is computed for many subsets of the points at once, from the matrix of their products.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Entries of the covariance matrices that are in memory at once.
_ENTRIES_AT_ONCE = 2**21

# Neighbours that are looked through first: with a fifth of the points left out, two of the
# nearest 40 are all but sure to be there.
_NEAREST = 40

# Squares that are smaller than this, relative to what they were computed from, are 0: products
# of float64 tell no more.
_ROUNDING = 1e-13


class Participation(NamedTuple):
    """Participation ratios of covariances, each of shape (n_subsets,).

    Attributes
    ----------
    debiased : ndarray of float64
        From unbiased estimates of tr(C)² and tr(C²); NaN where that of tr(C²) is not positive.
    biased : ndarray of float64
        Of the sample's own covariance.
    """

    debiased: NDArray[np.float64]
    biased: NDArray[np.float64]


def covariance_participation(gram: NDArray[np.float64], kept: NDArray[np.bool_]) -> Participation:
    """Participation ratio of a covariance, tr(C)² / tr(C²), for many subsets of the points.

    Parameters
    ----------
    gram : ndarray of float64, shape (n_points, n_points)
        Products of the points; centred on anything near their mean.
    kept : ndarray of bool, shape (n_subsets, n_points)
        Which points are in each subset, four or more.

    Returns
    -------
    Participation
        NaN where all points are equal.

    Notes
    -----
    A sample's own covariance has at most n_points - 1 dimensions: for white noise in d units its
    participation ratio is about nd / (n + d). The estimates of tr(C)² and tr(C²) behind the
    debiased one are U-statistics, means over four different points, and exact on average for any
    distribution with independent points. Their ratio is not, by a share of the order 1 / n.

    References
    ----------
    Himeno & Yamada (2014), Estimations for some functions of covariance matrix in high dimension
    under non-normality and its applications. Journal of Multivariate Analysis 130, 27-44.
    Chun, Canatar, Chung & Lee (2025), Estimating dimensionality of neural representations from
    finite samples. arXiv 2509.26560.
    Gao et al. (2017), A theory of multineuronal dimensionality, dynamics and measurement.
    bioRxiv 214262 (the participation ratio).

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(100, 400))
    >>> of_all = covariance_participation(x @ x.T, np.ones((1, 100), dtype=bool))
    >>> of_all.biased.round(-1).tolist(), of_all.debiased.round(-2).tolist()
    ([80.0], [400.0])
    """
    weight = kept.astype(np.float64)
    n = weight.sum(axis=1)
    own = np.diagonal(gram)
    to_all = weight @ gram
    grand = (to_all * weight).sum(axis=1)
    trace = weight @ own - grand / n
    squares = (
        ((weight @ gram**2) * weight).sum(axis=1)
        - 2 * (to_all**2 * weight).sum(axis=1) / n
        + (grand / n) ** 2
    )
    lengths = own - 2 * to_all / n[:, None] + (grand / n**2)[:, None]
    fourth = (lengths**2 * weight).sum(axis=1) / (n - 1)
    of_trace, of_squares = (trace / (n - 1)) ** 2, squares / (n - 1) ** 2
    # Both have the same factor (n - 1) / (n (n - 2) (n - 3)).
    trace_squared = 2 * of_squares + (n**2 - 3 * n + 1) * of_trace - n * fourth
    squared = (n - 1) * (n - 2) * of_squares + of_trace - n * fourth
    varies = trace > _ROUNDING * np.maximum(weight @ own, np.finfo(float).tiny)
    return Participation(_ratio(trace_squared, squared, varies), _ratio(trace**2, squares, varies))


def pca_dimensions(
    x: NDArray[np.floating], kept: NDArray[np.bool_], share: float = 0.9
) -> NDArray[np.float64]:
    """Count the principal components that hold a share of the variance, for many subsets.

    Parameters
    ----------
    x : ndarray, shape (n_points, n_units)
        The points.
    kept : ndarray of bool, shape (n_subsets, n_points)
        Which points are in each subset.
    share : float
        Share of the variance.

    Returns
    -------
    ndarray of float64, shape (n_subsets,)
        At most one less than there are points, however many dimensions they come from; NaN where
        all are equal.

    References
    ----------
    Jolliffe (2002), Principal Component Analysis, 2nd ed., section 6.1.1.

    Examples
    --------
    >>> x = np.diag([3.0, 2.0, 0.1, 0.0])
    >>> pca_dimensions(np.vstack([x, -x]), np.ones((1, 8), dtype=bool)).tolist()
    [2.0]
    """
    x = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    counts = []
    for variances in _principal_variances(x, kept):
        held = np.cumsum(variances[:, ::-1], axis=1)
        total = held[:, -1:]
        n_short = (held < (share - 1e-12) * total).sum(axis=1) + 1.0
        varies = total[:, 0] > _ROUNDING * max(float(np.sum(x**2)), np.finfo(float).tiny)
        counts.append(np.where(varies, n_short, np.nan))
    return np.concatenate(counts)


def two_nn(
    gram: NDArray[np.float64], kept: NDArray[np.bool_], *, discarded: float = 0.1
) -> NDArray[np.float64]:
    """Intrinsic dimension from the distances to the two nearest neighbours, for many subsets.

    Parameters
    ----------
    gram : ndarray of float64, shape (n_points, n_points)
        Products of the points; centred on anything near their mean.
    kept : ndarray of bool, shape (n_subsets, n_points)
        Which points are in each subset.
    discarded : float
        Share of the points, those with the largest ratios, that the fit leaves out.

    Returns
    -------
    ndarray of float64, shape (n_subsets,)
        Slope through the origin of -log(1 - F) on log(r2 / r1). Points at the same place count
        as one. NaN where there are fewer than three.

    References
    ----------
    Facco, d'Errico, Rodriguez & Laio (2017), Estimating the intrinsic dimension of datasets by a
    minimal neighborhood information. Scientific Reports 7, 12140.

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(size=(1000, 2)) @ np.ones((2, 50))
    >>> x[:, ::2] *= 2  # a line, however many units it is seen in
    >>> two_nn(x @ x.T, np.ones((1, 1000), dtype=bool)).round(1).tolist()
    [1.0]
    """
    squared, kept = _places(gram, kept)
    ratios = _neighbour_ratios(squared, kept, _NEAREST)
    if ratios is None:
        ratios = _neighbour_ratios(squared, kept, len(squared))
    assert ratios is not None  # all points were looked through
    return _slopes(np.sort(ratios, axis=1), discarded)


def _ratio(
    above: NDArray[np.float64], below: NDArray[np.float64], defined: NDArray[np.bool_]
) -> NDArray[np.float64]:
    defined = defined & (below > 0)
    return np.where(defined, above / np.where(defined, below, 1.0), np.nan)


def _principal_variances(
    x: NDArray[np.float64], kept: NDArray[np.bool_]
) -> Iterator[NDArray[np.float64]]:
    """Yield eigenvalues, ascending, (subset, component), in the smaller of the two spaces."""
    sizes, n_units = kept.sum(axis=1), x.shape[1]
    largest = int(sizes.max())
    gram = x @ x.T if largest <= n_units else None
    n_at_once = max(_ENTRIES_AT_ONCE // (largest * min(largest, n_units)), 1)
    if (sizes != largest).any():
        n_at_once = 1  # subsets of different sizes make no stack
    for start in range(0, len(kept), n_at_once):
        some = kept[start : start + n_at_once]
        members = np.nonzero(some)[1].reshape(len(some), -1)
        if gram is not None:
            product = gram[members[:, :, None], members[:, None, :]]
            column = product.mean(axis=1, keepdims=True)
            product -= column + column.transpose(0, 2, 1) - column.mean(axis=2, keepdims=True)
        else:
            points = x[members]
            points -= points.mean(axis=1, keepdims=True)
            product = points.transpose(0, 2, 1) @ points
        yield np.maximum(np.linalg.eigvalsh(product), 0.0)


def _places(
    gram: NDArray[np.float64], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Squared distances between different places, infinite to itself, and which are in use."""
    own = np.diagonal(gram)
    sizes = own[:, None] + own
    squared = sizes - 2 * gram
    first, place = np.unique((squared <= _ROUNDING * sizes).argmax(axis=1), return_inverse=True)
    if len(first) < len(gram):
        is_at = place[:, None] == np.arange(len(first))
        kept = (kept.astype(np.float64) @ is_at) > 0
    squared = np.maximum(squared[np.ix_(first, first)], 0.0)
    np.fill_diagonal(squared, np.inf)
    return squared, kept


def _neighbour_ratios(
    squared: NDArray[np.float64], kept: NDArray[np.bool_], n_nearest: int
) -> NDArray[np.float64] | None:
    """r2 / r1 of each kept point, (subset, point), infinite where a point has no two neighbours.

    None where that may be for want of looking further than the nearest.
    """
    order = np.argsort(squared, axis=1)[:, :n_nearest]
    distance = np.sqrt(np.take_along_axis(squared, order, axis=1))
    rank = np.cumsum(kept[:, order] & np.isfinite(distance), axis=2, dtype=np.int16)
    found = rank[:, :, -1] >= 2
    if n_nearest < len(squared) and (kept & ~found).any():
        return None
    points = np.arange(len(squared))
    first, second = (distance[points, np.argmax(rank == place, axis=2)] for place in (1, 2))
    with np.errstate(invalid="ignore"):
        return np.where(kept & found, second / first, np.inf)


def _slopes(ratios: NDArray[np.float64], discarded: float) -> NDArray[np.float64]:
    """Fit sorted ratios (subset, point)."""
    n = np.isfinite(ratios).sum(axis=1, keepdims=True)
    place = np.arange(1, ratios.shape[1] + 1)
    used = place <= (n * (1 - discarded)).astype(np.intp)
    log_ratio = np.log(np.where(used, ratios, 1.0))
    survival = -np.log1p(-np.where(used, place / np.maximum(n, 1), 0.0))
    above, below = (log_ratio * survival).sum(axis=1), (log_ratio**2).sum(axis=1)
    return _ratio(above, below, (n >= 3).ravel())
