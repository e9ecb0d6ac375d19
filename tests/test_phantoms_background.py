"""The background has the variances that it declares, and is the same under every phantom."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cortiscope import InputError, plugins
from cortiscope.phantoms import PHANTOMS, Background, Effect, Phantom, PhantomDesign, registry
from cortiscope.phantoms.background import Rotation

DESIGNS = st.builds(
    PhantomDesign.balanced,
    n_categories=st.integers(2, 6),
    n_words=st.integers(1, 5),
    n_frames=st.integers(1, 3),
    n_units=st.integers(8, 40),
    n_layers=st.integers(1, 3),
)


def _made(name, design, seed=0, strength=1.0, **options):
    recording = PHANTOMS[name].make(design, seed, strength, **options)
    return recording["resid_post"].values


@settings(max_examples=15, deadline=None)
@given(DESIGNS, st.integers(0, 2**32))
def test_every_phantom_at_any_design(design, seed):
    background = _made("noise", design, seed)
    assert background.dtype == np.float32
    for name, phantom in PHANTOMS.items():
        made = _made(name, design, seed)
        assert made.shape == (design.n_stimuli, design.n_layers, design.n_units)
        assert made.tobytes() == _made(name, design, seed).tobytes()
        assert not np.array_equal(made, _made(name, design, seed + 1))
        assert np.array_equal(_made(name, design, seed, strength=0.0), background)
        truth = phantom.truth(design, seed)
        assert truth.sizes["unit"] == design.n_units
        nothing_planted = name == "noise" or (name == "power_law" and not truth["is_massive"].any())
        assert np.array_equal(made, background) == nothing_planted


@settings(max_examples=15, deadline=None)
@given(DESIGNS, st.integers(0, 100))
@pytest.mark.parametrize(
    "name",
    [
        "direction",
        "selective_units",
        "patch",
        "subspace",
        "xor",
        "overshadowed",
        "surface",
        "training_words",
    ],
)
def test_what_is_planted_in_a_word_is_in_all_its_sentences(name, design, seed):
    added = _made(name, design, seed, strength=50.0) - _made(name, design, seed, strength=0.0)
    first = np.unique(design.word, return_index=True)[1][design.word]
    np.testing.assert_allclose(added, added[first], atol=1e-3)
    np.testing.assert_allclose(added, added[:, :1].repeat(design.n_layers, 1), atol=1e-3)


@pytest.mark.parametrize("name", PHANTOMS)
def test_threads_do_not_change_a_byte(name):
    design = PhantomDesign.balanced(n_categories=4, n_words=30, n_units=160, n_layers=2)
    with threadpool_limits(1):
        one = _made(name, design)
    with threadpool_limits(2):
        two = _made(name, design)
    assert one.tobytes() == two.tobytes()


def test_variances_of_words_frames_noise_and_layers_are_as_declared():
    background = Background(word_share=0.7, frame_variance=0.4, layer_correlation=0.6, n_massive=0)
    design = PhantomDesign.balanced(2, 400, 60, n_units=32, n_layers=2, background=background)
    x = _made("noise", design).astype(float).reshape(800, 60, 2, 32)  # word, frame, layer, unit
    of_frame = x.mean(axis=0)
    within = x - of_frame
    of_word = within.mean(axis=1)
    noise = within - of_word[:, None]
    total = np.mean(within.var(axis=0))
    assert total == pytest.approx(1.0, abs=0.05)
    assert of_word.var(axis=0).mean() / total == pytest.approx(0.7, abs=0.02)
    assert noise.var(axis=(0, 1)).mean() / total == pytest.approx(0.3, abs=0.02)
    assert of_frame.var(axis=0).mean() == pytest.approx(0.4, abs=0.15)
    lower, upper = within[:, :, 0].reshape(-1, 32), within[:, :, 1].reshape(-1, 32)
    between = [np.corrcoef(lower[:, unit], upper[:, unit])[0, 1] for unit in range(32)]
    assert np.mean(between) == pytest.approx(0.6, abs=0.03)


def test_a_few_units_are_massive():
    background = Background(frame_variance=0.0, n_massive=2, massive_scale=8.0, massive_mean=40.0)
    design = PhantomDesign.balanced(2, 1000, 1, n_units=64, background=background)
    x = _made("noise", design, seed=3)[:, 0]
    truth = PHANTOMS["noise"].truth(design, seed=3)
    massive = truth["is_massive"].values
    assert massive.sum() == 2
    np.testing.assert_allclose(np.abs(x[:, massive].mean(axis=0)), 40.0, atol=2.0)
    np.testing.assert_allclose(x.std(axis=0), truth["sd"], rtol=0.1)
    assert x[:, massive].std(axis=0).min() > 4 * x[:, ~massive].std(axis=0).max()


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 300), st.integers(0, 1000))
def test_a_rotation_is_orthogonal_and_can_be_undone(n_units, seed):
    rotation = Rotation.draw(np.random.default_rng(seed), n_units)
    matrix = rotation.apply(np.eye(n_units))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(n_units), atol=1e-12)
    np.testing.assert_allclose(rotation.undo(matrix), np.eye(n_units), atol=1e-12)


def test_a_rotation_spreads_every_axis_over_all_units():
    """Squared weights of a uniformly random unit vector have a participation ratio of n/3."""
    matrix = Rotation.draw(np.random.default_rng(0), 1024).apply(np.eye(1024))
    participation = 1 / (matrix**4).sum(axis=1)
    assert np.mean(participation) == pytest.approx(1024 / 3, rel=0.02)
    assert participation.min() > 1024 / 4


def test_a_rotation_puts_units_in_no_order():
    """Neighbours agree by chance as often as in vectors of independent normal numbers."""
    n_units, n_draws = 128, 400
    axes = np.eye(n_units)[0]
    turned = np.stack(
        [Rotation.draw(np.random.default_rng(seed), n_units).apply(axes) for seed in range(n_draws)]
    )
    together = (turned[:, 1:] * turned[:, :-1]).sum(axis=1)
    # Its variance is 1/n; over 400 draws the estimate has a standard error of 7%.
    assert n_units * together.var() == pytest.approx(1, abs=0.28)


def test_a_recording_says_how_it_was_made():
    design = PhantomDesign.balanced(2, 4, 1, n_units=16)
    recording = PHANTOMS["selective_units"].make(design, 3, 0.5, n_selective=2)
    assert recording.name == "phantom:selective_units(n_selective=2, strength=0.5, seed=3)"
    made = recording.provenance["phantom"]
    assert made["design"] == design.fingerprint
    again = PHANTOMS[made["name"]].make(design, made["seed"], made["strength"], **made["options"])
    np.testing.assert_array_equal(again["resid_post"], recording["resid_post"])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("direction", {"strength": -1.0}, "strength of phantom 'direction' is -1.0"),
        ("direction", {"strength": np.nan}, "strength of phantom 'direction' is nan"),
        ("direction", {"seed": -1}, "seed of phantom 'direction' is -1"),
        ("direction", {"width": 2}, "no option 'width'; it takes none"),
        ("patch", {"k": 2}, "no option 'k'; it takes n_selective"),
        ("patch", {"n_selective": 17}, "n_selective is 17; give 1 to 16"),
        ("selective_units", {"n_selective": 16}, "n_selective is 16; give 1 to 15"),
        ("subspace", {"shares": (0.5, 0.0)}, "give numbers above 0"),
        ("overshadowed", {"share_faint": 2.0}, "give a share of 0 to 1"),
        ("surface", {"contrast": 2}, "contrast of the surface is 2"),
        ("training_words", {"identity": -1}, "identity of words is -1"),
        ("modular", {"n_modules": 17}, "n_modules is 17"),
        ("power_law", {"exponent": np.inf}, "exponent of a power law is inf"),
    ],
)
def test_bad_input_is_named(name, arguments, message):
    design = PhantomDesign.balanced(2, 4, 1, n_units=16)
    with pytest.raises(InputError, match=message):
        PHANTOMS[name].make(design, **{"seed": 0, **arguments})


class _Point:
    value = "theirs:phantom"

    def __init__(self, given):
        self._given = given

    def load(self):
        if isinstance(self._given, Exception):
            raise self._given
        return self._given


def _plant_one(scene, rng, *, unit=0):
    values = np.zeros((1, 1, scene.design.n_units), dtype=np.float32)
    values[..., unit] = 1.0
    return Effect(values, {"unit_planted": ((), np.array(unit))})


def test_other_packages_register_phantoms(monkeypatch):
    theirs = Phantom("theirs", "one unit up", "one more", _plant_one)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [_Point([theirs])])
    phantom = registry.registered()["theirs"]
    assert phantom.options == {"unit": 0}
    design = PhantomDesign.balanced(2, 4, 1, n_units=16)
    added = phantom.make(design, 0, 2.0, unit=3)["resid_post"] - _made("noise", design)
    np.testing.assert_allclose(
        added.mean(("stimulus", "layer")), 2.0 * (np.arange(16) == 3), atol=1e-5
    )
    assert phantom.truth(design, 0, unit=3)["unit_planted"] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ImportError("no such module"), "cannot be loaded .ImportError: no such module"),
        ([1], "gives a int"),
        (Phantom("noise", "", "", _plant_one), "'noise', which is there already"),
    ],
)
def test_what_other_packages_get_wrong_is_named(monkeypatch, given, message):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [_Point(given)])
    with pytest.raises(InputError, match=message):
        registry.registered()
