"""Statistics of graphs over layers: laid side by side, averaged, and set against chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.statistic import Statistic


def over_the_layers(by_layer: Sequence[dict[str, Statistic]]) -> dict[str, Statistic]:
    """Lay the statistics of layers side by side.

    Parameters
    ----------
    by_layer : sequence of dict of str to Statistic
        The same statistics of each layer; null and resamples draw by draw.

    Returns
    -------
    dict of str to Statistic
        With a first dim ``layer``.

    Examples
    --------
    >>> one = Statistic(("density",), [0.1, 0.2], null=np.zeros((5, 2)))
    >>> both = over_the_layers([{"q": one}, {"q": one}])["q"]
    >>> both.dims, both.estimate.shape, both.null.shape
    (('layer', 'density'), (2, 2), (5, 2, 2))
    """
    return {
        name: Statistic(
            ("layer", *first.dims),
            np.stack([np.asarray(layer[name].estimate) for layer in by_layer]),
            _side_by_side([layer[name].null for layer in by_layer]),
            _side_by_side([layer[name].resamples for layer in by_layer]),
            first.none,
        )
        for name, first in by_layer[0].items()
    }


def mean_of(statistic: Statistic) -> Statistic:
    """Average a statistic over all its places, draw by draw, into one number."""
    return replace(
        statistic,
        dims=(),
        estimate=np.asarray(statistic.estimate).mean(),
        null=_means(statistic.null),
        resamples=_means(statistic.resamples),
    )


def above_null(statistic: Statistic) -> Statistic:
    """Take the mean of its null from a statistic, so that it is 0 by chance.

    Examples
    --------
    >>> above = above_null(Statistic((), 0.5, np.array([0.0, 0.5]), np.array([0.25, 0.75])))
    >>> above.estimate, above.null.tolist(), above.resamples.tolist()
    (np.float64(0.25), [-0.25, 0.25], [0.0, 0.5])
    """
    assert statistic.null is not None  # it says what chance is
    by_chance = statistic.null.mean(axis=0)
    drawn = statistic.resamples
    return replace(
        statistic,
        estimate=np.asarray(statistic.estimate) - by_chance,
        null=statistic.null - by_chance,
        resamples=None if drawn is None else drawn - by_chance,
    )


def _means(draws: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    return None if draws is None else draws.reshape(len(draws), -1).mean(axis=1)


def _side_by_side(draws: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    there = [each for each in draws if each is not None]
    return np.stack(there, axis=1) if there else None
