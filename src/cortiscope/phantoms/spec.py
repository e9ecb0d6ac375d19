"""Phantoms as protocols name them: a name, and options in parentheses."""

from __future__ import annotations

import ast
from typing import Any

from cortiscope.errors import InputError
from cortiscope.phantoms.models import MODEL_PHANTOMS
from cortiscope.phantoms.registry import PHANTOMS


def parse_phantom(spec: str) -> tuple[str, dict[str, Any]]:
    """Read a phantom's name and options.

    Parameters
    ----------
    spec : str
        ``NAME`` or ``NAME(option=1, …)``.

    Returns
    -------
    name : str
        One of `PHANTOMS` or `MODEL_PHANTOMS`.
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
    >>> parse_phantom("subspace(shares=(0.5, 0.5))")
    ('subspace', {'shares': (0.5, 0.5)})
    """
    name, keywords = _read(spec)
    if name not in PHANTOMS and name not in MODEL_PHANTOMS:
        known = ", ".join([*PHANTOMS, *MODEL_PHANTOMS])
        raise InputError(f"there is no phantom {name!r}: choose among {known}.")
    options: dict[str, Any] = {}
    for keyword in keywords:
        try:
            options[str(keyword.arg)] = ast.literal_eval(keyword.value)
        except ValueError as error:
            msg = f"{ast.unparse(keyword)!r} in {spec!r} is no option: write NAME=NUMBER."
            raise InputError(msg) from error
    return name, options


def _read(spec: str) -> tuple[str, list[ast.keyword]]:
    """Take a name, and what stands in parentheses, from an expression as Python has it."""
    try:
        said = ast.parse(spec.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise _unreadable(spec) from error
    call = said if isinstance(said, ast.Call) else None
    name = said if call is None else call.func
    keywords = [] if call is None else call.keywords
    is_repeated = len({keyword.arg for keyword in keywords}) < len(keywords)
    if not isinstance(name, ast.Name) or is_repeated or (call is not None and call.args):
        raise _unreadable(spec)
    return name.id, keywords


def _unreadable(spec: str) -> InputError:
    return InputError(f"{spec!r} is no phantom: write NAME or NAME(strength=1, seed=0).")
