"""Intervals for shares of trials, such as power and false-positive rates."""

from __future__ import annotations

from scipy.stats import binomtest

from cortiscope.errors import InputError


def binomial_interval(
    n_successes: int, n_trials: int, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Give the exact interval of a probability from independent trials.

    Parameters
    ----------
    n_successes : int
        Trials that succeeded.
    n_trials : int
        All trials.
    confidence : float
        Coverage, at least.

    Returns
    -------
    tuple of two floats
        Lower and upper bound.

    Raises
    ------
    InputError
        For counts that cannot be, or a coverage outside 0 to 1.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26, 404-413.

    Examples
    --------
    >>> low, high = binomial_interval(5, 100)
    >>> round(low, 4), round(high, 4)
    (0.0164, 0.1128)
    """
    if not (n_trials >= 1 and 0 <= n_successes <= n_trials):
        raise InputError(
            f"{n_successes} of {n_trials} trials cannot have succeeded: give one trial or more, "
            "and no more successes than trials."
        )
    if not 0 < confidence < 1:
        raise InputError(
            f"The interval's confidence is {confidence!r}: give more than 0, less than 1."
        )
    interval = binomtest(n_successes, n_trials).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)
