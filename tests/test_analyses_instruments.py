"""What holds of every instrument, those of later too."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

from cortiscope.analyses import INSTRUMENTS, Instrument, Result
from cortiscope.claims.on_phantoms import run_on_phantoms, settings_of_phantoms
from cortiscope.errors import InputError
from cortiscope.phantoms import MODEL_PHANTOMS, PHANTOMS, PhantomDesign
from cortiscope.scanning import Recording

DESIGN = PhantomDesign.balanced(n_categories=3, n_words=12, n_frames=2, n_units=24, n_layers=2)

# Those that read a subject's responses, or other results, have tests of their own.
READING = {
    name: each
    for name, each in INSTRUMENTS.items()
    if each.experiment is None and not each.is_of_series
}

every_instrument = pytest.mark.parametrize("instrument", READING.values(), ids=list(READING))


def recordings_of(instrument: Instrument, design: PhantomDesign = DESIGN) -> list[Recording]:
    return [
        PHANTOMS["direction"].make(design, seed=seed, strength=2.0)
        for seed in range(len(instrument.reads))
    ]


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return {
        name: instrument.run(
            *recordings_of(instrument), **settings_of_phantoms(instrument, n_draws=19)
        )
        for name, instrument in READING.items()
    }


@every_instrument
def test_the_id_is_known_before_the_work_is_done(instrument, results):
    settings = settings_of_phantoms(instrument, n_draws=19)
    assert instrument.id_for(*recordings_of(instrument), **settings) == results[instrument.name].id


@every_instrument
def test_a_result_comes_back_from_disk_as_it_was(instrument, results, tmp_path):
    result = results[instrument.name]
    opened = Result.open(result.save(tmp_path))
    assert opened.id == result.id
    for kind in ("estimates", "intervals", "p_values", "null", "resamples"):
        for name, values in getattr(result, kind).data_vars.items():
            np.testing.assert_array_equal(getattr(opened, kind)[name].values, values.values)


@every_instrument
def test_the_result_says_all_that_it_depends_on(instrument, results):
    result = results[instrument.name]
    assert set(result.parameters) == set(instrument.defaults)
    json.dumps(result.parameters)
    assert set(result.inputs) == set(instrument.reads)
    assert result.analysis == instrument.name
    assert instrument.reference in result.reference
    assert "References" in inspect.getdoc(instrument.run)


@every_instrument
def test_the_headline_is_one_number_of_which_something_can_be_claimed(instrument, results):
    result = results[instrument.name]
    assert result.estimates[instrument.headline].dims == ()
    assert instrument.headline in result.intervals
    low, high = result.intervals[instrument.headline].values
    assert low <= high


@every_instrument
def test_a_figure_is_drawn_of_a_subject_beside_its_twins(instrument, results):
    figure = instrument.figure(
        {"subject": results[instrument.name], "twin 0": results[instrument.name]}
    )
    assert figure.data


@every_instrument
def test_the_same_seed_gives_the_same_numbers(instrument, results):
    again = instrument.run(
        *recordings_of(instrument), **settings_of_phantoms(instrument, n_draws=19)
    )
    assert again._draws_fingerprint == results[instrument.name]._draws_fingerprint


@every_instrument
def test_activations_that_are_not_finite_are_named(instrument):
    # As a store may hold it, which was written by another tool.
    recordings = recordings_of(instrument)
    recordings[0].data["resid_post"].values[5, 1, 3] = np.nan
    stimulus = recordings[0].labels.index[5]
    with pytest.raises(InputError, match=f"(?s){stimulus}.*layer 1, unit 3"):
        instrument.run(*recordings, **settings_of_phantoms(instrument, n_draws=19))


@pytest.mark.parametrize("instrument", INSTRUMENTS.values(), ids=list(INSTRUMENTS))
def test_phantoms_that_it_names_are_there(instrument):
    known = set(PHANTOMS) if instrument.experiment is None else set(MODEL_PHANTOMS)
    assert set(instrument.detects) | set(instrument.silent_on) <= known
    assert not set(instrument.detects) & set(instrument.silent_on)


def test_two_phantoms_of_a_pair_are_not_the_same():
    instrument = INSTRUMENTS["cka"]
    result = run_on_phantoms(
        instrument, "noise", [DESIGN] * 2, settings_of_phantoms(instrument, 19), [0, 0]
    )
    assert result.inputs["recording"] != result.inputs["other"]
    assert float(result.estimates["cka"].max()) < 0.5


def test_what_stimulates_reads_responses():
    for instrument in INSTRUMENTS.values():
        assert (instrument.reads == ("response",)) == (instrument.experiment is not None)


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_every_instrument_of_ours_has_its_name_in_the_package(name):
    import cortiscope

    assert getattr(cortiscope, name) is INSTRUMENTS[name].run
