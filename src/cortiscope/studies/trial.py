"""The trial: claims of a study are put on the bench with what was scanned, and judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from cortiscope.analyses import Instrument, Result
from cortiscope.claims import (
    CALIBRATION,
    Bench,
    Calibration,
    Case,
    Claim,
    Verdict,
    calibrate,
    judge,
)
from cortiscope.phantoms import PhantomDesign
from cortiscope.scanning import Recording
from cortiscope.studies.keeping import Keeper
from cortiscope.studies.protocol import Protocol

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Examined:
    """One who was scanned, and what every step found.

    Attributes
    ----------
    recording : Recording
        The recording.
    results : mapping of str to Result
        By step.
    """

    recording: Recording
    results: Mapping[str, Result]


@dataclass(frozen=True, eq=False)
class Scanned:
    """A subject with its untrained twins.

    Attributes
    ----------
    spec : str
        The subject as the protocol names it.
    subject : Examined
        The subject.
    twins : tuple of Examined
        Its twins.
    """

    spec: str
    subject: Examined
    twins: tuple[Examined, ...]


def try_claims(
    keeper: Keeper, protocol: Protocol, scanned: Mapping[str, Scanned], say: Say
) -> list[Verdict]:
    """Judge all claims of a study, and keep the verdicts in ``verdicts.json``.

    Parameters
    ----------
    keeper : Keeper
        Does the further measurements that controls ask for.
    protocol : Protocol
        Its claims.
    scanned : mapping of str to Scanned
        By subject's name.
    say : callable
        Is told what is being done.

    Returns
    -------
    list of Verdict
        One a test.
    """
    cases = [
        case for claim in protocol.claims for case in _cases(keeper, protocol, claim, scanned, say)
    ]
    if cases:
        say(f"judging {len(cases)} {'claim' if len(cases) == 1 else 'claims'}")
    verdicts = judge(cases, alpha=protocol.alpha, correction=protocol.correction)
    inputs = {verdict.effect.address.split(":")[0] for verdict in verdicts}
    keeper.file(
        "verdicts",
        keeper.run.path / "verdicts.json",
        json.dumps([verdict.to_dict() for verdict in verdicts], indent=1) + "\n",
        tuple(sorted(inputs)),
    )
    return verdicts


def _cases(
    keeper: Keeper,
    protocol: Protocol,
    claim: Claim,
    scanned: Mapping[str, Scanned],
    say: Say,
) -> list[Case]:
    benches = {
        name: _bench(keeper, protocol, claim, of)
        for name, of in scanned.items()
        if claim.subjects in ("each", "all", of.spec)
    }
    calibrations = {}
    if CALIBRATION in claim.controls:
        for name, bench in benches.items():
            say(f"calibrating {bench.instrument.name} at the size of {name}")
            calibrations[name] = _calibrate(keeper, protocol, bench)
    if claim.subjects == "all":
        return [Case("all", benches, calibrations)]
    return [
        Case(name, {name: bench}, {k: v for k, v in calibrations.items() if k == name})
        for name, bench in benches.items()
    ]


def _bench(keeper: Keeper, protocol: Protocol, claim: Claim, scanned: Scanned) -> Bench:
    step = protocol.steps[claim.step]

    def run(instrument: Instrument, recording: Recording, parameters: Mapping[str, Any]) -> Result:
        return keeper.result(instrument, recording, parameters, scanned.subject.recording)

    return Bench(
        claim=claim,
        instrument=step.instrument,
        parameters=step.parameters,
        recording=scanned.subject.recording,
        result=scanned.subject.results[claim.step],
        twins=tuple(twin.results[claim.step] for twin in scanned.twins),
        alpha=protocol.alpha,
        run=run,
    )


def _calibrate(keeper: Keeper, protocol: Protocol, bench: Bench) -> Calibration:
    site = str(bench.parameters["site"])
    calibration = calibrate(
        bench.instrument,
        bench.claim,
        PhantomDesign.like(
            bench.recording,
            site,
            target=str(bench.parameters["target"]),
            groups=str(bench.parameters["groups"]),
        ),
        bench.parameters,
        alpha=protocol.alpha,
        n_phantoms=protocol.n_phantoms,
        n_permutations=protocol.phantom_permutations,
        cache=calibration_cache(),
    )
    content = json.dumps(calibration.to_dict(), indent=1) + "\n"
    name = f"{bench.claim.step}-{bench.recording.name.replace(':', '-').replace('/', '-')}"
    keeper.file("calibration", keeper.run.path / "calibrations" / f"{name}.json", content, ())
    return calibration


def calibration_cache() -> Path:
    """Folder where calibrations are kept by what they depend on, across studies."""
    return Path(platformdirs.user_cache_dir("cortiscope")) / "calibrations"
