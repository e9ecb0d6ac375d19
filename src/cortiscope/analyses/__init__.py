"""One instrument a file: pure functions of recordings that return a Result."""

from cortiscope.analyses.abilities import abilities
from cortiscope.analyses.additivity import additivity
from cortiscope.analyses.cka import cka
from cortiscope.analyses.concept_rank import concept_rank
from cortiscope.analyses.connectome import connectome
from cortiscope.analyses.decode import decode
from cortiscope.analyses.dimensionality import dimensionality
from cortiscope.analyses.dynamic_connectome import dynamic_connectome
from cortiscope.analyses.generalize import generalize
from cortiscope.analyses.graph_measures import graph_measures
from cortiscope.analyses.instrument import Instrument, Readable
from cortiscope.analyses.instruments import INSTRUMENTS
from cortiscope.analyses.lesion import lesion
from cortiscope.analyses.localize import localize
from cortiscope.analyses.magnitude import magnitude
from cortiscope.analyses.neighbour_alignment import neighbour_alignment
from cortiscope.analyses.nonlinear_gap import nonlinear_gap
from cortiscope.analyses.regions import regions
from cortiscope.analyses.result import Result, value_at
from cortiscope.analyses.result_series import FEWEST_SUBJECTS, ResultSeries
from cortiscope.analyses.retention import retention
from cortiscope.analyses.rsa import rsa
from cortiscope.analyses.selectivity import selectivity
from cortiscope.analyses.spread import spread
from cortiscope.analyses.steerability import steerability
from cortiscope.analyses.topography import topography
from cortiscope.analyses.trend import trend
from cortiscope.analyses.unit_lesion import unit_lesion

__all__ = [
    "FEWEST_SUBJECTS",
    "INSTRUMENTS",
    "Instrument",
    "Readable",
    "Result",
    "ResultSeries",
    "abilities",
    "additivity",
    "cka",
    "concept_rank",
    "connectome",
    "decode",
    "dimensionality",
    "dynamic_connectome",
    "generalize",
    "graph_measures",
    "lesion",
    "localize",
    "magnitude",
    "neighbour_alignment",
    "nonlinear_gap",
    "regions",
    "retention",
    "rsa",
    "selectivity",
    "spread",
    "steerability",
    "topography",
    "trend",
    "unit_lesion",
    "value_at",
]
