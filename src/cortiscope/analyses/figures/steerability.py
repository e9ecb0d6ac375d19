"""Figures of steerability: what each concept's direction does by dose, and against dimension."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import layer_lines
from cortiscope.analyses.figures.style import (
    MUTED,
    SEQUENTIAL,
    SERIES,
    plain,
    template,
    translucent,
)
from cortiscope.analyses.result import Result
from cortiscope.analyses.steerability_correlations import ALPHA, POWER, has_dimension
from cortiscope.statistics import smallest_detectable_correlation

_AXES = {
    "rank_area": ("area under the rank curve", "correlation"),
    "participation_ratio": ("participation ratio", "correlation_participation"),
}
# More than these would lie on one another; all are named on hovering.
_MOST_LABELS = 15
_FIRST = {"row": 1, "col": 1}


def steering_and_dimension(results: Mapping[str, Result]) -> go.Figure:
    """Draw dose-response curves of the subject, and steerability against both dimensions.

    Parameters
    ----------
    results : mapping of str to Result
        Results of steerability by label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        A curve for each concept, darker where its dimension is larger, over the band of random
        directions (each concept's, averaged); dotted lines where doses are left out of the slope.
        Beside it a point for each concept with its 95% interval over words. Layers are averaged.
    """
    first = next(iter(results.values()))
    shown = [name for name in _AXES if name in first.estimates]
    figure = make_subplots(
        rows=1,
        cols=1 + len(shown),
        horizontal_spacing=0.11,
        column_widths=[0.4, 0.3, 0.3] if shown else None,
    )
    _add_curves(figure, first)
    for column, name in enumerate(shown, start=2):
        for line in layer_lines(list(results)):
            result = results[line.label]
            if name in result.estimates:
                in_legend = column == 2 and line.in_legend and len(results) > 1
                _add_points(
                    figure, result, name, line.name, line.colour, column, line.is_first, in_legend
                )
        title, correlation = _AXES[name]
        about = _says(first, name, correlation)
        figure.update_xaxes(title={"text": f"{title}<br>{about}"}, row=1, col=column)
        figure.update_yaxes(title={"text": "steerability (nats a dose)"}, row=1, col=column)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=520,
    )
    return figure


def _mean(values: xr.DataArray, *dims: str) -> NDArray[np.float64]:
    return np.asarray(values.mean("layer").transpose(*dims).values, dtype=np.float64)


def _add_curves(figure: go.Figure, result: Result) -> None:
    of = result.estimates
    doses, concepts = of["signed_dose"].values, of["category"].values.astype(str)
    change = _mean(of["change"], "category", "signed_dose")
    n = len(doses) // 2
    through_zero = np.insert(doses, n, 0.0)
    curves = np.insert(change, n, 0.0, axis=1)
    within = of["dose"].values[of["admitted"].values.min(axis=0) > 0].max(initial=0.0)
    low, high = (
        _mean(of[name], "category", "dose").mean(axis=0) for name in ("random_low", "random_high")
    )
    band = [np.concatenate([side[::-1], [0.0], side]) for side in (low, high)]
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([through_zero, through_zero[::-1]]),
            y=np.concatenate([band[1], band[0][::-1]]),
            fill="toself",
            fillcolor=translucent(MUTED, 0.22),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name=f"95% of random directions ({2 * result.n['n_draws']})",
        ),
        **_FIRST,
    )
    inside = np.abs(through_zero) <= within + 1e-12
    for concept, curve, colour in zip(concepts, curves, _colours(result), strict=True):
        for kept, dash in ((np.ones_like(inside), "dot"), (inside, "solid")):
            figure.add_trace(
                go.Scatter(
                    x=through_zero[kept],
                    y=curve[kept],
                    mode="lines+markers" if dash == "solid" else "lines",
                    line={"color": colour, "width": 1.8, "dash": dash},
                    marker={"size": 5},
                    name=plain(concept),
                    showlegend=False,
                    hovertemplate=f"dose %{{x:.3~f}}: %{{y:.2f}}<extra>{plain(concept)}</extra>",
                ),
                **_FIRST,
            )
    ends = curves[:, -1] if len(concepts) <= _MOST_LABELS else curves[:0, -1]
    for concept, y, at in zip(concepts, ends, _apart(ends, curves), strict=False):
        figure.add_annotation(
            x=through_zero[-1],
            y=at,
            text=plain(concept),
            hovertext=f"{y:.2f}",
            showarrow=False,
            xanchor="left",
            xshift=5,
            font={"size": 11},
            **_FIRST,
        )
    bound = result.parameters["bound"]
    about = "" if bound is None else f"<br>solid: perplexity within {bound:g} × clean"
    figure.update_xaxes(
        title={"text": f"dose (below 0: turned round){about}"},
        range=[through_zero[0] * 1.05, through_zero[-1] * 1.75],
        tickvals=[-doses[-1], -doses[-1] / 2, 0, doses[-1] / 2, doses[-1]],
        **_FIRST,
    )
    figure.update_yaxes(
        title={
            "text": (
                "change of the concept's log-odds (nats),<br>"
                f"{result.n['n_words']} words, each in the other concepts' words"
            )
        },
        **_FIRST,
    )


def _colours(result: Result) -> list[str]:
    """Darker where the rank area is larger; all alike where no dimension was measured."""
    of = result.estimates
    if "rank_area" not in of:
        return [SERIES[0]] * of.sizes["category"]
    order = _mean(of["rank_area"], "category").argsort().argsort()
    # The lightest colours would not be seen on the page.
    shades = 0.35 + 0.65 * order / max(len(order) - 1, 1)
    return [str(colour) for colour in sample_colorscale(list(SEQUENTIAL), shades.tolist())]


def _apart(heights: NDArray[np.float64], curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move labels up until none lies on another.

    Examples
    --------
    >>> _apart(np.array([1.0, 0.0, 0.0]), np.array([[0.0, 2.0]])).round(2).tolist()
    [1.0, 0.0, 0.09]
    """
    gap = 0.045 * float(np.ptp(curves))
    moved, least = heights.copy(), -np.inf
    for at in np.argsort(heights, kind="stable"):
        moved[at] = least = max(heights[at], least + gap)
    return moved


def _add_points(
    figure: go.Figure,
    result: Result,
    name: str,
    label: str,
    colour: str,
    column: int,
    is_first: bool,
    in_legend: bool,
) -> None:
    concepts = result.estimates["category"].values.astype(str)
    steers = _mean(result.estimates["steerability"], "category")
    at = _mean(result.estimates[name], "category")
    at[~has_dimension(result.estimates[name].transpose("layer", "category").values)] = np.nan
    # Labels stay inside the panel.
    middle = np.nanmax(at, initial=0.0) / 2 + np.nanmin(at, initial=np.inf) / 2
    sides = np.where(at > middle, "left", "right").tolist()
    draws = result.resamples["steerability"].mean("layer").transpose("resample", "category").values
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    figure.add_trace(
        go.Scatter(
            x=at,
            y=steers,
            error_y={
                "type": "data",
                "array": high - steers,
                "arrayminus": steers - low,
                "width": 0,
                "thickness": 1,
            },
            mode="markers+text" if is_first and len(concepts) <= _MOST_LABELS else "markers",
            text=[plain(concept) for concept in concepts],
            textposition=[f"middle {side}" for side in sides],
            textfont={"size": 10},
            marker={"color": colour, "size": 8 if is_first else 6},
            cliponaxis=False,
            name=label,
            legendgroup=label,
            showlegend=in_legend,
            hovertemplate="%{text}: %{x:.1f}, %{y:.2f}<extra></extra>",
        ),
        row=1,
        col=column,
    )


def _says(result: Result, dimension: str, name: str) -> str:
    """Say a correlation with its interval, p-value and number of concepts."""
    values = result.estimates[dimension].transpose("layer", "category").values
    n = int(has_dimension(values).sum())
    r = float(result.estimates[name])
    if not np.isfinite(r):
        return f"not defined (n = {n} concepts)"
    low, high = result.intervals[name].values
    smallest = smallest_detectable_correlation(n, power=POWER, alpha=ALPHA)
    return (
        f"r = {r:.2f} [{low:.2f}, {high:.2f}], p = {float(result.p_values[name]):.2g}<br>"
        f"n = {n}: power .8 from |r| = {smallest:.2f} on"
    )
