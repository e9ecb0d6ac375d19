"""How numbers are written in a report: all of the formatting is here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from cortiscope.ledger import Address

NOTHING = "–"
"""What stands where a number is not defined."""


Style = Callable[[float], str]

_DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?!\w)")


@dataclass(frozen=True)
class Number:
    """A number as it is shown, with its full value and its address.

    Attributes
    ----------
    value : float or int
        As it is stored.
    text : str
        As it is shown.
    address : Address
        Where it is stored.

    Examples
    --------
    >>> number = Number(0.98333, share(0.98333), Address("1f2e", "accuracy"))
    >>> print(f"accuracy {number}")
    accuracy 0.983
    >>> print(Markup("{}").format(number))
    <data value="0.98333" data-address="1f2e:accuracy" title="1f2e:accuracy">0.983</data>
    """

    value: float
    text: str
    address: Address

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> Markup:
        where = str(self.address)
        return Markup('<data value="{}" data-address="{}" title="{}">{}</data>').format(
            repr(self.value), where, where, self.text
        )


def number(value: float, style: Style, address: Address) -> Number:
    """Write a number in a style; an undefined one as a dash."""
    plain = int(value) if float(value).is_integer() and style is count else float(value)
    return Number(plain, style(value) if math.isfinite(value) else NOTHING, address)


def share(value: float) -> str:
    """Write an accuracy, an AUC or a share of variance: three decimals.

    Examples
    --------
    >>> share(0.1), share(1)
    ('0.100', '1.000')
    """
    return f"{value:.3f}"


def statistic(value: float) -> str:
    """Write a statistic of any scale: three decimals, two digits where these would show nothing.

    Examples
    --------
    >>> statistic(-0.25), statistic(0.0), statistic(0.000042)
    ('−0.250', '0.000', '4.2e-05')
    """
    return _signed(f"{value:.3f}" if abs(value) >= 0.0005 or value == 0 else f"{value:.1e}")


def decimals(places: int) -> Style:
    """Make the style of a given number of decimals.

    Examples
    --------
    >>> decimals(4)(0.0321)
    '0.0321'
    """
    return lambda value: f"{value:.{places}f}"


def p_value(value: float) -> str:
    """Write a p-value: three decimals, four where it is small.

    Examples
    --------
    >>> p_value(0.3214), p_value(1 / 1001), p_value(0.00002)
    ('0.321', '0.0010', '< 0.0001')
    """
    if value < 0.00005:
        return "< 0.0001"
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def equals(p: Number) -> Markup:
    """Write "p = 0.032" or "p < 0.0001"."""
    return Markup("<i>p</i> {}{}").format("" if p.text.startswith("<") else "= ", p)


def bracketed(low: Number, high: Number) -> Markup:
    """Write an interval."""
    return Markup('<span class="interval">[{}, {}]</span>').format(low, high)


def decimal(value: float) -> str:
    """Write a mean in natural units: two decimals, with a true minus sign.

    Examples
    --------
    >>> decimal(-0.07)
    '−0.07'
    """
    return _signed(f"{value:.2f}")


def _signed(text: str) -> str:
    return "−" + text[1:] if text.startswith("-") else text


def count(value: float) -> str:
    """Write a whole number, thousands separated.

    Examples
    --------
    >>> count(12000)
    '12,000'
    """
    return f"{int(value):,}"


def small(value: float) -> str:
    """Write a rounding error.

    Examples
    --------
    >>> small(0.00000123), small(0.0)
    ('1.2e-06', '0')
    """
    return f"{value:.1e}" if value else "0"


def shortened(digest: str) -> str:
    """Give the first twelve digits of a hash, which tell it from any other."""
    return digest[:12]


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> counted(1, "category", "categories"), counted(1200, "sentence")
    ('1 category', '1,200 sentences')
    """
    return f"{count(n)} {singular if n == 1 else plural or singular + 's'}"


def listed(items: list[str] | tuple[str, ...]) -> str:
    """Join with commas and "and".

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def spaced(label: str) -> str:
    """Write a label as words.

    Examples
    --------
    >>> spaced("body_part")
    'body part'
    """
    return label.replace("_", " ")


def traced(text: str, numbers: Iterable[Number], untouched: Collection[str] = ()) -> Markup:
    """Put the addresses of numbers into a sentence that was written with them.

    Parameters
    ----------
    text : str
        A sentence.
    numbers : iterable of Number
        Those that it may speak of, in the order in which it does, written as it writes them.
    untouched : collection of str
        Numbers as written that are none of these, such as a size that was claimed.

    Returns
    -------
    Markup
        The same words; a number that is not known stays as it is.

    Examples
    --------
    >>> p = Number(0.03211, "0.0321", Address("1f2e", "p"))
    >>> print(traced("p = 0.0321 <= 0.05", [p]))
    p = <data value="0.03211" data-address="1f2e:p" title="1f2e:p">0.0321</data> &lt;= 0.05
    """
    known = list(numbers)
    left = [number for number in known if number.text not in untouched]
    parts, end = [], 0
    for match in _DECIMAL.finditer(text):
        # Two of the same look are taken in turn; one that is said twice is found again.
        found = next((n for n in [*left, *known] if n.text == match[0]), None)
        if found is not None and match[0] not in untouched:
            parts += [escape(text[end : match.start()]), found.__html__()]
            end = match.end()
            if found in left:
                left.remove(found)
    return Markup("").join([*parts, escape(text[end:])])
