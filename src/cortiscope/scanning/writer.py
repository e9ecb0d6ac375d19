"""One thread that writes a batch while the next one goes through the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

_WAITING = 2  # batches: enough to keep both sides busy, and memory does not grow beyond it


class Writer:
    """Calls a function in a thread of its own, in order, holding few calls at a time.

    Parameters
    ----------
    write : callable
        What is called. An error in it surfaces in the next `put`, or on leaving the context.

    Examples
    --------
    >>> written = []
    >>> with Writer(written.append) as writer:
    ...     for batch in range(4):
    ...         writer.put(batch)
    >>> written
    [0, 1, 2, 3]
    """

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cortiscope-writer")
        self._pending: deque[Future[None]] = deque()
        self._has_failed = False

    def _call(self, *arguments: object) -> None:
        if self._has_failed:  # what was handed over behind a failure must not be written
            return
        try:
            self._write(*arguments)
        except BaseException:
            self._has_failed = True
            raise

    def put(self, *arguments: object) -> None:
        """Hand over one call, waiting while too many are held."""
        while len(self._pending) >= _WAITING:
            self._pending.popleft().result()
        self._pending.append(self._thread.submit(self._call, *arguments))

    def __enter__(self) -> Writer:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for all calls; after an error, for the one that has begun."""
        try:
            while error is None and self._pending:
                self._pending.popleft().result()
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)
