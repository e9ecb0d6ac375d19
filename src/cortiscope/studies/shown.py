"""Numbers as a report shows them: ``<data value="…" data-address="…">0.983</data>``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from cortiscope.ledger import Address

_NOTHING = "–"
_NUMBER = re.compile(r"-?\d+(?:\.(?P<decimals>\d+))?(?P<exponent>e[+-]?\d+)?")


@dataclass
class ShownNumber:
    """A number in a report.

    Attributes
    ----------
    address : str
        Where it says that it is kept.
    value : str
        All of its digits.
    text : str
        As it is shown.
    """

    address: str
    value: str
    text: str = field(default="")

    @property
    def parsed_address(self) -> Address:
        """The address; `InputError` where it is none."""
        return Address.parse(self.address)

    @property
    def artifact(self) -> str:
        """The artifact that the address names."""
        return self.address.partition(":")[0]

    def holds(self, stored: float) -> bool:
        """Whether all of its digits are those of a stored number."""
        try:
            value = float(self.value)
        except ValueError:
            return False
        return value == stored or (math.isnan(value) and math.isnan(stored))


def numbers_in(html: str) -> list[ShownNumber]:
    """Find the numbers of a report that have an address.

    Examples
    --------
    >>> numbers_in('<td><data value="0.9833" data-address="1f:accuracy">0.983</data></td>')
    [ShownNumber(address='1f:accuracy', value='0.9833', text='0.983')]
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.numbers


def is_shown(value: float, text: str) -> bool:
    """Tell whether a text is a number at the text's own precision.

    Examples
    --------
    >>> is_shown(0.98333, "0.983"), is_shown(0.98333, "0.984"), is_shown(12000, "12,000")
    (True, False, True)
    >>> is_shown(0.00001, "< 0.0001"), is_shown(float("nan"), "–")
    (True, True)
    """
    plain = text.strip().replace("−", "-").replace(",", "")
    if not math.isfinite(value):
        return plain == _NOTHING
    if plain.startswith("<"):
        bound = plain[1:].strip()
        return bool(_NUMBER.fullmatch(bound)) and value < float(bound)
    match = _NUMBER.fullmatch(plain)
    if match is None:
        return False
    style = "e" if match["exponent"] else "f"
    return f"{value:.{len(match['decimals'] or '')}{style}}" == plain


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[ShownNumber] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "data" and "data-address" in given:
            address, value = given["data-address"] or "", given.get("value") or ""
            self.numbers.append(ShownNumber(address, value))
            self._is_inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "data":
            self._is_inside = False

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.numbers[-1].text += data
