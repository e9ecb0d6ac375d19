"""From a raw table to a clean one: every stimulus has an id, a text, a target and its labels."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import pandas as pd

from cortiscope.errors import InputError
from cortiscope.stimuli.labels import check_stimulus_text, clean_label, clean_text
from cortiscope.stimuli.rows import Rows
from cortiscope.stimuli.targets import SPAN_COLUMNS, Span, check_agreement, given, located

COLUMNS = ("stimulus_id", "text", *SPAN_COLUMNS)
"""The columns that every clean table starts with; the others are labels."""

_DIMENSIONS = ("stimulus", "layer", "unit", "mlp_unit", "head", "head_unit", "token", "site")


def clean_table(raw: pd.DataFrame, rows: Rows, name: str) -> pd.DataFrame:
    """Validate a raw table and bring it into the one form that a StimulusSet holds.

    Parameters
    ----------
    raw : DataFrame
        One row a stimulus; see `StimulusSet.from_table` for its columns.
    rows : Rows
        What the rows are called in messages.
    name : str
        The set's name, from which missing identifiers are numbered.

    Returns
    -------
    DataFrame
        `COLUMNS`, then the label columns in the order in which they came.

    Raises
    ------
    InputError
        Naming row, column and what was expected.
    """
    columns = _columns(raw, rows)
    if "text" not in columns:
        raise InputError(_no_text(list(columns), rows))
    if raw.empty:
        raise InputError(f"{rows.source} has no rows; it needs one row a stimulus.")
    texts = [check_stimulus_text(value, row, rows) for row, value in enumerate(columns["text"])]
    if "stimulus_id" in columns:
        identifiers = _identifiers(columns["stimulus_id"], rows)
    else:
        width = max(4, len(str(len(texts))))
        identifiers = [f"{name}-{number:0{width}d}" for number in range(1, len(texts) + 1)]
    spans = _spans(texts, columns, rows)
    clean: dict[str, Sequence[Any]] = {
        "stimulus_id": identifiers,
        "text": texts,
        "target_start": [start for start, _ in spans],
        "target_end": [end for _, end in spans],
    }
    for label, values in columns.items():
        # The span says what 'target' said.
        if label not in (*COLUMNS, "target"):
            clean[label] = clean_label(label, values, rows)
    return pd.DataFrame(clean)


def _columns(raw: pd.DataFrame, rows: Rows) -> dict[str, list[Any]]:
    if raw.index.name == "stimulus_id" and "stimulus_id" not in raw.columns:
        raw = raw.reset_index()
    columns: dict[str, list[Any]] = {}
    for position, column in enumerate(raw.columns):
        name = str(column).strip()
        if name in columns:
            raise InputError(f"{rows.source} has two columns {name!r}; rename or take out one.")
        if name in _DIMENSIONS:
            raise InputError(
                f"{rows.source} has a column {name!r}, which is the name of a recording's "
                "dimension; rename it."
            )
        columns[name] = raw.iloc[:, position].tolist()
    return columns


def _no_text(names: list[str], rows: Rows) -> str:
    message = f"{rows.source} has no column 'text', only {', '.join(map(repr, names))}"
    if len(names) == 1 and any(separator in names[0] for separator in ";\t,|"):
        return f"{message}; separate columns by tabs in .tsv and by commas in .csv."
    close = get_close_matches("text", [name.lower() for name in names], n=1)
    which = next((name for name in names if close and name.lower() == close[0]), None)
    remedy = f"rename {which!r}" if which else "name the column with the sentences so"
    return f"{message}; {remedy}."


def _identifiers(values: list[Any], rows: Rows) -> list[str]:
    seen: dict[str, int] = {}
    for row, value in enumerate(values):
        identifier = clean_text("stimulus_id", value, row, rows)
        if identifier in seen:
            raise InputError(
                f"{rows.place(row)}: column 'stimulus_id' repeats {identifier!r} of "
                f"{rows.number(seen[identifier])}; every stimulus needs an id of its own."
            )
        seen[identifier] = row
    return list(seen)


def _spans(texts: list[str], columns: dict[str, list[Any]], rows: Rows) -> list[Span]:
    present = [name for name in SPAN_COLUMNS if name in columns]
    if len(present) == 1:
        (absent,) = set(SPAN_COLUMNS) - set(present)
        raise InputError(
            f"{rows.source} has a column {present[0]!r} but no column {absent!r}; give both "
            "bounds of the target, or a column 'target' with its text."
        )
    if present:
        spans = given(texts, [columns[name] for name in SPAN_COLUMNS], rows)
        if "target" in columns:
            check_agreement(texts, spans, columns["target"], rows)
        return spans
    for column in ("target", "word"):
        if column in columns:
            return located(texts, columns[column], column, rows)
    return [(0, len(text)) for text in texts]
