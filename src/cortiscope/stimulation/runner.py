"""Does the work of a sweep: packs conditions into passes, as many as memory allows."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cortiscope.errors import InputError, MachineError
from cortiscope.scanning.memory import is_out_of_memory
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.continuing import continue_rows
from cortiscope.stimulation.editing import Place
from cortiscope.stimulation.passes import CleanPass, Passes, Taken
from cortiscope.stimulation.proofs import ConditionProof
from cortiscope.stimulation.readout import Outputs, Row
from cortiscope.stimulation.sweep import Chunk, Group, Sweep
from cortiscope.stimulation.sweep_journal import Part, Unit
from cortiscope.stimulation.where import SITE_ORDER
from cortiscope.stimulation.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.subjects import Anatomy

# Beyond so many tokens a pass gets slower on a processor, whose caches it leaves, and an
# accelerator is busy.
_TOKENS_AT_ONCE = {"cpu": 1024}
_TOKENS_AT_ONCE_ELSEWHERE = 16384


# Keys and values of so many tokens that are not run weigh about as much as one that is.
_TOKENS_OF_KEYS = 16


@dataclass(frozen=True, eq=False)
class Prepared:
    """Some rows of a batch, with their clean pass."""

    key: tuple[int, int, tuple[int, ...]]
    passes: Passes
    clean: CleanPass


@dataclass(frozen=True)
class Load:
    """What a unit takes.

    Parameters
    ----------
    at_once : int
        Conditions that go through the model together.
    n_passes, n_tokens : int
        Forward passes, and tokens that go through the model, padding counted.
    """

    at_once: int
    n_passes: int
    n_tokens: int


class Runner:
    """Runs the units of a sweep.

    Parameters
    ----------
    sweep : Sweep
        What is done.
    fast : bool
        Start from held streams, and let conditions ride together; otherwise every condition goes
        through all blocks by itself.
    cut : bool
        Besides, leave out tokens before the first that is changed and behind the last that is read.
    """

    def __init__(self, sweep: Sweep, *, fast: bool, cut: bool) -> None:
        self.sweep = sweep
        self.fast = fast
        self.cut = cut
        self._texts_at_once = sweep.batch_size
        self._most_conditions: int | None = None
        self._at_once = 1
        self._prepared: Prepared | None = None

    def run(self, unit: Unit, *, at_most: int | None = None) -> Part:
        """Show a batch under the conditions of a chunk, in as few passes as memory allows.

        Parameters
        ----------
        unit : Unit
            Which batch and chunk.
        at_most : int, optional
            Only so many of its conditions, the first.

        Returns
        -------
        Part
            What was read, and the proofs.

        Raises
        ------
        MachineError
            When a single text under a single condition does not fit in memory.
        """
        group, chunk = self.sweep.groups[unit.group], self.sweep.chunks[unit.chunk]
        chunk = replace(chunk, conditions=chunk.conditions[:at_most])
        members = group.batches[unit.batch]
        while True:
            try:
                with torch.inference_mode():
                    parts = [
                        self._some(unit, group, chunk, members[first : first + self._texts_at_once])
                        for first in range(0, len(members), self._texts_at_once)
                    ]
                return _joined(parts, along=1)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._prepared = None
                self._take_less(len(members), group.length(unit.batch, cut=self.cut), error)
            # Outside the except clause, where the error no longer holds the failed pass alive.
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def load(self, unit: Unit) -> Load:
        """Count what a unit takes, besides the clean pass of its batch, where memory suffices."""
        group, chunk = self.sweep.groups[unit.group], self.sweep.chunks[unit.chunk]
        members, n_conditions = group.batches[unit.batch], len(chunk.conditions)
        length = group.length(unit.batch, cut=self.cut)
        window = self._window(group.texts(members, cut=self.cut), length, chunk)
        at_once = self._fitting(len(members) * _work(length, window))
        n_tokens = length if window is None else window.n_tokens
        n_new = sum(self.sweep.readouts[at].needs.n_new_tokens for at in group.readouts)
        longest = group.length(unit.batch, cut=False)
        whole = sum(longest + step for step in range(n_new))
        new_tokens = (longest + n_new + n_new - 1 if self.cut else whole) if n_new else 0
        return Load(
            at_once,
            -(-n_conditions // at_once) + n_conditions * n_new,
            n_conditions * len(members) * (n_tokens + new_tokens),
        )

    def prepare(self, unit: Unit, members: Sequence[int]) -> Prepared:
        """Run the clean pass of some rows of a batch, or take the latest one where it is that."""
        key = (unit.group, unit.batch, tuple(members))
        if self._prepared is None or self._prepared.key != key:
            self._prepared = None  # before the next one is made
            self._at_once = 1
            group = self.sweep.groups[unit.group]
            length = group.length(unit.batch, cut=self.cut)
            rows = group.texts(members, cut=self.cut)
            readings = group.readings(members, length, self.sweep.readouts)
            passes = Passes(self.sweep.subject, rows, length, readings)
            starts = {chunk.start for chunk in self.sweep.chunks} if self.fast else ()
            upstream = () if self.fast else self.upstream
            clean = passes.clean(tuple(starts), upstream, attention=self.cut)
            self._prepared = Prepared(key, passes, clean)
        return self._prepared

    @property
    def upstream(self) -> tuple[Place, ...]:
        """All places that some condition has to leave alone."""
        anatomy = self.sweep.subject.anatomy
        found = {place for item in self.sweep.conditions for place in upstream_of(item, anatomy)}
        return tuple(sorted(found))

    def _some(self, unit: Unit, group: Group, chunk: Chunk, members: Sequence[int]) -> Part:
        prepared = self.prepare(unit, members)
        conditions = [self.sweep.conditions[at] for at in chunk.conditions]
        passes = prepared.passes
        window = self._window(passes.rows, passes.length, chunk)
        at_once = self._fitting(len(members) * _work(passes.length, window))
        self._at_once = min(at_once, len(conditions))
        parts = [
            self._pack(group, prepared, conditions[first : first + at_once], chunk.start, window)
            for first in range(0, len(conditions), at_once)
        ]
        return _joined(parts, along=0)

    def _pack(
        self,
        group: Group,
        prepared: Prepared,
        conditions: Sequence[Condition],
        start: int,
        window: Window | None,
    ) -> Part:
        fast = self.fast
        taken, proofs = prepared.passes.edited(
            conditions,
            prepared.clean,
            start=start if fast else 0,
            upstream=() if fast else upstream_of(conditions[0], self.sweep.subject.anatomy),
            window=window,
        )
        return Part(self._read(group, prepared, taken, conditions), tuple(proofs))

    def _read(
        self, group: Group, prepared: Prepared, taken: Taken, conditions: Sequence[Condition]
    ) -> dict[str, NDArray[Any]]:
        found: dict[str, list[NDArray[Any]]] = {}
        for reading, at in enumerate(group.readouts):
            readout = self.sweep.readouts[at]
            for nth, condition in enumerate(conditions):
                outputs = prepared.passes.outputs(taken, prepared.clean, reading, nth)
                if readout.needs.n_new_tokens:
                    outputs = self._continued(prepared, reading, outputs, condition)
                for name, values in readout.read(outputs).items():
                    if len(values) != len(outputs.rows):
                        raise InputError(
                            f"The readout {readout.name!r} gave {len(values)} values of {name} for "
                            f"{len(outputs.rows)} rows; mend its read()."
                        )
                    found.setdefault(f"{at}/{name}", []).append(values)
        return {name: np.stack(values) for name, values in found.items()}

    def _continued(
        self, prepared: Prepared, reading: int, outputs: Outputs, condition: Condition
    ) -> Outputs:
        subject, needs = self.sweep.subject, prepared.passes.readings[reading].needs
        clean = outputs.clean
        if clean is not None and clean.continued is None:
            ids = continue_rows(subject, outputs.rows, needs, Condition("clean"), cut=self.cut)
            clean = prepared.clean.outputs[reading] = replace(clean, continued=ids)
        ids = continue_rows(subject, outputs.rows, needs, condition, cut=self.cut)
        return replace(outputs, clean=clean, continued=ids)

    def _window(self, rows: Sequence[Row], length: int, chunk: Chunk) -> Window | None:
        return Window.of(rows, length, chunk.positions) if self.cut else None

    def _fitting(self, n_tokens: int) -> int:
        """Conditions that go through the model together, when each shows so many tokens."""
        if not self.fast:
            return 1
        device = self.sweep.subject.device.type
        wanted = max(1, _TOKENS_AT_ONCE.get(device, _TOKENS_AT_ONCE_ELSEWHERE) // n_tokens)
        return min(wanted, self._most_conditions or wanted)

    def _take_less(self, n_texts: int, length: int, error: BaseException) -> None:
        """Halve the conditions of a pass, and when it has one, the texts."""
        if self._at_once > 1:
            self._most_conditions = self._at_once // 2
        elif self._texts_at_once > 1:
            self._texts_at_once = max(1, min(self._texts_at_once, n_texts) // 2)
        else:
            raise too_little_memory(length) from error


def too_little_memory(length: int) -> MachineError:
    """Say that not even one text fits."""
    return MachineError(
        f"Out of memory with a single text of {length} tokens under a single condition: load the "
        "subject in a smaller dtype, spread it over devices with device_map, or take a machine "
        "with more memory."
    )


def _work(length: int, window: Window | None) -> int:
    """Count the tokens of a text that a pass has to work on."""
    if window is None:
        return length
    return max(window.n_tokens, -(-length // _TOKENS_OF_KEYS))


def upstream_of(condition: Condition, anatomy: Anatomy) -> tuple[Place, ...]:
    """List the streams before a condition's first layer, and what comes before it in that layer."""
    layers = {layer for _, layer in condition.places}
    if not layers:
        return ()
    first = min(layers)
    own = min(SITE_ORDER.index(site) for site, layer in condition.places if layer == first)
    before = [(site, first) for site in SITE_ORDER[:own] if site in anatomy.sites]
    streams = [("resid_post", layer) for layer in range(first)]
    return (*(streams if "resid_post" in anatomy.sites else ()), *before)


def _joined(parts: Iterable[Part], along: int) -> Part:
    listed = list(parts)
    values = {
        name: np.concatenate([part.values[name] for part in listed], axis=along)
        for name in listed[0].values
    }
    if along == 0:
        return Part(values, tuple(proof for part in listed for proof in part.proofs))
    proofs: tuple[ConditionProof, ...] = tuple(
        _one_batch(same) for same in zip(*(part.proofs for part in listed), strict=True)
    )
    return Part(values, proofs)


def _one_batch(proofs: Sequence[ConditionProof]) -> ConditionProof:
    total = proofs[0]
    for proof in proofs[1:]:
        total = total + proof
    return replace(total, n_batches=1)
