"""What a sweep has to do: which texts are shown, in which batches, under which conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint, package_versions
from cortiscope.scanning.batches import make_batches
from cortiscope.stimulation.conditions import Condition, check_conditions
from cortiscope.stimulation.passes import Reading
from cortiscope.stimulation.readout import Readout, Row
from cortiscope.stimulation.sweep_code import code_fingerprint
from cortiscope.stimulation.sweep_journal import Unit
from cortiscope.stimulation.where import Positions, Where, earliest
from cortiscope.stimulation.window import ending_at_last_read

if TYPE_CHECKING:
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject

# Conditions of a part: what an interruption loses, and what is held before it is written.
_CHUNK = 256


@dataclass(frozen=True)
class Group:
    """Readouts that show the same texts, and so share their passes.

    Parameters
    ----------
    readouts : tuple of int
        Which of the call's readouts.
    rows : tuple of tuple of Row
        For each, its rows: the same texts, read at tokens of its own.
    cut : tuple of Row
        The texts up to the last token that any of them reads, where no earlier token sees it.
    batches : tuple of tuple of int
        Which texts are shown together.
    """

    readouts: tuple[int, ...]
    rows: tuple[tuple[Row, ...], ...]
    cut: tuple[Row, ...]
    batches: tuple[tuple[int, ...], ...]

    def texts(self, members: Sequence[int], *, cut: bool) -> list[Row]:
        """Give some of the texts, whole or cut."""
        return [(self.cut if cut else self.rows[0])[at] for at in members]

    def length(self, batch: int, *, cut: bool) -> int:
        """Count the tokens of the longest text of a batch, to which the others are padded."""
        return max(len(row.tokens) for row in self.texts(self.batches[batch], cut=cut))

    def readings(
        self, members: Sequence[int], length: int, readouts: Sequence[Readout]
    ) -> list[Reading]:
        """Say what each readout wants of some of the rows."""
        return [
            Reading(tuple(rows[at] for at in members), readouts[readout].needs, length)
            for readout, rows in zip(self.readouts, self.rows, strict=True)
        ]


@dataclass(frozen=True)
class Chunk:
    """Conditions that may start from the same held stream.

    Parameters
    ----------
    start : int
        Blocks whose work none of them changes.
    positions : str
        Where in a text they begin to act, as `Where` has it.
    conditions : tuple of int
        Which of the call's conditions.
    """

    start: int
    positions: Positions
    conditions: tuple[int, ...]


@dataclass(frozen=True)
class Sweep:
    """All that one call of `stimulate` does.

    Parameters
    ----------
    subject : Subject
        Who is stimulated.
    stimuli : StimulusSet
        What is shown.
    conditions : tuple of Condition
        What is done.
    readouts : tuple of Readout
        What is read.
    batch_size : int
        Texts of a batch.
    """

    subject: Subject
    stimuli: StimulusSet
    conditions: tuple[Condition, ...]
    readouts: tuple[Readout, ...]
    batch_size: int

    @classmethod
    def resolve(
        cls,
        subject: Subject,
        stimuli: StimulusSet,
        conditions: Sequence[Condition],
        readouts: Sequence[Readout],
        batch_size: int,
    ) -> Sweep:
        """Check what is asked for.

        Raises
        ------
        InputError
            When any of it cannot be done.
        """
        names = [readout.name for readout in readouts]
        if not names or len(set(names)) < len(names):
            raise InputError(
                f"The readouts are called {names}; give at least one, each with another name."
            )
        for readout in readouts:
            for site, layer in readout.needs.captures:
                subject.anatomy.tap(site, layer)
            if readout.needs.logits and "resid_post" not in subject.anatomy.sites:
                raise InputError(
                    f"The readout {readout.name!r} needs logits, which are made of resid_post; "
                    f"it is refused in {subject.name}: {subject.anatomy.refused['resid_post']}."
                )
            if readout.needs.n_new_tokens and subject.anatomy.family.head != "causal":
                raise InputError(
                    f"The readout {readout.name!r} continues texts, which {subject.name} cannot: "
                    "it predicts masked tokens; choose a causal model."
                )
        checked = check_conditions(conditions, subject.anatomy)
        return cls(subject, stimuli, checked, tuple(readouts), batch_size)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Readouts by the texts that they show; one that continues texts is by itself."""
        shared: dict[str, list[int]] = {}
        rows = [tuple(readout.rows(self.subject, self.stimuli)) for readout in self.readouts]
        for at, readout in enumerate(self.readouts):
            if not rows[at]:
                raise InputError(f"The readout {readout.name!r} shows no text; give it some.")
            key = fingerprint([[row.stimulus_id, row.tokens, row.target] for row in rows[at]])
            own = f"{key} continued {at}" if readout.needs.n_new_tokens else key
            shared.setdefault(own, []).append(at)
        return tuple(
            self._group(tuple(members), tuple(rows[at] for at in members))
            for members in shared.values()
        )

    def _group(self, readouts: tuple[int, ...], rows: tuple[tuple[Row, ...], ...]) -> Group:
        texts = rows[0]
        cut = list(texts)
        if self.subject.anatomy.family.head == "causal":
            together = zip(*rows, strict=True)
            cut = ending_at_last_read(
                texts, [[at for row in same for at in row.read_at] for same in together]
            )
        first = Where(
            layers=0, positions=earliest(w for item in self.conditions for w in item.wheres)
        )
        # Texts of which as many tokens are run go together, and among them those of like length.
        longest = max(len(row.tokens) for row in cut)
        n_run = [len(row.tokens) - first.tokens(row)[0] for row in cut]
        order = [n * (longest + 1) + len(row.tokens) for n, row in zip(n_run, cut, strict=True)]
        batches = make_batches(order, self.batch_size)
        return Group(readouts, rows, tuple(cut), tuple(batch.stimuli for batch in batches))

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """The conditions by the stream that they may start from."""
        n_layers = self.subject.anatomy.n_layers
        alike: dict[tuple[int, Positions], list[int]] = {}
        for at, condition in enumerate(self.conditions):
            kind = (condition.n_untouched(n_layers), condition.positions)
            alike.setdefault(kind, []).append(at)
        return tuple(
            Chunk(start, positions, tuple(members[first : first + _CHUNK]))
            for (start, positions), members in sorted(alike.items())
            for first in range(0, len(members), _CHUNK)
        )

    def units(self) -> Iterator[Unit]:
        """Walk the work, batch after batch; groups in step, so that what is left takes alike."""
        batches = [
            ((batch + 0.5) / len(shown.batches), group, batch)
            for group, shown in enumerate(self.groups)
            for batch in range(len(shown.batches))
        ]
        for _, group, batch in sorted(batches):
            for chunk in range(len(self.chunks)):
                yield Unit(group, batch, chunk)

    @property
    def n_units(self) -> int:
        """Pieces of work."""
        return sum(len(group.batches) for group in self.groups) * len(self.chunks)

    def identity(self, *, fast: bool) -> dict[str, Any]:
        """Say what decides the numbers, each part by its fingerprint."""
        versions = package_versions()
        return {
            "subject": self.subject.fingerprint,
            "stimuli": self.stimuli.fingerprint,
            "conditions": fingerprint(list(self.conditions)),
            "readouts": fingerprint([[item.name, item.fingerprint] for item in self.readouts]),
            "batch size": self.batch_size,
            "fast path": fast,
            "code": code_fingerprint(),
            "device": self.subject.device.type,
            "torch": versions["torch"],
            "transformers": versions["transformers"],
        }
