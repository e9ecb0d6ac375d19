"""Whether two halves of the words agree on which units of a direction are the largest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.directions import (
    category_directions,
    category_sums,
    chunks_of_labels,
    word_codes,
)
from cortiscope.statistics.spread import units_holding


def split_half_overlap(
    x: NDArray[np.floating],
    labels: NDArray[np.intp],
    n_categories: int,
    *,
    top: int = 20,
    n_halves: int = 10,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Share of a direction's largest units that another half of the words finds too.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations.
    labels : ndarray of int, shape (n_labellings, n_words)
        Category of each word; -1 leaves a word out. Each category has two words or more.
    n_categories : int
        Number of categories.
    top : int
        How many units are the largest, by the size of their weight.
    n_halves : int
        Random ways to halve the words, within the categories of each labelling.
    seed : int
        Their seed.

    Returns
    -------
    ndarray of float64, shape (n_labellings, n_categories)
        Averaged over the halves. Two directions that have nothing in common share ``top /
        n_units`` where all units vary alike.

    Examples
    --------
    >>> x = np.zeros((40, 500))
    >>> x[:20, :5] = 3
    >>> x += np.random.default_rng(0).normal(size=x.shape)
    >>> split_half_overlap(x, np.repeat([0, 1], 20)[None], 2, top=5).tolist()
    [[1.0, 1.0]]
    """
    x = np.asarray(x, dtype=np.float32)  # only ranks count
    rng = np.random.default_rng(seed)
    overlaps = []
    for some in chunks_of_labels(labels, n_categories, x.shape[1]):
        overlap = np.zeros((len(some), n_categories))
        for directions in _directions_of_halves(x, some, n_categories, n_halves, rng):
            overlap += common_largest(*directions, top)
        overlaps.append(overlap / n_halves)
    return np.concatenate(overlaps)


def common_largest(
    one: NDArray[np.floating], other: NDArray[np.floating], top: int
) -> NDArray[np.float64]:
    """Share of the largest entries, by size, that two vectors have in common.

    Parameters
    ----------
    one, other : ndarray, shape (..., n_units)
        The vectors.
    top : int
        How many are the largest.

    Returns
    -------
    ndarray of float64, shape (...)
        Between 0 and 1.

    Examples
    --------
    >>> common_largest(np.array([3.0, -2.0, 1.0]), np.array([0.0, 4.0, 1.0]), 2).item()
    0.5
    """
    one_large, other_large = (
        size >= np.partition(size, -top, axis=-1)[..., -top, None]
        for size in (np.abs(one), np.abs(other))
    )
    shared = (one_large & other_large).sum(axis=-1) / top
    return np.asarray(np.minimum(shared, 1.0), dtype=np.float64)


def overlap_of_n90(
    x: NDArray[np.floating],
    label: NDArray[np.intp],
    n_categories: int,
    *,
    n_halves: int = 10,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Overlap of the units that hold 90% of a direction in each half of the words.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations.
    label : ndarray of int, shape (n_words,)
        Category of each word.
    n_categories : int
        Number of categories.
    n_halves : int
        Random ways to halve the words, within categories.
    seed : int
        Their seed.

    Returns
    -------
    overlap, chance : ndarray of float64, shape (n_categories,)
        Units that both halves name, as a share of those that one names, and the same for two
        random sets of as many units: so large sets overlap by themselves.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(40, 500))
    >>> overlap, chance = overlap_of_n90(x, np.repeat([0, 1], 20), 2)
    >>> bool(abs(overlap[0] - chance[0]) < 0.05), bool(chance[0] > 0.4)
    (True, True)
    """
    x = np.asarray(x, dtype=np.float32)
    rng = np.random.default_rng(seed)
    overlap, chance = np.zeros(n_categories), np.zeros(n_categories)
    for directions in _directions_of_halves(x, label[None], n_categories, n_halves, rng):
        squares = [direction[0].astype(np.float64) ** 2 for direction in directions]
        counts = [units_holding(square) for square in squares]
        named = [
            np.argsort(np.argsort(-square, axis=1), axis=1) < count[:, None]
            for square, count in zip(squares, counts, strict=True)
        ]
        mean = np.maximum((counts[0] + counts[1]) / 2, 1.0)
        overlap += (named[0] & named[1]).sum(axis=1) / mean
        chance += counts[0] * counts[1] / x.shape[1] / mean
    return overlap / n_halves, chance / n_halves


def _directions_of_halves(
    x: NDArray[np.float32],
    labels: NDArray[np.intp],
    n_categories: int,
    n_halves: int,
    rng: np.random.Generator,
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Yield the directions (labelling, category, unit) of both halves of the words."""
    codes = word_codes(labels, n_categories, np.float32)
    counts, sums = codes.sum(axis=2)[..., None], category_sums(codes, x)
    for _ in range(n_halves):
        first = codes * first_half(labels, n_categories, rng)[:, None]
        n_first, sums_of_first = first.sum(axis=2)[..., None], category_sums(first, x)
        yield (
            category_directions(sums_of_first, n_first),
            category_directions(sums - sums_of_first, counts - n_first),
        )


def first_half(
    labels: NDArray[np.intp], n_categories: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose half of the words of each category, anew for every labelling.

    Parameters
    ----------
    labels : ndarray of int, shape (n_labellings, n_words)
        Category of each word; -1 leaves a word out.
    n_categories : int
        Number of categories.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    ndarray of bool, shape (n_labellings, n_words)
        Whether a word is in the first half, which has the odd one.
    """
    order = np.argsort(labels + rng.random(labels.shape), axis=1)
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(labels.shape[1])[None], axis=1)
    # Words in the order of their categories: every other one.
    n_before = np.stack([(labels < c).sum(axis=1) for c in range(n_categories)], axis=1)
    start = np.take_along_axis(n_before, np.maximum(labels, 0), axis=1)
    return np.asarray((place - start) % 2 == 0)
