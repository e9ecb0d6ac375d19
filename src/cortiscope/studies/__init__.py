"""A protocol, and the runner that walks all the rooms with it."""

from cortiscope.studies.audit import Finding, audit
from cortiscope.studies.protocol import DecodeParameters, Protocol
from cortiscope.studies.runner import run_study

__all__ = ["DecodeParameters", "Finding", "Protocol", "audit", "run_study"]
