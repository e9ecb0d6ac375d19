"""Untrained twins: the effect lies outside the range of fresh initial weights."""

from __future__ import annotations

import numpy as np

from cortiscope.claims.bench import Bench
from cortiscope.claims.evidence import Evidence


def twins(bench: Bench) -> Evidence:
    """Compare the effect with the same measurement of untrained twins.

    Parameters
    ----------
    bench : Bench
        With a result of each twin.

    Returns
    -------
    Evidence
        Survived when the effect lies beyond every twin's, on the claim's side. With k twins and
        no difference that happens with probability 1 / (k + 1): a veto, not a test.
    """
    if not bench.twins:
        return Evidence("twins", None, "could not run: the subject has no twins")
    effects = [bench.effect_in(result) for result in bench.twins]
    values = [effect.estimate for effect in effects]
    estimate = bench.effect.estimate
    # A twin in which nothing is defined is nothing that an effect could lie beyond.
    low, high = float(np.min(values)), float(np.max(values))
    beyond = estimate < low if bench.claim.kind == "less" else estimate > high
    where = "outside" if beyond else "within or short of"
    return Evidence(
        "twins",
        bool(beyond),
        f"{estimate:.3f} lies {where} the range of {len(values)} untrained twins "
        f"({low:.3f} to {high:.3f})",
        {
            "values": values,
            "addresses": [effect.address for effect in effects],
            "estimate": estimate,
        },
    )
