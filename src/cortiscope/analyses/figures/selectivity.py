"""The figure of selectivity results: what replicates, and how many of the same units are chosen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, add_band, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import MUTED, SERIES, template, thinned, translucent
from cortiscope.analyses.result import Result
from cortiscope.statistics import percentile_interval

_ORACLE = "overlap_of_"
_DASHES = ("dash", "dashdot", "longdash")
_HEIGHT = 780

# What stands above which place: rows and columns of the panels.
_PANELS = {"reliability": (1, 1), "held_out_d_prime": (1, 2), "overlap": (2, 1)}


def replication_by_layer(results: Mapping[str, Result]) -> go.Figure:
    """Draw reliability and held-out d' against layer, and overlap against the units chosen.

    Averages over categories; of overlap over layers too. Beside held-out d' stands the circular
    value; beside overlap its chance and phantoms whose selective units are known, since low
    overlap alone does not mean that no unit is selective.

    Parameters
    ----------
    results : mapping of str to Result
        By label, the subject first; the null bands, the circular value and the chances are its.
        The overlap is drawn of those that have it.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{}, {}], [{"colspan": 2}, None]],
        horizontal_spacing=0.11,
        vertical_spacing=0.2,
    )
    subject = next(iter(results.values()))
    lines = {line.label: line for line in layer_lines(list(results))}
    for name in ("reliability", "held_out_d_prime"):
        _add_null(figure, subject, name)
        for label, result in results.items():
            _add_by_layer(figure, result, name, lines[label])
    _add_circular(figure, subject)
    _add_overlaps(
        figure, {label: r for label, r in results.items() if "overlap" in r.estimates}, lines
    )
    layers = thinned(subject.estimates["layer"].values.tolist())
    for column in (1, 2):
        figure.update_xaxes(title="layer", tickvals=layers, row=1, col=column)
    share = float(subject.parameters["top_share"])
    figure.update_yaxes(title="split-half reliability of d′", row=1, col=1)
    figure.update_yaxes(title=f"d′ of the top {100 * share:g}% of units", row=1, col=2)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"t": 70},
        height=_HEIGHT,
    )
    return figure


def _over_categories(values: xr.DataArray) -> xr.DataArray:
    return values.mean("category")


def _add_null(figure: go.Figure, result: Result, name: str) -> None:
    null = _over_categories(result.null[name]).transpose("permutation", "layer").values
    low, high = percentile_interval(null)
    add_band(
        figure,
        result.estimates["layer"].values,
        low,
        high,
        translucent(MUTED, 0.25),
        _place(name),
        name="permuted words (95%)",
        in_legend=name == "reliability",
    )


def _add_by_layer(figure: go.Figure, result: Result, name: str, line: LayerLine) -> None:
    add_layer_line(
        figure,
        line,
        result.estimates["layer"].values,
        _over_categories(result.estimates[name]).values,
        _over_categories(result.resamples[name]).transpose("resample", "layer").values,
        _place(name),
        in_legend=name == "reliability",
        digits=3,
    )


def _place(name: str) -> dict[str, int]:
    row, column = _PANELS[name]
    return {"row": row, "col": column}


def _add_circular(figure: go.Figure, result: Result) -> None:
    row, column = _PANELS["held_out_d_prime"]
    figure.add_trace(
        go.Scatter(
            x=result.estimates["layer"].values,
            y=_over_categories(result.estimates["circular_d_prime"]).values,
            mode="lines",
            line={"color": MUTED, "width": 1.4, "dash": "dot"},
            name="circular: chosen and measured on the same words",
            hovertemplate="layer %{x}: %{y:.3f}, circular<extra></extra>",
        ),
        row=row,
        col=column,
    )


def _add_overlaps(
    figure: go.Figure, results: Mapping[str, Result], lines: Mapping[str, LayerLine]
) -> None:
    row, column = _PANELS["overlap"]
    figure.update_xaxes(
        title="units chosen in each half of the words", type="log", row=row, col=column
    )
    figure.update_yaxes(title="overlap of both choices", row=row, col=column, range=[-0.02, 1.04])
    if not results:
        figure.add_annotation(
            text="not measured", showarrow=False, xref="x3 domain", yref="y3 domain", x=0.5, y=0.5
        )
        return
    subject = next(iter(results.values()))
    sizes = subject.estimates["n_chosen"].values
    figure.update_xaxes(tickvals=sizes, row=row, col=column)
    for label, result in results.items():
        line = lines[label]
        colour, dash = line.colour, "dash" if line.is_twin else "solid"
        width = 1.1 if line.is_twin else 2.4
        _add_curve(figure, result, "overlap", line.name, colour, dash, width)
    _add_curve(
        figure, subject, "overlap_hypergeometric", "chance, hypergeometric", MUTED, "dot", 1.4, True
    )
    _add_curve(
        figure, subject, "overlap_permuted", "chance, permuted words", MUTED, "solid", 1.0, True
    )
    oracles = [str(name) for name in subject.estimates if str(name).startswith(_ORACLE)]
    for colour, dash, name in zip(SERIES[2:], _DASHES, oracles, strict=False):
        n_selective = int(name.removeprefix(_ORACLE))
        title = f"phantom, {n_selective:,} selective units"
        _add_curve(figure, subject, name, title, colour, dash, 1.4, True)
    figure.add_annotation(
        text=_caution(subject),
        showarrow=False,
        xref="x3 domain",
        yref="y3 domain",
        x=0,
        y=1.1,
        xanchor="left",
        yanchor="bottom",
        align="left",
        font={"size": 12, "color": MUTED},
    )


def _add_curve(
    figure: go.Figure,
    result: Result,
    variable: str,
    name: str,
    colour: str,
    dash: str,
    width: float,
    in_legend: bool = False,
) -> None:
    """Draw an overlap against the number chosen, averaged over all else."""
    values = result.estimates[variable]
    values = values.mean([dim for dim in values.dims if dim != "n_chosen"])
    known = np.isfinite(values.values)
    row, column = _PANELS["overlap"]
    figure.add_trace(
        go.Scatter(
            x=values["n_chosen"].values[known],
            y=values.values[known],
            mode="lines+markers",
            line={"color": colour, "width": width, "dash": dash},
            marker={"size": 5},
            name=name,
            legendgroup=name,
            showlegend=in_legend,
            hovertemplate=f"%{{x}} units: %{{y:.3f}}<extra>{name}</extra>",
        ),
        row=row,
        col=column,
    )


def _caution(result: Result) -> str:
    left_out = result.estimates.attrs["oracles_left_out"]
    d = float(result.parameters["oracle_d_prime"])
    text = (
        f"{result.n['n_units']:,} units, {result.n['n_words']:,} words. Low overlap alone does not "
        "mean that no unit is selective: see the phantoms,<br>whose selective units all have a "
        f"d′ of {d:g} (over words within a frame)."
    )
    if left_out:
        counts = " and ".join(f"{n:,}" for n in left_out)
        text += f" There is no room for phantoms with {counts} units."
    return text
