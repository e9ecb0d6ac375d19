"""Figures and the HTML report, written from what a run's folder holds and nothing else."""

from cortiscope.report.write import write_report

__all__ = ["write_report"]
