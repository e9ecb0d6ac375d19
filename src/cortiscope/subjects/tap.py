"""One site of one layer as a thing to listen to and to edit: hooks that fire in every pass."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cortiscope.errors import InputError
from cortiscope.subjects.families import End


class Handle:
    """Removes the hooks of one attached tap.

    Parameters
    ----------
    *handles : torch.utils.hooks.RemovableHandle
        What to remove.
    """

    def __init__(self, *handles: torch.utils.hooks.RemovableHandle) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Stop listening; doing it twice does no harm."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> Handle:
        """Listen while the context lasts."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop listening."""
        self.remove()


@dataclasses.dataclass(frozen=True)
class Tap:
    """One site of one layer: the module that has it, and at which end.

    Parameters
    ----------
    site : str
        One of `SITES`, or another name for a place that only the proof reads.
    layer : int
        Counted from 0.
    path : str
        The module's name below the body, for messages.
    module : nn.Module
        The module to listen to.
    end : {"input", "output"}
        Whether the site is what the module takes or what it gives.
    trailing : tuple of int
        The sizes after (batch, token) that the callback sees.
    block : nn.Module or None
        For a module that gets all tokens of a batch in one axis: the block around it, from which
        the shape of the batch is read.
    """

    site: str
    layer: int
    path: str
    module: nn.Module
    end: End
    trailing: tuple[int, ...]
    block: nn.Module | None = None

    def attach(self, callback: Callable[[Tensor], None]) -> Handle:
        """Call back with the site's tensor in every forward pass.

        Parameters
        ----------
        callback : callable
            Gets the tensor (batch, token, *trailing) in the model's dtype, on the device of the
            layer. It is the model's own memory: copy what is kept, change nothing.

        Returns
        -------
        Handle
            Whose `remove` ends it.
        """
        return self._hook(callback)

    def edit(self, callback: Callable[[Tensor], Tensor | None]) -> Handle:
        """Let a callback change the site's tensor in every forward pass.

        Callbacks that are attached later, to listen or to edit, see what this one returned.

        Parameters
        ----------
        callback : callable
            Gets the tensor as `attach` gives it, and returns the tensor that takes its place in
            the pass, of the same shape and dtype and on the same device; None leaves it. It must
            not write to the tensor that it gets.

        Returns
        -------
        Handle
            Whose `remove` ends it.

        Raises
        ------
        InputError
            In the pass, when what the callback returns cannot take the tensor's place.

        Examples
        --------
        >>> norm = nn.LayerNorm(4)
        >>> tap = Tap("resid_post", 0, "norm", norm, "output", (4,))
        >>> with tap.edit(lambda hidden: hidden + 1.0):
        ...     norm(torch.zeros(1, 1, 4)).tolist()
        [[[1.0, 1.0, 1.0, 1.0]]]
        """
        return self._hook(callback)

    def _hook(self, callback: Callable[[Tensor], Tensor | None]) -> Handle:
        rows: list[int] = []

        def give(tensor: Any) -> Tensor | None:
            self._check_width(tensor)
            n_rows = rows[0] if self.block is not None else tensor.shape[0]
            seen = tensor.reshape(n_rows, -1, *self.trailing)
            edited = callback(seen)
            if edited is None:
                return None
            self._check_edited(edited, seen)
            return edited.reshape(tensor.shape)

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            edited = give(_first(args, kwargs))
            if edited is None:
                return None
            if args:
                return (edited, *args[1:]), kwargs
            return args, {**kwargs, next(iter(kwargs)): edited}

        def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
            if not isinstance(output, tuple):
                return give(output)
            edited = give(output[0])
            return None if edited is None else (edited, *output[1:])

        def note(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            rows[:] = [_first(args, kwargs).shape[0]]

        handles = []
        if self.block is not None:
            handles.append(self.block.register_forward_pre_hook(note, with_kwargs=True))
        if self.end == "input":
            handles.append(self.module.register_forward_pre_hook(before, with_kwargs=True))
        else:
            handles.append(self.module.register_forward_hook(after))
        return Handle(*handles)

    def _check_width(self, tensor: Any) -> None:
        width = math.prod(self.trailing)
        if isinstance(tensor, Tensor) and tensor.shape[-1] == width:
            return
        found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
        raise InputError(
            f"The {self.end} of {self.path} is {found}, where a tensor of the width "
            f"{width} was expected for {self.site}; mend the family's entry."
        )

    def _check_edited(self, edited: Any, seen: Tensor) -> None:
        found = _kind_of(edited) if isinstance(edited, Tensor) else type(edited).__name__
        if found != _kind_of(seen):
            raise InputError(
                f"The edit of {self.site} in layer {self.layer} returned {found}, where "
                f"{_kind_of(seen)} was expected; return a tensor like the one given."
            )


def _kind_of(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')} on {tensor.device}"


def _first(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    # A block hands its modules the stream as the first argument, mostly without a name.
    return args[0] if args else next(iter(kwargs.values()), None)
