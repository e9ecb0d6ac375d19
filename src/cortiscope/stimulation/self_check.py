"""Before a sweep: the clean pass repeats itself, and the fast path gives what full passes give.

Both are shown on the first batch of the texts that are shown:

- edits at every site and layer that put back what they were given leave the model's logits the
  same bit for bit;
- for every number of blocks that are left out, one condition goes both ways: by itself through all
  blocks and tokens, where all that is upstream of it has to be the clean pass's bit for bit; and
  from the held stream, without the tokens before those that it changes and behind what is read. The
  last streams agree within the tolerance that proofs of the anatomy have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cortiscope.errors import MachineError
from cortiscope.scanning.memory import is_out_of_memory
from cortiscope.stimulation.attention import attends_by_name
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.passes import CleanPass, Passes, Reading
from cortiscope.stimulation.readout import Needs
from cortiscope.stimulation.runner import too_little_memory, upstream_of
from cortiscope.stimulation.skipping import why_not_fast
from cortiscope.stimulation.window import Window
from cortiscope.subjects.proving import TOLERANCES

if TYPE_CHECKING:
    from cortiscope.stimulation.sweep import Chunk, Sweep

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
    cut : bool
        Whether it leaves out tokens too.
    cut_reason : str or None
        Why it does not, when it takes the fast path.
    errors : dict of int to float
        For each number of blocks that are left out, the largest difference of the last stream as a
        share of its RMS.
    n_texts : int
        On which it was shown.
    """

    fast: bool
    reason: str | None = None
    cut: bool = False
    cut_reason: str | None = None
    errors: dict[int, float] = field(default_factory=dict)
    n_texts: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return {
            "fast path": self.fast,
            "reason for full passes": self.reason,
            "tokens left out": self.cut,
            "reason for all tokens": self.cut_reason,
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
        try:
            return _check_on(sweep, _few_texts(sweep, n_texts, cut=False), fast=fast)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if n_texts == 1:
                raise too_little_memory(sweep.groups[0].length(0, cut=False)) from error
        n_texts //= 2


def _check_on(sweep: Sweep, whole: Passes, *, fast: bool) -> SelfCheck:
    _check_clean(sweep, whole)
    n_texts = len(whole.rows)
    if not fast:
        return SelfCheck(False, n_texts=n_texts)
    reason = why_not_fast(sweep.subject)
    if reason is not None:
        return SelfCheck(False, reason, n_texts=n_texts)
    firsts = [(chunk, sweep.conditions[chunk.conditions[0]]) for chunk in sweep.chunks]
    anatomy = sweep.subject.anatomy
    watched = {place for _, condition in firsts for place in upstream_of(condition, anatomy)}
    clean = whole.clean([chunk.start for chunk in sweep.chunks], sorted(watched))
    if not clean.plain:
        return SelfCheck(False, "a block gives more than the stream", n_texts=n_texts)
    full = {
        chunk: _last_stream(
            whole, clean, condition, start=0, upstream=upstream_of(condition, anatomy)
        )
        for chunk, condition in firsts
    }
    errors = _check_cut(sweep, full, n_texts)
    if isinstance(errors, dict):
        return SelfCheck(True, None, True, None, errors, n_texts)
    cut_reason = errors
    errors = _compare(whole, clean, sweep, full, cut=False)
    if isinstance(errors, dict):
        return SelfCheck(True, None, False, cut_reason, errors, n_texts)
    return SelfCheck(False, errors, n_texts=n_texts)


def _check_cut(sweep: Sweep, full: Mapping[Chunk, Tensor], n_texts: int) -> dict[int, float] | str:
    """Compare passes over some tokens with full ones; give differences, or why there are none."""
    if sweep.subject.anatomy.family.head != "causal":
        return "tokens see later ones"
    if not attends_by_name(sweep.subject.attention):
        return f"{sweep.subject.attention} attention takes no mask of its own"
    passes = _few_texts(sweep, n_texts, cut=True)
    starts = [chunk.start for chunk in sweep.chunks]
    clean = passes.clean(starts, (), attention=True)
    assert clean.attention is not None
    if len(clean.attention.by_module) != sweep.subject.anatomy.n_layers - min(starts):
        return "attention is not called as transformers calls it"
    if not clean.attention.is_causal:
        return "tokens see later ones"
    return _compare(passes, clean, sweep, full, cut=True)


def _few_texts(sweep: Sweep, n_texts: int, *, cut: bool) -> Passes:
    group = sweep.groups[0]
    rows = group.texts(group.batches[0][:n_texts], cut=cut)
    length = group.length(0, cut=cut)
    last = ("resid_post", sweep.subject.anatomy.n_layers - 1)
    everywhere = tuple(replace(row, read_at=tuple(range(len(row.tokens)))) for row in rows)
    return Passes(
        sweep.subject, rows, length, [Reading(everywhere, Needs(captures=(last,)), length)]
    )


def _check_clean(sweep: Sweep, passes: Passes) -> None:
    valid = passes.readings[0].index()[1]
    logits, again = (
        passes.full_logits(identity_edits=edits)[:, : valid.shape[1]] for edits in (False, True)
    )
    if not torch.equal(logits[valid.to(logits.device)], again[valid.to(again.device)]):
        raise MachineError(
            f"{sweep.subject.name} gives other logits when it is shown the same texts again, with "
            "edits that change nothing: no effect could be told from that; load it on a processor, "
            'or with attention="eager".'
        )


def _compare(
    passes: Passes, clean: CleanPass, sweep: Sweep, full: Mapping[Chunk, Tensor], *, cut: bool
) -> dict[int, float] | str:
    """Run one condition a chunk the fast way; give differences, or why it cannot be taken."""
    valid = passes.readings[0].index()[1]
    errors: dict[int, float] = {}
    for chunk, stream in full.items():
        condition = sweep.conditions[chunk.conditions[0]]
        what = f"a pass that leaves out {chunk.start} blocks" + (" and some tokens" if cut else "")
        window = Window.of(passes.rows, passes.length, chunk.positions) if cut else None
        try:
            found = _last_stream(passes, clean, condition, start=chunk.start, window=window)
        except (KeyError, IndexError, AttributeError, TypeError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            return f"{what} fails ({type(error).__name__})"
        wanted = stream[:, : valid.shape[1]][valid].double()
        difference = float((found[valid].double() - wanted).abs().max())
        error_share = difference / (float(wanted.square().mean().sqrt()) or 1.0)
        if not error_share <= TOLERANCES[passes.subject.dtype]:
            return f"{what} differs from a full one by {error_share:.2g} of the stream's RMS"
        errors[chunk.start] = max(error_share, errors.get(chunk.start, 0.0))
    return errors


def _last_stream(passes: Passes, clean: CleanPass, condition: Condition, **options: Any) -> Tensor:
    """Give the last stream under a condition, (row, token, unit)."""
    taken, _ = passes.edited([condition], clean, **options)
    return taken.values[0, ("resid_post", passes.subject.anatomy.n_layers - 1)].cpu()
