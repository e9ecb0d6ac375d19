"""The figure of abilities: which parts each needs, and what the sets of sites do to both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

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

_PARTS = {
    "head": ("harm_by_head", "chosen_heads", "layer", "attention head"),
    "part": ("harm_by_part", "chosen_parts", "unit_layer", "group of MLP units"),
}
_LEAST_TOP = 0.05  # nats: the colours of a map that is near 0 all over must not look like much
_ROW, _GAP = 240, 70  # pixels


def harm_to_abilities(results: Mapping[str, Result]) -> go.Figure:
    """Draw the maps of harm by single parts, and the harm by the chosen sets beside random ones.

    Parameters
    ----------
    results : mapping of str to Result
        By label: the subject first, whose maps are drawn, then untrained twins, whose sets are
        small rings beside the subject's.

    Returns
    -------
    plotly.graph_objects.Figure
        A column an ability. Above: harm by each head, and by each group of units, layer by layer;
        a ring, or a cross, marks those that the other half of the prompts chose for this ability,
        or the other. Below: harm by the set of each, with its 95% interval, and by random sets.
    """
    first = next(iter(results.values()))
    names = [str(name) for name in first.estimates["ability"].values]
    kinds = [kind for kind in _PARTS if _PARTS[kind][0] in first.estimates]
    n_rows = len(kinds) + 1
    figure = make_subplots(
        rows=n_rows,
        cols=2,
        vertical_spacing=_GAP / (n_rows * _ROW),
        horizontal_spacing=0.14,
        column_titles=[f"harm to {plain(name)}" for name in names],
    )
    for column, name in enumerate(names, start=1):
        for row, kind in enumerate(kinds, start=1):
            _add_map(figure, first, kind, name, row, column)
        _add_sets(figure, results, name, n_rows, column)
    figure.add_annotation(
        text=_said(first),
        x=0.5,
        xref="paper",
        y=0,
        yref="paper",
        yshift=-44,
        showarrow=False,
    )
    figure.update_layout(
        template=template(),
        height=n_rows * _ROW + 70,
        margin={"t": 34, "b": 72},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.04, "yanchor": "bottom"},
    )
    return figure


def _said(result: Result) -> str:
    name = "double_dissociation"
    low, high = result.intervals[name].values
    return (
        f"double dissociation: {float(result.estimates[name]):.2f} nats [{low:.2f}, {high:.2f}], "
        f"p = {float(result.p_values[name]):.3f}"
    )


def _add_map(
    figure: go.Figure, result: Result, kind: str, name: str, row: int, column: int
) -> None:
    variable, _, layer_dim, title = _PARTS[kind]
    harm = result.estimates[variable].sel(ability=name)
    layers = result.estimates[layer_dim].values.tolist()
    values = harm.transpose(layer_dim, kind).values
    top = max(float(np.nanmax(np.abs(values))), _LEAST_TOP)
    axis = figure.get_subplot(row, column)
    low, high = axis.yaxis.domain
    figure.add_trace(
        go.Heatmap(
            x=list(range(values.shape[1])),
            y=layers,
            z=values,
            zmin=-top,
            zmax=top,
            colorscale=[SERIES[0], SEQUENTIAL[0], SERIES[1]],
            colorbar={
                "x": axis.xaxis.domain[1] + 0.005,
                "xanchor": "left",
                "y": (low + high) / 2,
                "len": high - low,
                "thickness": 8,
                "outlinewidth": 0,
                "nticks": 5,
                "title": {"text": "nats", "font": {"size": 12}},
            },
            hovertemplate=f"layer %{{y}}, {title} %{{x}}: %{{z:.3f}} nats<extra></extra>",
        ),
        row=row,
        col=column,
    )
    _add_chosen(figure, result, kind, name, row, column)
    figure.update_xaxes(title_text=title, showline=False, ticks="", row=row, col=column)
    figure.update_yaxes(
        title_text="layer" if column == 1 else None,
        tickvals=thinned(layers),
        showgrid=False,
        ticks="",
        row=row,
        col=column,
    )


def _add_chosen(
    figure: go.Figure, result: Result, kind: str, name: str, row: int, column: int
) -> None:
    _, chosen, layer_dim, title = _PARTS[kind]
    of = result.estimates[chosen].transpose(layer_dim, kind).values.astype(str)
    layers = result.estimates[layer_dim].values
    marks = (
        (of == name, "circle-open", "chosen for this ability"),
        ((of != name) & (of != ""), "x-thin-open", "chosen for the other"),
    )
    for where, symbol, what in marks:
        layer, part = np.nonzero(where)
        figure.add_trace(
            go.Scatter(
                x=part,
                y=layers[layer],
                mode="markers",
                marker={
                    "symbol": symbol,
                    "size": 9,
                    "color": MUTED,
                    "line": {"width": 1.6, "color": MUTED},
                },
                name=what,
                legendgroup=what,
                showlegend=row == column == 1,
                hovertemplate=f"layer %{{y}}, {title} %{{x}}: {what}<extra></extra>",
            ),
            row=row,
            col=column,
        )


def _add_sets(
    figure: go.Figure, results: Mapping[str, Result], name: str, row: int, column: int
) -> None:
    first = next(iter(results.values()))
    sets = [str(chosen_for) for chosen_for in first.estimates["chosen_for"].values]
    places = [f"sites of {plain(chosen_for)}" for chosen_for in sets]
    null = first.null["harm_by_set"].sel(ability=name)
    for place, chosen_for in zip(places, sets, strict=True):
        figure.add_trace(
            go.Box(
                x=[place] * null.sizes["permutation"],
                y=null.sel(chosen_for=chosen_for).values,
                boxpoints="all",
                jitter=0.7,
                pointpos=0,
                fillcolor="rgba(0,0,0,0)",
                line={"color": "rgba(0,0,0,0)"},
                marker={"size": 3, "color": translucent(MUTED, 0.45)},
                name=f"random sites, {null.sizes['permutation']} draws",
                legendgroup="random",
                showlegend=column == 1 and chosen_for == sets[0],
                hovertemplate="random sites: %{y:.3f} nats<extra></extra>",
            ),
            row=row,
            col=column,
        )
    for number, (label, result) in enumerate(results.items()):
        harm = result.estimates["harm_by_set"].sel(ability=name, chosen_for=sets).values
        bounds = result.intervals["harm_by_set"].sel(ability=name, chosen_for=sets)
        low, high = (bounds.sel(bound=bound).values for bound in ("low", "high"))
        is_subject = number == 0
        figure.add_trace(
            go.Scatter(
                x=places,
                y=harm,
                error_y={
                    "type": "data",
                    "array": high - harm,
                    "arrayminus": harm - low,
                    "width": 5,
                    "visible": is_subject,
                },
                mode="markers",
                marker={
                    "size": 11 if is_subject else 7,
                    "color": SERIES[0] if is_subject else MUTED,
                    "symbol": "diamond" if is_subject else "circle-open",
                },
                name=plain(label) if is_subject else "untrained twins",
                legendgroup="subject" if is_subject else "twins",
                showlegend=column == 1 and number < 2,
                hovertemplate=f"{plain(label)}, %{{x}}: %{{y:.3f}} nats<extra></extra>",
            ),
            row=row,
            col=column,
        )
    figure.add_hline(y=0, line={"color": MUTED, "width": 1}, row=row, col=column)
    figure.update_yaxes(title_text="nats" if column == 1 else None, row=row, col=column)
