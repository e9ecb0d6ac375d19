"""One progress bar for every loop that a person might wait for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_PATIENCE = 2.0  # seconds: a bar that flashes by is noise

_Item = TypeVar("_Item")


def track(
    items: Iterable[_Item],
    description: str,
    *,
    total: int | None = None,
    completed: int = 0,
    enabled: bool = True,
    console: Console | None = None,
) -> Iterator[_Item]:
    """Pass the items on, with a bar on stderr once the loop has taken two seconds.

    Parameters
    ----------
    items : iterable
        What is worked through.
    description : str
        What is being done, as in "scanning".
    total : int, optional
        Number of items, when it cannot be asked of them.
    completed : int
        How many were done before, as when a scan continues; counted in `total`.
    enabled : bool
        False keeps it silent.
    console : rich.console.Console, optional
        Where the bar is drawn; stderr by default. It stays silent where that is no terminal.

    Yields
    ------
    object
        The items, in order.

    Examples
    --------
    >>> list(track("abc", "spelling"))
    ['a', 'b', 'c']
    """
    console = console or Console(stderr=True)
    if not enabled or not console.is_terminal:
        yield from items
        return
    if total is None and isinstance(items, Sized):
        total = completed + len(items)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    task = bar.add_task(description, total=total, completed=completed)
    began = time.monotonic()
    try:
        for item in items:
            yield item
            bar.advance(task)
            if not bar.live.is_started and time.monotonic() - began > _PATIENCE:
                bar.start()
    finally:
        if bar.live.is_started:
            bar.stop()
