"""Running an instrument on phantoms: one recording of each, a pair, or a model stimulated."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cortiscope.analyses import Instrument, Result
from cortiscope.claims.claim import Claim
from cortiscope.errors import InputError
from cortiscope.phantoms import (
    MODEL_PHANTOMS,
    PHANTOMS,
    ModelPhantom,
    Phantom,
    PhantomDesign,
    parse_phantom,
)
from cortiscope.scanning import scan
from cortiscope.stimulation import Response, stimulate
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject

# Enough for models that are stimulated once for every phantom of a calibration: one layer writes,
# one is lesioned or injected, and one reads.
_MODEL = {"n_layers": 3}


def run_on_phantoms(
    instrument: Instrument,
    phantom: str,
    designs: Sequence[PhantomDesign],
    settings: Mapping[str, Any],
    seed: Sequence[int],
    **options: Any,
) -> Result:
    """Run an instrument on a phantom, or on two of one kind that share nothing but the stimuli.

    Parameters
    ----------
    instrument : Instrument
        What measures.
    phantom : str
        One of `PHANTOMS`, or, for an instrument that stimulates, of `MODEL_PHANTOMS`.
    designs : sequence of PhantomDesign
        One for each recording that the instrument reads.
    settings : mapping
        The instrument's parameters.
    seed : sequence of int
        Seed of the phantoms; each of a pair has its own.
    **options
        Strength, and options of the phantom.

    Returns
    -------
    Result
        The instrument's.
    """
    if instrument.experiment is not None:
        model = MODEL_PHANTOMS[phantom]
        design = model.shown(_each_word_once(designs[0]))
        subject = model.make(design, seed=_seed(*seed), **options)
        return instrument.run(_stimulated(instrument, subject, design, settings), **settings)
    recordings = [
        PHANTOMS[phantom].make(design, seed=_seed(*seed, place), **options)
        for place, design in enumerate(designs)
    ]
    return instrument.run(*recordings, **settings)


def phantom_that_calibrates(instrument: Instrument, claim: Claim) -> tuple[str, dict[str, Any]]:
    """Find the phantom in which calibration looks for what a claim says, and its options.

    Raises
    ------
    InputError
        When the claim names one of the wrong sort, or an option that it does not have.
    """
    name, options = parse_phantom(claim.phantom or instrument.detects[0])
    stimulates = instrument.experiment is not None
    known: Mapping[str, Phantom | ModelPhantom] = MODEL_PHANTOMS if stimulates else PHANTOMS
    if name not in known:
        msg = (
            f"claim {claim.name!r} names the phantom {name}, and {instrument.name} reads "
            f"{instrument.said_to_read}: choose among {', '.join(known)}."
        )
        raise InputError(msg)
    of_phantom = [option for option in known[name].options if option != "strength"]
    if unknown := sorted(set(options) - set(of_phantom)):
        msg = (
            f"claim {claim.name!r} gives its phantom {name} the option {unknown[0]!r}: it takes "
            f"{', '.join(of_phantom) or 'none'}, and calibration chooses the strength."
        )
        raise InputError(msg)
    if stimulates and "n_layers" in of_phantom:
        options = _MODEL | options
    return name, options


def _each_word_once(design: PhantomDesign) -> PhantomDesign:
    """Take the first stimulus of every word: what a model does with the others is the same."""
    return replace(design, table=design.table.drop_duplicates(design.groups, ignore_index=True))


def _stimulated(
    instrument: Instrument, subject: Subject, design: PhantomDesign, settings: Mapping[str, Any]
) -> Response:
    stimuli = StimulusSet.from_table(design.table, name="phantom")
    sites = (instrument.defaults | dict(settings)).get("sites", ["resid_post"])
    with tempfile.TemporaryDirectory() as folder:
        recording = scan(subject, stimuli, sites=sites, out=Path(folder) / "scan.zarr")
        return instrument.experiment_on(recording, stimuli, settings).carried_out(
            lambda step: stimulate(subject, step.stimuli, step.conditions, step.readouts)
        )


def settings_of_phantoms(instrument: Instrument, n_draws: int) -> dict[str, Any]:
    """Give the parameters that an instrument has when it runs on phantoms."""
    return instrument.accepted(
        {
            "n_permutations": n_draws,
            "n_bootstrap": n_draws,
            "n_jackknife": n_draws,
            "site": "resid_post",
            "other_site": None,
            "layers": None,
            "other_layers": None,
            "along_layers": None,
            "answers": None,
            "bound": None,  # a phantom knows no language that it could harm
            "positive": None,  # one of its categories against all others
            "negative": None,
        }
    )


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
