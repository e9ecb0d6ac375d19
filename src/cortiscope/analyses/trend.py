"""Trend: a number that rises from subject to subject, in their order or with another number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cortiscope.analyses.figures.trend import trend_by_subject
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.result import Result, value_at
from cortiscope.analyses.result_series import FEWEST_SUBJECTS, ResultSeries
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.errors import InputError
from cortiscope.ledger import Address
from cortiscope.statistics import pearson_correlations, permute_few

REFERENCE = (
    "Spearman's rank correlation over subjects with its exact permutation p-value (Kendall & "
    "Gibbons 1990, Rank correlation methods, ch. 4)"
)


def trend(
    series: ResultSeries,
    of: str,
    against: str | None = None,
    *,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Correlate a number over subjects with their order, or with another number of theirs.

    The null is that any subject could have any of the values: all orders are taken where they are
    few, so that with n subjects no p-value is below 1 / n!. Intervals tell how well each value is
    known, and nothing of subjects that were not measured.

    Parameters
    ----------
    series : ResultSeries
        Results of the subjects.
    of : str
        ``step:variable``, with ``[layer=3]`` where the variable has dims.
    against : str, optional
        The same of another number; the subjects' order, such as that of their release, when left
        out.
    n_permutations : int
        Orders that are drawn; all are taken, equally often, where there are no more.
    n_bootstrap : int
        Times that each subject's value is drawn from its own resamples.
    seed : int
        Of the draws.

    Returns
    -------
    Result
        ``value`` and ``against`` (subject), the two numbers; ``spearman``, tested against larger
        values, with its null and interval; ``slope``, least squares per unit of what it is held
        against.

    Raises
    ------
    InputError
        For fewer than 3 subjects, and for numbers that are not there, not defined in a subject, or
        of which it is not known how far they would vary.

    References
    ----------
    Kendall & Gibbons (1990), Rank correlation methods, 5th ed., chapter 4.

    Examples
    --------
    >>> import xarray as xr
    >>> def of_subject(name, value):
    ...     draws = value + np.linspace(-0.1, 0.1, 20)
    ...     statistics = {"modularity": Statistic((), value, resamples=draws)}
    ...     return Result("demo", **datasets(statistics, {}), subject=name)
    >>> rising = [of_subject(f"model-{i}", 0.1 * i) for i in range(5)]
    >>> found = trend(ResultSeries(tuple(rising)), "step:modularity")
    >>> round(float(found.estimates.spearman), 6), round(float(found.p_values.spearman) * 120, 6)
    (1.0, 1.0)
    """
    n_subjects = len(series.results)
    if n_subjects < FEWEST_SUBJECTS:
        raise InputError(
            f"a trend over {n_subjects} {'subject' if n_subjects == 1 else 'subjects'} cannot be "
            f"told from chance: name {FEWEST_SUBJECTS} or more."
        )
    rng = np.random.default_rng([seed, 11])
    y, y_draws = _values(series.results, of, n_bootstrap, rng)
    if against is None:
        x = np.arange(1.0, n_subjects + 1)
        x_draws = np.broadcast_to(x, y_draws.shape)
    else:
        x, x_draws = _values(series.against, against, n_bootstrap, rng)
    orders = permute_few(n_subjects, n_permutations, seed)
    statistics = {
        "value": Statistic(("subject",), y, resamples=y_draws),
        "against": Statistic(("subject",), x),
        "spearman": Statistic(
            (), _spearman(x, y)[0], _spearman(x, y[orders]), _spearman(x_draws, y_draws)
        ),
        "slope": Statistic((), _slope(x, y)[0], resamples=_slope(x_draws, y_draws)),
    }
    return Result(
        analysis="trend",
        **datasets(statistics, {"subject": series.subjects}),
        n={"n_subjects": n_subjects, "n_permutations": len(orders), "n_bootstrap": n_bootstrap},
        parameters={
            "of": of,
            "against": against,
            "n_permutations": n_permutations,
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        inputs={"series": series.fingerprint},
        subject=series.name,
        reference=REFERENCE,
        source=source_of(__name__),
    )


def _values(
    results: Sequence[Result], number: str, n_draws: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a number of every subject, (n_subjects,), and draws of it, (n_draws, n_subjects)."""
    address = Address.parse(number)
    where = dict(address.at)
    values, draws = [], []
    for result in results:
        if address.variable not in result.resamples:
            raise InputError(
                f"{result.analysis} gives no resamples of {address.variable!r}: a trend can be of "
                f"{', '.join(map(str, result.resamples.data_vars)) or 'none of its variables'}."
            )
        value = float(value_at(result.estimates[address.variable], where))
        drawn = np.asarray(value_at(result.resamples[address.variable], where), dtype=np.float64)
        drawn = drawn[np.isfinite(drawn)]
        if not np.isfinite(value) or not len(drawn):
            raise InputError(
                f"{number} is not defined in {result.subject}: leave the subject out, or choose "
                "another number."
            )
        values.append(value)
        draws.append(rng.choice(drawn, size=n_draws))
    return np.array(values), np.stack(draws, axis=1)


def _spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate ranks along the last axis; 0 where all are equal, which is no trend."""
    x, y = np.broadcast_arrays(np.atleast_2d(x), np.atleast_2d(y))
    correlations = pearson_correlations(rankdata(x, axis=-1), rankdata(y, axis=-1))
    return np.nan_to_num(np.asarray(correlations, dtype=np.float64))


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = np.broadcast_arrays(np.atleast_2d(x), np.atleast_2d(y))
    centred = x - x.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((centred * y).sum(axis=-1) / (centred**2).sum(axis=-1))


def _attainable(parameters: Mapping[str, Any], n_subjects: int) -> tuple[int, str]:
    return factorial(n_subjects) - 1, "name more subjects"


INSTRUMENT = Instrument(
    name="trend",
    summary="a number of every subject against their order, or against another number",
    reference=REFERENCE,
    null_is="the other orders of the subjects",
    run=trend,
    figure=trend_by_subject,
    headline="spearman",
    reads=("series",),
    attainable=_attainable,
)
