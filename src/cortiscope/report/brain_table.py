"""The claims of a study beside what is known of brains: one table, on the page and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from markupsafe import Markup

from cortiscope.analyses import Result
from cortiscope.claims import (
    RULE,
    BrainProperty,
    Likeness,
    LikenessWord,
    Reference,
    beside_brain,
    brain_properties,
)
from cortiscope.ledger import Address
from cortiscope.report.claim_sections import said, shaped
from cortiscope.report.contents import Contents
from cortiscope.report.numbers import Number, listed, number, spaced, statistic
from cortiscope.report.table import Table
from cortiscope.report.verdicts import FiledVerdict

FILE = "brain.csv"
"""Name of the table in a run's folder."""

SHAPES: dict[LikenessWord, str] = {
    "match": "full",
    "partial": "half",
    "differ": "empty",
    "not tested": "crossed",
    "no brain value": "crossed",
}

_NOT_CLAIMED = Likeness("not tested", "nothing was claimed of it")

_CHECKED = {
    "text": "the paper was read for this table",
    "abstract": "its abstract was read for this table",
    "no": "not verified",
}


@dataclass(frozen=True, eq=False)
class BrainRow:
    """A property of brains, and a verdict beside it where there is one.

    Attributes
    ----------
    name : str
        The property's.
    known : BrainProperty
        What is known of it.
    verdict : FiledVerdict or None
        What was claimed of it, of one subject.
    value : Number or None
        The brain's own number of this model, where the verdict's result holds it.
    likeness : Likeness
        How they lie to each other.
    """

    name: str
    known: BrainProperty
    verdict: FiledVerdict | None
    value: Number | None
    likeness: Likeness


@dataclass(frozen=True, eq=False)
class BrainSection:
    """What the page shows.

    Attributes
    ----------
    table : Table
        A row each.
    rule : str
        How it was filled.
    references : tuple of Markup
        Numbered as the table cites them.
    """

    table: Table
    rule: str
    references: tuple[Markup, ...]


def brain_rows(contents: Contents) -> list[BrainRow]:
    """Put every verdict that names a property of brains beside it.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    list of BrainRow
        All properties, those of which nothing was claimed too; empty where no verdict names one.
    """
    verdicts = contents.verdicts or ()
    if not any(verdict.claim.brain for verdict in verdicts):
        return []
    rows = []
    for name, known in brain_properties().items():
        own = [verdict for verdict in verdicts if verdict.claim.brain == name]
        rows += [_row(contents, name, known, each) for each in own]
        if not own:
            none = Likeness("no brain value", known.note)
            likeness = none if known.comparison == "none" else _NOT_CLAIMED
            rows.append(BrainRow(name, known, None, None, likeness))
    return rows


def _row(contents: Contents, name: str, known: BrainProperty, verdict: FiledVerdict) -> BrainRow:
    result = contents.results[verdict.address.artifact]
    value = _value(result, known, verdict)
    likeness = beside_brain(
        known,
        verdict.claim,
        verdict.outcome,
        verdict.decided_by,
        None if value is None else value.value,
        n_nodes=result.n.get("n_nodes"),
        density=_density(result, verdict),
    )
    return BrainRow(name, known, verdict, value, likeness)


def _value(result: Result, known: BrainProperty, verdict: FiledVerdict) -> Number | None:
    """Find the brain's own number: the claim's, or another of the same result."""
    if verdict.claim.variable in known.variables:
        return verdict.estimate
    single = [
        name
        for name in known.variables
        if name in result.estimates and not result.estimates[name].dims
    ]
    if not single:
        return None
    return number(float(result.estimates[single[0]]), statistic, Address(result.id, single[0]))


def _density(result: Result, verdict: FiledVerdict) -> float | None:
    """Find the density of the graph that a claim is about; None where it is of several."""
    if "density" in verdict.claim.where:
        return float(verdict.claim.where["density"])
    given = result.parameters.get("densities", result.parameters.get("density"))
    if isinstance(given, list | tuple) and len(given) == 1:
        given = given[0]
    return float(given) if isinstance(given, int | float) else None


