"""Safetensors files that say in their header what their tensors are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.ledger import write_atomically


def write_tensors(
    path: str | Path,
    kind: str,
    tensors: Mapping[str, NDArray[Any]],
    about: Mapping[str, Any],
) -> Path:
    """Write tensors, and what they are.

    Parameters
    ----------
    path : str or Path
        Ends with ``.safetensors``.
    kind : str
        Such as ``direction``.
    tensors : mapping of str to ndarray
        By their names in the file.
    about : mapping
        All else, as JSON holds it: it goes under ``cortiscope.KIND`` into the file's metadata.

    Returns
    -------
    Path
        The file. Equal content gives equal bytes.

    Raises
    ------
    InputError
        For another ending.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        raise InputError(
            f"A {kind} is saved as safetensors: give {path.name} the ending .safetensors."
        )
    # One key, since safetensors writes several in an order that changes from one save to the next.
    header = {_key(kind): json.dumps(dict(about), sort_keys=True)}
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return write_atomically(path, save(whole, metadata=header))


def read_tensors(path: str | Path, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read a file that `write_tensors` wrote.

    Parameters
    ----------
    path : str or Path
        The file.
    kind : str
        What it must hold.

    Returns
    -------
    tensors : dict of str to ndarray
    about : dict

    Raises
    ------
    InputError
        When there is no such file, or it does not hold that.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is no file: give one that holds a {kind}.")
    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get(_key(kind))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file, or is damaged ({error}).") from error
    if header is None:
        raise InputError(
            f"{path} does not say that it holds a {kind}: give a file that Cortiscope saved as one."
        )
    return tensors, json.loads(header)


def as_json_holds_it(what: str, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Copy an origin through JSON, so that what is saved is what is opened.

    Parameters
    ----------
    what : str
        Whose it is, for the message.
    origin : mapping
        Text, numbers, lists and mappings.

    Raises
    ------
    InputError
        For what JSON cannot hold.

    Examples
    --------
    >>> as_json_holds_it("the direction 'animal'", {"words": ("cat", "dog")})
    {'words': ['cat', 'dog']}
    """
    try:
        copied: dict[str, Any] = json.loads(json.dumps(dict(origin), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The origin of {what} is not what JSON can hold ({error}): give text, numbers, lists "
            "and mappings."
        ) from error
    return copied


def _key(kind: str) -> str:
    return f"cortiscope.{kind}"
