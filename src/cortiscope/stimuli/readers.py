"""File formats: from bytes to a raw table whose rows know their lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cortiscope.errors import InputError
from cortiscope.stimuli.rows import Rows

_SEPARATORS = {".tsv": "\t", ".csv": ","}
SUFFIXES = (".tsv", ".csv", ".jsonl", ".parquet")
"""The formats that a table of stimuli is read from, by the ends of their files' names."""


def read_file(path: Path) -> tuple[pd.DataFrame, Rows]:
    """Read a user's file into a raw table and the places of its rows.

    Parameters
    ----------
    path : Path
        A file that ends in one of `SUFFIXES`.

    Returns
    -------
    DataFrame
        As it stands in the file: not validated, text where the format has no types.
    Rows
        What the rows are called in messages.

    Raises
    ------
    InputError
        For a missing or empty file, an unknown format, a wrong encoding, a damaged file.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path} has the unknown ending {path.suffix!r}; a table of stimuli ends in "
            f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}."
        )
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; check the path.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be read ({reason}); give a readable file.") from error
    return read_bytes(content, suffix, path.name)


def read_bytes(content: bytes, suffix: str, source: str) -> tuple[pd.DataFrame, Rows]:
    """Read a file's content, of a format named by its suffix; see `read_file`."""
    if suffix == ".parquet" and content:
        return _read_parquet(content, source), Rows(source)
    text = decode_utf8(content, source)
    if not text.strip():
        raise InputError(f"{source} is empty; it needs a column 'text' and one row a stimulus.")
    if suffix == ".jsonl":
        return _read_json_lines(text, source)
    return _read_separated(text, source, _SEPARATORS[suffix])


def decode_utf8(content: bytes, source: str) -> str:
    r"""Decode a file's bytes, or say where they stop being UTF-8.

    Examples
    --------
    >>> decode_utf8("café".encode("latin-1"), "mine.tsv")
    Traceback (most recent call last):
    ...
    cortiscope.errors.InputError: mine.tsv is not UTF-8: line 1 holds the byte 0xE9 (number 4 of
    the file); save it as UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8`.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(
            f"{source} is not UTF-8: line 1 starts with the byte 0x{content[0]:02X}, the mark of "
            "UTF-16; save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts after the byte-order mark, which it takes off first.
        offset = error.start + len(content) - len(error.object)
        line = content.count(b"\n", 0, offset) + 1
        raise InputError(
            f"{source} is not UTF-8: line {line} holds the byte 0x{content[offset]:02X} (number "
            f"{offset + 1} of the file); save it as UTF-8, for example with "
            "`iconv -f WINDOWS-1252 -t UTF-8`."
        ) from None


def _read_separated(text: str, source: str, separator: str) -> tuple[pd.DataFrame, Rows]:
    records = _separated_records(text, source, separator)
    _, header = next(records)
    _check_header(header, source)
    lines: list[int] = []
    values: list[list[str]] = []
    for line, fields in records:
        if len(fields) != len(header):
            raise InputError(
                f"{source}, line {line} has {len(fields)} columns where the header has "
                f"{len(header)}; put a field that holds the separator or a line break in double "
                "quotes."
            )
        lines.append(line)
        values.append(fields)
    return pd.DataFrame(values, columns=header), Rows(source, lines)


def _separated_records(text: str, source: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record starts and its fields, skipping blank lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for fields in reader:
            if fields:
                yield start, fields
            start = reader.line_num + 1
    except csv.Error as error:
        reason = str(error).replace("\t", "\\t")
        raise InputError(
            f"{source}, line {start} cannot be read ({reason}); a field that starts with a double "
            "quote must end with one, and quotes inside it are doubled."
        ) from None


def _check_header(header: list[str], source: str) -> None:
    for number, name in enumerate(header, start=1):
        if not name.strip():
            raise InputError(
                f"{source}, column {number} has no name in the header; name it or take it out "
                "(pandas writes such a column unless told index=False)."
            )


def _read_json_lines(text: str, source: str) -> tuple[pd.DataFrame, Rows]:
    lines: list[int] = []
    records: list[dict[str, Any]] = []
    # splitlines() would also split at U+2028, which JSON allows inside a string.
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        try:
            record = json.loads(content, object_pairs_hook=_without_twice_named)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{source}, line {line} is not JSON ({error}); JSONL has one object in braces "
                "a line."
            ) from None
        if not isinstance(record, dict):
            raise InputError(
                f"{source}, line {line} holds {type(record).__name__}, not an object; JSONL has "
                'one object a line, such as {"text": "A cat."}.'
            )
        lines.append(line)
        records.append(record)
    columns = list(dict.fromkeys(name for record in records for name in record))
    # Objects throughout: pandas would turn integers into floats where one record lacks the key.
    table = pd.DataFrame(
        {name: pd.Series([r.get(name) for r in records], dtype=object) for name in columns}
    )
    return table, Rows(source, lines)


def _without_twice_named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        msg = "a key occurs twice"
        raise ValueError(msg)
    return record


def _read_parquet(content: bytes, source: str) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pq.read_table(pa.BufferReader(content)).to_pandas(
            ignore_metadata=True
        )
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(
            f"{source} cannot be read as Parquet ({reason}); write it again, for example with "
            "pandas.DataFrame.to_parquet."
        ) from None
    # pandas keeps an index without a name under such a name of its own.
    return table.loc[:, [not str(name).startswith("__index_level_") for name in table.columns]]
