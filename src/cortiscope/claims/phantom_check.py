"""An instrument against its phantoms: what it must detect, and where it must stay silent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from cortiscope.analyses import Instrument, Result
from cortiscope.claims.effect import Effect
from cortiscope.claims.on_phantoms import run_on_phantoms, settings_of_phantoms
from cortiscope.ledger import source_fingerprint
from cortiscope.ledger.progress import track
from cortiscope.phantoms import PhantomDesign, phantoms_source
from cortiscope.statistics import binomial_interval, map_in_threads

REFERENCE = (
    "Share of phantoms in which p <= alpha, with its exact binomial interval (Clopper & Pearson "
    "1934, Biometrika 26, 404-413)"
)


def check_on_phantoms(
    instrument: Instrument,
    design: PhantomDesign,
    *,
    variable: str | None = None,
    strengths: Sequence[float] | None = None,
    n_phantoms: int = 50,
    n_permutations: int = 199,
    alpha: float = 0.05,
    seed: int = 0,
) -> Result:
    """Measure how often an instrument rejects on each phantom that it names.

    Parameters
    ----------
    instrument : Instrument
        What is checked.
    design : PhantomDesign
        Words, labels and units.
    variable : str, optional
        The scalar whose p-value decides; the instrument's headline when left out.
    strengths : sequence of float, optional
        Strengths of the planted effect; 0 is the background alone. When left out 0, 0.5, 1 and 2,
        and of models, which take long, 1 alone.
    n_phantoms : int
        Phantoms of each sort and strength.
    n_permutations : int
        Permutations in each.
    alpha : float
        Level of the test.
    seed : int
        Seed of the phantoms.

    Returns
    -------
    Result
        ``share_found`` (phantom, strength) with its interval, and ``must_detect`` (phantom): 1
        for those that it must detect, 0 for those on which it must stay silent.
    """
    names = [*instrument.detects, *instrument.silent_on]
    variable = variable or instrument.headline
    settings = {
        **instrument.only(variable),
        **settings_of_phantoms(instrument, n_permutations),
        **instrument.lightened(variable, instrument.defaults),
    }
    designs = [design] * len(instrument.reads)
    stimulates = instrument.experiment is not None
    if strengths is None:
        strengths = (1.0,) if stimulates else (0.0, 0.5, 1.0, 2.0)

    def rejects(task: tuple[str, float, int]) -> bool:
        name, strength, index = task
        result = run_on_phantoms(
            instrument, name, designs, settings, [seed, index], strength=strength
        )
        return Effect.of(result, variable).p_of_presence() <= alpha

    tasks = [(n, s, i) for n in names for s in strengths for i in range(n_phantoms)]
    found = np.array(
        list(
            track(
                # A model has threads of its own.
                map_in_threads(rejects, tasks, 1 if stimulates else None),
                f"calibrate {instrument.name}",
                total=len(tasks),
            )
        )
    ).reshape(len(names), len(strengths), n_phantoms)
    counts = found.sum(axis=2)
    bounds = np.array([[binomial_interval(int(n), n_phantoms) for n in row] for row in counts])
    coords = {"phantom": names, "strength": list(strengths)}
    dims = ("phantom", "strength")
    return Result(
        analysis="calibrate",
        subject=instrument.name,
        estimates=xr.Dataset(
            {
                "share_found": (dims, counts / n_phantoms),
                "must_detect": ("phantom", [int(n in instrument.detects) for n in names]),
            },
            coords=coords,
        ),
        intervals=xr.Dataset(
            {"share_found": (("bound", *dims), np.moveaxis(bounds, 2, 0))},
            coords=coords | {"bound": ["low", "high"]},
        ),
        n={"n_phantoms": n_phantoms, "n_stimuli": design.n_stimuli, "n_units": design.n_units},
        parameters={
            "variable": variable,
            "strengths": [float(s) for s in strengths],
            "n_phantoms": n_phantoms,
            "n_permutations": n_permutations,
            "alpha": alpha,
            "seed": seed,
        },
        inputs={
            "design": design.fingerprint,
            "instrument": instrument.source,
            "phantoms": phantoms_source(),
        },
        reference=REFERENCE,
        source=source_fingerprint(__name__),
    )


def failures(result: Result) -> list[str]:
    """Name the phantoms on which an instrument did not do what it must, and why.

    Parameters
    ----------
    result : Result
        From `check_on_phantoms`.

    Returns
    -------
    list of str
        A sentence each; empty when all is well.
    """
    alpha = float(result.parameters["alpha"])
    strongest = result.estimates["strength"].values[-1]
    wrong = []
    for phantom in result.estimates["phantom"].values:
        share = result.estimates["share_found"].sel(phantom=phantom)
        low = result.intervals["share_found"].sel(phantom=phantom, bound="low")
        if int(result.estimates["must_detect"].sel(phantom=phantom)):
            at = float(share.sel(strength=strongest))
            if at < 0.8:
                wrong.append(f"{phantom}: found in {at:.2f} at strength {strongest}, not 0.80.")
            silent = low.sel(strength=[s for s in low["strength"].values if s == 0])
        else:
            silent = low
        if (silent > alpha).any():
            wrong.append(f"{phantom}: it rejects more often than its level of {alpha}.")
    return wrong
