"""What can be read of a subject under a condition, one readout a file."""

from cortiscope.stimulation.readouts.answers import AnswerLogOdds
from cortiscope.stimulation.readouts.asked_once import AskedOnce
from cortiscope.stimulation.readouts.continuation import Continuation
from cortiscope.stimulation.readouts.divergence import OutputKL, Top1Change
from cortiscope.stimulation.readouts.final_norm import FinalNorm
from cortiscope.stimulation.readouts.own_answers import OwnAnswers
from cortiscope.stimulation.readouts.perplexity import Perplexity, neutral_text
from cortiscope.stimulation.readouts.probe import ProbeReadout

__all__ = [
    "AnswerLogOdds",
    "AskedOnce",
    "Continuation",
    "FinalNorm",
    "OutputKL",
    "OwnAnswers",
    "Perplexity",
    "ProbeReadout",
    "Top1Change",
    "neutral_text",
]
