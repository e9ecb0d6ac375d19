"""Looking up: the artifact that an id names, and the number that an address names."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import xarray as xr

from cortiscope.analyses import Result
from cortiscope.claims import CALIBRATION
from cortiscope.errors import InputError
from cortiscope.ledger import Address, LedgerEntry, Run
from cortiscope.stimuli import StimulusSet
from cortiscope.stimuli.description import Description


class Lookup:
    """The artifacts of a run by id; what is read once is kept.

    Parameters
    ----------
    run : Run
        The run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._held: dict[str, Any] = {}
        self._named: dict[str, dict[str, xr.DataArray]] = {}

    @cached_property
    def entries(self) -> dict[str, LedgerEntry]:
        """All artifacts by id."""
        return {entry.id: entry for entry in self.run.entries()}

    def find(self, address: str) -> tuple[LedgerEntry, float | None]:
        """Find what an address, an id or a path in the run names.

        Parameters
        ----------
        address : str
            ``ID:variable[layer=3,category=animal]``, the id of an artifact, or a path in the run.

        Returns
        -------
        LedgerEntry, float or None
            The artifact, and the number where the address names one.

        Raises
        ------
        InputError
            When there is no such artifact or number, saying what there is.
        """
        if address in self.entries:
            return self.entries[address], None
        path, folder = Path(address), self.run.path.resolve()
        if path.exists() and path.resolve().is_relative_to(folder):
            address = path.resolve().relative_to(folder).as_posix()
        if (at_path := self.at_path(address)) is not None:
            return at_path, None
        if ":" not in address:
            return self.entry(address), None
        parsed = Address.parse(address)
        return self.entry(parsed.artifact), self.number(parsed)

    def entry(self, artifact_id: str) -> LedgerEntry:
        """Find an artifact by its id.

        Raises
        ------
        InputError
            Naming ids that are like it.
        """
        if artifact_id not in self.entries:
            near = difflib.get_close_matches(artifact_id, self.entries, n=3, cutoff=0.5)
            raise InputError(
                f"{self.run.path} holds no artifact {artifact_id!r}: "
                + (
                    f"near it are {', '.join(self._said(i) for i in near)}."
                    if near
                    else "its ledger and its report list them all."
                )
            )
        return self.entries[artifact_id]

    def of_kind(self, *kinds: str) -> list[LedgerEntry]:
        """Give all artifacts of some kinds, in the order written."""
        return [entry for entry in self.entries.values() if entry.kind in kinds]

    def at_path(self, path: str) -> LedgerEntry | None:
        """Find the artifact that a path in the run belongs to, a file inside a folder's too."""
        path = path.rstrip("/")
        for entry in self.entries.values():
            own = (entry.path, f"{entry.path.removesuffix('.json')}.zarr")
            if path in own or path.startswith(tuple(f"{folder}/" for folder in own)):
                return entry
        return None

    def result(self, entry: LedgerEntry) -> Result:
        """Open a result."""
        if entry.id not in self._held:
            self._held[entry.id] = Result.open(self.run.path / entry.path)
        result: Result = self._held[entry.id]
        return result

    def document(self, entry: LedgerEntry) -> Any:
        """Read an artifact that is a JSON file.

        Raises
        ------
        InputError
            When it is missing or damaged.
        """
        if entry.id not in self._held:
            path = self.run.path / entry.path
            try:
                self._held[entry.id] = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                msg = f"{path} is missing or damaged ({error}): run the study again."
                raise InputError(msg) from error
        return self._held[entry.id]

    def number(self, address: Address) -> float:
        """Read the number that an address names.

        Raises
        ------
        InputError
            When there is none, saying what there is.
        """
        entry = self.entry(address.artifact)
        at = dict(address.at)
        if entry.kind in ("result", "control"):
            variables = self._variables(entry)
            if address.variable not in variables:
                raise _unknown(f"result {entry.id}", "variable", address.variable, variables)
            return _single(variables[address.variable], address.variable, at)
        if entry.kind == "stimuli":
            return _in_description(self._description(entry), address.variable, at)
        if entry.kind == "subject":
            return _in_record(self.document(entry), address.variable, at)
        if entry.kind == "verdicts":
            return _in_verdicts(self.document(entry), address.variable, at)
        if entry.kind == "calibration":
            return _value(self.document(entry), address.variable, "the calibration")
        raise InputError(
            f"{entry.path} holds no numbers that have an address: trace {entry.id} itself."
        )

    def _variables(self, entry: LedgerEntry) -> dict[str, xr.DataArray]:
        if entry.id not in self._named:
            self._named[entry.id] = dict(_variables_of(self.result(entry)))
        return self._named[entry.id]

    def _description(self, entry: LedgerEntry) -> Description:
        if entry.id not in self._held:
            self._held[entry.id] = StimulusSet.open(self.run.path / entry.path).describe()
        description: Description = self._held[entry.id]
        return description

    def _said(self, artifact_id: str) -> str:
        return f"{artifact_id} ({self.entries[artifact_id].path})"


