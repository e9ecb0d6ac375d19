"""Reading a TOML file into a model, with errors that name the key and the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cortiscope.errors import InputError

_Model = TypeVar("_Model", bound=BaseModel)


def read_toml(model: type[_Model], path: Path, changes: Mapping[str, Any]) -> _Model:
    """Read and validate a TOML file.

    Parameters
    ----------
    model : type of pydantic.BaseModel
        What the file holds.
    path : Path
        The file.
    changes : mapping
        Keys that take other values than in the file; nested mappings change single keys.

    Returns
    -------
    BaseModel
        An instance of `model`.

    Raises
    ------
    InputError
        One sentence with the file, the line and the key of the first thing that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}): give the path of a TOML file."
        raise InputError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8."
        raise InputError(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not valid TOML: {error}."
        raise InputError(msg) from error
    try:
        return model.model_validate(_merged(values, changes))
    except ValidationError as error:
        first = error.errors()[0]
        location = first["loc"]
        key = _spoken(location)
        reason = first["msg"].removeprefix("Value error, ").removesuffix(".")
        line = line_of(text, location)
        place = f"{path}, line {line}" if line else str(path)
        msg = f"{place}: {f'{key}: ' if key else ''}{reason}."
        raise InputError(msg) from error


def line_of(text: str, location: Sequence[str | int]) -> int | None:
    r"""Find the line of a key in a TOML text.

    Parameters
    ----------
    text : str
        The file's text.
    location : sequence of str or int
        Keys, and indices of arrays, from the root; as pydantic gives them.

    Returns
    -------
    int or None
        The line, counted from 1, of the deepest part of the location that stands in the text.

    Examples
    --------
    >>> line_of('a = 1\n[[claims]]\nkind = "x"\n', ("claims", 0, "kind"))
    3
    """
    lines = text.splitlines()
    start, end, found = 0, len(lines), None
    names = [part for part in location if isinstance(part, str)]
    for depth, part in enumerate(location):
        if isinstance(part, int):
            continue
        table = ".".join(names[: names.index(part) + 1])
        index = location[depth + 1] if depth + 1 < len(location) else 0
        headers = [
            number
            for number in range(start, end)
            if re.fullmatch(rf"\s*\[+\s*{re.escape(table)}\s*\]+\s*(#.*)?", lines[number])
        ]
        keys = [
            number
            for number in range(start, end)
            if re.match(rf"\s*\"?{re.escape(part)}\"?\s*=", lines[number])
        ]
        if headers:
            start = (
                headers[index] if isinstance(index, int) and index < len(headers) else headers[0]
            )
            later = [n for n in range(start + 1, len(lines)) if re.match(r"\s*\[", lines[n])]
            if isinstance(index, int) and lines[start].lstrip().startswith("[["):
                end = later[0] if later else len(lines)
            found = start + 1
        elif keys:
            start, found = keys[0], keys[0] + 1
    return found


def _spoken(location: Sequence[str | int]) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f"{'.' if key else ''}{part}"
    return key


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = value
    return merged
