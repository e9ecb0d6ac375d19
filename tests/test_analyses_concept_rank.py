"""Rank and depth find what is planted, keep their error rate, and say what they count."""

import numpy as np
import pytest
from scipy import stats

from cortiscope import InputError, PhantomDesign, Recording, decode
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.concept_rank import concept_rank
from cortiscope.phantoms import PHANTOMS
from cortiscope.statistics import Null

FAST = {"n_permutations": 99, "n_bootstrap": 49, "erasers": False}


def _design(n_categories=4, n_words=20, n_units=32, n_layers=1):
    return PhantomDesign.balanced(n_categories, n_words, n_units=n_units, n_layers=n_layers)


def _phantom(name, strength, seed=0, **design):
    return PHANTOMS[name].make(_design(**design), seed=seed, strength=strength)


def _at_layer(recording, layer, n_layers=3):
    """The recording at one layer, its background of other seeds at the others."""
    x = recording["resid_post"].values[:, 0]
    others = [_phantom("noise", 1.0, seed=90 + i)["resid_post"].values[:, 0] for i in range(9)]
    layers = [x if index == layer else others[index] for index in range(n_layers)]
    return Recording.from_arrays({"resid_post": np.stack(layers, 1)}, stimuli=recording.table)


def test_a_category_counts_at_the_layer_where_it_is():
    recording = _at_layer(_phantom("direction", 4.0), layer=1)
    result = concept_rank(recording, **FAST)
    estimates = result.estimates
    assert (estimates["rank"].sel(layer=1) >= 1).all()
    assert (result.p_values["rank"].sel(layer=1) <= 0.05).all()
    assert float(estimates["rank"].sel(layer=[0, 2]).mean()) < 0.6
    assert (estimates["depth"] >= 1 / 3).all()
    assert float(estimates["mean_depth"]) < 0.5
    assert float(result.p_values["mean_rank"]) == 0.01


def test_the_first_probe_is_that_of_decoding():
    recording = _phantom("direction", 1.0)
    rank, decoded = concept_rank(recording, **FAST), decode(recording, n_permutations=9)
    first = rank.estimates["auc_after"].sel(n_removed=0, drop=True)
    np.testing.assert_allclose(first, decoded.estimates["auc"], atol=1e-12)


def test_depth_is_the_share_of_layers_where_decoding_is_significant():
    recording = _at_layer(_phantom("direction", 0.7), layer=1)
    result = concept_rank(recording, **FAST)
    decoded = decode(recording, n_permutations=99)
    null = decoded.null["auc"].max("layer").values
    p = Null(null[:, None]).p_value(decoded.estimates["auc"].values)
    np.testing.assert_array_equal(result.estimates["depth"], (p <= 0.05).mean(axis=0))
    assert 0 < float(result.estimates["mean_depth"]) < 1 / 3
    where = result.estimates["rank"].values[p <= 0.05].mean()
    assert float(result.estimates["mean_rank_where_decodable"]) == pytest.approx(where)


def test_the_mean_rank_grows_with_the_strength_of_a_direction():
    means = [
        np.mean(
            [
                float(concept_rank(_phantom("direction", s, i), **FAST).estimates["mean_rank"])
                for i in range(4)
            ]
        )
        for s in (0.0, 1.0, 3.0, 8.0)
    ]
    assert means[0] < 0.5
    assert (np.diff(means) > 0).all()


def test_with_a_large_penalty_one_direction_is_all_there_is():
    """The probe's direction is then the difference in means, after which no mean differs."""
    result = concept_rank(_phantom("direction", 8.0), ridge=1e6, **FAST)
    assert (result.estimates["rank"] == 1).all()
    first = result.estimates["auc_after"].sel(n_removed=0)
    np.testing.assert_allclose(result.estimates["area"], 2 * first - 1)


def test_without_an_effect_it_rejects_at_its_rate():
    n_studies = 120
    p = [
        concept_rank(
            _phantom("noise", 1.0, seed=s, n_categories=3, n_words=10, n_units=12),
            **{**FAST, "n_bootstrap": 2, "n_permutations": 59, "n_directions": 5, "seed": s},
        ).p_values
        for s in range(n_studies)
    ]
    for name in ("mean_rank", "mean_area", "mean_depth"):
        rejected = sum(float(values[name]) <= 0.05 for values in p)
        assert rejected <= stats.binom.ppf(0.999, n_studies, 0.05)


def test_the_null_holds_ranks_of_permuted_labels():
    """A permutation has a rank where its first AUC is among the highest: at most one in 20."""
    result = concept_rank(_phantom("direction", 4.0), **{**FAST, "n_permutations": 999})
    null = result.null["rank"].values
    assert 0.02 <= (null > 0).mean() <= 0.05
    assert ((null > 0) == (result.null["area"].values > 0)).all()


