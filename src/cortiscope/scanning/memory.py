"""A batch that does not fit in memory goes through the model in halves."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from cortiscope.errors import MachineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.scanning.capture import Capture
    from cortiscope.scanning.presentation import Presented
    from cortiscope.subjects.tokens import PaddingSide

_COMPLAINTS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, in the words of any of torch's devices."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        complaint in str(error).lower() for complaint in _COMPLAINTS
    )


def run_in_parts(
    capture: Capture,
    members: Sequence[Presented],
    length: int,
    padding_side: PaddingSide,
    micro_batch: int,
) -> tuple[dict[str, NDArray[np.floating]], int]:
    """Show a batch in as few passes as memory allows.

    All parts are padded to the batch's own length, so that a split changes nothing but the size of
    the matrices that are multiplied.

    Parameters
    ----------
    capture : Capture
        With its hooks on.
    members : sequence of Presented
        The batch.
    length : int
        Tokens that every row is padded to.
    padding_side : {"left", "right"}
        Where the padding goes.
    micro_batch : int
        Stimuli to try at once.

    Returns
    -------
    values : dict of str to ndarray
        For every site, (stimulus, layer, ...).
    micro_batch : int
        Stimuli that fitted at once, to begin the next batch with.

    Raises
    ------
    MachineError
        When a single stimulus does not fit.
    """
    while True:
        try:
            parts = [
                capture.run(members[first : first + micro_batch], length, padding_side)
                for first in range(0, len(members), micro_batch)
            ]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if micro_batch == 1:
                raise MachineError(
                    f"Out of memory with a single stimulus of {length} tokens "
                    f"({members[0].stimulus_id!r}): record fewer sites or layers, load the subject "
                    "in a smaller dtype, spread it over devices with device_map, or take a "
                    "machine with more memory."
                ) from error
        else:
            return _joined(parts), micro_batch
        # Outside the except clause, where the error no longer holds the failed pass alive.
        micro_batch = max(1, min(micro_batch, len(members)) // 2)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _joined(
    parts: Sequence[dict[str, NDArray[np.floating]]],
) -> dict[str, NDArray[np.floating]]:
    if len(parts) == 1:
        return parts[0]
    return {site: np.concatenate([part[site] for part in parts]) for site in parts[0]}
