"""One way to say that two things are the same: the sha256 of their canonical form."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_BLOCK = 1 << 22


def fingerprint(value: Any) -> str:
    """Hash a value by its content.

    Equal content gives equal fingerprints across processes, machines and file formats: keys of
    mappings are sorted, tuples equal lists, and arrays count with dtype, shape and bytes.

    Parameters
    ----------
    value : Any
        None, numbers, text, bytes, paths' contents excepted: mappings, sequences, sets, numpy
        arrays, pandas tables, dataclasses, pydantic models, and anything that has a
        ``fingerprint`` of its own.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        For a value that has no canonical form, such as an open file.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": (1, 2)}) == fingerprint({"b": [1, 2], "a": 1})
    True
    >>> fingerprint(np.zeros(3)) == fingerprint(np.zeros(3, dtype="float32"))
    False
    """
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def fingerprint_file(path: str | Path) -> str:
    """Hash a file's bytes, reading it in blocks so that memory stays flat.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_bytes(b"abc")
    >>> fingerprint_file(path)[:12]
    'ba7816bf8f01'
    """
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _canonical(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return _canonical_float(float(value))
    if isinstance(value, np.bool_):
        return bool(value)
    own = getattr(value, "fingerprint", None)
    if isinstance(own, str):
        return {"fingerprint": own}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, np.ndarray):
        return _canonical_array(value)
    if isinstance(value, Mapping):
        return {"mapping": {str(key): _canonical(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(fingerprint(item) for item in value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _canonical(
            {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        )
    if hasattr(value, "model_dump"):  # a pydantic model, not imported here
        return _canonical(value.model_dump(mode="json"))
    if hasattr(value, "columns") and hasattr(value, "to_dict"):  # a pandas table, not imported here
        return {"table": [[str(name), _canonical(value[name].tolist())] for name in value.columns]}
    msg = f"{type(value).__name__} has no canonical form to fingerprint"
    raise TypeError(msg)


def _canonical_float(value: float) -> Any:
    return value if math.isfinite(value) else {"float": repr(value)}


def _canonical_array(array: np.ndarray) -> Any:
    if array.dtype.kind in "OUT":
        return {"array": _canonical(array.tolist()), "shape": list(array.shape)}
    # Byte order is the machine's affair, not the content's.
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "array": hashlib.sha256(little.tobytes()).hexdigest(),
        "dtype": array.dtype.name,
        "shape": list(array.shape),
    }
