"""Figure of lesioned sets of units beside random sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import layer_lines
from cortiscope.analyses.figures.style import GRID, MUTED, plain, template
from cortiscope.analyses.result import Result

_PANELS = {
    "": "rise of the loss on neutral text (nats a token)",
    "answers_": "fall of the right answer (nats)",
}


def damage_beside_random_sets(results: Mapping[str, Result]) -> go.Figure:
    """Draw the damage of every set with that of random sets of equal number, layer and size.

    Parameters
    ----------
    results : mapping of str to Result
        By label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        A row a set and recording: a dot with its 95% interval for the set, ticks for random sets.
    """
    first = next(iter(results.values()))
    prefixes = [prefix for prefix in _PANELS if f"{prefix}damage" in first.estimates]
    figure = make_subplots(rows=1, cols=len(prefixes), shared_yaxes=True, horizontal_spacing=0.08)
    n_rows = 0
    for column, prefix in enumerate(prefixes, start=1):
        rows: list[str] = []
        for line, result in zip(layer_lines(list(results)), results.values(), strict=True):
            for name in result.estimates["lesion"].values:
                row = f"{plain(line.label)}: {plain(name)}" if len(results) > 1 else plain(name)
                rows.append(row)
                _add(figure, result, prefix, str(name), row, column, line.colour, len(rows) == 1)
        n_rows = len(rows)
        figure.update_xaxes(
            title_text=_PANELS[prefix], zeroline=True, zerolinecolor=GRID, row=1, col=column
        )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(
        template=template(),
        height=150 + 34 * n_rows,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def _add(
    figure: go.Figure,
    result: Result,
    prefix: str,
    name: str,
    row: str,
    column: int,
    colour: str,
    is_first: bool,
) -> None:
    chosen = result.estimates[f"{prefix}damage"].sel(lesion=name).item()
    low, high = result.intervals[f"{prefix}damage"].sel(lesion=name).values
    mean = result.estimates[f"{prefix}random_damage"].sel(lesion=name).item()
    drawn = mean + result.null[f"{prefix}damage_minus_random"].sel(lesion=name).values
    figure.add_trace(
        go.Scatter(
            x=drawn,
            y=np.full(len(drawn), row),
            mode="markers",
            marker={
                "symbol": "line-ns",
                "size": 11,
                "line": {"width": 1, "color": MUTED},
                "opacity": 0.6,
            },
            name=f"{result.n['n_draws']} random sets",
            legendgroup="random",
            showlegend=is_first and column == 1,
            hovertemplate="random: %{x:.4f}<extra></extra>",
        ),
        row=1,
        col=column,
    )
    figure.add_trace(
        go.Scatter(
            x=[chosen],
            y=[row],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - chosen],
                "arrayminus": [chosen - low],
                "color": colour,
                "thickness": 1.6,
                "width": 0,
            },
            mode="markers",
            marker={"size": 10, "color": colour},
            name="the set, with 95% interval",
            legendgroup="set",
            showlegend=is_first and column == 1,
            hovertemplate=f"%{{x:.4f}} [{low:.4f}, {high:.4f}]<extra>{row}</extra>",
        ),
        row=1,
        col=column,
    )
