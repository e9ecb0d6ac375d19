"""Lines over layers, one for each recording, in figures of several panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from cortiscope.analyses.figures.style import SERIES, plain, translucent

# Labels of untrained twins: one alone, and several, which are numbered.
_ONE_TWIN, _TWIN = "untrained twin", "twin "


@dataclass(frozen=True)
class LayerLine:
    """How one recording is drawn.

    Attributes
    ----------
    label : str
        Its own.
    name : str
        What the legend says.
    colour : str
        Written #rrggbb.
    is_first, is_twin : bool
        Whether it is the subject, whose interval is shown, or an untrained twin.
    in_legend : bool
        Several twins share one entry.
    """

    label: str
    name: str
    colour: str
    is_first: bool
    is_twin: bool
    in_legend: bool


def layer_lines(labels: Sequence[str]) -> list[LayerLine]:
    """Give every recording its line; twins share one colour.

    Examples
    --------
    >>> [line.name for line in layer_lines(["subject", "twin 0", "twin 1"])]
    ['subject', 'untrained twins', 'untrained twins']
    >>> [line.is_twin for line in layer_lines(["subject", "untrained twin"])]
    [False, True]
    """
    twins = [label for label in labels if label == _ONE_TWIN or label.startswith(_TWIN)]
    others = [label for label in labels if label not in twins]
    lines = []
    for label in labels:
        is_twin = label in twins
        place = len(others) if is_twin else others.index(label)
        lines.append(
            LayerLine(
                label,
                "untrained twins" if is_twin and len(twins) > 1 else plain(label),
                SERIES[place % len(SERIES)],
                label == labels[0],
                is_twin,
                not is_twin or label == twins[0],
            )
        )
    return lines


def add_layer_line(
    figure: go.Figure,
    line: LayerLine,
    layers: NDArray[np.int64],
    values: NDArray[np.float64],
    draws: NDArray[np.float64],
    place: Mapping[str, int],
    *,
    in_legend: bool,
    digits: int,
) -> None:
    """Draw one recording in one panel.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        With subplots.
    line : LayerLine
        How.
    layers, values : ndarray, shape (n_layers,)
        What.
    draws : ndarray, shape (n_resamples, n_layers)
        Whose 95% interval is shown as a band for the subject, and on hovering for all.
    place : mapping of str to int
        ``row`` and ``col`` of the panel.
    in_legend : bool
        Whether this panel fills the legend.
    digits : int
        Digits after the point, on hovering.
    """
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    if line.is_first:
        add_band(figure, layers, low, high, translucent(line.colour, 0.18), place)
    number = f".{digits}f"
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=values,
            customdata=np.stack([low, high], axis=1),
            mode="lines" if line.is_twin else "lines+markers",
            line={
                "color": line.colour,
                "width": 1.2 if line.is_twin else 2.2,
                "dash": "dash" if line.is_twin else "solid",
            },
            marker={"size": 6},
            name=line.name,
            legendgroup=line.name,
            legendrank=1,
            showlegend=in_legend and line.in_legend,
            hovertemplate=(
                f"layer %{{x}}: %{{y:{number}}} "
                f"[%{{customdata[0]:{number}}}, %{{customdata[1]:{number}}}]"
                f"<extra>{plain(line.label)}</extra>"
            ),
        ),
        **place,
    )


def add_band(
    figure: go.Figure,
    x: NDArray[np.floating] | NDArray[np.integer],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    colour: str,
    place: Mapping[str, int] | None = None,
    *,
    name: str | None = None,
    in_legend: bool = True,
    group: str | None = None,
) -> None:
    """Shade what lies between two lines.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        With subplots where there is a place.
    x, low, high : ndarray, shape (n_places,)
        Where, such as layers, and between what.
    colour : str
        Mostly translucent.
    place : mapping of str to int, optional
        ``row`` and ``col`` of the panel.
    name : str, optional
        What the legend says; it has no entry without one.
    in_legend : bool
        Whether this panel fills the legend.
    group : str, optional
        The entry of the legend with which it comes and goes; its own when left out.
    """
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            fillcolor=colour,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name=name,
            legendgroup=group or name,
            showlegend=name is not None and in_legend,
        ),
        **(place or {}),
    )
