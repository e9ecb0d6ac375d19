"""A claim: what is said of whom, how large, and which challenges it must survive."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from cortiscope.errors import InputError

Kind = Literal["greater", "less", "equivalent", "at_most"]
Correction = Literal["bh", "by"]

_STATISTIC = re.compile(r"(?P<step>[\w-]+):(?P<variable>\w+)(?:\[(?P<where>[^\]]*)\])?")


class Claim(BaseModel):
    """What is said of a statistic, before it is seen.

    Attributes
    ----------
    name : str
        A short sentence, such as "categories are decodable".
    statistic : str
        ``step:variable`` of the protocol, with ``[layer=3,category=animal]`` where the variable
        has dims.
    kind : {"greater", "less", "equivalent", "at_most"}
        ``greater`` and ``less``: the effect differs from none, and its interval does not lie
        wholly short of `size`. ``equivalent`` and ``at_most``: a claim of absence, held when the
        interval lies inside `low` and `high`, or below `bound`.
    size, low, high, bound : float
        On the statistic's own scale.
    subjects : str
        ``each`` (a verdict a subject), ``all`` (one verdict, that says in how many it held), or
        one subject's name.
    controls : tuple of str
        Challenges that it must survive, by name.
    waived : dict of str to str
        Challenges that do not apply, each with the reason.
    phantom : str, optional
        What calibration plants, such as ``subspace(shares=(0.5, 0.5))``; the first phantom that
        the instrument must detect when left out.
    n_phantoms : int, optional
        Phantoms of each sort for its calibration; the study's number when left out.
    brain : str, optional
        The property of brains that the verdict is put beside, such as ``modularity``: see
        `cortiscope.claims.brain_properties`.

    Examples
    --------
    >>> claim = Claim(name="decodable", statistic="decode:peak_accuracy", kind="greater", size=0.2)
    >>> claim.step, claim.variable, claim.where
    ('decode', 'peak_accuracy', {})
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    statistic: Annotated[str, Field(pattern=_STATISTIC.pattern)]
    kind: Kind
    size: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    subjects: str = "each"
    controls: tuple[str, ...] = ("twins", "calibration")
    waived: dict[str, str] = Field(default_factory=dict)
    phantom: str | None = None
    n_phantoms: PositiveInt | None = None
    brain: str | None = None

    @model_validator(mode="after")
    def _sizes_fit_the_kind(self) -> Claim:
        needed = {
            "greater": {"size"},
            "less": {"size"},
            "equivalent": {"low", "high"},
            "at_most": {"bound"},
        }[self.kind]
        given = {
            name for name in ("size", "low", "high", "bound") if getattr(self, name) is not None
        }
        if given != needed:
            msg = f"kind {self.kind!r} takes {' and '.join(sorted(needed))}, and nothing else"
            raise ValueError(msg)
        if self.kind == "equivalent" and not self.bounds[0] < self.bounds[1]:
            msg = "low must be below high"
            raise ValueError(msg)
        if both := set(self.controls) & set(self.waived):
            msg = f"control {min(both)!r} is both asked for and waived"
            raise ValueError(msg)
        return self

    @property
    def step(self) -> str:
        """The step of the protocol whose result holds the statistic."""
        return self._parts["step"]

    @property
    def variable(self) -> str:
        """The variable of that result."""
        return self._parts["variable"]

    @property
    def where(self) -> dict[str, str]:
        """Where in the variable: coordinates by dim."""
        where = self._parts["where"] or ""
        pairs = [pair.split("=", 1) for pair in where.split(",") if pair.strip()]
        return {dim.strip(): coordinate.strip() for dim, coordinate in pairs}

    @property
    def is_absence(self) -> bool:
        """Whether it says that an effect is not there."""
        return self.kind in ("equivalent", "at_most")

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the statistic lies if the claim is true."""
        if self.kind == "greater":
            return (float(self.size or 0.0), math.inf)
        if self.kind == "less":
            return (-math.inf, float(self.size or 0.0))
        if self.kind == "at_most":
            return (-math.inf, float(self.bound or 0.0))
        return (float(self.low or 0.0), float(self.high or 0.0))

    @property
    def _parts(self) -> dict[str, str]:
        match = _STATISTIC.fullmatch(self.statistic)
        assert match is not None
        return match.groupdict()


def check_attainable(
    n_tests: int,
    n_draws: int,
    *,
    alpha: float = 0.05,
    correction: Correction = "bh",
    of: str = "",
    remedy: str = "raise claim_permutations",
) -> None:
    """Refuse a claim that no result could support, before anything is scanned.

    Parameters
    ----------
    n_tests : int
        Tests that a study makes: each claim with each subject that it speaks of.
    n_draws : int
        Permutations or resamples of each test; the smallest p-value is 1 / (n_draws + 1).
    alpha : float
        Level of the study.
    correction : {"bh", "by"}
        Benjamini-Hochberg, or Benjamini-Yekutieli.
    of : str
        The claim's name.
    remedy : str
        What would give more draws.

    Raises
    ------
    InputError
        Saying how many draws it would take.

    Examples
    --------
    >>> check_attainable(10, n_draws=999)
    >>> check_attainable(10, n_draws=99)
    Traceback (most recent call last):
    ...
    cortiscope.errors.InputError: 10 tests ... need at least 199 draws and have 99: ...
    """
    factor = sum(1 / i for i in range(1, n_tests + 1)) if correction == "by" else 1.0
    # The hardest case: it is the only claim of the study that holds.
    needed = math.ceil(n_tests * factor / alpha) - 1
    if n_draws < needed:
        msg = (
            f"{n_tests} tests corrected together ({correction.upper()}, alpha {alpha}) need at "
            f"least {needed} draws{f' for {of!r}' if of else ''} and have {n_draws}: {remedy}, or "
            "make fewer claims."
        )
        raise InputError(msg)
