"""Figures of the dynamic connectome: change of correlations and modules beside surrogates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import add_band, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import MUTED, SEQUENTIAL, plain, template, translucent
from cortiscope.analyses.result import Result

_CHANGES = {
    "change": "change of correlations",
    "module_change": "change of modules",
}
_WIDEST_MAP_WITH_NAMES = 15


def change_by_layer(results: Mapping[str, Result]) -> go.Figure:
    """Draw the change between contexts by layer, beside surrogates, and between which contexts.

    Parameters
    ----------
    results : mapping of str to Result
        Results of the dynamic connectome by label, the subject first, whose surrogates and
        contexts are shown.

    Returns
    -------
    plotly.graph_objects.Figure
        Change of correlations and of modules by layer, averaged over pairs of contexts, with 95%
        intervals and 95% of the surrogates; and the change between every two contexts, above the
        mean of surrogates, averaged over layers.
    """
    first = next(iter(results.values()))
    shown = [name for name in _CHANGES if name in first.estimates]
    n_columns = len(shown) + 1
    widths = [0.3] * len(shown) + [0.4] if len(shown) > 1 else [0.45, 0.55]
    figure = make_subplots(rows=1, cols=n_columns, column_widths=widths, horizontal_spacing=0.13)
    for column, name in enumerate(shown, start=1):
        place = {"row": 1, "col": column}
        _add_surrogates(figure, first, name, place, in_legend=column == 1)
        for line in layer_lines(list(results)):
            of = results[line.label]
            if name not in of.estimates:
                continue
            values = of.estimates[name].values
            draws = of.resamples[name].values if name in of.resamples else values[None]
            layers = of.estimates["layer"].values
            add_layer_line(
                figure, line, layers, values, draws, place, in_legend=column == 1, digits=3
            )
        figure.update_xaxes(title={"text": "layer"}, **place)
        contexts = plain(first.parameters["contexts"])
        title = f"{_CHANGES[name]}<br>between {first.n['n_contexts']} contexts ({contexts})"
        figure.update_yaxes(title={"text": title}, **place)
    _add_map(figure, first, {"row": 1, "col": n_columns})
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"},
        height=430,
    )
    return figure


def _add_surrogates(
    figure: go.Figure, result: Result, name: str, place: Mapping[str, int], *, in_legend: bool
) -> None:
    draws = result.null[name].transpose(..., "layer").values
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    label = f"contexts exchanged (95% of {len(draws):,})"
    layers = result.estimates["layer"].values
    add_band(
        figure,
        layers,
        low,
        high,
        translucent(MUTED, 0.3),
        place,
        name=label,
        in_legend=in_legend,
    )
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=draws.mean(axis=0),
            mode="lines",
            line={"color": MUTED, "width": 1.4, "dash": "dot"},
            legendgroup=label,
            showlegend=False,
            hovertemplate="contexts exchanged: %{y:.3f}<extra></extra>",
        ),
        **place,
    )


def _add_map(figure: go.Figure, result: Result, place: Mapping[str, int]) -> None:
    """Draw the change between every two contexts, above surrogates."""
    estimates = result.estimates
    above = estimates["change_between"] - estimates["change_between_by_chance"]
    values = above.mean("layer").transpose("context", "other_context").values.copy()
    np.fill_diagonal(values, np.nan)
    names = [plain(name) for name in estimates["context"].values]
    figure.add_trace(
        go.Heatmap(
            x=names,
            y=names,
            z=values,
            zmin=min(0.0, float(np.nanmin(values))),
            zmax=max(0.05, float(np.nanmax(values))),
            colorscale=list(SEQUENTIAL),
            xgap=1,
            ygap=1,
            colorbar={
                "title": {"text": "change above surrogates", "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
                "nticks": 5,
            },
            hovertemplate="%{y} and %{x}: %{z:.3f} above surrogates<extra></extra>",
        ),
        **place,
    )
    shown = len(names) <= _WIDEST_MAP_WITH_NAMES
    style = {"showgrid": False, "showline": False, "ticks": "", "showticklabels": shown}
    figure.update_xaxes(type="category", tickangle=-60, **style, **place)
    figure.update_yaxes(type="category", autorange="reversed", **style, **place)
