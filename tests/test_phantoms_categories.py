"""What is planted is there, as strong as declared, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import RidgeClassifier
from sklearn.neural_network import MLPClassifier

from cortiscope import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign

LARGE = PhantomDesign.balanced(n_categories=4, n_words=2000, n_frames=1, n_units=64)
STRENGTH = 0.8


def _activations(name, design=LARGE, seed=0, strength=STRENGTH, **options):
    recording = PHANTOMS[name].make(design, seed, strength, **options)
    return recording.layer("resid_post", 0).astype(float)


def _d_prime(values, is_member):
    """Signed d' of columns with its standard error, as in any textbook."""
    inside, outside = values[is_member], values[~is_member]
    n_in, n_out = len(inside), len(outside)
    pooled = np.sqrt(
        ((n_in - 1) * inside.var(axis=0, ddof=1) + (n_out - 1) * outside.var(axis=0, ddof=1))
        / (n_in + n_out - 2)
    )
    d = (inside.mean(axis=0) - outside.mean(axis=0)) / pooled
    return d, np.sqrt(1 / n_in + 1 / n_out + d**2 / (2 * (n_in + n_out)))


def _assert_d_prime(values, is_member, expected):
    d, error = _d_prime(values, is_member)
    assert (np.abs(d - expected) < 4 * error).all(), (d, expected, error)


def test_words_of_a_category_are_d_prime_away_along_its_direction():
    x = _activations("direction")
    directions = PHANTOMS["direction"].truth(LARGE, 0)["direction"].values
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-12)
    for owner, along in enumerate((x @ directions.T).T):
        _assert_d_prime(along, LARGE.category == owner, STRENGTH)
        rest = LARGE.category != owner
        for other in set(range(4)) - {owner}:
            _assert_d_prime(along[rest], LARGE.category[rest] == other, 0.0)


@pytest.mark.parametrize("name", ["selective_units", "patch"])
def test_planted_units_have_d_prime_and_no_others(name):
    x = _activations(name, n_selective=6)
    selective = PHANTOMS[name].truth(LARGE, 0, n_selective=6)["is_selective"].values
    assert (selective.sum(axis=1) == 6).all()
    assert selective.sum(axis=0).max() == 1
    for category in range(4):
        mine = selective[category]
        free = mine | ~selective.any(axis=0)
        _assert_d_prime(x[:, free], LARGE.category == category, STRENGTH * mine[free])


def test_some_categories_alone_can_have_units():
    truth = PHANTOMS["selective_units"].truth(LARGE, 0, n_selective=6, n_tuned=2)
    assert truth["is_selective"].sum("unit").values.tolist() == [6, 6, 0, 0]
    x = _activations("selective_units", n_selective=6, n_tuned=2)
    mine = truth["is_selective"].values[1]
    _assert_d_prime(x[:, mine], LARGE.category == 1, STRENGTH)
    for n_tuned in (0, 5):
        with pytest.raises(InputError, match=f"n_tuned is {n_tuned}; give 1 to 4"):
            _activations("selective_units", n_tuned=n_tuned)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 12), st.integers(16, 60), st.integers(1, 12), st.integers(0, 1000))
def test_a_patch_is_contiguous_and_patches_are_apart_where_they_fit(
    n_categories, n_units, n_selective, seed
):
    design = PhantomDesign.balanced(n_categories, 1, 1, n_units=n_units)
    truth = PHANTOMS["patch"].truth(design, seed, n_selective=n_selective)
    for units in truth["is_selective"].values:
        members = np.flatnonzero(units)
        assert len(members) == n_selective
        assert np.ptp(members) == n_selective - 1
    if n_categories * n_selective <= n_units:
        assert truth["is_selective"].values.sum(axis=0).max() == 1


def test_selective_units_are_not_neighbours_as_a_rule():
    design = PhantomDesign.balanced(10, 1, 1, n_units=160)
    truth = PHANTOMS["selective_units"].truth(design, 0)
    widths = [np.ptp(np.flatnonzero(units)) for units in truth["is_selective"].values]
    assert np.median(widths) > 50
    assert not (truth["is_selective"].any("category") & truth["is_massive"]).any()


def test_kinds_of_a_category_lie_along_directions_of_their_own():
    shares = (3.0, 2.0, 1.0)
    x = _activations("subspace", shares=shares)
    truth = PHANTOMS["subspace"].truth(LARGE, 0, shares=shares)
    np.testing.assert_allclose(truth["share"], [1 / 2, 1 / 3, 1 / 6])
    directions = truth["direction"].values.reshape(12, -1)
    np.testing.assert_allclose(directions @ directions.T, np.eye(12), atol=1e-12)
    kind = truth["kind_of_word"].values[LARGE.word]
    for category in range(4):
        mine = LARGE.category == category
        sizes = np.bincount(kind[mine]) / mine.sum()
        np.testing.assert_allclose(sizes, truth["share"], atol=1e-3)
        for own in range(3):
            others = ~mine | (kind == own)
            _assert_d_prime(
                x[others] @ truth["direction"].values[category, own],
                (mine & (kind == own))[others],
                STRENGTH,
            )


