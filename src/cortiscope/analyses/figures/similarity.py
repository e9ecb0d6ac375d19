"""Figures of similarities between the layers of two recordings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import add_band
from cortiscope.analyses.figures.style import (
    MUTED,
    SEQUENTIAL,
    SERIES,
    plain,
    template,
    thinned,
    translucent,
)
from cortiscope.analyses.result import Result

_MAP, _LINES = 1, 2  # columns of the figure
_GAP = 0.2
_WIDEST_MAP_WITH_NUMBERS = 9  # with more layers, cells are too narrow for their values
_LEAST_TOP = 0.2  # the colours of a map that is near 0 all over must not look like much


def similarity_maps(results: Mapping[str, Result], *, variable: str, title: str) -> go.Figure:
    """Draw the similarity of all pairs of layers, and of each layer with its best match.

    Parameters
    ----------
    results : mapping of str to Result
        By label: the pair of subjects first, whose map is drawn, then pairs of untrained twins,
        which are lines beside the subjects' line.
    variable : str
        The similarity (layer, other_layer).
    title : str
        What it is called in the figure.

    Returns
    -------
    plotly.graph_objects.Figure
        Left: the map, where a value in parentheses, or a dot in narrow cells, has a corrected p
        of .05 or more. Right: the best match of each layer of the first recording, chosen on one
        half of the words and measured on the other, or, where that was not measured, the layer at
        equal depth; with its 95% interval and what 95% of permutations lie in. Without a map the
        lines alone.
    """
    label, first = next(iter(results.items()))
    one, other = _names(label if " and " in label else first.subject)
    has_map = variable in first.estimates
    figure = make_subplots(
        cols=2 if has_map else 1, horizontal_spacing=_GAP, column_widths=_widths(has_map)
    )
    if has_map:
        _add_map(figure, first, variable, title)
        figure.update_xaxes(title_text=f"layer of {other}", showline=False, ticks="", col=_MAP)
        figure.update_yaxes(title_text=f"layer of {one}", showgrid=False, ticks="", col=_MAP)
    column = _LINES if has_map else 1
    line = "best_match" if "best_match" in first.estimates else "by_depth"
    _add_null(figure, first, line, column)
    for index, (name, result) in enumerate(results.items()):
        _add_line(figure, name, result, line, index, column)
    what = {"best_match": "best match", "by_depth": "equal depth"}[line]
    ticks = thinned(first.estimates["layer"].values.tolist())
    figure.update_xaxes(title_text=f"layer of {one}", tickvals=ticks, col=column)
    figure.update_yaxes(title_text=f"{title}, {what}", tickformat=".2f", col=column)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        height=430,
    )
    return figure


def _names(pair: str) -> tuple[str, str]:
    one, _, other = pair.partition(" and ")
    return (plain(one), plain(other)) if other and " and " not in other else ("one", "the other")


def _widths(has_map: bool) -> list[float]:
    return [0.5, 0.5] if has_map else [1.0]


def _add_map(figure: go.Figure, result: Result, variable: str, title: str) -> None:
    similarity, p, low, high = _columns(result, variable)
    biased = result.estimates.get(f"biased_{variable}")
    beside = "" if biased is None else "<br>biased: %{customdata[3]:.3f}"
    is_small = max(similarity.shape) <= _WIDEST_MAP_WITH_NUMBERS
    shown = [low, high, p, *([] if biased is None else [_ordered(biased)])]
    figure.add_trace(
        go.Heatmap(
            x=[str(layer) for layer in result.estimates["other_layer"].values],
            y=[str(layer) for layer in result.estimates["layer"].values],
            z=similarity,
            customdata=np.stack(shown, axis=2),
            text=_cell_texts(similarity, p),
            texttemplate="%{text}",
            textfont={"size": 12},
            xgap=1 if is_small else 0,
            ygap=1 if is_small else 0,
            zmin=0,
            zmax=max(float(np.nanmax(similarity)), _LEAST_TOP),
            colorscale=list(SEQUENTIAL),
            colorbar={
                "title": {"text": title, "font": {"size": 13}, "side": "right"},
                "x": (1 - _GAP) / 2 + 0.01,
                "xanchor": "left",
                "thickness": 10,
                "outlinewidth": 0,
                "len": 1.0,
                "nticks": 5,
            },
            hovertemplate=(
                f"layers %{{y}} and %{{x}}: {title} %{{z:.3f}} "
                "[%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                f"<br>corrected p = %{{customdata[2]:.4f}}{beside}<extra></extra>"
            ),
        ),
        row=1,
        col=_MAP,
    )
    figure.update_xaxes(type="category", nticks=2 * _WIDEST_MAP_WITH_NUMBERS, col=_MAP)
    figure.update_yaxes(type="category", nticks=2 * _WIDEST_MAP_WITH_NUMBERS, col=_MAP)


def _ordered(values: xr.DataArray) -> NDArray[np.float64]:
    return np.asarray(values.transpose("layer", "other_layer").values, dtype=np.float64)


def _columns(result: Result, variable: str) -> list[NDArray[np.float64]]:
    """Similarity, p-value and both bounds, each (layer, other_layer)."""
    bounds = result.intervals[variable]
    parts = [
        result.estimates[variable],
        result.p_values[variable],
        bounds.sel(bound="low"),
        bounds.sel(bound="high"),
    ]
    return [_ordered(part) for part in parts]


def _cell_texts(similarity: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.str_]:
    if max(similarity.shape) > _WIDEST_MAP_WITH_NUMBERS:
        return np.where(p < 0.05, "", "·")
    values = np.char.mod("%.2f", similarity)
    return np.where(p < 0.05, values, np.char.add(np.char.add("(", values), ")"))


def _add_null(figure: go.Figure, result: Result, variable: str, column: int) -> None:
    layers = result.estimates["layer"].values
    null = result.null[variable].transpose("permutation", "layer").values
    low, high = np.quantile(null, [0.025, 0.975], axis=0)
    n_words = result.n["n_words"]
    name = f"permuted words (95%; {n_words:,} words)"
    add_band(
        figure,
        layers,
        low,
        high,
        translucent(MUTED, 0.25),
        {"row": 1, "col": column},
        name=name,
    )


def _add_line(
    figure: go.Figure, label: str, result: Result, variable: str, index: int, column: int
) -> None:
    layers = result.estimates["layer"].values
    values = result.estimates[variable].values
    low, high = (result.intervals[variable].sel(bound=b).values for b in ("low", "high"))
    p = result.p_values[variable].values
    is_twin = index > 0
    colour = SERIES[1 if is_twin else 0]
    if not is_twin:
        add_band(figure, layers, low, high, translucent(colour, 0.18), {"row": 1, "col": column})
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=values,
            customdata=np.stack([low, high, p], axis=1),
            mode="lines" if is_twin else "lines+markers",
            line={
                "color": colour,
                "width": 1.2 if is_twin else 2.2,
                "dash": "dash" if is_twin else "solid",
            },
            marker={"color": colour, "size": 6},
            name="untrained twins" if is_twin else plain(label),
            legendgroup="twins" if is_twin else "subjects",
            legendrank=2 if is_twin else 1,
            showlegend=index < 2,
            hovertemplate=(
                "layer %{x}: %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                f"<br>corrected p = %{{customdata[2]:.4f}}<extra>{plain(label)}</extra>"
            ),
        ),
        row=1,
        col=column,
    )
