"""What is in a run beside what its protocol asked for."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from cortiscope.analyses import Result
from cortiscope.ledger import Address
from cortiscope.report.contents import Contents
from cortiscope.report.numbers import NOTHING, number, p_value, statistic
from cortiscope.report.table import Cell, Table

_P = Markup("<i>p</i>")


def exploratory_table(contents: Contents) -> Table:
    """Lay out the statistics of results that neither the protocol nor a control asked for."""
    return Table(
        caption="Computed outside the protocol: exploratory, and no evidence for or against a "
        "claim.",
        columns=("result", "analysis", "subject", "statistic", "estimate", "95% interval", _P),
        align="llllrrr",
        rows=tuple(row for result in contents.exploratory for row in _rows(result)),
    )


def _rows(result: Result) -> Iterator[tuple[Cell, ...]]:
    who: tuple[Cell, ...] = (
        Markup("<code>{}</code>").format(result.id),
        f"{result.analysis} {result.parameters.get('site', '')}".strip(),
        result.subject,
    )
    single = [str(name) for name, values in result.estimates.data_vars.items() if not values.dims]
    for name in single:
        yield (*who, name.replace("_", " "), *_cells(result, name))
    if not single:
        yield (*who, *(NOTHING,) * 4)


def _cells(result: Result, name: str) -> Iterator[Cell]:
    yield number(float(result.estimates[name]), statistic, Address(result.id, name))
    if name in result.intervals:
        low, high = (
            number(
                float(result.intervals[name].sel(bound=bound)),
                statistic,
                Address(result.id, f"{name}_{bound}"),
            )
            for bound in ("low", "high")
        )
        yield Markup('<span class="interval">[{}, {}]</span>').format(low, high)
    else:
        yield NOTHING
    if name in result.p_values:
        yield number(float(result.p_values[name]), p_value, Address(result.id, f"{name}_p"))
    else:
        yield NOTHING
