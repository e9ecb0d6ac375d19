"""Forward passes with hooks, streamed to disk."""

from cortiscope.scanning.plan import Plan, plan
from cortiscope.scanning.recording import Recording
from cortiscope.scanning.scan import scan

__all__ = ["Plan", "Recording", "plan", "scan"]
