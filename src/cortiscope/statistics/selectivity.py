"""Selectivity of units, and whether it replicates in the other half of the words.

What is chosen on one half of the words is measured on the other. All of it is matrix products
over words' sums: the words of a half are weights, so that splits, permutations and subsets of the
words are columns of one product, and no unit is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.word_sums import SplitHalves, WordSums

# Several draws are taken at once as long as their d' (of all units, categories, halves and splits)
# stay in the processor's cache, and a draw's splits in parts where they are more than this.
_VALUES_OF_DRAWS = 1 << 18
_VALUES_OF_SPLITS = 1 << 20

# Where a unit tells a category from the rest without error its d' is infinite: what is left of
# its variance is taken to be this share at least.
_LEAST_VARIANCE = 1e-6


def d_prime(
    x: NDArray[np.floating], label: NDArray[np.intp], n_categories: int
) -> NDArray[np.float64]:
    """Tell how far each category lies from all others in each unit.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
        Activations.
    label : ndarray of int, shape (n_stimuli,)
        Category of each stimulus.
    n_categories : int
        Number of categories; each has stimuli.

    Returns
    -------
    ndarray of float64, shape (n_categories, n_units)
        Mean of the category minus mean of the rest, in pooled standard deviations. 0 in units
        that are constant.

    References
    ----------
    Green & Swets (1966), Signal Detection Theory and Psychophysics; with the pooled standard
    deviation it is Cohen's (1988) d.

    Examples
    --------
    >>> x = np.array([[1.0], [3.0], [0.0], [2.0]])
    >>> d_prime(x, np.array([0, 0, 1, 1]), 2).round(3).tolist()
    [[0.707], [-0.707]]
    """
    sums = WordSums.of(x, np.arange(len(x)))
    members = label == np.arange(n_categories)[:, None]
    first = members.astype(np.float64) @ sums.first[:-1]
    inside = members.sum(axis=1, dtype=np.float64)[:, None]
    total, square = (values.sum(axis=0) for values in (sums.first, sums.second))
    return np.asarray(_d_prime(first, inside, total, square, np.float64(len(x))))


def d_prime_of_members(
    z: NDArray[np.floating], members: NDArray[np.bool_], among: NDArray[np.bool_]
) -> NDArray[np.floating]:
    """Tell how far some words lie from some others in each unit, for many choices of words.

    Parameters
    ----------
    z : ndarray, shape (n_words, n_units)
        Activations of words, one row each; on one scale, so that sums of squares are exact.
    members : ndarray of bool, shape (..., n_categories, n_words)
        The words of each category: `among` must hold them, and others.
    among : ndarray of bool, shape (..., n_words)
        The words that count.

    Returns
    -------
    ndarray of the type of z, shape (..., n_categories, n_units)
        As `d_prime` of those words.

    Examples
    --------
    >>> z = np.array([[1.0], [3.0], [0.0], [2.0], [9.0]])
    >>> words = np.array([True, True, True, True, False])
    >>> d_prime_of_members(z, words & [[1, 1, 0, 0, 0]] > 0, words).round(3).tolist()
    [[0.707]]
    """
    inside = members.astype(z.dtype)
    counted = among.astype(z.dtype)[..., None, :]
    return _d_prime(
        inside @ z,
        inside.sum(axis=-1, keepdims=True),
        counted @ z,
        counted @ z**2,
        counted.sum(axis=-1, keepdims=True),
    )


def half_d_prime(
    sums: WordSums,
    halves: SplitHalves,
    *,
    order: NDArray[np.intp] | None = None,
    kept: NDArray[np.bool_] | None = None,
) -> NDArray[np.floating]:
    """Measure d' on both halves of every split, for permuted or left-out words as well.

    Parameters
    ----------
    sums : WordSums
        One layer.
    halves : SplitHalves
        The splits.
    order : ndarray of int, shape (n_draws, n_words), optional
        The word that takes the place of each word: a permutation of the words' labels a draw.
    kept : ndarray of bool, shape (n_draws, n_words), optional
        The words that count, as from `jackknife_words`; each half must keep some of every
        category.

    Returns
    -------
    ndarray, shape (n_draws, n_categories, 2, n_splits, n_units)
        As `d_prime` of the half; one draw where neither `order` nor `kept` is given.
    """
    n_categories, n_places = halves.word.shape
    # Half and split on one axis, in front of places: (draw, category, half and split, place).
    of_place = np.moveaxis(halves.is_in, 2, 0).reshape(n_categories, -1, n_places)
    weights = of_place[None].astype(sums.first.dtype)
    word = halves.word[None]
    n_words = len(sums.count) - 1
    if order is not None:
        word = np.pad(order, ((0, 0), (0, 1)), constant_values=n_words)[:, halves.word]
    if kept is not None:
        weights = weights * np.pad(kept, ((0, 0), (0, 1)))[:, halves.word][:, :, None]
    inside = (weights @ sums.count[word][..., None])[..., 0]
    first = weights @ sums.first[word]
    # The square is needed of a half alone, not of each category: places of all on one axis.
    square = _on_one_axis(weights) @ sums.second[word].reshape(
        len(word), n_categories * n_places, -1
    )
    values = _d_prime(
        first,
        inside[..., None],
        first.sum(axis=1, keepdims=True),
        square[:, None],
        inside.sum(axis=1, keepdims=True)[..., None],
    )
    return values.reshape(len(values), n_categories, 2, halves.n_splits, -1)


def _on_one_axis(weights: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turn weights (draw, category, row, place) into (draw, row, category and place)."""
    by_row = np.moveaxis(weights, 2, 1)
    return by_row.reshape(*by_row.shape[:2], -1)


