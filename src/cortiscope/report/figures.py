"""The figures of a report, as data that the page's script draws in light and in dark."""

from __future__ import annotations

import json
from dataclasses import dataclass

import plotly.graph_objects as go

from cortiscope.analyses.figures.style import GRID, INK, MUTED, SEQUENTIAL, SERIES, template

_TRANSPARENT = "rgba(0,0,0,0)"
_HEIGHT = 430
_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}

_DARK_SERIES = ("#56c4cb", "#f0966c", "#a99be6", "#b7cb67", "#e488b8", "#a3b4c8")
_DARK_SEQUENTIAL = ("#1c2227", "#1d383d", "#1e4e54", "#1f646b", "#1f7a82", "#1f9099")

DARK = {
    INK: "#dde3e8",
    MUTED: "#98a4af",
    GRID: "#2c343b",
    **dict(zip(SEQUENTIAL, _DARK_SEQUENTIAL, strict=True)),
    **dict(zip(SERIES, _DARK_SERIES, strict=True)),
}
"""For each colour of a figure the one that takes its place on a dark page."""


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Attributes
    ----------
    id : str
        Unique in the page.
    summary : str
        What it shows, for those who do not see it.
    json : str
        Its traces and layout.
    height : int
        Pixels.
    """

    id: str
    summary: str
    json: str
    height: int


def page_figure(figure: go.Figure, identifier: str, summary: str) -> Figure:
    """Make a figure ready for the page: in the look of all, with the page's own colours behind it.

    Whatever the figure itself asks for stays as it is.
    """
    look = template().update(layout={"colorway": SERIES, "legend": _LEGEND})
    figure.update_layout(template=look, paper_bgcolor=_TRANSPARENT, plot_bgcolor=_TRANSPARENT)
    figure.update_layout(height=figure.layout.height or _HEIGHT)
    return Figure(identifier, summary, script_json(figure.to_json()), int(figure.layout.height))


def script_json(text: str) -> str:
    r"""Write JSON so that nothing in it can end the script element that holds it.

    Examples
    --------
    >>> script_json(json.dumps("</script>"))
    '"\\u003c/script>"'
    """
    return text.replace("<", "\\u003c")


def dark_json() -> str:
    """Give the dark page's colours as the script reads them, translucent ones too."""
    pairs = dict(DARK)
    pairs |= {_components(light): _components(dark) for light, dark in DARK.items()}
    return script_json(json.dumps(pairs))


def _components(colour: str) -> str:
    """Give what stands between "rgba(" and the opacity."""
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) + ","
