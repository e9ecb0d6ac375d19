"""How far a condition moves what the subject predicts: KL divergence and the likeliest token."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
import xarray as xr
from torch import Tensor

from cortiscope.ledger import fingerprint
from cortiscope.stimulation.readout import Needs, Outputs, Readout, Row, stimulus_rows
from cortiscope.stimulation.readouts.places import Place, mean_over_read, reading_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


class _AgainstClean(Readout):
    """What both compare: the logits of the stimuli as they are, with those of the clean pass."""

    position: Place

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what is compared, and where."""
        return fingerprint([type(self).__name__, self.name, self.position])

    @property
    def needs(self) -> Needs:
        """The logits, and those of the clean pass."""
        return Needs(logits=True, clean=True)

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Show the stimuli as they are."""
        return stimulus_rows(subject, stimuli, reading_at(self.position))

    def read(self, outputs: Outputs) -> dict[str, NDArray[np.generic]]:
        """Compare at every token, and average over them: (row,)."""
        clean = outputs.clean
        assert outputs.logits is not None  # asked for in `needs`, as is the next
        assert clean is not None and clean.logits is not None
        values = self._compare(clean.logits, outputs.logits)
        return {self.name: mean_over_read(values, outputs.valid).cpu().numpy()}

    def lay_out(
        self, values: Mapping[str, NDArray[np.generic]], stimuli: StimulusSet
    ) -> xr.Dataset:
        """Give one value a condition and stimulus."""
        return xr.Dataset(
            {self.name: (("condition", "stimulus"), values[self.name])},
            {"stimulus": stimuli.table["stimulus_id"].tolist()},
        )

    @staticmethod
    @abstractmethod
    def _compare(clean: Tensor, changed: Tensor) -> Tensor:
        """Compare logits (row, read, vocabulary) to (row, read)."""


@dataclass(frozen=True, eq=False)
class OutputKL(_AgainstClean):
    """KL divergence from the clean next-token distribution to that under the condition, in nats.

    The expectation is taken under the clean distribution. In a masked model the distribution is
    that of the token itself. Under a condition without interventions it is exactly zero.

    Parameters
    ----------
    position : {"last", "target_last", "target_mean", "mean", "from_target"}
        At which tokens of the stimulus; over several the mean is taken.
    name : str
        Of the variable, (condition, stimulus) float32.

    References
    ----------
    Kullback & Leibler (1951), On information and sufficiency, Annals of Mathematical Statistics.

    Examples
    --------
    >>> OutputKL().position
    'last'
    """

    position: Place = "last"
    name: str = "kl"

    def __post_init__(self) -> None:
        reading_at(self.position)

    @staticmethod
    def _compare(clean: Tensor, changed: Tensor) -> Tensor:
        return divergence(clean.log_softmax(dim=-1), changed.log_softmax(dim=-1))


@dataclass(frozen=True, eq=False)
class Top1Change(_AgainstClean):
    """Whether the likeliest next token is another than in the clean pass: 1 or 0.

    Parameters
    ----------
    position : {"last", "target_last", "target_mean", "mean", "from_target"}
        At which tokens of the stimulus; over several, the share of them at which it is another.
    name : str
        Of the variable, (condition, stimulus) float32.

    Examples
    --------
    >>> Top1Change(position="mean").name
    'top1_change'
    """

    position: Place = "last"
    name: str = "top1_change"

    def __post_init__(self) -> None:
        reading_at(self.position)

    @staticmethod
    def _compare(clean: Tensor, changed: Tensor) -> Tensor:
        return (clean.argmax(dim=-1) != changed.argmax(dim=-1)).float()


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL divergence of q from p, without the cancellation that the plain sum suffers.

    Parameters
    ----------
    log_p, log_q : Tensor of float, (..., outcome)
        Logs of probabilities that sum to 1.

    Returns
    -------
    Tensor, (...)
        In nats; never below zero.

    Notes
    -----
    Sums q - p - p log(q/p), no term of which is negative; the first two sum to zero. In float32
    the sum of p log(p/q) alone is lost in rounding below about 1e-7.

    Examples
    --------
    >>> p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    >>> round(float(divergence(p.log(), q.log())), 4)
    0.1438
    """
    p, q = log_p.exp(), log_q.exp()
    ratio = log_q - log_p
    near = p * (torch.expm1(ratio) - ratio)
    # An outcome that is impossible under p (a padded row of the vocabulary) costs only its q.
    far = q - p - torch.where(p > 0, p * ratio, torch.zeros_like(p))
    return torch.where(ratio.abs() < 1, near, far).clamp_min(0).sum(dim=-1)
