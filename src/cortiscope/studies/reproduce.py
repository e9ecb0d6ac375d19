"""Reproducing: results and verdicts computed again from the recordings, beside what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from cortiscope.analyses import INSTRUMENTS, Instrument, Readable, Result, ResultSeries
from cortiscope.codes import RDM
from cortiscope.errors import CortiscopeError, InputError
from cortiscope.ledger import LedgerEntry, Run, fingerprint
from cortiscope.ledger.progress import track
from cortiscope.scanning import Recording
from cortiscope.stimulation import Experiment, Response
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.archived_subject import ArchivedSubject
from cortiscope.studies.keeping import Keeper, Lying, Waiting
from cortiscope.studies.lookup import Lookup
from cortiscope.studies.phantom_subject import (
    PhantomSubject,
    is_model_phantom,
    name_of_model_phantom,
)
from cortiscope.studies.protocol import Protocol
from cortiscope.studies.trial import Examined, Scanned, pairs_of, together_of, try_claims

_DATASETS = ("estimates", "intervals", "p_values", "null", "resamples")
_TWIN = "--twin-"


@dataclass(frozen=True)
class Comparison:
    """One artifact as it is stored, and as it comes out again.

    Attributes
    ----------
    entry : LedgerEntry
        The artifact.
    outcome : {"identical", "differs", "not compared"}
        ``identical``: bit by bit.
    largest_difference : float or None
        Between two numbers, in absolute value; None where there are no numbers to compare.
    where : str
        The variable in which it occurs.
    statement : str
        Why nothing was compared, or what else there is to say.
    """

    entry: LedgerEntry
    outcome: Literal["identical", "differs", "not compared"]
    largest_difference: float | None = None
    where: str = ""
    statement: str = ""

    def __str__(self) -> str:
        """One line."""
        said = f"{self.entry.kind} {self.entry.id}: {self.outcome}"
        if self.outcome == "differs" and self.largest_difference is not None:
            said += f", by at most {self.largest_difference:.3g} in {self.where}"
        return said + (f" ({self.statement})" if self.statement else "")


def reproduce(run: Run, address: str | None = None) -> list[Comparison]:
    """Compute results and verdicts again from the recordings of a run, and write nothing.

    Parameters
    ----------
    run : Run
        The run.
    address : str, optional
        The id, path or address of one result, or of the verdicts; all of them when left out.

    Returns
    -------
    list of Comparison
        One for each result, each result that a control asked for, and the verdicts. On the same
        machine they are identical; another may round differently.

    Raises
    ------
    InputError
        When the address names nothing that is computed from recordings.
    """
    lookup = Lookup(run)
    wanted = lookup.of_kind("result", "control", "verdicts")
    if address is not None:
        wanted = [entry for entry in wanted if entry == lookup.find(address)[0]]
        if not wanted:
            msg = f"{address} is not computed from recordings: name a result, or the verdicts."
            raise InputError(msg)
    return _Reproduction(lookup, {entry.id for entry in wanted}).compare(wanted)


@dataclass(frozen=True, eq=False)
class _Reproduction:
    lookup: Lookup
    wanted: set[str]
    again: dict[str, Result] = field(default_factory=dict)
    done: dict[str, Comparison] = field(default_factory=dict)
    _recordings: dict[str, Readable] = field(default_factory=dict)

    def compare(self, wanted: list[LedgerEntry]) -> list[Comparison]:
        results = [entry for entry in wanted if entry.kind == "result"]
        for entry in track(results, "computing again"):
            self._compare_result(entry)
        if len(results) < len(wanted):
            try:
                self._judge()
            except CortiscopeError as error:
                self._explain(wanted, f"the claims cannot be judged again: {error}")
        self._explain(wanted, "nothing asks for it any more")
        return [self.done[entry.id] for entry in wanted]

    @cached_property
    def stored(self) -> dict[str, LedgerEntry]:
        """Results by the work that they are of."""
        return {
            _work(result.analysis, result.inputs, result.parameters): entry
            for entry in self.lookup.of_kind("result", "control")
            for result in [self.lookup.result(entry)]
        }

    def stored_of(
        self,
        instrument: Instrument,
        recordings: tuple[Readable, ...],
        parameters: Mapping[str, Any],
    ) -> LedgerEntry | None:
        """Find what an instrument gave of recordings, if it was kept."""
        inputs = {
            name: recording.fingerprint
            for name, recording in zip(instrument.reads, recordings, strict=True)
        }
        return self.stored.get(_work(instrument.name, inputs, parameters))

    def result_of(self, entry: LedgerEntry) -> Result:
        """Give a result as it came out again, or as it is stored where it is not asked for."""
        return self.again.get(entry.id) or self.lookup.result(entry)

    def compute(
        self, entry: LedgerEntry, recordings: tuple[Readable, ...], instrument: Instrument
    ) -> Result:
        """Compute a result from what it reads, and compare it; once."""
        if entry.id not in self.again:
            stored = self.lookup.result(entry)
            self.again[entry.id] = instrument.run(*recordings, **stored.parameters)
            self.done[entry.id] = _compare(entry, stored, self.again[entry.id])
        return self.again[entry.id]

    def recording(self, entry: LedgerEntry) -> Readable:
        """Open a recording of the run, or an RDM that stands in for one."""
        if entry.id not in self._recordings:
            path = self.lookup.run.path / entry.path
            if not path.exists():
                msg = f"its recording {entry.path} was cleaned away: run the study again first"
                raise InputError(msg)
            readers: dict[str, Callable[[Path], Readable]] = {
                "rdm": RDM.read,
                "response": Response.open,
            }
            self._recordings[entry.id] = readers.get(entry.kind, Recording.open)(path)
        return self._recordings[entry.id]

    def _compare_result(self, entry: LedgerEntry) -> None:
        try:
            stored = self.lookup.result(entry)
            instrument = INSTRUMENTS[stored.analysis]
            inputs = [self.lookup.entry(i) for i in entry.inputs]
            if instrument.is_of_series:
                found = tuple(map(self.lookup.result, inputs))
                n = len(found) // (1 if stored.parameters["against"] is None else 2)
                self.compute(entry, (ResultSeries(found[:n], found[n:]),), instrument)
            else:
                self.compute(entry, tuple(map(self.recording, inputs)), instrument)
        except CortiscopeError as error:
            self.done[entry.id] = Comparison(entry, "not compared", statement=str(error))

    def _judge(self) -> None:
        """Judge the claims again, which runs the controls again."""
        run = self.lookup.run
        protocol = Protocol.read(run)
        stimuli = StimulusSet.open(run.path / self.lookup.of_kind("stimuli")[0].path)
        try_claims(
            _Comparer(run, reproduction=self), protocol, stimuli, self._scanned(protocol), _silent
        )

    def _scanned(self, protocol: Protocol) -> dict[str, Scanned]:
        examined = {
            str(self.lookup.document(subject)["name"]): self._examined(protocol, recording, subject)
            for recording in self.lookup.of_kind("recording")
            for subject in map(self.lookup.entry, recording.inputs)
            if subject.kind == "subject"
        }
        scanned = {}
        for name, own in examined.items():
            if _TWIN not in name:
                twins = [examined[n] for n in examined if n.rpartition(_TWIN)[0] == name]
                scanned[name] = Scanned(_spec_of(name, protocol), own, tuple(twins))
        rdms = {}
        for entry in self.lookup.of_kind("rdm"):
            rdm = self.recording(entry)
            lying = Examined((rdm,), {})
            rdms[rdm.name] = Scanned("", lying, (lying,) * protocol.n_twins)
        pairs = pairs_of(scanned | rdms, lambda pair: self._results_of(protocol, pair))
        return scanned | pairs | together_of(scanned, protocol, self._kept)

    def _examined(
        self, protocol: Protocol, recording_entry: LedgerEntry, subject: LedgerEntry
    ) -> Examined:
        recordings = (self.recording(recording_entry),)
        results = self._results_of(protocol, recordings)
        made: dict[str, Readable] = {}
        for entry in self.lookup.of_kind("response"):
            if recording_entry.id in entry.inputs:
                response = self.recording(entry)
                assert isinstance(response, Response)
                for name, step in protocol.steps.items():
                    kept = step.instrument.experiment and self.stored_of(
                        step.instrument, (response,), step.parameters
                    )
                    # What a control stimulated with may have the step's own parameters.
                    if kept and kept.kind == "result":
                        made[name], results[name] = response, self.result_of(kept)
        name = str(self.lookup.document(subject)["name"])
        return Examined(recordings, results, made, Waiting(name, Path(subject.path).stem, _gone))

    def response_to(self, subject: str, experiment: Experiment) -> Response:
        """Open what a subject gave in an experiment."""
        parameters = {"subject": subject, "experiment": experiment.fingerprint}
        for entry in self.lookup.of_kind("response"):
            if entry.parameters == parameters:
                response = self.recording(entry)
                assert isinstance(response, Response)
                return response
        raise InputError(
            f"the run holds no response of {subject} to an experiment that a control asks for"
        )

    def _results_of(
        self, protocol: Protocol, recordings: tuple[Readable, ...]
    ) -> dict[str, Result]:
        results = {}
        for name, step in protocol.steps.items():
            if step.instrument.can_read(recordings):
                results[name] = self._kept(step.instrument, recordings, step.parameters)
        return results

    def _kept(
        self,
        instrument: Instrument,
        recordings: tuple[Readable, ...],
        parameters: Mapping[str, Any],
    ) -> Result:
        entry = self.stored_of(instrument, recordings, parameters)
        if entry is None:
            whose = " and ".join(recording.name for recording in recordings)
            raise InputError(f"the run holds no {instrument.name} of {whose} with its parameters")
        return self.result_of(entry)

    def _explain(self, wanted: list[LedgerEntry], why: str) -> None:
        for entry in wanted:
            self.done.setdefault(entry.id, Comparison(entry, "not compared", statement=why))


@dataclass(frozen=True, eq=False)
class _Comparer(Keeper):
    """Computes what a study computes, and compares it instead of keeping it."""

    reproduction: _Reproduction = field(kw_only=True)

    def stimuli(self, stimuli: StimulusSet) -> LedgerEntry:
        return self.reproduction.lookup.of_kind("stimuli")[0]

    def response(
        self,
        subject: Lying | Waiting,
        recording: Recording,
        experiment: Experiment,
        parent: Recording | None = None,
    ) -> Response:
        return experiment.carried_out(
            lambda step: self.reproduction.response_to(subject.name, step)
        )

    def result(
        self,
        instrument: Instrument,
        recordings: tuple[Readable, ...],
        parameters: Mapping[str, Any],
        parents: tuple[Readable, ...] | None = None,
    ) -> Result:
        entry = self.reproduction.stored_of(instrument, recordings, parameters)
        if entry is None:
            return instrument.run(*recordings, **parameters)
        if entry.id not in self.reproduction.wanted:
            return self.reproduction.result_of(entry)
        return self.reproduction.compute(entry, recordings, instrument)

    def file(
        self,
        kind: str,
        path: Path,
        content: str,
        *,
        inputs: tuple[str, ...] = (),
        parameters: dict[str, Any] | None = None,
    ) -> LedgerEntry:
        lookup = self.reproduction.lookup
        entry = lookup.at_path(path.relative_to(self.run.path).as_posix())
        if entry is None:
            msg = f"{path.relative_to(self.run.path)} is in no line of the ledger"
            raise InputError(msg)
        if entry.id in self.reproduction.wanted:
            stored = lookup.document(entry)
            self.reproduction.done[entry.id] = _compare_documents(entry, stored, content)
        return entry


def _work(analysis: str, inputs: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """Say which work a result is of, whatever code did it."""
    return fingerprint([analysis, inputs, parameters])


def _spec_of(name: str, protocol: Protocol) -> str:
    """Find how the protocol calls a subject."""
    for spec in protocol.subjects:
        if PhantomSubject.matches(spec):
            if PhantomSubject.parse(spec).name == name:
                return spec
        elif is_model_phantom(spec):
            if name_of_model_phantom(spec) == name:
                return spec
        elif "#" in spec:
            if spec.partition("#")[2] == name:
                return spec
        elif ArchivedSubject.matches(spec):
            if ArchivedSubject.parse(spec).name == name:
                return spec
        elif name in (spec, Path(spec).name):
            return spec
    return name


def _silent(_: str) -> None:
    pass


def _gone() -> Lying:
    raise InputError("a model is not stimulated to compare: run the study again")


def _compare(entry: LedgerEntry, stored: Result, again: Result) -> Comparison:
    said = ""
    if stored.inputs != again.inputs:
        said = "its recording is not the one that it was computed from"
    elif stored.source != again.source:
        said = "the code that computes it has changed since"
    differences: dict[str, float] = {}
    is_identical = True
    for kind in _DATASETS:
        before, now = getattr(stored, kind), getattr(again, kind)
        if set(before.data_vars) != set(now.data_vars):
            return Comparison(entry, "differs", None, kind, said or "it has other variables")
        for name in map(str, before.data_vars):
            a, b = before[name], now[name]
            if a.dims != b.dims or a.shape != b.shape:
                return Comparison(entry, "differs", None, name, said or "it has another shape")
            is_identical &= (a.dtype == b.dtype or _is_text(a)) and _same_bits(a, b)
            differences[f"{name} of the {kind.replace('_', '-')}"] = _largest(a, b)
    where = max(differences, key=differences.__getitem__)
    outcome: Literal["identical", "differs"] = "identical" if is_identical else "differs"
    return Comparison(entry, outcome, differences[where], where, said)


def _same_bits(a: xr.DataArray, b: xr.DataArray) -> bool:
    if _is_text(a):
        return bool((a.values == b.values).all())
    # What is not a number has many bit patterns, which no file format keeps apart.
    a_missing, b_missing = np.isnan(a.values), np.isnan(b.values)
    numbers = a.values[~a_missing].tobytes() == b.values[~b_missing].tobytes()
    return bool(numbers and np.array_equal(a_missing, b_missing))


def _is_text(values: xr.DataArray) -> bool:
    return values.dtype.kind in "OUT"


def _largest(a: xr.DataArray, b: xr.DataArray) -> float:
    if _is_text(a) or _is_text(b):
        return 0.0 if (a.values == b.values).all() else np.inf
    x, y = np.asarray(a.values, dtype=np.float64), np.asarray(b.values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    # A number on one side and none on the other differ without bound.
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


def _compare_documents(entry: LedgerEntry, stored: Any, content: str) -> Comparison:
    before, now = dict(_leaves(stored)), dict(_leaves(json.loads(content)))
    differing = [
        name for name in {**before, **now} if repr(before.get(name)) != repr(now.get(name))
    ]
    if not differing:
        return Comparison(entry, "identical", 0.0)
    numbers = {
        name: _largest(xr.DataArray(before[name]), xr.DataArray(now[name]))
        for name in differing
        if isinstance(before.get(name), float) and isinstance(now.get(name), float)
    }
    where = max(numbers, key=numbers.__getitem__, default=differing[0])
    return Comparison(entry, "differs", numbers.get(where), where)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        yield name, value
    for key, item in items:
        yield from _leaves(item, f"{name}.{key}" if name else str(key))
