"""Which code stimulates: a sweep that other code began is not gone on with."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from cortiscope.ledger import source_fingerprint

_ELSEWHERE = (
    "codes.direction",
    "codes.eraser",
    "codes.probe",
    "scanning.batches",
    "scanning.positions",
    "subjects.anatomy",
    "subjects.families",
    "subjects.subject",
    "subjects.tap",
    "subjects.tokens",
)


@functools.cache
def code_fingerprint() -> str:
    """Hash the source of all that decides the numbers of a response.

    Examples
    --------
    >>> len(code_fingerprint())
    64
    """
    import cortiscope.stimulation as room

    own = [found.name for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    names = [*own, *(f"cortiscope.{name}" for name in _ELSEWHERE)]
    return source_fingerprint(*(importlib.import_module(name) for name in names))
