"""Figures of spread: how many units hold a direction, and whether two halves agree on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import add_band, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import INK, MUTED, plain, template, translucent
from cortiscope.analyses.result import Result

_PANELS = {
    "n90_share": "share of units that hold 90%<br>of it, noise taken out",
    "n90_share_biased": "share of units that hold 90%<br>of it, noise and all",
    "cosine": "cosine between directions<br>of two halves of the words",
    "overlap": "share of its {top} largest units<br>that both halves find",
}
_DASHES = ("dot", "dash", "dashdot")


def spread_by_layer(results: Mapping[str, Result]) -> go.Figure:
    """Draw the spread of directions by layer, averaged over categories.

    Parameters
    ----------
    results : mapping of str to Result
        Results of spread by label, the subject first; permuted words and phantoms are the first
        one's.

    Returns
    -------
    plotly.graph_objects.Figure
        Four panels: units that hold 90% without noise and with it, and the agreement of two
        halves of the words on the direction and on its largest units. Beside the lines, what
        permuted words give (95%) and what phantoms of known truth give.
    """
    first = next(iter(results.values()))
    shown = [name for name in _PANELS if name in first.estimates]
    figure = make_subplots(rows=2, cols=2, horizontal_spacing=0.12, vertical_spacing=0.13)
    for index, name in enumerate(shown):
        place = {"row": index // 2 + 1, "col": index % 2 + 1}
        in_legend = index == 0
        _add_null(figure, first, name, place, in_legend)
        _add_references(figure, first, name, place, in_legend)
        for line in layer_lines(list(results)):
            of = results[line.label]
            if name not in of.estimates:
                continue
            add_layer_line(
                figure,
                line,
                of.estimates["layer"].values,
                of.estimates[name].mean("category").values,
                _draws(of.resamples[name]),
                place,
                in_legend=in_legend,
                digits=3,
            )
        title = _PANELS[name].format(top=first.parameters["top"])
        figure.update_yaxes(title={"text": title}, rangemode="tozero", tickformat=".2~f", **place)
        figure.update_xaxes(title={"text": "layer"}, showgrid=False, showline=True, **place)
    if "n90_share_biased" in shown:
        _say_what_noise_gives(figure)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=680,
    )
    return figure


def _say_what_noise_gives(figure: go.Figure) -> None:
    figure.add_annotation(
        text="noise alone is spread as widely:<br>a large number by itself says nothing",
        x=0.5,
        y=0.03,
        xref="x2 domain",
        yref="y2 domain",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12, "color": MUTED},
    )


def _add_null(
    figure: go.Figure, result: Result, name: str, place: Mapping[str, int], in_legend: bool
) -> None:
    if name not in result.null:
        return
    low, high = np.quantile(_draws(result.null[name]), [0.025, 0.975], axis=0)
    layers = result.estimates["layer"].values
    add_band(
        figure,
        layers,
        low,
        high,
        translucent(MUTED, 0.25),
        place,
        name=f"permuted words (95% of {result.n['n_permutations']:,})" if in_legend else None,
    )


def _add_references(
    figure: go.Figure, result: Result, name: str, place: Mapping[str, int], in_legend: bool
) -> None:
    """Lines at what phantoms of the same words and number of units give."""
    if f"reference_{name}" not in result.estimates:
        return
    layers = result.estimates["layer"].values
    values = result.estimates[f"reference_{name}"]
    for dash, label in zip(_DASHES, values["reference"].values, strict=True):
        value = float(values.sel(reference=label))
        figure.add_trace(
            go.Scatter(
                x=[layers.min() - 0.3, layers.max() + 0.3],
                y=[value, value],
                mode="lines",
                line={"color": INK if dash == "dot" else MUTED, "width": 1.3, "dash": dash},
                name=f"phantom: {plain(label)}",
                legendgroup=f"phantom {label}",
                showlegend=in_legend,
                hovertemplate=f"phantom, {plain(label)}: %{{y:.3f}}<extra></extra>",
            ),
            **place,
        )


def _draws(values: xr.DataArray) -> NDArray[np.float64]:
    """Mean over categories, (draw, layer)."""
    return np.asarray(values.mean("category").transpose(..., "layer").values, dtype=np.float64)
