"""How subjects and anatomies draw themselves in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence


def html_table(
    caption: str, rows: Sequence[Sequence[str]], header: Sequence[str] | None = None
) -> str:
    """Draw a small table.

    Parameters
    ----------
    caption : str
        Above the table.
    rows : sequence of sequence of str
        The cells, as text.
    header : sequence of str or None
        Names of the columns.

    Returns
    -------
    str
        HTML, with the text escaped.

    Examples
    --------
    >>> html_table("a < b", [["1"]])
    "<table><caption>a &lt; b</caption><tr><td style='text-align:left'>1</td></tr></table>"
    """
    lines = [_row("td", row) for row in rows]
    if header is not None:
        lines.insert(0, _row("th", header))
    return f"<table><caption>{html.escape(caption)}</caption>{''.join(lines)}</table>"


def _row(tag: str, cells: Sequence[str]) -> str:
    drawn = (f"<{tag} style='text-align:left'>{html.escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{''.join(drawn)}</tr>"
