"""The figure of rank and depth."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import (
    MUTED,
    SERIES,
    plain,
    template,
    thinned,
    translucent,
)
from cortiscope.analyses.result import Result


def rank_curves(results: Mapping[str, Result]) -> go.Figure:
    """Draw the AUC against directions taken out, and the rank against layer.

    Parameters
    ----------
    results : mapping of str to Result
        Results of `concept_rank` by label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        Above: the mean over layers and categories of each result, and for the first one a thin
        line for each category. Below: the mean over categories at each layer with its interval.
    """
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.16, row_heights=[0.55, 0.45])
    first = next(iter(results.values()))
    _add_categories(figure, first)
    for line in layer_lines(list(results)):
        result = results[line.label]
        _add_curve(figure, result, line)
        add_layer_line(
            figure,
            line,
            result.estimates["layer"].values,
            result.estimates["rank"].mean("category").values,
            result.resamples["rank"].mean("category").transpose("resample", "layer").values,
            {"row": 2, "col": 1},
            in_legend=False,
            digits=2,
        )
    _add_levels(figure, first)
    n_directions = int(first.estimates.attrs["n_directions"])
    layers = thinned(first.estimates["layer"].values.tolist())
    n_words = first.n.get("n_words", 0)
    figure.update_layout(
        template=template(),
        xaxis={"title": {"text": f"directions taken out (n = {n_words:,} words)"}},
        yaxis={"title": {"text": "AUC on held-out words"}, "tickformat": ".1f"},
        xaxis2={"title": {"text": "layer"}, "tickvals": layers},
        yaxis2={
            "title": {"text": f"rank (at most {n_directions})"},
            "range": [-0.04 * n_directions, 1.06 * n_directions],
        },
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=640,
    )
    return figure


def _add_categories(figure: go.Figure, result: Result) -> None:
    curves = result.estimates["auc_after"].mean("layer")
    for index, category in enumerate(curves["category"].values):
        figure.add_trace(
            go.Scatter(
                x=curves["n_removed"].values,
                y=curves.sel(category=category).values,
                mode="lines",
                line={"color": translucent(SERIES[0], 0.35), "width": 1},
                name="its categories",
                legendgroup="its categories",
                showlegend=index == 0,
                hovertemplate=(
                    f"{plain(category)}, %{{x}} taken out: AUC %{{y:.3f}}<extra></extra>"
                ),
            ),
            row=1,
            col=1,
        )


def _add_curve(figure: go.Figure, result: Result, line: LayerLine) -> None:
    curve = result.estimates["auc_after"].mean(["layer", "category"])
    figure.add_trace(
        go.Scatter(
            x=curve["n_removed"].values,
            y=curve.values,
            mode="lines" if line.is_twin else "lines+markers",
            line={
                "color": line.colour,
                "width": 1.2 if line.is_twin else 2.2,
                "dash": "dash" if line.is_twin else "solid",
            },
            marker={"color": line.colour, "size": 5},
            name=line.name,
            legendgroup=line.name,
            showlegend=line.in_legend,
            hovertemplate=f"%{{x}} taken out: AUC %{{y:.3f}}<extra>{line.name}</extra>",
        ),
        row=1,
        col=1,
    )


def _add_levels(figure: go.Figure, result: Result) -> None:
    """Draw chance, what an AUC must exceed to count, and the largest rank that is counted."""
    n_directions = int(result.estimates.attrs["n_directions"])
    layers = result.estimates["layer"].values
    steps = [-0.3, n_directions + 0.3]
    needed = float(result.estimates["auc_needed"].mean())
    levels = (
        ("p = .05", steps, needed, "dash", 1),
        ("chance", steps, float(result.estimates.attrs["chance_auc"]), "dot", 1),
        ("most directions", [layers.min() - 0.3, layers.max() + 0.3], n_directions, "dot", 2),
    )
    for name, x, level, dash, row in levels:
        figure.add_trace(
            go.Scatter(
                x=x,
                y=[level, level],
                mode="lines",
                line={"color": MUTED, "width": 1.2, "dash": dash},
                name=name,
                showlegend=row == 1,
                hovertemplate=f"{name}: %{{y:.3g}}<extra></extra>",
            ),
            row=row,
            col=1,
        )
