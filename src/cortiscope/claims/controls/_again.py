"""The rule that controls share which measure again under a harder condition."""

from __future__ import annotations

from typing import Any

from cortiscope.analyses import Result
from cortiscope.claims.bench import Bench
from cortiscope.claims.effect import Effect
from cortiscope.claims.evidence import Evidence


def persists(bench: Bench, control: str, results: dict[str, Result]) -> Evidence:
    """Judge measurements under other conditions: each must hold by itself.

    Each is significant at the level of the study and its interval does not exclude the claim; a
    claim of absence must lie within its bounds again.
    """
    parts, survived = [], True
    numbers: dict[str, Any] = {}
    for condition, result in results.items():
        effect = bench.effect_in(result)
        p = effect.p_value(bench.claim)
        holds = p <= bench.alpha and effect.has_interval and not effect.excludes(bench.claim)
        survived &= holds
        parts.append(f"{condition} {effect}, p = {p:.4f}")
        numbers[condition] = figures(effect, p)
    return Evidence(control, survived, "; ".join(parts), numbers)


def figures(effect: Effect, p: float) -> dict[str, Any]:
    """Lay out one measurement among the numbers of a control."""
    return {
        "estimate": effect.estimate,
        "low": effect.low,
        "high": effect.high,
        "p": p,
        "address": effect.address,
    }
