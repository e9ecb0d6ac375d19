"""What every instrument returns: estimates with their null, p-values and intervals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
import zarr.errors

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint, write_atomically

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_FORMAT = 2


@dataclass(frozen=True, eq=False)
class Result:
    """An immutable record of one analysis of one recording.

    Attributes
    ----------
    analysis : str
        The instrument, such as ``decode``.
    estimates : xarray.Dataset
        One variable a statistic, dims such as ``layer`` and ``category``.
    intervals : xarray.Dataset
        For statistics that have one: the same dims and ``bound`` (``low``, ``high``).
    p_values : xarray.Dataset
        For statistics that were tested, corrected as `parameters` say.
    null : xarray.Dataset
        Values under permuted labels, with a first dim ``permutation``.
    resamples : xarray.Dataset
        Values under resampled words (bootstrap, or jackknife), with a first dim ``resample``.
    n : dict of str to int
        What was counted: stimuli, words, categories, permutations.
    parameters : dict
        All parameters, the defaulted ones too.
    inputs : dict of str to str
        Fingerprint of each thing that it was computed from.
    subject : str
        Name of the subject whose recording it was.
    reference : str
        The definition that it follows.
    source : str
        Fingerprint of the code that computed it.

    Examples
    --------
    >>> result = Result(
    ...     "demo", estimates=xr.Dataset({"accuracy": ("layer", [0.5, 0.9])}), subject="nobody"
    ... )
    >>> result.to_frame().accuracy.tolist()
    [0.5, 0.9]
    """

    analysis: str
    estimates: xr.Dataset
    intervals: xr.Dataset = field(default_factory=xr.Dataset)
    p_values: xr.Dataset = field(default_factory=xr.Dataset)
    null: xr.Dataset = field(default_factory=xr.Dataset)
    resamples: xr.Dataset = field(default_factory=xr.Dataset)
    n: dict[str, int] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    subject: str = ""
    reference: str = ""
    source: str = ""

    @property
    def id(self) -> str:
        """Hash of analysis, inputs, parameters and code: equal work has equal ids."""
        return result_id(self.analysis, self.inputs, self.parameters, self.source)

    @property
    def fingerprint(self) -> str:
        """Hash of the whole content."""
        return fingerprint(self._metadata())

    @property
    def _draws(self) -> dict[str, xr.Dataset]:
        return {"null": self.null, "resamples": self.resamples}

    @property
    def _draws_fingerprint(self) -> str:
        return fingerprint(
            {
                kind: {str(name): values.values for name, values in draws.items()}
                for kind, draws in self._draws.items()
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Lay out estimates, intervals and p-values as one table.

        Returns
        -------
        pandas.DataFrame
            A row for each combination of the dims of the largest estimate; statistics with
            fewer dims are repeated. Columns ``NAME``, ``NAME_low``, ``NAME_high``, ``NAME_p``.
        """
        columns = {str(k): v for k, v in self.estimates.data_vars.items()}
        for name, interval in self.intervals.data_vars.items():
            for bound in ("low", "high"):
                columns[f"{name}_{bound}"] = interval.sel(bound=bound, drop=True)
        columns |= {f"{name}_p": p for name, p in self.p_values.data_vars.items()}
        table = xr.Dataset(columns)
        if not table.dims:  # scalars alone: one row
            table = table.expand_dims("result")
            return table.to_dataframe().reset_index(drop=True)
        return table.to_dataframe().reset_index()

    def plot(self) -> go.Figure:
        """Draw the instrument's own figure."""
        from cortiscope.analyses.instruments import INSTRUMENTS

        if self.analysis not in INSTRUMENTS:
            msg = f"no figure is known for {self.analysis!r}: use to_frame() and draw your own."
            raise InputError(msg)
        return INSTRUMENTS[self.analysis].figure({self.subject: self})

    def save(self, folder: str | Path) -> Path:
        """Write ``ID.json``, with estimates, intervals and p-values, and ``ID.zarr``, with draws.

        Parameters
        ----------
        folder : str or Path
            Where both go; made when missing.

        Returns
        -------
        Path
            The JSON file, which is written last: where it is, all is.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        store = folder / f"{self.id}.zarr"
        if store.exists():
            shutil.rmtree(store)
        for name, draws in self._draws.items():
            # Names of categories stand in the JSON file; Zarr has no stable type for text.
            texts = [key for key, coord in draws.coords.items() if coord.dtype.kind in "OUT"]
            draws.drop_vars(texts).to_zarr(
                store, group=name, mode="a", zarr_format=3, consolidated=False
            )
        text = json.dumps(self._metadata(), indent=1)
        return write_atomically(folder / f"{self.id}.json", text + "\n")

    @classmethod
    def open(cls, path: str | Path) -> Result:
        """Open a result that was saved.

        Parameters
        ----------
        path : str or Path
            Its JSON file; the draws lie beside it.

        Raises
        ------
        InputError
            When the file is missing, is no result, or is damaged.
        """
        path = Path(path)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("format") != _FORMAT:
                msg = f"{path} has another format than this version reads: make it again."
                raise InputError(msg)
            recorded, recorded_draws = values.pop("id"), values.pop("draws_fingerprint")
            for name in ("estimates", "intervals", "p_values"):
                values[name] = xr.Dataset.from_dict(values[name])
            for name in ("null", "resamples"):
                store = path.with_suffix(".zarr")
                with xr.open_zarr(store, group=name, consolidated=False, chunks=None) as draws:
                    coords = values["estimates"].coords.items()
                    values[name] = draws.load().assign_coords(
                        {key: coord for key, coord in coords if key in draws.dims}
                    )
            result = cls(**values)
        except FileNotFoundError as error:
            msg = f"{path} is not a saved result: {error.filename or 'its draws'} is missing."
            raise InputError(msg) from error
        except (ValueError, KeyError, TypeError, RuntimeError, zarr.errors.BaseZarrError) as error:
            msg = f"{path} is not a saved result, or is damaged ({error}): make it again."
            raise InputError(msg) from error
        if result.id != recorded:
            msg = f"{path} is damaged: its id {recorded} does not follow from its content."
            raise InputError(msg)
        if result._draws_fingerprint != recorded_draws:
            store = path.with_suffix(".zarr")
            msg = f"{store} is damaged: it does not hold the draws of {path.name}."
            raise InputError(msg)
        return result

    def _metadata(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "id": self.id,
            "analysis": self.analysis,
            "subject": self.subject,
            "estimates": self.estimates.to_dict(),
            "intervals": self.intervals.to_dict(),
            "p_values": self.p_values.to_dict(),
            "draws_fingerprint": self._draws_fingerprint,
            "n": self.n,
            "parameters": self.parameters,
            "inputs": self.inputs,
            "reference": self.reference,
            "source": self.source,
        }

    def __repr__(self) -> str:
        counted = ", ".join(f"{value:,} {name}" for name, value in self.n.items())
        return f"Result({self.analysis} of {self.subject}: {counted}; id {self.id})\n" + repr(
            self.to_frame()
        )

    def _repr_html_(self) -> str:
        counted = ", ".join(f"{value:,} {name}" for name, value in self.n.items())
        table = self.to_frame().to_html(index=False, float_format="{:.3f}".format, max_rows=20)
        return f"<b>{self.analysis}</b> of {self.subject}: {counted}<br>{table}"


def result_id(
    analysis: str, inputs: dict[str, str], parameters: dict[str, Any], source: str
) -> str:
    """Id that a result of this work has, or would have, before it is done."""
    return fingerprint([analysis, inputs, parameters, source])[:16]


def value_at(values: xr.DataArray, where: Mapping[str, str]) -> xr.DataArray:
    """Take a single number, with its draws or bounds, from a variable of a result.

    Parameters
    ----------
    values : xarray.DataArray
        A variable of the estimates, intervals, p-values, null or resamples.
    where : mapping of str to str
        Coordinates by dim, as texts.

    Returns
    -------
    xarray.DataArray
        With no dim but those of draws and bounds.

    Raises
    ------
    InputError
        For dims and places that are not there, and dims of which none was chosen.
    """
    for dim, place in where.items():
        if dim not in values.dims:
            dims = ", ".join(map(str, values.dims))
            msg = f"{values.name} has no dim {dim!r}: its dims are {dims or 'none'}."
            raise InputError(msg)
        known = {str(coordinate): coordinate for coordinate in values[dim].values}
        if place not in known:
            msg = f"{values.name} has no {dim} {place!r}: choose among {', '.join(known)}."
            raise InputError(msg)
        values = values.sel({dim: known[place]})
    left = [str(dim) for dim in values.dims if dim not in ("bound", "permutation", "resample")]
    if left:
        msg = f"{values.name} is no single number: say which {left[0]}, as in [{left[0]}=...]."
        raise InputError(msg)
    return values
