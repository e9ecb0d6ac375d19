"""The run directory: all of a study in one folder that is complete by itself."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cortiscope.errors import InputError
from cortiscope.ledger.files import write_atomically
from cortiscope.ledger.fingerprint import fingerprint, fingerprint_file
from cortiscope.ledger.provenance import code_version

_LEDGER = "ledger.jsonl"
_DESCRIPTION = "dataset_description.json"


@dataclass(frozen=True)
class LedgerEntry:
    """One artifact of a run: what it is, what it was made of, and the hash of its file.

    Attributes
    ----------
    id : str
        Hash of kind, inputs, parameters and code; equal work has equal ids.
    kind : str
        ``protocol``, ``stimuli``, ``subject``, ``recording``, ``result``, ``control`` (a result
        that a control asked for), ``calibration``, ``verdicts`` or ``report``.
    path : str
        The file, or the folder, relative to the run.
    sha256 : str
        Hash of the file's bytes; of a folder, its own content fingerprint.
    inputs : tuple of str
        Ids of the artifacts that it was computed from.
    parameters : dict
        What it was computed with.
    """

    id: str
    kind: str
    path: str
    sha256: str
    inputs: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    code_version: dict[str, Any] = field(default_factory=code_version)
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


class Run:
    """A directory that holds stimuli, subjects, recordings, results and the report of a study.

    Parameters
    ----------
    path : str or Path
        The folder; made when missing. A folder that holds something else is refused.

    Raises
    ------
    InputError
        When the folder is not empty and is not a Cortiscope run.

    Examples
    --------
    >>> import tempfile
    >>> run = Run(Path(tempfile.mkdtemp()) / "demo")
    >>> _ = write_atomically(run.path / "stimuli.txt", "a dog")
    >>> entry = run.record("stimuli", "stimuli.txt")
    >>> [e.kind for e in run.entries()]
    ['stimuli']
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            msg = f"{self.path} is a file: give --out a folder, new or of an earlier run."
            raise InputError(msg)
        if not (self.path / _DESCRIPTION).exists():
            if self.path.exists() and any(
                p for p in self.path.iterdir() if not p.name.startswith(".")
            ):
                msg = (
                    f"{self.path} holds files that are no Cortiscope run: "
                    "give --out a new or empty folder."
                )
                raise InputError(msg)
            self._describe()

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open a run that exists; unlike the constructor it never makes one."""
        if not (Path(path) / _DESCRIPTION).is_file():
            msg = f"{path} is no Cortiscope run: expected a folder with {_DESCRIPTION} in it."
            raise InputError(msg)
        return cls(path)

    @property
    def recordings(self) -> Path:
        """Folder of the recordings."""
        return self.path / "recordings"

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.path / "results"

    @property
    def report(self) -> Path:
        """The report's file."""
        return self.path / "report.html"

    def entries(self) -> list[LedgerEntry]:
        """Read the ledger: the artifacts, the latest line of each path, in the order written."""
        path = self.path / _LEDGER
        if not path.exists():
            return []
        latest: dict[str, LedgerEntry] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                values = json.loads(line)
            except json.JSONDecodeError:  # a line torn by a crash: its artifact is made again
                continue
            values["inputs"] = tuple(values["inputs"])
            entry = LedgerEntry(**values)
            latest.pop(entry.path, None)
            latest[entry.path] = entry
        return list(latest.values())

    def record(
        self,
        kind: str,
        path: str | Path,
        *,
        inputs: tuple[str, ...] = (),
        parameters: dict[str, Any] | None = None,
        content: str | None = None,
        artifact_id: str | None = None,
    ) -> LedgerEntry:
        """Append an artifact, whose file is already whole, to the ledger.

        Parameters
        ----------
        kind : str
            What it is.
        path : str or Path
            Its file, or folder, relative to the run or absolute inside it.
        inputs : tuple of str
            Ids of what it was computed from.
        parameters : dict, optional
            What it was computed with.
        content : str, optional
            The content fingerprint of a folder; of a file it is computed.
        artifact_id : str, optional
            Its id when the artifact has one of its own, as a Result does.

        Returns
        -------
        LedgerEntry
            The line that was written; an equal line already there is not written twice.
        """
        absolute = self.path / path
        relative = absolute.relative_to(self.path).as_posix()
        sha256 = content if content is not None else fingerprint_file(absolute)
        parameters = parameters or {}
        entry = LedgerEntry(
            id=artifact_id or fingerprint([kind, inputs, parameters, sha256])[:16],
            kind=kind,
            path=relative,
            sha256=sha256,
            inputs=inputs,
            parameters=parameters,
        )
        for known in self.entries():
            if (known.id, known.path, known.sha256) == (entry.id, entry.path, entry.sha256):
                return known
        self._append(json.dumps(asdict(entry), sort_keys=True))
        return entry

    def _append(self, line: str) -> None:
        path = self.path / _LEDGER
        torn = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
        with open(path, "ab") as stream:
            # One write call on a file opened for appending: lines of two processes never mix.
            stream.write((("\n" if torn else "") + line + "\n").encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())

    def _describe(self) -> None:
        description = {
            "Name": self.path.name,
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "cortiscope", "Version": code_version()["version"]}],
        }
        write_atomically(self.path / _DESCRIPTION, json.dumps(description, indent=2) + "\n")

    def __repr__(self) -> str:
        kinds: dict[str, int] = {}
        for entry in self.entries():
            kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
        held = ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "empty"
        return f"Run({str(self.path)!r}: {held})"
