"""Graphs of units: built from correlations, measured, and compared with random ones."""

from cortiscope.statistics.graphs.graph import Graph

__all__ = ["Graph"]
