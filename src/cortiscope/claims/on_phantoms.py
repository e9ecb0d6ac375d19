"""Running an instrument on phantoms: one recording of each, or a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cortiscope.analyses import Instrument, Result
from cortiscope.phantoms import PHANTOMS, PhantomDesign


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
        One of `PHANTOMS`.
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
    recordings = [
        PHANTOMS[phantom].make(design, seed=_seed(*seed, place), **options)
        for place, design in enumerate(designs)
    ]
    return instrument.run(*recordings, **settings)


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
        }
    )


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
