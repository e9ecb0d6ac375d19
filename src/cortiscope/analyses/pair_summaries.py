"""What is said of all pairs of layers in a few numbers: best match, and match at equal depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.pair_design import PairDesign
from cortiscope.analyses.statistic import Statistic
from cortiscope.statistics import jackknife_draws

_Values = NDArray[np.float64]

BY_DEPTH = ("by_depth", "other_by_depth", "mean_by_depth")
BEST_MATCH = ("best_match", "other_best_match", "mean_best_match")

# Of layers that are equal but for rounding the lowest is chosen.
_DIGITS = 9

_DIMS: tuple[tuple[str, ...], ...] = (("layer",), ("other_layer",), ())


class _Levels(Protocol):
    """A side of a comparison: which layers are compared, of how many."""

    @property
    def layers(self) -> Sequence[int]: ...
    @property
    def n_layers(self) -> int: ...


class _Compared(Protocol):
    """Two sides, the words that both have, and the subsets of the jackknife."""

    @property
    def one(self) -> _Levels: ...
    @property
    def other(self) -> _Levels: ...
    @property
    def design(self) -> PairDesign: ...
    @property
    def kept_words(self) -> NDArray[np.bool_]: ...


def summaries(
    pair: _Compared, measured: Mapping[str, _Values], name: str, none: Callable[[int], float]
) -> dict[str, Statistic]:
    """Lay out what was measured.

    Parameters
    ----------
    pair : Pair, or alike
        The recordings.
    measured : mapping of str to ndarray of float64
        From `Pair.measured`.
    name : str
        What the map of all pairs of layers is called.
    none : callable
        Takes a number of rows, gives the similarity that they have where nothing is shared.

    Returns
    -------
    dict of str to Statistic
        The map (layer, other_layer); ``by_depth`` (layer), ``other_by_depth`` (other_layer), and
        ``mean_by_depth`` (), the mean of both means; ``best_match``, ``other_best_match`` and
        ``mean_best_match`` likewise. Those for which nothing was measured are left out.
    """
    kept = pair.kept_words
    n_rows = len(pair.design.word_of_row)
    found = {}

    def add(key: str, dims: tuple[str, ...], values: _Values, subsets: _Values, n: int) -> None:
        found[key] = Statistic(
            dims=dims,
            estimate=values[0],
            null=values[1:],
            resamples=jackknife_draws(values[0], subsets, kept),
            none=none(n),
        )

    if "map" in measured:
        values, subsets = measured["map"], measured["map_subsets"]
        add(name, ("layer", "other_layer"), values, subsets, n_rows)
        levels = nearest_in_depth(pair.one, pair.other), nearest_in_depth(pair.other, pair.one)
        at = [_at_depth(each, *levels) for each in (values, subsets)]
        for key, dims, *both in zip(BY_DEPTH, _DIMS, *at, strict=True):
            add(key, dims, both[0], both[1], n_rows)
    if "half" in measured:
        values, subsets = measured["half"], measured["half_subsets"]
        best = [_best(each, values) for each in (values, subsets)]
        for key, dims, *both in zip(BEST_MATCH, _DIMS, *best, strict=True):
            add(key, dims, both[0], both[1], n_rows // 2)
    return found


def nearest_in_depth(one: _Levels, other: _Levels) -> NDArray[np.intp]:
    """Find for each layer of one recording the layer of the other at the nearest relative depth.

    Layer l of n has come (l + 1) / n of the way. Of two layers as near the lower one is taken.

    Returns
    -------
    ndarray of int, shape (n_layers,)
        Places in the other's list of layers.
    """
    mine = (np.array(one.layers) + 1) * other.n_layers
    theirs = (np.array(other.layers) + 1) * one.n_layers
    return np.asarray(np.abs(mine[:, None] - theirs).argmin(axis=1), dtype=np.intp)


def _at_depth(
    values: _Values, partner: NDArray[np.intp], other_partner: NDArray[np.intp]
) -> tuple[_Values, ...]:
    """Similarity at equal depth, from maps (draw, layer, other_layer)."""
    by_layer = values[:, np.arange(len(partner)), partner]
    by_other = values[:, other_partner, np.arange(len(other_partner))]
    return _with_mean(by_layer, by_other)


def _best(values: _Values, chosen_from: _Values) -> tuple[_Values, ...]:
    """Similarity of one half at the layer that the other half chose, both ways averaged.

    Parameters
    ----------
    values : ndarray, shape (draw, half, layer, other_layer)
        What is measured.
    chosen_from : ndarray, shape (draw, half, layer, other_layer)
        Where the layers are chosen: anew in every draw of the null, which has the same draws as
        `values`; else all keep the choice of the first.
    """
    choice = chosen_from if values is chosen_from else chosen_from[:1]
    choice = choice.round(_DIGITS)
    swapped = values.swapaxes(2, 3)
    return _with_mean(
        _measured_at(values, choice.argmax(axis=3)),
        _measured_at(swapped, choice.argmax(axis=2)),
    )


def _measured_at(values: _Values, chosen: NDArray[np.intp]) -> _Values:
    halves = [
        np.take_along_axis(values[:, half], chosen[:, 1 - half, :, None], axis=2) for half in (0, 1)
    ]
    return np.asarray(np.mean(halves, axis=0)[..., 0], dtype=np.float64)


def _with_mean(by_layer: _Values, by_other: _Values) -> tuple[_Values, ...]:
    return by_layer, by_other, (by_layer.mean(axis=1) + by_other.mean(axis=1)) / 2
