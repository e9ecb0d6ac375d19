"""The audit: files against their hashes, the ledger against itself, the report against results."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator
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
from cortiscope.stimulation import Response
from cortiscope.studies.lookup import Lookup
from cortiscope.studies.shown import ShownNumber, is_shown, numbers_in

_DIFFERS = "differs from what the ledger recorded"
_OPENED = ("result", "control")
# Characters around an edit of the report, and of a long one at most.
_CONTEXT, _LONGEST = 20, 80


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


def audit(run: Run, page: Callable[[Run], str] | None = None) -> Iterator[Finding]:
    """Hash all files of a run again, and compare every number of its report with what is stored.

    Parameters
    ----------
    run : Run
        The run.
    page : callable, optional
        Makes the report of a run again, so that an edit of it can be shown where it is.

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
    >>> run = Run(tempfile.mkdtemp())
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
        yield from _edits_of_report(lookup, page)


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
    elif entry.kind == "response":
        yield from _audit_response(path, entry)
    elif path.is_dir():
        yield from _audit_recording(path, entry)
    elif fingerprint_file(path) != entry.sha256:
        yield Finding(entry.path, _DIFFERS)
    elif seal_of(path) != entry.seal:
        yield Finding(f"{entry.path.removesuffix('.json')}.zarr", _DIFFERS)
    elif entry.kind in _OPENED:
        yield from _audit_result(lookup, entry)


def _audit_response(path: Path, entry: LedgerEntry) -> Iterator[Finding]:
    try:
        if Response.open(path).fingerprint != entry.sha256:
            yield Finding(entry.path, _DIFFERS)
    except CortiscopeError as error:
        yield Finding(entry.path, f"cannot be opened: {error}")


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


def _edits_of_report(lookup: Lookup, page: Callable[[Run], str] | None) -> Iterator[Finding]:
    report = lookup.run.report
    recorded = [entry.sha256 for entry in lookup.of_kind("report")]
    content = report.read_bytes()
    if page is None or hashlib.sha256(content).hexdigest() in recorded:
        return
    try:
        made = page(lookup.run).encode("utf-8")
    except CortiscopeError:  # what it is made from is damaged, and named as such
        return
    if hashlib.sha256(made).hexdigest() not in recorded:  # another version wrote it
        return
    before = made.decode("utf-8").splitlines()
    now = content.decode("utf-8", errors="replace").splitlines()
    changes = difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes()
    for kind, a, b, c, d in changes:
        if kind != "equal":
            was, says = _around_difference("\n".join(before[a:b]), "\n".join(now[c:d]))
            yield Finding(report.name, f"says {says!r} in line {c + 1}, where {was!r} was written")


def _around_difference(was: str, says: str) -> tuple[str, str]:
    """Cut two texts down to where they differ, and a little before and after."""
    start = _n_shared(was, says)
    end = _n_shared(was[start:][::-1], says[start:][::-1])
    begin = max(0, start - _CONTEXT)

    def cut(text: str) -> str:
        return text[begin : min(len(text) - end + _CONTEXT, start + _LONGEST)]

    return cut(was), cut(says)


def _n_shared(a: str, b: str) -> int:
    """Count the characters that two texts begin with alike."""
    differing = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differing, min(len(a), len(b)))
