"""Random sets of units that are like a given set in how much they vary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

# Units of a bin are so many at most, and the largest is so many times the smallest at most.
_MOST_OF_BIN, _WIDEST = 16, 1.25


def size_bins(size: NDArray[np.floating]) -> list[NDArray[np.intp]]:
    """Cut units into bins of like size, the largest first.

    Parameters
    ----------
    size : ndarray, shape (n_units,)
        Of every unit, such as its norm over stimuli.

    Returns
    -------
    list of ndarray of int
        At most 16 units each, none more than 1.25 times as large as another; a unit that dwarfs
        all others is alone.

    Examples
    --------
    >>> [units.tolist() for units in size_bins(np.array([1.0, 9.0, 1.1, 0.5]))]
    [[1], [2, 0], [3]]
    """
    order = np.argsort(-size, kind="stable")
    bins, start = [], 0
    while start < len(order):
        alike = size[order[start : start + _MOST_OF_BIN]] * _WIDEST >= size[order[start]]
        bins.append(order[start : start + int(alike.sum())])
        start += len(bins[-1])
    return bins


def matched_units(
    chosen: NDArray[np.intp], size: NDArray[np.floating], n_draws: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw sets with as many units as a given one in each bin of a size.

    A draw takes from each of `size_bins` as many units as the given set has there, any of them,
    those of the set included: if the set were nothing special it would be one of these draws, and
    its rank among them would be any. A unit that is alone in its bin is in every set.

    Parameters
    ----------
    chosen : ndarray of int, shape (n_chosen,)
        The given set.
    size : ndarray, shape (n_units,)
        Of every unit, such as its norm over stimuli.
    n_draws : int
        Sets to draw.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    ndarray of int, shape (n_draws, n_chosen)
        Without a unit twice in a set.

    Raises
    ------
    InputError
        For fewer than one draw.

    Examples
    --------
    >>> size = np.array([50.0] + [1.0] * 16 + [0.1] * 15)
    >>> drawn = matched_units(np.array([0, 20]), size, 100, np.random.default_rng(0))
    >>> set(drawn[:, 0].tolist()), bool((drawn[:, 1] > 16).all())
    ({0}, True)
    """
    _check_draws(n_draws)
    parts = [
        rng.permuted(np.tile(units, (n_draws, 1)), axis=1)[:, :n_of_bin]
        for units in size_bins(size)
        if (n_of_bin := int(np.isin(units, chosen).sum()))
    ]
    return np.concatenate(parts, axis=1)


def any_units(
    n_chosen: int, n_units: int, n_draws: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw sets of so many units, whatever their size.

    Returns
    -------
    ndarray of int, shape (n_draws, n_chosen)
        Without a unit twice in a set.

    Raises
    ------
    InputError
        For fewer than one draw.

    Examples
    --------
    >>> any_units(3, 8, 2, np.random.default_rng(0)).shape
    (2, 3)
    """
    _check_draws(n_draws)
    every = np.tile(np.arange(n_units), (n_draws, 1))
    return rng.permuted(every, axis=1)[:, :n_chosen]


def _check_draws(n_draws: int) -> None:
    if n_draws < 1:
        raise InputError(f"n_draws is {n_draws}: give at least 1, and 100 to test anything.")
