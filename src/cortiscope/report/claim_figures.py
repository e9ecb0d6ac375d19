"""The evidence on a claim as figures: small ones, that share the statistic's scale and colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from cortiscope.analyses import Result
from cortiscope.analyses.figures.style import MUTED, SERIES, plain, template, translucent
from cortiscope.claims import CALIBRATION, Calibration, Claim, Effect
from cortiscope.report.numbers import spaced
from cortiscope.report.verdicts import FiledVerdict

_OWN, _CLAIMED = SERIES[0], SERIES[1]
_MARKING = {"color": MUTED, "width": 1.2, "dash": "dot"}
_POWER = 0.8  # what a calibration asks for
_ROW, _AROUND = 30, 110  # pixels of a row of intervals, and of what is around the rows
_HEIGHT = 300
_MOST_BINS = 40
# Words on the axis of rows are cut to lines of this many characters.
_LINE = 24


@dataclass(frozen=True)
class Row:
    """One measurement among others: a point, with its interval where it has one.

    Attributes
    ----------
    label : str
        On the axis.
    values : tuple of float
        One, or several that share the row.
    addresses : tuple of str
        Where each is kept.
    interval : tuple of (float, float), optional
        Of a single value.
    is_own : bool
        Whether it is the claim's own estimate.
    """

    label: str
    values: tuple[float, ...]
    addresses: tuple[str, ...]
    interval: tuple[float, float] | None = None
    is_own: bool = False


def null_figure(verdict: FiledVerdict, result: Result) -> go.Figure:
    """Draw the null distribution, with the estimate and its interval above it.

    Parameters
    ----------
    verdict : FiledVerdict
        Whose estimate is marked.
    result : Result
        That holds it.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    effect = Effect.of(result, verdict.claim.variable, verdict.claim.where)
    # An instrument that permutes nothing shows how far words make its estimate vary.
    drawn, what = (
        (effect.null, "draws of the null") if effect.null.size else (effect.draws, "resamples")
    )
    counts, edges = _histogram(drawn)
    top = 1.12 * float(counts.max())
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges),
            marker={"color": translucent(MUTED, 0.45), "line": {"width": 0}},
            hovertemplate=f"%{{y}} {what} around %{{x:.3f}}<extra></extra>",
        )
    )
    estimate = rows_of(verdict)[0]
    figure.add_shape(
        type="line",
        x0=estimate.values[0],
        x1=estimate.values[0],
        y0=0,
        y1=top,
        line={"color": _OWN, "width": 1.4},
    )
    figure.add_trace(_points(estimate, top, _OWN))
    _add_claim(figure, verdict.claim)
    figure.update_layout(
        **_layout(verdict),
        xaxis=_axis(_scale(verdict)),
        yaxis={"title": {"text": what}, "range": [0, 1.25 * top]},
        height=_HEIGHT,
        bargap=0,
    )
    return figure


def rows_of(verdict: FiledVerdict) -> list[Row]:
    """Collect what controls measured on the statistic's own scale, the estimate first."""
    rows = [
        Row(
            "estimate",
            (verdict.estimate.value,),
            (str(verdict.address),),
            (verdict.low.value, verdict.high.value),
            is_own=True,
        )
    ]
    for control, evidence in verdict.evidence.items():
        if twins := verdict.numbers_of(evidence, "values"):
            rows.append(
                Row(
                    f"untrained {control}",
                    tuple(twin.value for twin in twins),
                    tuple(str(twin.address) for twin in twins),
                )
            )
        rows += _measured_again(evidence.numbers)
    return rows


def rows_figure(verdict: FiledVerdict, rows: Sequence[Row]) -> go.Figure:
    """Draw measurements of one statistic one below the other."""
    figure = go.Figure()
    for place, row in enumerate(rows):
        figure.add_trace(_points(row, place, _OWN if row.is_own else MUTED))
        if row.is_own:
            figure.add_vline(x=row.values[0], line={**_MARKING, "color": translucent(_OWN, 0.5)})
    _add_claim(figure, verdict.claim)
    figure.update_layout(
        **_layout(verdict),
        xaxis=_axis(_scale(verdict)),
        yaxis=_labels([row.label for row in rows]),
        height=max(_HEIGHT, _AROUND + _ROW * len(rows)),
    )
    return figure


