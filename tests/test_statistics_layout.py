"""Layouts are classical scaling, find a sheet again, and hold whatever they were fitted with."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from cortiscope import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import (
    RotatedUnits,
    d_prime_of_members,
    linear_share,
    means_of,
    morans_i,
    nearest_neighbours,
    unit_layout,
    without_means,
    z_scored,
)

DESIGN = PhantomDesign.balanced(n_categories=10, n_words=40, n_frames=1, n_units=160)


def words_of(name, seed=0, strength=1.0, design=DESIGN):
    x = PHANTOMS[name].make(design, seed, strength).layer("resid_post", 0)
    return z_scored(means_of(without_means(x, design.frame), design.word))


def test_it_is_classical_scaling_of_the_distances_between_units():
    """Torgerson's doubly centred squared distances, taken apart by an eigendecomposition."""
    z = words_of("noise")[:60]
    squared = squareform(pdist(z.T - z.T.mean(axis=1, keepdims=True), "sqeuclidean"))
    inner = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    eigenvalues, vectors = np.linalg.eigh(-inner / 2)
    coordinates = vectors[:, [-1, -2]] * np.sqrt(eigenvalues[[-1, -2]])
    centred = z - z.mean(axis=0)
    length = np.linalg.norm(centred - centred.mean(axis=1, keepdims=True), axis=0)
    expected = coordinates / length[:, None]
    np.testing.assert_allclose(np.abs(unit_layout(z)), np.abs(expected), atol=1e-8)
    assert (np.linalg.norm(unit_layout(z), axis=1) <= 1).all()


def test_it_finds_a_sheet_again():
    truth = PHANTOMS["sheet"].truth(DESIGN, 3)["position"].values
    layout = unit_layout(words_of("sheet", 3, strength=3.0))
    assert spearmanr(pdist(layout), pdist(truth)).statistic > 0.6


def test_fitted_with_the_category_it_finds_a_patch_where_there_is_a_direction():
    """A category in one direction through all units has no place; fitted without, it has none."""
    design = PhantomDesign.balanced(n_categories=3, n_words=60, n_frames=1)
    first = design.category_of_word == 0
    everything = np.ones(len(first), dtype=bool)
    with_it, without = [], []
    for seed in range(6):
        z = words_of("direction", seed, strength=12.0, design=design)
        for words, found in ((everything, with_it), (~first, without)):
            neighbours = nearest_neighbours(unit_layout(z[words]), 8)
            d_prime = d_prime_of_members(z, first[None], everything)[0]
            found.append(morans_i(d_prime, neighbours).item())
    difference = np.array(with_it) - without
    assert difference.mean() > 4 * difference.std(ddof=1) / np.sqrt(6)


def test_a_plane_over_the_layout_is_least_squares():
    rng = np.random.default_rng(0)
    positions, values = rng.normal(size=(50, 2)), rng.normal(size=(3, 50))
    values += positions[:, 0]
    design = np.column_stack([np.ones(50), positions])
    rest = np.linalg.lstsq(design, values.T, rcond=None)[1]
    expected = 1 - rest / (50 * values.var(axis=1))
    np.testing.assert_allclose(linear_share(values, positions), expected)


def test_rotated_units_have_the_principal_components_of_the_units():
    """On average over rotations, for more words than units and for fewer."""
    for n_words in (400, 60):
        z = z_scored(words_of("noise", 1)[:n_words])
        rng = np.random.default_rng(0)
        rotated = RotatedUnits.of(z, rng)
        drawn = [rotated.draw(rng) for _ in range(20)]
        for draw in drawn:
            np.testing.assert_allclose(draw.var(axis=0), 1)
            np.testing.assert_allclose(draw.mean(axis=0), 0, atol=1e-9)
        seen = np.stack([np.linalg.svd(draw, compute_uv=False)[:5] ** 2 for draw in drawn])
        expected = np.linalg.svd(z, compute_uv=False)[:5] ** 2
        assert seen.mean(axis=0) == pytest.approx(expected, rel=0.04)
        # Each word lies where it did, with respect to the others.
        apart = np.corrcoef(pdist(z), np.mean([pdist(draw) for draw in drawn], axis=0))[0, 1]
        assert apart > 0.97


def test_two_layers_are_rotated_alike():
    z = words_of("noise", 2)
    rotated = RotatedUnits.of(z, np.random.default_rng(0))
    one, other = (rotated.draw(np.random.default_rng(7)) for _ in range(2))
    assert (one == other).all()
    assert not np.allclose(one, rotated.draw(np.random.default_rng(8)))


def test_rotation_takes_from_a_patch_what_belongs_to_units():
    z = words_of("sheet", 0, strength=3.0)
    first = (DESIGN.category_of_word == 0)[None]
    everything = np.ones(len(z), dtype=bool)
    fitted = np.flatnonzero(~first[0])

    def measured(z):
        neighbours = nearest_neighbours(unit_layout(z[fitted]), 8)
        return morans_i(d_prime_of_members(z, first, everything), neighbours).item()

    rng = np.random.default_rng(0)
    rotated = RotatedUnits.of(z, rng)
    assert measured(z) > max(measured(rotated.draw(rng)) for _ in range(30))


def test_too_few_words_are_refused():
    with pytest.raises(InputError, match="2 words and 9 units"):
        unit_layout(np.random.default_rng(0).normal(size=(2, 9)))