def brain_section(contents: Contents) -> BrainSection | None:
    """Lay the table out for the page; None where no verdict names a property of brains."""
    rows = brain_rows(contents)
    if not rows:
        return None
    references: list[Reference] = []
    for row in rows:
        references += [each for each in row.known.references if each not in references]
    shown: set[str] = set()
    brains: list[Markup | str] = []
    for row in rows:
        brains.append("as above" if row.name in shown else _brain_cell(row.known, references))
        shown.add(row.name)
    table = Table(
        caption=Markup("Filled from the verdicts above; also in <code>{}</code>.").format(FILE),
        columns=("property", "brain", "this model", "likeness", "why"),
        align="lllll",
        rows=tuple(
            (
                row.known.title,
                brain,
                _model_cell(row),
                shaped(row.likeness.word, SHAPES[row.likeness.word]),
                row.likeness.why,
            )
            for row, brain in zip(rows, brains, strict=True)
        ),
    )
    return BrainSection(table, RULE, tuple(map(_cited, references)))


def _brain_cell(known: BrainProperty, references: list[Reference]) -> Markup:
    parts = [Markup("{}").format(known.brain)]
    measured = "; ".join(filter(None, (known.measured, known.whom, *_size(known))))
    if measured:
        parts.append(Markup('<span class="size">{}</span>').format(measured))
    if known.note and known.comparison != "none":
        parts.append(Markup('<span class="size">{}</span>').format(known.note))
    places = [str(references.index(each) + 1) for each in known.references]
    cited = f"[{', '.join(places)}]" if places else "no reference"
    parts.append(Markup('<span class="size">{}</span>').format(cited))
    return Markup(" ").join(parts)


def _size(known: BrainProperty) -> list[str]:
    said_of = [f"N = {known.n_nodes:,}"] if known.n_nodes is not None else []
    return said_of + ([f"density {known.density:g}"] if known.density is not None else [])


def _model_cell(row: BrainRow) -> Markup | str:
    verdict = row.verdict
    if verdict is None:
        return ""
    cell = Markup(
        '<a href="#verdict-{}">{}</a> <span class="size">{}, {}</span> {} '
        '<span class="interval">[{}, {}]</span> {}'
    ).format(
        verdict.index,
        verdict.claim.name,
        verdict.subject,
        said(verdict.claim),
        verdict.estimate,
        verdict.low,
        verdict.high,
        verdict.outcome,
    )
    if row.value is None or row.value.address == verdict.address:
        return cell
    beside = Markup('<span class="size">{} {}</span>')
    return cell + " " + beside.format(spaced(row.value.address.variable), row.value)


def _cited(reference: Reference) -> Markup:
    doi = f" doi:{reference.doi}." if reference.doi else " Its DOI was not seen."
    checked = _CHECKED[reference.checked].capitalize()
    return Markup("{}.{} {}.").format(reference.text, doi, checked)


COLUMNS = (
    "property",
    "brain",
    "brain_low",
    "brain_high",
    "measured",
    "whom",
    "brain_n_nodes",
    "brain_density",
    "references",
    "note",
    "claim",
    "subject",
    "estimate",
    "low",
    "high",
    "address",
    "value",
    "value_address",
    "outcome",
    "likeness",
    "why",
)
"""Of the CSV file."""


def brain_csv(rows: list[BrainRow]) -> str:
    """Write the table as CSV, numbers in full.

    Parameters
    ----------
    rows : list of BrainRow
        From `brain_rows`.

    Returns
    -------
    str
        With a header, and lines that end in a line feed.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_fields(row) for row in rows)
    return text.getvalue()


def _fields(row: BrainRow) -> dict[str, object]:
    known, verdict = row.known, row.verdict
    fields: dict[str, object] = {
        "property": row.name,
        "brain": known.brain,
        "brain_low": known.low,
        "brain_high": known.high,
        "measured": known.measured,
        "whom": known.whom,
        "brain_n_nodes": known.n_nodes,
        "brain_density": known.density,
        "references": listed([_plainly(each) for each in known.references]) or "no reference",
        "note": known.note,
        "likeness": row.likeness.word,
        "why": row.likeness.why,
    }
    if verdict is not None:
        fields |= {
            "claim": verdict.claim.name,
            "subject": verdict.subject,
            "estimate": verdict.estimate.value,
            "low": verdict.low.value,
            "high": verdict.high.value,
            "address": str(verdict.address),
            "outcome": verdict.outcome,
        }
    if row.value is not None:
        fields |= {"value": row.value.value, "value_address": str(row.value.address)}
    return fields


def _plainly(reference: Reference) -> str:
    doi = f", doi:{reference.doi}" if reference.doi else ""
    return f"{reference.text}{doi} ({_CHECKED[reference.checked]})"
