"""The runner: from stimuli and subjects to recordings and results, step by step on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.errors import InputError
from cortiscope.ledger import Run, remove_abandoned, write_atomically
from cortiscope.scanning import Recording, scan
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.protocol import Protocol
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
    """Scan every subject and its twins, decode every recording, and keep it all in one folder.

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
        With stimuli, subjects, recordings and results; the report is written from it.

    Raises
    ------
    InputError
        When the protocol does not fit the stimuli, the subjects or the folder.
    """
    stimuli = StimulusSet.load(protocol.stimuli)
    decode = protocol.decode
    stimuli.check_groups(target=decode.target, groups=decode.groups, n_folds=decode.n_folds)
    _check_subjects(protocol)
    run = Run(out or protocol.default_out)
    protocol.freeze(run)
    remove_abandoned(run.path)
    stimuli_id = _keep_stimuli(run, stimuli)
    for spec in protocol.subjects:
        say(f"loading {spec}")
        subject = Subject.load(
            spec,
            revision=protocol.revision,
            dtype=protocol.model_dtype,
            attention=protocol.attention,
            device=device,
            device_map=device_map,
        )
        for lying in _with_twins(subject, protocol.n_twins):
            recording, recording_id = _record(run, lying, stimuli, stimuli_id, protocol, say)
            for result in _decode_sites(run, recording, recording_id, protocol, say):
                say(_headline(result))
    return run


def _check_subjects(protocol: Protocol) -> None:
    if not protocol.subjects:
        msg = "the study has no subject: name at least one, such as specimen:qwen2."
        raise InputError(msg)
    if len(set(protocol.subjects)) < len(protocol.subjects):
        msg = "a subject is named twice: name each once."
        raise InputError(msg)


def _with_twins(subject: Subject, n_twins: int) -> Iterator[Subject]:
    # One twin at a time, so that no more than two models are ever in memory.
    yield subject
    for seed in range(n_twins):
        yield subject.twin(seed)


def _keep_stimuli(run: Run, stimuli: StimulusSet) -> str:
    path = run.path / "stimuli.parquet"
    if not path.exists():
        stimuli.save(path)
    elif StimulusSet.open(path).fingerprint != stimuli.fingerprint:
        msg = (
            f"{run.path} was begun with other stimuli than {stimuli.name} holds now: "
            "give --out a new folder."
        )
        raise InputError(msg)
    return run.record("stimuli", path.name, parameters={"name": stimuli.name}).id


def _record(
    run: Run,
    subject: Subject,
    stimuli: StimulusSet,
    stimuli_id: str,
    protocol: Protocol,
    say: Say,
) -> tuple[Recording, str]:
    path = run.path / "subjects" / f"{subject.slug}.json"
    record = subject.record()
    if path.exists() and json.loads(path.read_text())["fingerprint"] != record["fingerprint"]:
        msg = (
            f"{run.path} already holds another subject called {subject.slug}: "
            "give --out a new folder."
        )
        raise InputError(msg)
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    subject_id = run.record("subject", path, parameters={"name": subject.name}).id
    say(f"scanning {subject.name}: {len(stimuli):,} stimuli")
    store = run.recordings / f"{subject.slug}.zarr"
    recording = scan(
        subject,
        stimuli,
        sites=protocol.sites,
        position=protocol.position,
        batch_size=protocol.batch_size,
        dtype=protocol.store_dtype,
        out=store,
    )
    entry = run.record(
        "recording",
        store,
        inputs=(stimuli_id, subject_id),
        parameters={
            "sites": list(protocol.sites),
            "position": protocol.position,
            "batch_size": protocol.batch_size,
            "dtype": protocol.store_dtype,
        },
        content=recording.fingerprint,
    )
    return recording, entry.id


def _decode_sites(
    run: Run, recording: Recording, recording_id: str, protocol: Protocol, say: Say
) -> Iterator[Result]:
    instrument = INSTRUMENTS["decode"]
    for site in recording.sites:
        parameters = protocol.decode.model_dump() | {"site": site}
        path = run.results / f"{instrument.id_for(recording, **parameters)}.json"
        if path.exists():
            result = Result.open(path)
        else:
            say(f"decoding {recording.name}: {site}")
            result = instrument.run(recording, **parameters)
            result.save(run.results)
        run.record(
            "result",
            path,
            inputs=(recording_id,),
            parameters=result.parameters,
            artifact_id=result.id,
        )
        yield result


def _headline(result: Result) -> str:
    accuracy = result.estimates["accuracy"]
    best = int(accuracy["layer"].values[int(accuracy.values.argmax())])
    site = result.parameters["site"]
    return f"{result.subject} {site}: accuracy {float(accuracy.max()):.3f} at layer {best}"
