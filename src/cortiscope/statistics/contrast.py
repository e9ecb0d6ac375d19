"""A contrast of two kinds of words in every unit, and what it is worth on words held out.

Units are chosen on one half of the words and measured on the other. The words of a half are
weights, so that splits, permutations and subsets of the words are rows of one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from cortiscope.errors import InputError

# Variance of standardised units that counts as none.
_LEAST_VARIANCE = 1e-6

# Several draws are taken at once as long as the values of all their halves and units stay small.
_VALUES_AT_ONCE = 1 << 21

_LEAST_WORDS = 8  # of each kind: a half then keeps two when a jackknife leaves a fifth out


@dataclass(frozen=True, eq=False)
class Welch:
    """Two kinds of words compared in every unit.

    Attributes
    ----------
    t : ndarray, shape (..., n_units)
        Welch's t; 0 in units that are constant.
    d_prime : ndarray, shape (..., n_units)
        Difference of the means over the root of the mean of both variances, which does not grow
        with the number of words.
    """

    t: NDArray[np.floating]
    d_prime: NDArray[np.floating]

    def of_units(self, units: slice) -> Welch:
        """Take some of the units."""
        return Welch(self.t[..., units], self.d_prime[..., units])


def welch(
    x: NDArray[np.floating], is_positive: NDArray[np.bool_]
) -> tuple[Welch, NDArray[np.float64]]:
    """Compare two kinds of words in every unit.

    Parameters
    ----------
    x : ndarray, shape (n_words, n_units)
        Activations.
    is_positive : ndarray of bool, shape (n_words,)
        Which words are of the first kind; two or more are of each.

    Returns
    -------
    Welch
        (n_units,).
    p_value : ndarray of float64, shape (n_units,)
        That the first kind's mean is not larger; 1 in units that are constant.

    References
    ----------
    Welch (1947), The generalization of Student's problem when several different population
    variances are involved. Biometrika 34, 28-35.

    Examples
    --------
    >>> x = np.array([[1.0], [2.0], [3.0], [0.0], [0.5], [1.0]])
    >>> found, p_value = welch(x, np.arange(6) < 3)
    >>> found.t.round(3).tolist(), p_value.round(3).tolist()
    ([2.324], [0.052])
    """
    z = standardised(x)
    weights = np.stack([is_positive, ~is_positive]).astype(np.float64)
    n, first, second = weights.sum(axis=1)[:, None], weights @ z, weights @ z**2
    found = _welch(n[0], first[0], second[0], n[1], first[1], second[1])
    share = np.maximum(second - first**2 / n, 0) / (n - 1) / n
    whole = share.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = whole**2 / (share**2 / (n - 1)).sum(axis=0)
    p_value = np.where(whole > 0, student_t.sf(found.t, np.where(whole > 0, freedom, 1)), 1.0)
    return found, np.asarray(p_value, dtype=np.float64)


def standardised(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Centre units and divide them by their standard deviation, which no contrast notices.

    Sums of squares are exact then in units of a large mean too; constant units become 0.
    """
    z = np.asarray(x, dtype=np.float64) - x.mean(axis=0, dtype=np.float64)
    size = np.abs(x).max(axis=0, initial=0.0)
    deviation = z.std(axis=0)
    varies = deviation > 1e-7 * size  # less is rounding of float32
    return np.asarray(np.where(varies, z / np.where(varies, deviation, 1.0), 0.0))


