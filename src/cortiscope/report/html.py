"""The page: everything that a report shows, put into its template."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from cortiscope.report import figures
from cortiscope.report.brain_table import brain_section
from cortiscope.report.cautions import cautions
from cortiscope.report.claim_sections import claim_sections, said
from cortiscope.report.contents import Contents
from cortiscope.report.decoding import decoding
from cortiscope.report.exploratory import exploratory_table
from cortiscope.report.measurements import measurements
from cortiscope.report.methods import methods
from cortiscope.report.numbers import spaced
from cortiscope.report.stimuli_tables import category_table, example_table, mismatch_table
from cortiscope.report.subject_tables import facts, proof_table

_TEMPLATES = Path(__file__).parent / "templates"


def page(contents: Contents) -> str:
    """Fill the template.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    str
        The whole page.
    """
    return _template().render(
        contents=contents,
        when=_when(contents),
        version=contents.entries[-1].code_version["version"],
        claims=claim_sections(contents),
        said=said,
        brain=brain_section(contents),
        spaced=spaced,
        cautions=cautions(contents),
        decoding=decoding(contents),
        measurements=measurements(contents),
        exploratory=exploratory_table(contents),
        exploratory_ids={result.id for result in contents.exploratory},
        stimuli_tables=[
            category_table(contents),
            mismatch_table(contents),
            example_table(contents),
        ],
        subjects=[
            (examined.subject.name, facts(examined), proof_table(examined.subject))
            for examined in contents.examined
        ],
        methods=methods(contents),
        dark_colours=Markup(figures.dark_json()),
        style=_verbatim("report.css"),
        script=_verbatim("report.js"),
        plotly=Markup(get_plotlyjs()),
    )


def _when(contents: Contents) -> str:
    """Say when the first and the last artifact were made."""
    times = sorted(datetime.fromisoformat(entry.time) for entry in contents.entries)
    first, last = times[0], times[-1]
    if first.date() == last.date():
        return f"{first:%Y-%m-%d, %H:%M} to {last:%H:%M} UTC"
    return f"{first:%Y-%m-%d, %H:%M} to {last:%Y-%m-%d, %H:%M} UTC"


def _verbatim(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja")
