"""Before a sweep: the clean pass repeats itself, and the fast path gives what full passes give.

Both are shown on the first batch of the texts that are shown:

- edits at every site and layer that put back what they were given leave the model's logits the
  same bit for bit;
- for every number of blocks that are left out, one condition goes both ways: through all blocks by
  itself, where all that is upstream of it has to be the clean pass's bit for bit, and from the held
  stream. The last streams agree within the tolerance that proofs of the anatomy have.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cortiscope.errors import MachineError
from cortiscope.scanning.memory import is_out_of_memory
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.passes import CleanPass, Passes, Reading, why_not_fast
from cortiscope.stimulation.readout import Needs, Row
from cortiscope.stimulation.runner import too_little_memory, upstream_of
from cortiscope.subjects.proving import TOLERANCES

if TYPE_CHECKING:
    from cortiscope.stimulation.sweep import Sweep

_N_TEXTS = 4


@dataclass(frozen=True)
class SelfCheck:
    """What was shown before a sweep.

    Parameters
    ----------
    fast : bool
        Whether the sweep takes the fast path.
    reason : str or None
        Why it does not, when it was asked to.
    errors : dict of int to float
        For each number of blocks that are left out, the largest difference of the last stream as a
        share of its RMS.
    n_texts : int
        On which it was shown.
    """

    fast: bool
    reason: str | None = None
    errors: dict[int, float] = field(default_factory=dict)
    n_texts: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return {
            "fast path": self.fast,
            "reason for full passes": self.reason,
            "fast against full passes": {str(at): error for at, error in self.errors.items()},
            "clean logits repeated": "bit for bit",
            "n_texts": self.n_texts,
        }


@torch.inference_mode()
def check_itself(sweep: Sweep, *, fast: bool) -> SelfCheck:
    """Show that the clean pass repeats itself, and decide whether the fast path can be taken.

    Parameters
    ----------
    sweep : Sweep
        What is to be done.
    fast : bool
        Whether the fast path is wanted.

    Returns
    -------
    SelfCheck

    Raises
    ------
    MachineError
        When edits that change nothing change the logits.
    """
    n_texts = _N_TEXTS
    while True:
        passes = _few_texts(sweep, n_texts)
        try:
            return _check_on(sweep, passes, fast=fast)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if n_texts == 1:
                raise too_little_memory(passes.length) from error
        n_texts //= 2


def _check_on(sweep: Sweep, passes: Passes, *, fast: bool) -> SelfCheck:
    _check_clean(sweep, passes)
    if not fast:
        return SelfCheck(False, n_texts=len(passes.rows))
    reason = why_not_fast(sweep.subject)
    errors: dict[int, float] = {}
    if reason is not None:
        return SelfCheck(False, reason, n_texts=len(passes.rows))
    firsts = {chunk.start: sweep.conditions[chunk.conditions[0]] for chunk in sweep.chunks}
    anatomy = sweep.subject.anatomy
    watched = {place for condition in firsts.values() for place in upstream_of(condition, anatomy)}
    clean = passes.clean(tuple(firsts), sorted(watched))
    if not clean.plain:
        return SelfCheck(False, "a block gives more than the stream", n_texts=len(passes.rows))
    for start, condition in firsts.items():
        error = _compare(passes, clean, condition, start)
        if isinstance(error, str):
            return SelfCheck(False, error, errors, len(passes.rows))
        errors[start] = error
    return SelfCheck(True, None, errors, len(passes.rows))


def _few_texts(sweep: Sweep, n_texts: int) -> Passes:
    group = sweep.groups[0]
    batch = group.batches[0]
    rows = tuple(group.rows[0][at] for at in batch.stimuli[:n_texts])
    last = ("resid_post", sweep.subject.anatomy.n_layers - 1)
    reading = Reading(
        tuple(_everywhere(row) for row in rows), Needs(captures=(last,)), batch.length
    )
    return Passes(sweep.subject, rows, batch.length, [reading])


def _check_clean(sweep: Sweep, passes: Passes) -> None:
    if not torch.equal(
        _real(passes, passes.full_logits()), _real(passes, passes.full_logits(identity_edits=True))
    ):
        raise MachineError(
            f"{sweep.subject.name} gives other logits when it is shown the same texts again, with "
            "edits that change nothing: no effect could be told from that; load it on a processor, "
            'or with attention="eager".'
        )


def _compare(passes: Passes, clean: CleanPass, condition: Condition, start: int) -> float | str:
    """Run one condition both ways; give the difference, or why the fast path cannot be taken."""
    full = _last_stream(passes, clean, condition, start=0)
    try:
        fast = _last_stream(passes, clean, condition, start=start)
    except (KeyError, IndexError, AttributeError, TypeError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        return f"a pass that leaves out {start} blocks fails ({type(error).__name__})"
    difference = float((fast.double() - full.double()).abs().max())
    error_share = difference / (float(full.double().square().mean().sqrt()) or 1.0)
    if not error_share <= TOLERANCES[passes.subject.dtype]:
        return (
            f"a pass that leaves out {start} blocks differs from a full one by "
            f"{error_share:.2g} of the stream's RMS"
        )
    return error_share


def _last_stream(passes: Passes, clean: CleanPass, condition: Condition, start: int) -> Tensor:
    anatomy = passes.subject.anatomy
    upstream = () if start else upstream_of(condition, anatomy)
    taken, _ = passes.edited([condition], clean, start=start, upstream=upstream)
    valid = passes.readings[0].index()[1]
    stream = taken.values[0, ("resid_post", anatomy.n_layers - 1)]
    return stream[valid.to(stream.device)].cpu()


def _everywhere(row: Row) -> Row:
    return replace(row, read_at=tuple(range(len(row.tokens))))


def _real(passes: Passes, logits: Tensor) -> Tensor:
    valid = passes.readings[0].index()[1].to(logits.device)
    return logits[:, : valid.shape[1]][valid]
