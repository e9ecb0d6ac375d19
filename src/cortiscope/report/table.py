"""A table as the page's template lays it out."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from cortiscope.report.numbers import Number

Cell = str | Number | Markup


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header.

    Attributes
    ----------
    caption : str or Markup
        What it shows.
    columns : tuple of str or Markup
        Header of each column.
    align : str
        For each column ``l`` (text), ``r`` (numbers) or ``c``, as in LaTeX.
    rows : tuple of tuple of Cell
        The first cell of a row is its header.
    groups : tuple of (str, int)
        A header above the header: titles and how many columns each spans.
    strong : int, optional
        The row that is set in bold.
    """

    caption: str | Markup
    columns: tuple[str | Markup, ...]
    align: str
    rows: tuple[tuple[Cell, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()
    strong: int | None = None
