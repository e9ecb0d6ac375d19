"""Figures of additivity: spread over layers against at once, and against the sum of its parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import MUTED, template
from cortiscope.analyses.result import Result

_PANELS = {
    "pass_through": "whole change of the projection:<br>spread ÷ at once",
    "superposition": "what the network does:<br>spread ÷ sum of its parts",
    "own_ratio": "what the network does:<br>spread ÷ at once",
    "behaviour_superposition": "change of the log-odds:<br>spread ÷ sum of its parts",
}


def additivity_by_span(results: Mapping[str, Result]) -> go.Figure:
    """Draw each ratio against the number of layers, averaged over first layers and doses.

    Parameters
    ----------
    results : mapping of str to Result
        Results of additivity by label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        Four panels, three without behaviour; 1 is where the stream adds and nothing else.
    """
    first = next(iter(results.values()))
    shown = [name for name in _PANELS if name in first.estimates]
    figure = make_subplots(rows=2, cols=2, horizontal_spacing=0.14, vertical_spacing=0.14)
    n = first.n
    about = f"layers that it is spread over ({n['n_words']} words × {n['n_concepts']} concepts)"
    for index, name in enumerate(shown):
        place = {"row": index // 2 + 1, "col": index % 2 + 1}
        for line in layer_lines(list(results)):
            if name in results[line.label].estimates:
                _add(figure, results[line.label], name, line, place, in_legend=index == 0)
        figure.add_hline(y=1.0, line={"color": MUTED, "width": 1.2, "dash": "dot"}, **place)
        figure.update_yaxes(title={"text": _PANELS[name]}, tickformat=".2~f", **place)
        figure.update_xaxes(
            title={"text": about if index == len(shown) - 1 else "layers that it is spread over"},
            showgrid=False,
            showline=True,
            tickvals=first.estimates["n_layers"].values.tolist(),
            **place,
        )
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=680,
    )
    return figure


def _add(
    figure: go.Figure,
    result: Result,
    name: str,
    line: LayerLine,
    place: Mapping[str, int],
    *,
    in_legend: bool,
) -> None:
    over = ("layer", "dose")
    draws = result.resamples[name].mean(over).transpose("resample", "n_layers").values
    add_layer_line(
        figure,
        line,
        result.estimates["n_layers"].values,
        result.estimates[name].mean(over).values,
        np.asarray(draws, dtype=np.float64),
        place,
        in_legend=in_legend,
        digits=3,
    )
    trace = figure.data[-1]
    trace.hovertemplate = trace.hovertemplate.replace("layer %{x}", "%{x} layers")
