"""A probe on a later layer: what a condition leaves readable there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row, stimulus_rows
from cortiscope.stimulation.readouts.places import Place, mean_over_read, reading_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.codes import Probe
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


@dataclass(frozen=True, eq=False)
class ProbeReadout(Readout):
    """Scores of a probe that was trained on clean activations of other words.

    Stimuli of words that the probe was trained on get no score (NaN), so that what is read is
    always held out; the coordinate ``NAME_held_out`` says which are. Where the stimuli have no
    label ``word``, or the probe's origin names no words, all are read.

    Parameters
    ----------
    probe : Probe
        Its site and layer are read; to see an effect the layer must not lie before the
        intervention's.
    position : {"target_last", "target_mean", "last", "mean", "from_target"}
        At which tokens of the stimulus; activations at several are averaged, as a scan does. It
        must be that of the recording on which the probe was trained.
    name : str
        With which the names of the variables begin.

    References
    ----------
    Alain & Bengio (2017), Understanding intermediate layers using linear classifier probes, ICLR
    workshop.

    Examples
    --------
    >>> from cortiscope.codes import Probe
    >>> probe = Probe(np.eye(4, 2), [0.0, 0.0], ("animal", "tool"), "resid_post", 2)
    >>> ProbeReadout(probe).needs.captures
    (('resid_post', 2),)
    """

    probe: Probe
    position: Place = "target_last"
    name: str = "probe"

    def __post_init__(self) -> None:
        reading_at(self.position)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the probe, of the words that it saw, and of the position."""
        seen = sorted(self.probe.words)
        return fingerprint(["ProbeReadout", self.name, self.probe, seen, self.position])

    @property
    def needs(self) -> Needs:
        """The probe's site and layer."""
        return Needs(captures=((self.probe.site, self.probe.layer),))

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Show the stimuli as they are."""
        anatomy, probe = subject.anatomy, self.probe
        anatomy.tap(probe.site, probe.layer)  # raises where it is not there
        n_units = math.prod(size for _, size in anatomy.shape(probe.site))
        if n_units != probe.n_units:
            raise InputError(
                f"The probe reads {probe.n_units} units, and {probe.site} of {subject.name} has "
                f"{n_units}: give a probe that was trained on this subject."
            )
        if not self._held_out(stimuli).any():
            raise InputError(
                f"The probe {self.name!r} was trained on all words of {stimuli.name!r}: show it "
                "words that it never saw."
            )
        return stimulus_rows(subject, stimuli, reading_at(self.position))

    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Score the activations: (row, category)."""
        activations = outputs.captures[self.probe.site, self.probe.layer].flatten(start_dim=2)
        means = mean_over_read(activations, outputs.valid)
        return {"scores": self.probe.scores(means.cpu().numpy())}

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give one score a condition, stimulus and category, sorted."""
        held_out = self._held_out(stimuli)
        categories = sorted(self.probe.categories)
        order = [self.probe.categories.index(category) for category in categories]
        scores = np.where(held_out[None, :, None], values["scores"][..., order], np.nan)
        return xr.Dataset(
            {f"{self.name}_scores": (("condition", "stimulus", "category"), scores)},
            {
                "stimulus": stimuli.table["stimulus_id"].tolist(),
                "category": categories,
                f"{self.name}_held_out": ("stimulus", held_out),
            },
        )

    def _held_out(self, stimuli: StimulusSet) -> NDArray[np.bool_]:
        if "word" not in stimuli.labels:
            return np.ones(len(stimuli), dtype=bool)
        return ~stimuli.table["word"].astype(str).isin(self.probe.words).to_numpy(dtype=bool)
