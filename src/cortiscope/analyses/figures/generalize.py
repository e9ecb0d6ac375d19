"""Figures of generalisation results."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.style import MUTED, SEQUENTIAL, plain, template, thinned
from cortiscope.analyses.result import Result

_MOST_NUMBERED_LAYERS = 8  # with more, the cells of two maps are too narrow for their values


def generalization_maps(results: Mapping[str, Result]) -> go.Figure:
    """Draw the accuracy of every layer's probe at every layer.

    Where there is room each cell shows its value, in parentheses when the corrected p-value is
    .05 or more; in narrow cells a dot stands for the parentheses.

    Parameters
    ----------
    results : mapping of str to Result
        By label, the subject first; of several others (its twins) the mean is drawn, without
        p-values.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    (label, first), *others = results.items()
    titles = [plain(label)]
    if others:
        titles.append(plain(others[0][0]) if len(others) == 1 else f"mean of {len(others)} twins")
    figure = make_subplots(cols=len(titles), subplot_titles=titles, horizontal_spacing=0.12)
    figure.update_layout(template=template())
    _add_map(figure, 1, first, _accuracy(first), _p_values(first))
    if others:
        mean = np.mean([_accuracy(result) for _, result in others], axis=0)
        p = _p_values(others[0][1]) if len(others) == 1 else None
        _add_map(figure, 2, others[0][1], mean, p)
    chance = float(first.estimates.attrs["chance_accuracy"])
    n_words, n_permutations = first.n["n_words"], first.n["n_permutations"]
    ticks = thinned(first.estimates["layer"].values.tolist())
    figure.update_xaxes(title_text="layer that is read", showline=False, ticks="", tickvals=ticks)
    figure.update_yaxes(showgrid=False, ticks="", tickvals=ticks, ticksuffix=" ")
    figure.update_yaxes(title_text="layer of training", col=1)
    figure.add_annotation(
        text=f"{n_words:,} words, {n_permutations:,} permutations; chance is {chance:.2f}; "
        "in parentheses, or dotted: corrected p ≥ .05",
        xref="paper",
        yref="paper",
        x=0,
        y=-0.24,
        showarrow=False,
        xanchor="left",
        font={"size": 12, "color": MUTED},
    )
    figure.update_layout(
        height=440,
        margin={"t": 36, "b": 92},
        coloraxis={
            "cmin": chance,
            "cmax": 1.0,
            "colorscale": list(SEQUENTIAL),
            "colorbar": {
                "title": {"text": "balanced<br>accuracy", "font": {"size": 13}},
                "thickness": 10,
                "outlinewidth": 0,
                "tickformat": ".1f",
            },
        },
    )
    return figure


def _accuracy(result: Result) -> NDArray[np.float64]:
    return np.asarray(result.estimates["accuracy"].transpose("train_layer", "layer").values)


def _p_values(result: Result) -> NDArray[np.float64]:
    return np.asarray(result.p_values["accuracy"].transpose("train_layer", "layer").values)


def _add_map(
    figure: go.Figure,
    column: int,
    result: Result,
    accuracy: NDArray[np.float64],
    p: NDArray[np.float64] | None,
) -> None:
    layers = result.estimates["layer"].values
    shown_p = np.zeros_like(accuracy) if p is None else p
    tail = "<extra></extra>" if p is None else "<br>corrected p = %{customdata:.4f}<extra></extra>"
    figure.add_trace(
        go.Heatmap(
            x=layers,
            y=layers,
            z=accuracy,
            customdata=shown_p,
            text=_cell_texts(accuracy, shown_p),
            texttemplate="%{text}",
            textfont={"size": 11},
            xgap=1,
            ygap=1,
            coloraxis="coloraxis",
            hovertemplate="trained at %{y}, read at %{x}: %{z:.3f}" + tail,
        ),
        row=1,
        col=column,
    )


def _cell_texts(accuracy: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.str_]:
    if len(accuracy) > _MOST_NUMBERED_LAYERS:
        return np.where(p < 0.05, "", "·")
    values = np.char.mod("%.2f", accuracy)
    return np.where(p < 0.05, values, np.char.add(np.char.add("(", values), ")"))