@dataclass(frozen=True, eq=False)
class ContrastWords:
    """Words of two kinds, and how they are dealt to halves.

    Attributes
    ----------
    is_positive : ndarray of bool, shape (n_words,)
        Which are of the first kind.
    stratum : ndarray of int, shape (n_words,)
        Words are exchangeable within a stratum, such as a list that was shown in one run.
    in_first : ndarray of bool, shape (n_splits, n_words)
        Which lie in the first half, as many of each kind and stratum as divide.
    """

    is_positive: NDArray[np.bool_]
    stratum: NDArray[np.intp]
    in_first: NDArray[np.bool_]

    @classmethod
    def deal(
        cls,
        is_positive: NDArray[np.bool_],
        stratum: NDArray[np.intp] | None = None,
        *,
        n_splits: int = 1,
        seed: int = 0,
    ) -> ContrastWords:
        """Deal the words of each kind and stratum to two halves.

        Parameters
        ----------
        is_positive : ndarray of bool, shape (n_words,)
            Which words are of the first kind.
        stratum : ndarray of int, shape (n_words,), optional
            All words are in one when left out.
        n_splits : int
            Times that they are dealt.
        seed : int
            Of the deals; more splits begin with the same ones.

        Raises
        ------
        InputError
            For fewer than eight words of a kind, and for no split.

        Examples
        --------
        >>> words = ContrastWords.deal(np.arange(16) < 8, n_splits=2)
        >>> words.in_first[:, :8].sum(axis=1).tolist(), words.in_first[:, 8:].sum(axis=1).tolist()
        ([4, 4], [4, 4])
        """
        counts = (int(is_positive.sum()), int((~is_positive).sum()))
        if min(counts) < _LEAST_WORDS:
            msg = (
                f"the contrast has {counts[0]} words against {counts[1]}: to choose units on one "
                f"half and measure them on the other takes {_LEAST_WORDS} or more of each."
            )
            raise InputError(msg)
        if n_splits < 1:
            raise InputError(f"n_splits is {n_splits}: give at least 1.")
        strata = np.zeros(len(is_positive), dtype=np.intp) if stratum is None else stratum
        rng = np.random.default_rng([seed, 1])
        in_first = np.zeros((n_splits, len(is_positive)), dtype=np.bool_)
        for split in in_first:
            for kind in (True, False):
                own = rng.permutation(np.flatnonzero(is_positive == kind))
                # Dealt in turn over the strata, so that odd numbers even out.
                dealt = own[np.argsort(strata[own], kind="stable")]
                split[dealt[rng.integers(2) :: 2]] = True
        return cls(is_positive, strata, in_first)

    @property
    def kind_and_stratum(self) -> NDArray[np.intp]:
        """One number for each kind and stratum, shape (n_words,)."""
        codes = 2 * self.stratum + self.is_positive
        return np.unique(codes, return_inverse=True)[1].astype(np.intp)

    def orders(self, n_permutations: int, seed: int = 0) -> NDArray[np.intp]:
        """Draw permutations: the word that takes the place of each, within its stratum.

        Kinds and halves belong to places, so that halves are stratified on the permuted kinds as
        they are on the true ones.

        Returns
        -------
        ndarray of int, shape (n_permutations, n_words)

        Raises
        ------
        InputError
            For no permutation, and where no word can take another's place.
        """
        if n_permutations < 1:
            raise InputError(f"n_permutations is {n_permutations}: give at least 1.")
        both = [
            np.unique(self.is_positive[self.stratum == at]).size for at in np.unique(self.stratum)
        ]
        if max(both) < 2:
            raise InputError(
                "every stratum holds words of one kind, which cannot be permuted within it: name "
                "another label, or none."
            )
        rng = np.random.default_rng([seed, 2])
        orders = np.tile(np.arange(len(self.stratum)), (n_permutations, 1))
        for at in np.unique(self.stratum):
            words = np.flatnonzero(self.stratum == at)
            orders[:, words] = rng.permuted(orders[:, words], axis=1)
        return orders

    def halves(
        self,
        z: NDArray[np.floating],
        *,
        order: NDArray[np.intp] | None = None,
        kept: NDArray[np.bool_] | None = None,
    ) -> Iterator[Welch]:
        """Compare the kinds in both halves of every split, a few draws at a time.

        Parameters
        ----------
        z : ndarray, shape (n_words, n_units)
            From `standardised`; in float32 for draws.
        order : ndarray of int, shape (n_draws, n_words), optional
            From `orders`.
        kept : ndarray of bool, shape (n_draws, n_words), optional
            The words that count, as from `jackknife_words`.

        Yields
        ------
        Welch
            (a few draws, n_splits, 2, n_units); one draw where neither is given.
        """
        draws = order if order is not None else kept
        n_draws = 1 if draws is None else len(draws)
        # Rows: all words of a kind, then those of each split's first half; second halves are the
        # difference.
        halves = np.concatenate([np.ones_like(self.in_first[:1]), self.in_first])
        kinds = np.stack([self.is_positive, ~self.is_positive])
        masks = (kinds[:, None] & halves).astype(z.dtype)  # (kind, 1 + split, place)
        squares = z * z
        at_once = max(_VALUES_AT_ONCE // (4 * len(halves) * z.shape[1]), 1)
        for start in range(0, n_draws, at_once):
            some = slice(start, min(start + at_once, n_draws))
            weights = np.repeat(masks[None], some.stop - some.start, axis=0)
            if order is not None:
                weights = np.take_along_axis(
                    weights, np.argsort(order[some], axis=1)[:, None, None], axis=-1
                )
            if kept is not None:
                weights = weights * kept[some][:, None, None]
            n, first, second = (
                np.stack([of[:, :, 1:], of[:, :, :1] - of[:, :, 1:]], axis=3)
                for of in (weights.sum(axis=-1)[..., None], weights @ z, weights @ squares)
            )
            # (draw, kind, split, half, unit)
            yield _welch(n[:, 0], first[:, 0], second[:, 0], n[:, 1], first[:, 1], second[:, 1])


def _welch(
    n: NDArray[np.floating],
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    n_other: NDArray[np.floating],
    first_other: NDArray[np.floating],
    second_other: NDArray[np.floating],
) -> Welch:
    """Compare from numbers, sums and sums of squares of standardised units."""
    variance = (second - first**2 / n) / np.maximum(n - 1, 1)
    other = (second_other - first_other**2 / n_other) / np.maximum(n_other - 1, 1)
    difference = first / n - first_other / n_other
    least = np.asarray(_LEAST_VARIANCE, dtype=first.dtype)
    return Welch(
        difference / np.sqrt(np.maximum(variance / n + other / n_other, least)),
        difference / np.sqrt(np.maximum((variance + other) / 2, least)),
    )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What the units that one half chose are worth on the other, both ways and over splits.

    Attributes
    ----------
    t, d_prime : ndarray of float64, shape (n_draws,)
        Mean over the chosen units on the half that did not choose them; 0 without an effect.
    overlap : ndarray of float64, shape (n_draws,)
        Share of the units that one half chose which the other chose too.
    correlation : ndarray of float64, shape (n_draws,)
        Over all units, of both halves' d'.
    """

    t: NDArray[np.float64]
    d_prime: NDArray[np.float64]
    overlap: NDArray[np.float64]
    correlation: NDArray[np.float64]

    @classmethod
    def of(cls, found: Welch, n_chosen: int) -> HeldOut:
        """Choose the `n_chosen` units of largest t in each half, and measure them on the other.

        Parameters
        ----------
        found : Welch
            (n_draws, n_splits, 2, n_units).
        n_chosen : int
            At most all.

        Examples
        --------
        >>> t = np.array([3.0, 1.0, 2.0, 0.0, 4.0, 1.0]).reshape(1, 1, 2, 3)
        >>> held_out = HeldOut.of(Welch(t, t / 2), n_chosen=1)
        >>> held_out.t.tolist(), held_out.overlap.tolist()
        ([0.5], [0.0])
        """
        n_units = found.t.shape[-1]
        at = np.argpartition(-found.t, min(n_chosen, n_units - 1), axis=-1)[..., :n_chosen]
        is_chosen = np.zeros(found.t.shape, dtype=np.bool_)
        np.put_along_axis(is_chosen, at, True, axis=-1)
        t, d_prime = (
            np.take_along_axis(of[:, :, ::-1], at, axis=-1).mean(axis=(1, 2, 3), dtype=np.float64)
            for of in (found.t, found.d_prime)
        )
        both = (is_chosen[:, :, 0] & is_chosen[:, :, 1]).sum(axis=-1) / n_chosen
        return cls(t, d_prime, both.mean(axis=1), _correlation(found.d_prime))


def _correlation(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Correlation over units of (draw, split, 2, unit), averaged over splits."""
    centred = values - values.mean(axis=-1, keepdims=True)
    one, other = centred[:, :, 0], centred[:, :, 1]
    products = [np.einsum("dsu,dsu->ds", a, b) for a, b in ((one, other), (one, one), (other,) * 2)]
    size = np.sqrt(products[1] * products[2])
    r = products[0] / np.where(size > 0, size, 1)
    return np.asarray(r.mean(axis=1), dtype=np.float64)
