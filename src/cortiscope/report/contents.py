"""What a run's folder holds, read and put in order: all that a report is made from."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cortiscope.analyses import Result
from cortiscope.errors import InputError
from cortiscope.ledger import LedgerEntry, Run
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
        By site.
    """

    id: str
    record: dict[str, Any]
    decodings: dict[str, Result]

    @property
    def name(self) -> str:
        """As it is called in reports."""
        return str(self.record["name"])


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
    """One site of a subject beside that of its twins.

    Attributes
    ----------
    examined : Examined
        Who.
    site : str
        Which site was decoded at every layer.
    """

    examined: Examined
    site: str

    @property
    def name(self) -> str:
        """The subject's name."""
        return self.examined.subject.name

    @property
    def result(self) -> Result:
        """The subject's decoding."""
        return self.examined.subject.decodings[self.site]

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
        return tuple(twin.decodings[self.site] for twin in self.examined.twins)

    @property
    def twin_labels(self) -> tuple[str, ...]:
        """What the twins are called beside their subject."""
        if len(self.examined.twins) == 1:
            return ("untrained twin",)
        return tuple(f"twin {index}" for index in range(len(self.examined.twins)))

    def _at_embedding(self, scanned: Scanned) -> Result | None:
        return None if self.site == EMBEDDING else scanned.decodings.get(EMBEDDING)


@dataclass(frozen=True, eq=False)
class Contents:
    """All that a report shows.

    Attributes
    ----------
    folder : str
        Name of the run's folder.
    study : str
        The study's name, from its protocol.
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
    entries : tuple of LedgerEntry
        The artifacts, the report itself left out.
    """

    folder: str
    study: str
    recorded: dict[str, Any]
    stimuli: StimulusSet
    stimuli_id: str
    description: Description
    examined: tuple[Examined, ...]
    entries: tuple[LedgerEntry, ...]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every subject at every site that was decoded for its own sake."""
        return tuple(
            Comparison(examined, site)
            for examined in self.examined
            for site in _sites_of_interest(examined.subject)
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
        study = _study(run)
        entries = tuple(entry for entry in run.entries() if entry.kind != "report")
        held = {
            kind: [entry for entry in entries if entry.kind == kind]
            for kind in ("stimuli", "subject", "recording", "result")
        }
        for kind, found in held.items():
            if not found:
                msg = f"the ledger of {run.path} lists no {kind}: run the study to its end first."
                raise InputError(msg)
        stimuli = StimulusSet.open(_present(run, held["stimuli"][-1]))
        results = [Result.open(_present(run, entry)) for entry in held["result"]]
        scanned = [_scanned(run, entry, results) for entry in held["subject"]]
        return cls(
            folder=run.path.resolve().name,
            study=study,
            recorded=held["recording"][-1].parameters,
            stimuli=stimuli,
            stimuli_id=held["stimuli"][-1].id,
            description=stimuli.describe(),
            examined=_with_twins(run, scanned),
            entries=entries,
        )


def _study(run: Run) -> str:
    path = run.path / "protocol.toml"
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8"))["study"])
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path} is missing or damaged ({error}): restore it, or run the study again."
        raise InputError(msg) from error


def _present(run: Run, entry: LedgerEntry) -> Path:
    path = run.path / entry.path
    if not path.exists():
        msg = f"{run.path} lacks {entry.path}, which its ledger lists: run the study again."
        raise InputError(msg)
    return path


def _scanned(run: Run, entry: LedgerEntry, results: list[Result]) -> Scanned:
    path = _present(run, entry)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        names = {record["name"], path.stem}
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is damaged ({error!r}): run the study again."
        raise InputError(msg) from error
    # The last of several results of one site is that of the code as it is now.
    decodings = {
        result.parameters["site"]: result
        for result in results
        if result.analysis == "decode" and result.subject in names
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
            for site in subject.decodings.keys() - twin.decodings.keys():
                msg = f"{run.path} holds no result of {twin.name} at {site}: run the study again."
                raise InputError(msg)
        examined.append(Examined(subject, twins))
    return tuple(examined)


def _is_twin(scanned: Scanned, subject: Scanned) -> bool:
    match = _TWIN.fullmatch(scanned.name)
    return match is not None and match["subject"] == subject.name


def _seed(twin: Scanned) -> int:
    match = _TWIN.fullmatch(twin.name)
    return int(match["seed"]) if match else 0


def _sites_of_interest(subject: Scanned) -> list[str]:
    """Leave out the embedding, which stands beside every other site as a point of its own."""
    others = [site for site, result in subject.decodings.items() if not _is_embedding(result)]
    return others or list(subject.decodings)


def _is_embedding(result: Result) -> bool:
    layers: list[int] = result.estimates["layer"].values.tolist()
    return bool(result.parameters["site"] == EMBEDDING) and layers == [0]
