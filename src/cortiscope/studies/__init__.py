"""A protocol, and the runner that walks all the rooms with it."""

from cortiscope.studies.audit import Finding, audit
from cortiscope.studies.protocol import Protocol, Step, shipped_protocols
from cortiscope.studies.runner import run_study

__all__ = ["Finding", "Protocol", "Step", "audit", "run_study", "shipped_protocols"]
