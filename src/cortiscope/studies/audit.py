"""The audit: files against their hashes, the ledger against itself, the report against results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cortiscope.errors import CortiscopeError
from cortiscope.ledger import (
    LedgerEntry,
    Run,
    fingerprint_file,
    read_lines,
    seal_of,
    visible_files,
)
from cortiscope.ledger.progress import track
from cortiscope.scanning import Recording
from cortiscope.scanning.store import Store
from cortiscope.studies.lookup import Lookup
from cortiscope.studies.shown import ShownNumber, is_shown, numbers_in

_DIFFERS = "differs from what the ledger recorded"
_OPENED = ("result", "control")


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
    """Hash all files of a run again, and compare every number of its report with what is stored.

    Parameters
    ----------
    run : Run
        The run.

    Yields
    ------
    Finding
        For each file that is missing, differs from what the ledger or its own checksums say, or
        that no line of the ledger accounts for; for each line of the ledger that is torn, edited
        or does not follow from those before it; for each number in the report that is not the
        one at its address.

    Examples
    --------
    >>> import tempfile
    >>> run = Run(Path(tempfile.mkdtemp()) / "demo")
    >>> _ = (run.path / "note.txt").write_text("a dog")
    >>> entry = run.record("note", "note.txt")
    >>> list(audit(run))
    []
    >>> _ = (run.path / "note.txt").write_text("a cat")
    >>> list(audit(run))
    [Finding(path='note.txt', problem='differs from what the ledger recorded')]
    """
    if not run.ledger.exists():
        yield Finding(run.ledger.name, "is missing")
        return
    lookup = Lookup(run)
    yield from _audit_ledger(lookup)
    for entry in track(list(lookup.entries.values()), "hashing files"):
        yield from _audit_artifact(lookup, entry)
    yield from _unaccounted(lookup)
    if run.report.exists():
        yield from _audit_report(lookup)


def _audit_ledger(lookup: Lookup) -> Iterator[Finding]:
    name = lookup.run.ledger.name
    for line in read_lines(lookup.run.ledger):
        if line.problem:
            yield Finding(name, f"line {line.number} {line.problem}")
    for entry in lookup.entries.values():
        if entry.kind not in _OPENED and entry.id != entry.derived_id:
            yield Finding(name, f"the id {entry.id} of {entry.path} does not follow from its line")
        for source in entry.inputs:
            if source not in lookup.entries:
                yield Finding(name, f"{entry.path} was made from {source}, which no line holds")


def _audit_artifact(lookup: Lookup, entry: LedgerEntry) -> Iterator[Finding]:
    path = lookup.run.path / entry.path
    if not path.exists():
        yield Finding(entry.path, "is missing")
    elif path.is_dir():
        yield from _audit_recording(path, entry)
    elif fingerprint_file(path) != entry.sha256:
        yield Finding(entry.path, _DIFFERS)
    elif seal_of(path) != entry.seal:
        yield Finding(f"{entry.path.removesuffix('.json')}.zarr", _DIFFERS)
    elif entry.kind in _OPENED:
        yield from _audit_result(lookup, entry)


def _audit_recording(path: Path, entry: LedgerEntry) -> Iterator[Finding]:
    try:
        damaged = Store.open(path).verify()
        for file in damaged:
            yield Finding(f"{entry.path}/{file}", "differs from its checksum")
        if not damaged and Recording.open(path).fingerprint != entry.sha256:
            yield Finding(entry.path, _DIFFERS)
        if not damaged and seal_of(path) != entry.seal:
            yield Finding(
                entry.path, f"{_DIFFERS}: its list of batches was edited, or a file added"
            )
    except (CortiscopeError, OSError) as error:
        yield Finding(entry.path, f"cannot be opened: {error}")


def _audit_result(lookup: Lookup, entry: LedgerEntry) -> Iterator[Finding]:
    try:
        result = lookup.result(entry)
    except CortiscopeError as error:
        yield Finding(entry.path, f"cannot be opened: {error}")
        return
    if not entry.id == result.id == Path(entry.path).stem:
        yield Finding(entry.path, f"is the result {result.id}, not {entry.id} as the ledger says")


def _unaccounted(lookup: Lookup) -> Iterator[Finding]:
    run = lookup.run
    recorded = {
        entry.path: _files_of_recording(run.path / entry.path)
        for entry in lookup.of_kind("recording")
    }
    for file in visible_files(run.path):
        path = file.relative_to(run.path).as_posix()
        entry = lookup.at_path(path)
        if file == run.ledger:
            continue
        if entry is None:
            yield Finding(path, "is in no line of the ledger")
        elif (known := recorded.get(entry.path)) and file not in known:
            yield Finding(path, "is no file of the recording")


def _files_of_recording(path: Path) -> set[Path]:
    """Name the files that belong to a recording; none where it cannot be opened."""
    try:
        store = Store.open(path)
    except (CortiscopeError, OSError):
        return set()
    return {path / name for name in store.journal.files} | {path / store.journal.path.name}


def _audit_report(lookup: Lookup) -> Iterator[Finding]:
    report = lookup.run.report
    unreadable: dict[str, str] = {}
    for shown in numbers_in(report.read_text(encoding="utf-8", errors="replace")):
        try:
            stored = lookup.number(shown.parsed_address)
        except CortiscopeError as error:
            unreadable.setdefault(shown.artifact, str(error))
            continue
        yield from _compare(report.name, shown, stored)
    for artifact, why in unreadable.items():
        yield Finding(report.name, f"shows numbers of {artifact} that cannot be compared: {why}")


def _compare(name: str, shown: ShownNumber, stored: float) -> Iterator[Finding]:
    if not is_shown(stored, shown.text):
        yield Finding(name, f"shows {shown.text} at {shown.address}, where {stored!r} is stored")
    elif not shown.holds(stored):
        yield Finding(name, f"holds {shown.value} at {shown.address}, where {stored!r} is stored")
