"""The file inside a store that says which batches are on disk, and what their files must hold."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint, write_atomically

JOURNAL = "progress.jsonl"


@dataclass(frozen=True)
class FileEntry:
    """What a file of the store must be.

    Parameters
    ----------
    n_bytes : int
        Its size.
    sha256 : str
        Hash of its bytes.
    """

    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class BatchEntry:
    """One batch that is on disk.

    Parameters
    ----------
    batch : int
        Its index.
    micro_batch : int
        Stimuli that went through the model at once; less than the batch when memory ran out.
    files : dict of str to FileEntry
        Its files, named relative to the store.
    """

    batch: int
    micro_batch: int
    files: dict[str, FileEntry]


@dataclass
class Journal:
    """Progress of a scan: a line of the files there from the start, a line a batch, and a last one.

    A batch's line is appended after the files of its batch, without waiting for the disk: a killed
    process loses nothing that it handed to the system, and after a power cut the files are
    hashed against their lines before a scan continues, so that a line can claim no more than is
    there. When the last batch is in, everything is flushed and the journal written anew, in one
    step, with a last line that makes the store complete.

    Parameters
    ----------
    path : Path
        The file.
    skeleton : dict of str to FileEntry
        Files that were there before the first batch.
    batches : dict of int to BatchEntry
        What is on disk.
    fingerprint : str or None
        Hash over all files, of a complete store.
    """

    path: Path
    skeleton: dict[str, FileEntry] = field(default_factory=dict)
    batches: dict[int, BatchEntry] = field(default_factory=dict)
    fingerprint: str | None = None

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Read a journal; a last line that a crash tore does not count."""
        journal = cls(path)
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        for line in whole.splitlines():
            journal._add(json.loads(line))
        return journal

    def _add(self, line: dict[str, Any]) -> None:
        if "fingerprint" in line:
            self.fingerprint = line["fingerprint"]
            return
        files = {name: FileEntry(**entry) for name, entry in line["files"].items()}
        if "batch" in line:
            self.batches[line["batch"]] = BatchEntry(line["batch"], line["micro_batch"], files)
        else:
            self.skeleton = files

    @property
    def files(self) -> dict[str, FileEntry]:
        """All files of the store but the journal itself."""
        shards = {
            name: file for entry in self.batches.values() for name, file in entry.files.items()
        }
        return self.skeleton | shards

    @property
    def is_whole(self) -> bool:
        """Whether the last line agrees with the others."""
        return self.fingerprint == self._hash()

    @property
    def micro_batch(self) -> int | None:
        """Stimuli that the latest batch could send through the model at once."""
        return self.batches[max(self.batches)].micro_batch if self.batches else None

    def append(self, entry: BatchEntry) -> None:
        """Add the line of a batch whose files are on disk."""
        with open(self.path, "ab") as stream:
            stream.write(_line(asdict(entry)))
        self.batches[entry.batch] = entry

    def rewrite(self, *, complete: bool = False) -> None:
        """Write the journal anew, in the order of the batches."""
        skeleton = {name: asdict(entry) for name, entry in self.skeleton.items()}
        lines = [_line({"files": skeleton})]
        lines += [_line(asdict(self.batches[batch])) for batch in sorted(self.batches)]
        if complete:
            self.fingerprint = self._hash()
            lines.append(_line({"fingerprint": self.fingerprint}))
        write_atomically(self.path, b"".join(lines))

    def _hash(self) -> str:
        return fingerprint({name: entry.sha256 for name, entry in self.files.items()})


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode("ascii") + b"\n"


def lock(path: Path) -> IO[bytes]:
    """Keep a second process from writing to the same store; the lock ends with the stream.

    Parameters
    ----------
    path : Path
        A file of the store that is never replaced.

    Returns
    -------
    file object
        To close when done. A killed process loses its lock.

    Raises
    ------
    InputError
        When another process holds it.
    """
    stream = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.close()
            raise InputError(
                f"Another process is writing {path.parent}: wait until it is done."
            ) from error
    return stream


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
