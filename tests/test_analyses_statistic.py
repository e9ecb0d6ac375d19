"""Statistics as a Result keeps them: nulls, resamples, and what is said beside."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.analyses import Result
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.statistics import percentile_interval

RNG = np.random.default_rng(0)
LAYERS = {"layer": [0, 4, 7]}


def _laid_out(**options):
    return datasets(
        {
            "gap": Statistic(
                ("layer",), [0.5, 1.5, 0.1], RNG.normal(size=(39, 3)), RNG.normal(size=(19, 3))
            ),
            "ratio": Statistic((), 0.8, resamples=RNG.normal(size=19), none=1.0),
            "best": Statistic((), "animal"),
        },
        LAYERS | {"category": ["animal", "tool"]},
        **options,
    )


def test_each_kind_holds_what_was_measured_and_no_more():
    laid_out = _laid_out()
    assert {kind: sorted(held.data_vars) for kind, held in laid_out.items()} == {
        "estimates": ["best", "gap", "ratio"],
        "intervals": ["gap", "ratio"],
        "p_values": ["gap"],
        "null": ["gap"],
        "resamples": ["gap", "ratio"],
    }
    assert laid_out["null"]["gap"].dims == ("permutation", "layer")
    assert laid_out["resamples"]["ratio"].dims == ("resample",)
    assert laid_out["intervals"]["gap"].sel(bound="low", layer=4).dims == ()
    # A dim that no variable has would be a coordinate of nothing.
    assert not any("category" in held.coords for held in laid_out.values())


def test_attributes_say_what_no_effect_is_and_how_p_values_came_about():
    laid_out = _laid_out(exhaustive=True, attrs={"chance": 0.25})
    assert laid_out["estimates"].attrs == {"chance": 0.25}
    assert laid_out["estimates"]["ratio"].attrs == {"none": 1.0}
    assert laid_out["estimates"]["gap"].attrs == {"none": 0.0}
    assert laid_out["null"].attrs == {"exhaustive": 1}
    assert "maximum statistic" in laid_out["p_values"].attrs["correction"]
    assert _laid_out()["null"].attrs == {"exhaustive": 0}


def test_attributes_and_text_survive_being_saved(tmp_path):
    result = Result("demo", subject="nobody", **_laid_out(exhaustive=True, attrs={"chance": 0.25}))
    opened = Result.open(result.save(tmp_path))
    for kind in ("estimates", "intervals", "p_values", "null", "resamples"):
        xr.testing.assert_identical(getattr(opened, kind), getattr(result, kind))
    assert opened.estimates["ratio"].attrs["none"] == 1.0
    assert opened.estimates["best"].item() == "animal"
    assert opened.null.attrs["exhaustive"] == 1


@given(st.integers(0, 1000))
def test_p_values_are_corrected_over_the_places_of_their_variable_alone(seed):
    rng = np.random.default_rng(seed)
    null, estimate = rng.normal(size=(99, 4)), rng.normal(size=4)
    beside = Statistic(("layer",), [9.0, 9, 9, 9], rng.normal(9, 1, (99, 4)))
    laid_out = datasets(
        {"gap": Statistic(("layer",), estimate, null), "beside": beside}, {"layer": range(4)}
    )
    expected = (1 + (null.max(axis=1)[:, None] >= estimate).sum(axis=0)) / 100
    np.testing.assert_allclose(laid_out["p_values"]["gap"].values, expected)


def test_intervals_are_those_of_the_resamples_and_undefined_where_these_are():
    resamples = RNG.normal(size=(200, 3))
    resamples[7, 2] = np.nan
    laid_out = datasets(
        {"gap": Statistic(("layer",), [0.0, 0, np.nan], resamples=resamples)}, LAYERS
    )
    interval = laid_out["intervals"]["gap"].values
    np.testing.assert_array_equal(interval[:, :2], percentile_interval(resamples[:, :2]))
    assert np.isnan(interval[:, 2]).all()


def test_a_place_that_is_not_defined_has_no_p_value_and_harms_no_other():
    null = RNG.normal(size=(99, 2))
    null[:, 1] = np.nan
    laid_out = datasets({"gap": Statistic(("layer",), [9.0, np.nan], null)}, {"layer": [0, 1]})
    p = laid_out["p_values"]["gap"].values
    assert p[0] == pytest.approx(0.01)
    assert np.isnan(p[1])
