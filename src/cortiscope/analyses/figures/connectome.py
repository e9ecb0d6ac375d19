"""Figures of the connectome: modularity beside what chance makes of it, and the modules."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses.figures.layer_lines import LayerLine, add_band, add_layer_line, layer_lines
from cortiscope.analyses.figures.style import INK, MUTED, SEQUENTIAL, SERIES, template, translucent
from cortiscope.analyses.result import Result

_NULLS = {
    "rotated": ("units rotated at random", SERIES[2]),
    "shuffled": ("stimuli permuted in each unit", SERIES[3]),
    "rewired": ("edges rewired, degrees kept", MUTED),
}
_FEWEST_DENSITIES = 2  # that make a line


def modularity_over_density(results: Mapping[str, Result]) -> go.Figure:
    """Draw modularity over density beside its nulls, its excess by layer, and the modules.

    Parameters
    ----------
    results : mapping of str to Result
        Results of the connectome by label, the subject first, whose nulls and modules are shown.

    Returns
    -------
    plotly.graph_objects.Figure
        Modularity over density, averaged over layers, with 95% of each null; modularity above
        rotation by layer, averaged over densities, with 95% intervals and, shaded, 95% of the
        rotations; and the edges inside and between modules, as a matrix of units in the order of
        their modules, of the layer in the middle.
    """
    first = next(iter(results.values()))
    with_modules = "block_density" in first.estimates
    widths = [0.34, 0.36, 0.3] if with_modules else [0.48, 0.52]
    figure = make_subplots(rows=1, cols=len(widths), column_widths=widths, horizontal_spacing=0.11)
    add_nulls_over_density(figure, first, "modularity", {"row": 1, "col": 1})
    for line in layer_lines(list(results)):
        of = results[line.label]
        add_line_over_density(figure, line, of, "modularity", {"row": 1, "col": 1}, in_legend=True)
        _add_excess(figure, line, of)
    if with_modules:
        _add_blocks(figure, first)
    figure.update_layout(
        template=template(),
        legend={"orientation": "h", "x": 0, "y": 1.04, "yanchor": "bottom"},
        height=430,
    )
    return figure


def add_line_over_density(
    figure: go.Figure,
    line: LayerLine,
    result: Result,
    name: str,
    place: Mapping[str, int],
    *,
    in_legend: bool,
) -> None:
    """Draw a statistic over density, averaged over layers; with an interval where there is one."""
    values = over_layers_of(result.estimates[name])
    draws = values[None]
    if name in result.resamples:
        draws = over_layers_of(result.resamples[name])
    density = result.estimates["density"].values
    add_layer_line(figure, line, density, values, draws, place, in_legend=in_legend, digits=3)
    drawn = figure.data[-1]
    drawn.hovertemplate = drawn.hovertemplate.replace("layer %{x}", "density %{x:.0%}")
    figure.update_xaxes(
        title={"text": "density of edges"}, tickvals=density, tickformat=".0%", **place
    )


def add_nulls_over_density(
    figure: go.Figure,
    result: Result,
    name: str,
    place: Mapping[str, int],
    *,
    in_legend: bool = True,
) -> None:
    """Draw the mean of each null of a statistic, and shade what 95% of its draws lie in.

    Means over layers; what is shaded is the mean of what 95% of the draws lie in at each layer.
    """
    if f"reference_{name}" not in result.estimates:
        return
    density = result.estimates["density"].values
    for null, (label, colour) in _NULLS.items():
        mean, low, high = (
            over_layers_of(result.estimates[f"reference_{name}{suffix}"].sel(null=null))
            for suffix in ("", "_low", "_high")
        )
        add_band(figure, density, low, high, translucent(colour, 0.2), place, group=null)
        figure.add_trace(
            go.Scatter(
                x=density,
                y=mean,
                mode="lines",
                line={"color": colour, "width": 1.4, "dash": "dot"},
                name=label,
                legendgroup=null,
                showlegend=in_legend,
                hovertemplate=f"{label}: %{{y:.3f}}<extra></extra>",
            ),
            **place,
        )


def over_layers_of(values: xr.DataArray) -> NDArray[np.float64]:
    """Average over layers where there are some; density last."""
    if "layer" in values.dims:
        values = values.mean("layer")
    return np.asarray(values.transpose(..., "density").values, dtype=np.float64)


def add_excess_by_layer(
    figure: go.Figure, line: LayerLine, result: Result, name: str, place: Mapping[str, int]
) -> None:
    """Draw what a statistic has above rotation, layer by layer, averaged over densities.

    Of all layers together there is one value.
    """
    together = "layer" not in result.estimates[name].dims
    layers = np.array([0]) if together else result.estimates["layer"].values
    estimate, draws, null = (
        np.asarray(of[name].mean("density").values).reshape(-1, len(layers))
        for of in (result.estimates, result.resamples, result.null)
    )
    if line.is_first and len(layers) >= _FEWEST_DENSITIES:
        low, high = np.quantile(null, [0.025, 0.975], axis=0)
        add_band(figure, layers, low, high, translucent(_NULLS["rotated"][1], 0.2), place)
    add_layer_line(figure, line, layers, estimate[0], draws, place, in_legend=False, digits=3)
    if together:
        figure.update_xaxes(tickvals=[0], ticktext=["all layers together"], **place)
    else:
        figure.update_xaxes(title={"text": "layer"}, **place)
    if line.is_first:
        figure.add_hline(y=0, line={"color": INK, "width": 1, "dash": "dot"}, **place)


def _add_excess(figure: go.Figure, line: LayerLine, result: Result) -> None:
    place = {"row": 1, "col": 2}
    add_excess_by_layer(figure, line, result, "excess", place)
    figure.update_yaxes(title={"text": "modularity above rotation"}, **place)
    n_nodes = result.n["n_nodes"]
    if line.is_first:
        title = f"modularity Q ({n_nodes:,} nodes)"
        figure.update_yaxes(title={"text": title}, rangemode="tozero", row=1, col=1)


def _add_blocks(figure: go.Figure, result: Result) -> None:
    """Draw the matrix of edges by module, each as wide as it has units."""
    sizes, density = result.estimates["module_size"], result.estimates["block_density"]
    of = "all layers"
    if "layer" in sizes.dims:
        layer = sizes["layer"].values[len(sizes["layer"]) // 2]
        sizes, density = sizes.sel(layer=layer), density.sel(layer=layer)
        of = f"layer {layer}"
    n_blocks = int(np.isfinite(sizes.values).sum())
    borders = np.concatenate([[0], np.cumsum(sizes.values[:n_blocks])])
    share = 100 * density.values[:n_blocks, :n_blocks]
    figure.add_trace(
        go.Heatmap(
            x=borders,
            y=borders,
            z=share,
            zmin=0,
            zmax=max(float(np.nanmax(share)), 1.0) if n_blocks else 1.0,
            colorscale=list(SEQUENTIAL),
            colorbar={
                "title": {"text": "pairs that are edges (%)", "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
                "nticks": 5,
            },
            hovertemplate="%{z:.0f}% of the pairs are edges<extra></extra>",
        ),
        row=1,
        col=3,
    )
    place = {"row": 1, "col": 3}
    title = f"units of {of}, by module"
    figure.update_xaxes(title={"text": title}, showgrid=False, showline=False, ticks="", **place)
    figure.update_yaxes(
        showgrid=False, ticks="", showticklabels=False, autorange="reversed", **place
    )
