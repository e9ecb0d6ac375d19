"""What a study would take, and what it could see, before anything is scanned."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from cortiscope.analyses import Instrument
from cortiscope.claims import CALIBRATION, Calibration, Claim
from cortiscope.scanning import Plan, Recording, plan
from cortiscope.scanning.request import Request, resolve
from cortiscope.stimulation import SweepPlan, plan_sweep
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.archived_subject import ArchivedSubject
from cortiscope.studies.graph_plan import GraphPlan, makes_graphs, plan_graphs
from cortiscope.studies.keeping import Lying
from cortiscope.studies.power import calibration_of
from cortiscope.studies.protocol import Protocol
from cortiscope.studies.runner import load_subject, sites_read
from cortiscope.studies.saved_rdm import is_saved_rdm, read_saved_rdm
from cortiscope.subjects import Subject

# Where an instrument that has no parameter for it reads.
_SITE = "resid_post"


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """The plan of a study.

    Attributes
    ----------
    scans : dict of str to Plan
        By subject; each twin takes the same again.
    sweeps : dict of (str, str) to SweepPlan
        By step and subject, of the steps that stimulate; each twin takes the same again.
    graphs : dict of (str, str) to GraphPlan
        By step and subject, of the steps that make graphs of correlations.
    n_twins : int
        Untrained twins of each.
    power : dict of (str, str) to Calibration
        By claim and subject, or pair.
    """

    scans: dict[str, Plan]
    sweeps: dict[tuple[str, str], SweepPlan]
    graphs: dict[tuple[str, str], GraphPlan]
    n_twins: int
    power: dict[tuple[str, str], Calibration]

    def __repr__(self) -> str:
        blocks = [repr(scan) for scan in self.scans.values()]
        blocks += [f"{step}. {sweep!r}" for (step, _), sweep in self.sweeps.items()]
        blocks += [f"{step} of {name}. {graphs!r}." for (step, name), graphs in self.graphs.items()]
        if self.scans and self.n_twins:
            what = "scan and each sweep" if self.sweeps else "scan"
            blocks.append(f"Each {what} is made {1 + self.n_twins} times: subject and twins.")
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
    """Plan every scan and sweep of a study, and calibrate its claims.

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
        A few batches are timed; nothing is recorded. Sweeps are planned on noise in the place of
        the recording, which decides what is lesioned, not how much; where one experiment follows
        from another, only the first can be planned.
    """
    protocol.check()
    stimuli = StimulusSet.load(protocol.stimuli)
    scans: dict[str, Plan] = {}
    sweeps: dict[tuple[str, str], SweepPlan] = {}
    graphs: dict[tuple[str, str], GraphPlan] = {}
    sizes: list[_Size] = []
    rdms = [spec for spec in protocol.subjects if is_saved_rdm(spec)]
    specs = [spec for spec in protocol.subjects if spec not in rdms]
    for place, spec in enumerate(specs):
        say(f"loading {spec}")
        subject = load_subject(spec, protocol, device, device_map)
        is_last = place == len(protocol.subjects) - 1
        sites = {
            site
            for claim in _calibrated(protocol)
            for site in sites_read(protocol.steps[claim.step], is_first=not place, is_last=is_last)
            or {_SITE}
        }
        sizes.append(_size(subject, spec, sites))
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
            sweeps |= _sweeps(subject, stimuli, protocol, out or protocol.default_out, say)
            graphs |= _graphs(subject, stimuli, protocol)
    sizes += [_Size(spec, read_saved_rdm(spec).name, None) for spec in rdms]
    power = _power(protocol, stimuli, sizes, say)
    return StudyPlan(scans, sweeps, graphs, protocol.n_twins, power)


def _sweeps(
    subject: Subject,
    stimuli: StimulusSet,
    protocol: Protocol,
    out: str | Path,
    say: Callable[[str], None],
) -> dict[tuple[str, str], SweepPlan]:
    """Plan the sweeps of all steps that stimulate a subject."""
    steps = {
        name: step
        for name, step in protocol.steps.items()
        if step.instrument.experiment is not None
    }
    if not steps:
        return {}
    noise = _noise(subject, stimuli, protocol)
    sweeps = {}
    for name, step in steps.items():
        say(f"timing {name} on {subject.name}")
        experiment = step.instrument.experiment_on(noise, stimuli, step.parameters)
        sweeps[name, subject.name] = plan_sweep(
            subject, experiment.stimuli, experiment.conditions, experiment.readouts, out=out
        )
    return sweeps


def _graphs(
    subject: Subject, stimuli: StimulusSet, protocol: Protocol
) -> dict[tuple[str, str], GraphPlan]:
    """Plan the graphs of all steps that make some."""
    steps = {name: step for name, step in protocol.steps.items() if makes_graphs(step)}
    if not steps:
        return {}
    layouts = {layout.site: layout for layout in _asked(subject, stimuli, protocol).sites}
    return {
        (name, subject.name): plan_graphs(
            step, layouts[str(step.parameters.get("site", _SITE))], len(stimuli)
        )
        for name, step in steps.items()
    }


def _noise(subject: Subject, stimuli: StimulusSet, protocol: Protocol) -> Recording:
    """Make a recording as the protocol's, of noise."""
    asked = _asked(subject, stimuli, protocol)
    rng = np.random.default_rng(0)
    arrays = {
        layout.site: rng.standard_normal(
            (len(stimuli), len(layout.layers), *(size for _, size in layout.dims)), np.float32
        )
        for layout in asked.sites
    }
    layers = {layout.site: layout.layers for layout in asked.sites}
    return Recording.from_arrays(
        arrays, stimuli, layers=layers, provenance={"position": protocol.position}
    )


