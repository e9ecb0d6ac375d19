"""Calibration: what an instrument finds in phantoms with and without a planted effect.

"No effect" and "could not have seen it" differ only in this: whether the same instrument, at the
same number of words and units, finds an effect of the claimed size when one has been planted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cortiscope.analyses import Instrument, Result
from cortiscope.claims.claim import Claim
from cortiscope.claims.effect import Effect
from cortiscope.claims.on_phantoms import (
    phantom_that_calibrates,
    run_on_phantoms,
    settings_of_phantoms,
)
from cortiscope.ledger import fingerprint, source_fingerprint, write_atomically
from cortiscope.ledger.progress import track
from cortiscope.phantoms import PhantomDesign, phantoms_source
from cortiscope.statistics import binomial_interval, map_in_threads
from cortiscope.stimulation.sweep_code import code_fingerprint

_POWER = 0.8


@dataclass(frozen=True)
class _Effort:
    """How much is spent on finding the strength, and on the rest of the power curve.

    Attributes
    ----------
    ladder : tuple of float
        Strengths that are tried in turn, in standard deviations of the background, or in lengths
        of a model's category; the planted effect is sought below the first that has the size.
    n_bisections, n_phantoms : int
        Steps of that search, and phantoms in each.
    least_of_curve : int
        Phantoms at further places of the curve, at least.
    n_threads : int or None
        Phantoms at a time; None for as many as there are cores.
    """

    ladder: tuple[float, ...]
    n_bisections: int
    n_phantoms: int
    least_of_curve: int
    n_threads: int | None = None


_OF_RECORDINGS = _Effort((16.0,), n_bisections=10, n_phantoms=6, least_of_curve=10)
# A model is stimulated in seconds, where a recording is made in a fraction of one, and has threads
# of its own. What it does may also fall again: a category so long that nothing else counts in the
# norm is not read any better.
_OF_MODELS = _Effort(
    (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0),
    n_bisections=4,
    n_phantoms=5,
    least_of_curve=5,
    n_threads=1,
)

# An effect, of a strength and the number of a phantom.
_Measure = Callable[[float, int], Effect]


@dataclass(frozen=True)
class Calibration:
    """Power and false-positive rate of an instrument for one claim at one size of study.

    Attributes
    ----------
    strength : float or None
        Strength of the planted effect that has the claimed size; None when none has.
    power, power_low, power_high : float
        Share of phantoms with that effect in which the claim is found, with its 95% interval.
    false_positive_rate, false_positive_low, false_positive_high : float
        Share of phantoms without it in which the claim is found, with its 95% interval.
    alpha : float
        Level of the test.
    n_phantoms : int
        Phantoms of each sort.
    curve : tuple of (float, float, float)
        Strength, mean estimate and share found, for the power curve.
    """

    strength: float | None
    power: float
    power_low: float
    power_high: float
    false_positive_rate: float
    false_positive_low: float
    false_positive_high: float
    alpha: float
    n_phantoms: int
    curve: tuple[tuple[float, float, float], ...]

    @property
    def is_valid(self) -> bool:
        """Whether the instrument can see the effect and keeps its rate without one."""
        return self.strength is not None and self.false_positive_low <= self.alpha

    @property
    def has_power(self) -> bool:
        """Whether it finds an effect of the claimed size often enough."""
        return self.power >= _POWER

    @property
    def statement(self) -> str:
        """What was found, in half a sentence."""
        if self.strength is None:
            return (
                "the instrument does not see a planted effect of the claimed size at any strength"
            )
        return (
            f"power {self.power:.2f} [{self.power_low:.2f}, {self.power_high:.2f}] at the claimed "
            f"size, false positives {self.false_positive_rate:.2f} "
            f"[{self.false_positive_low:.2f}, {self.false_positive_high:.2f}] at alpha {self.alpha}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Lay it out as JSON."""
        return asdict(self) | {"is_valid": self.is_valid, "has_power": self.has_power}


def calibrate(
    instrument: Instrument,
    claim: Claim,
    designs: Sequence[PhantomDesign],
    parameters: Mapping[str, Any],
    *,
    alpha: float = 0.05,
    n_phantoms: int = 100,
    n_permutations: int = 199,
    seed: int = 0,
    cache: Path | None = None,
) -> Calibration:
    """Measure power and false-positive rate of an instrument for a claim.

    Parameters
    ----------
    instrument : Instrument
        What is calibrated; it names the phantoms that it must detect.
    claim : Claim
        Its kind and size.
    designs : sequence of PhantomDesign
        The study's words, labels and number of units, one for each recording that the instrument
        reads.
    parameters : mapping
        The instrument's, as in the study.
    alpha : float
        Level of the test.
    n_phantoms : int
        Phantoms with the effect, and as many without.
    n_permutations : int
        Permutations (and resamples) in each.
    seed : int
        Seed of the phantoms.
    cache : Path, optional
        Folder where calibrations are kept by what they depend on.

    Returns
    -------
    Calibration
        For a claim of absence the roles are swapped: it must be found where nothing is planted,
        and not where the effect lies at its bound.
    """
    key = fingerprint(
        {
            "instrument": instrument.name,
            "source": [
                instrument.source,
                phantoms_source(),
                source_fingerprint(__name__, "cortiscope.claims.on_phantoms"),
                *([code_fingerprint()] if instrument.experiment is not None else []),
            ],
            "claim": claim.model_dump(
                include={"statistic", "kind", "size", "low", "high", "bound", "phantom"}
            ),
            "designs": list(designs),
            "parameters": dict(parameters),
            "alpha": alpha,
            "n": [n_phantoms, n_permutations, seed],
        }
    )
    path = None if cache is None else cache / f"{key[:16]}.json"
    if path is not None and path.exists():
        return _read(path)
    measure = _measurer(instrument, claim, designs, parameters, n_permutations, seed)
    effort = _OF_RECORDINGS if instrument.experiment is None else _OF_MODELS
    calibration = _measure(measure, claim, alpha, n_phantoms, effort)
    if path is not None:
        write_atomically(path, json.dumps(asdict(calibration), indent=1) + "\n")
    return calibration


