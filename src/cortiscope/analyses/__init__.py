"""One instrument a file: pure functions of recordings that return a Result."""

from cortiscope.analyses.decode import decode
from cortiscope.analyses.instrument import Instrument, Readable
from cortiscope.analyses.instruments import INSTRUMENTS
from cortiscope.analyses.result import Result

__all__ = ["INSTRUMENTS", "Instrument", "Readable", "Result", "decode"]
