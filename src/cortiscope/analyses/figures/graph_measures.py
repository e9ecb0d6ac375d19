"""Figures of graph measures: small world, clustering above rotation, rich club and hubs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.connectome import (
    add_excess_by_layer,
    add_line_over_density,
    add_nulls_over_density,
)
from cortiscope.analyses.figures.layer_lines import layer_lines
from cortiscope.analyses.figures.style import INK, MUTED, SERIES, plain, template
from cortiscope.analyses.result import Result
from cortiscope.statistics.graphs import ROLES
from cortiscope.statistics.graphs.participation import HUB_Z

_ALPHA = 0.05

_Place = Mapping[str, int]


def small_world_over_density(results: Mapping[str, Result]) -> go.Figure:
    """Draw σ over density beside its nulls, clustering above rotation, rich club and hubs.

    Parameters
    ----------
    results : mapping of str to Result
        Results of graph measures by label, the subject first, whose nulls and hubs are shown.

    Returns
    -------
    plotly.graph_objects.Figure
        As many panels as were measured: σ over density, averaged over layers, with 95% of each
        null; clustering above rotation by layer, averaged over densities, with 95% intervals and,
        shaded, 95% of the rotations; the rich club over degree, filled where its corrected p is
        below .05, and units by participation and within-module z, both of the layer in the middle.
    """
    first = next(iter(results.values()))
    panels: list[Callable[[go.Figure, Mapping[str, Result], _Place], None]] = [_clustering]
    if "sigma" in first.estimates:
        panels.insert(0, _sigma)
    if "rich_club" in first.estimates:
        panels.append(_rich_club)
    if "role" in first.estimates:
        panels.append(_hubs)
    n_columns = min(len(panels), 2)
    n_rows = -(-len(panels) // 2)
    figure = make_subplots(
        rows=n_rows, cols=n_columns, horizontal_spacing=0.13, vertical_spacing=0.17
    )
    for index, panel in enumerate(panels):
        panel(figure, results, {"row": index // 2 + 1, "col": index % 2 + 1})
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=120 + 310 * n_rows,
    )
    return figure


def _sigma(figure: go.Figure, results: Mapping[str, Result], place: _Place) -> None:
    first = next(iter(results.values()))
    add_nulls_over_density(figure, first, "sigma", place)
    for line in layer_lines(list(results)):
        of = results[line.label]
        if "sigma" in of.estimates:
            add_line_over_density(figure, line, of, "sigma", place, in_legend=True)
    title = f"small world σ ({first.n['n_nodes']:,} nodes)"
    figure.update_yaxes(title={"text": title}, rangemode="tozero", **place)
    figure.add_hline(y=1, line={"color": INK, "width": 1, "dash": "dot"}, **place)


def _clustering(figure: go.Figure, results: Mapping[str, Result], place: _Place) -> None:
    for line in layer_lines(list(results)):
        add_excess_by_layer(figure, line, results[line.label], "clustering_above_rotation", place)
    figure.update_yaxes(title={"text": "clustering above rotation"}, **place)


def _rich_club(figure: go.Figure, results: Mapping[str, Result], place: _Place) -> None:
    first = next(iter(results.values()))
    for line in layer_lines(list(results)):
        of = results[line.label]
        if "rich_club" not in of.estimates:
            continue
        club, p = (_middle(of, name)["rich_club"] for name in ("estimates", "p_values"))
        is_found = (p.values < _ALPHA) & (club.values > 1)
        figure.add_trace(
            go.Scatter(
                x=club["degree"].values,
                y=club.values,
                customdata=p.values,
                mode="lines" if line.is_twin else "lines+markers",
                line={
                    "color": line.colour,
                    "width": 1.2 if line.is_twin else 1.6,
                    "dash": "dash" if line.is_twin else "solid",
                },
                marker={
                    "size": 6,
                    "color": [line.colour if found else "white" for found in is_found],
                    "line": {"color": line.colour, "width": 1.2},
                },
                name=line.name,
                legendgroup=line.name,
                showlegend=False,
                hovertemplate=(
                    "more than %{x} edges: %{y:.2f}<br>corrected p = %{customdata:.3f}"
                    f"<extra>{plain(line.label)}</extra>"
                ),
            ),
            **place,
        )
    figure.update_yaxes(
        title={"text": f"rich club, over rewired<br>graphs ({_middle_name(first)})"}, **place
    )
    density = first.parameters["hub_density"]
    title = f"degree above which units count (density {density:.0%})"
    figure.update_xaxes(title={"text": title}, **place)
    figure.add_hline(y=1, line={"color": INK, "width": 1, "dash": "dot"}, **place)


def _hubs(figure: go.Figure, results: Mapping[str, Result], place: _Place) -> None:
    first = next(iter(results.values()))
    units = _middle(first, "estimates")
    module, role = (np.ravel(units[name].values) for name in ("module", "role"))
    share, z = (np.ravel(units[name].values) for name in ("participation", "within_module_z"))
    unit = np.tile(units["unit"].values, len(role) // len(units["unit"]))
    for name in [role_name for role_name in ROLES if role_name in role]:
        own = role == name
        is_hub = name.endswith("hub")
        figure.add_trace(
            go.Scatter(
                x=share[own],
                y=z[own],
                customdata=np.stack([unit[own], module[own]], axis=1),
                mode="markers",
                marker={
                    "size": 8 if is_hub else 5,
                    "color": SERIES[4] if is_hub else SERIES[0],
                    "opacity": 0.85 if is_hub else 0.45,
                },
                showlegend=False,
                hovertemplate=(
                    f"unit %{{customdata[0]}}, module %{{customdata[1]}}<br>{name}<extra></extra>"
                ),
            ),
            **place,
        )
    figure.add_hline(y=HUB_Z, line={"color": MUTED, "width": 1, "dash": "dot"}, **place)
    n_hubs = int(sum(name.endswith("hub") for name in role))
    figure.add_annotation(
        text=f"hubs: {n_hubs}",
        x=1,
        y=HUB_Z,
        xref="x domain",
        xanchor="right",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12, "color": MUTED},
        **place,
    )
    figure.update_xaxes(title={"text": "participation coefficient"}, rangemode="tozero", **place)
    figure.update_yaxes(title={"text": f"within-module z<br>({_middle_name(first)})"}, **place)


def _middle(result: Result, kind: str) -> xr.Dataset:
    values: xr.Dataset = getattr(result, kind)
    if result.parameters["together"]:
        return values
    layers = result.estimates["layer"].values
    return values.sel(layer=layers[len(layers) // 2])


def _middle_name(result: Result) -> str:
    if result.parameters["together"]:
        return "all layers"
    layers = result.estimates["layer"].values
    return f"layer {layers[len(layers) // 2]}"
