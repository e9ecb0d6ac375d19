"""The functional localiser: units that are planted are found, and nothing where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, ttest_ind

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.analyses.figures.localize import selective_units_by_layer
from cortiscope.analyses.localize import localize
from cortiscope.errors import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.scanning import Recording

DRAWS: dict[str, Any] = {"n_permutations": 199, "n_jackknife": 99}
N_UNITS = 60


def texts(n: int = 96) -> pd.DataFrame:
    """Sentences and lists of nonwords, shown in four lists."""
    return pd.DataFrame(
        {
            "stimulus_id": [f"s{i}" for i in range(n)],
            "word": [f"s{i}" for i in range(n)],
            "category": ["sentence", "nonwords"] * (n // 2),
            "frame": [f"list {i * 4 // n}" for i in range(n)],
        }
    )


def made(
    planted: dict[tuple[int, int], float] | None = None, seed: int = 0, n: int = 96
) -> Recording:
    """Noise, in which units (layer, unit) prefer sentences by so much."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3, N_UNITS))
    for (layer, unit), effect in (planted or {}).items():
        x[::2, layer, unit] += effect
    return Recording.from_arrays({"resid_post": x}, stimuli=texts(n), name="made")


PLANTED = {(1, 7): 2.0, (2, 11): 2.0}


@pytest.fixture(scope="module")
def found() -> Result:
    return localize(made(PLANTED), **DRAWS)


def test_planted_units_are_found_in_their_layers(found: Result) -> None:
    estimates = found.estimates
    # 1% of 180 units: the two that were planted.
    assert found.n["n_chosen"] == 2
    chosen = zip(estimates["chosen_layer"].values, estimates["chosen_unit"].values, strict=True)
    assert {(int(layer), int(unit)) for layer, unit in chosen} == set(PLANTED)
    assert estimates["share_chosen"].values.tolist() == pytest.approx([0, 1 / N_UNITS, 1 / N_UNITS])
    assert float(estimates["chosen_overlap"]) == 1.0
    # d' of 2 within its standard error, about sqrt(2 / 48) * sqrt(1 + 2**2 / 8) for each unit.
    assert abs(float(estimates["chosen_d_prime"]) - 2) < 4 * np.sqrt(2 / 48 * 1.5 / 2)
    assert float(found.p_values["chosen_d_prime"]) == 1 / 200
    low, high = found.intervals["chosen_d_prime"].values
    assert low < float(estimates["chosen_d_prime"]) < high


def test_significant_units_are_those_of_scipy(found: Result) -> None:
    x = made(PLANTED)["resid_post"].values.reshape(96, -1)
    p_value = ttest_ind(x[::2], x[1::2], equal_var=False, alternative="greater").pvalue
    expected = (false_discovery_control(p_value) < 0.05).reshape(3, N_UNITS).mean(axis=1)
    np.testing.assert_allclose(found.estimates["share_significant"].values, expected)


def test_noise_has_no_units_of_its_own() -> None:
    p_values = []
    for seed in range(40):
        result = localize(made(seed=seed), by_layer=False, n_permutations=99, n_jackknife=5)
        p_values.append(float(result.p_values["chosen_d_prime"]))
        assert "held_out_d_prime" not in result.estimates
    # Binomial(40, .05): more than 7 in less than one case in a thousand.
    assert np.sum(np.array(p_values) <= 0.05) <= 7


def test_what_lists_share_is_not_taken_for_a_preference() -> None:
    """Lists differ, and three quarters of sentences are in one: only strata hold that apart."""
    rng = np.random.default_rng(0)
    table = texts(160)
    table["frame"] = np.where(np.arange(160) < 80, "early", "late")
    is_early = np.arange(160) < 80
    kind = np.where(is_early, np.arange(160) % 4 > 0, np.arange(160) % 4 == 0)
    table["category"] = np.where(kind, "sentence", "nonwords")
    x = rng.normal(size=(160, 1, 40)) + 2.0 * is_early[:, None, None]
    recording = Recording.from_arrays({"resid_post": x}, stimuli=table)
    settings: dict[str, Any] = {"by_layer": False, **DRAWS}
    assert localize(recording, **settings).p_values["chosen_d_prime"] > 0.01
    blind = localize(recording, strata=None, **settings)
    assert blind.p_values["chosen_d_prime"] < 0.01


