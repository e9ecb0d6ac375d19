"""Dissimilarities and their comparison equal rsatoolbox's, and hold what is known of them."""

import numpy as np
import pytest
import rsatoolbox
from hypothesis import given, settings
from hypothesis import strategies as st
from rsatoolbox.data.noise import prec_from_unbalanced
from rsatoolbox.inference import boot_noise_ceiling
from scipy import stats

from cortiscope import InputError
from cortiscope.statistics import (
    RankedRdms,
    correlation_distances,
    crossnobis_distances,
    euclidean_distances,
    n_conditions_of,
    noise_ceiling,
    noise_kernel,
    pairs_among,
    permuted_rank_correlations,
    rank_correlations,
    subset_rank_correlations,
)

# rsatoolbox makes an array of its own with np.full_like, and numpy warns of what it fills in.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in cast")


def _runs(seed=0, n_runs=3, n_conditions=20, n_units=50):
    """Runs of patterns with units of very different scale and offset."""
    rng = np.random.default_rng(seed)
    scale, offset = np.exp(2 * rng.normal(size=(2, n_units)))
    signal = rng.normal(size=(n_conditions, n_units))
    noise = rng.normal(size=(n_runs, n_conditions, n_units))
    return (signal + noise @ rng.normal(size=(n_units, n_units)) / 5) * scale + offset


def _dataset(runs):
    n_runs, n_conditions, n_units = runs.shape
    return rsatoolbox.data.Dataset(
        runs.reshape(-1, n_units),
        obs_descriptors={
            "condition": np.tile([f"{i:03d}" for i in range(n_conditions)], n_runs),
            "run": np.repeat(np.arange(n_runs), n_conditions),
        },
    )


def _theirs(runs, method, **options):
    calculated = rsatoolbox.rdm.calc_rdm(_dataset(runs), method, descriptor="condition", **options)
    return calculated.dissimilarities[0]


def test_correlation_and_euclidean_distances_equal_rsatoolbox():
    runs = _runs()
    patterns = runs.mean(axis=0)
    for method, ours in (
        ("correlation", correlation_distances),
        ("euclidean", euclidean_distances),
    ):
        np.testing.assert_allclose(
            ours(patterns), _theirs(runs, method), rtol=1e-9, atol=1e-12, err_msg=method
        )


@pytest.mark.parametrize("n_runs", [2, 3, 5])
def test_crossnobis_equals_rsatoolbox(n_runs):
    runs = _runs(n_runs=n_runs)
    expected = _theirs(runs, "crossnobis", cv_descriptor="run")
    scale = np.abs(expected).max()
    np.testing.assert_allclose(crossnobis_distances(runs), expected, atol=1e-10 * scale)


@pytest.mark.parametrize("n_units", [15, 120])  # fewer units than residuals, and more
def test_crossnobis_in_units_of_noise_equals_rsatoolbox(n_units):
    runs = _runs(n_units=n_units)
    precision = prec_from_unbalanced(_dataset(runs), "condition")
    kernel = noise_kernel((runs - runs.mean(axis=0)).reshape(-1, n_units), n_means=runs.shape[1])
    expected = _theirs(runs, "crossnobis", cv_descriptor="run", noise=precision)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(crossnobis_distances(runs, kernel), expected, atol=1e-8 * scale)


def test_crossnobis_is_zero_on_average_where_nothing_differs():
    runs = np.random.default_rng(0).normal(size=(4, 300, 1000))
    assert abs(crossnobis_distances(runs).mean()) < 0.005
    assert euclidean_distances(runs.mean(axis=0)).mean() == pytest.approx(0.5, abs=0.01)


def test_crossnobis_of_noiseless_runs_is_the_squared_difference():
    run = np.array([[5.0, 1.0, 0.0, 7.0], [5.0, 3.0, 0.0, 7.0]])
    assert crossnobis_distances(np.stack([run] * 3)).tolist() == [1.0]
    assert euclidean_distances(run).tolist() == [1.0]


def test_noise_in_units_makes_their_scale_irrelevant():
    runs = _runs()
    factor = np.exp(np.random.default_rng(1).normal(size=50))
    n = runs.shape[1]

    def normalised(x):
        return crossnobis_distances(x, noise_kernel((x - x.mean(axis=0)).reshape(-1, 50), n))

    np.testing.assert_allclose(normalised(runs), normalised(runs * factor), rtol=1e-8, atol=1e-9)