def _asked(subject: Subject, stimuli: StimulusSet, protocol: Protocol) -> Request:
    return resolve(
        subject,
        stimuli,
        protocol.sites,
        protocol.position,
        protocol.batch_size,
        protocol.store_dtype,
        "right",
    )


@dataclass(frozen=True)
class _Size:
    """What is left of a subject when it is no longer in memory: its units at each site.

    Of an RDM it is not known what it was measured from: its are None.
    """

    spec: str
    name: str
    n_units: Mapping[str, int] | None


def _size(subject: Lying, spec: str, sites: set[str]) -> _Size:
    if isinstance(subject, Subject):
        anatomy = subject.anatomy
        n_units = {site: math.prod(size for _, size in anatomy.shape(site)) for site in sites}
    elif isinstance(subject, ArchivedSubject):
        n_units = {site: subject.n_units(site) for site in sites}
    else:
        n_units = dict.fromkeys(sites, subject.n_units)
    return _Size(spec, subject.name, n_units)


def _power(
    protocol: Protocol, stimuli: StimulusSet, sizes: Sequence[_Size], say: Callable[[str], None]
) -> dict[tuple[str, str], Calibration]:
    power = {}
    for claim in _calibrated(protocol):
        step = protocol.steps[claim.step]
        for whose in _spoken_of(claim, step.instrument, sizes):
            name = " and ".join(size.name for size in whose)
            say(f"calibrating {claim.step} at the size of {name}")
            site = str(step.parameters.get("site", _SITE))
            sites = (site, str(step.parameters.get("other_site") or site))
            n_units = [
                # As where the claim is judged: beside an RDM lies a phantom of the same size.
                (whose[0].n_units or {})[site] if size.n_units is None else size.n_units[at]
                for size, at in zip(whose, sites, strict=False)
            ]
            power[claim.name, name] = calibration_of(protocol, claim, stimuli, n_units)
    return power


def _calibrated(protocol: Protocol) -> list[Claim]:
    return [claim for claim in protocol.claims if CALIBRATION in claim.controls]


def _spoken_of(
    claim: Claim, instrument: Instrument, sizes: Sequence[_Size]
) -> list[tuple[_Size, ...]]:
    """Find whom a claim speaks of: subjects, or every two that its instrument can compare."""
    if not instrument.is_of_pairs:
        return [
            (size,)
            for size in sizes
            if size.n_units is not None and claim.subjects in ("each", "all", size.spec)
        ]
    return [
        (one, other)
        for one, other in combinations(sizes, 2)
        if one.n_units is not None and (other.n_units is not None or instrument.takes_rdm)
    ]