def _d_prime(
    first: NDArray[np.floating],
    inside: NDArray[np.floating],
    total: NDArray[np.floating],
    square: NDArray[np.floating],
    n: NDArray[np.floating] | np.float64,
) -> NDArray[np.floating]:
    """D' from sums inside a category (overwritten), sums of all, and the counts of both.

    With t the difference of means over the root of the sum of squares around the mean of all, the
    sum of squares within is (1 - share t²) of it.
    """
    outside = n - inside
    around = square - total**2 / n
    varies = around > _LEAST_VARIANCE * n
    t = first
    t *= 1 / inside + 1 / outside
    t -= total / outside
    t *= np.where(varies, 1 / np.sqrt(np.where(varies, around, 1)), 0)
    within = t * t
    within *= -(inside * outside / n)
    within += 1
    np.maximum(within, _LEAST_VARIANCE, out=within)
    np.sqrt(within, out=within)
    t /= within
    t *= np.sqrt(n - 2)
    return t


@dataclass(frozen=True, eq=False)
class Replication:
    """What both halves of the words say of the same units, averaged over splits.

    Attributes
    ----------
    correlation : ndarray of float64, shape (n_draws, n_categories)
        Of the halves' d' profiles, over units; for their reliability, see `spearman_brown`.
    held_out : ndarray of float64, shape (n_draws, n_categories, n_sizes)
        Mean d' of the units that one half chose, measured on the other, both ways averaged; 0
        without an effect.
    same_half : ndarray of float64, shape (n_draws, n_categories, n_sizes)
        The same measured on the half that chose them: circular.
    overlap : ndarray of float64, shape (n_draws, n_categories, n_sizes)
        Share of the units that one half chose which the other chose too.
    """

    correlation: NDArray[np.float64]
    held_out: NDArray[np.float64]
    same_half: NDArray[np.float64]
    overlap: NDArray[np.float64]


def compare_halves(
    values: NDArray[np.floating], sizes: Sequence[int], *, absolute: bool = False
) -> Replication:
    """Compare the d' of two halves: profiles, units chosen, and what those are worth.

    Parameters
    ----------
    values : ndarray, shape (n_draws, n_categories, 2, n_splits, n_units)
        From `half_d_prime`.
    sizes : sequence of int
        How many units are chosen: the largest so many, or all where there are fewer.
    absolute : bool
        Whether profile and choice go by the size of d' without its sign. What is measured on the
        other half then counts with the sign that it has in the half that chose.

    Returns
    -------
    Replication
        Averaged over splits.
    """
    ranked = np.abs(values) if absolute else values
    signs = np.sign(values) if absolute else None
    ascending = np.sort(ranked, axis=-1)
    held_out: list[NDArray[np.floating]] = []
    same_half: list[NDArray[np.floating]] = []
    overlap: list[NDArray[np.floating]] = []
    for size in sizes:
        chosen = ranked >= ascending[..., -min(size, values.shape[-1]), None]
        weights = chosen.astype(values.dtype)
        n_chosen = weights.sum(axis=-1)  # more than the size where units are equal
        shared = np.einsum("dcsu,dcsu->dcs", weights[:, :, 0], weights[:, :, 1])
        overlap.append(shared / n_chosen.max(axis=2))
        if signs is not None:
            weights *= signs
        for kept, measured in ((held_out, values[:, :, ::-1]), (same_half, values)):
            worth = np.einsum("dchsu,dchsu->dchs", weights, measured) / n_chosen
            kept.append(worth.mean(axis=2))
    return Replication(
        _correlation(ranked).mean(axis=-1, dtype=np.float64),
        *(
            np.stack(kept, axis=2).mean(axis=-1, dtype=np.float64)
            for kept in (held_out, same_half, overlap)
        ),
    )


