"""The address of a number: which artifact of the run holds it, and where in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from cortiscope.errors import InputError

_ADDRESS = re.compile(r"(?P<artifact>[^:\[\]]+):(?P<variable>[^:\[\]]+)(?:\[(?P<at>[^\[\]]*)\])?")
# Marks of the notation itself; any other character of a label stands as it is.
_MARKS = ":[],=%"


@dataclass(frozen=True)
class Address:
    """Where a number is kept: ``ARTIFACT_ID:variable[layer=3,category=animal]``.

    Attributes
    ----------
    artifact : str
        Id in the ledger: of a result, of the stimuli, of a subject.
    variable : str
        Such as ``accuracy``, ``accuracy_low``, ``accuracy_high`` or ``accuracy_p``.
    at : tuple of (str, str)
        Coordinates; marks of the notation in a label are percent-encoded.

    Examples
    --------
    >>> address = Address("1f2e", "auc", (("layer", "3"), ("category", "a,b")))
    >>> str(address)
    '1f2e:auc[layer=3,category=a%2Cb]'
    >>> Address.parse(str(address)) == address
    True
    """

    artifact: str
    variable: str
    at: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address as it is written.

        Raises
        ------
        InputError
            When the text is none.
        """
        match = _ADDRESS.fullmatch(text)
        pairs = [part.partition("=") for part in (match["at"] or "").split(",")] if match else []
        if match is None or any(pair[0] and not pair[1] for pair in pairs):
            msg = f"{text!r} is no address: write ID:variable[layer=3,category=animal]."
            raise InputError(msg)
        at = tuple((unquote(name), unquote(value)) for name, _, value in pairs if name)
        return cls(match["artifact"], match["variable"], at)

    def __str__(self) -> str:
        at = ",".join(f"{_encoded(name)}={_encoded(value)}" for name, value in self.at)
        return f"{self.artifact}:{self.variable}" + (f"[{at}]" if at else "")


def _encoded(text: str) -> str:
    return "".join(quote(mark, safe="") if mark in _MARKS else mark for mark in text)
