"""The figure of regions: two maps of a category, and how ordered maps are at every layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import add_band, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import (
    INK,
    MUTED,
    SERIES,
    plain,
    template,
    thinned,
    translucent,
)
from cortiscope.analyses.result import Result
from cortiscope.statistics import percentile_interval

_COLUMNS = {"index": 1, "layout": 2}
_HEIGHT = 760

# d' from its largest size below zero to that above it.
_DIVERGING = [[0.0, "#c4572b"], [0.5, "#e9edef"], [1.0, "#0b6e75"]]

_CHANCE = {"index": "permuted positions", "layout": "rotated units"}
_PLACE = {"index": "index of the unit", "layout": "layout by the other categories, first axis"}


def maps_and_layers(results: Mapping[str, Result]) -> go.Figure:
    """Draw a map over the index, one over the layout, and Moran's I of all at every layer.

    Parameters
    ----------
    results : mapping of str to Result
        By label, the subject first; the maps and the null bands are its.

    Returns
    -------
    plotly.graph_objects.Figure
        Above, for each neighbourhood, the category and layer whose map is most ordered, chosen to
        be shown, with the largest cluster outlined. Below, Moran's I above the mean of its null,
        averaged over categories.
    """
    subject = next(iter(results.values()))
    shown = [name for name in _COLUMNS if f"{name}_excess" in subject.estimates]
    figure = make_subplots(rows=2, cols=len(shown), horizontal_spacing=0.13, vertical_spacing=0.2)
    for column, name in enumerate(shown, start=1):
        drawn = subject.estimates.attrs["maps"][name]
        if name == "index":
            _add_profile(figure, drawn, column)
        else:
            _add_map(figure, drawn, column)
        said = f"{plain(drawn['category'])} at layer {drawn['layer']}, the most ordered map of all"
        figure.update_xaxes(title=f"{_PLACE[name]}<br>({said})", showline=True, row=1, col=column)
        _add_layers(figure, results, name, column)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 70},
        height=_HEIGHT,
    )
    return figure


def _add_profile(figure: go.Figure, drawn: Mapping[str, list[float]], column: int) -> None:
    """Draw d' over the index, the largest cluster in another colour."""
    index = np.asarray(drawn["positions"], dtype=np.float64)[:, 0]
    d_prime = np.asarray(drawn["d_prime"])
    inside = np.asarray(drawn["is_in_cluster"], dtype=np.bool_)
    figure.add_trace(
        go.Scatter(
            x=index,
            y=d_prime,
            mode="lines",
            line={"color": MUTED, "width": 1},
            showlegend=False,
            hovertemplate="unit %{x}: d′ %{y:.2f}<extra></extra>",
        ),
        row=1,
        col=column,
    )
    figure.add_trace(
        go.Scatter(
            x=index[inside],
            y=d_prime[inside],
            mode="markers",
            marker={"color": SERIES[0], "size": 8, "line": {"color": INK, "width": 1.2}},
            name="largest cluster",
            legendgroup="cluster",
            showlegend=bool(inside.any()),
            hovertemplate="unit %{x}: d′ %{y:.2f}, in the largest cluster<extra></extra>",
        ),
        row=1,
        col=column,
    )
    figure.update_yaxes(title="d′", zeroline=True, row=1, col=column)


def _add_map(figure: go.Figure, drawn: Mapping[str, list[list[float]]], column: int) -> None:
    """Draw units where they lie, coloured by d'; those of the largest cluster are outlined."""
    places = np.asarray(drawn["positions"], dtype=np.float64)
    d_prime = np.asarray(drawn["d_prime"], dtype=np.float64)
    inside = np.asarray(drawn["is_in_cluster"], dtype=np.bool_)
    largest = float(np.abs(d_prime).max())
    figure.add_trace(
        go.Scatter(
            x=places[:, 0],
            y=places[:, 1],
            customdata=d_prime,
            mode="markers",
            marker={
                "color": d_prime,
                "colorscale": _DIVERGING,
                "cmin": -largest,
                "cmax": largest,
                "size": 9 if len(places) < 1000 else 5,
                "line": {"color": INK, "width": np.where(inside, 1.6, 0.0)},
                "colorbar": {
                    "title": {"text": "d′"},
                    "thickness": 10,
                    "len": 0.42,
                    "y": 1.0,
                    "yanchor": "top",
                },
            },
            showlegend=False,
            hovertemplate="d′ %{customdata:.2f}<extra></extra>",
        ),
        row=1,
        col=column,
    )
    figure.update_yaxes(title="second axis", row=1, col=column)


def _add_layers(figure: go.Figure, results: Mapping[str, Result], name: str, column: int) -> None:
    subject = next(iter(results.values()))
    place = {"row": 2, "col": column}
    variable = f"{name}_excess"
    layers = subject.estimates["layer"].values
    null = subject.null[variable].mean("category").transpose("permutation", "layer").values
    low, high = percentile_interval(null)
    add_band(
        figure,
        layers,
        low,
        high,
        translucent(MUTED, 0.25),
        place,
        name=f"{_CHANCE[name]} (95%)",
    )
    for line in layer_lines(list(results)):
        of = results[line.label]
        if variable not in of.estimates:
            continue
        add_layer_line(
            figure,
            line,
            of.estimates["layer"].values,
            of.estimates[variable].mean("category").values,
            of.resamples[variable].mean("category").transpose("resample", "layer").values,
            place,
            in_legend=column == 1,
            digits=3,
        )
    figure.update_yaxes(title=f"Moran's I above<br>{_CHANCE[name]}", **place)
    figure.update_xaxes(title="layer", tickvals=thinned(layers.tolist()), **place)
