"""Figures of decoding results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

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
from cortiscope.errors import InputError

_AT_EMBEDDING = -1  # where the embedding stands on an axis of layers
_EMBEDDING = "emb."
_MOST_NUMBERED_LAYERS = 13  # with more, the cells are too narrow for their values


def accuracy_by_layer(
    results: Mapping[str, Result],
    embeddings: Mapping[str, Result] | None = None,
    *,
    twins: Sequence[str] = (),
) -> go.Figure:
    """Draw balanced accuracy against layer with its interval and the null band.

    Parameters
    ----------
    results : mapping of str to Result
        Decoding results by label, the subject first; the null band is the first one's.
    embeddings : mapping of str to Result, optional
        Results at the embedding (``resid_pre`` at layer 0), drawn as points before layer 0.
    twins : sequence of str
        Labels of results that are untrained twins; several share one colour and one entry in
        the legend.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    embeddings = embeddings or {}
    first = next(iter(results.values()))
    _add_null(figure, first)
    lines = _lines(list(results), twins)
    for label, result in results.items():
        line = lines[label]
        if not line.is_one_of_many:
            _add_interval(figure, result, line)
        _add_curve(figure, result, label, line)
        if label in embeddings:
            _add_embedding(figure, embeddings[label], label, line)
    ticks = thinned(first.estimates["layer"].values.tolist())
    before = {_AT_EMBEDDING: _EMBEDDING} if embeddings else {}
    figure.update_layout(
        template=template(),
        xaxis={
            "title": {"text": "layer"},
            "tickvals": [*before, *ticks],
            "ticktext": [*before.values(), *map(str, ticks)],
        },
        yaxis={"title": {"text": "balanced accuracy"}, "range": [0, 1.03], "tickformat": ".1f"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=430,
    )
    return figure


def auc_heat_map(result: Result, embedding: Result | None = None) -> go.Figure:
    """Draw the one-vs-rest AUC of every category at every layer.

    Where there is room each cell shows its value, in parentheses when the corrected p-value is
    .05 or more; in narrow cells a dot stands for the parentheses.

    Parameters
    ----------
    result : Result
        A decoding result.
    embedding : Result, optional
        The result at the embedding, drawn as a column before layer 0.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    columns = (
        [_auc_columns(result)]
        if embedding is None
        else [
            _auc_columns(embedding)[:, :, :1],
            _auc_columns(result),
        ]
    )
    auc, low, high, p = np.concatenate(columns, axis=2)
    layers = [str(layer) for layer in result.estimates["layer"].values]
    figure = go.Figure(
        go.Heatmap(
            x=layers if embedding is None else [_EMBEDDING, *layers],
            y=[plain(name).replace("_", " ") for name in result.estimates["category"].values],
            z=auc,
            customdata=np.stack([low, high, p], axis=2),
            text=_cell_texts(auc, p),
            texttemplate="%{text}",
            textfont={"size": 12},
            xgap=2,
            ygap=2,
            zmin=0.5,
            zmax=1.0,
            colorscale=list(SEQUENTIAL),
            colorbar={
                "title": {"text": "AUC", "font": {"size": 13}},
                "thickness": 10,
                "outlinewidth": 0,
                "tickformat": ".1f",
                "len": 1.0,
            },
            hovertemplate=(
                "%{y}, layer %{x}: AUC %{z:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                "<br>corrected p = %{customdata[2]:.4f}<extra></extra>"
            ),
        )
    )
    figure.update_layout(
        template=template(),
        xaxis={
            "title": {"text": "layer"},
            "type": "category",
            "showline": False,
            "ticks": "",
            "nticks": 2 * _MOST_NUMBERED_LAYERS,
        },
        yaxis={"autorange": "reversed", "showgrid": False, "ticks": "", "ticksuffix": "  "},
        height=110 + 30 * auc.shape[0],
    )
    return figure


def confusion_heat_map(result: Result, layer: int | None = None) -> go.Figure:
    """Draw what the stimuli of each category are taken for.

    Parameters
    ----------
    result : Result
        A decoding result with ``confusion=True``.
    layer : int, optional
        The layer; the mean over layers when left out.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    InputError
        For a result without confusion matrices, or a layer that it lacks.
    """
    if "confusion" not in result.estimates:
        msg = "the result has no confusion matrices: decode with confusion=True."
        raise InputError(msg)
    confusion = result.estimates["confusion"].transpose("layer", "category", "predicted")
    if layer is not None and layer not in confusion["layer"].values:
        msg = f"layer {layer} was not decoded: choose among {confusion['layer'].values.tolist()}."
        raise InputError(msg)
    shares = (confusion.mean("layer") if layer is None else confusion.sel(layer=layer)).values
    names = [plain(name).replace("_", " ") for name in confusion["category"].values]
    where = "mean over layers" if layer is None else f"layer {layer}"
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            z=shares,
            text=np.where(shares >= 0.005, np.char.mod("%.2f", shares), ""),
            texttemplate="%{text}",
            textfont={"size": 11},
            xgap=2,
            ygap=2,
            zmin=0.0,
            zmax=1.0,
            colorscale=list(SEQUENTIAL),
            colorbar={
                "title": {"text": "share", "font": {"size": 13}},
                "thickness": 10,
                "outlinewidth": 0,
                "tickformat": ".1f",
            },
            hovertemplate="%{y} taken for %{x}: %{z:.3f}<extra></extra>",
        )
    )
    n_stimuli, chance = result.n["n_stimuli"], _chance(result)
    figure.update_layout(
        template=template(),
        xaxis={
            "title": {"text": f"predicted ({where}; {n_stimuli:,} stimuli; chance {chance:.2f})"},
            "showline": False,
            "ticks": "",
        },
        yaxis={
            "title": {"text": "category"},
            "autorange": "reversed",
            "showgrid": False,
            "ticks": "",
            "ticksuffix": "  ",
        },
        height=150 + 30 * len(names),
    )
    return figure


@dataclass(frozen=True)
class _Line:
    """How one result is drawn."""

    name: str
    group: str
    colour: str
    dash: str
    is_one_of_many: bool = False
    in_legend: bool = True


def _lines(labels: Sequence[str], twins: Sequence[str]) -> dict[str, _Line]:
    """Give every result its line; several twins are one cloud, whose bands would hide it."""
    others = [label for label in labels if label not in twins]
    lines = {
        label: _Line(plain(label), label, SERIES[index % len(SERIES)], "solid")
        for index, label in enumerate(others)
    }
    colour = SERIES[len(others) % len(SERIES)]
    many = len(twins) > 1
    for label in twins:
        name = "untrained twins" if many else plain(label)
        lines[label] = _Line(name, name, colour, "dash", many, label == twins[0])
    return lines


def _auc_columns(result: Result) -> NDArray[np.float64]:
    """AUC, both bounds and p-value, shape (4, category, layer)."""
    bounds = result.intervals["auc"]
    parts = [
        result.estimates["auc"],
        bounds.sel(bound="low"),
        bounds.sel(bound="high"),
        _p_values(result, "auc"),
    ]
    return np.stack([part.transpose("category", "layer").values for part in parts])


def _p_values(result: Result, name: str) -> xr.DataArray:
    """P-values, NaN where nothing was tested."""
    tested = result.p_values.get(name)
    return xr.full_like(result.estimates[name], np.nan) if tested is None else tested


def _cell_texts(auc: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.str_]:
    if auc.shape[1] > _MOST_NUMBERED_LAYERS + 1:
        return np.where(p < 0.05, "", "·")
    values = np.char.mod("%.2f", auc)
    return np.where(p < 0.05, values, np.char.add(np.char.add("(", values), ")"))


def _add_null(figure: go.Figure, result: Result) -> None:
    """Shade what 95% of permutations lie in, and draw what they stay below, and chance."""
    layers = result.estimates["layer"].values
    lines = {"chance": (_chance(result), "dot")}
    if "accuracy" in result.null:  # a probe whose labels are not permuted has none
        null = result.null["accuracy"].transpose("permutation", "layer").values
        low, high = np.quantile(null, [0.025, 0.975], axis=0)
        add_band(figure, layers, low, high, translucent(MUTED, 0.25), name="permuted words (95%)")
        threshold = float(np.quantile(null.max(axis=1), 0.95))
        lines = {"corrected p = .05": (threshold, "dash"), **lines}
    for name, (level, dash) in lines.items():
        figure.add_trace(
            go.Scatter(
                x=[layers.min() - 0.3, layers.max() + 0.3],
                y=[level, level],
                mode="lines",
                line={"color": MUTED, "width": 1.2, "dash": dash},
                name=name,
                hovertemplate=f"{name}: %{{y:.3f}}<extra></extra>",
            )
        )


def _chance(result: Result) -> float:
    return float(result.estimates.attrs["chance_accuracy"])


def _add_interval(figure: go.Figure, result: Result, line: _Line) -> None:
    low, high = (result.intervals["accuracy"].sel(bound=b).values for b in ("low", "high"))
    layers = result.estimates["layer"].values
    add_band(figure, layers, low, high, translucent(line.colour, 0.18), group=line.group)


def _add_curve(figure: go.Figure, result: Result, label: str, line: _Line) -> None:
    low, high = (result.intervals["accuracy"].sel(bound=b).values for b in ("low", "high"))
    many = line.is_one_of_many
    figure.add_trace(
        go.Scatter(
            x=result.estimates["layer"].values,
            y=result.estimates["accuracy"].values,
            customdata=np.stack([low, high, _p_values(result, "accuracy").values], axis=1),
            mode="lines" if many else "lines+markers",
            line={"color": line.colour, "width": 1.1 if many else 2.2, "dash": line.dash},
            marker={"color": line.colour, "size": 6},
            name=line.name,
            legendgroup=line.group,
            legendrank=1,
            showlegend=line.in_legend,
            hovertemplate=(
                "layer %{x}: %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                f"<br>corrected p = %{{customdata[2]:.4f}}<extra>{plain(label)}</extra>"
            ),
        )
    )


def _add_embedding(figure: go.Figure, result: Result, label: str, line: _Line) -> None:
    accuracy = float(result.estimates["accuracy"].values[0])
    low, high = (float(v) for v in result.intervals["accuracy"].transpose("bound", "layer")[:, 0])
    many = line.is_one_of_many
    figure.add_trace(
        go.Scatter(
            x=[_AT_EMBEDDING],
            y=[accuracy],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [high - accuracy],
                "arrayminus": [accuracy - low],
                "color": line.colour,
                "thickness": 1.5,
                "width": 4,
                "visible": not many,
            },
            mode="markers",
            marker={"color": line.colour, "symbol": "diamond", "size": 6 if many else 9},
            showlegend=False,
            legendgroup=line.group,
            hovertemplate=(
                f"embedding: %{{y:.3f}} [{low:.3f}, {high:.3f}]<extra>{plain(label)}</extra>"
            ),
        )
    )
