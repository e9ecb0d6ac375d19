"""Arrays and tables that a user brings, and how both become one labelled Dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cortiscope.errors import InputError
from cortiscope.scanning.sites import SiteLayout
from cortiscope.subjects import SITES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_UNITS: dict[str, tuple[str, ...]] = {"mlp_act": ("mlp_unit",), "head_out": ("head", "head_unit")}
_NOT_LABELS = ("stimulus_id", "text", "target_start", "target_end", "n_tokens")
_TAKEN = {
    *("stimulus", "layer", "token", "unit", "mlp_unit", "head", "head_unit"),
    *SITES,
    *(f"{site}_layer" for site in SITES),
}


def label_columns(table: pd.DataFrame) -> list[str]:
    """Name the columns of a table of stimuli that are labels."""
    return [str(column) for column in table.columns if column not in _NOT_LABELS]


def check_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of stimuli that a recording can carry.

    Parameters
    ----------
    table : DataFrame
        A row a stimulus, with column (or index) ``stimulus_id``; without it, stimuli get the
        numbers of their rows.

    Returns
    -------
    DataFrame
        With text ids, numbered rows.

    Raises
    ------
    InputError
        When an id is missing or not unique, or a label has the name of a dimension.
    """
    if table.index.name == "stimulus_id":
        table = table.reset_index()
    table = table.reset_index(drop=True)
    if "stimulus_id" not in table:
        table.insert(0, "stimulus_id", table.index.astype(str))
    if table["stimulus_id"].isna().any():
        raise InputError("The table of stimuli has rows without a stimulus_id: name every row.")
    table["stimulus_id"] = table["stimulus_id"].astype(str)
    twice = table["stimulus_id"][table["stimulus_id"].duplicated()]
    if len(twice):
        raise InputError(
            f"The stimulus_id {twice.iloc[0]!r} stands in more than one row: name every row once."
        )
    for column in table.columns:
        if column in _TAKEN:
            raise InputError(
                f"The label {column!r} has the name of a site or a dimension of recordings: "
                "rename the column."
            )
    return table


def check_arrays(
    arrays: Mapping[str, ArrayLike],
    n_stimuli: int,
    layers: Mapping[str, Sequence[int]],
) -> tuple[dict[str, NDArray[np.floating]], tuple[SiteLayout, ...]]:
    """Check the arrays that a user brings, and name their dimensions.

    Parameters
    ----------
    arrays : mapping of str to array
        For each site, (stimulus, layer, ...).
    n_stimuli : int
        Rows that each must have.
    layers : mapping of str to sequence of int
        The layers of sites that do not hold 0, 1, 2, ...

    Returns
    -------
    values : dict of str to ndarray
        The arrays, as floats.
    sites : tuple of SiteLayout
        Their layout.

    Raises
    ------
    InputError
        When a site is unknown, or a shape or a value is not what it should be.
    """
    if not arrays:
        raise InputError("No array was given: give at least one site, as resid_post.")
    for site in [*arrays, *layers]:
        if site not in SITES or site not in arrays:
            raise InputError(
                f"{site!r} is no site with an array: expected some of {', '.join(SITES)}."
            )
    values = {site: _as_floats(site, array) for site, array in arrays.items()}
    own_layers = {
        site: _check_layers(site, array, layers.get(site)) for site, array in values.items()
    }
    n_layers = 1 + max(max(own) for own in own_layers.values())
    sites = []
    for site, array in values.items():
        _check_values(site, array, n_stimuli)
        sites.append(
            SiteLayout(
                site=site,
                layers=own_layers[site],
                whole=own_layers[site] == tuple(range(n_layers)),
                dims=tuple(zip(_dims(site, array), array.shape[2:], strict=True)),
            )
        )
    return values, tuple(sites)


def label(
    variables: Mapping[str, xr.Variable], sites: Sequence[SiteLayout], table: pd.DataFrame
) -> xr.Dataset:
    """Put arrays, layers and the columns of a table of stimuli into one Dataset."""
    coordinates: dict[str, Any] = {"stimulus": _plain(table["stimulus_id"])}
    for column in table.columns:
        if column not in ("stimulus_id", "target_start", "target_end"):
            coordinates[str(column)] = ("stimulus", _plain(table[column]))
    for layout in sites:
        coordinates[layout.layer_dim] = np.asarray(layout.layers, dtype=np.int64)
    try:
        return xr.Dataset(dict(variables), coords=coordinates)
    except ValueError as error:
        raise InputError(f"The arrays do not fit each other: {error}.") from error


def _plain(column: pd.Series[Any]) -> NDArray[Any]:
    # Plain numbers, or objects: extension types of pandas would travel into every analysis.
    return column.to_numpy() if column.dtype.kind in "biuf" else column.to_numpy(dtype=object)


def _as_floats(site: str, array: ArrayLike) -> NDArray[np.floating]:
    values = np.asarray(array)
    if values.dtype.kind not in "fiu":
        raise InputError(
            f"The array of {site} holds {values.dtype}, where numbers were expected: convert it "
            "to float32."
        )
    return values if values.dtype.kind == "f" else values.astype(np.float32)


def _check_layers(
    site: str, array: NDArray[np.floating], layers: Sequence[int] | None
) -> tuple[int, ...]:
    n_axes = 2 + len(_UNITS.get(site, ("unit",)))
    if array.ndim not in (n_axes, n_axes + 1):
        names = ", ".join(("stimulus", "layer", *_UNITS.get(site, ("unit",))))
        raise InputError(
            f"The array of {site} has {array.ndim} axes, where ({names}) was expected, or token "
            "as one more after layer: reshape it; a single layer is array[:, None, :]."
        )
    if 0 in array.shape:
        raise InputError(f"The array of {site} is empty: its shape is {array.shape}.")
    own = tuple(range(array.shape[1])) if layers is None else tuple(layers)
    if len(own) != array.shape[1] or list(own) != sorted(set(own)) or own[0] < 0:
        raise InputError(
            f"The array of {site} holds {array.shape[1]} layers, and layers names {own}: name each "
            "once, ascending, counted from 0."
        )
    return own


def _dims(site: str, array: NDArray[np.floating]) -> tuple[str, ...]:
    units = _UNITS.get(site, ("unit",))
    return units if array.ndim == 2 + len(units) else ("token", *units)


def _check_values(site: str, array: NDArray[np.floating], n_stimuli: int) -> None:
    if len(array) != n_stimuli:
        raise InputError(
            f"The array of {site} holds {len(array)} stimuli and the table {n_stimuli}: give one "
            "row of each for every stimulus, in the same order."
        )
    # A missing token is missing in all units of all layers; any other gap is an error.
    finite = np.isfinite(array)
    if "token" in _dims(site, array):
        units = tuple(range(3, array.ndim))
        missing = np.isnan(array).all(axis=(1, *units))
        kept = (~missing).sum(axis=1)
        at_end = missing == (np.arange(array.shape[2]) >= kept[:, None])
        finite |= (missing & at_end & (kept > 0)[:, None])[:, None, :][(..., *(None,) * len(units))]
    if not finite.all():
        where = tuple(int(at) for at in np.argwhere(~finite)[0])
        raise InputError(
            f"The array of {site} holds {array[where]} at {where} (stimulus, layer, ...): take "
            "out the stimuli or units that have no value."
        )
