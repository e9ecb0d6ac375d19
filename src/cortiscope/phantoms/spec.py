"""Phantoms as protocols name them: a name, and options in parentheses."""

from __future__ import annotations

import ast
import re
from typing import Any

from cortiscope.errors import InputError
from cortiscope.phantoms.registry import PHANTOMS

_SPEC = re.compile(r"(?P<name>\w+)(?:\((?P<options>[^()]*)\))?")


def parse_phantom(spec: str) -> tuple[str, dict[str, Any]]:
    """Read a phantom's name and options.

    Parameters
    ----------
    spec : str
        ``NAME`` or ``NAME(option=1, …)``.

    Returns
    -------
    name : str
        One of `PHANTOMS`.
    options : dict
        As given, not checked.

    Raises
    ------
    InputError
        For a phantom that is not there, and for what cannot be read.

    Examples
    --------
    >>> parse_phantom("direction(strength=2, seed=1)")
    ('direction', {'strength': 2, 'seed': 1})
    """
    match = _SPEC.fullmatch(spec.strip())
    if match is None:
        msg = f"{spec!r} is no phantom: write NAME or NAME(strength=1, seed=0)."
        raise InputError(msg)
    name = match["name"]
    if name not in PHANTOMS:
        msg = f"there is no phantom {name!r}: choose among {', '.join(PHANTOMS)}."
        raise InputError(msg)
    options: dict[str, Any] = {}
    for part in filter(None, (match["options"] or "").split(",")):
        key, _, value = part.partition("=")
        try:
            options[key.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError) as error:
            msg = f"{part.strip()!r} in {spec!r} is no option: write NAME=NUMBER."
            raise InputError(msg) from error
    return name, options
