"""Label columns: what a stimulus is called, in one form whatever file it came from."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from cortiscope.errors import InputError
from cortiscope.stimuli.rows import Rows

TEXT_LABELS = ("category", "word", "frame")
"""Labels that are text even where all of them look like numbers: the word "7" is a word."""

_LARGEST = 2**53  # beyond it whole numbers lose digits as floats, as identifiers must not
_WHOLE = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_MISSING = ("", "nan", "NaN")  # as programs write it into files that have no types


def clean_label(name: str, values: Sequence[Any], rows: Rows) -> list[str] | list[int | float]:
    """Bring a label column into its one form.

    A column in which every value is a finite number, or text that reads as one, becomes numbers
    (except `TEXT_LABELS`); every other becomes text without surrounding space. The same content
    thus gives the same column from TSV, which has no types, and from Parquet, which has.

    Parameters
    ----------
    name : str
        The column.
    values : sequence
        One value a stimulus: text, numbers or truth values.
    rows : Rows
        What the rows are called in messages.

    Returns
    -------
    list of str, or list of int or float
        One label a stimulus.

    Raises
    ------
    InputError
        For a value that is missing (empty, NaN or written "nan"), infinite, or neither text nor a
        number.

    Examples
    --------
    >>> clean_label("length", ["3", "4.5"], Rows("mine.tsv"))
    [3.0, 4.5]
    >>> clean_label("word", ["3", "4.5"], Rows("mine.tsv"))
    ['3', '4.5']
    """
    texts = [clean_text(name, value, row, rows) for row, value in enumerate(values)]
    if name in TEXT_LABELS:
        return texts
    numbers = [number for text in texts if (number := _number(text)) is not None]
    return _in_one_type(numbers) if len(numbers) == len(texts) else texts


def clean_text(name: str, value: Any, row: int, rows: Rows) -> str:
    """Turn one label or identifier into text without surrounding space; see `clean_label`."""
    if isinstance(value, str):
        text = value.strip()
        _check_characters(name, text, row, rows)
    elif isinstance(value, (bool, np.bool_)):
        text = str(bool(value))
    elif isinstance(value, Integral):
        text = str(int(value))
    elif isinstance(value, Real) and math.isfinite(value):
        number = float(value)
        exact = number.is_integer() and abs(number) <= _LARGEST
        text = str(int(number)) if exact else repr(number)
    elif _is_missing(value):
        text = ""
    else:
        raise InputError(
            f"{rows.place(row)}: column {name!r} holds {value!r}, expected text or a finite "
            "number; turn it into one or take the column out."
        )
    if text in _MISSING:
        raise InputError(
            f"{rows.place(row)}: column {name!r} has no value (empty or NaN); fill it in or "
            "take the column out."
        )
    return text


def check_stimulus_text(value: Any, row: int, rows: Rows) -> str:
    """Check that a stimulus is text with something in it, and return it untouched."""
    if not isinstance(value, str):
        if not _is_missing(value):
            raise InputError(
                f"{rows.place(row)}: column 'text' holds {value!r}, expected text; put the "
                "sentence in quotes."
            )
        value = ""
    _check_characters("text", value, row, rows)
    if not value.strip():
        raise InputError(
            f"{rows.place(row)}: column 'text' is empty; write the stimulus there or take the "
            "row out."
        )
    return str(value)


def _is_missing(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _check_characters(name: str, text: str, row: int, rows: Rows) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{rows.place(row)}: column {name!r} holds half a character (a lone surrogate, "
            f"U+{ord(text[error.start]):04X}) at position {error.start}; write the text again."
        ) from None


def _number(text: str) -> int | float | None:
    if _WHOLE.fullmatch(text):
        # Comparing lengths first keeps int() from ever seeing thousands of digits.
        whole = int(text) if len(text) <= len(str(-_LARGEST)) else _LARGEST + 1
        return whole if abs(whole) <= _LARGEST else None
    if _DECIMAL.fullmatch(text):
        decimal = float(text)
        return decimal if math.isfinite(decimal) else None
    return None


def _in_one_type(numbers: Sequence[int | float]) -> list[int | float]:
    if all(float(n).is_integer() and abs(n) <= _LARGEST for n in numbers):
        return [int(n) for n in numbers]
    return [float(n) + 0.0 for n in numbers]  # + 0.0 makes -0.0 the same number as 0.0
