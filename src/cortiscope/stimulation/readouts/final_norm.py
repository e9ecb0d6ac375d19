"""How large the epsilon of the final norm is beside the variance that it divides by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from torch import nn

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row, stimulus_rows
from cortiscope.stimulation.readouts.places import Place, mean_over_read, reading_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Anatomy, Subject


@dataclass(frozen=True)
class NormRow(Row):
    """A text, with what the final norm does.

    Parameters
    ----------
    epsilon : float
        What it adds to the variance; NaN where the stream goes through no norm at first.
    centred : bool
        Whether it takes the mean off before (LayerNorm).
    """

    epsilon: float
    centred: bool


@dataclass(frozen=True, eq=False)
class FinalNorm(Readout):
    """The epsilon of the final norm as a share of the variance of the stream that it is given.

    A norm divides by the root of variance + ε (of the mean square, in an RMSNorm). Were ε zero,
    the size of the whole stream would not matter to anything behind the norm; as it is, a stream
    f times as large comes out ``sqrt((1 + s) / (1 + s / f**2))`` times as large, where s is this
    share. NaN where no norm is the first behind the last block, as in BERT.

    Parameters
    ----------
    layer : int
        The last one of the subject.
    position : {"last", "target_last", "target_mean", "mean", "from_target"}
        At which tokens of the stimulus; over several the mean is taken.
    name : str
        Of the variable, (condition, stimulus) float32.

    References
    ----------
    Ba, Kiros & Hinton (2016), Layer normalization, arXiv:1607.06450; Zhang & Sennrich (2019), Root
    mean square layer normalization, NeurIPS.

    Examples
    --------
    >>> FinalNorm(5).needs.captures
    (('resid_post', 5),)
    """

    layer: int
    position: Place = "last"
    name: str = "epsilon_share"

    def __post_init__(self) -> None:
        reading_at(self.position)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of where it is read."""
        return fingerprint(["FinalNorm", self.name, self.layer, self.position])

    @property
    def needs(self) -> Needs:
        """The stream after the last block."""
        return Needs(captures=(("resid_post", self.layer),))

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Show the stimuli as they are.

        Raises
        ------
        InputError
            When the layer is not the subject's last.
        """
        last = subject.anatomy.n_layers - 1
        if self.layer != last:
            raise InputError(
                f"The stream of layer {self.layer} was to be read before the final norm, and the "
                f"last layer of {subject.name} is {last}: record and scale that one."
            )
        epsilon, centred = _final_norm(subject.anatomy)
        return [
            NormRow(row.stimulus_id, row.tokens, row.target, row.read_at, epsilon, centred)
            for row in stimulus_rows(subject, stimuli, reading_at(self.position))
        ]

    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Divide epsilon by the variance at every token, and average over them: (row,)."""
        stream = outputs.captures["resid_post", self.layer].double()
        rows = [row for row in outputs.rows if isinstance(row, NormRow)]
        centred = torch.tensor([row.centred for row in rows], device=stream.device)
        epsilon = torch.tensor([row.epsilon for row in rows], device=stream.device)
        mean = stream.mean(dim=-1, keepdim=True) * centred[:, None, None]
        share = epsilon[:, None] / (stream - mean).square().mean(dim=-1)
        return {self.name: mean_over_read(share, outputs.valid).cpu().numpy()}

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give one value a condition and stimulus."""
        return xr.Dataset(
            {self.name: (("condition", "stimulus"), values[self.name])},
            {"stimulus": stimuli.table["stimulus_id"].tolist()},
        )


def _final_norm(anatomy: Anatomy) -> tuple[float, bool]:
    """Give the epsilon of the norm behind the last block, and whether it takes the mean off."""
    norm = next(iter(anatomy.tail), None)
    # LlamaRMSNorm and its like call it variance_epsilon, LayerNorm and GemmaRMSNorm eps.
    epsilon = getattr(norm, "variance_epsilon", getattr(norm, "eps", float("nan")))
    return float(epsilon), isinstance(norm, nn.LayerNorm)
