"""Where a row came from, so that an error can name the place that the user has to mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rows:
    """The rows of one source: what it is called and what its rows are called.

    Parameters
    ----------
    source : str
        What the user knows the source by: a file's name, or "the table".
    lines : sequence of int, optional
        The line of the file on which each row starts, from 1; without it rows are numbered
        from 1 instead.

    Examples
    --------
    >>> Rows("mine.tsv", lines=[2, 3]).place(1)
    'mine.tsv, line 3'
    >>> Rows("the table").place(1)
    'the table, row 2'
    """

    source: str
    lines: Sequence[int] | None = None

    def place(self, row: int) -> str:
        """Name a row (counted from 0) as the user would look for it."""
        return f"{self.source}, {self.number(row)}"

    def number(self, row: int) -> str:
        """Name a row (counted from 0) within its source."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"
