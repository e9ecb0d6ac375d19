"""Lesion, inject, scale and patch activations; what the subject then does."""

from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.experiment import Experiment
from cortiscope.stimulation.intervention import Inject, Intervention, Scale
from cortiscope.stimulation.lesion import Lesion, units_of_head
from cortiscope.stimulation.patch import Patch
from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row, stimulus_rows
from cortiscope.stimulation.response import Response
from cortiscope.stimulation.stimulate import stimulate
from cortiscope.stimulation.sweep_plan import SweepPlan, plan_sweep
from cortiscope.stimulation.where import Where

__all__ = [
    "Condition",
    "Experiment",
    "Inject",
    "Intervention",
    "Lesion",
    "Needs",
    "Outputs",
    "Patch",
    "Readout",
    "Response",
    "Row",
    "Scale",
    "SweepPlan",
    "Where",
    "plan_sweep",
    "stimulate",
    "stimulus_rows",
    "units_of_head",
]
