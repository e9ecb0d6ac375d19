"""Keys and values of a clean pass, so that later tokens can be run without those before them.

Every attention of transformers calls a function that is looked up under the name of its kernel.
That function is looked over the shoulder in the clean pass. In a pass over some of the tokens it
is given the keys and values of all: new ones at the tokens of the pass, the clean pass's at the
others, and of the clean pass's mask the rows of these tokens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from cortiscope.stimulation.window import Window

KERNELS = ("sdpa", "eager")
"""Those whose mask says which token sees which; others take it in forms of their own."""

Attend = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Held:
    """What one attention was given in the clean pass.

    Parameters
    ----------
    key, value : Tensor, (row, head, token, width)
        Of all tokens, with their positions worked in.
    mask : Tensor of bool or float, (1 or row, 1 or head, token, token)
        Which token (the last but one axis) sees which.
    """

    key: Tensor
    value: Tensor
    mask: Tensor


@dataclass
class HeldAttention:
    """What every attention of some blocks was given in a clean pass.

    Parameters
    ----------
    kernel : str
        The name of the attention's function.
    wanted : collection of int
        The ids of modules whose attention is held.
    by_module : dict of int to Held
        What was held, by the id of the attention module.
    is_causal : bool
        Whether no token saw a later one.
    """

    kernel: str
    wanted: Collection[int]
    by_module: dict[int, Held] = field(default_factory=dict)
    is_causal: bool = True

    @contextmanager
    def recording(self, real: Tensor) -> Iterator[None]:
        """Hold what passes through attention while the context lasts.

        Parameters
        ----------
        real : Tensor of bool, (row, token)
            Which tokens are no padding.
        """

        def record(
            attend: Attend,
            module: nn.Module,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            mask: Tensor | None,
            **options: Any,
        ) -> Any:
            if id(module) in self.wanted:
                self._hold(module, key, value, mask, real)
            return attend(module, query, key, value, mask, **options)

        with _through(record, self.kernel):
            yield

    @contextmanager
    def standing_in(
        self, window: Window, n_conditions: int = 1, *, keep: bool = False
    ) -> Iterator[None]:
        """Give attention the held keys and values of tokens outside a window, while it lasts.

        Parameters
        ----------
        window : Window
            The tokens that are run.
        n_conditions : int
            How often the rows stand in the batch, one after another.
        keep : bool
            Hold the new ones in place of those that were held, for passes that follow.
        """
        masks: dict[int, Tensor] = {}
        index = window.index.repeat(n_conditions, 1)[:, None, :, None]

        def complete(held: Tensor, new: Tensor) -> Tensor:
            whole = held if keep else held.repeat(n_conditions, 1, 1, 1)
            return whole.scatter_(2, index.to(new.device).expand(new.shape), new)

        def stand_in(
            attend: Attend,
            module: nn.Module,
            query: Tensor,
            key: Tensor,
            value: Tensor,
            mask: Tensor | None,
            **options: Any,
        ) -> Any:
            held = self.by_module.get(id(module))
            if held is None:  # of another model
                return attend(module, query, key, value, mask, **options)
            if id(held.mask) not in masks:
                masks[id(held.mask)] = _rows_of(held.mask, window).repeat(n_conditions, 1, 1, 1)
            key, value = complete(held.key, key), complete(held.value, value)
            return attend(module, query, key, value, masks[id(held.mask)], **options)

        with _through(stand_in, self.kernel):
            yield

    def _hold(
        self, module: nn.Module, key: Tensor, value: Tensor, mask: Tensor | None, real: Tensor
    ) -> None:
        if mask is None:
            mask = key.new_ones((1, 1, key.shape[2], key.shape[2]), dtype=torch.bool)
            if self.kernel == "sdpa" and getattr(module, "is_causal", True):
                mask = mask.tril()
        if id(module) in self.by_module:  # one pass, two attentions: neither stands for the other
            self.is_causal = False
        if not any(held.mask is mask for held in self.by_module.values()):
            self.is_causal &= _is_causal(mask, real)
        self.by_module[id(module)] = Held(key.clone(), value.clone(), mask)


def attends_by_name(kernel: str) -> bool:
    """Whether attention of this kernel can be held and stood in for."""
    return kernel in KERNELS


def _is_causal(mask: Tensor, real: Tensor) -> bool:
    sees = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    later = torch.ones(sees.shape[-2:], dtype=torch.bool, device=sees.device).triu(1)
    seen = (sees & later).any(dim=-1)  # (row, head, token)
    return not bool((seen & real[:, None].to(seen.device)).any())


def _rows_of(mask: Tensor, window: Window) -> Tensor:
    """Take the rows of a mask that belong to the tokens of a window, (row, head, token, token)."""
    n_rows = len(window.first)
    return window.take(mask.expand(n_rows, -1, -1, -1).transpose(1, 2)).transpose(1, 2)


@contextmanager
def _through(function: Attend, kernel: str) -> Iterator[None]:
    """Let attention of a kernel go through a function, which is given the kernel's own first."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as KNOWN

    before = KNOWN.get(kernel)  # None for "eager", which every model has of its own

    def attend(module: nn.Module, *args: Any, **options: Any) -> Any:
        own = before or sys.modules[type(module).__module__].eager_attention_forward
        return function(own, module, *args, **options)

    KNOWN[kernel] = attend
    try:
        yield
    finally:
        del KNOWN[kernel]
        if KNOWN.get(kernel) is not before:  # it was somebody's replacement for this process
            KNOWN[kernel] = before
