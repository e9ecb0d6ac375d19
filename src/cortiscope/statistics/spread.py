"""Over how many units a direction is spread, with the noise of its estimate taken out.

The direction of a category is the difference between the mean of its words and the mean of all
others. Estimated from few words it holds noise in every unit, and noise looks spread whatever the
truth is. A product of two estimates from words that have nothing in common holds none on average.
Averaged over *all* ways to halve the words, within categories, that product has a closed form:
the squared weight less the variance of its estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.directions import (
    category_directions,
    category_sums,
    chunks_of_labels,
    direction_contrasts,
    word_codes,
)


class DirectionSpread(NamedTuple):
    """How far the directions of categories are spread; each of shape (labelling, category).

    Attributes
    ----------
    n90 : ndarray of float64
        Fewest units that hold 90% of the squared weight, noise taken out; 0 where nothing is left.
    participation : ndarray of float64
        Participation ratio of the weights, noise taken out of the squares (not of their
        variation); 0 where nothing is left.
    cosine : ndarray of float64
        Cosine between the directions of two halves of the words, over all halves.
    n90_biased, participation_biased : ndarray of float64
        The same of the direction as it is estimated.
    """

    n90: NDArray[np.float64]
    participation: NDArray[np.float64]
    cosine: NDArray[np.float64]
    n90_biased: NDArray[np.float64]
    participation_biased: NDArray[np.float64]


def direction_spread(
    x: NDArray[np.floating], labels: NDArray[np.intp], n_categories: int
) -> DirectionSpread:
    """Measure the spread of every category's direction, under many labellings of the words.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations, or what a probe makes of them: see `ridge_directions`.
    labels : ndarray of int, shape (n_labellings, n_words)
        Category of each word; -1 leaves a word out. Each category has two words or more.
    n_categories : int
        Number of categories.

    Returns
    -------
    DirectionSpread
        n90 and the participation ratio in units.

    Notes
    -----
    Of v² the expectation over samples of words is exact. n90 and the participation ratio are
    not linear in it: what noise is left makes a direction look narrower than it is, never wider
    on average (sorted sums are convex; squares are). Without an effect both are near 0, and as
    the effect grows they rise to the truth. The cosine is the mean of v_a·v_b over all halves of
    the words, divided by the mean of |v_a|².

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], 50)[None]
    >>> x = rng.normal(size=(100, 1000))
    >>> x[:50, :10] += 5  # ten units hold the whole difference
    >>> spread = direction_spread(x, labels, 2)
    >>> spread.n90[0].tolist(), bool(spread.n90_biased[0, 0] > 9)
    ([9.0, 9.0], True)
    """
    parts = []
    for squared, noise in _squared_weights(x, labels, n_categories):
        debiased = squared - noise
        signal = debiased.sum(axis=2)
        # Each half has half of the words, so twice the variance.
        cosine = signal / np.maximum(signal + 2 * noise.sum(axis=2), np.finfo(float).tiny)
        parts.append(
            (
                units_holding(debiased),
                participation_ratio(debiased),
                cosine,
                units_holding(squared),
                participation_ratio(squared),
            )
        )
    return DirectionSpread(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def units_holding(squared: NDArray[np.floating], share: float = 0.9) -> NDArray[np.float64]:
    """Count the fewest units that hold a share of a squared weight.

    Parameters
    ----------
    squared : ndarray, shape (..., n_units)
        Squared weights; estimates of them may be negative.
    share : float
        Share of their sum.

    Returns
    -------
    ndarray of float64, shape (...)
        0 where the sum is not positive.

    Examples
    --------
    >>> units_holding(np.array([[8.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])).tolist()
    [2.0, 4.0]
    """
    held = np.cumsum(-np.sort(-squared, axis=-1), axis=-1)
    total = held[..., -1]
    # Sums in another order differ in the last bits.
    n_short = (held < (share - 1e-12) * total[..., None]).sum(axis=-1)
    return np.asarray(np.where(total > 0, n_short + 1.0, 0.0), dtype=np.float64)


def participation_ratio(squared: NDArray[np.floating]) -> NDArray[np.float64]:
    """Participation ratio of weights, (Σv²)² / Σv⁴.

    Parameters
    ----------
    squared : ndarray, shape (..., n_units)
        Squared weights; estimates of them may be negative.

    Returns
    -------
    ndarray of float64, shape (...)
        Between 1 and n_units for weights; 0 where the sum of the estimates is not positive.

    References
    ----------
    Bell & Dean (1970), Discussions of the Faraday Society 50, 55-61 (of vibrations over atoms).

    Examples
    --------
    >>> participation_ratio(np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])).tolist()
    [2.0, 0.0]
    """
    total = np.maximum(squared.sum(axis=-1), 0.0)
    fourth = np.einsum("...u,...u->...", squared, squared)
    return np.asarray(total**2 / np.where(fourth > 0, fourth, 1.0), dtype=np.float64)


def unbiased_powers(
    x: NDArray[np.floating], labels: NDArray[np.intp], n_categories: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate Σv² and Σv⁴ of every category's direction without bias.

    v⁴ is the product of four estimates of v from words that have nothing in common, averaged
    over all ways to choose them within categories.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations.
    labels : ndarray of int, shape (n_labellings, n_words)
        Category of each word; -1 leaves a word out. Each category has four words or more.
    n_categories : int
        Number of categories.

    Returns
    -------
    second, fourth : ndarray of float64, shape (n_labellings, n_categories)
        Σv² and Σv⁴; they may be negative where there is no effect.

    Notes
    -----
    The products of different words of a category, U_j, estimate the powers μ^j of its mean. Their
    exponential generating function is multiplied over categories, each with its coefficient in
    v; in logarithms that is a sum.

    References
    ----------
    Hoeffding (1948), A class of statistics with asymptotically normal distribution. Annals of
    Mathematical Statistics 19, 293-325.

    Examples
    --------
    >>> x = np.array([[3.0, 1.0]] * 4 + [[1.0, 1.0]] * 4)  # no noise: v is (2, 0)
    >>> second, fourth = unbiased_powers(x, np.repeat([0, 1], 4)[None], 2)
    >>> second.round(9).tolist(), fourth.round(9).tolist()
    ([[4.0, 4.0]], [[16.0, 16.0]])
    """
    x = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    powers = [x, x**2, x**3, x**4]
    seconds, fourths = [], []
    for some in chunks_of_labels(labels, n_categories, x.shape[1]):
        codes = word_codes(some, n_categories, np.float64)
        counts = codes.sum(axis=2)
        sums = [category_sums(codes, power) for power in powers]
        logs = _log_series(_products_of_words(sums, counts[..., None]))
        contrast = direction_contrasts(counts)
        first, second, third, fourth = (
            contrast**order @ log for order, log in enumerate(logs, start=1)
        )
        seconds.append((second + first**2).sum(axis=2))
        fourths.append(
            (fourth + 4 * third * first + 3 * second**2 + 6 * second * first**2 + first**4).sum(
                axis=2
            )
        )
    return np.concatenate(seconds), np.concatenate(fourths)


