"""The figure of a localiser: how selective units of each layer are, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import add_band, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import GRID, MUTED, template, thinned, translucent
from cortiscope.analyses.result import Result

# Of each panel: the statistic, the title of its axis, digits after the point.
_PANELS = (
    ("held_out_d_prime", "d′ of chosen units,<br>held-out half", 2),
    ("share_significant", "share of units<br>with q < .05", 3),
    ("share_chosen", "share of units<br>among the chosen", 3),
)


def selective_units_by_layer(results: Mapping[str, Result]) -> go.Figure:
    """Draw the preference of chosen units, how many differ, and where those chosen lie.

    Parameters
    ----------
    results : mapping of str to Result
        By label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        A panel each; the subject's interval as a band, and where 95% of its permutations lie.
    """
    panels = [panel for panel in _PANELS if all(panel[0] in r.estimates for r in results.values())]
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.09)
    lines = layer_lines(list(results))
    for column, (name, title, digits) in enumerate(panels, start=1):
        place = {"row": 1, "col": column}
        for line, result in zip(lines, results.values(), strict=True):
            layers = result.estimates["layer"].values
            values = result.estimates[name].values
            if line.is_first and name in result.null:
                low, high = np.quantile(result.null[name].values, [0.025, 0.975], axis=0)
                add_band(
                    figure,
                    layers,
                    low,
                    high,
                    translucent(MUTED, 0.2),
                    place,
                    name="95% of permutations",
                )
            draws = result.resamples[name].values if name in result.resamples else values[None]
            add_layer_line(
                figure,
                line,
                layers,
                values,
                draws,
                place,
                in_legend=column == 1,
                digits=digits,
            )
        ticks = thinned(next(iter(results.values())).estimates["layer"].values.tolist())
        figure.update_xaxes(title_text="layer", tickvals=ticks, **place)
        figure.update_yaxes(
            title_text=title, rangemode="tozero", zeroline=True, zerolinecolor=GRID, **place
        )
    first = next(iter(results.values()))
    figure.update_layout(
        template=template(),
        height=340,
        legend={"orientation": "h", "y": -0.28, "x": 0},
        annotations=[
            {
                "text": f"{first.estimates.attrs['contrast']}; {first.n['n_words']:,} texts, "
                f"{first.n['n_chosen']:,} of {first.n['n_units']:,} units chosen",
                "x": 0,
                "y": 1.09,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "showarrow": False,
                "font": {"color": MUTED},
            }
        ],
    )
    return figure
