"""What the command line prints: short tables."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.box import HORIZONTALS, SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cortiscope.analyses import Result
from cortiscope.ledger import Run
from cortiscope.report.comparison import Comparison, comparisons
from cortiscope.report.contents import Contents
from cortiscope.report.estimates import estimate
from cortiscope.report.measurements import MeasuringStep, measuring_steps
from cortiscope.report.numbers import NOTHING, spaced
from cortiscope.report.readings import best, best_layer, chance, reading
from cortiscope.report.verdicts import filed_verdicts
from cortiscope.subjects.families import registered
from cortiscope.subjects.sources import SPECIMENS, specimens


def summary_table(run: Run) -> Group:
    """Summarise what was found in every subject and twin, a row each.

    Parameters
    ----------
    run : Run
        A run with results.

    Returns
    -------
    rich.console.Group
        For decoding: accuracy at the embedding, the best layer with its interval, and its
        corrected p. For every other analysis: its headline with interval and p.
    """
    contents = Contents.read(run)
    compared, measured = comparisons(contents), measuring_steps(contents)
    return Group(
        *([_decoding_table(contents, compared)] if compared else []),
        *([_headline_table(contents, measured)] if measured else []),
    )


def _decoding_table(contents: Contents, compared: Sequence[Comparison]) -> Table:
    table = Table(title=f"decoding of unseen words ({contents.folder})", box=SIMPLE_HEAD)
    table.add_column("subject", overflow="fold")
    for heading in ("embedding", "best layer", "accuracy [95%]", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for comparison in compared:
        several = len([c for c in compared if c.name == comparison.name]) > 1
        twins = [f"  {label}" for label in comparison.twin_labels]
        results = (comparison.result, *comparison.twins)
        embeddings = (comparison.embedding, *comparison.twin_embeddings)
        name = f"{comparison.name}, {comparison.step}" if several else comparison.name
        for who, result, embedding in zip((name, *twins), results, embeddings, strict=True):
            table.add_row(Text(who), *_decoding_cells(result, embedding))
    at_chance = chance(compared[0].result)
    table.caption = f"balanced accuracy, chance {at_chance}; p corrected over layers"
    return table


def _headline_table(contents: Contents, steps: Sequence[MeasuringStep]) -> Table:
    table = Table(title=f"measurements ({contents.folder})", box=SIMPLE_HEAD)
    table.add_column("subject", overflow="fold")
    table.add_column("statistic", overflow="fold")
    for heading in ("estimate [95%]", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in steps:
        headline = step.instrument.headline
        for examined in step.examined:
            for label, result in examined.labelled(step.name).items():
                is_subject = label == examined.subject.name
                table.add_row(
                    Text(f"{label}, {step.name}" if is_subject else f"  {label}"),
                    Text(spaced(headline)),
                    *_headline_cells(result, headline),
                )
    return table


def _headline_cells(result: Result, headline: str) -> tuple[Text, Text]:
    if headline not in result.estimates:  # switched off
        return Text(NOTHING), Text(NOTHING)
    found = estimate(result, headline)
    bounds = "" if found.interval is None else " [{}, {}]".format(*found.interval)
    return Text(f"{found.value}{bounds}"), Text(NOTHING if found.p is None else str(found.p))


def verdict_table(run: Run) -> Group:
    """Lay out the verdicts of a run, a row each, with the sentence that says why below.

    Parameters
    ----------
    run : Run
        A run.

    Returns
    -------
    rich.console.Group
        Claim, of whom, verdict, estimate with its interval, corrected p, and what decided.
    """
    verdicts = filed_verdicts(run)
    if not verdicts:
        return Group(Text("no claim was judged", style="dim"))
    table = Table(
        title=f"verdicts ({run.path.resolve().name})",
        box=HORIZONTALS,
        show_lines=True,
        pad_edge=False,
    )
    table.add_column("claim\nsubject", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for heading in ("estimate\n[95%]", "corr.\np"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("decided by", max_width=12)
    numbers = [f"{n}. " if len(verdicts) > 1 else "" for n in range(1, len(verdicts) + 1)]
    for number, verdict in zip(numbers, verdicts, strict=True):
        table.add_row(
            Text(f"{number}{verdict.claim.name}\n{verdict.subject}"),
            verdict.outcome,
            Text(f"{verdict.estimate}\n[{verdict.low}, {verdict.high}]"),
            str(verdict.corrected_p),
            spaced(verdict.decided_by),
        )
    reasons = [
        Padding(Text(number + verdict.sentence), (0, 2, 0, 2))
        for number, verdict in zip(numbers, verdicts, strict=True)
    ]
    return Group(table, *reasons, "")


def _decoding_cells(result: Result, embedding: Result | None) -> list[str | Text]:
    peak = best(result)
    return [
        "" if embedding is None else str(reading(embedding, 0).estimate),
        str(best_layer(result)),
        Text(f"{peak.estimate} [{peak.low}, {peak.high}]"),
        str(peak.p),
    ]


def subjects_tables() -> tuple[Table, Table]:
    """List the specimens that ship, and the families that can be scanned.

    Returns
    -------
    tuple of rich.table.Table
        Specimens with their size; families with the model types that they cover.
    """
    shipped = Table("specimen", "model type", "layers", "units", title="models that ship")
    for name in specimens():
        config = json.loads((SPECIMENS / name / "config.json").read_text(encoding="utf-8"))
        layers, units = config["num_hidden_layers"], config["hidden_size"]
        shipped.add_row(f"specimen:{name}", config["model_type"], str(layers), str(units))
    families = Table("family", "model types", "blocks", title="families that can be scanned")
    for family in {id(entry): entry for entry in registered().values()}.values():
        families.add_row(family.name, ", ".join(family.model_types), family.kind)
    return shipped, families


def calibration_table(result: Result) -> Table:
    """Lay out a calibration: the share of phantoms in which an instrument rejects.

    Parameters
    ----------
    result : Result
        From `check_on_phantoms`.

    Returns
    -------
    rich.table.Table
        A row a phantom, a column a strength, with 95% intervals.
    """
    share, interval = result.estimates["share_found"], result.intervals["share_found"]
    table = Table(
        title=f"{result.subject}: share of {result.n['n_phantoms']} phantoms found",
        caption=(
            f"{result.n['n_stimuli']:,} stimuli, {result.n['n_units']:,} units; exact intervals"
        ),
    )
    table.add_column("phantom", no_wrap=True)
    table.add_column("must be", no_wrap=True)
    for strength in share["strength"].values:
        table.add_column(f"strength {strength:g}", justify="right")
    for phantom in share["phantom"].values:
        must = int(result.estimates["must_detect"].sel(phantom=phantom))
        cells = []
        for strength in share["strength"].values:
            at = {"phantom": phantom, "strength": strength}
            low, high = (float(interval.sel(bound=bound, **at)) for bound in ("low", "high"))
            cells.append(f"{float(share.sel(**at)):.2f} [{low:.2f}, {high:.2f}]")
        table.add_row(str(phantom), "found" if must else "silent", *cells)
    return table
