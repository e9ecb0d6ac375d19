"""Figures of dimensionality: dimensions by layer, of all words and of a category's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import template
from cortiscope.analyses.result import Result

# Title, and the variables of all words and of each category.
_PANELS = (
    ("participation ratio", "participation_ratio_all", "participation_ratio"),
    ("components for 90%", "pca90_all", "pca90"),
    ("TwoNN", "two_nn_all", "two_nn"),
)
_BIASED = {
    "participation_ratio_all": "participation_ratio_all_biased",
    "participation_ratio": "participation_ratio_biased",
}
_FIRST = {"row": 1, "col": 1}


def dimensions_by_layer(results: Mapping[str, Result]) -> go.Figure:
    """Draw three numbers of dimensions against layer.

    Parameters
    ----------
    results : mapping of str to Result
        Results of dimensionality by label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        All words above, the mean over categories below, with 95% intervals for the subject.
        The participation ratio that is not corrected for the number of words is a dotted line.
    """
    first = next(iter(results.values()))
    panels = [panel for panel in _PANELS if panel[1] in first.estimates]
    n_words, n_categories = first.n["n_words"], first.n["n_categories"]
    points = (
        f"all {n_words:,} words",
        f"words of a category<br>(mean of {n_categories}, n ≈ {n_words / n_categories:.0f})",
    )
    figure = make_subplots(rows=2, cols=len(panels), horizontal_spacing=0.14, vertical_spacing=0.13)
    for column, (title, *names) in enumerate(panels, start=1):
        for row, name in enumerate(names, start=1):
            place = {"row": row, "col": column}
            for line in layer_lines(list(results)):
                of = results[line.label]
                if name not in of.estimates:
                    continue
                if line.is_first and name in _BIASED:
                    _add_biased(figure, of, _BIASED[name], line, place)
                add_layer_line(
                    figure,
                    line,
                    of.estimates["layer"].values,
                    _by_layer(of.estimates[name]),
                    _by_layer(of.resamples[name]),
                    place,
                    in_legend=place == _FIRST,
                    digits=1,
                )
            figure.update_yaxes(
                title={"text": f"{title},<br>{points[row - 1]}"}, rangemode="tozero", **place
            )
            figure.update_xaxes(title={"text": "layer"}, showgrid=False, showline=True, **place)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=620,
    )
    return figure


def _add_biased(
    figure: go.Figure, result: Result, name: str, line: LayerLine, place: Mapping[str, int]
) -> None:
    figure.add_trace(
        go.Scatter(
            x=result.estimates["layer"].values,
            y=_by_layer(result.estimates[name]),
            mode="lines",
            line={"color": line.colour, "width": 1.3, "dash": "dot"},
            name=f"{line.name}, not corrected for n",
            legendgroup="biased",
            showlegend=place == _FIRST,
            hovertemplate="layer %{x}: %{y:.1f}<extra>not corrected</extra>",
        ),
        **place,
    )


def _by_layer(values: xr.DataArray) -> NDArray[np.float64]:
    """Mean over categories where there are some; layers last."""
    if "category" in values.dims:
        values = values.mean("category")
    return np.asarray(values.transpose(..., "layer").values, dtype=np.float64)
