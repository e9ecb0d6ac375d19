"""Stimuli and layers by what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cortiscope.errors import InputError
from cortiscope.scanning.arrays import label_columns

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray


def listed(wanted: Any) -> list[Any]:
    """Give one value, or several, as a list."""
    return [wanted] if isinstance(wanted, str) or not np.iterable(wanted) else list(wanted)


def rows_with(table: pd.DataFrame, labels: Mapping[str, Any]) -> NDArray[np.int64]:
    """Find the stimuli that have certain labels.

    Parameters
    ----------
    table : DataFrame
        The stimuli.
    labels : mapping of str to value or sequence of values
        For each label, or ``stimulus_id``, what it may be.

    Returns
    -------
    ndarray of int64
        Rows of the table that satisfy all.

    Raises
    ------
    InputError
        When a label is unknown, or no row is left.
    """
    keep = np.ones(len(table), dtype=bool)
    known = ["stimulus_id", *label_columns(table)]
    for label, wanted in labels.items():
        if label not in known:
            raise InputError(f"There is no label {label!r}: there are {', '.join(known)}.")
        keep &= table[label].isin(listed(wanted)).to_numpy()
    if not keep.any():
        raise InputError(f"There is no stimulus with {dict(labels)}: check the values.")
    return np.flatnonzero(keep)


def only_layers(data: xr.Dataset, wanted: Sequence[int]) -> xr.Dataset:
    """Keep certain layers; a site that has none of them is left out.

    Raises
    ------
    InputError
        When no site is left.
    """
    for dim in {str(array.dims[1]) for array in data.data_vars.values()}:
        here = np.flatnonzero(np.isin(data[dim].values, wanted))
        data = data.isel({dim: here}) if len(here) else data.drop_dims(dim)
    if not data.data_vars:
        raise InputError(f"There is no layer {list(wanted)}: check the numbers.")
    return data
