"""Spread of directions: closed forms equal brute force, and known answers."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import Ridge

from cortiscope.statistics import (
    direction_spread,
    overlap_of_n90,
    ridge_directions,
    split_half_overlap,
    unbiased_powers,
    units_holding,
)
from cortiscope.statistics.spread import participation_ratio

N_UNITS = 3584


def _directions(x, label):
    """One direction a category, the plain way."""
    return np.stack(
        [x[label == c].mean(axis=0) - x[label != c].mean(axis=0) for c in np.unique(label)]
    )


def _words(seed, n_words=40, n_categories=10, n_units=N_UNITS):
    label = np.repeat(np.arange(n_categories), n_words)
    return np.random.default_rng(seed).normal(size=(len(label), n_units)), label


def test_it_equals_the_mean_over_all_halves_of_the_words():
    label = np.repeat([0, 1, 2], [4, 4, 6])
    x = np.random.default_rng(0).normal(size=(14, 5))
    x[:4] += 2
    products, squares = [], []
    for first in combinations(range(4), 2):
        for second in combinations(range(4, 8), 2):
            for third in combinations(range(8, 14), 3):
                half = np.isin(np.arange(14), first + second + third)
                one, other = (_directions(x[h], label[h]) for h in (half, ~half))
                products.append(one * other)
                squares.append((one**2).sum(axis=1))
    product = np.mean(products, axis=0)
    spread = direction_spread(x, label[None], 3)
    np.testing.assert_allclose(
        spread.cosine[0], product.sum(axis=1) / np.mean(squares, axis=0), atol=1e-12
    )
    np.testing.assert_allclose(spread.participation[0], participation_ratio(product), atol=1e-9)
    np.testing.assert_array_equal(spread.n90[0], units_holding(product))
    biased = _directions(x, label) ** 2
    np.testing.assert_allclose(spread.participation_biased[0], participation_ratio(biased))
    np.testing.assert_array_equal(spread.n90_biased[0], units_holding(biased))


def test_unbiased_powers_equal_the_mean_over_all_products_of_four_words():
    """Of every category: all ways to give each of four estimates a word that no other has."""
    label = np.repeat([0, 1, 2], [4, 4, 5])
    x = np.random.default_rng(1).exponential(size=(13, 3))
    deals = [
        np.array([x[label == c][list(deal)] for deal in permutations(range(n), 4)])
        for c, n in enumerate([4, 4, 5])
    ]  # (deal, estimate, unit) of each category
    ours, theirs, others = (
        deal.reshape([-1 if axis == c else 1 for axis in range(3)] + [4, 3])
        for c, deal in enumerate(deals)
    )
    directions = [
        ours - (4 * theirs + 5 * others) / 9,
        theirs - (4 * ours + 5 * others) / 9,
        others - (4 * ours + 4 * theirs) / 8,
    ]
    second, fourth = unbiased_powers(x, label[None], 3)
    for category, of_four in enumerate(directions):
        squares = (of_four[..., 0, :] * of_four[..., 1, :]).sum(axis=-1)
        assert second[0, category] == pytest.approx(squares.mean())
        assert fourth[0, category] == pytest.approx(of_four.prod(axis=-2).sum(axis=-1).mean())


def test_words_that_are_left_out_do_not_count():
    x, label = _words(3, n_words=8, n_categories=3, n_units=30)
    kept = np.arange(len(label)) % 8 != 5
    partial = np.where(kept, label, -1)[None]
    for one, other in zip(
        (*direction_spread(x, partial, 3), *unbiased_powers(x, partial, 3)),
        (
            *direction_spread(x[kept], label[kept][None], 3),
            *unbiased_powers(x[kept], label[kept][None], 3),
        ),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_noise_looks_spread_and_is_not():
    """In 3,584 units of noise: participation ratio 1,199, and 1,595 units hold 90%."""
    x, label = _words(4)
    spread = direction_spread(x, label[None], 10)
    assert spread.participation_biased.mean() == pytest.approx(1199, rel=0.02)
    assert spread.n90_biased.mean() == pytest.approx(1595, rel=0.01)
    assert (spread.n90 < 30).all()
    assert (spread.participation < 30).all()
    assert abs(spread.cosine.mean()) < 0.02
    overlap, chance = overlap_of_n90(x, label, 10)
    np.testing.assert_allclose(overlap, chance, atol=0.03)
    assert chance.mean() == pytest.approx(1595 / N_UNITS, rel=0.01)


def test_twenty_units_still_look_like_many_until_the_noise_is_taken_out():
    """One category of twenty units with d' = 1: about 1,490 units hold 90%, of which 18 count."""
    n90, biased, powers = [], [], []
    for seed in range(8):
        x, label = _words(100 + seed, n_categories=2, n_words=40)
        rest = np.random.default_rng(seed).normal(size=(320, N_UNITS))
        x, label = np.vstack([x, rest]), np.append(label, np.ones(320, dtype=int))
        x[label == 0, :20] += 1
        spread = direction_spread(x, label[None], 2)
        n90.append(spread.n90[0, 0])
        biased.append(spread.n90_biased[0, 0])
        powers.append([power[0, 0] for power in unbiased_powers(x, label[None], 2)])
    assert 1400 < np.mean(biased) < 1595
    assert 14 < np.mean(n90) < 22
    second, fourth = np.mean(powers, axis=0)
    assert second**2 / fourth == pytest.approx(20, rel=0.15)


