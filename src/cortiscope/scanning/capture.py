"""Hooks on a subject's sites, which keep the wanted tokens of one pass and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.scanning.positions import gather_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.scanning.positions import Position
    from cortiscope.scanning.presentation import Presented
    from cortiscope.scanning.sites import SiteLayout
    from cortiscope.subjects import Subject
    from cortiscope.subjects.tokens import PaddingSide

_Key = tuple[str, int]  # site, layer


class Capture:
    """Records sites of a subject, one pass at a time, while its context lasts.

    Tokens are sliced on the device inside the hooks, so that a pass keeps alive no more than what
    is recorded; they cross to the host once the pass is over.

    Parameters
    ----------
    subject : Subject
        Whose sites.
    sites : sequence of SiteLayout
        Which, and at which layers.
    position : str
        Which tokens, and whether they are averaged.
    dtype : {"float32", "float16"}
        Of the arrays that are returned.

    Raises
    ------
    InputError
        From `run`, when a hook does not fire exactly once, or a value cannot be stored.
    """

    def __init__(
        self, subject: Subject, sites: Sequence[SiteLayout], position: Position, dtype: str
    ) -> None:
        self._subject = subject
        self._sites = tuple(sites)
        self._position = position
        self._dtype = np.dtype(dtype)
        self._hooks = ExitStack()
        self._fired: dict[_Key, int] = {}
        self._taken: dict[_Key, Tensor] = {}
        self._wanted: dict[torch.device, tuple[Tensor, Tensor, Tensor]] = {}

    def __enter__(self) -> Capture:
        """Attach the hooks."""
        with self._hooks:
            for layout in self._sites:
                for layer in layout.layers:
                    tap = self._subject.anatomy.tap(layout.site, layer)
                    handle = tap.attach(partial(self._take, (layout.site, layer)))
                    self._hooks.callback(handle.remove)
            self._hooks = self._hooks.pop_all()  # all are on: keep them until __exit__
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the hooks, whatever happened."""
        self._hooks.close()

    def run(
        self, presented: Sequence[Presented], length: int, padding_side: PaddingSide
    ) -> dict[str, NDArray[np.floating]]:
        """Show stimuli to the subject in one pass, and return what was recorded.

        Parameters
        ----------
        presented : sequence of Presented
            The stimuli.
        length : int
            Tokens that every row is padded to.
        padding_side : {"left", "right"}
            Where the padding goes.

        Returns
        -------
        dict of str to ndarray, (stimulus, layer, ...)
            For every site; NaN after the last token of a stimulus where every token is kept.
        """
        index, valid = gather_index(
            [item.recorded for item in presented],
            [len(item.tokens) for item in presented],
            length,
            padding_side,
        )
        self._fired.clear()
        self._wanted = {torch.device("cpu"): _as_tensors(index, valid)}
        try:
            with torch.inference_mode():
                batch = self._subject.collate(
                    [item.tokens for item in presented], length=length, padding_side=padding_side
                )
                self._subject.forward(batch, logits=False)
                self._check_fired()
                return {
                    layout.site: self._gather(layout, presented, valid) for layout in self._sites
                }
        finally:
            self._taken.clear()

    def _take(self, key: _Key, hidden: Tensor) -> None:
        self._fired[key] = self._fired.get(key, 0) + 1
        if hidden.device not in self._wanted:
            cpu = self._wanted[torch.device("cpu")]
            self._wanted[hidden.device] = (
                cpu[0].to(hidden.device),
                cpu[1].to(hidden.device),
                cpu[2].to(hidden.device),
            )
        rows, index, valid = self._wanted[hidden.device]
        taken = hidden[rows, index]  # indexing with tensors copies: the model's memory is free
        if self._position in ("target_last", "last"):
            self._taken[key] = taken[:, 0]
            return
        mask = valid.reshape(*valid.shape, *(1,) * (taken.ndim - valid.ndim))
        taken = taken.masked_fill(~mask, 0.0)  # padding may hold anything, NaN included
        if self._position == "every":
            self._taken[key] = taken
        else:
            self._taken[key] = taken.float().sum(dim=1) / mask.sum(dim=1)

    def _check_fired(self) -> None:
        for layout in self._sites:
            for layer in layout.layers:
                n_fired = self._fired.get((layout.site, layer), 0)
                if n_fired != 1:
                    raise InputError(
                        f"The hook on {layout.site} of layer {layer} fired {n_fired} times in one "
                        f"pass of {self._subject.name}, where once was expected: the model was "
                        "changed after its anatomy was proved; load the subject again."
                    )

    def _gather(
        self, layout: SiteLayout, presented: Sequence[Presented], valid: NDArray[np.bool_]
    ) -> NDArray[np.floating]:
        values = torch.zeros((len(presented), *layout.row_shape), dtype=torch.float32)
        kept: tuple[slice, ...] = (slice(None),)
        if self._position == "every":
            kept = (slice(None), slice(valid.shape[1]))
        for at, layer in enumerate(layout.layers):
            target = values[:, at][kept]
            target.copy_(self._taken[layout.site, layer].reshape(target.shape))
        self._check_range(values, layout, presented)
        recorded: NDArray[np.floating] = values.numpy()
        if self._position == "every":
            empty = np.ones((len(presented), recorded.shape[2]), dtype=bool)
            empty[:, : valid.shape[1]] = ~valid
            np.moveaxis(recorded, 1, 2)[empty] = np.nan
        return recorded.astype(self._dtype, copy=False)

    def _check_range(
        self, values: Tensor, layout: SiteLayout, presented: Sequence[Presented]
    ) -> None:
        low, high = values.aminmax()
        limit = float(np.finfo(self._dtype).max)
        if max(-float(low), float(high)) <= limit and not torch.isnan(low):
            return
        bad = ~(values.abs() <= limit)
        first = tuple(bad.nonzero()[0].tolist())
        stimulus_id, layer, value = (
            presented[first[0]].stimulus_id,
            layout.layers[first[1]],
            float(values[first]),
        )
        where = f"Stimulus {stimulus_id!r} at {layout.site}, layer {layer}"
        if not np.isfinite(value):
            raise InputError(
                f"{where}: the subject gives {value}, which is no activation; load it with "
                'dtype="float32", or check its weights.'
            )
        raise InputError(
            f"{where}: the activation {value:.6g} is beyond the {limit:.6g} that "
            f'{self._dtype.name} holds; scan with dtype="float32".'
        )


def _as_tensors(
    index: NDArray[np.int64], valid: NDArray[np.bool_]
) -> tuple[Tensor, Tensor, Tensor]:
    rows = torch.arange(len(index))[:, None]
    return rows, torch.from_numpy(index), torch.from_numpy(valid)
