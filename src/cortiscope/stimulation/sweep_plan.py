"""What a sweep would take, before it is run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.filesize import decimal

from cortiscope.scanning.disk import free_bytes
from cortiscope.scanning.plan import duration
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.readout import Readout
from cortiscope.stimulation.runner import Runner
from cortiscope.stimulation.self_check import check_itself
from cortiscope.stimulation.sweep import Sweep
from cortiscope.stimulation.sweep_journal import Part, Unit

if TYPE_CHECKING:
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject

# Of the numbers of blocks that conditions leave out, so many are timed; others lie between.
_STARTS_TIMED = 4


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep would take.

    Parameters
    ----------
    subject, stimuli : str
        Names of who would be stimulated and of what would be shown.
    n_conditions, n_stimuli, n_texts : int
        Conditions, stimuli, and texts that readouts make of them (and show besides).
    n_passes, n_tokens : int
        Forward passes, and tokens that go through the model, padding counted.
    n_bytes : int
        Bytes on disk, before compression; while the sweep runs they lie there in parts.
    seconds : float
        Time, estimated from some batches that were run.
    free_disk : int
        Bytes that the disk has left.
    fast, cut : bool
        Whether blocks are left out, and tokens.
    """

    subject: str
    stimuli: str
    n_conditions: int
    n_stimuli: int
    n_texts: int
    n_passes: int
    n_tokens: int
    n_bytes: int
    seconds: float
    free_disk: int
    fast: bool
    cut: bool

    def rows(self) -> list[tuple[str, str]]:
        """Give names and values as a person reads them."""
        left_out = [what for what, is_so in (("blocks", self.fast), ("tokens", self.cut)) if is_so]
        return [
            ("conditions", f"{self.n_conditions:,}"),
            ("stimuli", f"{self.n_stimuli:,}, which make {self.n_texts:,} texts"),
            ("forward passes", f"{self.n_passes:,}"),
            ("tokens", f"{self.n_tokens:,} with padding"),
            ("left out", " and ".join(left_out) or "nothing: every condition is a full pass"),
            ("disk", f"about {decimal(self.n_bytes)} before compression"),
            ("disk, free", f"{decimal(self.free_disk)}"),
            ("time", f"about {duration(self.seconds)}; interrupted, it goes on where it was"),
        ]

    def __repr__(self) -> str:
        """Lay the figures out as a table."""
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name.ljust(width)}  {value}" for name, value in rows]
        return "\n".join([f"Sweep: {self.subject} is shown {self.stimuli}", *lines])


def plan_sweep(
    subject: Subject,
    stimuli: StimulusSet,
    conditions: Sequence[Condition],
    readouts: Sequence[Readout],
    *,
    batch_size: int = 32,
    fast: bool = True,
    out: str | Path = ".",
) -> SweepPlan:
    """Work out what a sweep would take; nothing is written.

    Parameters
    ----------
    subject, stimuli, conditions, readouts, batch_size, fast, out
        As `stimulate` takes them.

    Returns
    -------
    SweepPlan
        The figures.

    Raises
    ------
    InputError
        Whatever `stimulate` would raise before its sweep begins.
    """
    sweep = Sweep.resolve(subject, stimuli, conditions, readouts, batch_size)
    checked = check_itself(sweep, fast=fast)
    runner = Runner(sweep, fast=checked.fast, cut=checked.cut)
    n_passes = n_tokens = 0
    seconds = n_bytes = 0.0
    for at, group in enumerate(sweep.groups):
        sample = _Sample.of(runner, at)
        for batch, members in enumerate(group.batches):
            of_clean_pass = len(members) * group.length(batch, cut=checked.cut)
            n_passes += 1
            n_tokens += of_clean_pass
            seconds += of_clean_pass * sample.seconds_a_token(0)
            for number, chunk in enumerate(sweep.chunks):
                load = runner.load(Unit(at, batch, number))
                n_passes += load.n_passes
                n_tokens += load.n_tokens
                seconds += load.n_tokens * sample.seconds_a_token(chunk.start)
                n_bytes += len(chunk.conditions) * len(members) * sample.n_bytes
    return SweepPlan(
        subject=subject.name,
        stimuli=stimuli.name,
        n_conditions=len(sweep.conditions),
        n_stimuli=len(stimuli),
        n_texts=sum(len(group.rows[0]) for group in sweep.groups),
        n_passes=n_passes,
        n_tokens=n_tokens,
        n_bytes=round(n_bytes),
        seconds=seconds,
        free_disk=free_bytes(Path(out)),
        fast=checked.fast,
        cut=checked.cut,
    )


@dataclass(frozen=True)
class _Sample:
    """What some passes over the texts of one group took.

    Parameters
    ----------
    by_start : dict of int to float
        Seconds a token, by the number of blocks that are left out.
    n_bytes : float
        That one text gives under one condition.
    """

    by_start: Mapping[int, float]
    n_bytes: float

    @classmethod
    def of(cls, runner: Runner, group: int) -> _Sample:
        """Time one pass, or a few, over a batch of middling length."""
        chunks = {chunk.start: number for number, chunk in enumerate(runner.sweep.chunks)}
        starts = sorted(chunks)
        chosen = np.unique(np.linspace(0, len(starts) - 1, _STARTS_TIMED).astype(int))
        batch = len(runner.sweep.groups[group].batches) // 2
        n_texts = len(runner.sweep.groups[group].batches[batch])
        by_start: dict[int, float] = {}
        n_bytes = 0.0
        runner.run(Unit(group, batch, chunks[starts[0]]), at_most=1)  # pays for the clean pass
        for start in (starts[at] for at in chosen):
            unit = Unit(group, batch, chunks[start])
            load = runner.load(unit)
            n_all = len(runner.sweep.chunks[unit.chunk].conditions)
            n_run = min(load.at_once, n_all)
            began = time.perf_counter()
            part = runner.run(unit, at_most=n_run)
            by_start[start] = (time.perf_counter() - began) / (load.n_tokens * n_run / n_all)
            n_bytes = max(n_bytes, _size(part) / (n_run * n_texts))
        return cls(by_start, n_bytes)

    def seconds_a_token(self, start: int) -> float:
        """Give the time of a token that is run from a block on."""
        starts = sorted(self.by_start)
        return float(np.interp(start, starts, [self.by_start[at] for at in starts]))


def _size(part: Part) -> int:
    return sum(values.nbytes for values in part.values.values())
