"""The audit: every file of a run against the hash that was recorded when it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cortiscope.analyses import Result
from cortiscope.errors import CortiscopeError
from cortiscope.ledger import LedgerEntry, Run, fingerprint_file
from cortiscope.scanning import Recording


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was recorded.

    Attributes
    ----------
    path : str
        The file, relative to the run.
    problem : str
        What is wrong with it.
    """

    path: str
    problem: str


def audit(run: Run) -> Iterator[Finding]:
    """Hash all files of a run again.

    Parameters
    ----------
    run : Run
        The run.

    Yields
    ------
    Finding
        One a file that is missing, or differs from what the ledger or its own checksums say.
    """
    for entry in run.entries():
        path = run.path / entry.path
        if not path.exists():
            yield Finding(entry.path, "is missing")
        elif path.is_dir():
            yield from _audit_recording(path, entry)
        elif fingerprint_file(path) != entry.sha256:
            yield Finding(entry.path, "differs from what the ledger recorded")
        elif entry.kind in ("result", "control"):
            yield from _audit_result(path, entry)


def _audit_recording(path: Path, entry: LedgerEntry) -> Iterator[Finding]:
    try:
        recording = Recording.open(path)
        for damaged in recording.verify():
            yield Finding(f"{entry.path}/{damaged}", "differs from its checksum")
        if recording.fingerprint != entry.sha256:
            yield Finding(entry.path, "differs from what the ledger recorded")
    except CortiscopeError as error:
        yield Finding(entry.path, f"cannot be opened: {error}")


def _audit_result(path: Path, entry: LedgerEntry) -> Iterator[Finding]:
    # The JSON file is whole; the arrays beside it answer to a fingerprint in it.
    try:
        Result.open(path)
    except CortiscopeError as error:
        yield Finding(entry.path, f"cannot be opened: {error}")