def _variables_of(result: Result) -> Iterator[tuple[str, xr.DataArray]]:
    """Give all variables of a result by the names that addresses use."""
    for name, number in {**result.n, **result.estimates.attrs}.items():
        yield name, xr.DataArray(number)
    for name, values in result.estimates.data_vars.items():
        yield str(name), values
    for name, values in result.p_values.data_vars.items():
        yield f"{name}_p", values
    for name, values in result.intervals.data_vars.items():
        for bound in ("low", "high"):
            yield f"{name}_{bound}", values.sel(bound=bound, drop=True)


def _single(values: xr.DataArray, variable: str, at: Mapping[str, str]) -> float:
    for dim, place in at.items():
        if dim not in values.dims:
            raise _unknown(variable, "dim", dim, values.dims)
        places = {str(coordinate): coordinate for coordinate in values[dim].values}
        if place not in places:
            raise _unknown(variable, dim, place, places)
        values = values.sel({dim: places[place]})
    if values.dims:
        dim = str(values.dims[0])
        raise InputError(
            f"{variable} is no single number: say which {dim}, as in "
            f"[{dim}={values[dim].values[0]}]; there {_listed(values[dim].values)}."
        )
    return float(values)


def _in_description(description: Description, column: str, at: Mapping[str, str]) -> float:
    frames = {"category": description.categories, "feature": description.mismatch}
    axes = {axis: frame for axis, frame in frames.items() if column in frame.columns}
    if not axes:
        known = [str(name) for frame in frames.values() for name in frame.columns]
        raise _unknown("the description of the stimuli", "variable", column, known)
    ((axis, frame),) = axes.items()
    rows = {str(row): value for row, value in frame[column].to_dict().items()}
    if set(at) != {axis}:
        raise InputError(f"{column} is no single number: say which {axis}; there {_listed(rows)}.")
    return _value(rows, at[axis], column, axis)


def _in_record(record: Mapping[str, Any], variable: str, at: Mapping[str, str]) -> float:
    if variable != "error":
        return _value(record, variable, str(record["name"]))
    # The largest error of a site's proof.
    errors = {
        site["site"]: [check["error"] for check in site["checks"] if check["error"] is not None]
        for site in record["proof"]["sites"]
    }
    largest = {site: max(found) for site, found in errors.items() if found}
    return _value(largest, at.get("site", ""), "error", "site")


def _in_verdicts(verdicts: list[Mapping[str, Any]], variable: str, at: Mapping[str, str]) -> float:
    by_index = {str(index): verdict for index, verdict in enumerate(verdicts)}
    verdict = _item(by_index, at.get("verdict", ""), "verdicts.json", "verdict")
    control = at.get("control")
    if control is None:
        return _value(verdict, variable, "the verdict")
    if control == CALIBRATION and verdict["calibration"] is not None:
        return _value(verdict["calibration"], variable, "the calibration")
    evidence = {found["control"]: found["numbers"] for found in verdict["evidence"]}
    numbers = _item(evidence, control, "the verdict", "control")
    if "condition" in at:
        numbers = _item(numbers, at["condition"], control, "condition")
    if "index" in at:
        return _value(
            _listed_items(numbers, variable), at["index"], f"{control}:{variable}", "index"
        )
    return _value(numbers, variable, control)


def _listed_items(numbers: Mapping[str, Any], variable: str) -> dict[str, Any]:
    """Give the values of a list, or those of its rows under one name, by their index."""
    if isinstance(numbers.get(variable), list):
        return {str(index): value for index, value in enumerate(numbers[variable])}
    for rows in numbers.values():
        if isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows):
            return {str(i): row[variable] for i, row in enumerate(rows) if variable in row}
    return {}


def _value(values: Mapping[str, Any], name: str, of: str, what: str = "variable") -> float:
    numbers = {
        key: value
        for key, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    return float(_item(numbers, name, of, what))


def _item(values: Mapping[str, Any], name: str, of: str, what: str) -> Any:
    if name not in values:
        raise _unknown(of, what, name, values)
    return values[name]


def _unknown(of: str, what: str, name: str, known: Iterable[Any]) -> InputError:
    said = f"no {what} {name!r}" if name else f"no single number without a {what}"
    return InputError(f"{of} has {said}: there {_listed(known)}.")


def _listed(known: Iterable[Any]) -> str:
    names = [str(name) for name in known]
    if not names:
        return "is none"
    return ("is " if len(names) == 1 else "are ") + ", ".join(names)