def specification_figure(verdict: FiledVerdict, curve: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Draw the specification curve: the estimate under other choices, sorted.

    References
    ----------
    Simonsohn, Simmons & Nelson (2020), Specification curve analysis. Nature Human Behaviour 4.
    """
    falling = sorted(curve, key=lambda point: -float(point["estimate"]))
    rows = [
        Row(
            point["specification"],
            (point["estimate"],),
            (point["address"],),
            (point["low"], point["high"]),
            is_own=point["address"] == str(verdict.address),
        )
        for point in falling
    ]
    figure = rows_figure(verdict, rows)
    figure.add_trace(
        go.Scatter(
            x=[point["none"] for point in falling],
            y=list(range(len(rows))),
            mode="markers",
            marker={"symbol": "line-ns-open", "color": MUTED, "size": 11},
            hovertemplate="without an effect: %{x:.3f}<extra></extra>",
        )
    )
    return figure


def surface_figure(verdict: FiledVerdict) -> go.Figure:
    """Draw the surface alone beside surface and activations, and their difference below."""
    evidence = verdict.evidence["surface"]
    alone, nested, added, low, high = (
        verdict.numbers_of(evidence, name)[0]
        for name in ("surface", "nested", "difference", "low", "high")
    )
    models = {
        "surface alone": alone,
        "activations alone": verdict.estimate,
        "surface and activations": nested,
    }
    bounds = (low.value, high.value)
    figure = make_subplots(rows=2, row_heights=[0.7, 0.3], vertical_spacing=0.28)
    for place, (label, value) in enumerate(models.items()):
        row = Row(label, (value.value,), (str(value.address),))
        colour = _OWN if value.address == verdict.address else MUTED
        figure.add_trace(_points(row, place, colour), row=1, col=1)
    difference = Row("difference", (added.value,), (str(added.address),), bounds)
    figure.add_trace(_points(difference, 0, _OWN), row=2, col=1)
    figure.add_vline(x=0, line=_MARKING, row=2, col=1)
    figure.update_layout(**_layout(verdict), height=_HEIGHT)
    figure.update_xaxes(_axis(f"{_scale(verdict)}: activations added"), row=2, col=1)
    figure.update_xaxes(_axis(_scale(verdict)), row=1, col=1)
    figure.update_yaxes(_labels(list(models)), row=1, col=1)
    figure.update_yaxes(_labels(["difference"]), row=2, col=1)
    return figure


def power_figure(verdict: FiledVerdict, calibration: Calibration) -> go.Figure:
    """Draw the power curve: how often the claim is found in phantoms, by the effect planted."""
    points = sorted(enumerate(calibration.curve), key=lambda point: point[1][1])
    curve = [point for _, point in points]
    figure = go.Figure(
        go.Scatter(
            x=[mean for _, mean, _ in curve],
            y=[found for _, _, found in curve],
            customdata=[
                str(verdict.place("curve", control=CALIBRATION, index=index)) for index, _ in points
            ],
            text=[f"strength {strength:.3g}" for strength, _, _ in curve],
            mode="lines+markers",
            line={"color": _OWN, "width": 2.2},
            marker={"color": _OWN, "size": 7},
            error_y=_error(_OWN, *_power_errors(calibration, verdict.claim, curve)),
            hovertemplate=(
                "found in %{y:.0%} where the mean estimate is %{x:.3f} (%{text})"
                "<br>%{customdata}<extra></extra>"
            ),
        )
    )
    for level, label in ((calibration.alpha, f"α = {calibration.alpha:g}"), (_POWER, "0.8")):
        figure.add_hline(
            y=level,
            line=_MARKING,
            annotation={"text": label, "font": {"size": 11, "color": MUTED}},
            annotation_position="top right",
        )
    _add_claim(figure, verdict.claim)
    figure.update_layout(
        **_layout(verdict),
        xaxis=_axis(f"mean {_scale(verdict)} in phantoms"),
        yaxis={"title": {"text": "share found"}, "range": [-0.03, 1.18], "tickformat": ".1f"},
        height=_HEIGHT,
    )
    return figure


def _histogram(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    edges = np.histogram_bin_edges(values, bins="fd")
    if len(edges) > _MOST_BINS:
        edges = np.histogram_bin_edges(values, bins=_MOST_BINS)
    counts, edges = np.histogram(values, bins=edges)
    return counts, edges


def _points(row: Row, place: float, colour: str) -> go.Scatter:
    many = len(row.values) > 1
    told, error = "", None
    if row.interval is not None:
        low, high = row.interval
        told = f" [{low:.3f}, {high:.3f}]"
        error = _error(colour, [high - row.values[0]], [row.values[0] - low])
    return go.Scatter(
        x=row.values,
        y=[place] * len(row.values),
        customdata=row.addresses,
        error_x=error,
        mode="markers",
        marker={
            "color": colour,
            "size": 9,
            "symbol": "diamond-open" if many else "circle",
            "line": {"width": 1.5 if many else 0},
        },
        hovertemplate=f"{plain(row.label)}: %{{x:.3f}}{told}<br>%{{customdata}}<extra></extra>",
    )


def _measured_again(numbers: Mapping[str, Any]) -> Iterator[Row]:
    for condition, values in numbers.items():
        if isinstance(values, Mapping) and {"estimate", "low", "high"} <= values.keys():
            yield Row(
                condition,
                (values["estimate"],),
                (values.get("address", ""),),
                (values["low"], values["high"]),
            )


def _add_claim(figure: go.Figure, claim: Claim) -> None:
    """Mark where the statistic lies if the claim is true."""
    low, high = claim.bounds
    bounds = [bound for bound in (low, high) if math.isfinite(bound)]
    for bound in bounds:
        figure.add_vline(x=bound, line={"color": _CLAIMED, "width": 1.4, "dash": "dash"})
    text, anchor = "claimed", "center"
    if math.isinf(high):
        text, anchor = "claimed →", "left"
    elif math.isinf(low):
        text, anchor = "← claimed", "right"
    figure.add_annotation(
        x=sum(bounds) / len(bounds),
        y=1,
        yref="y domain",
        text=text,
        showarrow=False,
        xanchor=anchor,
        yanchor="top",
        xshift={"left": 3, "center": 0, "right": -3}[anchor],
        font={"size": 11, "color": _CLAIMED},
    )


def _power_errors(
    calibration: Calibration, claim: Claim, curve: Sequence[tuple[float, float, float]]
) -> tuple[list[float], list[float]]:
    """Say how far the intervals reach up and down, at the points that have one."""
    power = (calibration.power_low, calibration.power_high)
    false = (calibration.false_positive_low, calibration.false_positive_high)
    at_zero, at_size = (power, false) if claim.is_absence else (false, power)
    intervals = {0.0: at_zero, calibration.strength: at_size}
    known = [(found, intervals.get(strength, (found, found))) for strength, _, found in curve]
    return (
        [high - found for found, (_, high) in known],
        [found - low for found, (low, _) in known],
    )


def _error(colour: str, up: list[float], down: list[float]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": up,
        "arrayminus": down,
        "color": colour,
        "thickness": 1.6,
        "width": 4,
    }


def _layout(verdict: FiledVerdict) -> dict[str, Any]:
    return {
        "template": template(),
        "showlegend": False,
        "margin": {"l": 12, "r": 12, "t": 12, "b": 44},
        "font": {"size": 12},
    }


def _axis(title: str) -> dict[str, Any]:
    return {"title": {"text": title}, "showgrid": True, "nticks": 6}


def _labels(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(labels))),
        "ticktext": [_broken(label) for label in labels],
        "range": [len(labels) - 0.4, -0.9],
        "showgrid": False,
        "ticks": "",
        "ticksuffix": "  ",
    }


def _scale(verdict: FiledVerdict) -> str:
    where = ", ".join(f"{dim} {place}" for dim, place in verdict.claim.where.items())
    return plain(spaced(verdict.claim.variable) + (f", {where}" if where else ""))


def _broken(label: str) -> str:
    """Break a label into lines, so that it leaves room for what it labels."""
    lines = [""]
    for word in spaced(label).split():
        if lines[-1] and len(lines[-1]) + len(word) >= _LINE:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return "<br>".join(plain(line) for line in lines)
