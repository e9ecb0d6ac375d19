"""What is read out of recordings and lives on without them: RDMs, directions, probes, erasers."""

from cortiscope.codes.connectome import Connectome
from cortiscope.codes.control_vector import export_gguf
from cortiscope.codes.direction import Direction
from cortiscope.codes.direction_fits import directions_of, fit_directions, random_directions
from cortiscope.codes.eraser import Eraser, fit_erasers
from cortiscope.codes.probe import Probe, fit_probe, probe_of
from cortiscope.codes.rdm import MEASURES, RDM

__all__ = [
    "MEASURES",
    "RDM",
    "Connectome",
    "Direction",
    "Eraser",
    "Probe",
    "directions_of",
    "export_gguf",
    "fit_directions",
    "fit_erasers",
    "fit_probe",
    "probe_of",
    "random_directions",
]
