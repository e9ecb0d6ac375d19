"""The probe networks: near the best possible where it is known, and each as if it were alone."""

import numpy as np
import pytest
from scipy import special, stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from cortiscope import InputError
from cortiscope.statistics import MlpProblem, MlpSetting, mlp_scores
from cortiscope.statistics.mlp import _Batch, train_mlps
from cortiscope.statistics.principal import PrincipalProblem


def _clusters(n, rng, distance=2.0, n_units=12):
    """Two features at plus or minus `distance`, whose product is the class, in isotropic noise."""
    signs = 2 * rng.integers(0, 2, size=(n, 2)) - 1
    x = rng.normal(size=(n, n_units))
    x[:, :2] += distance * signs
    return x, (signs.prod(axis=1) > 0).astype(int)


def _log_odds(x, distance=2.0):
    """The best score that there is: log cosh of the sum against that of the difference."""
    return np.log(np.cosh(distance * (x[:, 0] + x[:, 1]))) - np.log(
        np.cosh(distance * (x[:, 0] - x[:, 1]))
    )


def test_on_the_exclusive_or_it_comes_near_to_the_best_that_there_is():
    rng = np.random.default_rng(0)
    x, y = _clusters(4000, rng)
    (scores,) = mlp_scores([MlpProblem(x[:1000], y[:1000], x[1000:])], 2)
    best = roc_auc_score(y[1000:], _log_odds(x[1000:]))
    auc = roc_auc_score(y[1000:], scores[:, 1] - scores[:, 0])
    linear = LogisticRegression().fit(x[:1000], y[:1000]).decision_function(x[1000:])
    assert best - auc < 0.02
    assert abs(roc_auc_score(y[1000:], linear) - 0.5) < 0.05


def test_where_the_class_is_a_direction_it_is_as_good_as_logistic_regression():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, size=4000)
    x = rng.normal(size=(4000, 20)) + 1.5 * np.linalg.qr(rng.normal(size=(20, 20)))[0][y]
    train, test = slice(0, 1000), slice(1000, None)
    model = LogisticRegression().fit(x[train], y[train])
    expected = roc_auc_score(y[test], model.predict_proba(x[test]), multi_class="ovr")
    problem = [MlpProblem(x[train], y[train], x[test])]
    for hidden in (0, 64):
        (scores,) = mlp_scores(problem, 3, hidden=hidden, weight_decay=10.0)
        auc = roc_auc_score(y[test], special.softmax(scores, axis=1), multi_class="ovr")
        assert abs(auc - expected) < 0.01


def _principal(problem):
    return PrincipalProblem.of(problem.x_train, problem.y_train, problem.x_test)


@pytest.mark.parametrize("hidden", [0, 7])
def test_its_gradient_is_that_of_the_mean_cross_entropy(hidden):
    """Against torch's automatic differentiation, for problems of unequal numbers of rows."""
    import torch

    problems = [_principal(problem) for problem in list(_problems())[:3]]
    setting = MlpSetting(hidden, weight_decay=0.0)
    batch = _Batch(problems, [setting] * 3, 2, 2, seed=0, device="cpu")
    parameters = [
        [values.clone().requires_grad_() for values in (layer.weights, layer.bias)]
        for layer in batch.layers
    ]
    loss = torch.zeros(())
    for index, problem in enumerate(problems):
        x = torch.from_numpy(problem.scaled(setting.shrinkage)[0])
        y = torch.from_numpy(problem.y_train)
        for member in range(2):
            out = x
            for depth, (weights, bias) in enumerate(parameters):
                flat = (values.reshape(6, -1, values.shape[2]) for values in (weights, bias))
                w, b = (values[2 * index + member] for values in flat)
                out = (torch.relu(out) if depth else out) @ w.T + b[:, 0]
            loss = loss + torch.nn.functional.cross_entropy(out, y)
    loss.backward()
    batch._step(1)
    for layer, own in zip(batch.layers, parameters, strict=True):
        for moment, values in zip(layer.moments, own, strict=True):
            # The first moment is the first gradient, but for its factor of 1 - 0.9.
            np.testing.assert_allclose(moment / 0.1, values.grad, atol=1e-6)


