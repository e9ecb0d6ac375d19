"""What a scan would take, before it is run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.filesize import decimal

from cortiscope.scanning.capture import Capture
from cortiscope.scanning.disk import free_bytes
from cortiscope.scanning.memory import run_in_parts
from cortiscope.scanning.request import DEFAULT_SITES, Request, resolve

if TYPE_CHECKING:
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject
    from cortiscope.subjects.tokens import PaddingSide

_QUEUED = 4  # batches on the host: one being made, two waiting, one being written


@dataclass(frozen=True)
class Plan:
    """What a scan would take.

    Parameters
    ----------
    subject, stimuli : str
        Names of who would be scanned and of what would be shown.
    n_stimuli, n_passes, n_tokens : int
        Stimuli, forward passes, and tokens that go through the model, padding counted.
    n_bytes : dict of str to int
        Bytes on disk of each site, before compression.
    peak_memory : int
        Bytes, estimated: weights, the longest batch on its way through a block, and what waits to
        be written. On CUDA the middle term is measured.
    seconds : float
        Time, estimated from a few batches that were run.
    free_disk : int
        Bytes that the disk has left.
    """

    subject: str
    stimuli: str
    n_stimuli: int
    n_passes: int
    n_tokens: int
    n_bytes: dict[str, int]
    peak_memory: int
    seconds: float
    free_disk: int

    @property
    def total_bytes(self) -> int:
        """Bytes on disk of all sites, before compression."""
        return sum(self.n_bytes.values())

    @property
    def fits(self) -> bool:
        """Whether the disk can hold it; `scan` refuses to begin where it cannot."""
        return self.total_bytes <= self.free_disk

    def rows(self) -> list[tuple[str, str]]:
        """Give names and values as a person reads them."""
        room = "" if self.fits else ": not enough"
        return [
            ("stimuli", f"{self.n_stimuli:,}"),
            ("forward passes", f"{self.n_passes:,}"),
            ("tokens", f"{self.n_tokens:,} with padding"),
            *((f"disk, {site}", decimal(size)) for site, size in self.n_bytes.items()),
            ("disk, total", f"{decimal(self.total_bytes)} before compression"),
            ("disk, free", f"{decimal(self.free_disk)}{room}"),
            ("peak memory", f"about {decimal(self.peak_memory)}"),
            ("time", f"about {duration(self.seconds)}"),
        ]

    def __repr__(self) -> str:
        """Lay the figures out as a table."""
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name.ljust(width)}  {value}" for name, value in rows]
        return "\n".join([f"Plan: {self.subject} is shown {self.stimuli}", *lines])


def plan(
    subject: Subject,
    stimuli: StimulusSet,
    sites: Sequence[str] | str = DEFAULT_SITES,
    position: str = "target_last",
    *,
    out: str | Path = ".",
    batch_size: int = 32,
    dtype: str = "float32",
    padding_side: PaddingSide = "right",
    n_sampled: int = 3,
) -> Plan:
    """Work out what a scan would take; nothing is written.

    Parameters
    ----------
    subject, stimuli, sites, position, out, batch_size, dtype, padding_side
        As `scan` takes them.
    n_sampled : int
        Batches that are run, and timed, for the estimate: the longest, the shortest, and some
        between.

    Returns
    -------
    Plan
        The figures.

    Raises
    ------
    InputError
        Whatever `scan` would raise for the same parameters.
    """
    request = resolve(subject, stimuli, sites, position, batch_size, dtype, padding_side)
    seconds, device_memory = _sample(request, n_sampled)
    return Plan(
        subject=subject.name,
        stimuli=stimuli.name,
        n_stimuli=request.presentation.n_stimuli,
        n_passes=len(request.presentation.batches),
        n_tokens=request.presentation.n_padded_tokens,
        n_bytes={str(layout): request.n_bytes(layout) for layout in request.sites},
        peak_memory=_peak_memory(request, device_memory),
        seconds=seconds,
        free_disk=free_bytes(Path(out)),
    )


def _sample(request: Request, n_sampled: int) -> tuple[float, int]:
    batches = request.presentation.batches
    chosen = np.unique(np.linspace(0, len(batches) - 1, min(n_sampled, len(batches))).astype(int))
    micro_batch = request.batch_size
    seconds, n_tokens = [], []
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with Capture(request.subject, request.sites, request.position, request.dtype) as capture:
        for at in [chosen[0], *chosen]:
            batch = batches[at]
            began = time.perf_counter()
            _, micro_batch = run_in_parts(
                capture,
                request.presentation.members(batch),
                batch.length,
                request.padding_side,
                micro_batch,
            )
            seconds.append(time.perf_counter() - began)
            n_tokens.append(len(batch.stimuli) * batch.length)
    memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    # The first pass also pays for allocation and the choice of kernels, so it does not count.
    rate = sum(seconds[1:]) / sum(n_tokens[1:])
    return rate * request.presentation.n_padded_tokens, memory


def _peak_memory(request: Request, device_memory: int) -> int:
    longest = request.presentation.batches[0]
    anatomy = request.subject.anatomy
    row = sum(request.n_bytes(layout) for layout in request.sites) / request.presentation.n_stimuli
    queued = int(_QUEUED * len(longest.stimuli) * row)
    if device_memory:
        return device_memory + queued
    weights = sum(int(parameter.nbytes) for parameter in request.subject.model.parameters())
    # A block holds the stream, its normalised copy, queries, keys and values, the sum, and the
    # MLP before and after its nonlinearity.
    itemsize = request.subject.dtype.itemsize
    n_mlp_units = anatomy.n_mlp_units or 4 * anatomy.n_units
    per_token = (6 * anatomy.n_units + 3 * n_mlp_units) * itemsize
    scores = anatomy.n_heads * longest.length * itemsize
    return weights + queued + len(longest.stimuli) * longest.length * (per_token + scores)


def duration(seconds: float) -> str:
    """Write a time as a person reads it.

    Examples
    --------
    >>> duration(0.2), duration(75), duration(7300)
    ('a second', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 1:
        return "a second"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
