"""The figure of topography: tuning similarity against distance, and its fall by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, add_band, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import MUTED, template, thinned, translucent
from cortiscope.analyses.result import Result
from cortiscope.statistics import percentile_interval

_TITLES = {
    "fall": "fall of similarity over one<br>extent, above rotated units",
    "near": "similarity of the nearest 5% of<br>pairs, above rotated units",
}


def similarity_by_distance(results: Mapping[str, Result]) -> go.Figure:
    """Draw how alike units are tuned against their distance, and how far that exceeds chance.

    Parameters
    ----------
    results : mapping of str to Result
        By label, the subject first; the bands are its.

    Returns
    -------
    plotly.graph_objects.Figure
        Above, the curve averaged over layers, beside that of rotated units. Below, by layer, the
        fall with distance and the similarity of the nearest pairs, above the mean of rotated
        units.
    """
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}]],
        horizontal_spacing=0.14,
        vertical_spacing=0.18,
    )
    subject = next(iter(results.values()))
    lines = layer_lines(list(results))
    _add_rotated_curve(figure, subject)
    for line in lines:
        _add_curve(figure, results[line.label], line)
    figure.update_xaxes(
        title="distance on the layout, in its extents", rangemode="tozero", row=1, col=1
    )
    figure.update_yaxes(title="similarity of tuning<br>(a unit with itself: 1)", row=1, col=1)
    for column, name in enumerate(_TITLES, start=1):
        _add_layers(figure, results, lines, name, {"row": 2, "col": column})
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 70},
        height=720,
    )
    return figure


def _add_rotated_curve(figure: go.Figure, result: Result) -> None:
    low, high = (
        result.estimates[f"similarity_rotated_{bound}"].mean("layer").values
        for bound in ("low", "high")
    )
    known = ~np.isnan(low + high)
    add_band(
        figure,
        result.estimates["distance"].values[known],
        low[known],
        high[known],
        translucent(MUTED, 0.25),
        {"row": 1, "col": 1},
        name="rotated units (95%)",
    )


def _add_curve(figure: go.Figure, result: Result, line: LayerLine) -> None:
    curve = result.estimates["similarity"].mean("layer")
    figure.add_trace(
        go.Scatter(
            x=curve["distance"].values,
            y=curve.values,
            mode="lines" if line.is_twin else "lines+markers",
            line={
                "color": line.colour,
                "width": 1.2 if line.is_twin else 2.2,
                "dash": "dash" if line.is_twin else "solid",
            },
            name=line.name,
            legendgroup=line.name,
            legendrank=1,
            showlegend=line.in_legend,
            hovertemplate="distance %{x:.2f}: %{y:.3f}<extra></extra>",
        ),
        row=1,
        col=1,
    )


def _add_layers(
    figure: go.Figure,
    results: Mapping[str, Result],
    lines: list[LayerLine],
    name: str,
    place: Mapping[str, int],
) -> None:
    subject = next(iter(results.values()))
    variable = f"{name}_excess"
    layers = subject.estimates["layer"].values
    null = subject.null[variable].transpose("permutation", "layer").values
    low, high = percentile_interval(null)
    add_band(figure, layers, low, high, translucent(MUTED, 0.25), place)
    for line in lines:
        of = results[line.label]
        add_layer_line(
            figure,
            line,
            of.estimates["layer"].values,
            of.estimates[variable].values,
            of.resamples[variable].transpose("resample", "layer").values,
            place,
            in_legend=False,
            digits=3,
        )
    figure.update_yaxes(title=_TITLES[name], **place)
    figure.update_xaxes(title="layer", tickvals=thinned(layers.tolist()), **place)
