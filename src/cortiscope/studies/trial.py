"""The trial: claims of a study are put on the bench with what was scanned, and judged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, starmap
from typing import Any

from cortiscope.analyses import FEWEST_SUBJECTS, Instrument, Readable, Result, ResultSeries
from cortiscope.claims import (
    CALIBRATION,
    Bench,
    Calibration,
    Case,
    Claim,
    Verdict,
    judge,
)
from cortiscope.ledger import LedgerEntry, Run, fingerprint
from cortiscope.scanning import Recording
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.keeping import Keeper, Waiting
from cortiscope.studies.power import calibration_of
from cortiscope.studies.protocol import Protocol

VERDICTS = "verdicts.json"

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Examined:
    """One who was scanned, or two who are compared, and what every step found.

    Attributes
    ----------
    recordings : tuple of Recording or RDM
        One, or a pair.
    results : mapping of str to Result
        By step.
    made : mapping of str to Response or ResultSeries
        What steps read that read no recordings.
    waiting : Waiting, optional
        Who lay there, where it can be stimulated again.
    """

    recordings: tuple[Readable, ...]
    results: Mapping[str, Result]
    made: Mapping[str, Readable] = field(default_factory=dict)
    waiting: Waiting | None = None

    def read_by(self, step: str) -> tuple[Readable, ...]:
        """Give what a step measured: what was made for it, or the recordings."""
        return (self.made[step],) if step in self.made else self.recordings


@dataclass(frozen=True, eq=False)
class Scanned:
    """A subject with its untrained twins, or two subjects, each with its own.

    Attributes
    ----------
    spec : str
        The subject as the protocol names it; empty for a pair.
    subject : Examined
        The subject, or the pair.
    twins : tuple of Examined
        Its twins; of a pair, twin beside twin.
    """

    spec: str
    subject: Examined
    twins: tuple[Examined, ...]


def pairs_of(
    scanned: Mapping[str, Scanned],
    measure: Callable[[tuple[Readable, ...]], Mapping[str, Result]],
) -> dict[str, Scanned]:
    """Put every two subjects side by side, and their twins likewise.

    Parameters
    ----------
    scanned : mapping of str to Scanned
        By subject's name.
    measure : callable
        Gives what the steps that compare two recordings find in a pair.

    Returns
    -------
    dict of str to Scanned
        By ``NAME and NAME``, in the order of the subjects.
    """

    def beside(first: Examined, second: Examined) -> Examined:
        recordings = (*first.recordings, *second.recordings)
        return Examined(recordings, measure(recordings))

    return {
        f"{name} and {other}": Scanned(
            "",
            beside(first.subject, second.subject),
            tuple(starmap(beside, zip(first.twins, second.twins, strict=True))),
        )
        for (name, first), (other, second) in combinations(scanned.items(), 2)
    }


def together_of(
    scanned: Mapping[str, Scanned],
    protocol: Protocol,
    measure: Callable[[Instrument, tuple[Readable, ...], Mapping[str, Any]], Result],
) -> dict[str, Scanned]:
    """Put what steps found in all subjects in a row, and in their twins likewise.

    Parameters
    ----------
    scanned : mapping of str to Scanned
        By subject's name.
    protocol : Protocol
        Its steps.
    measure : callable
        Runs an instrument.

    Returns
    -------
    dict of str to Scanned
        All subjects together, by their names; none where no step reads them, or they are too few.
    """
    steps = {name: step for name, step in protocol.steps.items() if step.instrument.is_of_series}
    if not steps or len(scanned) < FEWEST_SUBJECTS:
        return {}

    def in_a_row(examined: Sequence[Examined]) -> Examined:
        series = {
            name: ResultSeries(
                *(
                    tuple(one.results[of] for one in examined) if of else ()
                    for of in step.steps_read
                )
            )
            for name, step in steps.items()
        }
        results = {
            name: measure(step.instrument, (series[name],), step.parameters)
            for name, step in steps.items()
        }
        return Examined((), results, series)

    together = Scanned(
        "",
        in_a_row([each.subject for each in scanned.values()]),
        tuple(map(in_a_row, zip(*(each.twins for each in scanned.values()), strict=True))),
    )
    return {next(iter(together.subject.made.values())).name: together}


def try_claims(
    keeper: Keeper,
    protocol: Protocol,
    stimuli: StimulusSet,
    scanned: Mapping[str, Scanned],
    say: Say,
) -> list[Verdict]:
    """Judge all claims of a study, and keep the verdicts in ``verdicts.json``.

    Parameters
    ----------
    keeper : Keeper
        Does the further measurements that controls ask for.
    protocol : Protocol
        Its claims.
    stimuli : StimulusSet
        What was shown.
    scanned : mapping of str to Scanned
        By subject's name, and pairs by theirs.
    say : callable
        Is told what is being done.

    Returns
    -------
    list of Verdict
        One a test.
    """
    cases: list[Case] = []
    inputs: set[str] = set()
    for claim in protocol.claims:
        made, calibrations = _cases(keeper, protocol, claim, stimuli, scanned, say)
        if not protocol.n_tests(claim):
            say(f"not judged: {claim.name}: it compares subjects, and there are too few")
        elif not made:
            say(f"not judged: {claim.name}: there is nobody whom the step {claim.step} could read")
        cases += made
        inputs.update(calibrations)
    if cases:
        say(f"judging {len(cases)} {'claim' if len(cases) == 1 else 'claims'}")
    verdicts = judge(cases, alpha=protocol.alpha, correction=protocol.correction)
    laid_out = [verdict.to_dict() for verdict in verdicts]
    inputs.update(_addressed(laid_out))
    keeper.file(
        "verdicts",
        keeper.run.path / VERDICTS,
        json.dumps(laid_out, indent=1) + "\n",
        inputs=tuple(sorted(inputs)),
    )
    return verdicts


def _addressed(value: Any) -> Iterator[str]:
    """Ids of the results whose addresses stand anywhere in a verdict."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("address", "addresses"):
                for address in [item] if isinstance(item, str) else item:
                    yield address.split(":")[0]
            else:
                yield from _addressed(item)
    elif isinstance(value, list):
        for item in value:
            yield from _addressed(item)


