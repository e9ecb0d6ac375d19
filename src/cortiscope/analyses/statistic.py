"""A statistic with its null and its resamples, and how statistics become a Result's datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from cortiscope.statistics import Null, percentile_interval


@dataclass(frozen=True, eq=False)
class Statistic:
    """Values of one statistic.

    Attributes
    ----------
    dims : tuple of str
        Names of its dims, such as ``("layer", "category")``; none for a single number.
    estimate : array-like, shape (...)
        The estimates; NaN where it is not defined.
    null : ndarray of float64, shape (n_permutations, ...), optional
        Its values under permuted labels.
    resamples : ndarray of float64, shape (n_resamples, ...), optional
        Its values under resampled words.
    none : float
        Its value where there is no effect; p-values are one-sided against larger values.
    """

    dims: tuple[str, ...]
    estimate: ArrayLike
    null: NDArray[np.float64] | None = None
    resamples: NDArray[np.float64] | None = None
    none: float = 0.0


def datasets(
    statistics: Mapping[str, Statistic],
    coords: Mapping[str, Sequence[Any]],
    *,
    exhaustive: bool = False,
    attrs: Mapping[str, Any] | None = None,
) -> dict[str, xr.Dataset]:
    """Lay statistics out as a Result keeps them.

    Parameters
    ----------
    statistics : mapping of str to Statistic
        By name.
    coords : mapping of str to sequence
        Coordinates of every dim that occurs.
    exhaustive : bool
        Whether the nulls hold all arrangements that there are.
    attrs : mapping, optional
        What else is said of the estimates, such as the level of chance.

    Returns
    -------
    dict of str to xarray.Dataset
        ``estimates``; ``intervals``, 95% from the resamples; ``p_values``, each corrected by the
        maximum statistic over all places of its variable; ``null``; ``resamples``.

    Examples
    --------
    >>> null = np.array([[0.1, 0.4], [0.2, 0.3], [0.0, 0.1]])
    >>> laid_out = datasets({"gap": Statistic(("layer",), [0.5, 0.35], null)}, {"layer": [0, 1]})
    >>> laid_out["p_values"]["gap"].values.tolist()
    [0.25, 0.5]
    """
    kept: dict[str, dict[str, Any]] = {
        kind: {} for kind in ("estimates", "intervals", "p_values", "null", "resamples")
    }
    for name, statistic in statistics.items():
        dims = statistic.dims
        estimate = np.asarray(statistic.estimate)
        kept["estimates"][name] = (dims, estimate, {"none": statistic.none})
        if statistic.resamples is not None:
            interval = percentile_interval(statistic.resamples)
            kept["intervals"][name] = (("bound", *dims), interval)
            kept["resamples"][name] = (("resample", *dims), statistic.resamples)
        if statistic.null is not None:
            p_value = Null(statistic.null, exhaustive).corrected_p_value(estimate)
            kept["p_values"][name] = (dims, p_value)
            kept["null"][name] = (("permutation", *dims), statistic.null)
    own: dict[str, dict[str, Any]] = {
        "estimates": dict(attrs or {}),
        "p_values": {"correction": "maximum statistic over all places of a variable"},
        "null": {"exhaustive": int(exhaustive)},
    }
    return {
        kind: xr.Dataset(
            variables,
            coords={
                dim: list(places)
                for dim, places in ({**coords, "bound": ["low", "high"]}).items()
                if any(dim in variable[0] for variable in variables.values())
            },
            attrs=own.get(kind, {}),
        )
        for kind, variables in kept.items()
    }
