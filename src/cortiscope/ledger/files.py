"""Files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY_SUFFIX = ".partial"


def write_atomically(path: str | Path, content: bytes | str) -> Path:
    """Write a file so that a reader, or a crash, never meets half of it.

    The content goes to a temporary file in the same folder, is flushed to the disk, and then
    takes the file's place in one step.

    Parameters
    ----------
    path : str or Path
        Where the file goes; its folder is made when it is missing.
    content : bytes or str
        What it holds; text is encoded as UTF-8.

    Returns
    -------
    Path
        The path that was written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "note.txt", "whole").read_text()
    'whole'
    >>> [p.name for p in folder.iterdir()]
    ['note.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=_TEMPORARY_SUFFIX
    )
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner reads; a result is read like any other file.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def remove_abandoned(folder: str | Path) -> int:
    """Remove what a killed process left of its unfinished writes; returns how many files."""
    abandoned = [p for p in Path(folder).rglob(f".*{_TEMPORARY_SUFFIX}") if p.is_file()]
    for path in abandoned:
        path.unlink(missing_ok=True)
    return len(abandoned)


def visible_files(folder: str | Path) -> Iterator[Path]:
    """Walk the files of a folder, sorted, without hidden ones, which are nobody's content.

    Unfinished writes are hidden, and so is what file managers leave behind.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = write_atomically(folder / "a" / "b.txt", ""), write_atomically(folder / ".c", "")
    >>> [path.name for path in visible_files(folder)]
    ['b.txt']
    """
    folder = Path(folder)
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path
