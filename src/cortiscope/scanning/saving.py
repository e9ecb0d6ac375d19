"""A recording that is there, in memory or as a selection, written to a folder of its own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cortiscope.errors import InputError
from cortiscope.scanning.sites import SiteLayout
from cortiscope.scanning.store import Manifest, Store

if TYPE_CHECKING:
    from cortiscope.scanning.recording import Recording


def write_recording(recording: Recording, path: Path, batch_size: int) -> None:
    """Write a recording a batch at a time; see `Recording.save`."""
    if path.exists():
        raise InputError(f"{path} is there already: give a folder that does not exist yet.")
    manifest = Manifest(
        sites=tuple(_layout(recording, site) for site in recording.sites),
        n_stimuli=recording.n_stimuli,
        batch_size=batch_size,
        dtype=str(np.result_type(*(recording[site].dtype for site in recording.sites))),
        provenance={**recording.provenance, "content": recording.fingerprint},
    )
    order = np.arange(recording.n_stimuli)
    with closing(Store.create(path, manifest, recording.table, order)) as store:
        for batch in store.resume(progress=False):
            rows = slice(batch * batch_size, (batch + 1) * batch_size)
            values = {site: recording[site].isel(stimulus=rows).values for site in recording.sites}
            store.write(batch, values, micro_batch=batch_size)
        store.finish()


def _layout(recording: Recording, site: str) -> SiteLayout:
    _, _, *rest = recording[site].sizes.items()
    return SiteLayout(
        site=site,
        layers=recording.layers(site),
        whole="layer" in recording.data[site].dims,
        dims=tuple((str(dim), int(size)) for dim, size in rest),
    )
