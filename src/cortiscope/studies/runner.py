"""The runner: from stimuli and subjects to recordings, results and verdicts, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from cortiscope.analyses import Readable, Result
from cortiscope.errors import InputError
from cortiscope.ledger import Run, remove_abandoned
from cortiscope.scanning.request import resolve
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.archived_subject import ArchivedSubject
from cortiscope.studies.keeping import Keeper, Lying, Waiting
from cortiscope.studies.phantom_subject import (
    PhantomSubject,
    is_model_phantom,
    load_model_phantom,
)
from cortiscope.studies.protocol import Protocol, Step
from cortiscope.studies.saved_rdm import is_saved_rdm
from cortiscope.studies.trial import Examined, Scanned, pairs_of, together_of, try_claims
from cortiscope.subjects import Subject

Say = Callable[[str], None]


def run_study(
    protocol: Protocol,
    out: str | Path | None = None,
    *,
    device: str | None = None,
    device_map: str | None = None,
    say: Say = lambda _: None,
) -> Run:
    """Scan every subject and its twins, analyse every recording, and judge every claim.

    Whatever is already there and whole is not done again, so that an interrupted study goes on
    where it stopped.

    Parameters
    ----------
    protocol : Protocol
        What to do.
    out : str or Path, optional
        The run's folder; by default one under ``runs/`` that follows from the protocol.
    device, device_map : str, optional
        Where the models run; passed to `Subject.load`.
    say : callable
        Is told, a line each, what is being done.

    Returns
    -------
    Run
        With stimuli, subjects, recordings, results and verdicts; the report is written from it.

    Raises
    ------
    InputError
        When the protocol does not fit the stimuli, the subjects or the folder.
    """
    protocol.check()
    stimuli = StimulusSet.load(protocol.stimuli)
    for step in protocol.steps.values():
        target, groups = (step.parameters.get(label) for label in ("target", "groups"))
        if target is not None and groups is not None:
            stimuli.check_groups(target, groups, n_folds=step.parameters.get("n_folds", 2))
    keeper: Keeper | None = None

    @lru_cache(maxsize=1)  # no more than one model is in memory while claims are judged
    def again(spec: str) -> Lying:
        say(f"loading {spec} again")
        subject = load_subject(spec, protocol, device, device_map)
        assert keeper is not None
        keeper.subject(subject)  # it is still the same
        return subject

    scanned: dict[str, Scanned] = {}
    rdms = [spec for spec in protocol.subjects if is_saved_rdm(spec)]
    specs = [spec for spec in protocol.subjects if spec not in rdms]
    for place, spec in enumerate(specs):
        say(f"loading {spec}")
        subject = load_subject(spec, protocol, device, device_map)
        if subject.name in scanned:
            msg = f"two subjects are called {subject.name}: rename one folder, or run them apart."
            raise InputError(msg)
        is_last = place == len(protocol.subjects) - 1
        _check_request(subject, stimuli, protocol, is_first=not place, is_last=is_last)
        # Nothing is written before there is somebody who can be scanned as the protocol says.
        keeper = keeper or _begin(Run(out or protocol.default_out), protocol, stimuli)
        own, *twins = [
            _examine(keeper, lying, stimuli, protocol, say)
            for lying in _with_twins(subject, protocol.n_twins)
        ]
        waiting = Waiting(subject.name, subject.slug, partial(again, spec))
        scanned[subject.name] = Scanned(spec, replace(own, waiting=waiting), tuple(twins))
    if keeper is None:
        msg = "the study has RDMs alone: name a model that they are compared with."
        raise InputError(msg)
    saved = _saved(keeper, rdms, scanned, protocol.n_twins)
    pairs = pairs_of(scanned | saved, lambda pair: _measured(keeper, pair, protocol, say))
    together = together_of(scanned, protocol, keeper.result)
    try_claims(keeper, protocol, stimuli, scanned | pairs | together, say)
    return keeper.run


def _begin(run: Run, protocol: Protocol, stimuli: StimulusSet) -> Keeper:
    protocol.freeze(run)
    remove_abandoned(run.path)
    keeper = Keeper(run)
    keeper.stimuli(stimuli)
    return keeper


def _check_request(
    subject: Lying, stimuli: StimulusSet, protocol: Protocol, *, is_first: bool, is_last: bool
) -> None:
    """Refuse sites that the subject cannot be recorded at, and steps that nobody records."""
    if not isinstance(subject, Subject):
        recorded = set(subject.sites)
    else:
        request = resolve(
            subject,
            stimuli,
            protocol.sites,
            protocol.position,
            protocol.batch_size,
            protocol.store_dtype,
            "right",
        )
        recorded = {layout.site for layout in request.sites}
    for name, step in protocol.steps.items():
        for site in sites_read(step, is_first=is_first, is_last=is_last) - recorded:
            msg = (
                f"step {name} reads {site}, which is not recorded of {subject.name}: add it to "
                f"the sites, or read one of {', '.join(sorted(recorded))}."
            )
            raise InputError(msg)


def sites_read(step: Step, *, is_first: bool, is_last: bool) -> set[str]:
    """Find the sites at which a step reads a subject: of the second of a pair it may be another."""
    if "sites" in step.parameters:
        return set(step.parameters["sites"])
    site, other = (step.parameters.get(name) for name in ("site", "other_site"))
    if other is None:
        return set() if site is None else {str(site)}
    return {str(at) for at, is_read in ((site, not is_last), (other, not is_first)) if is_read}


def load_subject(
    spec: str, protocol: Protocol, device: str | None = None, device_map: str | None = None
) -> Lying:
    """Load a subject as the protocol says, or a phantom or an earlier run in its place."""
    if PhantomSubject.matches(spec):
        return PhantomSubject.parse(spec)
    if is_model_phantom(spec):
        return load_model_phantom(spec, StimulusSet.load(protocol.stimuli))
    if ArchivedSubject.matches(spec):
        return ArchivedSubject.parse(spec)
    return Subject.load(
        spec,
        revision=protocol.revision,
        dtype=protocol.model_dtype,
        attention=protocol.attention,
        device=device,
        device_map=device_map,
    )


def _with_twins(subject: Lying, n_twins: int) -> Iterator[Lying]:
    # One twin at a time, so that no more than two models are ever in memory.
    yield subject
    for seed in range(n_twins):
        yield subject.twin(seed)


def _examine(
    keeper: Keeper, subject: Lying, stimuli: StimulusSet, protocol: Protocol, say: Say
) -> Examined:
    inputs = (keeper.stimuli(stimuli).id, keeper.subject(subject).id)
    say(f"scanning {subject.name}: {len(stimuli):,} stimuli")
    recording = keeper.recording(subject, stimuli, protocol, inputs)
    results = _measured(keeper, (recording,), protocol, say)
    made: dict[str, Readable] = {}
    for name, step in protocol.steps.items():
        if step.instrument.experiment is not None:
            say(f"{name}: {step.analysis} of {subject.name}")
            experiment = step.instrument.experiment_on(recording, stimuli, step.parameters)
            made[name] = keeper.response(subject, recording, experiment)
            results[name] = keeper.result(step.instrument, (made[name],), step.parameters)
    return Examined((recording,), results, made)


def _saved(
    keeper: Keeper, specs: Sequence[str], scanned: Mapping[str, Scanned], n_twins: int
) -> dict[str, Scanned]:
    """Put RDMs in subjects' places, and beside every twin of the others."""
    saved: dict[str, Scanned] = {}
    names: dict[str, str] = {}
    for spec in specs:
        rdm = keeper.rdm(spec)
        if rdm.name in scanned or rdm.name in saved:
            msg = f"two subjects are called {rdm.name}: rename the file {spec}."
            raise InputError(msg)
        # Results are known by what they are of, whatever it is called.
        if rdm.fingerprint in names:
            msg = f"the RDMs {names[rdm.fingerprint]} and {rdm.name} hold the same: name one alone."
            raise InputError(msg)
        names[rdm.fingerprint] = rdm.name
        examined = Examined((rdm,), {})
        saved[rdm.name] = Scanned(spec, examined, (examined,) * n_twins)
    return saved


def _measured(
    keeper: Keeper, recordings: tuple[Readable, ...], protocol: Protocol, say: Say
) -> dict[str, Result]:
    """Take every step that can read what is there."""
    results = {}
    for name, step in protocol.steps.items():
        if step.instrument.can_read(recordings):
            whose = " and ".join(recording.name for recording in recordings)
            say(f"{name}: {step.analysis} of {whose}")
            results[name] = keeper.result(step.instrument, recordings, step.parameters)
    return results