def _problems():
    """Different numbers of rows, of units, and more units than rows."""
    rng = np.random.default_rng(3)
    for n_train, n_units in ((90, 8), (70, 8), (110, 8), (60, 20), (30, 50)):
        x = rng.normal(size=(n_train + 15, n_units))
        y = (x[:, 0] * x[:, 1] > 0).astype(int)
        yield MlpProblem(x[:n_train], y[:n_train], x[n_train:])


def test_a_problem_has_the_same_scores_alone_and_in_company():
    problems = list(_problems())
    together = mlp_scores(problems, 2, hidden=16)
    for problem, scores in zip(problems, together, strict=True):
        (alone,) = mlp_scores([problem], 2, hidden=16)
        np.testing.assert_allclose(scores, alone, atol=1e-5)


def test_settings_ride_together_without_touching_one_another():
    problem = _principal(next(_problems()))
    settings = [MlpSetting(h, d, s) for h in (0, 8) for d in (0.0, 10.0) for s in (0.1, 10.0)]
    together = train_mlps([problem] * 8, settings, 2, epochs=[5, 20], n_initialisations=2)
    for setting, scores in zip(settings, together, strict=True):
        (alone,) = train_mlps([problem], [setting], 2, epochs=[20], n_initialisations=2)
        np.testing.assert_allclose(scores[1], alone[0], atol=1e-5)


def test_a_seed_gives_the_same_numbers_and_another_gives_others():
    problems = list(_problems())
    first, again, other = (mlp_scores(problems, 2, seed=seed) for seed in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.allclose(a, c, atol=1e-3)


def test_more_initialisations_are_averages_of_log_probabilities():
    problem = _principal(next(_problems()))
    one, three = (
        train_mlps([problem], [MlpSetting(8)], 2, epochs=[10], n_initialisations=n)[0][0]
        for n in (1, 3)
    )
    assert np.exp(one).sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert (np.exp(three).sum(axis=1) <= 1 + 1e-6).all()  # a geometric mean


def test_row_space_coordinates_lose_nothing():
    """More units than rows: a rotation of the rows' own space gives the same principal axes."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(40, 120))
    y = rng.integers(0, 2, size=30)
    wide = PrincipalProblem.of(x[:30], y, x[30:], standardise=False)
    basis = np.linalg.qr(x.T)[0]  # 40 axes hold all rows
    narrow = PrincipalProblem.of(x[:30] @ basis, y, x[30:] @ basis, standardise=False)
    assert wide.train.shape == narrow.train.shape == (30, 29)
    np.testing.assert_allclose(wide.test, narrow.test, atol=1e-8)
    scores = train_mlps([wide, narrow], [MlpSetting(8)] * 2, 2, epochs=[40])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)


def test_units_scales_and_constant_units_do_not_matter():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(80, 6))
    y = rng.integers(0, 2, size=60)
    scaled = np.concatenate([x * np.array([1, 10, 100, 1, 0.1, 1]) + 7, np.ones((80, 2))], axis=1)
    first, second = mlp_scores(
        [MlpProblem(x[:60], y, x[60:]), MlpProblem(scaled[:60], y, scaled[60:])], 2, hidden=8
    )
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_on_random_labels_it_reads_nothing():
    rng = np.random.default_rng(6)
    problems, labels = [], []
    for _ in range(30):
        x, y = rng.normal(size=(140, 10)), rng.integers(0, 2, size=140)
        problems.append(MlpProblem(x[:100], y[:100], x[100:]))
        labels.append(y[100:])
    areas = [
        roc_auc_score(y, scores[:, 1] - scores[:, 0])
        for y, scores in zip(labels, mlp_scores(problems, 2, hidden=8), strict=True)
    ]
    assert stats.ttest_1samp(areas, 0.5).pvalue > 0.001


def test_bad_settings_and_constant_rows_are_named():
    problem = next(_problems())
    with pytest.raises(InputError, match="below zero"):
        mlp_scores([problem], 2, weight_decay=-1.0)
    with pytest.raises(InputError, match="n_initialisations is 0"):
        mlp_scores([problem], 2, n_initialisations=0)
    with pytest.raises(InputError, match="all units are constant"):
        mlp_scores([MlpProblem(np.ones((9, 3)), np.zeros(9, int), np.ones((2, 3)))], 2)
