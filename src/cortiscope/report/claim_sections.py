"""The sections on claims: what was claimed, what became of it, and the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import plotly.graph_objects as go
from markupsafe import Markup

from cortiscope.claims import CALIBRATION, Claim, Evidence
from cortiscope.report import claim_figures
from cortiscope.report.contents import Contents
from cortiscope.report.figures import Figure, page_figure
from cortiscope.report.frozen import Frozen
from cortiscope.report.numbers import shortened, spaced, traced
from cortiscope.report.table import Cell, Table
from cortiscope.report.verdicts import FiledVerdict

SHAPES = {
    "supported": "full",
    "not supported": "empty",
    "inconclusive": "half",
    "invalid": "crossed",
}
"""The shape that stands before each verdict; all are of one size."""


@dataclass(frozen=True)
class Panel:
    """A figure with what there is to see in it."""

    figure: Figure
    caption: str


@dataclass(frozen=True, eq=False)
class Hearing:
    """One verdict with its evidence.

    Attributes
    ----------
    id : str
        Anchor in the page.
    verdict : FiledVerdict
        The verdict.
    outcome : Markup
        The word, with its shape.
    sentence : Markup
        Why, its numbers with their addresses.
    panels : tuple of Panel
        The evidence as figures.
    controls : Table
        A row each control.
    """

    id: str
    verdict: FiledVerdict
    outcome: Markup
    sentence: Markup
    panels: tuple[Panel, ...]
    controls: Table


@dataclass(frozen=True, eq=False)
class ClaimSection:
    """One claim with a hearing for each subject that it speaks of.

    Attributes
    ----------
    id : str
        Anchor in the page.
    claim : Claim
        The claim.
    facts : tuple of (str, Cell)
        What was claimed.
    hearings : tuple of Hearing
        In the order of ``verdicts.json``.
    """

    id: str
    claim: Claim
    facts: tuple[tuple[str, Cell], ...]
    hearings: tuple[Hearing, ...]


def claim_sections(contents: Contents) -> list[ClaimSection]:
    """Lay out every claim that was judged, in the order of the protocol.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    list of ClaimSection
        Empty when nothing was claimed.
    """
    grouped: dict[str, list[FiledVerdict]] = {}
    for verdict in contents.verdicts or ():
        grouped.setdefault(verdict.claim.model_dump_json(), []).append(verdict)
    return [
        ClaimSection(
            f"claim-{number}",
            verdicts[0].claim,
            tuple(_facts(verdicts[0].claim, contents.frozen, contents.tested_against(verdicts[0]))),
            tuple(_hearing(contents, verdict) for verdict in verdicts),
        )
        for number, verdicts in enumerate(grouped.values(), start=1)
    ]


def said(claim: Claim) -> str:
    """Say where the statistic lies if the claim is true.

    Examples
    --------
    >>> said(Claim(name="c", statistic="decode:peak_accuracy", kind="greater", size=0.2))
    'greater than 0.2'
    """
    low, high = claim.bounds
    return {
        "greater": f"greater than {low:g}",
        "less": f"less than {high:g}",
        "at_most": f"at most {high:g}",
        "equivalent": f"between {low:g} and {high:g}",
    }[claim.kind]


def shaped(word: str, shape: str) -> Markup:
    """Put a shape before a word: full, empty, half or crossed."""
    return Markup(
        '<span class="outcome {0}"><svg class="shape" aria-hidden="true">'
        '<use href="#shape-{0}"></use></svg>{1}</span>'
    ).format(shape, word)


def _facts(claim: Claim, frozen: Frozen, against: str) -> Iterator[tuple[str, Cell]]:
    yield "claimed", Markup("<code>{}</code> is {}").format(claim.statistic, said(claim))
    yield (
        "tested",
        (
            "by two one-sided tests: the 95% interval must lie inside"
            if claim.is_absence
            else f"against {against}, and the 95% interval must not lie wholly short of it"
        ),
    )
    yield (
        "speaks of",
        {"each": "each subject", "all": "all subjects together"}.get(
            claim.subjects, claim.subjects
        ),
    )
    if frozen.entry is not None:
        when = "before the first recording" if frozen.is_before_scan else "not before recording"
        yield (
            "frozen",
            Markup('{} UTC, {}; protocol <code title="sha256 {}">{}</code>').format(
                frozen.entry.time[:16].replace("T", ", "),
                when,
                frozen.entry.sha256,
                shortened(frozen.entry.sha256),
            ),
        )


def _hearing(contents: Contents, verdict: FiledVerdict) -> Hearing:
    return Hearing(
        id=f"verdict-{verdict.index}",
        verdict=verdict,
        outcome=shaped(verdict.outcome, SHAPES[verdict.outcome]),
        sentence=traced(verdict.sentence, verdict.spoken_numbers(), _claimed(verdict.claim)),
        panels=tuple(
            Panel(
                page_figure(figure, f"{name}-{verdict.index}", f"{caption} {_whose(verdict)}"),
                caption,
            )
            for name, figure, caption in _figures(contents, verdict)
        ),
        controls=_control_table(verdict),
    )


def _figures(contents: Contents, verdict: FiledVerdict) -> Iterator[tuple[str, go.Figure, str]]:
    result = contents.results[verdict.address.artifact]
    drawn = (
        f"Null distribution: the statistic under {contents.tested_against(verdict)}."
        if verdict.claim.variable in result.null
        else "The statistic in resamples of the words."
    )
    yield (
        "null",
        claim_figures.null_figure(verdict, result),
        f"{drawn} Above it, the estimate with its 95% interval.",
    )
    rows = claim_figures.rows_of(verdict)
    if len(rows) > 1:
        yield (
            "again",
            claim_figures.rows_figure(verdict, rows),
            "The estimate beside untrained twins (a diamond each) and beside the same measurement "
            "under harder conditions, with 95% intervals.",
        )
    for evidence in verdict.evidence.values():
        if curve := evidence.numbers.get("curve"):
            yield (
                "specifications",
                claim_figures.specification_figure(verdict, curve),
                "Specification curve: the estimate under other choices of the analyst, with 95% "
                "intervals; a tick where it would lie without an effect.",
            )
    if "surface" in verdict.evidence and verdict.evidence["surface"].numbers:
        yield (
            "surface",
            claim_figures.surface_figure(verdict),
            "What the words’ surface alone gives, and with activations; below, what activations "
            "add, with its 95% interval over words.",
        )
    if verdict.calibration is not None:
        yield (
            "power",
            claim_figures.power_figure(verdict, verdict.calibration),
            "Power curve: how often the same instrument finds the claim in phantoms of this "
            "study’s size, by the effect planted in them.",
        )


def _control_table(verdict: FiledVerdict) -> Table:
    claim = verdict.claim
    rows = [
        *(
            _control_row(verdict, control, verdict.evidence.get(control))
            for control in claim.controls
            if control != CALIBRATION
        ),
        *([_calibration_row(verdict)] if CALIBRATION in claim.controls else []),
        *((spaced(control), "waived", reason) for control, reason in claim.waived.items()),
    ]
    return Table(
        caption=f"Controls of the claim, {verdict.subject}.",
        columns=("control", "outcome", "what was found"),
        align="lll",
        rows=tuple(rows),
    )


def _control_row(
    verdict: FiledVerdict, control: str, evidence: Evidence | None
) -> tuple[Cell, ...]:
    if evidence is None:
        return (spaced(control), "not run", "the claim did not get past its own test")
    word, shape = {
        True: ("survived", "full"),
        False: ("fell", "empty"),
        None: ("could not run", "crossed"),
    }[evidence.survived]
    found = traced(evidence.statement.removeprefix(f"{word}: "), verdict.numbers_of(evidence))
    return (spaced(control), shaped(word, shape), found)


def _calibration_row(verdict: FiledVerdict) -> tuple[Cell, ...]:
    calibration = verdict.calibration
    if calibration is None:
        return (CALIBRATION, shaped("could not run", "crossed"), "")
    if not calibration.is_valid:
        outcome = shaped("failed", "crossed")
    elif not calibration.has_power:
        outcome = shaped("too little power", "half")
    else:
        outcome = shaped("passed", "full")
    return (CALIBRATION, outcome, traced(calibration.statement, verdict.calibration_numbers()))


def _claimed(claim: Claim) -> set[str]:
    """Numbers of the claim itself, as sentences write them: they are not measured."""
    return {f"{bound:g}" for bound in claim.bounds}


def _whose(verdict: FiledVerdict) -> str:
    return f"Claim: {verdict.claim.name}, {verdict.subject}."
