"""What is to be done to a subject and read from it: all that `stimulate` takes but the subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from cortiscope.ledger import fingerprint
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.readout import Readout
from cortiscope.stimulation.response import Response
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
    follow_up : callable, optional
        Takes the response and gives the experiment that comes next: where what is to be done is
        chosen by what was found, on stimuli that had no part in it.
    """

    stimuli: StimulusSet
    conditions: tuple[Condition, ...]
    readouts: tuple[Readout, ...]
    follow_up: Callable[[Response], Experiment] | None = None

    def carried_out(self, show: Callable[[Experiment], Response]) -> Response:
        """Do it, and what follows from it.

        Parameters
        ----------
        show : callable
            Stimulates a subject as one experiment says.

        Returns
        -------
        Response
            The last one, which is what an instrument reads.
        """
        response = show(self)
        return response if self.follow_up is None else self.follow_up(response).carried_out(show)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all of it but what follows."""
        return fingerprint(
            {
                "stimuli": self.stimuli.fingerprint,
                "conditions": [condition.fingerprint for condition in self.conditions],
                "readouts": [readout.fingerprint for readout in self.readouts],
            }
        )
