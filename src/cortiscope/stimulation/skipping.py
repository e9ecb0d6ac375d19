"""Leaving out blocks: a pass that starts from a stream that was held.

The stream after `start` blocks of a clean pass stands in for the blocks themselves: those are not
run, and the last of them hands on what was held. Embedding, rotary positions and masks are the
model's own, made anew in every pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from cortiscope.subjects import Anatomy, Subject


@contextmanager
def starting_from(anatomy: Anatomy, start: int, stream: Tensor) -> Iterator[None]:
    """Leave the first `start` blocks out while the context lasts; the last of them gives `stream`.

    The blocks stay where they are, with their attributes and hooks; only what they compute is
    replaced.
    """
    replaced: list[tuple[nn.Module, Any]] = []
    try:
        for at, block in enumerate(anatomy.blocks[:start]):
            replaced.append((block, block.__dict__.get("forward")))
            block.forward = _stub(stream if at == start - 1 else None)
        yield
    finally:
        for block, forward in replaced:
            if forward is None:
                del block.forward
            else:  # such as accelerate's, which fetches weights
                block.forward = forward


def why_not_fast(subject: Subject) -> str | None:
    """Say why passes of a subject cannot start from a held stream, by its configuration."""
    text = subject.model.config.get_text_config()
    if getattr(text, "num_kv_shared_layers", 0):
        return "layers share keys and values"
    if "resid_post" not in subject.anatomy.sites:
        return "the stream after a block is not proved"
    if len({id(block) for block in subject.anatomy.blocks}) < subject.anatomy.n_layers:
        return "a block is used for several layers"
    return None


def _stub(stream: Tensor | None) -> Callable[..., Tensor]:
    def forward(*args: Tensor, **kwargs: Tensor) -> Tensor:
        if stream is not None:
            return stream
        return args[0] if args else next(iter(kwargs.values()))

    return forward
