"""The look that all figures share: a white page, thin lines, few colours."""

from __future__ import annotations

import html
from collections.abc import Sequence

import plotly.graph_objects as go

SERIES = ("#0b6e75", "#c4572b", "#5b4b9a", "#7a8b2f", "#a23b72", "#44546a")
"""Colours of lines, the subject's first."""

SEQUENTIAL = ("#f1f5f5", "#c8dfe0", "#8bbdc0", "#44939a", "#0c6f76", "#06454a")
"""A scale of one hue, from nothing to much."""

INK, MUTED, GRID, PAGE = "#1f2933", "#66717d", "#e4e7ea", "#ffffff"

_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_MOST_TICKS = 14


def template() -> go.layout.Template:
    """Make the layout that figures start from."""
    axis = {
        "gridcolor": GRID,
        "linecolor": MUTED,
        "tickcolor": MUTED,
        "ticks": "outside",
        "ticklen": 4,
        "zeroline": False,
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 13}},
    }
    return go.layout.Template(
        layout={
            "font": {"family": _FONT, "size": 13, "color": INK},
            "paper_bgcolor": PAGE,
            "plot_bgcolor": PAGE,
            "xaxis": {**axis, "showgrid": False, "showline": True},
            "yaxis": axis,
            "hoverlabel": {"font": {"family": _FONT, "size": 13}},
            "margin": {"l": 60, "r": 16, "t": 16, "b": 48},
        }
    )


def translucent(colour: str, opacity: float = 0.15) -> str:
    """Give a colour, written #rrggbb, as one that lets others shine through.

    Examples
    --------
    >>> translucent("#0b6e75")
    'rgba(11,110,117,0.15)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def plain(label: object) -> str:
    """Write a label so that plotly, which reads some HTML, shows it as it is.

    Examples
    --------
    >>> plain("<b>")
    '&lt;b&gt;'
    """
    return html.escape(str(label), quote=False)


def thinned(layers: Sequence[int]) -> list[int]:
    """Choose which layers get a tick: all, or evenly some of many.

    Examples
    --------
    >>> thinned(range(6))
    [0, 1, 2, 3, 4, 5]
    >>> thinned(range(28))
    [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26]
    """
    step = -(-len(layers) // _MOST_TICKS)
    return [int(layer) for layer in layers[::step]]
