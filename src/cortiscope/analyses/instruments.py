"""The list of instruments, with what each reads and the definition that it follows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cortiscope.analyses.decode import REFERENCE as DECODE_REFERENCE
from cortiscope.analyses.decode import decode, decode_source
from cortiscope.analyses.decode_figures import accuracy_by_layer
from cortiscope.analyses.result import Result, result_id
from cortiscope.plugins import with_plugins
from cortiscope.scanning import Recording

if TYPE_CHECKING:
    import plotly.graph_objects as go

ENTRY_POINT_GROUP = "cortiscope.analyses"


@dataclass(frozen=True)
class Instrument:
    """An analysis as the house knows it.

    Its function takes a Recording and then keyword parameters, as far as they apply under these
    names: ``target`` and ``groups`` (labels), ``site``, ``n_permutations``, ``n_bootstrap``,
    ``seed``; controls and calibrations set those that it has.

    Attributes
    ----------
    name : str
        The same in Python, in protocols and in the docs.
    summary : str
        One line.
    reads : str
        What it takes.
    reference : str
        The definition that it follows.
    run : callable
        The function, which returns a Result.
    source : callable
        Returns the fingerprint of the code that the result depends on.
    detects, silent_on : tuple of str
        Phantoms that it must detect, the one that calibrates it first, and those on which it must
        stay silent.
    switches : mapping of str to tuple of str
        Parameters that switch variables on and off, which calibration and controls spare unless
        they are about one of them.
    figure : callable
        Draws results, a mapping of labels to Results, into one plotly figure.
    headline : str
        The scalar variable that says in one number whether it found something.
    """

    name: str
    summary: str
    reads: str
    reference: str
    run: Callable[..., Result]
    source: Callable[[], str]
    figure: Callable[[Mapping[str, Any]], go.Figure]
    headline: str
    detects: tuple[str, ...] = ()
    silent_on: tuple[str, ...] = ()
    switches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def defaults(self) -> dict[str, Any]:
        """Parameters of the function at their defaults, the recording left out."""
        parameters = list(inspect.signature(self.run).parameters.values())[1:]
        return {
            parameter.name: parameter.default
            for parameter in parameters
            if parameter.default is not inspect.Parameter.empty
        }

    def accepted(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Keep those of some parameters that the function has."""
        known = inspect.signature(self.run).parameters
        return {name: value for name, value in parameters.items() if name in known}

    def only(self, variable: str) -> dict[str, bool]:
        """Parameters that spare all work which a variable does not need."""
        return {name: variable in variables for name, variables in self.switches.items()}

    def id_for(self, recording: Recording, **given: Any) -> str:
        """Id that the result of a recording would have, before any work is done.

        Parameters
        ----------
        recording : Recording
            What would be analysed.
        **given
            Parameters of the function; the others have their defaults.

        Returns
        -------
        str
            The same as the id of ``run(recording, **given)``.
        """
        arguments = inspect.signature(self.run).bind(recording, **given)
        arguments.apply_defaults()
        parameters = dict(list(arguments.arguments.items())[1:])
        return result_id(self.name, {"recording": recording.fingerprint}, parameters, self.source())


_BUILT_IN = (
    Instrument(
        name="decode",
        summary="How well a linear probe reads the category of unseen words, layer by layer",
        reads="one Recording",
        reference=DECODE_REFERENCE,
        run=decode,
        source=decode_source,
        figure=accuracy_by_layer,
        headline="peak_accuracy",
        detects=("direction", "selective_units", "patch", "subspace"),
        silent_on=("noise", "xor", "training_words"),
        switches={"auc": ("auc", "auc_macro")},
    ),
)

INSTRUMENTS: dict[str, Instrument] = with_plugins(
    _BUILT_IN, ENTRY_POINT_GROUP, Instrument, lambda instrument: [instrument.name]
)
