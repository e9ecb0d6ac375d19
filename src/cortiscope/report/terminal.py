"""What the command line prints: short tables."""

from __future__ import annotations

import json

from rich.table import Table

from cortiscope.analyses import Result
from cortiscope.ledger import Run
from cortiscope.subjects.families import registered
from cortiscope.subjects.sources import SPECIMENS, specimens


def summary_table(run: Run) -> Table:
    """Summarise the decoding of every subject and twin, a row each.

    Parameters
    ----------
    run : Run
        A run with results.

    Returns
    -------
    rich.table.Table
        Accuracy at the embedding, the best layer with its interval, and its corrected p.
    """
    table = Table(title=f"decoding of unseen words ({run.path.name})")
    table.add_column("subject", overflow="fold")
    for heading in ("embedding", "best layer", "accuracy [95%]", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    chance = 0.0
    for name, at in decoding_results(run).items():
        embedding = at.get("resid_pre")
        for site, result in at.items():
            if site != "resid_pre" or len(at) == 1:
                table.add_row(name, *_row(result, embedding))
                chance = result.estimates.attrs["chance_accuracy"]
    table.caption = f"balanced accuracy, chance {chance:.3f}; p: words permuted within folds, maximum over layers"
    return table


def verdict_table(run: Run) -> Table:
    """Lay out the verdicts of a run, a row each.

    Parameters
    ----------
    run : Run
        A run whose claims were judged.

    Returns
    -------
    rich.table.Table
        Claim, subject, verdict, estimate with its interval, corrected p, and what decided.
    """
    table = Table(title="verdicts", show_lines=True)
    table.add_column("claim", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for heading in ("estimate [95%]", "corrected p"):
        table.add_column(heading, justify="right")
    table.add_column("decided by")
    for verdict in json.loads((run.path / "verdicts.json").read_text(encoding="utf-8")):
        table.add_row(
            f"{verdict['claim']['name']} ({verdict['subject']})\n[dim]{verdict['sentence']}[/dim]",
            verdict["outcome"],
            f"{verdict['estimate']:.3f} [{verdict['low']:.3f}, {verdict['high']:.3f}]",
            f"{verdict['corrected_p']:.4f}",
            verdict["decided_by"].replace("_", " "),
        )
    return table


def decoding_results(run: Run) -> dict[str, dict[str, Result]]:
    """Open the decoding results of a run: by subject, then by site, in the order of the run."""
    results: dict[str, dict[str, Result]] = {}
    for entry in run.entries():
        if entry.kind == "result":
            result = Result.open(run.path / entry.path)
            if result.analysis == "decode":
                results.setdefault(result.subject, {})[result.parameters["site"]] = result
    return results


def _row(result: Result, embedding: Result | None) -> list[str]:
    accuracy = result.estimates["accuracy"]
    best = accuracy["layer"].values[int(accuracy.values.argmax())]
    low, high = (float(v) for v in result.intervals["accuracy"].sel(layer=best))
    at_embedding = "" if embedding is None else f"{float(embedding.estimates['accuracy'][0]):.3f}"
    return [
        at_embedding,
        str(best),
        f"{float(accuracy.max()):.3f} [{low:.3f}, {high:.3f}]",
        f"{float(result.p_values['accuracy'].sel(layer=best)):.4f}",
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
        caption=f"{result.n['n_stimuli']:,} stimuli, {result.n['n_units']:,} units; exact intervals",
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
