"""The type that this room makes: activations with labels, in memory or on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from xarray.core.indexing import LazilyIndexedArray

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.scanning.arrays import check_arrays, check_table, label, label_columns
from cortiscope.scanning.display import as_html, as_text
from cortiscope.scanning.lazy import StoredSite
from cortiscope.scanning.saving import write_recording
from cortiscope.scanning.selection import listed, only_layers, rows_with
from cortiscope.scanning.store import Store
from cortiscope.stimuli import StimulusSet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Recording:
    """Activations of a subject: for every site an array (stimulus, layer, unit), with labels.

    A recording comes from `scan`, from `open` (nothing is read until it is asked for), or from
    `from_arrays`. Stimuli are in the order of their set.

    Parameters
    ----------
    data : xarray.Dataset
        One variable a site, dimensions (stimulus, layer, ...), where a site that holds only some
        layers has a layer dimension of its own, SITE_layer. Coordinate ``stimulus`` holds the ids;
        labels, ``text`` and ``n_tokens`` lie along it.
    table : DataFrame
        The stimuli, a row each, in the same order.
    name : str
        What the recording is called.
    provenance : dict
        What it was made from.
    store : Store, optional
        Where it is on disk.
    fingerprint : str, optional
        Hash of its content, where that is known.

    Examples
    --------
    >>> table = pd.DataFrame({"stimulus_id": ["a", "b"], "category": ["animal", "tool"]})
    >>> recording = Recording.from_arrays({"resid_post": np.ones((2, 3, 4))}, stimuli=table)
    >>> recording["resid_post"].sizes
    Frozen({'stimulus': 2, 'layer': 3, 'unit': 4})
    >>> recording.layer("resid_post", 2).shape
    (2, 4)
    >>> recording.sel(category="tool").n_stimuli
    1
    """

    def __init__(
        self,
        data: xr.Dataset,
        table: pd.DataFrame,
        *,
        name: str,
        provenance: Mapping[str, Any],
        store: Store | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self.data = data
        self.table = table
        self.name = name
        self.provenance = dict(provenance)
        self._store = store
        self._known_fingerprint = fingerprint
        self._is_verified = False

    @classmethod
    def open(cls, path: str | Path) -> Recording:
        """Open a recording on disk; activations are read when they are asked for.

        Parameters
        ----------
        path : str or Path
            The folder that `scan` or `save` wrote.

        Returns
        -------
        Recording
            All small files of which have been checked against their checksums; `verify` checks the
            activations too, and reading a damaged one raises.

        Raises
        ------
        InputError
            When the folder is no recording, or its scan was interrupted.
        MachineError
            When it is damaged.
        """
        path = Path(path)
        store = Store.open(path)
        if not store.is_complete:
            raise InputError(
                f"{path} holds {len(store.journal.batches)} of {store.manifest.n_batches} batches: "
                "its scan was interrupted; run the same scan again to continue it."
            )
        store.check()
        variables = {
            layout.site: xr.Variable(
                layout.dim_names, LazilyIndexedArray(StoredSite(store, layout.site))
            )
            for layout in store.manifest.sites
        }
        provenance = store.manifest.provenance
        table = store.table
        return cls(
            label(variables, store.manifest.sites, table),
            table,
            name=path.stem,
            provenance=provenance,
            store=store,
            fingerprint=provenance.get("content", store.journal.fingerprint),
        )

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, ArrayLike],
        stimuli: StimulusSet | pd.DataFrame,
        *,
        layers: Mapping[str, Sequence[int]] | None = None,
        name: str = "arrays",
        provenance: Mapping[str, Any] | None = None,
    ) -> Recording:
        """Make a recording from activations that any tool recorded.

        Parameters
        ----------
        arrays : mapping of str to array
            For each site (one of `cortiscope.subjects.SITES`) an array of floats: residual sites
            and ``mlp_act`` (stimulus, layer, unit), ``head_out`` (stimulus, layer, head,
            head_unit); with one axis more, token, after layer, where NaN stands after a stimulus'
            last token.
        stimuli : StimulusSet or DataFrame
            A row a stimulus, in the same order. Without a column ``stimulus_id``, stimuli get the
            numbers of their rows; all columns but the text and its target are labels.
        layers : mapping of str to sequence of int, optional
            The layers that an array holds; 0, 1, 2, ... for a site that is not named.
        name : str
            What the recording is called.
        provenance : mapping, optional
            What is known about its making, as JSON holds it.

        Returns
        -------
        Recording
            In memory; the arrays are not copied.

        Raises
        ------
        InputError
            When a shape, an id or a value is not what it should be.

        Examples
        --------
        >>> table = pd.DataFrame({"stimulus_id": ["a", "b"], "word": ["dog", "saw"]})
        >>> Recording.from_arrays({"resid_post": np.zeros((3, 1, 4))}, stimuli=table)
        Traceback (most recent call last):
        ...
        cortiscope.errors.InputError: The array of resid_post holds 3 stimuli and the table 2: give
        one row of each for every stimulus, in the same order.
        """
        table = check_table(stimuli.table if isinstance(stimuli, StimulusSet) else stimuli)
        values, sites = check_arrays(arrays, len(table), layers or {})
        variables = {
            layout.site: xr.Variable(layout.dim_names, values[layout.site]) for layout in sites
        }
        known = {"name": stimuli.name} if isinstance(stimuli, StimulusSet) else {}
        return cls(
            label(variables, sites, table),
            table,
            name=name,
            provenance={"made": "from arrays", "stimuli": known, **(provenance or {})},
        )

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that are recorded."""
        return tuple(str(site) for site in self.data.data_vars)

    @property
    def n_stimuli(self) -> int:
        """Number of stimuli."""
        return int(self.data.sizes["stimulus"])

    @property
    def labels(self) -> pd.DataFrame:
        """Labels of the stimuli, indexed by stimulus_id."""
        return self.table.set_index("stimulus_id")[label_columns(self.table)]

    @property
    def subject(self) -> str:
        """Name of the subject, or of the recording where none is known."""
        return str(self.provenance.get("subject", {}).get("name", self.name))

    @property
    def path(self) -> Path | None:
        """The folder of a recording on disk."""
        return None if self._store is None else self._store.path

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content: of the stored files, or of arrays and labels in memory."""
        if self._known_fingerprint is not None:
            return self._known_fingerprint
        return fingerprint(
            {
                "sites": {site: self[site].values for site in self.sites},
                "layers": {site: self.layers(site) for site in self.sites},
                "stimuli": self.table,
                "provenance": self.provenance,
            }
        )

    def __getitem__(self, site: str) -> xr.DataArray:
        """Give one site, with dimensions (stimulus, layer, ...)."""
        if site not in self.sites:
            raise InputError(
                f"{self.name} holds no {site}: it holds {', '.join(self.sites)}; scan again with "
                "that site."
            )
        array = self.data[site]
        own = f"{site}_layer"
        return array.rename({own: "layer"}) if own in array.dims else array

    def layers(self, site: str) -> tuple[int, ...]:
        """Give the layers of a site."""
        return tuple(int(layer) for layer in self[site]["layer"].values)

    def layer(self, site: str, layer: int) -> NDArray[np.float32]:
        """Read one layer, and nothing else.

        Parameters
        ----------
        site : str
            One of `sites`.
        layer : int
            One of its layers.

        Returns
        -------
        ndarray of float32, (n_stimuli, n_units)
            More axes where the site, or the position, has them.

        Raises
        ------
        InputError
            When the site or the layer was not recorded.
        """
        layers = self.layers(site)
        if layer not in layers:
            raise InputError(
                f"{self.name} holds no layer {layer} of {site}: it holds "
                f"{', '.join(map(str, layers))}; scan again with that layer."
            )
        values = self[site].isel(layer=layers.index(layer)).values
        return np.asarray(values, dtype=np.float32)

    def sel(
        self,
        *,
        site: str | Sequence[str] | None = None,
        layer: int | Sequence[int] | None = None,
        **labels: Any,
    ) -> Recording:
        """Select sites, layers, and stimuli by their labels.

        Parameters
        ----------
        site : str or sequence of str, optional
            Which sites.
        layer : int or sequence of int, optional
            Which layers; a site that has none of them is left out.
        **labels : value or sequence of values
            For each label (or ``stimulus_id``), which values; stimuli must satisfy all.

        Returns
        -------
        Recording
            With the same dimensions, not read yet where this one is not.

        Raises
        ------
        InputError
            When a site or label is unknown, or nothing is left.
        """
        rows = rows_with(self.table, labels)
        sites = [self[name].name for name in (self.sites if site is None else listed(site))]
        data = self.data[sites].isel(stimulus=rows)
        if layer is not None:
            data = only_layers(data, listed(layer))
        table = self.table.iloc[rows].reset_index(drop=True)
        selected = Recording(
            data, table, name=self.name, provenance=self.provenance, store=self._store
        )
        if self._known_fingerprint is not None:  # else its content is hashed when asked for
            selected._known_fingerprint = fingerprint(
                {
                    "of": self._known_fingerprint,
                    "stimuli": table["stimulus_id"].tolist(),
                    "layers": {name: selected.layers(name) for name in selected.sites},
                }
            )
        return selected

    def verify(self) -> list[str]:
        """Hash all files of a recording on disk against their checksums.

        Returns
        -------
        list of str
            The damaged files, relative to the folder; empty when it is whole, or in memory.
        """
        damaged = [] if self._store is None else self._store.verify()
        self._is_verified = not damaged
        return damaged

    def save(self, path: str | Path, *, batch_size: int = 32) -> Recording:
        """Write the recording, or what was selected of one, to a new folder.

        Parameters
        ----------
        path : str or Path
            A folder that does not exist yet.
        batch_size : int
            Stimuli in a file.

        Returns
        -------
        Recording
            Opened from there; its fingerprint is the same.

        Raises
        ------
        InputError
            When something is there already.
        """
        write_recording(self, Path(path), batch_size)
        return Recording.open(path)

    @property
    def state(self) -> str:
        """Where the recording is, and what is known of its health."""
        if self._store is None:
            return "in memory"
        verified = "verified" if self._is_verified else "checksums not verified yet"
        return f"in {self._store.path}, complete, {verified}"

    def __repr__(self) -> str:
        """Describe the recording in a few lines."""
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)
