"""The figure of non-linear gaps: by layer, by training words, and what both probes read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, add_band, layer_lines
from cortiscope.analyses.figures.style import MUTED, SERIES, template, thinned, translucent
from cortiscope.analyses.result import Result
from cortiscope.statistics import percentile_interval

_BY_LAYER, _BY_SIZE, _AUC = (1, 1), (1, 2), (2, 1)
_HEIGHT = 720


def gap_by_training_size(results: Mapping[str, Result]) -> go.Figure:
    """Draw the gap against layer and against training words, and below it both probes' AUC.

    Against layer it is the gap with all training words; against training words its mean over
    layers. Both have 95% intervals, and what exchanging the two probes' scores gives.

    Parameters
    ----------
    results : mapping of str to Result
        By label, the subject first, whose null bands and AUCs are drawn; the others are one
        cloud of twins.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{}, {}], [{"colspan": 2}, None]],
        horizontal_spacing=0.12,
        vertical_spacing=0.16,
        shared_yaxes="rows",
    )
    subject = next(iter(results.values()))
    for place, axis in ((_BY_LAYER, "layer"), (_BY_SIZE, "n_training_words")):
        _add_null(figure, subject, axis, place)
        for line in layer_lines(list(results)):
            _add_gap(figure, results[line.label], axis, place, line)
        figure.add_hline(y=0, line={"color": MUTED, "width": 1.2, "dash": "dot"}, **_at(place))
    for name, title, colour in (
        ("auc_mlp", "AUC of the network", SERIES[3]),
        ("auc_linear", "AUC of the linear probe", SERIES[2]),
    ):
        _add_auc(figure, subject, name, title, colour)
    layers = thinned(subject.estimates["layer"].values.tolist())
    sizes = subject.estimates["n_training_words"].values.tolist()
    figure.update_xaxes(title="layer", tickvals=layers, **_at(_BY_LAYER))
    figure.update_xaxes(title="training words (mean over layers)", tickvals=sizes, **_at(_BY_SIZE))
    figure.update_xaxes(title="layer", tickvals=layers, **_at(_AUC))
    figure.update_yaxes(title="AUC, network − linear", **_at(_BY_LAYER))
    n_words, n_stimuli = subject.n["n_words"], subject.n["n_stimuli"]
    figure.update_yaxes(
        title=f"AUC in unseen words<br>({n_words:,} words, {n_stimuli:,} stimuli)", **_at(_AUC)
    )
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 60},
        height=_HEIGHT,
    )
    return figure


def _at(place: tuple[int, int]) -> dict[str, int]:
    return {"row": place[0], "col": place[1]}


def _along(gap: xr.DataArray, axis: str) -> xr.DataArray:
    """By layer, with all training words; or by training words, mean over layers."""
    return gap.isel(n_training_words=-1) if axis == "layer" else gap.mean("layer")


def _bounds(draws: xr.DataArray, axis: str) -> NDArray[np.float64]:
    """Bounds (2, place) of the middle 95% of draws."""
    along = _along(draws, axis)
    return percentile_interval(along.transpose(..., axis).values)


def _add_null(figure: go.Figure, result: Result, axis: str, place: tuple[int, int]) -> None:
    low, high = _bounds(result.null["gap_by_size"], axis)
    add_band(
        figure,
        result.estimates[axis].values,
        low,
        high,
        translucent(MUTED, 0.25),
        _at(place),
        name="probes exchanged (95%)",
        in_legend=place == _BY_LAYER,
    )


def _add_gap(
    figure: go.Figure, result: Result, axis: str, place: tuple[int, int], line: LayerLine
) -> None:
    gap = _along(result.estimates["gap_by_size"], axis).values
    low, high = _bounds(result.resamples["gap_by_size"], axis)
    figure.add_trace(
        go.Scatter(
            x=result.estimates[axis].values,
            y=gap,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": high - gap,
                "arrayminus": gap - low,
                "color": line.colour,
                "thickness": 1.4,
                "width": 4,
                "visible": not line.is_twin,
            },
            customdata=np.stack([low, high], axis=1),
            mode="lines" if line.is_twin else "lines+markers",
            line={"color": line.colour, "width": 1.1 if line.is_twin else 2.2}
            | ({"dash": "dash"} if line.is_twin else {}),
            marker={"size": 6},
            name=line.name,
            legendgroup=line.name,
            legendrank=1,
            showlegend=line.in_legend and place == _BY_LAYER,
            hovertemplate=(
                "%{x}: %{y:.4f} [%{customdata[0]:.4f}, %{customdata[1]:.4f}]"
                f"<extra>{line.name}</extra>"
            ),
        ),
        **_at(place),
    )


def _add_auc(figure: go.Figure, result: Result, name: str, title: str, colour: str) -> None:
    auc = result.estimates[name].isel(n_training_words=-1).values
    low, high = _bounds(result.resamples[name], "layer")
    layers = result.estimates["layer"].values
    add_band(figure, layers, low, high, translucent(colour, 0.15), _at(_AUC), group=title)
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=auc,
            customdata=np.stack([low, high], axis=1),
            mode="lines+markers",
            line={"color": colour, "width": 2.0}
            | ({"dash": "dash"} if name == "auc_linear" else {}),
            marker={"size": 6},
            name=title,
            legendgroup=title,
            legendrank=2000,
            hovertemplate=(
                f"layer %{{x}}: %{{y:.3f}} [%{{customdata[0]:.3f}}, %{{customdata[1]:.3f}}]"
                f"<extra>{title}</extra>"
            ),
        ),
        **_at(_AUC),
    )
