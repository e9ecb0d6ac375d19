"""Results of every analysis that has no section of its own: figure, tables, methods."""

from __future__ import annotations

from dataclasses import dataclass

from cortiscope.analyses import INSTRUMENTS, Instrument
from cortiscope.report.comparison import ANALYSIS
from cortiscope.report.contents import Contents, Examined
from cortiscope.report.estimates import EstimateTable, estimate_tables
from cortiscope.report.figures import Figure, page_figure
from cortiscope.report.numbers import listed


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


@dataclass(frozen=True)
class Measured:
    """What one subject showed, beside its twins.

    Attributes
    ----------
    name : str
        The subject's.
    figure : Figure
        The instrument's own.
    tables : list of list of EstimateTable
        Of the subject, then of each twin.
    """

    name: str
    figure: Figure
    tables: list[list[EstimateTable]]


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
    everything = (*contents.examined, *contents.pairs)
    instruments = {
        step: INSTRUMENTS[result.analysis]
        for examined in everything
        for step, result in examined.subject.results.items()
        if result.analysis != ANALYSIS
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
        [estimate_tables(result, label) for label, result in labelled.items()],
    )
