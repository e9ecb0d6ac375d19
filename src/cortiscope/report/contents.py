"""What a run's folder holds, read and put in order: all that a report is made from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortiscope.analyses import Result
from cortiscope.errors import InputError
from cortiscope.ledger import LedgerEntry, Run
from cortiscope.report.frozen import Frozen, read_frozen
from cortiscope.report.verdicts import FiledVerdict, filed_verdicts
from cortiscope.stimuli import StimulusSet
from cortiscope.stimuli.description import Description

EMBEDDING = "resid_pre"

_TWIN = re.compile(r"(?P<subject>.+)--twin-(?P<seed>\d+)")


@dataclass(frozen=True, eq=False)
class Scanned:
    """Who was scanned, a subject or a twin, and what was decoded.

    Attributes
    ----------
    id : str
        Id of its record in the ledger.
    record : dict
        What `Subject.record` said.
    decodings : dict of str to Result
        By step of the protocol.
    """

    id: str
    record: dict[str, Any]
    decodings: dict[str, Result]

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


@dataclass(frozen=True, eq=False)
class Comparison:
    """One decoding of a subject beside that of its twins.

    Attributes
    ----------
    examined : Examined
        Who.
    step : str
        Which step of the protocol.
    """

    examined: Examined
    step: str

    @property
    def name(self) -> str:
        """The subject's name."""
        return self.examined.subject.name

    @property
    def result(self) -> Result:
        """The subject's decoding."""
        return self.examined.subject.decodings[self.step]

    @property
    def site(self) -> str:
        """Which site was decoded."""
        return str(self.result.parameters["site"])

    @property
    def embedding(self) -> Result | None:
        """The subject's decoding at the embedding, where there is one."""
        return self._at_embedding(self.examined.subject)

    @property
    def twin_embeddings(self) -> tuple[Result | None, ...]:
        """The twins' decodings at the embedding."""
        return tuple(self._at_embedding(twin) for twin in self.examined.twins)

    @property
    def twins(self) -> tuple[Result, ...]:
        """The twins' decodings."""
        return tuple(twin.decodings[self.step] for twin in self.examined.twins)

    @property
    def twin_labels(self) -> tuple[str, ...]:
        """What the twins are called beside their subject."""
        if len(self.examined.twins) == 1:
            return ("untrained twin",)
        return tuple(f"twin {index}" for index in range(len(self.examined.twins)))

    def _at_embedding(self, scanned: Scanned) -> Result | None:
        if self.site == EMBEDDING:
            return None
        return next(filter(_is_embedding, scanned.decodings.values()), None)


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
    results: Mapping[str, Result]
    exploratory: tuple[Result, ...]
    verdicts: tuple[FiledVerdict, ...] | None
    entries: tuple[LedgerEntry, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every subject at every site that was decoded for its own sake."""
        return tuple(
            Comparison(examined, step)
            for examined in self.examined
            for step in _steps_of_interest(examined.subject)
        )

    @property
    def decode(self) -> dict[str, Any]:
        """Parameters of the decoding, which are the same for all but the site."""
        return self.comparisons[0].result.parameters

    @property
    def everyone(self) -> tuple[Scanned, ...]:
        """All who were scanned."""
        return tuple(scanned for examined in self.examined for scanned in examined.everyone)

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
        entries = tuple(entry for entry in run.entries() if entry.kind not in ("report", "crate"))
        held = {
            kind: [entry for entry in entries if entry.kind == kind]
            for kind in ("stimuli", "subject", "recording", "result", "control")
        }
        for kind, found in held.items():
            if not found and kind != "control":
                msg = f"the ledger of {run.path} lists no {kind}: run the study to its end first."
                raise InputError(msg)
        stimuli = StimulusSet.open(_present(run, held["stimuli"][-1]))
        results, controls = (
            [Result.open(_present(run, entry)) for entry in held[kind]]
            for kind in ("result", "control")
        )
        scanned = [_scanned(run, entry, results, frozen) for entry in held["subject"]]
        contents = cls(
            folder=run.path.resolve().name,
            frozen=frozen,
            recorded=held["recording"][-1].parameters,
            stimuli=stimuli,
            stimuli_id=held["stimuli"][-1].id,
            description=stimuli.describe(),
            examined=_with_twins(run, scanned),
            results={result.id: result for result in (*results, *controls)},
            exploratory=tuple(r for r in results if frozen.step_of(r) is None),
            verdicts=filed_verdicts(run),
            entries=entries,
        )
        for verdict in contents.verdicts or ():
            if verdict.address.artifact not in contents.results:
                msg = f"{run.path} lacks the result {verdict.address.artifact} of a verdict: "
                raise InputError(msg + "run the study again.")
        return contents


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
    # The last of several results of one step is that of the code as it is now.
    decodings = {
        step: result
        for result in results
        if result.analysis == "decode" and result.subject in names
        if (step := frozen.step_of(result)) is not None
    }
    return Scanned(entry.id, record, decodings)


def _with_twins(run: Run, scanned: list[Scanned]) -> tuple[Examined, ...]:
    examined = []
    for subject in scanned:
        if _TWIN.fullmatch(subject.name):
            continue
        if not subject.decodings:
            msg = f"{run.path} holds no result of {subject.name}: run the study to its end first."
            raise InputError(msg)
        twins = tuple(sorted((t for t in scanned if _is_twin(t, subject)), key=_seed))
        for twin in twins:
            for step in subject.decodings.keys() - twin.decodings.keys():
                msg = f"{run.path} holds no result of {twin.name} for {step}: run the study again."
                raise InputError(msg)
        examined.append(Examined(subject, twins))
    return tuple(examined)


def _is_twin(scanned: Scanned, subject: Scanned) -> bool:
    match = _TWIN.fullmatch(scanned.name)
    return match is not None and match["subject"] == subject.name


def _seed(twin: Scanned) -> int:
    match = _TWIN.fullmatch(twin.name)
    return int(match["seed"]) if match else 0


def _steps_of_interest(subject: Scanned) -> list[str]:
    """Leave out the embedding, which stands beside every other site as a point of its own."""
    others = [step for step, result in subject.decodings.items() if not _is_embedding(result)]
    return others or list(subject.decodings)


def _is_embedding(result: Result) -> bool:
    layers: list[int] = result.estimates["layer"].values.tolist()
    return bool(result.parameters["site"] == EMBEDDING) and layers == [0]
