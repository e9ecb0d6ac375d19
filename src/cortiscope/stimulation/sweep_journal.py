"""What is done of a sweep, so that an interrupted one goes on.

::

    OUT/
      sweep.json              what the sweep is
      parts/GROUP-BATCH-CHUNK.npz   what was read in one batch under some of the conditions
      response.json, numbers.zarr   the response, once all is there; the parts go
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cortiscope.errors import InputError, MachineError
from cortiscope.ledger import remove_abandoned, write_atomically
from cortiscope.scanning.journal import lock
from cortiscope.stimulation.proofs import ConditionProof
from cortiscope.stimulation.response import HEAD, Response

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SWEEP = "sweep.json"
_PARTS = "parts"
_PROOFS = "proofs"


@dataclass(frozen=True)
class Unit:
    """A piece of work that is done at once: one batch of texts under a chunk of the conditions."""

    group: int
    batch: int
    chunk: int


@dataclass(frozen=True, eq=False)
class Part:
    """What a unit gave.

    Parameters
    ----------
    values : dict of str to ndarray, (condition, row, ...)
        Named READOUT/VARIABLE, with the index of the readout.
    proofs : tuple of ConditionProof
        Of the conditions of the chunk.
    """

    values: dict[str, NDArray[Any]]
    proofs: tuple[ConditionProof, ...]


@dataclass
class SweepJournal:
    """Parts of a sweep, in memory or in a folder.

    Parameters
    ----------
    folder : Path or None
        Where they are kept; None keeps them in memory.
    """

    folder: Path | None = None
    _parts: dict[Unit, Part] = field(default_factory=dict)

    @contextmanager
    def opened(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Claim the folder for a sweep while the context lasts.

        Raises
        ------
        InputError
            When it holds another sweep or something else, or another process works on it.
        MachineError
            When the disk does not take it.
        """
        if self.folder is None:
            yield
            return
        try:
            check_same(self.folder, identity)
            write_atomically(self.folder / _SWEEP, json.dumps(identity, indent=1) + "\n")
            remove_abandoned(self.folder)
            with lock(self._locked()):
                yield
        except OSError as error:
            raise MachineError(
                f"{self.folder} cannot be written: {error.strerror or error}; what is done stays, "
                "and the same call goes on."
            ) from error

    def get(self, unit: Unit) -> Part | None:
        """Read a part; None when it is not there, or not whole."""
        if self.folder is None:
            return self._parts.get(unit)
        try:
            with np.load(self._path(unit), allow_pickle=False) as stored:
                values = {name: stored[name] for name in stored.files}
            listed = json.loads(str(values.pop(_PROOFS)))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        return Part(values, tuple(ConditionProof.from_json(item) for item in listed))

    def put(self, unit: Unit, part: Part) -> None:
        """Keep a part."""
        if self.folder is None:
            self._parts[unit] = part
            return
        proofs = json.dumps([proof.to_json() for proof in part.proofs])
        stream = io.BytesIO()
        arrays: dict[str, Any] = {**part.values, _PROOFS: np.array(proofs)}
        np.savez(stream, **arrays)
        write_atomically(self._path(unit), stream.getvalue())

    def finish(self, response: Response) -> None:
        """Write the response, and let the parts go."""
        if self.folder is not None:
            response.write_into(self.folder)
            shutil.rmtree(self.folder / _PARTS, ignore_errors=True)

    @property
    def response(self) -> Response | None:
        """The response of a sweep that is whole."""
        if self.folder is None or not (self.folder / HEAD).is_file():
            return None
        return Response.open(self.folder)

    def _path(self, unit: Unit) -> Path:
        assert self.folder is not None
        return self.folder / _PARTS / f"{unit.group}-{unit.batch}-{unit.chunk}.npz"

    def _locked(self) -> Path:
        assert self.folder is not None
        path = self.folder / ".lock"
        path.touch()
        return path


def check_same(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raise `InputError` unless a folder is free, or holds this very sweep."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        there = json.loads((folder / _SWEEP).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} holds something that is no sweep of Cortiscope: give another folder."
        ) from error
    other = [what for what in identity if there.get(what) != identity[what]]
    if other:
        raise InputError(
            f"{folder} was made with other {_listed(other)}: give another folder, or delete this "
            "one."
        )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
