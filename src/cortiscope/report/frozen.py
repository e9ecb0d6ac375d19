"""What a run's protocol froze: its steps and claims, and when."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from cortiscope.analyses import INSTRUMENTS, Result
from cortiscope.errors import InputError
from cortiscope.ledger import LedgerEntry, Run
from cortiscope.studies import Step

_FILE = "protocol.toml"


@dataclass(frozen=True, eq=False)
class Frozen:
    """The protocol of a run.

    Attributes
    ----------
    values : mapping
        As they stand in the file.
    entry : LedgerEntry or None
        Its line in the ledger.
    is_before_scan : bool
        Whether that line was written before that of any recording.
    steps : mapping of str to Step
        By name; those that this version does not know are left out.
    """

    values: Mapping[str, Any]
    entry: LedgerEntry | None
    is_before_scan: bool
    steps: Mapping[str, Step] = field(default_factory=dict)

    @property
    def study(self) -> str:
        """The study's name."""
        return str(self.values["study"])

    @property
    def alpha(self) -> float:
        """Level of the study."""
        return float(self.values.get("alpha", 0.05))

    @property
    def n_claims(self) -> int:
        """How many claims it makes."""
        return len(self.values.get("claims", ()))

    @property
    def correction(self) -> str:
        """How claims are corrected together, in words."""
        names = {"bh": "Benjamini–Hochberg", "by": "Benjamini–Yekutieli"}
        return names[self.values.get("correction", "bh")]

    @property
    def steps_of_one(self) -> tuple[str, ...]:
        """Steps that read one subject."""
        return tuple(
            name
            for name, step in self.steps.items()
            if not step.instrument.is_of_pairs and not step.instrument.is_of_series
        )

    @property
    def steps_of_series(self) -> tuple[str, ...]:
        """Steps that read what others found in all subjects."""
        return tuple(name for name, step in self.steps.items() if step.instrument.is_of_series)

    def steps_of_pairs(self, with_rdm: bool = False) -> tuple[str, ...]:
        """Find the steps that compare two recordings, or one with an RDM."""
        return tuple(
            name
            for name, step in self.steps.items()
            if step.instrument.is_of_pairs and (step.instrument.takes_rdm or not with_rdm)
        )

    def steps_of(self, result: Result) -> tuple[str, ...]:
        """Find the steps that asked for a result.

        Returns
        -------
        tuple of str
            Empty when none did. Of a protocol without steps, as it was before there were claims,
            every analysis is one.
        """
        if not self.steps:
            name = f"{result.analysis} {result.parameters.get('site', '')}".strip()
            return (name,) if result.analysis in INSTRUMENTS else ()
        asked = _canonical(result.parameters)
        return tuple(
            name
            for name, step in self.steps.items()
            if step.analysis == result.analysis and _canonical(step.parameters) == asked
        )


def read_frozen(run: Run) -> Frozen:
    """Read the protocol of a run, one of an earlier version too.

    Parameters
    ----------
    run : Run
        A run.

    Returns
    -------
    Frozen
        What it says.

    Raises
    ------
    InputError
        When it is missing or damaged.
    """
    path = run.path / _FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        _ = str(values["study"])
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path} is missing or damaged ({error}): restore it, or run the study again."
        raise InputError(msg) from error
    kinds = [entry.kind for entry in run.entries()]
    entry = next((entry for entry in run.entries() if entry.kind == "protocol"), None)
    is_before = "protocol" in kinds and (
        "recording" not in kinds or kinds.index("protocol") < kinds.index("recording")
    )
    return Frozen(values, entry, is_before, _steps(values.get("steps", {})))


def _steps(values: Mapping[str, Any]) -> dict[str, Step]:
    steps = {}
    for name, step in values.items():
        try:
            steps[name] = Step.model_validate(step)
        except ValidationError:  # of an analysis that is not installed here
            continue
    return steps


def _canonical(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True, default=list)
