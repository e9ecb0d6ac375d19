"""Ground floor: fingerprints, provenance, atomic files and the run directory."""

from cortiscope.ledger.files import remove_abandoned, write_atomically
from cortiscope.ledger.fingerprint import fingerprint, fingerprint_file
from cortiscope.ledger.provenance import code_version, package_versions, source_fingerprint
from cortiscope.ledger.run import LedgerEntry, Run

__all__ = [
    "LedgerEntry",
    "Run",
    "code_version",
    "fingerprint",
    "fingerprint_file",
    "package_versions",
    "remove_abandoned",
    "source_fingerprint",
    "write_atomically",
]
