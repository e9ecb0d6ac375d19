"""The target of a stimulus: the span of characters whose activations are looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Real
from typing import Any

from cortiscope.errors import InputError
from cortiscope.stimuli.rows import Rows

Span = tuple[int, int]
"""First character and the one after the last, counted from 0 in Unicode code points."""

SPAN_COLUMNS = ("target_start", "target_end")


def find_target(text: str, target: str) -> list[Span]:
    """Find a target in a text as a whole word, whatever its case.

    Parameters
    ----------
    text : str
        The stimulus.
    target : str
        A word or several; it must not touch other letters or digits in the text.

    Returns
    -------
    list of (int, int)
        Every place where it stands, as spans of characters, end exclusive.

    Examples
    --------
    >>> find_target("Cats? A cat, the cat.", "cat")
    [(8, 11), (17, 20)]
    """
    pattern = rf"(?<!\w){re.escape(target)}(?!\w)"
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]


def located(texts: Sequence[str], targets: Sequence[Any], column: str, rows: Rows) -> list[Span]:
    """Find the one place of each row's target in its text.

    Parameters
    ----------
    texts, targets : sequence, one entry a stimulus
        Each text and what to look for in it.
    column : str
        The column that the targets come from, for messages.
    rows : Rows
        What the rows are called in messages.

    Returns
    -------
    list of (int, int)
        One span a row.

    Raises
    ------
    InputError
        For a target that is no text, is not in its text, or is in it more than once: which of
        two was meant cannot be guessed.
    """
    spans = []
    for row, (text, value) in enumerate(zip(texts, targets, strict=True)):
        target = value.strip() if isinstance(value, str) else ""
        if not target:
            raise InputError(f"{rows.place(row)}: column {column!r} has no text to find in 'text'.")
        found = find_target(text, target)
        if len(found) != 1:
            raise InputError(
                f"{rows.place(row)}: {_count(text, target, found)} {text!r}; "
                f"{_remedy(column, found)}."
            )
        spans.append(found[0])
    return spans


def given(texts: Sequence[str], columns: Sequence[Sequence[Any]], rows: Rows) -> list[Span]:
    """Check the spans that a table gives.

    Parameters
    ----------
    texts : sequence of str
        The stimuli.
    columns : two sequences
        The columns 'target_start' and 'target_end'.
    rows : Rows
        What the rows are called in messages.

    Returns
    -------
    list of (int, int)
        One span a row.

    Raises
    ------
    InputError
        For a bound that is no whole number, an empty span or one that leaves its text.
    """
    spans = []
    for row, (text, *bounds) in enumerate(zip(texts, *columns, strict=True)):
        start, end = (
            _whole_number(value, name, row, rows)
            for value, name in zip(bounds, SPAN_COLUMNS, strict=True)
        )
        if not 0 <= start < end <= len(text):
            raise InputError(
                f"{rows.place(row)}: columns 'target_start' and 'target_end' give the span "
                f"{start} to {end}, expected 0 <= target_start < target_end <= {len(text)}, the "
                "number of characters in 'text'."
            )
        spans.append((start, end))
    return spans


def check_agreement(
    texts: Sequence[str], spans: Sequence[Span], targets: Sequence[Any], rows: Rows
) -> None:
    """Refuse spans that hold something else than the column 'target' says."""
    for row, (text, (start, end), target) in enumerate(zip(texts, spans, targets, strict=True)):
        inside = text[start:end]
        if not isinstance(target, str) or target.strip().casefold() != inside.strip().casefold():
            raise InputError(
                f"{rows.place(row)}: the span {start} to {end} holds {inside!r} where column "
                f"'target' says {target!r}; count characters (not bytes) from 0, end exclusive, "
                "or take the span columns out."
            )


def _whole_number(value: Any, column: str, row: int, rows: Rows) -> int:
    if isinstance(value, (str, Real)) and not isinstance(value, bool):
        # A spreadsheet or pandas may have made 3.0 of 3.
        match = re.fullmatch(r"\s*([+-]?\d{1,15})(?:\.0*)?\s*", str(value))
        if match:
            return int(match[1])
    raise InputError(
        f"{rows.place(row)}: column {column!r} holds {value!r}, expected a whole number of "
        "characters."
    )


def _count(text: str, target: str, found: Sequence[Span]) -> str:
    if found:
        return f"the target {target!r} stands {len(found)} times in"
    if target.casefold() in text.casefold():
        return f"the target {target!r} stands only inside a longer word in"
    return f"the target {target!r} is not found in"


def _remedy(column: str, found: Sequence[Span]) -> str:
    if not found and column == "word":
        return (
            "give the form that stands in the text in a column 'target', or its span in "
            "'target_start' and 'target_end'"
        )
    if not found:
        return "correct it, or give its span in 'target_start' and 'target_end'"
    return "give the span of the one you mean in 'target_start' and 'target_end'"
