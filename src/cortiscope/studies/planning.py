"""What a study would take, and what it could see, before anything is scanned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cortiscope.claims import CALIBRATION, Calibration
from cortiscope.scanning import Plan, plan
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.keeping import Lying
from cortiscope.studies.power import calibration_of
from cortiscope.studies.protocol import Protocol
from cortiscope.studies.runner import load_subject
from cortiscope.subjects import Subject


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """The plan of a study.

    Attributes
    ----------
    scans : dict of str to Plan
        By subject; each twin takes the same again.
    n_twins : int
        Untrained twins of each.
    power : dict of (str, str) to Calibration
        By claim and subject.
    """

    scans: dict[str, Plan]
    n_twins: int
    power: dict[tuple[str, str], Calibration]

    def __repr__(self) -> str:
        blocks = [repr(scan) for scan in self.scans.values()]
        if self.scans:
            blocks.append(f"Each scan is made {1 + self.n_twins} times: subject and twins.")
        if self.power:
            blocks.append("Power, on phantoms of this size:")
        blocks += [
            f"  {claim} ({subject}): {calibration.statement}"
            for (claim, subject), calibration in self.power.items()
        ]
        return "\n".join(blocks)


def plan_study(
    protocol: Protocol,
    out: str | Path | None = None,
    *,
    device: str | None = None,
    device_map: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> StudyPlan:
    """Plan every scan of a study, and calibrate its claims.

    Parameters
    ----------
    protocol : Protocol
        The study.
    out : str or Path, optional
        Where it would go; the disk is asked for space.
    device, device_map : str, optional
        Where the models would run.
    say : callable
        Is told what is being done.

    Returns
    -------
    StudyPlan
        A few batches are timed; nothing is recorded.
    """
    protocol.check()
    stimuli = StimulusSet.load(protocol.stimuli)
    scans: dict[str, Plan] = {}
    power: dict[tuple[str, str], Calibration] = {}
    for spec in protocol.subjects:
        say(f"loading {spec}")
        subject = load_subject(spec, protocol, device, device_map)
        if isinstance(subject, Subject):
            scans[subject.name] = plan(
                subject,
                stimuli,
                sites=protocol.sites,
                position=protocol.position,
                batch_size=protocol.batch_size,
                dtype=protocol.store_dtype,
                out=out or protocol.default_out,
            )
        for claim in protocol.claims:
            if CALIBRATION in claim.controls and claim.subjects in ("each", "all", spec):
                say(f"calibrating {claim.step} at the size of {subject.name}")
                site = protocol.steps[claim.step].parameters.get("site", "resid_post")
                n_units = [_n_units(subject, str(site))]
                power[claim.name, subject.name] = calibration_of(protocol, claim, stimuli, n_units)
    return StudyPlan(scans, protocol.n_twins, power)


def _n_units(subject: Lying, site: str) -> int:
    if not isinstance(subject, Subject):
        return int(subject.record()["n_units"])
    return math.prod(size for _, size in subject.anatomy.shape(site))