def test_resamples_surround_the_estimate():
    result = concept_rank(_phantom("direction", 2.0), **{**FAST, "n_bootstrap": 400})
    for name in ("mean_rank", "mean_area", "mean_depth"):
        low, high = result.intervals[name].values
        assert low <= float(result.estimates[name]) <= high
    low, high = (result.intervals["auc_after"].sel(bound=bound) for bound in ("low", "high"))
    curve = result.estimates["auc_after"]
    assert ((low <= curve) & (curve <= high)).mean() > 0.99
    assert "auc_after" not in result.resamples


def test_erasers_hide_a_direction_from_every_probe():
    result = concept_rank(
        _phantom("direction", 4.0, n_units=16), **{**FAST, "erasers": True, "mlp": True}
    )
    for name in ("mean_linear_auc", "mean_mlp_auc"):
        auc = result.estimates[name]
        assert float(auc.sel(eraser="none")) > 0.9
        assert (abs(auc.sel(eraser=["mean_difference", "leace"]) - 0.5) < 0.1).all()


def test_erasers_leave_what_is_not_linear():
    recording = _phantom("xor", 8.0, n_categories=2, n_words=60, n_units=16)
    result = concept_rank(recording, **{**FAST, "erasers": True, "mlp": True})
    assert float(result.p_values["mean_rank"]) > 0.05
    assert float(result.estimates["mean_linear_auc"].sel(eraser="leace")) < 0.65
    assert float(result.estimates["mean_mlp_auc"].sel(eraser="leace")) > 0.9


def test_a_network_reads_units_even_where_they_outnumber_stimuli():
    recording = _phantom("direction", 8.0, n_categories=2, n_words=10, n_units=100)
    result = concept_rank(recording, **{**FAST, "erasers": True, "mlp": True})
    auc = result.estimates["mean_mlp_auc"]
    assert float(auc.sel(eraser="none")) > 0.9
    assert float(auc.sel(eraser="mean_difference")) < 0.8


def test_a_held_out_frame_is_never_trained_on():
    rng = np.random.default_rng(0)
    recording = _phantom("noise", 1.0)
    labels = recording.labels
    x = recording["resid_post"].values.copy()
    only_here = (labels["frame"] == "frame-1").to_numpy()
    category = labels["category"].astype("category").cat.codes.to_numpy()
    x[only_here, 0] += 5 * rng.normal(size=(4, 32))[category[only_here]]
    leaking = Recording.from_arrays({"resid_post": x}, stimuli=recording.table)
    assert float(concept_rank(leaking, **FAST).p_values["mean_rank"]) <= 0.05
    assert float(concept_rank(leaking, cross="frame", **FAST).p_values["mean_rank"]) > 0.05


def test_the_id_is_known_before_the_work_and_repeating_gives_the_same_numbers():
    recording = _phantom("direction", 1.0)
    first, second = concept_rank(recording, **FAST), concept_rank(recording, **FAST)
    assert INSTRUMENTS["concept_rank"].id_for(recording, **FAST) == first.id
    assert first.fingerprint == second.fingerprint


def test_its_switches_spare_the_variables_that_they_name():
    instrument = INSTRUMENTS["concept_rank"]
    result = instrument.run(_phantom("noise", 1.0), n_permutations=19, n_bootstrap=9, mlp=True)
    for variables in instrument.switches.values():
        assert set(variables) <= set(result.estimates)
    assert instrument.only("mean_rank") == {"erasers": False, "mlp": False}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_directions": 0}, "n_directions is 0: take out at least 1"),
        ({"target": "colour"}, "no label 'colour': choose one of"),
        ({"layers": [9]}, "layer 9 of resid_post was not recorded"),
        ({"n_folds": 21}, "fewer than the 21 folds"),
        ({"ridge": 0.0}, "ridge is 0.0: give a positive multiple"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        concept_rank(_phantom("noise", 1.0), **{**FAST, **arguments})


def test_constant_units_are_named():
    recording = _phantom("noise", 1.0)
    x = np.ones_like(recording["resid_post"].values)
    constant = Recording.from_arrays({"resid_post": x}, stimuli=recording.table)
    with pytest.raises(InputError, match="all units are constant"):
        concept_rank(constant, **FAST)


def test_its_figure_shows_curves_and_ranks_of_all():
    results = {
        "subject": concept_rank(_phantom("direction", 4.0), **FAST),
        **{f"twin {i}": concept_rank(_phantom("noise", 1.0, seed=i), **FAST) for i in range(2)},
    }
    figure = INSTRUMENTS["concept_rank"].figure(results)
    curve = next(trace for trace in figure.data if trace.name == "subject")
    expected = results["subject"].estimates["auc_after"].mean(["layer", "category"])
    np.testing.assert_allclose(curve.y, expected)
    for panel in ("y", "y2"):
        twins = [t for t in figure.data if t.name == "untrained twins" and t.yaxis == panel]
        assert len(twins) == 2
    assert sum(bool(trace.showlegend) for trace in figure.data) == 5
