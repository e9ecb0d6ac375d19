"""Figures of retention."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from cortiscope.analyses.figures.style import MUTED, SERIES, plain, template, thinned, translucent
from cortiscope.analyses.result import Result

_SPREAD = 0.5  # how far the points of a layer's categories lie apart, in layers


def retention_by_layer(results: Mapping[str, Result]) -> go.Figure:
    """Draw retention against layer: each category's, their mean and its interval.

    Parameters
    ----------
    results : mapping of str to Result
        Retention by label, the subject first; categories are drawn for the first alone. Layers
        where it is defined for no category are left out.

    Returns
    -------
    plotly.graph_objects.Figure
        Each layer of the first result says in how many categories it is defined.
    """
    figure = go.Figure()
    first = next(iter(results.values()))
    layers = first.estimates["layer"].values
    figure.add_hline(y=1.0, line={"color": MUTED, "width": 1.2, "dash": "dot"})
    for index, (label, result) in enumerate(results.items()):
        colour = SERIES[index % len(SERIES)]
        if result is first:
            _add_categories(figure, result, colour)
        _add_mean(figure, result, label, colour, is_first=result is first)
    figure.update_layout(
        template=template(),
        xaxis={
            "title": {"text": "layer (below: categories where retention is defined)"},
            "tickvals": (ticks := thinned(layers.tolist())),
            "ticktext": [f"{layer}<br>{_n_defined(first, layer)}" for layer in ticks],
            "range": [layers.min() - 0.6, layers.max() + 0.6],
        },
        yaxis={"title": {"text": "retention"}, "tickformat": ".2f"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=430,
    )
    figure.update_yaxes(range=_shown(results))
    if not len(_means(first)[0]):
        figure.add_annotation(
            text="not defined: no category is readable at any layer",
            xref="paper",
            yref="paper",
            x=0.5,
            y=0.8,
            showarrow=False,
            font={"color": MUTED},
        )
    return figure


def _n_defined(result: Result, layer: int) -> str:
    values = result.estimates["retention"].sel(layer=layer).values
    return f"{np.isfinite(values).sum()} of {len(values)}"


def _means(
    result: Result,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Layers where it is defined; the mean over categories there, and the mean's bounds."""
    values = result.estimates["retention"].transpose("layer", "category").values
    draws = result.resamples["retention"].transpose("layer", "category", "resample").values
    some = np.flatnonzero(np.isfinite(values).any(axis=1))
    defined = [np.isfinite(values[at]) for at in some]
    bounds = [
        np.quantile(draws[at, which].mean(axis=0), [0.025, 0.975])
        for at, which in zip(some, defined, strict=True)
    ]
    means = [values[at, which].mean() for at, which in zip(some, defined, strict=True)]
    layers = result.estimates["layer"].values[some]
    return layers, np.asarray(means), np.asarray(bounds).reshape(-1, 2)


def _shown(results: Mapping[str, Result]) -> list[float]:
    """Bounds of the axis: all that is drawn, and some room around 1."""
    categories = next(iter(results.values())).estimates["retention"].values
    means = [_means(result)[2].ravel() for result in results.values()]
    values = np.concatenate([[0.9, 1.1], categories.ravel(), *means])
    low, high = np.nanmin(values), np.nanmax(values)
    room = 0.05 * (high - low)
    return [float(low - room), float(high + room)]


def _add_categories(figure: go.Figure, result: Result, colour: str) -> None:
    values = result.estimates["retention"].transpose("layer", "category")
    bounds = result.intervals["retention"].transpose("bound", "layer", "category").values
    areas = [result.estimates[name].values for name in ("auc_shared", "auc_own")]
    layers, categories = values["layer"].values, values["category"].values
    offsets = np.linspace(-_SPREAD / 2, _SPREAD / 2, len(categories))
    at, which = np.nonzero(np.isfinite(values.values))
    figure.add_trace(
        go.Scatter(
            x=layers[at] + offsets[which],
            y=values.values[at, which],
            customdata=np.stack([*(part[at, which] for part in (*bounds, *areas)), layers[at]], 1),
            text=[plain(categories[category]).replace("_", " ") for category in which],
            mode="markers",
            marker={"color": translucent(colour, 0.45), "size": 6},
            name="a category",
            hovertemplate=(
                "%{text}, layer %{customdata[4]}: %{y:.3f} [%{customdata[0]:.3f}, "
                "%{customdata[1]:.3f}]<br>AUC shared %{customdata[2]:.3f}, own "
                "%{customdata[3]:.3f}<extra></extra>"
            ),
        )
    )


def _add_mean(
    figure: go.Figure, result: Result, label: str, colour: str, *, is_first: bool
) -> None:
    layers, means, bounds = _means(result)
    name = plain(label)
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=means,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": bounds[:, 1] - means,
                "arrayminus": means - bounds[:, 0],
                "color": colour,
                "thickness": 1.5,
                "width": 4,
                "visible": is_first,
            },
            customdata=bounds,
            mode="lines+markers",
            line={"color": colour, "width": 2.2, "dash": "solid" if is_first else "dash"},
            marker={"color": colour, "size": 8, "symbol": "diamond"},
            name=f"{name}: mean" if is_first else name,
            hovertemplate=(
                "layer %{x}: mean %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                f"<extra>{name}</extra>"
            ),
        )
    )
