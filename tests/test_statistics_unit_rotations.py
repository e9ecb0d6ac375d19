"""Rotated units have the geometry of the stimuli, and nothing of the units."""

import numpy as np
import pytest

from cortiscope import InputError
from cortiscope.statistics import UnitRotations, random_frame


def _gaussian(n_stimuli=300, n_units=40, exponent=1.0, seed=0):
    rng = np.random.default_rng(seed)
    spread = np.arange(1, n_units + 1) ** (-exponent / 2)
    x = (rng.normal(size=(n_stimuli, n_units)) * spread) @ random_frame(n_units, n_units, rng)
    return x - x.mean(axis=0)


def _eigenvalues(x):
    return np.linalg.eigvalsh(np.corrcoef(x.T))[::-1]


def test_frames_are_orthonormal_and_prefer_no_direction():
    rng = np.random.default_rng(0)
    n_draws, n_units = 2000, 6
    frames = np.stack([random_frame(2, n_units, rng) for _ in range(n_draws)])
    np.testing.assert_allclose(
        frames @ frames.swapaxes(1, 2), np.tile(np.eye(2), (n_draws, 1, 1)), atol=1e-12
    )
    # Each entry has mean 0 and variance 1 / n_units; its fourth moment is 3 / (n (n + 2)).
    error = 4 / np.sqrt(n_draws)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=error / np.sqrt(n_units))
    spread = np.sqrt(3 / (n_units * (n_units + 2)) - 1 / n_units**2)
    np.testing.assert_allclose((frames**2).mean(axis=0), 1 / n_units, atol=error * spread)


@pytest.mark.parametrize(("n_stimuli", "n_units"), [(300, 40), (30, 80)])
def test_correlations_keep_their_eigenvalues_on_average(n_stimuli, n_units):
    """Without raising them first, a rotation of standardised units would lose of the largest."""
    rng = np.random.default_rng(1)
    x = _gaussian(n_stimuli, n_units)
    rotations = UnitRotations.of([x], rng)
    rotated = np.mean([_eigenvalues(rotations.draw(rng)) for _ in range(100)], axis=0)
    of_units = _eigenvalues(x)
    np.testing.assert_allclose(rotated[:5], of_units[:5], rtol=0.05)
    z = x / x.std(axis=0)
    frame = [random_frame(n_units, n_units, rng) for _ in range(100)]
    plain = np.mean([_eigenvalues(z @ each) for each in frame], axis=0)
    assert plain[0] < 0.97 * of_units[0]


def test_rotations_of_rotated_noise_are_like_itself():
    """What belongs to no units is as it was: the largest correlation of a unit, say."""
    below = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = _gaussian(seed=seed)
        rotations = UnitRotations.of([x], rng)

        def largest(of):
            return np.sort(np.corrcoef(of.T) - np.eye(of.shape[1]), axis=None)[-80:].mean()

        below.append(np.mean([largest(rotations.draw(rng)) < largest(x) for _ in range(19)]))
    # Ranks are uniform: their mean has a standard deviation of 1 / sqrt(12 * 60).
    assert np.mean(below) == pytest.approx(0.5, abs=3 / np.sqrt(12 * 60))


def test_the_scale_of_a_unit_does_not_matter():
    x = _gaussian()
    massive = x * np.where(np.arange(40) < 3, 100.0, 1.0)
    drawn = [UnitRotations.of([of], np.random.default_rng(0)) for of in (x, massive)]
    one, other = (rotations.draw(np.random.default_rng(1)) for rotations in drawn)
    np.testing.assert_allclose(np.corrcoef(one.T), np.corrcoef(other.T), atol=1e-4)


def test_layers_that_are_rotated_alike_still_follow_from_each_other():
    rng = np.random.default_rng(0)
    x = _gaussian()
    after = x + 0.3 * _gaussian(seed=1)
    rotated = UnitRotations.of([x, after], rng).draw(rng)
    assert rotated.shape == (300, 80)
    before, same = np.split(rotated, 2, axis=1)
    with_itself = [np.corrcoef(a, b)[0, 1] for a, b in zip(before.T, same.T, strict=True)]
    assert np.mean(with_itself) > 0.9
    np.testing.assert_allclose(rotated.mean(axis=0), 0, atol=1e-6)


def test_layers_of_unequal_width_cannot_be_rotated_alike():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"differ in their number of units \(20, 40\)"):
        UnitRotations.of([_gaussian(), _gaussian(n_units=20)], rng)
    with pytest.raises(InputError, match="no unit varies"):
        UnitRotations.of([np.zeros((10, 4))], rng)
