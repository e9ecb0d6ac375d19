"""What a run's folder holds, read and put in order: all that a report is made from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, starmap
from pathlib import Path
from typing import Any

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.errors import InputError
from cortiscope.ledger import LedgerEntry, Run
from cortiscope.report.frozen import Frozen, read_frozen
from cortiscope.report.verdicts import FiledVerdict, filed_verdicts
from cortiscope.stimuli import StimulusSet
from cortiscope.stimuli.description import Description

MADE_FROM_ALL = ("brain", "report", "crate")
"""Kinds of artifacts that are made from what a report shows, and are not shown in it."""

# In the place of a family, of what is no model.
_RDM = "rdm"

_TWIN = re.compile(r"(?P<subject>.+)--twin-(?P<seed>\d+)")


@dataclass(frozen=True, eq=False)
class Scanned:
    """Who was scanned, a subject or a twin, and what was found.

    Attributes
    ----------
    id : str
        Id of its record in the ledger.
    record : dict
        What `Subject.record` said.
    results : dict of str to Result
        By step of the protocol.
    stem : str
        Name of its files.
    """

    id: str
    record: dict[str, Any]
    results: dict[str, Result]
    stem: str = ""

    @property
    def name(self) -> str:
        """As it is called in reports."""
        return str(self.record["name"])

    @property
    def is_phantom(self) -> bool:
        """Whether it was made, with a known planted truth, and never a model."""
        return bool(self.record["family"] == "phantom")


@dataclass(frozen=True, eq=False)
class Examined:
    """A subject with its untrained twins."""

    subject: Scanned
    twins: tuple[Scanned, ...]

    @property
    def everyone(self) -> tuple[Scanned, ...]:
        """The subject, then its twins."""
        return (self.subject, *self.twins)

    @property
    def twin_labels(self) -> tuple[str, ...]:
        """What the twins are called beside their subject."""
        if len(self.twins) == 1:
            return ("untrained twin",)
        return tuple(f"twin {index}" for index in range(len(self.twins)))

    def labelled(self, step: str) -> dict[str, Result]:
        """Give what a step found in the subject and its twins, each by its label."""
        labels = (self.subject.name, *self.twin_labels)
        found = (scanned.results[step] for scanned in self.everyone)
        return dict(zip(labels, found, strict=True))


@dataclass(frozen=True, eq=False)
class Contents:
    """All that a report shows.

    Attributes
    ----------
    folder : str
        Name of the run's folder.
    frozen : Frozen
        The protocol.
    recorded : dict
        How activations were recorded: sites, position, batch_size, dtype.
    stimuli : StimulusSet
        What was shown.
    stimuli_id : str
        Its id in the ledger.
    description : Description
        The stimuli's surface.
    examined : tuple of Examined
        The subjects with their twins, in the order in which they were scanned.
    pairs : tuple of Examined
        Subjects side by side, two at a time, with their twins likewise: what steps that compare
        two recordings found. Empty in a study of one subject.
    together : tuple of Examined
        All subjects in a row, with their twins likewise: what steps that read the results of all
        found. One, or none where no step does.
    results : mapping of str to Result
        All results by id, those that controls asked for too.
    exploratory : tuple of Result
        Those that neither the protocol nor a control asked for.
    verdicts : tuple of FiledVerdict or None
        None where no claim was judged.
    entries : tuple of LedgerEntry
        The artifacts, the report itself left out.
    """

    folder: str
    frozen: Frozen
    recorded: dict[str, Any]
    stimuli: StimulusSet
    stimuli_id: str
    description: Description
    examined: tuple[Examined, ...]
    pairs: tuple[Examined, ...]
    together: tuple[Examined, ...]
    results: Mapping[str, Result]
    exploratory: tuple[Result, ...]
    verdicts: tuple[FiledVerdict, ...] | None
    entries: tuple[LedgerEntry, ...]

    @property
    def target(self) -> str:
        """The label of stimuli that the study is about."""
        return self._label("target", "category")

    @property
    def groups(self) -> str:
        """The label of what is drawn, such as words."""
        return self._label("groups", "word")

    @property
    def everyone(self) -> tuple[Scanned, ...]:
        """All who were scanned."""
        return tuple(scanned for examined in self.examined for scanned in examined.everyone)

    def tested_against(self, verdict: FiledVerdict) -> str:
        """Say what a claim of presence was tested against."""
        result = self.results[verdict.address.artifact]
        if verdict.claim.variable not in result.null:
            return "the value without an effect, by resamples"
        instrument = INSTRUMENTS.get(result.analysis)
        return "its null" if instrument is None else instrument.null_is

    @classmethod
    def read(cls, run: Run) -> Contents:
        """Read a run's folder.

        Parameters
        ----------
        run : Run
            Whose study is done.

        Returns
        -------
        Contents
            Complete.

        Raises
        ------
        InputError
            Naming what is missing or damaged.
        """
        frozen = read_frozen(run)
        entries = tuple(entry for entry in run.entries() if entry.kind not in MADE_FROM_ALL)
        held = {
            kind: [entry for entry in entries if entry.kind == kind]
            for kind in ("stimuli", "subject", "recording", "result", "control", "rdm")
        }
        for kind, found in held.items():
            if not found and kind not in ("control", "rdm"):
                msg = f"the ledger of {run.path} lists no {kind}: run the study to its end first."
                raise InputError(msg)
        stimuli = StimulusSet.open(_present(run, held["stimuli"][-1]))
        results, controls = (
            [Result.open(_present(run, entry)) for entry in held[kind]]
            for kind in ("result", "control")
        )
        scanned = [_scanned(run, entry, results, frozen) for entry in held["subject"]]
        examined = _with_twins(run, scanned, frozen)
        contents = cls(
            folder=run.path.resolve().name,
            frozen=frozen,
            recorded=held["recording"][-1].parameters,
            stimuli=stimuli,
            stimuli_id=held["stimuli"][-1].id,
            description=stimuli.describe(),
            examined=examined,
            pairs=_pairs(run, (*examined, *_rdms(held["rdm"], frozen)), results, frozen),
            together=_together(results, frozen),
            results={result.id: result for result in (*results, *controls)},
            exploratory=tuple(result for result in results if not frozen.steps_of(result)),
            verdicts=filed_verdicts(run),
            entries=entries,
        )
        for verdict in contents.verdicts or ():
            if verdict.address.artifact not in contents.results:
                msg = f"{run.path} lacks the result {verdict.address.artifact} of a verdict: "
                raise InputError(msg + "run the study again.")
        return contents

    def _label(self, parameter: str, default: str) -> str:
        """Find the label that the first analysis was given which takes one."""
        given = (
            result.parameters.get(parameter)
            for examined in self.examined
            for result in examined.subject.results.values()
        )
        return next((label for label in given if isinstance(label, str)), default)


def _present(run: Run, entry: LedgerEntry) -> Path:
    path = run.path / entry.path
    if not path.exists():
        msg = f"{run.path} lacks {entry.path}, which its ledger lists: run the study again."
        raise InputError(msg)
    return path


def _scanned(run: Run, entry: LedgerEntry, results: Sequence[Result], frozen: Frozen) -> Scanned:
    path = _present(run, entry)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        names = {record["name"], path.stem}
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is damaged ({error!r}): run the study again."
        raise InputError(msg) from error
    return Scanned(entry.id, record, _by_step(results, frozen, names), path.stem)


def _by_step(results: Sequence[Result], frozen: Frozen, names: set[str]) -> dict[str, Result]:
    """Find what each step found of somebody; the last of several is that of the code of now."""
    return {
        step: result
        for result in results
        if result.subject in names
        for step in frozen.steps_of(result)
    }


def _pairs(
    run: Run, examined: Sequence[Examined], results: Sequence[Result], frozen: Frozen
) -> tuple[Examined, ...]:
    """Put together what steps found of every two subjects, and of every two twins."""

    def beside(first: Scanned, second: Scanned) -> Scanned:
        name = f"{first.name} and {second.name}"
        found = _by_step(results, frozen, {f"{first.stem} and {second.stem}", name})
        with_rdm = _RDM in (first.record["family"], second.record["family"])
        for step in frozen.steps_of_pairs(with_rdm):
            if step not in found:
                msg = f"{run.path} holds no result of {name} for {step}: run the study again."
                raise InputError(msg)
        record = {"name": name, "family": "pair", "names": (first.name, second.name)}
        return Scanned("", record, found)

    if not frozen.steps_of_pairs():
        return ()
    return tuple(
        Examined(
            beside(one.subject, other.subject),
            tuple(starmap(beside, zip(one.twins, other.twins, strict=True))),
        )
        for one, other in combinations(examined, 2)
        if one.subject.record["family"] != _RDM
    )


def _together(results: Sequence[Result], frozen: Frozen) -> tuple[Examined, ...]:
    """Gather what steps found in all subjects, and then in the twins of each seed."""
    rows: dict[str, dict[str, Result]] = {}
    for result in results:
        for step in frozen.steps_of(result):
            if step in frozen.steps_of_series:
                rows.setdefault(result.subject, {})[step] = result
    if not rows:
        return ()
    everyone = [
        Scanned("", {"name": name, "family": "series"}, found) for name, found in rows.items()
    ]
    return (Examined(everyone[0], tuple(everyone[1:])),)


def _rdms(entries: Sequence[LedgerEntry], frozen: Frozen) -> Iterator[Examined]:
    """Put saved RDMs in the place of subjects, and beside the others' twins."""
    for entry in entries:
        name = str(entry.parameters["name"])
        saved = Scanned(entry.id, {"name": name, "family": _RDM}, {}, name)
        yield Examined(saved, (saved,) * int(frozen.values.get("n_twins", 0)))


def _with_twins(run: Run, scanned: list[Scanned], frozen: Frozen) -> tuple[Examined, ...]:
    examined = []
    for subject in scanned:
        if _TWIN.fullmatch(subject.name):
            continue
        if not subject.results and not frozen.steps_of_pairs():
            msg = (
                f"{run.path} holds no result of {subject.name} for a step that this version knows: "
                "run the study to its end first, with its instruments installed."
            )
            raise InputError(msg)
        twins = tuple(sorted((t for t in scanned if _is_twin(t, subject)), key=_seed))
        for lying in (subject, *twins):
            for step in [*frozen.steps_of_one, *subject.results]:
                if step not in lying.results:
                    msg = f"{run.path} holds no result of {lying.name} for {step}: "
                    raise InputError(msg + "run the study again.")
        examined.append(Examined(subject, twins))
    return tuple(examined)


def _is_twin(scanned: Scanned, subject: Scanned) -> bool:
    match = _TWIN.fullmatch(scanned.name)
    return match is not None and match["subject"] == subject.name


def _seed(twin: Scanned) -> int:
    match = _TWIN.fullmatch(twin.name)
    return int(match["seed"]) if match else 0
