"""Hypotheses, controls, calibration, multiplicity, verdicts: the gate."""

from cortiscope.claims.bench import Bench
from cortiscope.claims.brain import (
    RULE,
    BrainProperty,
    Likeness,
    LikenessWord,
    Reference,
    beside_brain,
    brain_properties,
)
from cortiscope.claims.calibration import Calibration, calibrate
from cortiscope.claims.claim import Claim, check_attainable
from cortiscope.claims.effect import Effect
from cortiscope.claims.evidence import Evidence
from cortiscope.claims.gate import CALIBRATION, Case, check_controls, judge
from cortiscope.claims.on_phantoms import phantom_that_calibrates
from cortiscope.claims.phantom_check import check_on_phantoms, failures
from cortiscope.claims.verdict import Verdict

__all__ = [
    "CALIBRATION",
    "RULE",
    "Bench",
    "BrainProperty",
    "Calibration",
    "Case",
    "Claim",
    "Effect",
    "Evidence",
    "Likeness",
    "LikenessWord",
    "Reference",
    "Verdict",
    "beside_brain",
    "brain_properties",
    "calibrate",
    "check_attainable",
    "check_controls",
    "check_on_phantoms",
    "failures",
    "judge",
    "phantom_that_calibrates",
]
