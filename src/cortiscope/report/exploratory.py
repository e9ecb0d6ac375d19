"""What is in a run beside what its protocol asked for."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from cortiscope.analyses import Result
from cortiscope.report.contents import Contents
from cortiscope.report.estimates import HEADINGS, estimate
from cortiscope.report.numbers import NOTHING, spaced
from cortiscope.report.table import Cell, Table


def exploratory_table(contents: Contents) -> Table:
    """Lay out the statistics of results that neither the protocol nor a control asked for."""
    return Table(
        caption="Computed outside the protocol: exploratory, and no evidence for or against a "
        "claim.",
        columns=("result", "analysis", "subject", "statistic", *HEADINGS),
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
        yield (*who, spaced(name), *estimate(result, name).cells)
    if not single:
        yield (*who, *(NOTHING,) * 4)
