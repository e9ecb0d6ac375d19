"""The ledger's file: every line vouches for itself and for all the lines before it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_CHAIN = "chain"


@dataclass(frozen=True)
class Line:
    """A line of the file, as it is found.

    Attributes
    ----------
    number : int
        From 1.
    values : dict or None
        What it holds; None where it cannot be read.
    problem : str
        Why it is not the line that was appended; empty when it is.
    """

    number: int
    values: dict[str, Any] | None
    problem: str = ""


def append_line(path: str | Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Append a line that holds the hash of itself and of the line before it.

    Lines of two processes never mix, and what a crash left of an unfinished line is cut off.

    Parameters
    ----------
    path : str or Path
        The file; made when missing.
    values : mapping
        What JSON can hold.

    Returns
    -------
    dict
        The values with ``chain``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "lines.jsonl"
    >>> first, second = append_line(path, {"a": 1}), append_line(path, {"a": 1})
    >>> first["chain"] == second["chain"]
    False
    >>> [line.problem for line in read_lines(path)]
    ['', '']
    """
    with open(path, "a+b") as stream:
        _lock(stream)
        stream.seek(0)
        content = stream.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            stream.truncate(len(whole))
        known = [line.values for line in _lines(whole) if line.values is not None]
        previous = str(known[-1].get(_CHAIN, "")) if known else ""
        chained = {**values, _CHAIN: _chain(previous, values)}
        stream.write(_encoded(chained) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    return chained


def read_lines(path: str | Path) -> list[Line]:
    """Read all lines, and see whether each is what was appended; none where there is no file."""
    path = Path(path)
    return list(_lines(path.read_bytes())) if path.exists() else []


def _lines(content: bytes) -> Iterator[Line]:
    *whole, torn = content.split(b"\n")
    previous: str | None = ""
    for number, text in enumerate(whole, start=1):
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            # What came before the next line is not known, so that one is not to blame for it.
            previous = None
            yield Line(number, None, "cannot be read: it was torn by a crash, or edited")
            continue
        stated = values.get(_CHAIN)
        follows = previous is None or stated == _chain(previous, values)
        problem = "" if follows and text == _encoded(values) else _NOT_APPENDED
        yield Line(number, values, problem)
        previous = str(stated)
    if torn:
        yield Line(len(whole) + 1, None, "is torn: a crash interrupted it; run the study again")


_NOT_APPENDED = "is not what was appended there: it was edited, or a line before it was removed"


def _chain(previous: str, values: Mapping[str, Any]) -> str:
    own = {key: value for key, value in values.items() if key != _CHAIN}
    return hashlib.sha256(previous.encode() + _encoded(own)).hexdigest()


def _encoded(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True).encode("ascii")


def _lock(stream: IO[bytes]) -> None:
    """Wait for other processes; the lock ends with the stream."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)
