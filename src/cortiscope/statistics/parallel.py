"""Work side by side in threads, which share the cores with the linear algebra."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")

# Each thread holds one layer and its Gram matrix; more than this is memory, not speed.
_MOST_THREADS = 8


def map_in_threads(
    function: Callable[[_Item], _Value], items: Sequence[_Item], n_threads: int | None = None
) -> Iterator[_Value]:
    """Apply a function to items in threads, and yield the values in the items' order.

    The linear algebra library is held to the cores that are left over meanwhile: two levels of
    threads get into each other's way.

    Parameters
    ----------
    function : callable
        Spends its time in numpy, which runs outside the interpreter's lock.
    items : sequence
        What it is applied to.
    n_threads : int, optional
        Number of threads; one a core, at most 8, when left out.

    Yields
    ------
    value
        ``function(item)``, in order. What one of them raises is raised here.

    Examples
    --------
    >>> list(map_in_threads(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    n_cores = _n_cores()
    n_threads = n_threads or min(n_cores, _MOST_THREADS)
    with (
        _libraries().limit(limits=max(n_cores // n_threads, 1), user_api="blas"),
        ThreadPoolExecutor(n_threads) as pool,
    ):
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


@cache
def _libraries() -> ThreadpoolController:
    # Looking for them takes longer than many a measurement.
    return ThreadpoolController()


def _n_cores() -> int:
    # The cores that this process may use; not every system can tell.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
