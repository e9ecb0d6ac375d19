"""The type that declares an analysis: what it reads, what it follows, what it must see."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cortiscope.analyses.result import Result, result_id
from cortiscope.analyses.result_series import ResultSeries
from cortiscope.analyses.source import source_of
from cortiscope.codes import RDM
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.stimulation import Experiment, Response
from cortiscope.stimuli import StimulusSet

if TYPE_CHECKING:
    import plotly.graph_objects as go

Readable = Recording | RDM | Response | ResultSeries
"""What an instrument may read: a recording, an RDM in its place, a response, or other results."""


@dataclass(frozen=True)
class Instrument:
    """An analysis as the house knows it.

    Its function takes one Recording, or a pair, and then keyword parameters, as far as they apply
    under these names: ``target`` and ``groups`` (labels), ``site``, ``n_permutations``,
    ``n_bootstrap``, ``n_jackknife``, ``seed``; controls and calibrations set those that it has.

    Attributes
    ----------
    name : str
        The same in Python, in protocols and in the docs.
    summary : str
        One line.
    reads : tuple of str
        Names of those of its parameters that are recordings, one or two; ``("response",)``; or
        ``("series",)``, what other steps found in all subjects, which its parameters ``of`` and
        ``against`` name.
    reference : str
        The definition that it follows.
    run : callable
        The function, which returns a Result.
    takes_rdm : bool
        Whether the second of a pair may be an RDM, which stands in for a model.
    experiment : callable, optional
        Of an instrument that reads a response: takes the subject's clean recording, the stimuli and
        the instrument's own parameters, and returns the `Experiment` that gives the response.
    detects, silent_on : tuple of str
        Phantoms that it must detect, the one that calibrates it first, and those on which it must
        stay silent.
    attainable : callable, optional
        Of an instrument whose null does not come from as many draws as a study takes of
        permutations: takes its parameters and the number of subjects, gives the most draws that
        there are, and what would give more, such as ``raise n_rotations``.
    null_is : str
        What its estimates are tested against, as it is said after "against".
    switches : mapping of str to tuple of str
        Parameters that switch variables on and off, which calibration and controls spare unless
        they are about one of them.
    lighter : callable, optional
        Of an instrument that reads a response: takes the name of a variable and the parameters, and
        gives parameters that spare conditions which the variable does not need, where calibration
        and controls do the experiment again. The variable means the same with them.
    against_random : mapping of str to tuple of str
        For variables of lesions and injections, those that compare them with random units or
        directions of the same number, layer and length.
    figure : callable
        Draws results, a mapping of labels to Results, into one plotly figure.
    headline : str
        The scalar variable that says in one number whether it found something.
    """

    name: str
    summary: str
    reference: str
    run: Callable[..., Result]
    figure: Callable[[Mapping[str, Any]], go.Figure]
    headline: str
    reads: tuple[str, ...] = ("recording",)
    takes_rdm: bool = False
    experiment: Callable[..., Experiment] | None = None
    detects: tuple[str, ...] = ()
    silent_on: tuple[str, ...] = ()
    attainable: Callable[[Mapping[str, Any], int], tuple[int, str]] | None = None
    null_is: str = "permuted words"
    switches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lighter: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] | None = None
    against_random: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """Parameters of the function at their defaults, the recordings left out."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.run).parameters.items()
            if name not in self.reads and parameter.default is not inspect.Parameter.empty
        }

    @property
    def source(self) -> str:
        """Fingerprint of the code that its results depend on."""
        return source_of(self.run.__module__)

    @property
    def is_of_pairs(self) -> bool:
        """Whether it compares two recordings."""
        return len(self.reads) == 2

    @property
    def is_of_series(self) -> bool:
        """Whether it reads what other steps found in all subjects."""
        return self.reads == ("series",)

    @property
    def said_to_read(self) -> str:
        """What it reads, in words."""
        if self.is_of_series:
            return "results of all subjects"
        if self.experiment is not None:
            return "a subject's responses"
        return "a pair of recordings" if self.is_of_pairs else "a recording"

    def can_read(self, sources: Sequence[Readable]) -> bool:
        """Whether it measures what lies there: one recording, a pair, or one beside an RDM."""
        if self.experiment is not None or self.is_of_series:
            return False
        may_be_rdm = [False, self.takes_rdm][: len(self.reads)]
        return len(sources) == len(self.reads) and all(
            may or isinstance(source, Recording)
            for may, source in zip(may_be_rdm, sources, strict=True)
        )

    def accepted(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Keep those of some parameters that the function has."""
        return _known_to(self.run, parameters)

    def experiment_on(
        self, recording: Recording, stimuli: StimulusSet, parameters: Mapping[str, Any]
    ) -> Experiment:
        """Plan what is to be done to a subject, from its clean recording."""
        if self.experiment is None:
            msg = f"{self.name} reads recordings: there is nothing to be done to a subject."
            raise InputError(msg)
        return self.experiment(recording, stimuli, **_known_to(self.experiment, parameters))

    def only(self, variable: str) -> dict[str, bool]:
        """Parameters that spare all work which a variable does not need.

        None where a response is read: its experiment was made with all that it was given.
        """
        if self.experiment is not None:
            return {}
        return {name: variable in variables for name, variables in self.switches.items()}

    def lightened(self, variable: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that spare what a variable does not need, where an experiment is done again.

        None where recordings are read, which `only` is for.
        """
        if self.experiment is None:
            return {}
        switched = {name: variable in variables for name, variables in self.switches.items()}
        return switched | dict(self.lighter(variable, parameters) if self.lighter else {})

    def id_for(self, *recordings: Readable, **given: Any) -> str:
        """Id that the result of a recording, or a pair, would have, before any work is done.

        Parameters
        ----------
        *recordings : Recording or RDM
            What would be analysed.
        **given
            Parameters of the function; the others have their defaults.

        Returns
        -------
        str
            The same as the id of ``run(*recordings, **given)``.
        """
        arguments = inspect.signature(self.run).bind(*recordings, **given)
        arguments.apply_defaults()
        parameters = {k: v for k, v in arguments.arguments.items() if k not in self.reads}
        inputs = {
            name: recording.fingerprint
            for name, recording in zip(self.reads, recordings, strict=True)
        }
        return result_id(self.name, inputs, parameters, self.source)


def _known_to(function: Callable[..., Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    known = inspect.signature(function).parameters
    return {name: value for name, value in parameters.items() if name in known}