def _measure(
    measure: _Measure, claim: Claim, alpha: float, n_phantoms: int, effort: _Effort
) -> Calibration:
    def share_found(strength: float, n: int, what: str) -> _Share:
        # Phantoms of the bisection are not used again: they chose the strength.
        tasks = range(effort.n_phantoms, effort.n_phantoms + n)
        found = map_in_threads(lambda i: measure(strength, i), tasks, effort.n_threads)
        effects = list(track(found, f"calibrate: {what}", total=n))
        n_found = sum(effect.p_value(claim) <= alpha for effect in effects)
        return _Share(int(n_found), float(np.mean([effect.estimate for effect in effects])))

    strength = _find_strength(measure, claim, effort)
    planted = share_found(strength or effort.ladder[-1], n_phantoms, "with effect")
    empty = share_found(0.0, n_phantoms, "without effect")
    found, not_to_find = (empty, planted) if claim.is_absence else (planted, empty)
    power_low, power_high = binomial_interval(found.n, n_phantoms)
    rate_low, rate_high = binomial_interval(not_to_find.n, n_phantoms)
    curve = [(0.0, empty.mean, empty.n / n_phantoms)]
    if strength is not None:
        few = max(n_phantoms // 5, effort.least_of_curve)
        for factor in (0.5, 0.75, 1.5):
            share = share_found(factor * strength, few, "power curve")
            curve.append((factor * strength, share.mean, share.n / few))
        curve.append((strength, planted.mean, planted.n / n_phantoms))
    return Calibration(
        strength=strength,
        power=found.n / n_phantoms,
        power_low=power_low,
        power_high=power_high,
        false_positive_rate=not_to_find.n / n_phantoms,
        false_positive_low=rate_low,
        false_positive_high=rate_high,
        alpha=alpha,
        n_phantoms=n_phantoms,
        curve=tuple(sorted(curve)),
    )


@dataclass(frozen=True)
class _Share:
    n: int
    mean: float


def _measurer(
    instrument: Instrument,
    claim: Claim,
    designs: Sequence[PhantomDesign],
    parameters: Mapping[str, Any],
    n_permutations: int,
    seed: int,
) -> _Measure:
    settings = {
        **parameters,
        **instrument.only(claim.variable),
        **settings_of_phantoms(instrument, n_permutations),
        # A claim of one of several directions or sizes needs them all.
        **({} if claim.where else instrument.lightened(claim.variable, parameters)),
    }
    name, options = phantom_that_calibrates(instrument, claim)

    def measure(strength: float, index: int) -> Effect:
        result = run_on_phantoms(
            instrument, name, designs, settings, [seed, index], strength=strength, **options
        )
        return Effect.of(result, claim.variable, _in_phantom(claim, result))

    return measure


def _in_phantom(claim: Claim, result: Result) -> dict[str, str]:
    """Say where the claim is looked for: at the phantom's layer where it names one."""
    where = {}
    for dim, at in claim.where.items():
        is_layer = dim.endswith("layer") and dim in result.estimates.coords
        where[dim] = str(result.estimates[dim].values[0]) if is_layer else at
    return where


def _find_strength(measure: _Measure, claim: Claim, effort: _Effort) -> float | None:
    """Bisect the strength at which the mean estimate has the claimed size."""
    low, high = claim.bounds
    # Where a claim of absence ends, or one of presence begins.
    size = low if claim.kind == "greater" else high
    rising = claim.kind != "less"

    def mean(strength: float) -> float:
        tasks = range(effort.n_phantoms)
        effects = map_in_threads(lambda i: measure(strength, i), tasks, effort.n_threads)
        return float(np.mean([effect.estimate for effect in effects]))

    def short(strength: float) -> bool:
        # A statistic that is not defined does not have the claimed size either.
        return not (mean(strength) >= size if rising else mean(strength) <= size)

    reached = next((i for i, strength in enumerate(effort.ladder) if not short(strength)), None)
    if reached is None:
        return None
    weak, strong = (0.0, *effort.ladder)[reached : reached + 2]
    for _ in range(effort.n_bisections):
        middle = (weak + strong) / 2
        weak, strong = (middle, strong) if short(middle) else (weak, middle)
    return strong


def _read(path: Path) -> Calibration:
    values = json.loads(path.read_text(encoding="utf-8"))
    values["curve"] = tuple(tuple(point) for point in values["curve"])
    return Calibration(**values)
