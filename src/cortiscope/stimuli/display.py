"""How a set of stimuli shows itself, as text and in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import pandas as pd

_WIDTH = 76
_N_EXAMPLES = 5


def as_text(table: pd.DataFrame, name: str, labels: Sequence[str]) -> str:
    """Show counts, the labels' values and the first stimulus with its target in brackets."""
    width = max(len(label) for label in (*labels, "first"))
    before, target, after = _split(table.iloc[0])
    lines = [f"StimulusSet {name!r}: {_n_stimuli(table)}"]
    lines += [f"  {label:<{width}}  {_values(table[label])}" for label in labels]
    lines.append(f"  {'first':<{width}}  {before}[{target}]{after}")
    return "\n".join(lines)


def as_html(table: pd.DataFrame, name: str, labels: Sequence[str], fingerprint: str) -> str:
    """Show the same with some examples, spread over the set, their targets marked."""
    step = max(1, (len(table) - 1) // (_N_EXAMPLES - 1))
    examples = [row for _, row in table.iloc[::step].head(_N_EXAMPLES).iterrows()]
    header = "".join(f"<th>{escape(column)}</th>" for column in ("stimulus_id", "text", *labels))
    body = "".join(f"<tr>{_cells(row, labels)}</tr>" for row in examples)
    counts = "".join(
        f"<li><b>{escape(label)}</b> {escape(_values(table[label]))}</li>" for label in labels
    )
    return (
        f"<div><b>{escape(name)}</b>: {_n_stimuli(table)} "
        f"<code>{fingerprint[:12]}</code><ul>{counts}</ul>"
        f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: pd.Series, labels: Sequence[str]) -> str:
    before, target, after = map(escape, _split(row))
    marked = f"<td style='text-align:left'>{before}<mark>{target}</mark>{after}</td>"
    others = "".join(f"<td>{escape(str(row[label]))}</td>" for label in labels)
    return f"<td>{escape(row['stimulus_id'])}</td>{marked}{others}"


def _split(row: pd.Series) -> tuple[str, str, str]:
    text, start, end = row["text"], row["target_start"], row["target_end"]
    return text[:start], text[start:end], text[end:]


def _n_stimuli(table: pd.DataFrame) -> str:
    return "1 stimulus" if len(table) == 1 else f"{len(table):,} stimuli"


def _values(column: pd.Series) -> str:
    if pd.api.types.is_numeric_dtype(column):
        return f"numbers from {column.min():g} to {column.max():g}"
    values = column.unique().tolist()
    return f"{len(values)}: {_shortened(values)}"


def _shortened(values: Iterable[str]) -> str:
    """Join values with commas, and stop where the line is full."""
    shown = ""
    for value in values:
        longer = f"{shown}, {value}" if shown else value
        if len(longer) > _WIDTH and shown:
            return f"{shown}, …"
        shown = longer
    return shown
