"""CKA and mutual neighbours: what they must not depend on, known values, other definitions."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortiscope import InputError
from cortiscope.statistics import (
    biased_structure,
    cosine_matrix,
    debiased_structure,
    gram_matrix,
    jackknife_draws,
    jackknife_words,
    linear_cka,
    neighbour_structure,
    permute_items,
    permuted_similarities,
    similarities,
    structures_of,
    subset_similarities,
)

seeds = st.integers(0, 2**32 - 1)


def _hsic_of_song(k, m):
    """Equation 5 of Song et al. (2012), as it is printed."""
    n = len(k)
    k, m = k * (1 - np.eye(n)), m * (1 - np.eye(n))
    one = np.ones(n)
    return (
        np.trace(k @ m)
        + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ k @ m @ one)
    ) / (n * (n - 3))


def _u_statistic(k, m):
    """The kernel of the U-statistic averaged over all sets of four, Song et al. theorem 3."""
    values = []
    for four in combinations(range(len(k)), 4):
        a, b = k[np.ix_(four, four)], m[np.ix_(four, four)]
        values.append(_hsic_of_song(a, b))
    return np.mean(values)


def _random(seed, n=30, p=20, q=12):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * rng.gamma(2, size=p)
    y = x[:, :5] @ rng.normal(size=(5, q)) + rng.normal(size=(n, q))
    return rng, x, y


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_debiased_cka_is_the_ratio_of_songs_estimates(seed):
    _, x, y = _random(seed)
    k, m = x @ x.T, y @ y.T  # not even centred
    expected = _hsic_of_song(k, m) / np.sqrt(_hsic_of_song(k, k) * _hsic_of_song(m, m))
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-10)


def test_songs_estimate_is_the_u_statistic_of_all_sets_of_four():
    _, x, y = _random(0, n=9)
    k, m = x @ x.T, y @ y.T
    expected = _u_statistic(k, m) / np.sqrt(_u_statistic(k, k) * _u_statistic(m, m))
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-10)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_biased_cka_is_that_of_cross_covariances(seed):
    _, x, y = _random(seed)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    cross, own, others = (np.linalg.norm(a.T @ b) for a, b in ((x, y), (x, x), (y, y)))
    assert linear_cka(x, y, debiased=False) == pytest.approx(cross**2 / (own * others))


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.01, 100), st.booleans())
def test_rotation_scale_and_shift_change_nothing(seed, scale, debiased):
    rng, x, y = _random(seed)
    rotation = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    turned = scale * x @ rotation + 10 * rng.normal(size=20)
    expected = linear_cka(x, y, debiased=debiased)
    assert linear_cka(turned, y, debiased=debiased) == pytest.approx(expected, abs=1e-9)
    assert linear_cka(turned, x, debiased=debiased) == pytest.approx(1, abs=1e-9)
    assert linear_cka(y, x, debiased=debiased) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_other_linear_maps_do(seed):
    rng, x, _ = _random(seed)
    stretched = x.copy()
    stretched[:, rng.integers(20)] *= 30
    for debiased in (True, False):
        # Little is lost where the unit that is stretched dwarfed the others before.
        assert linear_cka(stretched, x, debiased=debiased) < 1 - 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_independent_noise_is_similar_to_the_biased_one_alone(seed):
    n, p = 200, 3584
    x, y = np.random.default_rng(seed).normal(size=(2, n, p)).astype(np.float32)
    assert linear_cka(x, y, debiased=False) == pytest.approx(p / (p + n), abs=0.005)
    assert abs(linear_cka(x, y)) < 0.02


def test_a_bootstrap_would_ruin_it_and_the_jackknife_does_not():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 100, 1000))
    again = rng.integers(100, size=100)
    assert linear_cka(x[again], y[again]) > 0.8
    kept = jackknife_words(np.zeros(100, dtype=int), n_jackknife=100)
    gram, other = gram_matrix(x)[None], gram_matrix(y)[None]
    replicates = subset_similarities(gram, other, debiased_structure, kept)[:, 0, 0]
    draws = jackknife_draws(linear_cka(x, y), replicates, kept)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert low < 0 < high
    assert high - low < 0.1


def test_the_jackknife_is_as_wide_as_the_estimates_of_new_words_vary():
    """50 samples of the same kind: their own spread, and the mean of what each says of it."""
    rng = np.random.default_rng(1)
    mixing, other = rng.normal(size=(2, 8, 30)) * (np.arange(1, 9) ** -0.5)[:, None]
    estimates, spreads = [], []
    for seed in range(50):
        z = rng.normal(size=(120, 8))
        x, y = (z @ m + rng.normal(size=(120, 30)) for m in (mixing, other))
        estimates.append(linear_cka(x, y))
        kept = jackknife_words(np.zeros(120, dtype=int), n_jackknife=100, seed=seed)
        replicates = subset_similarities(
            gram_matrix(x)[None], gram_matrix(y)[None], debiased_structure, kept
        )
        spreads.append(jackknife_draws(estimates[-1], replicates[:, 0, 0], kept).std())
    assert np.mean(spreads) / np.std(estimates) == pytest.approx(1, abs=0.3)


def _mutual_neighbours(x, y, k):
    """Item by item, as Huh et al. (2024) define it."""
    shares = []
    for i in range(len(x)):
        sets = []
        for z in (x, y):
            cosines = [
                -np.inf if j == i else z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j])
                for j in range(len(z))
            ]
            sets.append(set(np.argsort(cosines)[-k:]))
        shares.append(len(sets[0] & sets[1]) / k)
    return np.mean(shares)


@pytest.mark.parametrize("k", [1, 4, 29])
def test_mutual_neighbours_are_counted_as_defined(k):
    _, x, y = _random(3)
    one, two = (neighbour_structure(cosine_matrix(z), k) for z in (x, y))
    assert np.vdot(one, two) == pytest.approx(_mutual_neighbours(x, y, k))


def test_items_that_are_equally_near_share_the_places():
    """Equal vectors, in both sets: were ties broken by order, both would choose the same."""
    x = np.ones((40, 3))
    structure = neighbour_structure(cosine_matrix(x), 10)
    assert np.vdot(structure, structure) == pytest.approx(10 / 39)
    order = np.random.default_rng(0).permutation(60)
    y = np.repeat(np.random.default_rng(1).normal(size=(20, 5)), 3, axis=0)
    in_order = neighbour_structure(cosine_matrix(y), 4)
    reordered = neighbour_structure(cosine_matrix(y[order]), 4)
    np.testing.assert_allclose(reordered, in_order[np.ix_(order, order)], atol=1e-12)


def test_neighbours_of_unrelated_sets_overlap_by_chance():
    rng = np.random.default_rng(0)
    one, two = (neighbour_structure(cosine_matrix(x), 10) for x in rng.normal(size=(2, 400, 50)))
    # 4,000 places, each right with 10 / 399
    assert np.vdot(one, two) == pytest.approx(10 / 399, abs=4 * np.sqrt(0.025 / 4000))


@pytest.mark.parametrize("kind", ["symmetric", "directed"])
def test_permuted_similarities_are_those_of_permuted_items(kind):
    rng, x, y = _random(5, n=24)
    matrices = [np.stack([gram_matrix(z * f) for f in (1, rng.gamma(1, size=z.shape[1]))])
                for z in (x, y)]  # fmt: skip
    structure = debiased_structure if kind == "symmetric" else _five_nearest
    everything = np.arange(24)
    one, two = (structures_of(side, structure, everything) for side in matrices)
    orders = permute_items(np.arange(24) % 3, 20, seed=1)
    found = permuted_similarities(one, two, orders)
    for order, values in zip(orders, found, strict=True):
        np.testing.assert_allclose(values, similarities(one, two[:, order][:, :, order]))
        assert (order % 3 == everything % 3).all()


def _five_nearest(part):
    return neighbour_structure(part, 5)


def test_subsets_are_compared_as_if_there_were_nothing_else():
    _, x, y = _random(6)
    kept = np.random.default_rng(0).random((5, 30)) < 0.7
    found = subset_similarities(
        gram_matrix(x)[None], gram_matrix(y)[None], debiased_structure, kept
    )
    expected = [linear_cka(x[k], y[k]) for k in kept]
    np.testing.assert_allclose(found[:, 0, 0], expected)


def test_what_cannot_be_compared_is_refused_or_undefined():
    with pytest.raises(InputError, match="3 items were given"):
        debiased_structure(np.eye(3))
    with pytest.raises(InputError, match="n_neighbours comes to 9 of 9"):
        neighbour_structure(np.eye(9), 9)
    with pytest.raises(InputError, match="n_permutations is 0"):
        permute_items([0, 0], 0)
    with pytest.raises(InputError, match="no two words"):
        permute_items([0, 1, 2], 10)
    assert np.isnan(linear_cka(np.ones((9, 3)), np.random.default_rng(0).normal(size=(9, 3))))
    assert np.isnan(biased_structure(np.zeros((5, 5)))).all()
