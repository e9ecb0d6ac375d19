"""Which stimuli two recordings share, and where each of them holds these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.preparation import check_labels
from cortiscope.errors import InputError
from cortiscope.scanning import Recording

_MOST_NAMED = 3  # stimuli that a message names


class Aligned(NamedTuple):
    """The stimuli that two recordings share, in the order of the first.

    Attributes
    ----------
    rows, other_rows : ndarray of int, shape (n_shared,)
        Where the first recording and the other hold them: row ``rows[i]`` of the one and row
        ``other_rows[i]`` of the other are the same stimulus.
    labels : DataFrame
        Their labels in the first recording, indexed by stimulus_id.
    """

    rows: NDArray[np.intp]
    other_rows: NDArray[np.intp]
    labels: pd.DataFrame


def aligned(
    recording: Recording,
    other: Recording,
    *,
    agree_on: Sequence[str | None] = (),
    at_least: int = 1,
) -> Aligned:
    """Align two recordings by ``stimulus_id``.

    Parameters
    ----------
    recording, other : Recording
        Any two, of stimuli in any order.
    agree_on : sequence of str or None
        Labels that the analysis reads: the first recording must have them, and where the other
        has them too, shared stimuli must have the same values in both (ids that are mere numbers
        of rows would else align different stimuli). None stands for a label that nobody asks for.
    at_least : int
        How many stimuli must be shared.

    Returns
    -------
    Aligned
        Rows of both, and labels.

    Raises
    ------
    InputError
        When fewer than `at_least` stimuli are shared, counting and naming what each recording
        lacks; when a label is missing, or differs between the recordings.

    Examples
    --------
    >>> def recorded(ids):
    ...     table = pd.DataFrame({"stimulus_id": ids, "word": [f"word {i}" for i in ids]})
    ...     return Recording.from_arrays({"resid_post": np.ones((len(ids), 1, 4))}, table)
    >>> shared = aligned(recorded(["a", "b", "c"]), recorded(["d", "c", "a"]))
    >>> shared.rows.tolist(), shared.other_rows.tolist(), shared.labels.index.tolist()
    ([0, 2], [2, 1], ['a', 'c'])
    """
    check_labels(recording, *agree_on)
    of_one, of_other = recording.labels, other.labels
    places = of_other.index.get_indexer(of_one.index)
    rows = np.flatnonzero(places >= 0)
    if len(rows) < max(at_least, 1):
        raise InputError(_too_few(recording, other, len(rows), max(at_least, 1)))
    shared = Aligned(rows.astype(np.intp), places[rows].astype(np.intp), of_one.iloc[rows])
    _check_agreement(recording, other, shared, of_other, agree_on)
    return shared


def _too_few(recording: Recording, other: Recording, n_shared: int, needed: int) -> str:
    ids, others = recording.labels.index, other.labels.index
    missing = [str(i) for i in ids[~ids.isin(others)][:_MOST_NAMED]]
    lacking = f"; {other.name} lacks {', '.join(missing)} and others" if missing else ""
    return (
        f"{recording.name} and {other.name} share {n_shared} of their {len(ids)} and "
        f"{len(others)} stimuli by stimulus_id, and {needed} or more are needed{lacking}: record "
        "both on the same stimuli."
    )


def _check_agreement(
    recording: Recording,
    other: Recording,
    shared: Aligned,
    of_other: pd.DataFrame,
    agree_on: Sequence[str | None],
) -> None:
    for label in agree_on:
        if label is None or label not in of_other.columns:
            continue
        one = shared.labels[label].astype(str).to_numpy()
        two = of_other[label].astype(str).to_numpy()[shared.other_rows]
        if (differing := np.flatnonzero(one != two)).size:
            first = differing[0]
            msg = (
                f"stimulus {str(shared.labels.index[first])!r} has the {label} {one[first]!r} in "
                f"{recording.name} and {two[first]!r} in {other.name}: a stimulus_id must stand "
                "for the same stimulus in both; give ids that do."
            )
            raise InputError(msg)
