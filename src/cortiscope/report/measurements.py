"""Results of every analysis that has no section of its own: figure, tables, methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from cortiscope.analyses import INSTRUMENTS, Instrument, Result
from cortiscope.report.comparison import is_tested_decoding
from cortiscope.report.contents import Contents, Examined
from cortiscope.report.estimates import EstimateTable, estimate, estimate_tables
from cortiscope.report.figures import Figure, page_figure
from cortiscope.report.numbers import NOTHING, listed, spaced
from cortiscope.report.table import Cell, Table


@dataclass(frozen=True, eq=False)
class MeasuringStep:
    """A step of the protocol whose analysis has no section of its own.

    Attributes
    ----------
    name : str
        Its name.
    instrument : Instrument
        What measured.
    examined : tuple of Examined
        Whom.
    """

    name: str
    instrument: Instrument
    examined: tuple[Examined, ...]

    @property
    def between(self) -> Table | None:
        """Every subject against every other, where the step compares two."""
        return _between(self) if self.instrument.is_of_pairs else None


@dataclass(frozen=True)
class Measured:
    """What one subject, or one pair, showed, beside its twins.

    Attributes
    ----------
    name : str
        The subject's.
    figure : Figure
        The instrument's own.
    tables : list of EstimateTable
        Its estimates.
    twins : Table or None
        The single numbers of its untrained twins beside its own.
    """

    name: str
    figure: Figure
    tables: list[EstimateTable]
    twins: Table | None


def measuring_steps(contents: Contents) -> list[MeasuringStep]:
    """Find the steps whose analyses have no section of their own.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    list of MeasuringStep
        In the order in which they were done.
    """
    everything = (*contents.examined, *contents.pairs, *contents.together)
    instruments = {
        step: INSTRUMENTS[result.analysis]
        for examined in everything
        for step, result in examined.subject.results.items()
        if not is_tested_decoding(result)
    }
    return [
        MeasuringStep(step, instrument, tuple(e for e in everything if step in e.subject.results))
        for step, instrument in instruments.items()
    ]


def measurements(contents: Contents) -> list[tuple[MeasuringStep, list[Measured]]]:
    """Lay out what these steps found, subject by subject."""
    return [
        (
            step,
            [
                _measured(step, examined, f"measured-{number}-{place}")
                for place, examined in enumerate(step.examined, start=1)
            ],
        )
        for number, step in enumerate(measuring_steps(contents), start=1)
    ]


def measuring_methods(contents: Contents) -> str:
    """Write what these steps measured, with which parameters; empty where there are none."""
    return " ".join(map(_method, measuring_steps(contents)))


def _method(step: MeasuringStep) -> str:
    instrument, parameters = step.instrument, step.examined[0].subject.results[step.name].parameters
    given = listed([f"{name} = {value}" for name, value in parameters.items()])
    return (
        f"In the step “{step.name}” the instrument {instrument.name} [@{citation(instrument)}] "
        f"was applied to every recording ({instrument.summary})"
        + (f", with {given}." if given else ".")
    )


def citation(instrument: Instrument) -> str:
    """Give the key of an instrument's definition among the references."""
    return f"instrument {instrument.name}"


def _measured(step: MeasuringStep, examined: Examined, identifier: str) -> Measured:
    labelled = examined.labelled(step.name)
    name = examined.subject.name
    of_whom = f"{name} and its untrained twins" if examined.twins else name
    return Measured(
        name,
        page_figure(
            step.instrument.figure(labelled),
            identifier,
            f"{step.instrument.summary}: {of_whom}; the tables below hold the values.",
        ),
        estimate_tables(labelled[name], name),
        _beside_twins(labelled) if examined.twins else None,
    )


def _beside_twins(labelled: Mapping[str, Result]) -> Table | None:
    """Lay out the single numbers of the twins; their other values are in the run."""
    twins = dict(list(labelled.items())[1:])
    first = next(iter(twins.values()))
    single = [str(name) for name, values in first.estimates.data_vars.items() if not values.dims]
    if not single:
        return None
    return Table(
        caption="The same single numbers of the untrained twins.",
        columns=("statistic", *twins),
        align="l" + "r" * len(twins),
        rows=tuple(
            (spaced(name), *(estimate(result, name).value for result in twins.values()))
            for name in single
        ),
    )


def _between(step: MeasuringStep) -> Table:
    """Lay out a step's headline, with its interval, for every two subjects."""
    found = {
        pair.subject.record["names"]: pair.subject.results[step.name] for pair in step.examined
    }
    names = list(dict.fromkeys(name for pair in found for name in pair))
    headline = step.instrument.headline

    def cell(row: str, column: str) -> Cell:
        result = found.get((row, column)) or found.get((column, row))
        if result is None:
            return NOTHING
        value, interval, _ = estimate(result, headline).cells
        return Markup("{} {}").format(value, interval)

    return Table(
        caption=f"{spaced(headline)} [95% interval] of every two subjects.",
        columns=("", *names),
        align="l" + "r" * len(names),
        rows=tuple((row, *(cell(row, column) for column in names)) for row in names),
    )