def _squared_weights(
    x: NDArray[np.floating], labels: NDArray[np.intp], n_categories: int
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    """Yield v² and the variance of v's estimate, (labelling, category, unit), chunk by chunk.

    Categories are fixed and words are drawn in each: the variance is the sum of theirs.
    """
    x = np.asarray(x, dtype=np.float64) - np.mean(x, axis=0, dtype=np.float64)
    squares = x**2
    for some in chunks_of_labels(labels, n_categories, x.shape[1]):
        codes = word_codes(some, n_categories, np.float64)
        counts = codes.sum(axis=2)[..., None]
        sums = category_sums(codes, x)
        # Of the mean of each category's words: (Σx² - (Σx)² / n) / (n (n - 1)).
        variance = category_sums(codes, squares)
        variance -= sums**2 / counts
        variance /= counts * (counts - 1)
        weighted = counts**2 * variance
        n_rest = counts.sum(axis=1, keepdims=True) - counts
        noise = (weighted.sum(axis=1, keepdims=True) - weighted) / n_rest**2 + variance
        yield category_directions(sums, counts) ** 2, noise


def _products_of_words(
    sums: list[NDArray[np.floating]], counts: NDArray[np.floating]
) -> list[NDArray[np.floating]]:
    """Mean products of 1 to 4 different words of a category, by Newton's identities."""
    one, two, three, four = sums
    symmetric = [
        one,
        (one**2 - two) / 2,
        (one**3 - 3 * one * two + 2 * three) / 6,
        (one**4 - 6 * one**2 * two + 3 * two**2 + 8 * one * three - 6 * four) / 24,
    ]
    of_counts = np.vectorize(comb)
    return [
        polynomial / of_counts(counts.astype(np.intp), order)
        for order, polynomial in enumerate(symmetric, start=1)
    ]


def _log_series(moments: list[NDArray[np.floating]]) -> list[NDArray[np.floating]]:
    """Coefficients of the logarithm of an exponential generating function."""
    one, two, three, four = moments
    return [
        one,
        two - one**2,
        three - 3 * two * one + 2 * one**3,
        four - 4 * three * one - 3 * two**2 + 12 * two * one**2 - 6 * one**4,
    ]
