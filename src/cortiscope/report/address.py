"""The address of a number, from the ledger room."""

from cortiscope.ledger import Address

__all__ = ["Address"]
