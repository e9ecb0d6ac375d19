"""One instrument a file: pure functions of recordings that return a Result."""

from cortiscope.analyses.decode import decode
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.instruments import INSTRUMENTS
from cortiscope.analyses.result import Result

__all__ = ["INSTRUMENTS", "Instrument", "Result", "decode"]
