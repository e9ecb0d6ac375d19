"""The figures of a report, as data that the page's script draws in light and in dark."""

from __future__ import annotations

import json
from dataclasses import dataclass

import plotly.graph_objects as go

from cortiscope.analyses import Result
from cortiscope.analyses.decode_figures import accuracy_by_layer, auc_heat_map
from cortiscope.analyses.figure_style import GRID, INK, MUTED, SEQUENTIAL, SERIES
from cortiscope.report.contents import Comparison

_TRANSPARENT = "rgba(0,0,0,0)"

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


def accuracy_figure(comparison: Comparison, number: int) -> Figure:
    """Draw accuracy by layer of a subject and its twins.

    Parameters
    ----------
    comparison : Comparison
        A subject at one site.
    number : int
        Tells the figures of a page apart.

    Returns
    -------
    Figure
        With the embedding as a point of its own.
    """
    labels = (comparison.name, *comparison.twin_labels)
    embeddings = (comparison.embedding, *comparison.twin_embeddings)
    figure = accuracy_by_layer(
        dict(zip(labels, (comparison.result, *comparison.twins), strict=True)),
        {
            label: embedding
            for label, embedding in zip(labels, embeddings, strict=True)
            if embedding is not None
        },
        twins=comparison.twin_labels,
    )
    summary = (
        f"Balanced accuracy by layer of {comparison.name} and its untrained twins, with the band "
        "of permuted words; the table above holds the values."
    )
    return page_figure(figure, f"accuracy-{number}", summary)


def auc_figure(
    name: str, result: Result, embedding: Result | None, number: int, part: int
) -> Figure:
    """Draw the heat map of one subject, or one twin."""
    summary = f"AUC of each category at each layer of {name}; the table below holds the values."
    return page_figure(auc_heat_map(result, embedding), f"auc-{number}-{part}", summary)


def page_figure(figure: go.Figure, identifier: str, summary: str) -> Figure:
    """Make a figure ready for the page, which has its own colours behind it."""
    figure.update_layout(paper_bgcolor=_TRANSPARENT, plot_bgcolor=_TRANSPARENT)
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
