"""Verdicts: supported, not supported, inconclusive, or invalid, each with a sentence why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cortiscope.claims.calibration import Calibration
from cortiscope.claims.claim import Claim
from cortiscope.claims.effect import Effect
from cortiscope.claims.evidence import Evidence

Outcome = Literal["supported", "not supported", "inconclusive", "invalid"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What became of one claim about one subject.

    Attributes
    ----------
    claim : Claim
        The claim.
    subject : str
        Of whom, or ``all``.
    outcome : str
        One of the four.
    decided_by : str
        What decided it: ``test``, ``calibration``, ``power``, or the name of a control.
    sentence : str
        One plain sentence that says why.
    effect : Effect
        The statistic.
    p, corrected_p : float
        P-value, and the same corrected over all claims of the study.
    evidence : tuple of Evidence
        Of each control that was run.
    calibration : Calibration or None
        Of the instrument, at this study's size.
    """

    claim: Claim
    subject: str
    outcome: Outcome
    decided_by: str
    sentence: str
    effect: Effect
    p: float
    corrected_p: float
    evidence: tuple[Evidence, ...]
    calibration: Calibration | None

    def to_dict(self) -> dict[str, Any]:
        """Lay it out as JSON."""
        return {
            "claim": self.claim.model_dump(mode="json", exclude_none=True),
            "subject": self.subject,
            "outcome": self.outcome,
            "decided_by": self.decided_by,
            "sentence": self.sentence,
            "estimate": self.effect.estimate,
            "low": self.effect.low,
            "high": self.effect.high,
            "none": self.effect.none,
            "address": self.effect.address,
            "p": self.p,
            "corrected_p": self.corrected_p,
            "evidence": [
                {
                    "control": evidence.control,
                    "survived": evidence.survived,
                    "statement": evidence.statement,
                    "numbers": evidence.numbers,
                }
                for evidence in self.evidence
            ],
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
        }
