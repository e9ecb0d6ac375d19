"""A protocol, and the runner that walks all the rooms with it."""

from cortiscope.studies.audit import Finding, audit
from cortiscope.studies.planning import StudyPlan, plan_study
from cortiscope.studies.protocol import Protocol, Step, shipped_protocols
from cortiscope.studies.runner import run_study
from cortiscope.studies.trial import read_verdicts

__all__ = [
    "Finding",
    "Protocol",
    "Step",
    "StudyPlan",
    "audit",
    "plan_study",
    "read_verdicts",
    "run_study",
    "shipped_protocols",
]
