"""Ground floor: fingerprints, provenance, atomic files, addresses and the run directory."""

from cortiscope.ledger.address import Address
from cortiscope.ledger.chain import Line, append_line, read_lines
from cortiscope.ledger.files import remove_abandoned, visible_files, write_atomically
from cortiscope.ledger.fingerprint import fingerprint, fingerprint_file
from cortiscope.ledger.provenance import code_version, package_versions, source_fingerprint
from cortiscope.ledger.run import LedgerEntry, Run, seal_of

__all__ = [
    "Address",
    "LedgerEntry",
    "Line",
    "Run",
    "append_line",
    "code_version",
    "fingerprint",
    "fingerprint_file",
    "package_versions",
    "read_lines",
    "remove_abandoned",
    "seal_of",
    "source_fingerprint",
    "visible_files",
    "write_atomically",
]
