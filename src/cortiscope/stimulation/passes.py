"""Forward passes over a batch: a clean one that is held, and edited ones that start from it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cortiscope.errors import InputError
from cortiscope.scanning.positions import gather_index
from cortiscope.stimulation.attention import HeldAttention
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.editing import Edits, Place
from cortiscope.stimulation.proofs import ConditionProof
from cortiscope.stimulation.readout import Needs, Outputs, Row
from cortiscope.stimulation.skipping import starting_from
from cortiscope.stimulation.window import Window

if TYPE_CHECKING:
    from cortiscope.subjects import Anatomy, Subject


@dataclass(frozen=True)
class Reading:
    """What one readout wants of a batch.

    Parameters
    ----------
    rows : tuple of Row
        The batch, with the readout's own `read_at`.
    needs : Needs
        What it wants.
    length : int
        Tokens of every padded row.
    """

    rows: tuple[Row, ...]
    needs: Needs
    length: int

    def places(self, last: int) -> tuple[Place, ...]:
        """List the sites and layers to take, the stream that logits are made of included."""
        stream = (("resid_post", last),) if self.needs.logits else ()
        return (*self.needs.captures, *stream)

    def index(self) -> tuple[Tensor, Tensor]:
        """Lay the tokens to read at into (row, read): indices, and which are valid."""
        index, valid = gather_index(
            [row.read_at for row in self.rows],
            [len(row.tokens) for row in self.rows],
            self.length,
            "right",
        )
        return torch.from_numpy(index), torch.from_numpy(valid)


@dataclass
class Taken:
    """What hooks took from a pass: for each reading, by place, (row, read, ...)."""

    values: dict[tuple[int, Place], Tensor] = field(default_factory=dict)


@dataclass
class CleanPass:
    """A pass without interventions, and what is held of it.

    Parameters
    ----------
    streams : dict of int to Tensor, (row, token, unit)
        The stream after so many blocks, for every number that is asked for.
    upstream : dict of (str, int) to Tensor
        Whole activations at further places.
    attention : HeldAttention or None
        Keys and values of the blocks from the first of these streams on, if asked for.
    taken : Taken
        For the readings.
    plain : bool
        Whether every block gave a tensor and nothing else, so that a stub can stand in for it.
    outputs : dict of int to Outputs
        For each reading that compares with it.
    """

    streams: dict[int, Tensor] = field(default_factory=dict)
    upstream: dict[Place, Tensor] = field(default_factory=dict)
    attention: HeldAttention | None = None
    taken: Taken = field(default_factory=Taken)
    plain: bool = True
    outputs: dict[int, Outputs] = field(default_factory=dict)


class Passes:
    """Runs a subject on one batch of texts, clean or edited.

    Parameters
    ----------
    subject : Subject
        Who is shown them.
    rows : sequence of Row
        The batch.
    length : int
        Tokens that every row is padded to.
    readings : sequence of Reading
        What is read of every pass, over the same texts.
    """

    def __init__(
        self, subject: Subject, rows: Sequence[Row], length: int, readings: Sequence[Reading]
    ) -> None:
        self.subject = subject
        self.rows = tuple(rows)
        self.length = length
        self.readings = tuple(readings)
        self._anatomy: Anatomy = subject.anatomy
        self._inputs = subject.collate([row.tokens for row in rows], length=length)
        self._indices = [reading.index() for reading in self.readings]

    def clean(
        self, starts: Sequence[int], upstream: Sequence[Place], *, attention: bool = False
    ) -> CleanPass:
        """Run once without interventions.

        Parameters
        ----------
        starts : sequence of int
            The stream after so many blocks is held.
        upstream : sequence of (str, int)
            Places that are held whole.
        attention : bool
            Hold keys and values too.

        Returns
        -------
        CleanPass
        """
        held = CleanPass()
        with ExitStack() as hooks:
            if attention:
                run = self._anatomy.blocks[min(starts, default=0) :]
                modules = {id(module) for block in run for module in block.modules()}
                held.attention = HeldAttention(self.subject.attention, modules)
                real = self._inputs["attention_mask"].bool()
                hooks.enter_context(held.attention.recording(real))
            for start in sorted({*starts} - {0}):
                tap = self._anatomy.tap("resid_post", start - 1)
                hooks.callback(tap.attach(partial(_hold, held.streams, start)).remove)
            for place in upstream:
                tap = self._anatomy.tap(*place)
                hooks.callback(tap.attach(partial(_hold, held.upstream, place)).remove)
            for block in self._anatomy.blocks:
                hooks.callback(block.register_forward_hook(partial(_note_kind, held)).remove)
            self._listen(hooks, held.taken, start=0, n_conditions=1)
            self.subject.forward(self._inputs)
        self._check(held.taken, start=0)
        return held

    def edited(
        self,
        conditions: Sequence[Condition],
        clean: CleanPass,
        *,
        start: int = 0,
        upstream: Sequence[Place] = (),
        window: Window | None = None,
    ) -> tuple[Taken, list[ConditionProof]]:
        """Run conditions together, from the stream after `start` blocks of the clean pass.

        Parameters
        ----------
        conditions : sequence of Condition
            None of them changes anything before that stream.
        clean : CleanPass
            With that stream, and with the activations at `upstream`.
        start : int
            Blocks that are not run.
        upstream : sequence of (str, int)
            Places that have to be the clean pass's bit for bit.
        window : Window, optional
            Only these tokens are run, for which the clean pass has held its attention; none of the
            conditions changes anything before them.

        Returns
        -------
        taken : Taken
            For the readings; rows of condition after condition.
        proofs : list of ConditionProof
            Of each condition.
        """
        n_conditions = len(conditions)
        watched = {place: clean.upstream[place] for place in upstream}
        if start:
            watched["resid_post", start - 1] = clean.streams[start]
        inputs = self._inputs
        if window is not None:
            watched = {place: window.take(values) for place, values in watched.items()}
            inputs = {name: window.take(values) for name, values in inputs.items()}
            # Which tokens see which is the clean pass's to say.
            inputs["attention_mask"] = torch.ones_like(inputs["attention_mask"])
        taken = Taken()
        rows = [self.rows] * n_conditions
        edits = Edits(self._anatomy, conditions, rows, self.length, watched, window)
        with ExitStack() as hooks:
            if start:
                held = watched["resid_post", start - 1].repeat(n_conditions, 1, 1)
                hooks.enter_context(starting_from(self._anatomy, start, held))
            if window is not None:
                assert clean.attention is not None
                hooks.enter_context(clean.attention.standing_in(window, n_conditions))
            hooks.enter_context(edits)
            self._listen(hooks, taken, start, n_conditions, clean, window)
            self.subject.forward(
                {name: values.repeat(n_conditions, 1) for name, values in inputs.items()}
            )
        self._check(taken, start)
        return taken, edits.proofs

    def outputs(self, taken: Taken, clean: CleanPass, reading: int, condition: int) -> Outputs:
        """Give a readout what a pass took under one of its conditions.

        Places before the stream that the pass started from are the clean pass's.
        """
        outputs = self._outputs(taken, clean, reading, condition)
        if not self.readings[reading].needs.clean:
            return outputs
        if reading not in clean.outputs:
            clean.outputs[reading] = self._outputs(clean.taken, clean, reading, 0)
        return replace(outputs, clean=clean.outputs[reading])

    def _outputs(self, taken: Taken, clean: CleanPass, reading: int, condition: int) -> Outputs:
        wanted = self.readings[reading]
        last = self._anatomy.n_layers - 1
        valid = self._indices[reading][1].to(self.subject.device)
        part = slice(condition * len(self.rows), (condition + 1) * len(self.rows))
        found = {
            place: taken.values[reading, place][part]
            if (reading, place) in taken.values
            else clean.taken.values[reading, place]
            for place in wanted.places(last)
        }
        logits = None
        if wanted.needs.logits:
            logits = unembed(self._anatomy, found["resid_post", last]).float()
            logits[~valid.to(logits.device)] = 0.0
        captures = {place: found[place] for place in wanted.needs.captures}
        return Outputs(rows=wanted.rows, valid=valid, captures=captures, logits=logits)

    def full_logits(self, *, identity_edits: bool = False) -> Tensor:
        """Run the whole model, with edits at every site that change nothing if asked for."""
        with ExitStack() as hooks:
            if identity_edits:
                for site in self._anatomy.sites:
                    for layer in range(self._anatomy.n_layers):
                        tap = self._anatomy.tap(site, layer)
                        hooks.callback(tap.edit(torch.clone).remove)
            return self.subject.forward(self._inputs, logits=True)

    def _listen(
        self,
        hooks: ExitStack,
        taken: Taken,
        start: int,
        n_conditions: int,
        clean: CleanPass | None = None,
        window: Window | None = None,
    ) -> None:
        for reading, wanted in enumerate(self.readings):
            for place in self._live(wanted, start):

                def take(hidden: Tensor, key: tuple[int, Place] = (reading, place)) -> None:
                    found = self._take(key[0], n_conditions, hidden, window)
                    if window is not None:
                        assert clean is not None
                        found = self._filled(key, found, clean, window)
                    taken.values[key] = found

                hooks.callback(self._anatomy.tap(*place).attach(take).remove)

    def _live(self, wanted: Reading, start: int) -> list[Place]:
        """List the places that a pass from `start` on computes anew, its first stream included."""
        return [
            (site, layer)
            for site, layer in dict.fromkeys(wanted.places(self._anatomy.n_layers - 1))
            if layer >= start or (layer == start - 1 and site == "resid_post")
        ]

    def _take(
        self, reading: int, n_conditions: int, hidden: Tensor, window: Window | None
    ) -> Tensor:
        index, valid = (tensor.to(hidden.device) for tensor in self._indices[reading])
        if window is not None:
            index = (index - window.first.to(hidden.device)[:, None]).clamp_min(0)
        rows = torch.arange(len(index), device=hidden.device)[:, None]
        by_condition = hidden.reshape(n_conditions, len(index), *hidden.shape[1:])[:, rows, index]
        if not valid.all():
            by_condition = by_condition.masked_fill(~_like(valid[None], by_condition), 0.0)
        return by_condition.flatten(0, 1)

    def _filled(
        self, key: tuple[int, Place], found: Tensor, clean: CleanPass, window: Window
    ) -> Tensor:
        """Put the clean pass's values at the tokens that are read before a window."""
        is_before = self._indices[key[0]][0] < window.first[:, None]
        if not is_before.any():
            return found
        held = clean.taken.values[key]
        by_condition = found.reshape(-1, *held.shape)
        outside = _like(is_before[None].to(found.device), by_condition)
        return torch.where(outside, held[None], by_condition).flatten(0, 1)

    def _check(self, taken: Taken, start: int) -> None:
        for reading, wanted in enumerate(self.readings):
            for site, layer in self._live(wanted, start):
                if (reading, (site, layer)) not in taken.values:
                    raise InputError(
                        f"The hook on {site} of layer {layer} did not fire in a pass of "
                        f"{self.subject.name}: the model was changed after its anatomy was "
                        "proved; load the subject again."
                    )


def unembed(anatomy: Anatomy, stream: Tensor) -> Tensor:
    """Put the last block's stream through the model's own tail, as its proof did.

    Parameters
    ----------
    anatomy : Anatomy
        Whose tail.
    stream : Tensor, (..., n_units)
        ``resid_post`` of the last layer.

    Returns
    -------
    Tensor, (..., vocabulary)
    """
    for module in anatomy.tail:
        stream = module(stream)
    if anatomy.logit_cap is not None:
        stream = torch.tanh(stream / anatomy.logit_cap) * anatomy.logit_cap
    return stream


def _like(mask: Tensor, values: Tensor) -> Tensor:
    """Give a mask as many axes as the values that it masks."""
    return mask.reshape(*mask.shape, *(1,) * (values.ndim - mask.ndim))


def _hold(held: dict[Any, Tensor], key: Any, hidden: Tensor) -> None:
    # A copy, because a block may go on to change the tensor in place, as Gemma 4's does.
    held[key] = hidden.clone()


def _note_kind(held: CleanPass, _module: nn.Module, _args: Any, output: Any) -> None:
    held.plain &= isinstance(output, Tensor)
