"""Estimates of any result, with interval and p-value where there are some, and as tables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr
from markupsafe import Markup

from cortiscope.analyses import Result
from cortiscope.ledger import Address
from cortiscope.report.numbers import (
    NOTHING,
    Number,
    Style,
    bracketed,
    count,
    counted,
    listed,
    number,
    p_value,
    spaced,
    statistic,
)
from cortiscope.report.table import Cell, Table

HEADINGS = ("estimate", "95% interval", Markup("<i>p</i>"))
"""Of what `Estimate.cells` gives."""

# Longer tables are folded, and of those that are longer still the first rows are shown.
_MOST_OPEN, _MOST_SHOWN = 16, 100

# By the kind of array; what is in none of these is text.
_STYLES: dict[str, Style] = {"f": statistic, "i": count, "u": count, "b": count}


@dataclass(frozen=True)
class Estimate:
    """A statistic at one place of a result.

    Attributes
    ----------
    value : Number or str
        The statistic; text where it is one, such as the name of a category.
    interval : tuple of (Number, Number), optional
        Its bounds.
    p : Number, optional
        Its p-value.
    """

    value: Number | str
    interval: tuple[Number, Number] | None
    p: Number | None

    @property
    def cells(self) -> tuple[Cell, Cell, Cell]:
        """All three for a table, a dash for what is not there."""
        return (
            self.value,
            NOTHING if self.interval is None else bracketed(*self.interval),
            NOTHING if self.p is None else self.p,
        )


def estimate(result: Result, name: str, at: Mapping[str, Any] | None = None) -> Estimate:
    """Take a statistic at one place.

    Parameters
    ----------
    result : Result
        Of any analysis.
    name : str
        One of its estimates.
    at : mapping, optional
        A coordinate for each of its dims.

    Returns
    -------
    Estimate
        Each number with its address.
    """

    def taken(values: xr.DataArray, variable: str, style: Style) -> Number:
        own = {dim: place for dim, place in (at or {}).items() if dim in values.dims}
        address = Address(result.id, variable, tuple((dim, str(own[dim])) for dim in own))
        return number(values.sel(own).item(), style, address)

    values = result.estimates[name]
    style = _STYLES.get(values.dtype.kind)
    value: Number | str = (
        spaced(str(values.sel(at or {}).item())) if style is None else taken(values, name, style)
    )
    interval = p = None
    if (bounds := result.intervals.get(name)) is not None:
        interval = (
            taken(bounds.sel(bound="low"), f"{name}_low", statistic),
            taken(bounds.sel(bound="high"), f"{name}_high", statistic),
        )
    if (tested := result.p_values.get(name)) is not None:
        p = taken(tested, f"{name}_p", p_value)
    return Estimate(value, interval, p)


@dataclass(frozen=True)
class EstimateTable:
    """Estimates that share their dims.

    Attributes
    ----------
    table : Table
        All of them, or the first.
    title : str
        What it holds, where it is folded.
    is_long : bool
        Whether it is folded.
    cut : Markup or str
        Says what is not shown; empty where all is.
    """

    table: Table
    title: str
    is_long: bool = False
    cut: Markup | str = ""


def estimate_tables(result: Result, whose: str) -> list[EstimateTable]:
    """Lay out all estimates of a result, those that are single numbers first.

    Parameters
    ----------
    result : Result
        Of any analysis.
    whose : str
        Name of the subject or twin.

    Returns
    -------
    list of EstimateTable
        One for each set of dims, so that every number stands there once.
    """
    sharing: dict[tuple[str, ...], list[str]] = {}
    for name, values in result.estimates.data_vars.items():
        sharing.setdefault(tuple(map(str, values.dims)), []).append(str(name))
    return [
        _by_place(result, whose, dims, sharing[dims]) if dims else _single(result, whose, names)
        for dims, names in sorted(sharing.items(), key=lambda shared: len(shared[0]))
    ]


def _single(result: Result, whose: str, names: list[str]) -> EstimateTable:
    table = Table(
        caption=_caption(f"Estimates of {whose}.", result),
        columns=("statistic", *HEADINGS),
        align="lrrr",
        rows=tuple((spaced(name), *estimate(result, name).cells) for name in names),
    )
    return EstimateTable(table, f"Estimates of {whose}")


def _by_place(result: Result, whose: str, dims: tuple[str, ...], names: list[str]) -> EstimateTable:
    places = {dim: result.estimates[names[0]][dim].values for dim in dims}
    shown = itertools.islice(itertools.product(*places.values()), _MOST_SHOWN)
    held = {name: (True, name in result.intervals, name in result.p_values) for name in names}
    rows = []
    for place in shown:
        row: list[Cell] = [spaced(str(coordinate)) for coordinate in place]
        for name in names:
            cells = estimate(result, name, dict(zip(dims, place, strict=True))).cells
            row += itertools.compress(cells, held[name])
        rows.append(tuple(row))
    headings = [heading for name in names for heading in itertools.compress(HEADINGS, held[name])]
    title = f"Estimates of {whose} by {listed([spaced(dim) for dim in dims])}"
    table = Table(
        caption=_caption(f"{title}.", result),
        columns=(*map(spaced, dims), *headings),
        align="l" * len(dims) + "r" * len(headings),
        rows=tuple(rows),
        groups=(("", len(dims)), *((spaced(name), sum(held[name])) for name in names)),
    )
    n_rows = int(result.estimates[names[0]].size)
    cut = Markup(
        "Cut for display: these are the first {} of {}; <code>results/{}.json</code> holds all."
    ).format(count(len(rows)), counted(n_rows, "row"), result.id)
    return EstimateTable(
        table,
        f"{title}, {counted(n_rows, 'row')}",
        is_long=n_rows > _MOST_OPEN,
        cut=cut if len(rows) < n_rows else "",
    )


def _caption(text: str, result: Result) -> Markup:
    return Markup("{} Result <code>{}</code>.").format(text, result.id)
