"""Numbers of dimensions equal brute force and plain references, and known answers."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from cortiscope.statistics import covariance_participation, pca_dimensions, two_nn


def _all(n):
    return np.ones((1, n), dtype=bool)


def _plain_two_nn(x, discarded=0.1):
    """Facco et al. 2017, as its recipe says."""
    distance = np.linalg.norm(x[:, None] - x, axis=2)
    nearest = np.sort(distance, axis=1)[:, 1:3]
    ratio = np.sort(nearest[:, 1] / nearest[:, 0])
    n = len(ratio)
    n_used = int(n * (1 - discarded))
    share = np.arange(1, n_used + 1) / n
    return np.linalg.lstsq(np.log(ratio[:n_used, None]), -np.log(1 - share), rcond=None)[0][0]


def test_the_correction_equals_means_over_four_different_points():
    x = np.random.default_rng(0).exponential(size=(7, 3))
    above, below = [], []
    for i, j, k, m in permutations(range(7), 4):
        one, other = x[i] - x[j], x[k] - x[m]
        above.append((one @ one) * (other @ other) / 4)
        below.append((one @ other) ** 2 / 4)
    # Whatever the origin is.
    for origin in (0.0, 3.0):
        found = covariance_participation((x - origin) @ (x - origin).T, _all(7))
        assert found.debiased[0] == pytest.approx(np.mean(above) / np.mean(below))


def test_the_biased_one_is_that_of_the_sample_covariance():
    x = np.random.default_rng(1).normal(size=(30, 8)) * np.arange(1, 9)
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T))
    found = covariance_participation(x @ x.T, _all(30))
    assert found.biased[0] == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


def test_white_noise_has_as_many_dimensions_as_units():
    """1,000 words in 3,584 units show 782 of them; the correction gives them back."""
    n, d = 1000, 3584
    x = np.random.default_rng(2).standard_normal((n, d), dtype=np.float32).astype(float)
    found = covariance_participation(x @ x.T, _all(n))
    assert found.biased[0] == pytest.approx(n * d / (n + d), rel=0.005)
    # Standard error of the ratio for white noise: d times about 2 / n.
    assert found.debiased[0] == pytest.approx(d, abs=3 * d * 2 / n)


def test_the_correction_does_not_depend_on_the_number_of_words():
    rng = np.random.default_rng(3)
    scale = np.arange(1, 201) ** -0.5
    truth = (scale**2).sum() ** 2 / (scale**4).sum()
    for n in (20, 200):
        found = [
            covariance_participation(x @ x.T, _all(n)).debiased[0]
            for x in (rng.normal(size=(n, 200)) * scale for _ in range(200))
        ]
        error = np.std(found) / np.sqrt(len(found))
        assert np.mean(found) == pytest.approx(truth, abs=4 * error + 0.05 * truth)


def test_subsets_are_as_if_the_others_were_not_there():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 9)) @ rng.normal(size=(9, 25))
    kept = np.zeros((5, 60), dtype=bool)
    for subset in kept:
        subset[rng.choice(60, 40, replace=False)] = True
    kept[4] = False
    kept[4, 25:50] = True  # also of another size
    gram = x @ x.T
    of_subsets = [
        *covariance_participation(gram, kept),
        pca_dimensions(x, kept),
        two_nn(gram, kept),
    ]
    for index, subset in enumerate(kept):
        own = x[subset]
        n = len(own)
        alone = [
            *covariance_participation(own @ own.T, _all(n)),
            pca_dimensions(own, _all(n)),
            two_nn(own @ own.T, _all(n)),
        ]
        for values, value in zip(of_subsets, alone, strict=True):
            assert values[index] == pytest.approx(value[0])


def test_a_subset_of_few_far_points_finds_its_neighbours():
    """All of the nearest points are left out: it must look further."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(200, 3))
    kept = np.zeros((1, 200), dtype=bool)
    kept[0, np.argsort(np.linalg.norm(x, axis=1))[-12:]] = True
    assert two_nn(x @ x.T, kept)[0] == pytest.approx(_plain_two_nn(x[kept[0]]))


@pytest.mark.parametrize("shape", [(80, 20), (40, 100)])
def test_components_agree_with_scikit_learn(shape):
    x = np.random.default_rng(6).normal(size=shape) * np.linspace(3, 0.1, shape[1]) + 5
    share = np.cumsum(PCA().fit(x).explained_variance_ratio_)
    assert pca_dimensions(x, _all(len(x)))[0] == np.searchsorted(share, 0.9) + 1


@pytest.mark.parametrize("n_dimensions", [1, 2, 3])
def test_two_nn_finds_the_dimension_of_a_flat_sheet(n_dimensions):
    rng = np.random.default_rng(7)
    x = rng.uniform(size=(1000, n_dimensions)) @ rng.normal(size=(n_dimensions, 60))
    assert two_nn(x @ x.T, _all(1000))[0] == pytest.approx(n_dimensions, rel=0.15)


@pytest.mark.parametrize("n_dimensions", [2, 5, 50])
def test_two_nn_agrees_with_the_plain_way(n_dimensions):
    x = np.random.default_rng(8).normal(size=(300, n_dimensions))
    assert two_nn(x @ x.T, _all(300))[0] == pytest.approx(_plain_two_nn(x))


def test_points_at_one_place_count_as_one():
    """At the embedding, words that end in one token are one and the same vector."""
    x = np.random.default_rng(9).normal(size=(50, 4))
    twice = np.vstack([x, x[:30]])
    assert two_nn(twice @ twice.T, _all(80))[0] == pytest.approx(_plain_two_nn(x))
    kept = np.arange(80)[None] >= 20  # places of which one or both words are left
    expected = _plain_two_nn(x)
    assert two_nn(twice @ twice.T, kept)[0] == pytest.approx(expected)


def test_equal_points_have_no_dimension():
    same = np.ones((10, 4))
    gram = same @ same.T
    assert np.isnan(two_nn(gram, _all(10))[0])
    assert np.isnan(covariance_participation(gram, _all(10)).debiased[0])
    assert np.isnan(pca_dimensions(same, _all(10))[0])


def test_rotation_and_scale_do_not_matter():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(50, 20)) * np.linspace(2, 0.2, 20)
    turned = 7 * x @ np.linalg.qr(rng.normal(size=(20, 20)))[0]
    for one, other in zip(
        (*covariance_participation(x @ x.T, _all(50)), two_nn(x @ x.T, _all(50))),
        (
            *covariance_participation(turned @ turned.T, _all(50)),
            two_nn(turned @ turned.T, _all(50)),
        ),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9)
