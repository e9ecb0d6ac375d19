"""Numbers of decoding results with their addresses, for sentences and tables alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from cortiscope.analyses import Result
from cortiscope.ledger import Address
from cortiscope.report.numbers import Number, bracketed, number, p_value, share

ALPHA = 0.05
"""Corrected p-values below this are called decodable."""


@dataclass(frozen=True)
class Reading:
    """A statistic at one place of a result.

    Attributes
    ----------
    estimate, low, high, p : Number
        The statistic, its 95% interval and its corrected p-value.
    """

    estimate: Number
    low: Number
    high: Number
    p: Number

    @property
    def is_decodable(self) -> bool:
        """Whether the corrected p-value is below `ALPHA`."""
        return self.p.value < ALPHA

    @property
    def interval(self) -> Markup:
        """The interval in brackets."""
        return bracketed(self.low, self.high)

    @property
    def sentence(self) -> Markup:
        """The interval in words."""
        return Markup("95% interval {} to {}").format(self.low, self.high)

    def overlaps(self, other: Reading) -> bool:
        """Whether the two intervals share a value."""
        return self.low.value <= other.high.value and other.low.value <= self.high.value


def has_areas(result: Result) -> bool:
    """Tell whether the AUC was computed."""
    return "auc" in result.estimates


def reading(result: Result, layer: int, category: str | None = None) -> Reading:
    """Take the accuracy at a layer, or the AUC of a category there.

    Parameters
    ----------
    result : Result
        Of `decode`.
    layer : int
        One of its layers.
    category : str, optional
        One of its categories.

    Returns
    -------
    Reading
        Each number with its address.
    """
    if category is None:
        return _reading(result, "accuracy", {"layer": layer})
    return _reading(result, "auc", {"layer": layer, "category": category})


def crossed_peak(result: Result) -> Reading:
    """Take the accuracy at the layer that was chosen on the other half of the words."""
    return _reading(result, "peak_accuracy", {})


def _reading(result: Result, variable: str, at: Mapping[str, int | str]) -> Reading:
    place = tuple((name, str(value)) for name, value in at.items())

    def written(suffix: str, value: float) -> Number:
        style = p_value if suffix == "_p" else share
        return number(value, style, Address(result.id, variable + suffix, place))

    bounds = result.intervals[variable].sel(at)
    return Reading(
        estimate=written("", float(result.estimates[variable].sel(at))),
        low=written("_low", float(bounds.sel(bound="low"))),
        high=written("_high", float(bounds.sel(bound="high"))),
        p=written("_p", float(result.p_values[variable].sel(at))),
    )


def macro_auc(result: Result, layer: int) -> Number:
    """Take the mean AUC over categories at a layer."""
    value = float(result.estimates["auc_macro"].sel(layer=layer))
    return number(value, share, Address(result.id, "auc_macro", (("layer", str(layer)),)))


def chance(result: Result) -> Number:
    """Take the balanced accuracy that guessing has."""
    value = float(result.estimates.attrs["chance_accuracy"])
    return number(value, share, Address(result.id, "chance_accuracy"))


def layers_of(result: Result) -> list[int]:
    """List the layers of a result."""
    return [int(layer) for layer in result.estimates["layer"].values]


def categories_of(result: Result) -> list[str]:
    """List the categories of a result."""
    return [str(category) for category in result.estimates["category"].values]


def best_layer(result: Result) -> int:
    """Find the layer of the highest accuracy."""
    return layers_of(result)[int(result.estimates["accuracy"].values.argmax())]


def best(result: Result) -> Reading:
    """Take the accuracy at the layer of the highest."""
    return reading(result, best_layer(result))
