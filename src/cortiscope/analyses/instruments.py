"""The list of instruments: each file of this room that declares one, and other packages' own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from cortiscope.analyses.instrument import Instrument
from cortiscope.plugins import with_plugins

ENTRY_POINT_GROUP = "cortiscope.analyses"


def _declared() -> Iterator[Instrument]:
    for module in iter_modules([str(Path(__file__).parent)]):
        if module.name != Path(__file__).stem:
            instrument = getattr(
                import_module(f"cortiscope.analyses.{module.name}"), "INSTRUMENT", None
            )
            if instrument is not None:
                yield instrument


INSTRUMENTS: dict[str, Instrument] = with_plugins(
    _declared(), ENTRY_POINT_GROUP, Instrument, lambda instrument: [instrument.name]
)