def read_verdicts(run: Run) -> list[dict[str, Any]]:
    """Read the verdicts of a run, laid out by `Verdict.to_dict`; none where none were judged."""
    path = run.path / VERDICTS
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def _cases(
    keeper: Keeper,
    protocol: Protocol,
    claim: Claim,
    stimuli: StimulusSet,
    scanned: Mapping[str, Scanned],
    say: Say,
) -> tuple[list[Case], list[str]]:
    """Put a claim on the bench, with the ledger ids of the calibrations that were made for it."""
    benches = {
        name: _bench(keeper, protocol, claim, of)
        for name, of in scanned.items()
        if claim.subjects in ("each", "all", of.spec) and claim.step in of.subject.results
    }
    calibrations: dict[str, Calibration] = {}
    ids: list[str] = []
    for name, bench in benches.items():
        if CALIBRATION in claim.controls:
            say(f"calibrating {bench.instrument.name} at the size of {name}")
            calibrations[name], entry = _calibrate(keeper, protocol, stimuli, bench)
            ids.append(entry.id)
    if claim.subjects == "all" and benches:
        return [Case("all", benches, calibrations)], ids
    return [
        Case(name, {name: bench}, {k: v for k, v in calibrations.items() if k == name})
        for name, bench in benches.items()
    ], ids


def _bench(keeper: Keeper, protocol: Protocol, claim: Claim, scanned: Scanned) -> Bench:
    step = protocol.steps[claim.step]
    stimulates = step.instrument.experiment is not None
    sources = scanned.subject.read_by(claim.step)

    def run(
        instrument: Instrument,
        recordings: tuple[Readable, ...],
        parameters: Mapping[str, Any],
    ) -> Result:
        return keeper.result(instrument, recordings, parameters, sources)

    def stimulate_and_run(
        instrument: Instrument,
        recordings: tuple[Readable, ...],
        parameters: Mapping[str, Any],
    ) -> Result:
        return _from_experiment(keeper, scanned.subject, instrument, recordings[0], parameters)

    # The claim's own test takes more draws than exploring does, and only of what it is about.
    own = {
        **step.parameters,
        **step.instrument.only(claim.variable),
        **protocol.draws_of(step.instrument),
    }
    return Bench(
        claim=claim,
        instrument=step.instrument,
        parameters=step.parameters,
        recordings=scanned.subject.recordings if stimulates else sources,
        result=run(step.instrument, sources, own),
        twins=tuple(twin.results[claim.step] for twin in scanned.twins),
        alpha=protocol.alpha,
        run=stimulate_and_run if stimulates else run,
    )


def _from_experiment(
    keeper: Keeper,
    examined: Examined,
    instrument: Instrument,
    recording: Readable,
    parameters: Mapping[str, Any],
) -> Result:
    """Plan an experiment on a recording that a control made, and stimulate the subject again."""
    (parent,) = examined.recordings
    assert isinstance(recording, Recording) and isinstance(parent, Recording) and examined.waiting
    stimuli = StimulusSet.from_table(recording.table, name=recording.name)
    experiment = instrument.experiment_on(recording, stimuli, parameters)
    response = keeper.response(examined.waiting, recording, experiment, parent)
    return keeper.result(instrument, (response,), parameters, (response,))


def _calibrate(
    keeper: Keeper, protocol: Protocol, stimuli: StimulusSet, bench: Bench
) -> tuple[Calibration, LedgerEntry]:
    # What an RDM was measured from is not known: its phantom has as many units as the other.
    known = [_n_units(*each) for each in zip(bench.recordings, bench.sites, strict=True)]
    n_units = [n or next(filter(None, known)) for n in known]
    calibration = calibration_of(protocol, bench.claim, stimuli, n_units)
    names = [recording.name for recording in bench.recordings]
    parameters = {"claim": bench.claim.name, "subject": " and ".join(names), "n_units": n_units}
    path = keeper.run.path / "calibrations" / f"{fingerprint(parameters)[:16]}.json"
    content = json.dumps(calibration.to_dict(), indent=1) + "\n"
    inputs = (keeper.stimuli(stimuli).id,)
    return calibration, keeper.file(
        "calibration", path, content, inputs=inputs, parameters=parameters
    )


def _n_units(recording: Readable, site: str) -> int | None:
    if not isinstance(recording, Recording):
        return None
    sizes = recording[site].sizes
    return math.prod(size for dim, size in sizes.items() if dim not in ("stimulus", "layer"))