def _correlation(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Correlation over units (..., split) of values (..., 2, split, unit)."""
    centred = values - values.mean(axis=-1, keepdims=True)
    one, other = centred[:, :, 0], centred[:, :, 1]
    products = [
        np.einsum("dcsu,dcsu->dcs", a, b) for a, b in ((one, other), (one, one), (other, other))
    ]
    size = np.sqrt(products[1] * products[2])
    return np.asarray(products[0] / np.where(size > 0, size, 1))


def replicate(
    sums: WordSums,
    halves: SplitHalves,
    sizes: Sequence[int],
    *,
    order: NDArray[np.intp] | None = None,
    kept: NDArray[np.bool_] | None = None,
    absolute: bool = False,
) -> Replication:
    """Measure d' on both halves and compare them, a few draws and splits at a time.

    Parameters
    ----------
    sums, halves, order, kept
        As `half_d_prime` takes them.
    sizes, absolute
        As `compare_halves` takes them.

    Returns
    -------
    Replication
        Every draw, averaged over splits.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> label_of_word = np.repeat([0, 1], 20)
    >>> x = rng.normal(size=(40, 100))
    >>> x[:20, :5] += 3.0  # five units of the first category
    >>> sums = WordSums.of(x, np.arange(40))
    >>> found = replicate(sums, SplitHalves.draw(label_of_word), [5])
    >>> bool(found.held_out[0, 0, 0] > 2), bool(found.overlap[0, 0, 0] > 0.9)
    (True, True)
    """
    n_draws = next((len(given) for given in (order, kept) if given is not None), 1)
    n_values = 2 * len(halves.word) * sums.first.shape[1]
    n_splits = min(halves.n_splits, max(_VALUES_OF_SPLITS // n_values, 1))
    n_at_once = max(_VALUES_OF_DRAWS // (n_values * n_splits), 1)
    by_draw = []
    for start in range(0, n_draws, n_at_once):
        draws = slice(start, start + n_at_once)
        parts = [halves.some(s, s + n_splits) for s in range(0, halves.n_splits, n_splits)]
        compared = [
            compare_halves(
                half_d_prime(
                    sums,
                    part,
                    order=None if order is None else order[draws],
                    kept=None if kept is None else kept[draws],
                ),
                sizes,
                absolute=absolute,
            )
            for part in parts
        ]
        shares = [part.n_splits / halves.n_splits for part in parts]
        by_draw.append(_combined(compared, shares))
    return Replication(
        *(np.concatenate([getattr(of, f.name) for of in by_draw]) for f in fields(Replication))
    )


def _combined(parts: Sequence[Replication], shares: Sequence[float]) -> Replication:
    return Replication(
        *(
            np.asarray(
                sum(s * getattr(part, f.name) for s, part in zip(shares, parts, strict=True))
            )
            for f in fields(Replication)
        )
    )


def spearman_brown(
    correlation: NDArray[np.float64] | float, lengthened: float = 2.0
) -> NDArray[np.float64]:
    """Reliability of a whole from the correlation of its halves.

    Parameters
    ----------
    correlation : ndarray or float
        Of the halves, above -1.
    lengthened : float
        How many times more data the whole has.

    Returns
    -------
    ndarray of float64
        Of the shape of `correlation`; large negative correlations give much larger ones.

    References
    ----------
    Spearman (1910), British Journal of Psychology 3, 271-295; Brown (1910), ibid., 296-322.

    Examples
    --------
    >>> spearman_brown(0.6).round(12).item()
    0.75
    """
    r = np.asarray(correlation, dtype=np.float64)
    return np.asarray(lengthened * r / (1 + (lengthened - 1) * r))


def hypergeometric_overlap(n_units: int, sizes: Sequence[int]) -> NDArray[np.float64]:
    """Overlap to expect of two independent choices of units, where any unit is as likely.

    Units that vary together are not chosen independently, and some are in many choices: then
    chance is higher, and permutation tells how high.

    Parameters
    ----------
    n_units : int
        Units to choose from.
    sizes : sequence of int
        Units that are chosen, at most all.

    Returns
    -------
    ndarray of float64, shape (n_sizes,)
        Mean of the hypergeometric distribution as a share of the size; NaN where there are fewer
        units.

    References
    ----------
    Johnson, Kemp & Kotz (2005), Univariate Discrete Distributions, chapter 6.

    Examples
    --------
    >>> hypergeometric_overlap(200, [5, 20, 500]).tolist()
    [0.025, 0.1, nan]
    """
    k = np.asarray(sizes, dtype=np.float64)
    return np.asarray(np.where(k <= n_units, k / n_units, np.nan))
