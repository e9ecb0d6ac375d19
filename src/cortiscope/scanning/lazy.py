"""Stored arrays as xarray reads them: only what is asked for, in the stimuli's own order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from xarray.backends.common import BackendArray
from xarray.core.indexing import IndexingSupport, explicit_indexing_adapter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.scanning.store import Store


class StoredSite(BackendArray):
    """One site of a store, as an array (stimulus, layer, ...) in the order of the stimuli.

    Reading touches the shards of the stimuli that are asked for, and in them the layers that are
    asked for.

    Parameters
    ----------
    store : Store
        Where it is.
    site : str
        Which.
    """

    def __init__(self, store: Store, site: str) -> None:
        self._store = store
        self._site = site
        self._array = store.arrays[site]
        self._rows = np.argsort(store.order)  # the row of the store that each stimulus has
        self.shape = self._array.shape
        self.dtype = self._array.dtype

    def __getitem__(self, key: Any) -> Any:
        """Read what xarray asks for."""
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        # xarray asks for each axis by a number, a slice or an array of numbers.
        stimuli, layers, *rest = (
            np.atleast_1d(np.arange(size)[wanted])
            for size, wanted in zip(self.shape, key, strict=True)
        )
        rows = self._rows[stimuli]
        batches = rows // self._store.manifest.batch_size
        values = np.empty((len(rows), len(layers), *map(len, rest)), dtype=self.dtype)
        for batch in np.unique(batches):
            here = batches == batch
            shard = self._read_shard(int(batch), layers)
            in_shard = rows[here] - batch * self._store.manifest.batch_size
            values[here] = shard[np.ix_(in_shard, np.arange(len(layers)), *rest)]
        return values[
            tuple(
                0 if np.ndim(wanted) == 0 and not isinstance(wanted, slice) else slice(None)
                for wanted in key
            )
        ]

    def _read_shard(self, batch: int, layers: NDArray[np.int64]) -> NDArray[Any]:
        store = self._store
        name = store.shards(batch)[self._site]
        if not (store.path / name).is_file():  # Zarr would give its fill value instead
            raise store.damage(name)
        first = batch * store.manifest.batch_size
        rows = slice(first, min(first + store.manifest.batch_size, self.shape[0]))
        try:
            return np.asarray(self._array.oindex[rows, layers])
        except (ValueError, RuntimeError, OSError, IndexError) as error:
            raise store.damage(name) from error
