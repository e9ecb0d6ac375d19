"""Verdicts as a run holds them, every number of them with its address."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from cortiscope.claims import CALIBRATION, Calibration, Claim, Evidence
from cortiscope.errors import InputError
from cortiscope.ledger import Address, Run
from cortiscope.report.numbers import Number, Style, decimals, number, p_value, statistic

_P_VALUES = ("p", "corrected_p")
_BOUNDS = ("low", "high")
# Thousands of values that no sentence speaks of.
_DRAWS = "null"


@dataclass(frozen=True, eq=False)
class FiledVerdict:
    """One verdict of ``verdicts.json``.

    A number that a Result holds has that Result's address. One that stands in ``verdicts.json``
    alone has the address ``ID:variable[verdict=0,control=surface]`` there.

    Attributes
    ----------
    artifact : str
        Id of ``verdicts.json`` in the ledger.
    index : int
        Its place in that file.
    values : mapping
        As they stand there.
    """

    artifact: str
    index: int
    values: Mapping[str, Any]

    @cached_property
    def claim(self) -> Claim:
        """What was claimed."""
        return Claim.model_validate(self.values["claim"])

    @property
    def subject(self) -> str:
        """Of whom, or ``all``."""
        return str(self.values["subject"])

    @property
    def outcome(self) -> str:
        """Supported, not supported, inconclusive or invalid."""
        return str(self.values["outcome"])

    @property
    def decided_by(self) -> str:
        """What decided it: ``test``, ``power``, ``calibration``, or the name of a control."""
        return str(self.values["decided_by"])

    @property
    def sentence(self) -> str:
        """Why, in one sentence."""
        return str(self.values["sentence"])

    @property
    def address(self) -> Address:
        """Where its estimate is kept."""
        return Address.parse(self.values["address"])

    @property
    def estimate(self) -> Number:
        """The statistic."""
        return number(self.values["estimate"], statistic, self.address)

    @property
    def low(self) -> Number:
        """Lower bound of its 95% interval."""
        return number(self.values["low"], statistic, _suffixed(self.address, "low"))

    @property
    def high(self) -> Number:
        """Upper bound of its 95% interval."""
        return number(self.values["high"], statistic, _suffixed(self.address, "high"))

    @property
    def corrected_p(self) -> Number:
        """P-value, corrected over all claims of the study."""
        return self.own("corrected_p", self.values["corrected_p"], p_value)

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """What each control found, of those that were run."""
        return {values["control"]: Evidence(**values) for values in self.values["evidence"]}

    @cached_property
    def calibration(self) -> Calibration | None:
        """The instrument's calibration, where the claim asked for one."""
        values = self.values["calibration"]
        if values is None:
            return None
        known = {f.name: values[f.name] for f in fields(Calibration)}
        return Calibration(**known | {"curve": tuple(tuple(point) for point in values["curve"])})

    def place(self, variable: str, **at: object) -> Address:
        """Address of what stands in ``verdicts.json`` alone."""
        where = {"verdict": self.index, **at}
        return Address(self.artifact, variable, tuple((k, str(v)) for k, v in where.items()))

    def own(self, variable: str, value: float, style: Style, **at: object) -> Number:
        """Give a number that stands in ``verdicts.json`` alone its address."""
        return number(value, style, self.place(variable, **at))

    def spoken_numbers(self) -> list[Number]:
        """Collect the numbers that its sentence may speak of, those of what decided it first."""
        p = [self.own(name, self.values[name], decimals(4)) for name in _P_VALUES]
        others = sorted(self.evidence, key=lambda control: control != self.decided_by)
        return [
            *(
                number(n.value, decimals(3), n.address)
                for n in (self.estimate, self.low, self.high)
            ),
            *reversed(p),
            *self.calibration_numbers(),
            *(n for control in others for n in self.numbers_of(self.evidence[control])),
        ]

    def numbers_of(self, evidence: Evidence, name: str | None = None) -> list[Number]:
        """Collect what a control measured, as its statement writes it; all, or those of a name."""
        found = self._walk(evidence.numbers, {"control": evidence.control})
        return [value for known, value in found if name in (None, known)]

    def calibration_numbers(self) -> list[Number]:
        """Collect what calibration measured, as its statement writes it."""
        if self.calibration is None:
            return []
        names = [
            name + suffix
            for name in ("power", "false_positive")
            for suffix in ("" if name == "power" else "_rate", "_low", "_high")
        ]
        return [
            self.own(name, getattr(self.calibration, name), decimals(2), control=CALIBRATION)
            for name in names
        ]

    def _walk(
        self, numbers: Mapping[str, Any], at: Mapping[str, object]
    ) -> Iterator[tuple[str, Number]]:
        held = dict(_addresses(numbers, self.address))
        for name, value in numbers.items():
            style = decimals(4 if name in _P_VALUES else 3)
            if isinstance(value, Mapping):
                yield from self._walk(value, {**at, "condition": name})
            elif isinstance(value, float):
                address = held.get((name, None), self.place(name, **at))
                yield name, number(value, style, address)
            elif isinstance(value, list) and name != _DRAWS:
                for index, item in enumerate(value):
                    place = {**at, "index": index}
                    if isinstance(item, Mapping):
                        yield from self._walk(item, place)
                    elif isinstance(item, float):
                        address = held.get((name, index), self.place(name, **place))
                        yield name, number(item, style, address)


def _addresses(
    numbers: Mapping[str, Any], estimate: Address
) -> Iterator[tuple[tuple[str, int | None], Address]]:
    """Find which of a control's numbers a Result holds: by name, and by place in a list."""
    if "address" in numbers:
        address = Address.parse(numbers["address"])
        yield ("estimate", None), address
        for bound in _BOUNDS:
            yield (bound, None), _suffixed(address, bound)
    elif "estimate" in numbers:
        yield ("estimate", None), estimate
    # Several addresses belong to the list of values, or else to as many of the numbers, in order.
    places: Iterator[tuple[str, int | None]] = (
        (("values", index) for index in range(len(numbers["values"])))
        if "values" in numbers
        else ((name, None) for name in numbers)
    )
    yield from zip(places, map(Address.parse, numbers.get("addresses", ())), strict=False)


def _suffixed(address: Address, suffix: str) -> Address:
    return Address(address.artifact, f"{address.variable}_{suffix}", address.at)


def filed_verdicts(run: Run) -> tuple[FiledVerdict, ...] | None:
    """Read the verdicts of a run.

    Parameters
    ----------
    run : Run
        A run.

    Returns
    -------
    tuple of FiledVerdict or None
        None where none were filed, as in a run from before there were claims.

    Raises
    ------
    InputError
        When the ledger lists verdicts that are missing or damaged.
    """
    for entry in run.entries():
        if entry.kind == "verdicts":
            path = run.path / entry.path
            try:
                filed = json.loads(path.read_text(encoding="utf-8"))
                verdicts = tuple(FiledVerdict(entry.id, i, v) for i, v in enumerate(filed))
                for verdict in verdicts:
                    _ = verdict.claim, verdict.spoken_numbers()
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                msg = f"{path} is missing or damaged ({error!r}): run the study again."
                raise InputError(msg) from error
            return verdicts
    return None
