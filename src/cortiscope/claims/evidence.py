"""What a control found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Evidence:
    """The outcome of one control on one claim.

    Attributes
    ----------
    control : str
        Its name.
    survived : bool or None
        Whether the claim survived it; None when the control could not run.
    statement : str
        What was found, as half a sentence that can follow the control's name.
    numbers : dict
        The figures behind it, for the report and its plots.
    """

    control: str
    survived: bool | None
    statement: str
    numbers: dict[str, Any] = field(default_factory=dict)
