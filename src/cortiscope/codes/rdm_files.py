"""Files in which others keep RDMs: CSV, MATLAB's .mat, rsatoolbox's HDF5."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import squareform

from cortiscope.errors import InputError
from cortiscope.statistics import n_conditions_of


@dataclass(frozen=True, eq=False)
class Stored:
    """An RDM as a file holds it.

    Attributes
    ----------
    name : str
        What the file calls it; the file's own name where it has one RDM without a name.
    square : ndarray of float64, shape (n_conditions, n_conditions)
        As it is: neither symmetry nor the diagonal has been checked.
    conditions : tuple of str
        Their names; empty where the file has none.
    measure : str
        What the values are, as far as the file says.
    """

    name: str
    square: NDArray[np.float64]
    conditions: tuple[str, ...] = ()
    measure: str = "unknown"


def read_stored(path: Path) -> list[Stored]:
    """Read all RDMs of a file.

    Raises
    ------
    InputError
        For another kind of file, or one that holds no RDM.
    """
    suffix = path.suffix.lower()
    if suffix in (".pkl", ".pickle"):
        raise InputError(
            f"{path} is a pickle, which may run code when it is opened: save it from rsatoolbox "
            "with file_type='hdf5'."
        )
    if suffix not in _READERS:
        raise InputError(
            f"{path} is none of the files that hold RDMs: give one that ends with "
            f"{', '.join(_READERS)}."
        )
    stored = list(_READERS[suffix](path))
    if not stored:
        raise InputError(f"{path} holds no square matrix of dissimilarities: give a file with one.")
    return _with_names_of_their_own(stored)


def _with_names_of_their_own(stored: Sequence[Stored]) -> list[Stored]:
    """Tell RDMs of the same name apart by numbers."""
    names = [one.name for one in stored]
    return [
        one
        if names.count(one.name) == 1
        else Stored(
            f"{one.name} ({names[: index + 1].count(one.name)})",
            one.square,
            one.conditions,
            one.measure,
        )
        for index, one in enumerate(stored)
    ]


def _read_text(path: Path) -> Iterator[Stored]:
    """Read a square or a list of pairs, whose fields a comma, a semicolon or a tab parts."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8: save it as CSV in UTF-8.") from error
    first_line = text.partition("\n")[0]
    delimiter = max("\t;,", key=first_line.count)
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(text.splitlines(), delimiter=delimiter)
        if any(cell.strip() for cell in row)
    ]
    if not rows:
        raise InputError(f"{path} is empty: give a file that holds an RDM.")
    if len(rows) > 1 and len(rows[0]) == len(rows[1]) - 1:  # as R writes it, without a corner
        rows[0].insert(0, "")
    yield _pairs_of(path, rows) if _is_list_of_pairs(rows) else _square_of(path, rows)


def _is_list_of_pairs(rows: list[list[str]]) -> bool:
    """Tell three columns from a square, the second column of which holds numbers."""
    if any(len(row) != 3 for row in rows):
        return False
    is_text = all(row[1] and not _is_number(row[1]) for row in rows[1:])
    return is_text or len(rows) not in (2, 3, 4)


def _square_of(path: Path, rows: list[list[str]]) -> Stored:
    """Read a square with names of rows, of columns, of both or of neither."""
    n_rows, width = len(rows), len(rows[0])
    if abs(n_rows - width) > 1 or any(len(row) != width for row in rows):
        raise InputError(
            f"{path} is neither a square nor three columns (condition, other condition, value): "
            f"its {n_rows} rows have {min(map(len, rows))} to {max(map(len, rows))} fields; save "
            "it as one of the two."
        )
    has_both = n_rows == width and not _is_number(rows[0][0])
    has_header = has_both or width < n_rows
    has_labels = has_both or width > n_rows
    body = [row[int(has_labels) :] for row in rows[int(has_header) :]]
    header = tuple(rows[0][int(has_labels) :]) if has_header else ()
    labels = tuple(row[0] for row in rows[int(has_header) :]) if has_labels else ()
    if has_both and (odd := [i for i in range(len(body)) if header[i] != labels[i]]):
        raise InputError(
            f"{path} names row {odd[0] + 1} {labels[odd[0]]!r} and column {odd[0] + 1} "
            f"{header[odd[0]]!r}: put both in the same order."
        )
    square = np.array([[_number(path, cell) for cell in row] for row in body])
    corner = rows[0][0] if has_both else ""
    return Stored(path.stem, square, header or labels, corner or "unknown")


