"""The run directory: all of a study in one folder that is complete by itself."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cortiscope.errors import InputError
from cortiscope.ledger.chain import append_line, read_lines
from cortiscope.ledger.files import visible_files, write_atomically
from cortiscope.ledger.fingerprint import fingerprint, fingerprint_file
from cortiscope.ledger.provenance import code_version, package_versions

_LEDGER = "ledger.jsonl"
_DESCRIPTION = "dataset_description.json"


@dataclass(frozen=True)
class LedgerEntry:
    """One artifact of a run: what it is, what it was made of, and the hash of its file.

    Attributes
    ----------
    id : str
        Hash of kind, inputs, parameters and content; a result's is that of its analysis, inputs,
        parameters and source. Equal work has equal ids.
    kind : str
        ``description``, ``protocol``, ``stimuli``, ``subject``, ``recording``, ``result``,
        ``control`` (a result that a control asked for), ``calibration``, ``verdicts``, ``brain``
        (the table beside the brain), ``report`` or ``crate``.
    path : str
        The file, or the folder, relative to the run.
    sha256 : str
        Hash of the file's bytes; of a folder, its own content fingerprint.
    seal : str
        Hash over files that `sha256` leaves out: of a result the arrays beside it, of a recording
        those that lie directly in its folder. Empty where there are none.
    inputs : tuple of str
        Ids of the artifacts that it was computed from.
    parameters : dict
        What it was computed with.
    code_version : dict
        Version, commit, dirty flag and source hash of Cortiscope.
    versions : dict
        Versions of Python and of the packages that numbers depend on.
    time : str
        When it was recorded.
    chain : str
        Hash of this line and of all the lines before it.
    """

    id: str
    kind: str
    path: str
    sha256: str
    seal: str = ""
    inputs: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    code_version: dict[str, Any] = field(default_factory=code_version)
    versions: dict[str, str] = field(default_factory=package_versions)
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    chain: str = ""

    @property
    def derived_id(self) -> str:
        """The id that follows from the line; results have one of their own."""
        return fingerprint([self.kind, self.inputs, self.parameters, self.sha256])[:16]


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
    ['description', 'stimuli']
    """

    def __init__(self, path: str | Path) -> None:
        # Absolute, so that a path in the run and one relative to it cannot be confused.
        self.path = Path(path).absolute()
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
        elif not self.ledger.exists():  # a crash came between the two
            self.record("description", _DESCRIPTION)

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open a run that exists; unlike the constructor it never makes one."""
        if not (Path(path) / _DESCRIPTION).is_file():
            msg = f"{path} is no Cortiscope run: expected a folder with {_DESCRIPTION} in it."
            raise InputError(msg)
        run = cls.__new__(cls)
        run.path = Path(path).absolute()
        return run

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / _LEDGER

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
        """Read the ledger: the artifacts, the latest line of each path, in the order written.

        A line that cannot be read does not count: its artifact is made again.
        """
        latest: dict[str, LedgerEntry] = {}
        for line in read_lines(self.ledger):
            entry = _entry(line.values or {})
            if entry is not None:
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

        Raises
        ------
        FileNotFoundError
            When the file is not there: no line is without its file.
        """
        absolute = self.path / path
        if not absolute.exists():
            raise FileNotFoundError(errno.ENOENT, "is not there to be recorded", str(absolute))
        entry = LedgerEntry(
            id=artifact_id or "",
            kind=kind,
            path=absolute.relative_to(self.path).as_posix(),
            sha256=content if content is not None else fingerprint_file(absolute),
            seal=seal_of(absolute),
            inputs=inputs,
            parameters=parameters or {},
        )
        entry = replace(entry, id=artifact_id or entry.derived_id)
        for known in self.entries():
            if _identity(known) == _identity(entry):
                return known
        return replace(entry, chain=append_line(self.ledger, asdict(entry))["chain"])

    def _describe(self) -> None:
        description = {
            "Name": self.path.name,
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "cortiscope", "Version": code_version()["version"]}],
        }
        write_atomically(self.path / _DESCRIPTION, json.dumps(description, indent=2) + "\n")
        self.record("description", _DESCRIPTION)

    def __repr__(self) -> str:
        kinds: dict[str, int] = {}
        for entry in self.entries():
            kinds[entry.kind] = kinds.get(entry.kind, 0) + 1
        held = ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "empty"
        return f"Run({str(self.path)!r}: {held})"


def seal_of(path: Path) -> str:
    """Hash the files of an artifact for which its content fingerprint does not answer byte by byte.

    The deeper files of a recording do not count: their hashes are in one that does.

    Parameters
    ----------
    path : Path
        The artifact's file or folder.

    Returns
    -------
    str
        64 hexadecimal digits; empty where there are no such files.
    """
    folder = path if path.is_dir() else path.with_suffix(".zarr")
    files = [file for file in visible_files(folder) if not path.is_dir() or file.parent == folder]
    hashes = {file.relative_to(folder).as_posix(): fingerprint_file(file) for file in files}
    return fingerprint(hashes) if hashes else ""


def _identity(entry: LedgerEntry) -> tuple[str, ...]:
    return (entry.id, entry.path, entry.sha256, entry.seal, *entry.inputs)


def _entry(values: dict[str, Any]) -> LedgerEntry | None:
    try:
        return LedgerEntry(**{**values, "inputs": tuple(values["inputs"])})
    except (KeyError, TypeError):
        return None
