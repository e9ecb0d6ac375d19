"""Modules are blocks of correlation; without them the spectrum is the same and blocks are not."""

import numpy as np
import pytest

from cortiscope import InputError
from cortiscope.phantoms import PHANTOMS, Background, PhantomDesign, Scene

N_MODULES = 4
DESIGN = PhantomDesign.balanced(n_categories=2, n_words=3000, n_frames=2, n_units=64)


def _within_frames(name, design=DESIGN, strength=1.0, **options):
    """Activations without the means of frames."""
    x = PHANTOMS[name].make(design, 0, strength, **options).layer("resid_post", 0).astype(float)
    for frame in range(design.n_frames):
        x[design.frame == frame] -= x[design.frame == frame].mean(axis=0)
    return x


def _module_excess(x, module):
    """How far correlations within modules exceed those between."""
    correlation = np.corrcoef(x.T)
    same = module[:, None] == module
    others = ~np.eye(len(module), dtype=bool)
    return correlation[same & others].mean() - correlation[~same].mean()


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_correlations_within_modules_exceed_those_between_by_what_is_planted(strength):
    module = PHANTOMS["modular"].truth(DESIGN, 0, n_modules=N_MODULES)["module"].values
    assert np.bincount(module).tolist() == [16] * 4
    planted = strength**2 / (1 + strength**2)
    before = _module_excess(_within_frames("noise"), module)
    assert before == pytest.approx(0.0, abs=0.05)
    after = _module_excess(_within_frames("modular", strength=strength, n_modules=4), module)
    assert after == pytest.approx(planted + before * (1 - planted), abs=0.03)


def test_without_modules_no_block_is_left():
    module = PHANTOMS["modular"].truth(DESIGN, 0, n_modules=4)["module"].values
    excess = _module_excess(_within_frames("not_modular", n_modules=4), module)
    assert excess == pytest.approx(0.0, abs=0.05)
    loading = PHANTOMS["not_modular"].truth(DESIGN, 0, n_modules=4)["loading"].values
    participation = (loading**2).sum(axis=1) ** 2 / (loading**4).sum(axis=1)
    assert participation.min() > 64 / 5  # of a signal spread at random it is 64 / 3
    strongest = np.sort(loading**2, axis=1)[:, -16:].sum(axis=1) / (loading**2).sum(axis=1)
    assert strongest.max() < 0.85  # of a module's signal it is 1


def test_modules_that_regroup_are_others_in_each_category():
    planted = 1 / (1 + 1)
    truth = PHANTOMS["regrouping"].truth(DESIGN, 0, n_modules=N_MODULES)["module"].values
    x, before = _within_frames("regrouping", n_modules=4), _within_frames("noise")
    for own, other in ((0, 1), (1, 0)):
        rows = DESIGN.category == own
        expected = planted + (1 - planted) * _module_excess(before[rows], truth[own])
        assert _module_excess(x[rows], truth[own]) == pytest.approx(expected, abs=0.03)
        assert abs(_module_excess(x[rows], truth[other])) < 0.1


def test_the_spectrum_is_the_same_with_modules_and_without():
    """Exactly so in the population, before massive units are scaled."""
    truth = PHANTOMS["modular"].truth(DESIGN, 0, n_modules=4)
    background, _ = np.random.SeedSequence(0).spawn(2)
    scene = Scene.draw(DESIGN, background)
    axes = scene.rotation.apply(np.eye(64))  # a row an axis
    covariance = axes.T @ np.diag(DESIGN.background.eigenvalues(64)) @ axes
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(sd * scene.unit_scale, truth["sd"])
    modular = (truth["module"].values == np.arange(4)[:, None]) * sd
    not_modular = PHANTOMS["not_modular"].truth(DESIGN, 0, n_modules=4)["loading"].values
    spectra = [
        np.linalg.eigvalsh(covariance + loading.T @ loading) for loading in (modular, not_modular)
    ]
    np.testing.assert_allclose(*spectra, rtol=1e-9)


def test_recordings_have_that_spectrum_to_sampling_error():
    spectra = []
    for name in ("modular", "not_modular"):
        x = _within_frames(name, n_modules=4)
        x /= np.where(PHANTOMS[name].truth(DESIGN, 0)["is_massive"], 10.0, 1.0)
        spectra.append(np.linalg.eigvalsh(np.cov(x.T)))
    np.testing.assert_allclose(*spectra, rtol=0.1)


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.5])
def test_a_power_law_has_its_exponent_and_no_massive_units(exponent):
    design = PhantomDesign.balanced(2, 5000, 1, n_units=64)
    x = _within_frames("power_law", design, exponent=exponent)
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    slope = np.polyfit(np.log(np.arange(1, 65)), np.log(eigenvalues), 1)[0]
    assert -slope == pytest.approx(exponent, abs=0.05)
    assert eigenvalues.mean() == pytest.approx(1.0, abs=0.05)
    sd = x.std(axis=0)
    assert sd.max() / np.median(sd) < 3
    assert _within_frames("noise", design).std(axis=0).max() / np.median(sd) > 5


def test_the_power_law_keeps_the_words_of_the_background():
    background = Background(n_massive=0)
    design = PhantomDesign.balanced(2, 20, 2, n_units=32, background=background)
    np.testing.assert_allclose(
        _within_frames("power_law", design), _within_frames("noise", design), atol=1e-5
    )


def test_words_lie_alike_in_phantoms_of_other_seeds_and_sizes():
    wider = PhantomDesign.balanced(n_categories=2, n_words=3000, n_frames=2, n_units=160)
    one, other = (
        PHANTOMS["shared_geometry"].truth(design, seed)
        for design, seed in ((DESIGN, 1), (wider, 2))
    )
    np.testing.assert_array_equal(one["place"], other["place"])
    assert one["axis"].shape == (10, 64)
    assert other["axis"].shape == (10, 160)
    place = one["place"].values
    covariance = np.cov(place.T)
    np.testing.assert_allclose(covariance, np.eye(10), atol=5 * np.sqrt(2 / len(place)))


def test_a_shared_geometry_varies_as_much_as_the_background_does():
    before, after = (_within_frames(name) for name in ("noise", "shared_geometry"))
    added = (after - before).var(axis=0).sum()
    sd = PHANTOMS["shared_geometry"].truth(DESIGN, 0)["sd"].values
    assert added == pytest.approx((sd**2).sum(), rel=0.05)
    with pytest.raises(InputError, match="n_dimensions is 0; give 1 or more"):
        PHANTOMS["shared_geometry"].make(DESIGN, 0, n_dimensions=0)
