"""Figure of lesions: what is lost with more and more units, beside one direction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import layer_lines
from cortiscope.analyses.figures.style import MUTED, SERIES, plain, template, translucent
from cortiscope.analyses.result import Result

_PANELS = {
    "": ("loss of AUC of a probe", 3),
    "behaviour_": ("loss of log-odds of the right name (nats)", 2),
}

_METHODS = {
    "difference_in_means": "difference in means",
    "leace": "LEACE",
    "probe": "probe's weights",
}


def lost_by_number_of_units(results: Mapping[str, Result]) -> go.Figure:
    """Draw what is lost against the number of units, with one direction as a level to reach.

    The left panel is the probe's, the right one behaviour's; all are means over the lesioned
    layers and over categories.

    Parameters
    ----------
    results : mapping of str to Result
        Lesion results by label, the subject first, whose 95% intervals and random lesions are
        shown; of others, such as ``twin 0``, only one direction and the most selective units.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    first = next(iter(results.values()))
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.11)
    for column, prefix in enumerate(_PANELS, start=1):
        _add_subject(figure, first, prefix, column)
        for line in layer_lines(list(results)):
            if not line.is_first:
                _add_other(figure, results[line.label], prefix, column, line.name, line.in_legend)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=470,
    )
    sizes = first.estimates["n_lesioned"].values.tolist()
    n = first.n
    axis = f"units lesioned ({n['n_words']:,} held-out words; {n['n_draws']} random draws)"
    ticks = [str(size) for size in sizes[:-1]] + [f"all {sizes[-1]:,}"]
    figure.update_xaxes(
        title_text=axis, type="log", tickvals=sizes, ticktext=ticks, range=_range(sizes)
    )
    for column, (title, _) in enumerate(_PANELS.values(), start=1):
        figure.update_yaxes(title_text=title, col=column, zeroline=True, zerolinecolor=MUTED)
    return figure


def _range(sizes: list[int]) -> list[float]:
    low, high = np.log10(sizes[0]), np.log10(sizes[-1])
    room = max(0.06 * (high - low), 0.05)
    return [float(low - room), float(high + room)]


def _add_subject(figure: go.Figure, result: Result, prefix: str, column: int) -> None:
    sizes = result.estimates["n_lesioned"].values
    ends = np.array([sizes[0], sizes[-1]])
    random = f"{prefix}change_by_random_direction"
    for kind, dash in (("covariance", "dash"), ("isotropic", "dot"), ("shift", "longdash")):
        level, _ = _mean(result, random, random=kind)
        name = "random shift" if kind == "shift" else f"one random direction ({kind})"
        _add_line(figure, ends, np.repeat(level, 2), name, MUTED, column, prefix, dash=dash)
    for at, method in enumerate(result.estimates["direction"].values.tolist()):
        level, draws = _mean(result, f"{prefix}change_by_direction", direction=method)
        colour = SERIES[(1, 2, 3)[at]]
        if at == 0:
            _add_band(figure, ends, np.repeat(draws[:, None], 2, axis=1), colour, column)
        name = f"one direction: {_METHODS[method]}"
        dash = "solid" if at == 0 else "dashdot"
        _add_line(figure, ends, np.repeat(level, 2), name, colour, column, prefix, dash=dash)
    curves = (
        ("change_by_random_units", "random units", MUTED),
        ("change_by_units", "most selective units", SERIES[0]),
    )
    for variable, name, colour in curves:
        values, draws = _mean(result, prefix + variable)
        _add_band(figure, sizes, draws, colour, column)
        _add_line(figure, sizes, values, name, colour, column, prefix, mode="lines+markers")


def _add_other(
    figure: go.Figure, result: Result, prefix: str, column: int, name: str, in_legend: bool
) -> None:
    sizes = result.estimates["n_lesioned"].values
    values, _ = _mean(result, f"{prefix}change_by_units")
    method = result.estimates["direction"].values[0]
    level, _ = _mean(result, f"{prefix}change_by_direction", direction=method)
    parts = ((sizes, values, "units"), (sizes[[0, -1]], np.repeat(level, 2), "one direction"))
    for number, (x, y, what) in enumerate(parts):
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="lines",
                line={"color": SERIES[4], "width": 1.1, "dash": "dash" if number else "solid"},
                name=f"{plain(name)}: {what}",
                legendgroup=f"{name} {what}",
                showlegend=in_legend and column == 1,
                hovertemplate=f"{plain(name)}, {what}: %{{y:.3f}}<extra></extra>",
            ),
            row=1,
            col=column,
        )


def _mean(
    result: Result, variable: str, **where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average over layers and categories: the estimate, and the resamples (resample, ...)."""

    def average(values: xr.DataArray) -> NDArray[np.float64]:
        return np.asarray(values.sel(where).mean(["layer", "category"]).values)

    draws = result.resamples[variable].transpose("resample", ...)
    return average(result.estimates[variable]), average(draws)


def _add_line(
    figure: go.Figure,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    name: str,
    colour: str,
    column: int,
    prefix: str,
    *,
    dash: str = "solid",
    mode: str = "lines",
) -> None:
    digits = _PANELS[prefix][1]
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode=mode,
            line={"color": colour, "width": 2.2 if dash == "solid" else 1.5, "dash": dash},
            marker={"size": 6},
            name=name,
            legendgroup=name,
            showlegend=column == 1,
            hovertemplate=f"{name}: %{{y:.{digits}f}}<extra></extra>"
            if mode == "lines"
            else f"%{{x}} units: %{{y:.{digits}f}}<extra>{name}</extra>",
        ),
        row=1,
        col=column,
    )


def _add_band(
    figure: go.Figure,
    x: NDArray[np.float64],
    draws: NDArray[np.float64],
    colour: str,
    column: int,
) -> None:
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([high, low[::-1]]),
            fill="toself",
            fillcolor=translucent(colour, 0.18),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        ),
        row=1,
        col=column,
    )
