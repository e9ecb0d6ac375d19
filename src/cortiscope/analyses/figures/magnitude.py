"""Figures of magnitude: the output under a scaled stream, and log-odds under a scaled concept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, layer_lines
from cortiscope.analyses.figures.style import MUTED, plain, template, translucent
from cortiscope.analyses.result import Result

_SMALLEST_KL = 1e-13  # a logarithmic axis has no zero


def magnitude_by_factor(results: Mapping[str, Result]) -> go.Figure:
    """Draw the KL divergence of the output, and the log-odds of concepts, against the factor.

    Parameters
    ----------
    results : mapping of str to Result
        Results of magnitude by label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        Left, the whole stream: before the final norm (solid) and after inner blocks (dotted).
        Right, the component along each concept's direction: change of its log-odds against the
        clean subject, mean over concepts and layers, where such were scaled.
    """
    first = next(iter(results.values()))
    with_directions = "log_odds" in first.estimates
    figure = make_subplots(rows=1, cols=1 + with_directions, horizontal_spacing=0.13)
    for line in layer_lines(list(results)):
        result = results[line.label]
        _add_whole(figure, result, line)
        if with_directions and "log_odds" in result.estimates:
            _add_directions(figure, result, line)
    words = f"{first.n['n_words']} words"
    _axes(figure, first, "factor", 1, f"factor of the whole stream ({words})")
    figure.update_yaxes(
        title={"text": "KL divergence of the output, nats"},
        type="log",
        exponentformat="power",
        dtick=2,
        col=1,
        row=1,
    )
    if with_directions:
        about = f"factor along a concept ({first.n['n_concepts']} concepts, own words)"
        _axes(figure, first, "along_factor", 2, about)
        figure.update_yaxes(title={"text": "change of its log-odds, nats"}, col=2, row=1)
        figure.add_hline(y=0.0, line={"color": MUTED, "width": 1.2, "dash": "dot"}, row=1, col=2)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=430,
    )
    return figure


def _axes(figure: go.Figure, result: Result, factor: str, column: int, title: str) -> None:
    values = result.estimates[factor].values.tolist()
    figure.update_xaxes(
        title={"text": title},
        type="log",
        tickvals=values,
        ticktext=[f"{value:g}" for value in values],
        showgrid=False,
        showline=True,
        row=1,
        col=column,
    )


def _add_whole(figure: go.Figure, result: Result, line: LayerLine) -> None:
    kl = result.estimates["kl"].transpose("layer", "factor").values
    parts = {"before the final norm": (kl[-1], "solid")}
    if len(kl) > 1:
        parts["inner layers"] = (kl[:-1].mean(axis=0), "dot")
    for where, (values, dash) in parts.items():
        figure.add_trace(
            go.Scatter(
                x=result.estimates["factor"].values,
                y=np.maximum(values, _SMALLEST_KL),
                mode="lines+markers",
                line={"color": line.colour, "width": 2.2 if line.is_first else 1.2, "dash": dash},
                marker={"size": 6},
                name=f"{line.name}: {where}",
                legendgroup=f"{line.name} {where}",
                showlegend=line.in_legend,
                hovertemplate=f"factor %{{x}}: %{{y:.2e}}<extra>{plain(line.label)}</extra>",
            ),
            row=1,
            col=1,
        )


def _add_directions(figure: go.Figure, result: Result, line: LayerLine) -> None:
    over = ("along_layer", "category")

    def change(values: xr.DataArray) -> NDArray[np.float64]:
        of = values - values.sel(along_factor=1.0)
        return np.asarray(of.mean(over).transpose(..., "along_factor").values, dtype=np.float64)

    factor = result.estimates["along_factor"].values
    low, high = np.quantile(change(result.resamples["log_odds"]), [0.025, 0.975], axis=0)
    if line.is_first:
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([factor, factor[::-1]]),
                y=np.concatenate([high, low[::-1]]),
                fill="toself",
                fillcolor=translucent(line.colour, 0.18),
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
            ),
            row=1,
            col=2,
        )
    figure.add_trace(
        go.Scatter(
            x=factor,
            y=change(result.estimates["log_odds"]),
            customdata=np.stack([low, high], axis=1),
            mode="lines+markers",
            line={"color": line.colour, "width": 2.2 if line.is_first else 1.2},
            marker={"size": 6},
            showlegend=False,  # the colours are those of the other panel
            hovertemplate=(
                "factor %{x}: %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                f"<extra>{plain(line.label)}</extra>"
            ),
        ),
        row=1,
        col=2,
    )
