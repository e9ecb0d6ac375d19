"""Permuted words: the same measurement when words carry each other's labels."""

from __future__ import annotations

import numpy as np

from cortiscope.claims.bench import Bench
from cortiscope.claims.evidence import Evidence


def permuted_words(bench: Bench) -> Evidence:
    """Place the effect among those of permuted words.

    Returns
    -------
    Evidence
        Survived when its p-value is at most the level of the study.
    """
    effect = bench.effect
    if not effect.null.size:
        name = bench.instrument.name
        return Evidence("permuted_words", None, f"could not run: {name} permutes no words")
    p = effect.p_value(bench.claim)
    low, high = np.quantile(effect.null, [0.025, 0.975])
    return Evidence(
        "permuted_words",
        p <= bench.alpha,
        f"p = {p:.4f} against {len(effect.null):,} permutations of the words "
        f"(95% of them between {low:.3f} and {high:.3f})",
        {"p": p, "estimate": effect.estimate, "address": effect.address},
    )