def test_a_direction_over_all_units_shows_as_such_once_it_is_strong():
    """Its n90 rises to that of a Gaussian direction, and is never above it on average."""
    rng = np.random.default_rng(5)
    direction = rng.normal(size=1000)
    truth = units_holding(direction**2)
    found = []
    for strength in (0.1, 0.3, 1.0, 3.0):
        x, label = _words(6, n_words=40, n_categories=4, n_units=1000)
        x[label == 0] += strength * direction
        found.append(direction_spread(x, label[None], 4).n90[0, 0])
    assert found == sorted(found)
    assert 0.95 * truth < found[-1] <= truth


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(float, st.integers(1, 30), elements=st.floats(0, 1e3)))
def test_units_that_hold_a_share_are_the_fewest(squared):
    n = int(units_holding(squared))
    if squared.sum() <= 0:
        assert n == 0
        return
    held = np.sort(squared)[::-1].cumsum()
    assert held[n - 1] >= 0.9 * squared.sum() * (1 - 1e-9)
    assert n == 1 or held[n - 2] < 0.9 * squared.sum()
    assert 1 - 1e-9 <= participation_ratio(squared) <= len(squared) * (1 + 1e-9) or (
        (squared**2).sum() == 0
    )


def test_overlap_is_one_for_strong_units_and_chance_for_none():
    x, label = _words(7, n_categories=4, n_units=400)
    chance = split_half_overlap(x, label[None], 4, top=20, n_halves=50)
    assert chance.mean() == pytest.approx(20 / 400, abs=0.02)
    for category in range(4):
        x[label == category, 20 * category : 20 * (category + 1)] += 4
    assert split_half_overlap(x, label[None], 4, top=20).min() > 0.99


def test_overlap_agrees_with_the_plain_way():
    """On two words a category there is one way to halve, so the halves are known."""
    label = np.repeat([0, 1], 2)
    x = np.random.default_rng(8).normal(size=(4, 60))
    possible = []
    for ours in ((0, 2), (0, 3)):
        half = np.isin(np.arange(4), ours)
        tops = [
            set(np.argsort(-np.abs(_directions(x[h], label[h])[0]))[:10]) for h in (half, ~half)
        ]
        possible.append(len(tops[0] & tops[1]) / 10)
    for seed in range(5):
        overlap = split_half_overlap(x, label[None], 2, top=10, n_halves=1, seed=seed)
        assert overlap[0, 0] in possible


@pytest.mark.parametrize("n_units", [12, 90])
def test_ridge_directions_are_the_weights_of_ridge_probes(n_units):
    x, label = _words(9, n_words=10, n_categories=3, n_units=n_units)
    x[:10, :3] += 1
    centred = x - x.mean(axis=0)
    directions = _directions(ridge_directions(x, ridge=0.1), label)
    alpha = 0.1 * np.trace(centred @ centred.T) / len(x)
    weights = Ridge(alpha=alpha).fit(x, np.eye(3)[label]).coef_
    for one, other in zip(directions, weights, strict=True):
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert cosine == pytest.approx(1, abs=1e-9)
