"""How a recording shows itself, in a terminal and in a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from rich.filesize import decimal

if TYPE_CHECKING:
    from cortiscope.scanning.recording import Recording


def as_text(recording: Recording) -> str:
    """Describe a recording in a few lines of text."""
    title, sites, facts = _describe(recording)
    widths = [max(len(row[column]) for row in sites) for column in range(len(sites[0]))]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in sites
    ]
    keys = max(len(key) for key in facts)
    lines += [f"  {key.ljust(keys)}  {value}" for key, value in facts.items()]
    return "\n".join([f"Recording {title}", *(line.rstrip() for line in lines)])


def as_html(recording: Recording) -> str:
    """Describe a recording as a small table of HTML."""
    title, sites, facts = _describe(recording)
    header = "".join(_cell("th", name) for name in ("site", "layers", "shape", "size"))
    rows = ["".join(_cell("td", text) for text in row) for row in sites]
    rows += [_cell("th", key) + _cell("td", value, span=3) for key, value in facts.items()]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f"<div><strong>Recording</strong> {html.escape(title)}"
        f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(tag: str, text: str, span: int = 1) -> str:
    return f'<{tag} colspan="{span}" style="text-align:left">{html.escape(text)}</{tag}>'


def _describe(recording: Recording) -> tuple[str, list[tuple[str, str, str, str]], dict[str, str]]:
    stimuli = recording.provenance.get("stimuli", {}).get("name")
    title = f"{recording.name!r}: {recording.n_stimuli:,} stimuli"
    title += f" of {stimuli}" if stimuli else ""
    title += f", shown to {recording.subject}" if recording.subject != recording.name else ""
    sites = []
    for site in recording.sites:
        array = recording[site]
        shape = " × ".join(f"{size:,} {dim}" for dim, size in array.sizes.items())
        sites.append(
            (
                site,
                _ranges(recording.layers(site)),
                shape,
                f"{array.dtype}, {decimal(array.nbytes)}",
            )
        )
    facts = {}
    if "position" in recording.provenance:
        facts["position"] = str(recording.provenance["position"])
    facts["labels"] = ", ".join(recording.labels.columns) or "none"
    facts["kept"] = recording.state
    return title, sites, facts


def _ranges(layers: tuple[int, ...]) -> str:
    whole = layers == tuple(range(layers[0], layers[-1] + 1))
    if len(layers) == 1:
        return f"layer {layers[0]}"
    return f"layers {layers[0]}–{layers[-1]}" if whole else "layers " + ", ".join(map(str, layers))
