"""Every condition proves itself on every batch that is shown under it.

What is shown of each intervention, at its own site and layer, from the activations before it and
those that the model goes on with:

- a law that holds after it and does not before: a lesioned projection is the reference's and
  nothing at right angles to it moved, what was injected is the difference, and so on, up to one
  rounding of the activations themselves and a tolerance that depends on the model's dtype;
- the other tokens at that site are the same bit for bit;
- what lies upstream is the clean pass's bit for bit.

An intervention that changed nothing over all rows is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.intervention import Inject, Intervention, Scale, Selected
from cortiscope.stimulation.lesion import Lesion
from cortiscope.stimulation.patch import Patch
from cortiscope.subjects.proving import TOLERANCES


@dataclass(frozen=True)
class Evidence:
    """What one intervention showed at one layer; adds up over batches.

    Parameters
    ----------
    error : float
        Largest deviation from what it claims, as a share of the RMS of the tokens that it changes;
        one rounding of the values themselves does not count.
    change, size : float
        Sums of squares: of what changed, and of the activations before.
    n_tokens : int
        Tokens that it acted on.
    """

    error: float = 0.0
    change: float = 0.0
    size: float = 0.0
    n_tokens: int = 0

    @property
    def effect(self) -> float:
        """RMS of the change as a share of the RMS of the activations before."""
        return math.sqrt(self.change / self.size) if self.size else math.sqrt(self.change)

    def __add__(self, other: Evidence) -> Evidence:
        """Add what another batch showed."""
        return Evidence(
            max(self.error, other.error),
            self.change + other.change,
            self.size + other.size,
            self.n_tokens + other.n_tokens,
        )


Key = tuple[int, int]  # which intervention of the condition, at which layer


@dataclass(frozen=True)
class ConditionProof:
    """What a condition showed: evidence for each of its interventions at each layer.

    Parameters
    ----------
    condition : str
        Its name.
    evidence : dict
        By index of the intervention and layer.
    n_batches : int
        On which it was shown.
    """

    condition: str
    evidence: dict[Key, Evidence]
    n_batches: int = 1

    def __add__(self, other: ConditionProof) -> ConditionProof:
        """Add what further batches showed."""
        keys = self.evidence.keys() | other.evidence.keys()
        none = Evidence()
        return replace(
            self,
            evidence={
                key: self.evidence.get(key, none) + other.evidence.get(key, none)
                for key in sorted(keys)
            },
            n_batches=self.n_batches + other.n_batches,
        )

    @property
    def error(self) -> float:
        """The largest deviation from a claim."""
        return max((item.error for item in self.evidence.values()), default=0.0)

    def check_effect(self, condition: Condition) -> None:
        """Raise `InputError` naming an intervention that changed nothing at all."""
        for at, intervention in enumerate(condition.interventions):
            for layer in intervention.where.layers:
                if self.evidence.get((at, layer), Evidence()).change == 0.0:
                    raise InputError(
                        f"In the condition {self.condition!r} the {intervention} had no effect in "
                        f"layer {layer}: the activations were the same after it; take it out, or "
                        "mend its units, direction, strength or positions."
                    )

    def rows(self) -> list[dict[str, Any]]:
        """List the evidence as the rows of a table."""
        return [
            {
                "condition": self.condition,
                "intervention": at,
                "layer": layer,
                **asdict(item),
                "effect": item.effect,
                "n_batches": self.n_batches,
            }
            for (at, layer), item in self.evidence.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return {
            "condition": self.condition,
            "n_batches": self.n_batches,
            "evidence": [[*key, asdict(item)] for key, item in self.evidence.items()],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ConditionProof:
        """Read what `to_json` gave."""
        evidence = {(at, layer): Evidence(**item) for at, layer, item in values["evidence"]}
        return cls(values["condition"], evidence, values["n_batches"])


def check_change(
    condition: str,
    intervention: Intervention,
    before: Tensor,
    after: Tensor,
    mask: Tensor,
    selected: Selected,
) -> Evidence:
    """Prove what an intervention did to one batch at its own site.

    Parameters
    ----------
    condition : str
        For the message.
    intervention : Intervention
        What acted.
    before, after : Tensor, (row, token, ...)
        At the site, without it and with it.
    mask : Tensor of bool, (row, token)
        Where it was to act.
    selected : Selected
        The same as indices.

    Returns
    -------
    Evidence
        Of this batch.

    Raises
    ------
    InputError
        When another token changed, or the change is not the one that is claimed.
    """
    if not same_bits(before[~mask], after[~mask]):
        raise InputError(
            f"In the condition {condition!r} the {intervention} changed other tokens than it "
            "names; this is a fault of the intervention's class."
        )
    old, new = (_exact(tensor[mask]).flatten(1) for tensor in (before, after))
    rounding = torch.finfo(before.dtype).eps * torch.maximum(old.abs(), new.abs())
    size = float(old.square().sum())
    scale = math.sqrt(size / max(old.numel(), 1)) or 1.0
    excess = max(_worst(part) for part in broken_law(intervention, old, new, rounding, selected))
    evidence = Evidence(excess / scale, float((new - old).square().sum()), size, len(old))
    tolerance = TOLERANCES[before.dtype]
    if not evidence.error <= tolerance:
        raise InputError(
            f"In the condition {condition!r} the {intervention} did not do in layer "
            f"{selected.layer} what it claims (off by {evidence.error:.2g} of the site's RMS, "
            f"{tolerance:g} allowed): its values may be beyond the model's dtype; choose a wider "
            "one, or a smaller strength."
        )
    return evidence


@singledispatch
def broken_law(
    intervention: Intervention, before: Tensor, after: Tensor, rounding: Tensor, selected: Selected
) -> Iterable[Tensor]:
    """Give by how much an intervention's law is broken, beyond rounding; 0 where it holds.

    Parameters
    ----------
    intervention : Intervention
        What acted.
    before, after : Tensor of float64, (n, n_units)
        The selected tokens.
    rounding : Tensor of float64, (n, n_units)
        One rounding of each value.
    selected : Selected
        Which tokens they are.

    Yields
    ------
    Tensor
        Of any shape.
    """
    msg = (
        f"nothing says what a {type(intervention).__name__} may change, so that it could prove "
        "itself: register its law with `broken_law`."
    )
    raise InputError(msg)


@broken_law.register
def _(
    intervention: Lesion, before: Tensor, after: Tensor, rounding: Tensor, selected: Selected
) -> Iterable[Tensor]:
    wanted = intervention.replacement(before, selected)
    if intervention.factors is not None:
        read, write = (
            torch.from_numpy(factor.copy()).to(before) for factor in intervention.factors
        )
        yield from _only_along(read, write, wanted @ read.T, before, after, rounding)
        return
    is_lesioned = torch.zeros(before.shape[-1], dtype=torch.bool, device=before.device)
    is_lesioned[list(intervention.units or ())] = True
    yield ((after - wanted).abs() - rounding)[:, is_lesioned]
    yield (after - before).abs()[:, ~is_lesioned]


@broken_law.register
def _(
    intervention: Inject, before: Tensor, after: Tensor, rounding: Tensor, selected: Selected
) -> Iterable[Tensor]:
    yield (after - before - torch.as_tensor(intervention.vector).to(before)).abs() - rounding


@broken_law.register
def _(
    intervention: Scale, before: Tensor, after: Tensor, rounding: Tensor, selected: Selected
) -> Iterable[Tensor]:
    if intervention.along is None:
        yield (after - intervention.factor * before).abs() - rounding
        return
    basis = torch.tensor(intervention.vector[None]).to(before)
    centre = intervention.centre(before, selected.layer) @ basis.T
    wanted = centre + intervention.factor * (before @ basis.T - centre)
    yield from _only_along(basis, basis, wanted, before, after, rounding)


@broken_law.register
def _(
    intervention: Patch, before: Tensor, after: Tensor, rounding: Tensor, selected: Selected
) -> Iterable[Tensor]:
    broken = (after - intervention.incoming(before, selected)).abs() - rounding
    if intervention.units is None:
        yield broken
        return
    is_patched = torch.zeros(before.shape[-1], dtype=torch.bool, device=before.device)
    is_patched[list(intervention.units)] = True
    yield broken[:, is_patched]
    yield (after - before).abs()[:, ~is_patched]


def _only_along(
    read: Tensor, write: Tensor, wanted: Tensor, before: Tensor, after: Tensor, rounding: Tensor
) -> Iterable[Tensor]:
    """Demand the projections wanted, and a change along what is written and nothing else."""
    read_rounding = rounding @ read.abs().T
    yield (after @ read.T - wanted).abs() - read_rounding
    change = after - before
    beside = change - (change @ read.T) @ write
    yield beside.abs() - rounding - read_rounding @ write.abs()


def same_bits(found: Tensor, wanted: Tensor) -> bool:
    """Whether two tensors are equal, where padding may hold what is no number in both."""
    if torch.equal(found, wanted):
        return True
    return bool(((found == wanted) | (found.isnan() & wanted.isnan())).all())


def _exact(tensor: Tensor) -> Tensor:
    return tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()


def _worst(excess: Tensor) -> float:
    if not excess.numel():
        return 0.0
    worst = float(excess.max())
    return math.inf if math.isnan(worst) else max(worst, 0.0)
