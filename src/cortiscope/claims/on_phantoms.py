"""Running an instrument on phantoms: one recording of each, a pair, or a model stimulated."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortiscope.analyses import Instrument, Result
from cortiscope.phantoms import MODEL_PHANTOMS, PHANTOMS, PhantomDesign
from cortiscope.scanning import scan
from cortiscope.stimulation import Response, stimulate
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject


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
        design = model.shown(designs[0])
        subject = model.make(design, seed=_seed(*seed), **options)
        return instrument.run(_stimulated(instrument, subject, design, settings), **settings)
    recordings = [
        PHANTOMS[phantom].make(design, seed=_seed(*seed, place), **options)
        for place, design in enumerate(designs)
    ]
    return instrument.run(*recordings, **settings)


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
            "bound": None,  # a phantom knows no language that it could harm
            "positive": None,  # one of its categories against all others
            "negative": None,
        }
    )


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