def test_offsets_of_runs_do_not_matter_to_distances_of_differences():
    runs = _runs()
    moved = runs + 100 * np.random.default_rng(1).normal(size=(3, 1, 50))
    np.testing.assert_allclose(crossnobis_distances(runs), crossnobis_distances(moved), rtol=1e-6)


def test_a_pattern_without_variance_has_no_correlation():
    patterns = np.array([[1.0, 2.0, 4.0], [3.0, 3.0, 3.0], [4.0, 1.0, 0.0]])
    assert np.isnan(correlation_distances(patterns)).tolist() == [True, False, True]


def test_what_cannot_be_measured_is_said():
    runs = _runs()
    with pytest.raises(InputError, match="give two or more runs"):
        crossnobis_distances(runs[:1])
    with pytest.raises(InputError, match="Noise cannot be estimated from 20 measurements"):
        noise_kernel(runs[0], n_means=20)
    residuals = runs[0] - runs[0].mean(axis=0)
    residuals[:, 7] = 0.0
    with pytest.raises(InputError, match="Unit 7 has no noise"):
        noise_kernel(residuals, n_means=1)
    with pytest.raises(InputError, match="5 dissimilarities"):
        n_conditions_of(5)


def _rdms(seed, n_rdms, n_pairs=190, digits=None):
    values = np.random.default_rng(seed).normal(size=(n_rdms, n_pairs))
    return values if digits is None else values.round(digits)


@pytest.mark.parametrize("digits", [None, 1, 0])  # without ties, with some, with many
def test_rank_correlations_equal_rsatoolbox(digits):
    one, two = _rdms(0, 3, digits=digits), _rdms(1, 2, digits=digits)
    ours = rank_correlations(RankedRdms.of(one), RankedRdms.of(two))
    theirs = [rsatoolbox.rdm.RDMs(values) for values in (one, two)]
    for method, values in (("spearman", ours.spearman), ("rho-a", ours.rho_a)):
        expected = rsatoolbox.rdm.compare(*theirs, method)
        np.testing.assert_allclose(values, expected, atol=1e-12, err_msg=method)


def test_the_noise_ceiling_equals_rsatoolbox():
    shared = _rdms(0, 1)
    values = shared + _rdms(1, 4, digits=1)
    for_run = noise_ceiling(values)
    for method, ours in (
        ("spearman", [bound.spearman for bound in for_run]),
        ("rho-a", [bound.rho_a for bound in for_run]),
    ):
        expected = boot_noise_ceiling(rsatoolbox.rdm.RDMs(values), method)
        np.testing.assert_allclose(ours, expected, atol=1e-12, err_msg=method)


@given(seed=st.integers(0, 10**6), n=st.integers(4, 12), digits=st.sampled_from([0, 1, 8]))
@settings(max_examples=25, deadline=None)
def test_permuted_and_subset_correlations_are_those_of_permuted_and_subset_rdms(seed, n, digits):
    rng = np.random.default_rng(seed)
    squares = rng.normal(size=(2, 2, n, n)).round(digits)
    squares = squares + squares.swapaxes(2, 3)
    upper = np.triu_indices(n, 1)
    one, two = (RankedRdms.of([square[upper] for square in side]) for side in squares)
    members = np.sort(rng.permutation(n)[: max(n // 2, 3)])
    order = np.arange(n)
    order[members] = rng.permutation(members)
    kept = np.zeros(n, dtype=bool)
    kept[rng.permutation(n)[:3]] = True
    within = np.triu_indices(len(members), 1)
    inside = np.ix_(members, members)
    moved = np.ix_(order[members], order[members])
    permuted = permuted_rank_correlations(one, two, order[None], members).spearman[0]
    subset = subset_rank_correlations(one, two, kept[None]).spearman[0]
    chosen = np.ix_(kept, kept)
    for i in range(2):
        for j in range(2):
            a, b = squares[0, i], squares[1, j]
            _same(permuted[i, j], a[inside][within], b[moved][within])
            _same(subset[i, j], a[chosen][np.triu_indices(3, 1)], b[chosen][np.triu_indices(3, 1)])


def _same(ours, a, b):
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-9)


def test_pairs_among_finds_them_in_the_condensed_order():
    n, members = 9, np.array([1, 4, 5, 8])
    numbered = np.zeros((n, n), dtype=int)
    numbered[np.triu_indices(n, 1)] = np.arange(n * (n - 1) // 2)
    expected = numbered[np.ix_(members, members)][np.triu_indices(4, 1)]
    assert pairs_among(n, members).tolist() == expected.tolist()
