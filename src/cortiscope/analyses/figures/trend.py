"""The figure of a trend: a number of every subject against their order, or another number."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from cortiscope.analyses.figures.layer_lines import layer_lines
from cortiscope.analyses.figures.style import plain, template
from cortiscope.analyses.result import Result


def trend_by_subject(results: Mapping[str, Result]) -> go.Figure:
    """Draw the number of every subject against their order, or another number.

    Parameters
    ----------
    results : mapping of str to Result
        Results of trend by label, the subjects' first and those of their twins after.

    Returns
    -------
    plotly.graph_objects.Figure
        Points with 95% intervals for the subjects; lines for twins.
    """
    figure = go.Figure()
    first = next(iter(results.values()))
    for line in layer_lines(list(results)):
        of = results[line.label]
        x, y = of.estimates["against"].values, of.estimates["value"].values
        low, high = of.intervals["value"].transpose("bound", "subject").values
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers" if line.is_twin else "lines+markers+text",
            text=None if line.is_twin else [plain(name) for name in of.estimates["subject"].values],
            textposition="top center",
            name=line.name,
            legendgroup=line.name,
            showlegend=line.in_legend,
            line={"color": line.colour, "width": 1 if line.is_twin else 2},
            error_y=None
            if line.is_twin
            else {"array": high - y, "arrayminus": y - low, "type": "data"},
        )
    against = first.parameters["against"]
    figure.update_layout(
        template=template(),
        xaxis_title=plain(against or "order of the subjects"),
        yaxis_title=plain(first.parameters["of"]),
        height=420,
    )
    return figure
