"""A protocol, and the runner that walks all the rooms with it."""

from cortiscope.studies.audit import Finding, audit
from cortiscope.studies.comparing import comparing_protocol
from cortiscope.studies.crate import write_crate
from cortiscope.studies.planning import StudyPlan, plan_study
from cortiscope.studies.protocol import Protocol, Step, shipped_protocols
from cortiscope.studies.reproduce import Comparison, reproduce
from cortiscope.studies.runner import run_study
from cortiscope.studies.steering import Steered, concept_directions, steer
from cortiscope.studies.trace import Chain, trace
from cortiscope.studies.trial import read_verdicts

__all__ = [
    "Chain",
    "Comparison",
    "Finding",
    "Protocol",
    "Steered",
    "Step",
    "StudyPlan",
    "audit",
    "comparing_protocol",
    "concept_directions",
    "plan_study",
    "read_verdicts",
    "reproduce",
    "run_study",
    "shipped_protocols",
    "steer",
    "trace",
    "write_crate",
]
