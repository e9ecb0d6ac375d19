"""Steerability gives back what was planted in a response, and plans what it says."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from cortiscope import InputError, Recording
from cortiscope.analyses import INSTRUMENTS
from cortiscope.analyses.concept_rank import concept_rank
from cortiscope.analyses.dimensionality import dimensionality
from cortiscope.analyses.steerability import steerability
from cortiscope.analyses.steerability_experiment import steerability_experiment
from cortiscope.stimulation import Inject, Response
from cortiscope.stimuli import StimulusSet

DOSES = (0.25, 0.5, 1.0)
N_DRAWS = 4


def _stimuli(n_categories=5, n_words=6):
    words = {
        f"kind{c}": [f"{'abcdefgh'[c]}{'klmnopqrst'[w]}" for w in range(n_words)]
        for c in range(n_categories)
    }
    return StimulusSet.from_words(words, {"card": "The card said {word}.", "map": "My {word}"})


def _recording(stimuli, n_layers=3, n_units=24, seed=0):
    rng = np.random.default_rng(seed)
    label = pd.factorize(stimuli.table["category"])[0]
    x = rng.normal(size=(len(stimuli), n_layers, n_units))
    x += 4.0 * rng.normal(size=(label.max() + 1, n_layers, n_units))[label]
    return Recording.from_arrays({"resid_post": x}, stimuli=stimuli)


def _plan(n_categories=5, **given):
    stimuli = _stimuli(n_categories)
    settings = {"doses": DOSES, "n_draws": N_DRAWS, "dimensions": False, **given}
    return steerability_experiment(_recording(stimuli), stimuli, **settings), settings


def _response(experiment, log_odds, perplexity=None):
    """What a subject would give that answers by a formula.

    `log_odds` takes a condition's labels, the number of a word, its concept and the concept asked.
    """
    conditions = experiment.conditions
    table = experiment.stimuli.table
    of_word = table["category"].tolist()
    concepts = sorted(set(of_word))
    values = np.array(
        [
            [
                [log_odds(c.labels, w, own, asked) for asked in concepts]
                for w, own in enumerate(of_word)
            ]
            for c in conditions
        ]
    )
    ratio = [1.0 if perplexity is None else perplexity(c.labels) for c in conditions]
    labels = pd.DataFrame([dict(c.labels) for c in conditions])
    data = xr.Dataset(
        {
            "answers_log_odds": (("condition", "stimulus", "category"), values),
            "perplexity": ("condition", 20.0 * np.array(ratio)),
        },
        {
            "condition": [c.name for c in conditions],
            "stimulus": table["stimulus_id"].tolist(),
            "category": concepts,
            "stimulus_category": ("stimulus", of_word),
            **{name: ("condition", labels[name].to_numpy()) for name in labels},
        },
    )
    return Response(data, [], {"subject": {"name": "formula"}})


def _linear(slopes, *, random=0.0):
    """Every concept has a slope; random directions push all names alike, whichever way."""

    def log_odds(labels, word, own, asked):
        start = 5.0 * (own == asked) - word
        if labels["kind"] == "concept":
            # In words of the concept itself, which do not count, all is different.
            slope = 99.0 if own == labels["concept"] else slopes[int(labels["concept"][-1])]
            return start + labels["dose"] * slope * (asked == labels["concept"])
        return start + abs(labels["dose"]) * random

    return log_odds


def _with_dimensions(response, rank_area, participation):
    concept = response.data["concept"].values
    labels = {
        name: ("condition", np.array([values[int(c[-1])] if c else 0.0 for c in concept]))
        for name, values in (("rank_area", rank_area), ("participation_ratio", participation))
    }
    return Response(response.data.assign_coords(labels), [], response.provenance)


def test_the_slopes_that_were_planted_come_back_less_those_of_random_directions():
    experiment, settings = _plan()
    slopes = [3.0, 2.0, 1.0, 0.0, -1.0]
    response = _response(experiment, _linear(slopes, random=0.5))
    result = steerability(response, **settings, n_permutations=99, n_bootstrap=50)
    found = result.estimates.sel(layer=1)
    np.testing.assert_allclose(found["slope"], slopes)
    np.testing.assert_allclose(found["random_slope"], 0.5)
    np.testing.assert_allclose(found["steerability"], np.array(slopes) - 0.5)
    np.testing.assert_allclose(found["steerability_isotropic"], np.array(slopes) - 0.5)
    np.testing.assert_allclose(found["steerability_flipped"], -np.array(slopes) - 0.5)
    assert float(result.estimates["mean_steerability"]) == pytest.approx(0.5)
    np.testing.assert_allclose(found["change"].sel(signed_dose=-0.5), -0.5 * np.array(slopes))
    assert result.n["n_concepts"] == 5


def test_slopes_are_over_the_doses_at_which_no_concept_damages_language():
    """Above a dose of .5 the answers are ten times as large: they are to count for nothing."""
    experiment, settings = _plan()

    def log_odds(labels, word, own, asked):
        dose = labels["dose"] * (10.0 if abs(labels["dose"]) > 0.5 else 1.0)
        return _linear([1.0] * 5)({**labels, "dose": dose}, word, own, asked)

    def perplexity(labels):
        if labels["kind"] == "clean":
            return 1.0
        return 1.5 if (labels["concept"], labels["dose"]) == ("kind3", 1.0) else 1.1

    response = _response(experiment, log_odds, perplexity)
    result = steerability(response, **settings, n_permutations=20, n_bootstrap=10)
    assert result.estimates["admitted"].values.tolist() == [[1.0, 1.0, 0.0]]
    np.testing.assert_allclose(result.estimates["slope"], 1.0)
    wide = steerability(response, **settings, bound=2.0, n_permutations=20, n_bootstrap=10)
    assert wide.estimates["admitted"].values.all()
    assert (wide.estimates["slope"] > 5).all()
    every = steerability(response, **settings, bound=None, n_permutations=20, n_bootstrap=10)
    assert every.estimates["admitted"].values.all()
    with pytest.raises(InputError, match="give smaller doses"):
        steerability(response, **settings, bound=1.05, n_permutations=20, n_bootstrap=10)


def test_a_larger_dose_does_not_count_again_where_a_smaller_one_did_damage():
    experiment, settings = _plan()
    response = _response(
        experiment, _linear([1.0] * 5), lambda labels: 1.5 if labels["dose"] == 0.5 else 1.0
    )
    result = steerability(response, **settings, n_permutations=20, n_bootstrap=10)
    assert result.estimates["admitted"].values.tolist() == [[1.0, 0.0, 0.0]]


def test_the_slope_is_the_least_squares_slope_through_the_origin():
    experiment, settings = _plan()

    def log_odds(labels, word, own, asked):
        return labels["dose"] ** 3 * (asked == labels["concept"]) if labels["concept"] else 0.0

    result = steerability(
        _response(experiment, log_odds), **settings, n_permutations=20, n_bootstrap=10
    )
    x = np.array(DOSES)
    wanted = np.linalg.lstsq(x[:, None], x**3, rcond=None)[0][0]
    np.testing.assert_allclose(result.estimates["slope"], wanted)


def test_correlations_are_those_of_scipy_and_their_p_values_exact():
    n = 5
    experiment, settings = _plan(n, dimensions=True)
    slopes = [3.0, 2.0, 1.7, 0.2, -1.0]
    area, participation = [2.0, 6.0, 4.0, 9.0, 7.0], [10.0, 30.0, 20.0, 90.0, 15.0]
    response = _with_dimensions(_response(experiment, _linear(slopes)), area, participation)
    result = steerability(response, **settings, n_permutations=500, n_bootstrap=200)
    of = result.estimates
    assert float(of["correlation"]) == pytest.approx(stats.pearsonr(slopes, area)[0])
    assert float(of["spearman"]) == pytest.approx(stats.spearmanr(slopes, area)[0])
    assert float(of["correlation_participation"]) == pytest.approx(
        stats.pearsonr(slopes, participation)[0]
    )
    assert float(of["spearman_participation"]) == pytest.approx(
        stats.spearmanr(slopes, participation)[0]
    )
    exact = stats.permutation_test(
        (slopes,),
        lambda y: abs(stats.pearsonr(y, area)[0]),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
    ).pvalue
    assert float(result.p_values["correlation"]) == pytest.approx(exact)
    low, high = result.intervals["correlation"].values
    assert low < float(of["correlation"]) < high
    assert float(of["smallest_detectable_correlation"]) > 0.95
    np.testing.assert_allclose(of["rank_area"].values[0], area)


def test_too_few_concepts_or_equal_dimensions_have_no_correlation():
    slopes = [3.0, 2.0, 1.7, 0.2, -1.0]
    three, settings = _plan(3, dimensions=True)
    response = _with_dimensions(_response(three, _linear(slopes)), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    result = steerability(response, **settings, n_permutations=20, n_bootstrap=10)
    assert np.isnan(result.estimates["correlation"])
    assert np.isnan(result.estimates["smallest_detectable_correlation"])
    five, settings = _plan(5, dimensions=True)
    response = _with_dimensions(_response(five, _linear(slopes)), [4.0] * 5, range(1, 6))
    result = steerability(response, **settings, n_permutations=20, n_bootstrap=10)
    assert np.isnan(result.estimates["correlation"])
    assert np.isnan(result.p_values["correlation"])
    assert np.isfinite(result.estimates["correlation_participation"])


def test_directions_that_are_no_better_than_random_ones_are_found_as_often_as_the_level_says():
    experiment, settings = _plan(4)
    p_values = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        # The slope of every direction, in every concept; turned round it is another's.
        slope = {
            (c.labels["kind"], c.labels["concept"], c.labels["draw"], np.sign(c.labels["dose"])): (
                rng.normal(size=4)
            )
            for c in experiment.conditions
        }

        def log_odds(labels, word, own, asked, slope=slope):
            key = (labels["kind"], labels["concept"], labels["draw"], np.sign(labels["dose"]))
            return abs(labels["dose"]) * slope[key][int(asked[-1])]

        result = steerability(
            _response(experiment, log_odds), **settings, n_permutations=99, n_bootstrap=2
        )
        p_values.append(float(result.p_values["mean_steerability"]))
    share = np.mean(np.array(p_values) <= 0.2)
    assert stats.binomtest(round(share * 150), 150, 0.2).pvalue > 0.01


def test_all_directions_are_equally_long_and_turned_round():
    experiment, _ = _plan(n_categories=3)
    clean, *others = experiment.conditions
    assert not clean.interventions
    lengths = set()
    for condition in others:
        [inject] = condition.interventions
        assert isinstance(inject, Inject)
        assert inject.dose == condition.labels["dose"]
        lengths.add(round(inject.direction.scale, 6))
        assert condition.labels["length"] == inject.direction.scale
    assert len(lengths) == 1
    kinds = pd.Series([condition.labels["kind"] for condition in others]).value_counts()
    n_both_ways = 2 * len(DOSES)
    assert kinds["concept"] == 3 * n_both_ways
    assert kinds["covariance"] == kinds["isotropic"] == N_DRAWS * n_both_ways


def test_directions_are_fitted_on_words_that_are_not_shown():
    experiment, _ = _plan()
    shown = set(experiment.stimuli.table["word"])
    fitted = set()
    for condition in experiment.conditions[1:]:
        fitted |= set(condition.interventions[0].direction.origin.get("words", ()))
    assert fitted
    assert not fitted & shown


def test_dimensions_are_those_of_their_instruments():
    stimuli = _stimuli(3, 8)
    recording = _recording(stimuli)
    experiment = steerability_experiment(
        recording, stimuli, layers=[2], doses=(1.0,), n_draws=1, n_directions=5
    )
    settings = {"layers": [2], "n_permutations": 199}
    area = concept_rank(recording, **settings, n_directions=5, n_bootstrap=2, erasers=False)
    ratio = dimensionality(recording, layers=[2])
    for condition in experiment.conditions:
        if concept := condition.labels["concept"]:
            at = {"layer": 2, "category": concept}
            assert condition.labels["rank_area"] == float(area.estimates["area"].sel(at))
            wanted = float(ratio.estimates["participation_ratio"].sel(at))
            np.testing.assert_allclose(condition.labels["participation_ratio"], wanted)


def test_id_is_known_before_and_the_result_is_saved_and_drawn(tmp_path):
    experiment, settings = _plan(5, dimensions=True)
    response = _with_dimensions(
        _response(experiment, _linear(range(5))), range(1, 6), range(6, 1, -1)
    )
    settings |= {"n_permutations": 20, "n_bootstrap": 10}
    result = steerability(response, **settings)
    assert result.id == INSTRUMENTS["steerability"].id_for(response, **settings)
    result.save(tmp_path)
    figure = INSTRUMENTS["steerability"].figure({"formula": result, "twin 0": result})
    names = {trace.name for trace in figure.data}
    assert {"kind0", "twin 0"} <= names
    without = steerability(
        _response(_plan()[0], _linear(range(5))), **(settings | {"dimensions": False})
    )
    assert "correlation" not in without.estimates
    assert INSTRUMENTS["steerability"].figure({"formula": without}).data


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"doses": ()}, "doses"),
        ({"doses": (0.0, 1.0)}, "doses"),
        ({"doses": (1.0, 1.0)}, "doses"),
        ({"n_draws": 0}, "n_draws"),
        ({"layers": [9]}, "layer 9"),
        ({"layers": []}, "layers is empty"),
        ({"target": "colour"}, "no label 'colour'"),
    ],
)
def test_what_cannot_be_planned_is_said(given, message):
    with pytest.raises(InputError, match=message):
        _plan(**given)


def test_a_response_with_other_parameters_is_refused():
    experiment, settings = _plan()
    response = _response(experiment, _linear(range(5)))
    with pytest.raises(InputError, match="n_words"):
        steerability(response, **settings, n_words=2)
    with pytest.raises(InputError, match="bound"):
        steerability(response, **settings, bound=1.0)
    fewer = Response(response.data.isel(condition=slice(0, -1)), [], {})
    with pytest.raises(InputError, match="lacks an injection"):
        steerability(fewer, **settings)
    other = response.data.assign_coords(
        stimulus_category=("stimulus", ["x"] * len(experiment.stimuli))
    )
    with pytest.raises(InputError, match="give answers"):
        steerability(Response(other, [], {}), **settings)


def test_several_layers_are_averaged():
    experiment, settings = _plan(5, layers=[0, 2], dimensions=True)
    slopes = np.array([[3.0, 2.0, 1.0, 0.5, 0.0], [1.0, 4.0, 2.0, 0.0, 3.0]])

    def log_odds(labels, word, own, asked):
        if labels["kind"] != "concept" or asked != labels["concept"]:
            return 0.0
        return labels["dose"] * slopes[labels["steered_layer"] // 2, int(asked[-1])]

    area = np.array([5.0, 2.0, 8.0, 1.0, 4.0])
    response = _with_dimensions(_response(experiment, log_odds), area, area)
    result = steerability(response, **settings, n_permutations=20, n_bootstrap=10)
    wanted = np.mean([stats.pearsonr(of, area)[0] for of in slopes])
    assert float(result.estimates["correlation"]) == pytest.approx(wanted)
    assert float(result.estimates["mean_steerability"]) == pytest.approx(slopes.mean())


def test_a_concept_of_few_words_has_a_dimension_that_is_not_defined_and_can_still_be_planned():
    stimuli = _stimuli(4, 5)
    x = np.random.default_rng(3).normal(size=(len(stimuli), 1, 200)).round(1)
    x[stimuli.table["category"] == "kind0"] = 7.0  # words that do not differ
    recording = Recording.from_arrays({"resid_post": x}, stimuli=stimuli)
    experiment = steerability_experiment(recording, stimuli, doses=(1.0,), n_draws=2)
    ratios = {
        c.labels["concept"]: c.labels["participation_ratio"]
        for c in experiment.conditions
        if c.labels["concept"]
    }
    assert np.isnan(ratios["kind0"])
    response = _response(experiment, _linear(range(4)))
    given = {"doses": (1.0,), "n_draws": 2, "n_permutations": 20, "n_bootstrap": 10}
    result = steerability(response, **given)
    # Three of the four concepts are left.
    assert np.isnan(result.estimates["correlation_participation"])


def test_concepts_that_no_probe_reads_are_left_out_of_the_correlation_with_rank():
    """An area of 0 is no small number of dimensions."""
    slopes = [3.0, 2.0, 1.7, 0.2, -1.0, 0.9]
    area, ratio = [2.0, 0.0, 4.0, 9.0, 7.0, 3.0], [1.0, 2.0, 3.0, np.nan, 4.0, np.nan]
    experiment, settings = _plan(6, dimensions=True)
    response = _with_dimensions(_response(experiment, _linear(slopes)), area, ratio)
    result = steerability(response, **settings, n_permutations=500, n_bootstrap=10)
    kept = [0, 2, 3, 4, 5]
    some = [slopes[at] for at in kept], [area[at] for at in kept]
    assert float(result.estimates["correlation"]) == pytest.approx(stats.pearsonr(*some)[0])
    assert float(result.estimates["spearman"]) == pytest.approx(stats.spearmanr(*some)[0])
    wanted = stats.pearsonr([3.0, 2.0, 1.7, -1.0], [1.0, 2.0, 3.0, 4.0])[0]
    assert float(result.estimates["correlation_participation"]) == pytest.approx(wanted)
    exact = stats.permutation_test(
        (some[0],),
        lambda y: abs(stats.pearsonr(y, some[1])[0]),
        permutation_type="pairings",
        n_resamples=np.inf,
        alternative="greater",
    ).pvalue
    everything = steerability(response, **settings, n_permutations=719, n_bootstrap=10)
    assert float(everything.p_values["correlation"]) == pytest.approx(exact)
    assert len(INSTRUMENTS["steerability"].figure({"formula": result}).data) > 6