def test_a_subspace_fills_as_many_dimensions_as_it_has_shares():
    """Words of a category, beyond their mean, vary in r - 1 dimensions that others do not."""
    added = _activations("subspace", strength=4.0) - _activations("subspace", strength=0.0)
    for category in range(4):
        mine = added[LARGE.category == category]
        assert np.linalg.matrix_rank(mine, tol=0.1) == 3
        assert np.linalg.matrix_rank(mine - mine.mean(axis=0), tol=0.1) == 2
    direction = _activations("direction", strength=4.0) - _activations("direction", strength=0.0)
    assert np.linalg.matrix_rank(direction[LARGE.category == 0], tol=0.1) == 1


@pytest.mark.parametrize("n_categories", [2, 3, 5])
def test_each_code_of_xor_is_independent_of_the_category_and_both_say_it(n_categories):
    design = PhantomDesign.balanced(n_categories, 3000, 1, n_units=64)
    x = _activations("xor", design, strength=2.0)
    truth = PHANTOMS["xor"].truth(design, 0)
    key, lock = truth["key"].values, truth["lock"].values
    np.testing.assert_array_equal((key + lock) % n_categories, design.category_of_word)
    for code, name in ((key, "key_direction"), (lock, "lock_direction")):
        counts = np.histogram2d(code, design.category_of_word, bins=n_categories)[0]
        expected = 3000 / n_categories
        assert ((counts - expected) ** 2 / expected).sum() < 4 * n_categories**2
        for value, along in enumerate((x @ truth[name].values.T).T):
            _assert_d_prime(along, code == value, 2.0)
    means = [x[design.category == c].mean(axis=0) for c in range(n_categories)]
    error = x.std(axis=0) / np.sqrt(3000 / 2)
    assert (np.abs(np.diff(means, axis=0)) < 5 * error).all()


def test_products_of_the_codes_read_xor():
    design = PhantomDesign.balanced(n_categories=4, n_words=400, n_frames=1, n_units=64)
    x = _activations("xor", design, strength=3.0)
    truth = PHANTOMS["xor"].truth(design, 0)
    codes = [x @ truth[f"{name}_direction"].values.T for name in ("key", "lock")]
    key, lock = ((code - code.mean(axis=0)) / code.std(axis=0) for code in codes)
    products = (key[:, :, None] * lock[:, None]).reshape(len(x), -1)
    train = np.arange(len(x)) % 2 == 0
    model = RidgeClassifier(alpha=1.0).fit(products[train], design.category[train])
    assert model.score(products[~train], design.category[~train]) > 0.6


def test_a_small_network_reads_xor_where_a_line_does_not():
    design = PhantomDesign.balanced(n_categories=2, n_words=600, n_frames=1, n_units=16)
    x = _activations("xor", design, strength=4.0)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    train = np.arange(len(x)) % 2 == 0
    network = MLPClassifier(32, alpha=1.0, max_iter=500, random_state=0)
    network.fit(x[train], design.category[train])
    line = RidgeClassifier().fit(x[train], design.category[train])
    assert network.score(x[~train], design.category[~train]) > 0.8
    assert line.score(x[~train], design.category[~train]) < 0.57


def test_overshadowed_words_lie_apart_along_their_own_direction_and_anywhere_along_the_plain():
    strength = 100.0  # it drowns the background
    x = _activations("overshadowed", strength=strength, separation=1.5, spread=0.5)
    truth = PHANTOMS["overshadowed"].truth(LARGE, 0, separation=1.5, spread=0.5)
    assert truth["is_faint"].values.tolist() == [False, False, False, True]
    along = x @ truth["direction"].values.T
    category = LARGE.category
    plain, faint = along[category < 3], along[category == 3]
    for owner in range(3):  # one place for all words of a category, another for all others
        own = plain[category[category < 3] == owner]
        assert own[:, owner].std() < 0.05 * np.abs(own[:, owner]).mean()
        ratio = faint[:, owner].std() / own[:, owner].mean()
        assert ratio == pytest.approx(0.5, abs=0.03)
        assert faint[:, owner].mean() / own[:, owner].mean() == pytest.approx(0.0, abs=0.05)
    _assert_d_prime(along[:, 3], category == 3, 1.5)
