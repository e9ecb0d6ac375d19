"""One number of a result with all that is known of it, whatever the instrument."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses import Result, value_at
from cortiscope.claims.claim import Claim
from cortiscope.errors import InputError
from cortiscope.statistics import Null


@dataclass(frozen=True, eq=False)
class Effect:
    """A scalar statistic with its interval, null and resamples.

    Attributes
    ----------
    estimate, low, high : float
        Estimate and 95% interval.
    none : float
        The value without an effect: the mean of the null, or what the instrument says.
    null : ndarray, shape (n_permutations,)
        Under permuted words; empty where the instrument does not permute.
    draws : ndarray, shape (n_resamples,)
        Under resampled words.
    address : str
        Where the estimate is kept.
    """

    estimate: float
    low: float
    high: float
    none: float
    null: NDArray[np.float64] = field(repr=False)
    draws: NDArray[np.float64] = field(repr=False)
    exhaustive: bool
    address: str

    @classmethod
    def of(cls, result: Result, variable: str, where: dict[str, str] | None = None) -> Effect:
        """Read one number from a result.

        Raises
        ------
        InputError
            When the result has no such variable or place, the place is not a single number, or
            nothing is known of how far it would vary.
        """
        if variable not in result.estimates:
            msg = (
                f"{result.analysis} has no variable {variable!r}: choose one of "
                f"{', '.join(map(str, result.estimates.data_vars))}."
            )
            raise InputError(msg)
        if variable not in result.intervals:
            msg = (
                f"{result.analysis} gives no interval of {variable!r}, so nothing can be claimed "
                f"of it: choose one of {', '.join(map(str, result.intervals.data_vars))}."
            )
            raise InputError(msg)
        where = where or {}
        estimate = value_at(result.estimates[variable], where)
        interval = value_at(result.intervals[variable], where)
        null = np.empty(0)
        if variable in result.null:
            null = np.asarray(value_at(result.null[variable], where), dtype=np.float64)
        inside = ",".join(f"{dim}={place}" for dim, place in where.items())
        return cls(
            estimate=float(estimate),
            low=float(interval.sel(bound="low")),
            high=float(interval.sel(bound="high")),
            none=float(null.mean() if null.size else estimate.attrs.get("none", 0.0)),
            null=null,
            draws=np.asarray(value_at(result.resamples[variable], where), dtype=np.float64),
            exhaustive=bool(result.null.attrs.get("exhaustive", 0)),
            address=f"{result.id}:{variable}" + (f"[{inside}]" if inside else ""),
        )

    @property
    def smallest_p(self) -> float:
        """Smallest p-value that the draws behind it can give."""
        n_draws = len(self.null) or len(self.draws)
        return 1.0 / (n_draws + (not self.exhaustive))

    def p_value(self, claim: Claim) -> float:
        """P-value of a claim about it.

        Claims of presence are tested against permuted words, or, where the instrument does not
        permute, by the resamples that show no effect. Claims of absence are tested by two
        one-sided tests on the resamples.

        References
        ----------
        Schuirmann (1987), A comparison of the two one-sided tests procedure and the power
        approach. Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.
        """
        if claim.kind == "greater":
            return self.p_of_presence()
        if claim.kind == "less":
            return self.p_of_presence(sign=-1.0)
        if np.isnan(self.estimate):
            return 1.0
        low, high = claim.bounds
        # A resample in which the statistic is not defined speaks against the claim.
        tails = [np.sum(~(self.draws > low)), np.sum(~(self.draws < high))]
        return float((max(tails) + 1) / (len(self.draws) + 1))

    def p_of_presence(self, sign: float = 1.0) -> float:
        """P-value against no effect, of large values, or with sign -1 of small ones."""
        if np.isnan(self.estimate):
            return 1.0  # what is not defined shows nothing
        if self.null.size:
            null = Null(sign * self.null, self.exhaustive)
            return float(null.p_value(sign * self.estimate))
        without = np.sum(~(sign * self.draws > sign * self.none))
        return float((without + 1) / (len(self.draws) + 1))

    def reaches(self, claim: Claim) -> bool:
        """Whether the interval is where the claim says, or at least not wholly short of it."""
        low, high = claim.bounds
        if claim.is_absence:
            return bool(low < self.low and self.high < high)
        return self.has_interval and not self.excludes(claim)

    @property
    def has_interval(self) -> bool:
        """Whether it is known how far it would vary: not where a resample is not defined."""
        return not np.isnan([self.low, self.high]).any()

    def excludes(self, claim: Claim) -> bool:
        """Whether the interval lies wholly outside of where the claim says."""
        low, high = claim.bounds
        return bool(self.high < low or self.low > high)

    def __str__(self) -> str:
        """Estimate with its interval."""
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"
