"""A subject of an earlier run in a subject's place: its recordings are taken, not made."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cortiscope.errors import InputError
from cortiscope.ledger import LedgerEntry, Run
from cortiscope.scanning import Recording
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.lookup import Lookup

_LEDGER = "ledger.jsonl"
_TWIN = "--twin-"


@dataclass(frozen=True)
class ArchivedSubject:
    """A subject whose recordings a run holds, as the protocol names it: ``RUN`` or ``RUN#NAME``.

    Attributes
    ----------
    run : Path
        The run's folder.
    name : str
        The subject's name there.
    """

    run: Path
    name: str

    @classmethod
    def matches(cls, spec: str) -> bool:
        """Whether a subject's name is that of a run's folder."""
        return (Path(spec.partition("#")[0]) / _LEDGER).is_file()

    @classmethod
    def all_of(cls, run: str | Path) -> list[str]:
        """List the subjects of a run as protocols name them, twins left out."""
        return [f"{run}#{name}" for name in _names(Path(run)) if _TWIN not in name]

    @classmethod
    def parse(cls, spec: str) -> ArchivedSubject:
        """Read which subject of which run is meant.

        Raises
        ------
        InputError
            When the run holds no such subject, or several and none is named.
        """
        folder, _, name = spec.partition("#")
        names = [held for held in _names(Path(folder)) if _TWIN not in held]
        if not name and len(names) == 1:
            name = names[0]
        if name not in names:
            said = f"no subject {name!r}" if name else f"{len(names)} subjects"
            msg = f"{folder} holds {said}: write {folder}#NAME with one of {', '.join(names)}."
            raise InputError(msg)
        return cls(Path(folder), name)

    @property
    def slug(self) -> str:
        """The name of its files."""
        return Path(self._subject.path).stem

    @property
    def n_twins(self) -> int:
        """Number of its untrained twins in that run."""
        return sum(name.rpartition(_TWIN)[0] == self.name for name in _names(self.run))

    @property
    def parameters(self) -> dict[str, Any]:
        """How it was recorded."""
        return dict(self._recording.parameters)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that were recorded."""
        return Recording.open(self.run / self._recording.path).sites

    def n_units(self, site: str) -> int:
        """Count the units of a site; heads are laid side by side."""
        sizes = Recording.open(self.run / self._recording.path)[site].sizes
        return math.prod(size for dim, size in sizes.items() if dim not in ("stimulus", "layer"))

    def twin(self, seed: int) -> ArchivedSubject:
        """Give one of its untrained twins.

        Raises
        ------
        InputError
            When that run holds no such twin.
        """
        name = f"{self.name}{_TWIN}{seed}"
        if name not in _names(self.run):
            msg = (
                f"{self.run} holds {self.n_twins} twins of {self.name}: ask for no more (--twins)."
            )
            raise InputError(msg)
        return ArchivedSubject(self.run, name)

    def record(self) -> dict[str, Any]:
        """Say what it is, as its run does."""
        return dict(self._lookup.document(self._subject))

    def recording(self, stimuli: StimulusSet, store: Path) -> Recording:
        """Take its recording into another run, without a second copy where the disk can do that.

        Raises
        ------
        InputError
            When it shares no stimulus with the study.
        """
        source = self.run / self._recording.path
        held = set(Recording.open(source).labels.index)
        if not held & set(stimuli.table["stimulus_id"]):
            msg = f"{source} shares no stimulus with {stimuli.name}: compare runs of the same set."
            raise InputError(msg)
        if not store.exists():
            unfinished = store.with_name(f".{store.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(source, unfinished, copy_function=_link_or_copy)
            unfinished.rename(store)
        return Recording.open(store)

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(Run.open(self.run))

    @cached_property
    def _subject(self) -> LedgerEntry:
        entries = self._lookup.of_kind("subject")
        return next(e for e in entries if self._lookup.document(e)["name"] == self.name)

    @cached_property
    def _recording(self) -> LedgerEntry:
        for entry in self._lookup.of_kind("recording"):
            if self._subject.id in entry.inputs:
                return entry
        msg = f"{self.run} holds no recording of {self.name}: run its study to the end first."
        raise InputError(msg)


def _names(run: Path) -> list[str]:
    lookup = Lookup(Run.open(run))
    return [str(lookup.document(entry)["name"]) for entry in lookup.of_kind("subject")]


def _link_or_copy(source: str, target: str) -> None:
    # Finished recordings are never written to again, so that two names may share the bytes.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
