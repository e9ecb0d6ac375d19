"""Keeping: work is done once, saved, and written into the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortiscope.analyses import Instrument, Readable, Result, ResultSeries
from cortiscope.codes import RDM
from cortiscope.errors import InputError
from cortiscope.ledger import LedgerEntry, Run, fingerprint, write_atomically
from cortiscope.scanning import Recording, scan
from cortiscope.stimulation import Experiment, Response, stimulate
from cortiscope.stimulation.response import HEAD
from cortiscope.stimulation.sweep_code import code_fingerprint
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.archived_subject import ArchivedSubject
from cortiscope.studies.phantom_subject import PhantomSubject
from cortiscope.studies.protocol import Protocol
from cortiscope.studies.saved_rdm import read_saved_rdm
from cortiscope.subjects import Subject

# Who may lie in the scanner.
Lying = Subject | PhantomSubject | ArchivedSubject


@dataclass(frozen=True, eq=False)
class Waiting:
    """Somebody who was examined, and can be asked into the scanner again.

    Attributes
    ----------
    name, slug : str
        As the subject has them.
    load : callable
        Loads the subject, which is not in memory any more.
    """

    name: str
    slug: str
    load: Callable[[], Lying]


@dataclass(frozen=True, eq=False)
class Keeper:
    """Does the work of a study in its run, or finds it done.

    Attributes
    ----------
    run : Run
        Where everything is kept.
    """

    run: Run
    _ids: dict[str, str] = field(default_factory=dict)

    def stimuli(self, stimuli: StimulusSet) -> LedgerEntry:
        """Keep the stimuli, or see that the run was begun with these."""
        path = self.run.path / "stimuli.parquet"
        if not path.exists():
            stimuli.save(path)
        elif StimulusSet.open(path).fingerprint != stimuli.fingerprint:
            msg = (
                f"{self.run.path} was begun with other stimuli than {stimuli.name} holds now: "
                "give --out a new folder."
            )
            raise InputError(msg)
        return self.run.record("stimuli", path, parameters={"name": stimuli.name})

    def subject(self, subject: Lying) -> LedgerEntry:
        """Keep who was scanned, or see that the run holds this very subject."""
        path = self.run.path / "subjects" / f"{subject.slug}.json"
        record = subject.record()
        if path.exists() and json.loads(path.read_text())["fingerprint"] != record["fingerprint"]:
            msg = (
                f"{self.run.path} already holds another subject called {subject.slug}: "
                "give --out a new folder."
            )
            raise InputError(msg)
        write_atomically(path, json.dumps(record, indent=1) + "\n")
        return self.run.record("subject", path, parameters={"name": subject.name})

    def recording(
        self, subject: Lying, stimuli: StimulusSet, protocol: Protocol, inputs: tuple[str, ...]
    ) -> Recording:
        """Scan a subject, continue its scan, or open its recording."""
        store = self.run.recordings / f"{subject.slug}.zarr"
        parameters: dict[str, Any] = {
            "sites": list(protocol.sites),
            "position": protocol.position,
            "batch_size": protocol.batch_size,
            "dtype": protocol.store_dtype,
        }
        if isinstance(subject, Subject):
            recording = scan(subject, stimuli, out=store, **parameters)
        else:
            recording = subject.recording(stimuli, store)
            parameters |= subject.parameters
        entry = self.run.record(
            "recording", store, inputs=inputs, parameters=parameters, content=recording.fingerprint
        )
        self._ids[recording.fingerprint] = entry.id
        return recording

    def rdm(self, spec: str) -> RDM:
        """Keep a saved RDM, or see that the run holds this very one."""
        rdm = read_saved_rdm(spec)
        path = self.run.path / "rdms" / f"{rdm.name}.csv"
        if path.exists() and RDM.read(path).fingerprint != rdm.fingerprint:
            msg = f"{self.run.path} already holds another RDM called {rdm.name}: rename the file."
            raise InputError(msg)
        kept = RDM.read(rdm.save(path))
        self._ids[kept.fingerprint] = self.run.record("rdm", path, parameters={"name": rdm.name}).id
        return kept

    def response(
        self,
        subject: Lying | Waiting,
        recording: Recording,
        experiment: Experiment,
        parent: Recording | None = None,
    ) -> Response:
        """Stimulate a subject, continue an interrupted sweep, or open what it gave before.

        Of an experiment that another follows, every response is kept, and the last is given.

        Parameters
        ----------
        subject : Subject or Waiting
            Who is stimulated; one who waits is loaded when something was not done before.
        recording : Recording
            What the experiment was planned on.
        experiment : Experiment
            What is done.
        parent : Recording, optional
            The recording of this run that `recording` was derived from, where it was.

        Raises
        ------
        InputError
            For a subject that is not there to be stimulated: a phantom's or an earlier recording.
        """
        inputs = [self._ids[(parent or recording).fingerprint]]

        def show(step: Experiment) -> Response:
            # Of changed code the response is another one, which the old one does not stand in for.
            which = fingerprint([step.fingerprint, code_fingerprint()])[:16]
            path = self.run.path / "responses" / f"{subject.slug}--{which}"
            response = _stimulated(subject, step, path)
            entry = self.run.record(
                "response",
                path,
                inputs=tuple(inputs),
                parameters={"subject": subject.name, "experiment": step.fingerprint},
                content=response.fingerprint,
            )
            self._ids[response.fingerprint] = entry.id
            inputs.append(entry.id)
            return response

        return experiment.carried_out(show)

    def result(
        self,
        instrument: Instrument,
        recordings: tuple[Readable, ...],
        parameters: Mapping[str, Any],
        parents: tuple[Readable, ...] | None = None,
    ) -> Result:
        """Run an instrument, or open what it gave before.

        Parameters
        ----------
        instrument : Instrument
            What measures.
        recordings : tuple of Recording or RDM
            What is measured: one, or a pair.
        parameters : mapping
            With which parameters.
        parents : tuple of Recording, optional
            For a control's measurement: the recordings of this run that `recordings` are, or were
            derived from.
        """
        path = self.run.results / f"{instrument.id_for(*recordings, **parameters)}.json"
        if path.exists():
            result = Result.open(path)
        else:
            result = instrument.run(*recordings, **parameters)
            result.save(self.run.results)
        self.run.record(
            "result" if parents is None else "control",
            path,
            inputs=tuple(i for kept in parents or recordings for i in self._ids_of(kept)),
            parameters={
                **{
                    name: source.name
                    for name, source in zip(instrument.reads, recordings, strict=True)
                },
                **result.parameters,
            },
            artifact_id=result.id,
        )
        return result

    def _ids_of(self, kept: Readable) -> tuple[str, ...]:
        if isinstance(kept, ResultSeries):
            return tuple(result.id for result in (*kept.results, *kept.against))
        return (self._ids[kept.fingerprint],)

    def file(
        self,
        kind: str,
        path: Path,
        content: str,
        *,
        inputs: tuple[str, ...] = (),
        parameters: dict[str, Any] | None = None,
    ) -> LedgerEntry:
        """Write a file of the study and record it."""
        write_atomically(path, content)
        return self.run.record(kind, path, inputs=inputs, parameters=parameters)


def _stimulated(subject: Lying | Waiting, experiment: Experiment, path: Path) -> Response:
    if isinstance(subject, Waiting):
        if (path / HEAD).is_file():  # all of it is there
            return Response.open(path)
        subject = subject.load()
    if not isinstance(subject, Subject):
        msg = (
            f"{subject.name} is a recording, and an experiment needs the model itself: leave the "
            "step out, or name the model as the subject."
        )
        raise InputError(msg)
    return stimulate(
        subject, experiment.stimuli, experiment.conditions, experiment.readouts, out=path
    )
