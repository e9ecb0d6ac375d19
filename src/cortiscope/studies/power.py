"""Power: each claim's instrument, calibrated at the size of each subject."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import platformdirs

from cortiscope.claims import Calibration, Claim, calibrate
from cortiscope.phantoms import PhantomDesign
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.protocol import Protocol


def calibration_of(
    protocol: Protocol, claim: Claim, stimuli: StimulusSet, n_units: Sequence[int]
) -> Calibration:
    """Calibrate a claim's instrument at a study's own stimuli and number of units.

    Parameters
    ----------
    protocol : Protocol
        The study.
    claim : Claim
        One of its claims.
    stimuli : StimulusSet
        What it shows.
    n_units : sequence of int
        Units of the site that the claim's step reads, of each recording.

    Returns
    -------
    Calibration
        From the cache where the same was measured before.
    """
    step = protocol.steps[claim.step]
    parameters = step.parameters
    return calibrate(
        step.instrument,
        claim,
        [
            PhantomDesign(
                stimuli.table,
                size,
                target=str(parameters.get("target") or "category"),
                groups=str(parameters.get("groups", "word")),
            )
            for size in n_units
        ],
        parameters,
        alpha=protocol.alpha,
        n_phantoms=claim.n_phantoms or protocol.n_phantoms,
        n_permutations=protocol.phantom_permutations,
        cache=calibration_cache(),
    )


def calibration_cache() -> Path:
    """Folder where calibrations are kept by what they depend on, across studies."""
    return Path(platformdirs.user_cache_dir("cortiscope")) / "calibrations"
