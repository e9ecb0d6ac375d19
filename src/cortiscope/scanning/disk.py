"""Whether there is room for a recording."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.filesize import decimal

from cortiscope.errors import MachineError


def free_bytes(path: Path) -> int:
    """Free space of the disk that a path is on, or will be."""
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_room(path: Path, n_bytes: int) -> None:
    """Raise `MachineError` with the figures when a disk cannot hold what is to be written."""
    free = free_bytes(path)
    if n_bytes > free:
        raise MachineError(
            f"{path} needs {decimal(n_bytes)} and its disk has {decimal(free)} free: free some "
            'space, record fewer sites or layers, or scan with dtype="float16".'
        )
