"""Figures of representational similarity: a map of layers, or a curve against one RDM."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from cortiscope.analyses.figures.layer_lines import add_band
from cortiscope.analyses.figures.similarity import similarity_maps
from cortiscope.analyses.figures.style import (
    MUTED,
    SERIES,
    plain,
    template,
    thinned,
    translucent,
)
from cortiscope.analyses.result import Result

_CORRELATION = "Spearman's correlation of dissimilarities"


def rank_correlation_maps(results: Mapping[str, Result]) -> go.Figure:
    """Draw rank correlations of RDMs: layer by layer, or against layer where the other has one.

    Parameters
    ----------
    results : mapping of str to Result
        RSA results by label, the subject first.

    Returns
    -------
    plotly.graph_objects.Figure
        A map where the first result has several layers on both sides. Else a curve for each
        result with its interval; the null, the noise ceiling and what stands below it are the
        first one's.
    """
    first = next(iter(results.values()))
    if first.estimates.sizes["other_layer"] > 1:
        return similarity_maps(results, variable="spearman", title="Spearman's ρ")
    figure = go.Figure()
    _add_null(figure, first)
    _add_ceiling(figure, first)
    for (label, result), colour in zip(results.items(), _colours(len(results)), strict=True):
        _add_curve(figure, result, label, colour, dash="solid" if result is first else "dash")
    layers = thinned(first.estimates["layer"].values.tolist())
    figure.update_layout(
        template=template(),
        xaxis={"title": {"text": "layer"}, "tickvals": layers},
        yaxis={"title": {"text": _CORRELATION}, "tickformat": ".2f"},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        height=430,
    )
    return figure


def _colours(n: int) -> list[str]:
    return [SERIES[place % len(SERIES)] for place in range(n)]


def _add_null(figure: go.Figure, result: Result) -> None:
    """Shade what 95% of permutations lie in, and draw what they stay below."""
    null = result.null["spearman"].isel(other_layer=0).transpose("permutation", "layer").values
    low, high = np.quantile(null, [0.025, 0.975], axis=0)
    layers = result.estimates["layer"].values
    name = f"permuted conditions (95%; n = {result.n['n_words']:,})"
    add_band(figure, layers, low, high, translucent(MUTED, 0.25), name=name)
    threshold = float(np.quantile(null.max(axis=1), 0.95))
    figure.add_trace(
        go.Scatter(
            x=[layers.min() - 0.3, layers.max() + 0.3],
            y=[threshold, threshold],
            mode="lines",
            line={"color": MUTED, "width": 1.2, "dash": "dash"},
            name="corrected p = .05",
            hovertemplate="corrected p = .05: %{y:.3f}<extra></extra>",
        )
    )


def _add_ceiling(figure: go.Figure, result: Result) -> None:
    """Draw the noise ceiling of single frames, and the correlation in single frames below it."""
    estimates = result.estimates
    if "ceiling_low" not in estimates or not np.isfinite(estimates["ceiling_low"]).all():
        return
    layers, colour = estimates["layer"].values, SERIES[2]
    low, high = estimates["ceiling_low"].values, estimates["ceiling_high"].values
    band = translucent(colour, 0.2)
    add_band(figure, layers, low, high, band, name="noise ceiling of single frames")
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=estimates["in_frames"].isel(other_layer=0).values,
            mode="lines",
            line={"color": colour, "width": 1.2, "dash": "dot"},
            name="in single frames",
            hovertemplate="layer %{x}, single frames: %{y:.3f}<extra></extra>",
        )
    )


def _add_curve(figure: go.Figure, result: Result, label: str, colour: str, *, dash: str) -> None:
    found = {
        "estimate": result.estimates["spearman"],
        "low": result.intervals["spearman"].sel(bound="low"),
        "high": result.intervals["spearman"].sel(bound="high"),
        "p": result.p_values["spearman"],
    }
    values = {key: of_one.isel(other_layer=0).values for key, of_one in found.items()}
    layers = result.estimates["layer"].values
    add_band(figure, layers, values["low"], values["high"], translucent(colour, 0.18))
    figure.add_trace(
        go.Scatter(
            x=layers,
            y=values["estimate"],
            customdata=np.stack([values["low"], values["high"], values["p"]], axis=1),
            mode="lines+markers",
            line={"color": colour, "width": 2.2, "dash": dash},
            marker={"color": colour, "size": 6},
            name=plain(label),
            legendrank=1,
            hovertemplate=(
                "layer %{x}: %{y:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}]"
                f"<br>corrected p = %{{customdata[2]:.4f}}<extra>{plain(label)}</extra>"
            ),
        )
    )
