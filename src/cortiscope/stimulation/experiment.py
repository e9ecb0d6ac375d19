"""What is to be done to a subject and read from it: all that `stimulate` takes but the subject."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cortiscope.ledger import fingerprint
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.readout import Readout
from cortiscope.stimuli import StimulusSet


@dataclass(frozen=True, eq=False)
class Experiment:
    """Stimuli, conditions and readouts.

    Parameters
    ----------
    stimuli : StimulusSet
        What is shown: words that nothing in the conditions and readouts was fitted on.
    conditions : tuple of Condition
        What is done, the clean condition among them where it is compared with.
    readouts : tuple of Readout
        What is read under each.
    """

    stimuli: StimulusSet
    conditions: tuple[Condition, ...]
    readouts: tuple[Readout, ...]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all of it."""
        return fingerprint(
            {
                "stimuli": self.stimuli.fingerprint,
                "conditions": [condition.fingerprint for condition in self.conditions],
                "readouts": [readout.fingerprint for readout in self.readouts],
            }
        )