def test_conventions_differ_where_signs_do() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(96, 1, 100))
    x[::2, 0, :3] *= 6  # further from zero, either way
    x[::2, 0, 3:6] += 1.5
    recording = Recording.from_arrays({"resid_post": x}, stimuli=texts())
    tops = {
        convention: set(
            localize(recording, convention=convention, top_share=0.03, **DRAWS)
            .estimates["chosen_unit"]
            .values.tolist()
        )
        for convention in ("signed", "absolute")
    }
    assert tops["signed"] == {3, 4, 5}
    assert tops["absolute"] == {0, 1, 2}


def test_any_contrast_of_two_values_will_do() -> None:
    rng = np.random.default_rng(0)
    table = texts()
    table["story"] = np.array(["belief", "photo", "other"])[np.arange(96) % 3]
    x = rng.normal(size=(96, 2, 50))
    x[table["story"] == "belief", 1, 9] += 3
    recording = Recording.from_arrays({"resid_post": x}, stimuli=table)
    result = localize(recording, "story", positive="belief", negative="photo", **DRAWS)
    assert result.n["n_stimuli"] == 64
    assert result.estimates["chosen_unit"].values.tolist() == [9]
    assert result.estimates.attrs["contrast"] == "belief > photo"
    others = localize(recording, "story", positive="belief", negative=None, **DRAWS)
    assert others.n["n_stimuli"] == 96
    assert others.estimates["chosen_unit"].values.tolist() == [9]


def test_stimuli_of_a_word_are_one_sample() -> None:
    """Frames cross words: their number must not make a preference."""
    design = PhantomDesign.balanced(n_categories=2, n_words=12, n_frames=3, n_units=48)
    phantom = PHANTOMS["training_words"].make(design, seed=0, strength=1.0)
    result = localize(phantom, positive=None, negative=None, **DRAWS)
    assert result.n["n_words"] == 24
    assert result.p_values["chosen_d_prime"] > 0.01


def test_id_is_known_before_and_parameters_are_all() -> None:
    recording = made()
    result = localize(recording, top_share=0.05, by_layer=False, **DRAWS)
    instrument = INSTRUMENTS["localize"]
    assert instrument.id_for(recording, top_share=0.05, by_layer=False, **DRAWS) == result.id
    assert set(result.parameters) == set(instrument.defaults)


def test_figure_shows_every_recording(found: Result) -> None:
    figure = selective_units_by_layer({"subject": found, "twin 0": localize(made(), **DRAWS)})
    names = {trace.name for trace in figure.data}
    assert {"subject", "untrained twins"} <= names or {"subject", "twin 0"} <= names
    assert "sentence > nonwords" in figure.layout.annotations[0].text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"positive": "poem"}, "category has no value 'poem'"),
        ({"positive": "nonwords"}, "contrasted with itself"),
        ({"convention": "squared"}, "convention is 'squared'"),
        ({"top_share": 0.0}, "top_share is 0.0"),
        ({"target": "colour"}, "no label 'colour'"),
        ({"groups": "frame"}, "is of both kinds"),
        ({"n_permutations": 0}, "n_permutations is 0"),
        ({"n_splits": 0}, "n_splits is 0"),
    ],
)
def test_bad_input_is_said_in_a_sentence(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        localize(made(), **{**DRAWS, **changed})


def test_few_texts_are_refused() -> None:
    with pytest.raises(InputError, match="4 words against 4"):
        localize(made(n=8), **DRAWS)
