"""Which stimuli go through the model together: a pure function of lengths and batch size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cortiscope.errors import InputError


@dataclass(frozen=True)
class Batch:
    """Stimuli that go through the model in one pass.

    Parameters
    ----------
    index : int
        Number of the batch, from 0.
    first_row : int
        Row of the store that its first stimulus takes.
    stimuli : tuple of int
        Positions in the stimulus set, one a row.
    length : int
        Tokens that every row is padded to.
    """

    index: int
    first_row: int
    stimuli: tuple[int, ...]
    length: int

    @property
    def rows(self) -> slice:
        """The rows of the store that the batch fills."""
        return slice(self.first_row, self.first_row + len(self.stimuli))


def make_batches(lengths: Sequence[int], batch_size: int) -> tuple[Batch, ...]:
    """Cut stimuli into batches of equal size and similar length.

    The longest come first, so that a batch that does not fit in memory shows at once and the
    time that is left is never underestimated. Stimuli of equal length keep their order. All
    batches have `batch_size` stimuli but the last, so that batch *b* is always shard *b* of the
    store.

    Parameters
    ----------
    lengths : sequence of int
        Number of tokens of each stimulus.
    batch_size : int
        Stimuli in a batch.

    Returns
    -------
    tuple of Batch
        Together they hold every stimulus once.

    Raises
    ------
    InputError
        When `batch_size` is no positive whole number.

    Examples
    --------
    >>> [(batch.stimuli, batch.length) for batch in make_batches([5, 7, 5, 9], batch_size=2)]
    [((3, 1), 9), ((0, 2), 5)]
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size is {batch_size!r}: expected a whole number from 1 on.")
    order = sorted(range(len(lengths)), key=lambda stimulus: (-lengths[stimulus], stimulus))
    return tuple(
        Batch(
            index=first // batch_size,
            first_row=first,
            stimuli=tuple(order[first : first + batch_size]),
            length=lengths[order[first]],
        )
        for first in range(0, len(order), batch_size)
    )
