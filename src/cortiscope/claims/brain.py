"""What is known of brains, and what it takes for a verdict to be like it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cortiscope.claims.claim import Claim

_FILE = Path(__file__).with_suffix(".toml")

LikenessWord = Literal["match", "partial", "differ", "not tested", "no brain value"]

RULE = (
    "A verdict is put beside the brain by a rule. Invalid or inconclusive, and where nothing was "
    "claimed: not tested. Not supported, and supported where the claim is that there is nothing: "
    "differ. Supported: a match where all that is known of brains is that it is there, or where "
    "the brain's own number, which is the claim's or stands in the same result, lies in the "
    "brain's range, at an equal number of nodes and density if it depends on these; otherwise "
    "partial. A claim of absence that its interval excludes is partial too."
)
"""How a verdict is put beside the brain, for the report."""


class Reference(BaseModel):
    """Where a brain value stands.

    Attributes
    ----------
    text : str
        Authors, year, title, journal.
    doi : str, optional
        Where it was seen; none where it was not.
    checked : {"text", "abstract", "no"}
        What of it was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    doi: str | None = None
    checked: Literal["text", "abstract", "no"]


class BrainProperty(BaseModel):
    """One property of brains.

    Attributes
    ----------
    title : str
        What it is called.
    brain : str
        The value, in words.
    comparison : {"value", "presence", "none"}
        What of a claim is compared: its number, whether it is there, or nothing.
    low, high : float, optional
        Range of the value.
    variables : tuple of str
        Statistics of ours that are the same number.
    at_equal_size : bool
        Whether the number depends on nodes and density, so that it compares at equal ones only.
    n_nodes : int, optional
        Nodes of the brain's network.
    density : float, optional
        Share of pairs with an edge.
    measured, whom, note : str
        What was measured, on whom, and what else to know.
    references : tuple of Reference
        Where it stands; a property without one says in its note why.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    brain: str
    comparison: Literal["value", "presence", "none"]
    low: float | None = None
    high: float | None = None
    variables: tuple[str, ...] = ()
    at_equal_size: bool = False
    n_nodes: int | None = None
    density: float | None = None
    measured: str
    whom: str
    note: str
    references: tuple[Reference, ...] = Field(default=())

    @model_validator(mode="after")
    def _is_complete(self) -> BrainProperty:
        has_range = self.low is not None and self.high is not None and bool(self.variables)
        if (self.comparison == "value") != has_range:
            msg = "comparison = value takes low, high and variables, and no other does"
            raise ValueError(msg)
        if not self.references and not self.note:
            msg = "a property without references says in its note why there are none"
            raise ValueError(msg)
        return self


@dataclass(frozen=True)
class Likeness:
    """How a verdict lies beside the brain.

    Attributes
    ----------
    word : str
        One of five.
    why : str
        In a few words.
    """

    word: LikenessWord
    why: str


@cache
def brain_properties() -> dict[str, BrainProperty]:
    """Read what is known of brains.

    Returns
    -------
    dict of str to BrainProperty
        By the name that a claim gives as `brain`.

    Examples
    --------
    >>> list(brain_properties())[:3]
    ['small_world', 'rich_club', 'modularity']
    >>> brain_properties()["universality"].comparison
    'none'
    """
    values = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: BrainProperty.model_validate(value) for name, value in values.items()}


def beside_brain(
    known: BrainProperty,
    claim: Claim,
    outcome: str,
    decided_by: str,
    value: float | None,
    *,
    n_nodes: int | None = None,
    density: float | None = None,
) -> Likeness:
    """Put a verdict beside a property of brains, as `RULE` says.

    Parameters
    ----------
    known : BrainProperty
        The property.
    claim : Claim
        What was claimed.
    outcome, decided_by : str
        Of the verdict.
    value : float or None
        The brain's own number, of this model: the claim's statistic where it is one of
        ``known.variables``, or what the same result holds; None where it holds none.
    n_nodes, density : int and float, optional
        Of the graph that it was measured on.

    Returns
    -------
    Likeness
        Never a match of what is not supported.

    Examples
    --------
    >>> claim = Claim(name="modules", statistic="g:modularity", kind="greater", size=0.3)
    >>> modularity = brain_properties()["modularity"]
    >>> beside_brain(modularity, claim, "supported", "test", 0.41).word
    'match'
    >>> beside_brain(modularity, claim, "inconclusive", "power", 0.41).word
    'not tested'
    """
    if known.comparison == "none":
        return Likeness("no brain value", known.note)
    if outcome in ("invalid", "inconclusive"):
        return Likeness("not tested", f"the verdict is {outcome}")
    if claim.is_absence:
        if outcome == "supported":
            return Likeness("differ", "nothing of the kind, within the bounds that were claimed")
        if decided_by == "test":
            return Likeness("partial", "there is some, beyond the bounds that were claimed")
        return Likeness("not tested", "the claim that there is nothing fell to a control")
    if outcome != "supported":
        return Likeness("differ", "it was claimed, and is not supported")
    if known.comparison == "presence":
        return Likeness("match", "it is there, which is what compares")
    return _by_value(known, value, n_nodes, density)


def _by_value(
    known: BrainProperty, value: float | None, n_nodes: int | None, density: float | None
) -> Likeness:
    """Compare the number that goes with a supported claim with the brain's."""
    if value is None:
        number = known.variables[0].replace("_", " ")
        return Likeness("partial", f"it is there; the result holds no {number} to compare")
    if known.at_equal_size and (why := _incomparable(known, n_nodes, density)):
        return Likeness("partial", f"it is there; not comparable: {why}")
    assert known.low is not None
    assert known.high is not None
    if known.low <= value <= known.high:
        return Likeness("match", "it is there, and in the brain's range")
    side = "below" if value < known.low else "above"
    return Likeness("partial", f"it is there, {side} the brain's range")


def _incomparable(known: BrainProperty, n_nodes: int | None, density: float | None) -> str:
    """Say what stands against a comparison of numbers that depend on size; empty if nothing."""
    pairs = {"N": (n_nodes, known.n_nodes), "density": (density, known.density)}
    unknown = [name for name, pair in pairs.items() if None in pair]
    differing = [
        name
        for name, (own, brains) in pairs.items()
        if own is not None and brains is not None and abs(own - brains) > 1e-9
    ]
    verb = "differ" if differing[1:] else "differs"
    said = [f"{', '.join(differing)} {verb}"] if differing else []
    return "; ".join(said + ([f"{', '.join(unknown)} not known"] if unknown else []))