def _pairs_of(path: Path, rows: list[list[str]]) -> Stored:
    """Read three columns: condition, other condition, value."""
    values: dict[frozenset[str], float] = {}
    for a, b, cell in rows[1:]:
        value, pair = _number(path, cell), frozenset((a, b))
        if values.setdefault(pair, value) != value:
            raise InputError(
                f"{path} gives {a!r} and {b!r} the dissimilarities {values[pair]:g} and "
                f"{value:g}: give each pair once."
            )
    names = tuple(dict.fromkeys(name for row in rows[1:] for name in row[:2]))
    square = np.zeros((len(names), len(names)))
    for i, name in enumerate(names):
        square[i, i] = values.get(frozenset((name,)), 0.0)
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        if frozenset((a, b)) not in values:
            raise InputError(f"{path} has no dissimilarity of {a!r} and {b!r}: give every pair.")
        square[i, j] = square[j, i] = values[frozenset((a, b))]
    return Stored(path.stem, square, names)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(path: Path, cell: str) -> float:
    if cell and not _is_number(cell):
        raise InputError(f"{path} holds {cell!r} where a dissimilarity should be: give a number.")
    return float(cell or "nan")


def _read_matlab(path: Path) -> Iterator[Stored]:
    from scipy.io import loadmat

    try:
        variables = loadmat(path, struct_as_record=True, chars_as_strings=True)
    except NotImplementedError as error:
        raise InputError(
            f"{path} is a .mat file of version 7.3: save it in MATLAB with the option '-v7'."
        ) from error
    except Exception as error:  # what scipy raises on damaged files is of many types
        raise InputError(f"{path} is no .mat file, or is damaged ({error}).") from error
    variables = {key: value for key, value in variables.items() if not key.startswith("__")}
    found = [
        (name, square) for key, value in variables.items() for name, square in _squares(key, value)
    ]
    texts = [_texts(value) for value in variables.values()]
    for name, square in found:
        fitting = [names for names in texts if len(names) == len(square)]
        yield Stored(name, square, fitting[0] if len(fitting) == 1 else ())


def _squares(name: str, value: Any) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Find squares in a MATLAB variable, with their names."""
    if not isinstance(value, np.ndarray):
        return
    if value.dtype.names and "RDM" in value.dtype.names:
        for index, one in enumerate(value.ravel()):
            own = "".join(map(str, np.ravel(one["name"]))) if "name" in value.dtype.names else ""
            alone = name if value.size == 1 else f"{name}({index + 1})"
            yield from _squares(own or alone, one["RDM"])
    elif value.dtype.kind in "fiub" and value.ndim >= 2 and _is_square(value):
        stack = value.reshape(*value.shape[:2], -1)
        for index in range(stack.shape[2]):
            alone = name if stack.shape[2] == 1 else f"{name}({index + 1})"
            yield alone, stack[:, :, index].astype(np.float64)


def _is_square(value: NDArray[Any]) -> bool:
    # In MATLAB every number is a matrix: what has fewer than three rows is something else.
    return bool(value.shape[0] == value.shape[1] >= 3)


def _texts(value: Any) -> tuple[str, ...]:
    """Read a cell array of text as names."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "O":
        return ()
    cells = [np.ravel(cell) for cell in value.ravel()]
    if all(len(cell) == 1 and cell.dtype.kind == "U" for cell in cells):
        return tuple(str(cell[0]) for cell in cells)
    return ()


def _read_rsatoolbox(path: Path) -> Iterator[Stored]:
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"Reading {path} takes h5py: install it with pip install h5py.") from error
    try:
        with h5py.File(path, "r") as file:
            content = _content(file)
    except OSError as error:
        raise InputError(f"{path} is no HDF5 file, or is damaged ({error}).") from error
    if "dissimilarities" not in content:
        raise InputError(
            f"{path} holds no dissimilarities: save RDMs with rsatoolbox.rdm.RDMs.save."
        )
    stack = np.atleast_2d(np.asarray(content["dissimilarities"], dtype=np.float64))
    n = n_conditions_of(stack.shape[1])
    conditions = _descriptor(content.get("pattern_descriptors", {}), n)
    names = _descriptor(content.get("rdm_descriptors", {}), len(stack))
    measure = str(content.get("dissimilarity_measure") or "unknown")
    for index, condensed in enumerate(stack):
        alone = path.stem if len(stack) == 1 else f"{path.stem}({index + 1})"
        yield Stored(
            names[index] if names else alone,
            np.asarray(squareform(condensed, checks=False)),
            conditions,
            measure,
        )


def _content(group: Any) -> dict[str, Any]:
    """Read a group of HDF5: its groups, datasets and attributes."""
    content: dict[str, Any] = dict(group.attrs)
    for key, value in group.items():
        if hasattr(value, "items"):
            content[key] = _content(value)
        else:
            content[key] = None if value.shape is None else value[()]
    return content


def _descriptor(descriptors: dict[str, Any], n: int) -> tuple[str, ...]:
    """Choose the descriptor that names: the first of text that tells all n apart."""
    for _, values in sorted(descriptors.items()):
        texts = [v.decode() if isinstance(v, bytes) else v for v in np.ravel(values)]
        if len(texts) == n == len(set(texts)) and all(isinstance(text, str) for text in texts):
            return tuple(map(str, texts))
    return ()


_READERS: dict[str, Callable[[Path], Iterator[Stored]]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".mat": _read_matlab,
    ".hdf5": _read_rsatoolbox,
    ".h5": _read_rsatoolbox,
}
