"""Edits of one pass: several conditions ride in a batch, and each changes its own rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.intervention import Selected
from cortiscope.stimulation.proofs import ConditionProof, Evidence, Key, check_change, same_bits
from cortiscope.stimulation.readout import Row
from cortiscope.stimulation.where import SITE_ORDER
from cortiscope.stimulation.window import Window

if TYPE_CHECKING:
    from cortiscope.subjects import Anatomy

Place = tuple[str, int]  # site, layer


class Edits:
    """Changes the activations of a pass while its context lasts, and proves each change.

    The pass has a row for each condition and shown text, condition after condition.

    Parameters
    ----------
    anatomy : Anatomy
        Whose sites.
    conditions : sequence of Condition
        Which ride together.
    rows : sequence of sequence of Row
        For each condition, the texts that are shown; equally many for each.
    length : int
        Tokens of every padded row.
    upstream : mapping of (str, int) to Tensor, (text, token, ...)
        Clean activations that every condition has to leave bit for bit.
    window : Window, optional
        The tokens that the pass runs, where it does not run all.

    Attributes
    ----------
    proofs : list of ConditionProof
        Of each condition, after the pass.
    """

    def __init__(
        self,
        anatomy: Anatomy,
        conditions: Sequence[Condition],
        rows: Sequence[Sequence[Row]],
        length: int,
        upstream: Mapping[Place, Tensor],
        window: Window | None = None,
    ) -> None:
        self._anatomy = anatomy
        self._conditions = conditions
        self._rows = rows
        self._length = length
        self._upstream = upstream
        self._window = window
        self._hooks = ExitStack()
        self._fired: dict[tuple[str, Place], int] = {}
        self._masks: dict[tuple[int, str], Tensor] = {}
        self._given: dict[Place, Tensor] = {}
        self._evidence: list[dict[Key, Evidence]] = [{} for _ in conditions]

    def __enter__(self) -> Edits:
        """Attach the hooks: those that look upstream first, then edits and what proves them."""
        anatomy = self._anatomy
        with self._hooks:
            for place in self._upstream:
                self._expect("upstream", place)
                handle = anatomy.tap(*place).attach(partial(self._check_upstream, place))
                self._hooks.callback(handle.remove)
            for place in sorted(
                {place for condition in self._conditions for place in condition.places},
                key=lambda place: (place[1], SITE_ORDER.index(place[0])),
            ):
                self._expect("edit", place)
                tap = anatomy.tap(*place)
                self._hooks.callback(tap.edit(partial(self._edit, place)).remove)
                self._hooks.callback(tap.attach(partial(self._check_arrived, place)).remove)
            self._hooks = self._hooks.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the hooks, and make sure that each fired once."""
        self._hooks.close()
        self._given.clear()
        if error is not None:
            return
        for (what, (site, layer)), n_fired in self._fired.items():
            if n_fired != 1:
                raise InputError(
                    f"The {what} hook on {site} of layer {layer} fired {n_fired} times in one "
                    "pass, where once was expected: the model was changed after its anatomy was "
                    "proved; load the subject again."
                )

    @property
    def proofs(self) -> list[ConditionProof]:
        """What each condition showed in the pass."""
        return [
            ConditionProof(condition.name, evidence)
            for condition, evidence in zip(self._conditions, self._evidence, strict=True)
        ]

    def _expect(self, what: str, place: Place) -> None:
        self._fired[what, place] = 0

    def _slices(self) -> list[slice]:
        ends = [0]
        for rows in self._rows:
            ends.append(ends[-1] + len(rows))
        return [slice(first, last) for first, last in itertools.pairwise(ends)]

    def _edit(self, place: Place, hidden: Tensor) -> Tensor:
        self._fired["edit", place] += 1
        edited = hidden.clone()
        for at, (condition, part) in enumerate(zip(self._conditions, self._slices(), strict=True)):
            if place in condition.places:
                edited[part] = self._changed(at, place, edited[part])
        self._given[place] = edited
        return edited

    def _changed(self, at: int, place: Place, values: Tensor) -> Tensor:
        site, layer = place
        condition = self._conditions[at]
        for nth, intervention in enumerate(condition.interventions):
            if intervention.where.site != site or layer not in intervention.where.layers:
                continue
            mask = self._mask(at, intervention.where.positions, nth, values.device)
            if self._window is not None and not mask.any():
                continue
            tokens = None if self._window is None else self._window.index.to(values.device)
            changed = intervention.apply(values, mask, self._rows[at], layer, tokens)
            self._evidence[at][nth, layer] = check_change(
                condition.name,
                intervention,
                values,
                changed,
                mask,
                Selected.by(mask, self._rows[at], layer, tokens),
            )
            values = changed
        return values

    def _mask(self, at: int, positions: str, nth: int, device: torch.device) -> Tensor:
        key = (id(self._rows[at]), positions)  # conditions mostly share their rows
        if key not in self._masks:
            where = self._conditions[at].interventions[nth].where
            mask = where.mask(self._rows[at], self._length)
            self._masks[key] = mask if self._window is None else self._window.take(mask)
        return self._masks[key].to(device)

    def _check_arrived(self, place: Place, hidden: Tensor) -> None:
        if not same_bits(hidden, self._given.pop(place)):
            raise InputError(
                f"What was put in at {place[0]} of layer {place[1]} is not what the model goes on "
                "with: another hook changes it; load the subject again."
            )

    def _check_upstream(self, place: Place, hidden: Tensor) -> None:
        self._fired["upstream", place] += 1
        clean = self._upstream[place].to(hidden.device)
        for condition, part in zip(self._conditions, self._slices(), strict=True):
            if not same_bits(hidden[part], clean):
                raise InputError(
                    f"The condition {condition.name!r} changed {place[0]} of layer {place[1]}, "
                    "upstream of where it acts; load the subject again, or look for hooks of "
                    "others on it."
                )
