"""The report's file, written from the run's folder."""

from __future__ import annotations

from pathlib import Path

from cortiscope.ledger import Run, write_atomically
from cortiscope.report.brain_table import FILE, brain_csv, brain_rows
from cortiscope.report.contents import Contents
from cortiscope.report.html import page


def write_report(run: Run) -> Path:
    """Write ``report.html``: one file that needs nothing else, neither files nor a network.

    Where claims name properties of brains, ``brain.csv`` holds the table of these. Both are made
    from what the run's folder holds and from nothing else, so that the same folder gives the same.

    Parameters
    ----------
    run : Run
        Of a study that was run to its end.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputError
        Naming what the folder lacks, or what is damaged.
    """
    contents = Contents.read(run)
    inputs = tuple(entry.id for entry in contents.entries)
    if rows := brain_rows(contents):
        run.record("brain", write_atomically(run.path / FILE, brain_csv(rows)), inputs=inputs)
    path = write_atomically(run.report, page(contents))
    run.record("report", path, inputs=inputs)
    return path
