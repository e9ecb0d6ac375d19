"""What instruments do before they measure: check labels, choose layers, read one layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.ledger.progress import track
from cortiscope.scanning import Recording
from cortiscope.statistics import Folds, map_in_threads

_Value = TypeVar("_Value")

# So many layers are in memory at a time; the cores that are left over share in each of them.
_LAYERS_AT_ONCE = 2


def check_labels(recording: Recording, *names: str | None) -> None:
    """Refuse labels that a recording does not have; None stands for a label that nobody asks for.

    Raises
    ------
    InputError
        Naming the labels that there are.
    """
    labels = recording.labels
    for name in names:
        if name is not None and name not in labels.columns:
            msg = (
                f"the recording has no label {name!r}: choose one of "
                f"{', '.join(map(str, labels.columns))}."
            )
            raise InputError(msg)


def grouped_folds(
    recording: Recording,
    target: str,
    groups: str,
    *,
    n_folds: int,
    seed: int,
    cross: str | None = None,
) -> Folds:
    """Deal the words of a recording to folds, as `Folds.grouped` does.

    Raises
    ------
    InputError
        For a label that the recording lacks, and as `Folds.grouped` does.
    """
    check_labels(recording, target, groups, cross)
    labels = recording.labels
    return Folds.grouped(
        labels[target].tolist(),
        labels[groups].tolist(),
        n_folds=n_folds,
        seed=seed,
        cross=None if cross is None else labels[cross].tolist(),
    )


def chosen_layers(recording: Recording, site: str, layers: Sequence[int] | None) -> list[int]:
    """List the layers to analyse: those asked for, or all that were recorded.

    Raises
    ------
    InputError
        For a layer that was not recorded.
    """
    available = recording.layers(site)
    chosen = list(available) if layers is None else [int(layer) for layer in layers]
    if missing := sorted(set(chosen) - set(available)):
        msg = f"layer {missing[0]} of {site} was not recorded: choose among {list(available)}."
        raise InputError(msg)
    return chosen


def activations(recording: Recording, site: str, layer: int) -> NDArray[np.float32]:
    """Read one layer as a table of stimuli and units; heads are laid side by side.

    Returns
    -------
    ndarray of float32, shape (n_stimuli, n_units)
        Finite.

    Raises
    ------
    InputError
        For a recording of every token, and for values that are not finite: the message names
        stimulus, layer and unit.
    """
    if "token" in recording[site].dims:
        msg = (
            f"{recording.name} holds {site} at every token, and one position a stimulus is "
            'needed: scan again with position="target_last".'
        )
        raise InputError(msg)
    x = recording.layer(site, layer)
    x = x.reshape(len(x), -1)
    if not np.isfinite(x).all():
        row, unit = np.argwhere(~np.isfinite(x))[0]
        msg = (
            f"stimulus {recording.labels.index[row]!r}, layer {layer}, unit {unit} of {site} is "
            f"{x[row, unit]}: activations must be finite; record them again, in float32, or drop "
            "that stimulus."
        )
        raise InputError(msg)
    return x


def over_layers(measure: Callable[[int], _Value], layers: Sequence[int], what: str) -> list[_Value]:
    """Measure layer after layer, two at a time, and show how far it is.

    Parameters
    ----------
    measure : callable
        Takes a layer; reads it, and keeps nothing of its size.
    layers : sequence of int
        The layers.
    what : str
        Said beside the progress bar.

    Returns
    -------
    list
        What `measure` gave, in the order of the layers.
    """
    values = map_in_threads(measure, layers, _LAYERS_AT_ONCE)
    return list(track(values, what, total=len(layers)))
