"""How a recording lies on disk: a Zarr v3 group whose shards are batches.

::

    NAME.zarr/
      zarr.json          the group; provenance in its attributes
      stimuli.parquet    the stimuli with their labels, in their own order
      stimulus/          for each row, its stimulus' row in stimuli.parquet
      SITE/c.BATCH.0.0   one shard a batch, in which each layer is a chunk of its own
      progress.jsonl     which batches are there, with the sha256 of every file

Rows are in batch order, so that a batch is a file that is written once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import LocalStore

from cortiscope.errors import InputError, MachineError
from cortiscope.ledger import fingerprint_file, remove_abandoned
from cortiscope.ledger.progress import track
from cortiscope.scanning.journal import JOURNAL, BatchEntry, FileEntry, Journal, lock, sync
from cortiscope.scanning.sites import SiteLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MANIFEST = "cortiscope"
_STIMULI = "stimuli.parquet"
_FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """What a store was made to hold.

    Parameters
    ----------
    sites : tuple of SiteLayout
        The arrays.
    n_stimuli : int
        Rows of each.
    batch_size : int
        Rows of a shard.
    dtype : str
        Of the arrays.
    provenance : dict
        What they were made from, as JSON holds it.
    """

    sites: tuple[SiteLayout, ...]
    n_stimuli: int
    batch_size: int
    dtype: str
    provenance: dict[str, Any]

    @property
    def n_batches(self) -> int:
        """Shards of each array."""
        return -(-self.n_stimuli // self.batch_size)

    def as_json(self) -> dict[str, Any]:
        """Give the fields as JSON holds them."""
        return {
            "format": _FORMAT,
            "sites": [layout.as_json() for layout in self.sites],
            "n_stimuli": self.n_stimuli,
            "batch_size": self.batch_size,
            "dtype": self.dtype,
            "provenance": self.provenance,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Manifest:
        """Read what `as_json` gave."""
        return cls(
            sites=tuple(SiteLayout.from_json(site) for site in values["sites"]),
            n_stimuli=values["n_stimuli"],
            batch_size=values["batch_size"],
            dtype=values["dtype"],
            provenance=values["provenance"],
        )


class Store:
    """A recording on disk, whole or in the making.

    Use `create` and `open`.

    Parameters
    ----------
    path : Path
        The folder.
    manifest : Manifest
        What it is made to hold.
    journal : Journal
        What is there.
    """

    def __init__(self, path: Path, manifest: Manifest, journal: Journal) -> None:
        self.path = path
        self.manifest = manifest
        self.journal = journal
        group = zarr.open_group(LocalStore(path), mode="r+")
        self.arrays: dict[str, zarr.Array[Any]] = {
            layout.site: _array(group, layout.site) for layout in manifest.sites
        }
        self.order: NDArray[np.int64] = np.asarray(_array(group, "stimulus")[:])
        self._lock: IO[bytes] | None = None

    @classmethod
    def create(
        cls,
        path: Path,
        manifest: Manifest,
        table: pd.DataFrame,
        order: NDArray[np.int64],
    ) -> Store:
        """Make a store without batches; the folder appears in one step, or not at all.

        Parameters
        ----------
        path : Path
            A folder that does not exist, or is empty.
        manifest : Manifest
            What it will hold.
        table : DataFrame
            The stimuli.
        order : ndarray of int64, (n_stimuli,)
            For each row, the position of its stimulus in the table.

        Returns
        -------
        Store
            To write batches to.
        """
        temporary = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(temporary, ignore_errors=True)
            group = zarr.create_group(
                LocalStore(temporary), attributes={_MANIFEST: manifest.as_json()}
            )
            _lay_out(group, manifest, order)
            _write_table(table, temporary / _STIMULI)
            Journal(temporary / JOURNAL, skeleton=_describe_all(temporary)).rewrite()
            temporary.replace(path)
        except OSError as error:
            raise MachineError(f"{path} cannot be made: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a store, complete or not.

        Raises
        ------
        InputError
            When the folder is no store.
        MachineError
            When its own description cannot be read.
        """
        if not (path / JOURNAL).is_file() or not (path / "zarr.json").is_file():
            raise InputError(
                f"{path} is no recording of Cortiscope: expected a folder that `scan` made."
            )
        path = path.absolute()  # a lazy recording survives a change of directory
        try:
            description = json.loads((path / "zarr.json").read_bytes())
            values = description["attributes"][_MANIFEST]
            if values["format"] != _FORMAT:
                raise InputError(
                    f"{path} has format {values['format']} and this version of Cortiscope reads "
                    f"format {_FORMAT}: scan again, or open it with the version that made it."
                )
            return cls(path, Manifest.from_json(values), Journal.read(path / JOURNAL))
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise MachineError(
                f"{path} is damaged: its description cannot be read; delete it and scan again."
            ) from error

    @property
    def is_complete(self) -> bool:
        """Whether all batches are there."""
        return self.journal.fingerprint is not None

    @property
    def table(self) -> pd.DataFrame:
        """The stimuli, in their own order."""
        return pd.read_parquet(self.path / _STIMULI)

    def shards(self, batch: int) -> dict[str, str]:
        """Name the file of each site that holds a batch."""
        return {
            site: f"{site}/{array.metadata.encode_chunk_key((batch, *(0,) * (array.ndim - 1)))}"
            for site, array in self.arrays.items()
        }

    def resume(self, *, progress: bool = True) -> list[int]:
        """Make the store ready to write the batches that are missing, and name these.

        What the journal does not vouch for is removed, and a batch whose files are not what the
        journal says is written again.
        """
        with self._disk_errors():
            self._lock = lock(self.path / "zarr.json")
            self.journal = Journal.read(self.path / JOURNAL)
            for name, file in self.journal.skeleton.items():
                if self._is_damaged(name, file):
                    raise self.damage(name)
            claimed = list(self.journal.batches.values())
            for entry in track(claimed, "checking what is there", enabled=progress):
                if any(self._is_damaged(name, file) for name, file in entry.files.items()):
                    del self.journal.batches[entry.batch]
            remove_abandoned(self.path)
            self.journal.rewrite()
            known = self.journal.files
            for site in self.arrays:
                for path in (self.path / site).glob("c.*"):
                    if path.relative_to(self.path).as_posix() not in known:
                        path.unlink()
        return [n for n in range(self.manifest.n_batches) if n not in self.journal.batches]

    def write(
        self, batch: int, values: Mapping[str, NDArray[np.floating]], micro_batch: int
    ) -> None:
        """Write a batch, and then its line in the journal.

        Parameters
        ----------
        batch : int
            Its index.
        values : mapping of str to ndarray, (stimulus, layer, ...)
            For every site.
        micro_batch : int
            Stimuli that went through the model at once.

        Raises
        ------
        MachineError
            When the disk does not take it.
        """
        first = batch * self.manifest.batch_size
        files = {}
        with self._disk_errors():
            for site, name in self.shards(batch).items():
                self.arrays[site][first : first + len(values[site])] = values[site]
                files[name] = _describe(self.path / name)
            self.journal.append(BatchEntry(batch, micro_batch, files))

    def finish(self) -> None:
        """Mark the store complete, once everything is on the disk."""
        with self._disk_errors():
            for name in self.journal.files:
                sync(self.path / name)
            self.journal.rewrite(complete=True)
        self.close()

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MachineError(
                f"{self.path} cannot be written ({error.strerror or error}); the "
                f"{len(self.journal.batches)} of {self.manifest.n_batches} batches that are there "
                "stay: free some space and run the same scan again to continue."
            ) from error

    def close(self) -> None:
        """Let other processes write."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def check(self) -> None:
        """Check all but the content of the shards, which would take as long as reading them.

        Raises
        ------
        MachineError
            When a file is missing, has the wrong size, or is damaged.
        """
        small = set(self.journal.skeleton)
        damaged = [
            name
            for name, file in self.journal.files.items()
            if self._is_damaged(name, file, by_size=name not in small)
        ]
        if damaged or not self.journal.is_whole:
            raise self.damage((damaged or [JOURNAL])[0])

    def verify(self) -> list[str]:
        """Hash all files, and name those that are not what was written."""
        files = list(self.journal.files.items())
        damaged = [
            name
            for name, file in track(files, f"verifying {self.path.name}")
            if self._is_damaged(name, file)
        ]
        return damaged if self.journal.is_whole else [JOURNAL, *damaged]

    def damage(self, name: str) -> MachineError:
        """Say that a file is not what was written."""
        return MachineError(
            f"{self.path / name} is damaged or missing: it is not what the scan wrote; delete "
            f"{self.path} and scan again."
        )

    def _is_damaged(self, name: str, entry: FileEntry, *, by_size: bool = False) -> bool:
        file = self.path / name
        if not file.is_file() or file.stat().st_size != entry.n_bytes:
            return True
        return not by_size and fingerprint_file(file) != entry.sha256


def _describe(file: Path) -> FileEntry:
    return FileEntry(n_bytes=file.stat().st_size, sha256=fingerprint_file(file))


def _describe_all(folder: Path) -> dict[str, FileEntry]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for file in files:
        sync(file)
    return {file.relative_to(folder).as_posix(): _describe(file) for file in files}


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is no array")
    return array


def _lay_out(group: zarr.Group, manifest: Manifest, order: NDArray[np.int64]) -> None:
    for layout in manifest.sites:
        _, *rest = layout.row_shape
        group.create_array(
            layout.site,
            shape=(manifest.n_stimuli, *layout.row_shape),
            dtype=manifest.dtype,
            chunks=(manifest.batch_size, 1, *rest),
            shards=(manifest.batch_size, *layout.row_shape),
            # The cheapest level: activations are nearly incompressible, padding is not.
            compressors=[ZstdCodec(level=1), Crc32cCodec()],
            fill_value=float("nan"),
            chunk_key_encoding={"name": "default", "separator": "."},  # one flat folder
            dimension_names=layout.dim_names,
        )
        if layout.layer_dim not in group:
            layers = np.asarray(layout.layers, dtype=np.int64)
            _write_coordinate(group, layout.layer_dim, layers)
    _write_coordinate(group, "stimulus", order)


def _write_table(table: pd.DataFrame, path: Path) -> None:
    try:
        table.to_parquet(path, index=False)
    except pa.ArrowException as error:
        raise InputError(
            f"The labels cannot be stored ({error}): give every column values of one kind."
        ) from error


def _write_coordinate(group: zarr.Group, name: str, values: NDArray[np.int64]) -> None:
    group.create_array(
        name,
        data=values,
        chunks=(max(1, len(values)),),
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        dimension_names=[name],
    )
