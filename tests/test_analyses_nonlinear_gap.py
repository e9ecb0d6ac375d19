"""The non-linear gap is found where it is planted, and a linear code leaves none."""

import numpy as np
import pytest
from scipy import stats

from cortiscope import InputError, Recording
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.nonlinear_gap import nonlinear_gap
from cortiscope.phantoms import PHANTOMS, PhantomDesign

DESIGN = PhantomDesign.balanced(n_categories=2, n_words=60, n_frames=2, n_units=12)
# A smaller choice than the default's: these recordings are small.
QUICK = {
    "hidden": (16,),
    "weight_decay": (1.0,),
    "epochs": (10, 40),
    "n_initialisations": 2,
    "n_permutations": 199,
    "n_bootstrap": 199,
}


def _phantom(name, strength, seed=0, design=DESIGN):
    return PHANTOMS[name].make(design, seed=seed, strength=strength)


def test_the_exclusive_or_is_read_by_the_network_alone():
    result = nonlinear_gap(_phantom("xor", 3.0), **QUICK)
    size = {"layer": 0, "n_training_words": 96}
    assert float(result.estimates["gap"]) > 0.3
    assert float(result.estimates["auc_mlp"].sel(size)) > 0.9
    assert float(result.p_values["gap"]) == 1 / 200
    assert float(result.intervals["gap"].sel(bound="low")) > 0.2
    assert float(result.estimates["peak_gap"]) > 0.3


def test_the_gap_grows_with_the_strength_of_a_code_that_is_not_linear():
    gaps = [
        np.mean(
            [
                float(
                    nonlinear_gap(_phantom("xor", s, seed), curve=False, **QUICK).estimates["gap"]
                )
                for seed in range(3)
            ]
        )
        for s in (0.0, 1.5, 3.0)
    ]
    assert gaps[0] < gaps[1] < gaps[2]


def test_where_categories_are_directions_there_is_no_gap_and_the_network_does_not_fall_short():
    """With the default choice, on ten categories in 160 units."""
    recording = _phantom("direction", 2.0, design=PhantomDesign.balanced())
    result = nonlinear_gap(recording, curve=False, n_permutations=199, n_bootstrap=199)
    assert float(result.estimates["auc_linear"].item()) > 0.95
    assert abs(float(result.estimates["gap"])) < 0.01
    assert float(result.p_values["gap"]) > 0.05


def test_without_an_effect_it_rejects_at_its_rate():
    """Phantoms that hold words and no category."""
    p = [
        float(nonlinear_gap(_phantom("noise", 0.0, seed), curve=False, **QUICK).p_values["gap"])
        for seed in range(40)
    ]
    low, high = stats.binom.interval(0.999, len(p), 0.05)
    assert low <= sum(value <= 0.05 for value in p) <= high


def test_the_curve_counts_training_words_and_its_end_is_the_gap():
    result = nonlinear_gap(_phantom("xor", 2.0), **QUICK)
    assert result.estimates["n_training_words"].values.tolist() == [24, 48, 96]
    end = result.estimates["gap_by_size"].isel(n_training_words=-1).mean("layer")
    assert float(result.estimates["gap"]) == pytest.approx(float(end))
    short = nonlinear_gap(_phantom("xor", 2.0), curve=False, **QUICK)
    for name in ("gap", "peak_gap"):
        assert float(short.estimates[name]) == float(result.estimates[name])
        np.testing.assert_array_equal(short.null[name], result.null[name])
    difference = result.estimates["auc_mlp"] - result.estimates["auc_linear"]
    np.testing.assert_allclose(difference, result.estimates["gap_by_size"], atol=1e-12)


def test_the_layer_of_the_peak_is_chosen_on_other_words():
    """One layer of four holds the code: the peak finds it, the mean over layers dilutes it."""
    x = np.concatenate(
        [_phantom(*case)["resid_post"].values for case in _LAYERS],
        axis=1,
    )
    recording = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    result = nonlinear_gap(recording, curve=False, **QUICK)
    best = float(result.estimates["gap_by_size"].sel(layer=1).item())
    assert float(result.estimates["peak_gap"]) == pytest.approx(best, abs=0.05)
    assert float(result.estimates["gap"]) < 0.5 * best
    assert float(result.p_values["peak_gap"]) == 1 / 200


_LAYERS = [("noise", 0.0, 1), ("xor", 3.0, 0), ("noise", 0.0, 2), ("noise", 0.0, 3)]


def test_order_of_stimuli_and_scale_of_units_do_not_matter():
    recording = _phantom("xor", 2.0)
    x, table = recording["resid_post"].values, recording.table
    order = np.random.default_rng(1).permutation(len(table))
    other = Recording.from_arrays(
        {"resid_post": (8 * x + 1)[order]}, stimuli=table.iloc[order].reset_index()
    )
    first, second = (nonlinear_gap(r, curve=False, **QUICK) for r in (recording, other))
    assert float(first.estimates["gap"]) == pytest.approx(float(second.estimates["gap"]), abs=1e-3)


def test_repeating_gives_the_same_numbers_under_an_id_that_is_known_before():
    recording = _phantom("xor", 2.0)
    first, second = (nonlinear_gap(recording, curve=False, **QUICK) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    instrument = INSTRUMENTS["nonlinear_gap"]
    assert instrument.id_for(recording, curve=False, **QUICK) == first.id
    assert instrument.id_for(recording, curve=True, **QUICK) != first.id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "colour"}, "no label 'colour'"),
        ({"layers": [9]}, "layer 9 of resid_post was not recorded"),
        ({"n_folds": 2}, "n_folds is 2"),
        ({"n_folds": 61}, "fewer than the 61 folds"),
        ({"hidden": (0, 8)}, r"hidden is \[0, 8\]"),
        ({"epochs": (20, 5)}, r"epochs is \[20, 5\]"),
        ({"weight_decay": ()}, r"weight_decay is \[\]"),
        ({"training_shares": (0.5,)}, "the last one 1"),
        ({"n_permutations": 0}, "n_permutations is 0"),
        ({"n_initialisations": 0}, "n_initialisations is 0"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        nonlinear_gap(_phantom("noise", 0.0), **{**QUICK, **arguments})


def test_constant_units_are_named():
    x = np.ones((DESIGN.n_stimuli, 1, 4), dtype=np.float32)
    recording = Recording.from_arrays({"resid_post": x}, stimuli=DESIGN.table)
    with pytest.raises(InputError, match="all units are constant"):
        nonlinear_gap(recording, **QUICK)


def test_its_figure_shows_layers_training_words_and_both_probes():
    result = nonlinear_gap(_phantom("xor", 2.0), **QUICK)
    figure = result.plot()
    drawn = {trace.name: trace for trace in figure.data if trace.mode == "lines+markers"}
    np.testing.assert_allclose(
        drawn["AUC of the network"].y, result.estimates["auc_mlp"].isel(n_training_words=-1)
    )
    subject = [trace for trace in figure.data if (trace.name or "").startswith("phantom:xor")]
    assert [list(trace.x) for trace in subject] == [[0], [24, 48, 96]]
