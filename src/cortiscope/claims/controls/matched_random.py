"""Random units and directions: the effect against those of the same number, layer and length."""

from __future__ import annotations

from typing import Any, get_args

from cortiscope.claims.bench import Bench
from cortiscope.claims.controls._again import figures
from cortiscope.claims.effect import Effect
from cortiscope.claims.evidence import Evidence
from cortiscope.codes.direction_fits import RandomKind


def matched_random(bench: Bench) -> Evidence:
    """Compare an effect with that of random units, or of each kind of random directions.

    Returns
    -------
    Evidence
        Survived when it exceeds each kind: p is at most the level of the study.
    """
    variables = bench.instrument.against_random.get(bench.claim.variable)
    if variables is None or bench.claim.where:
        said = f"{bench.instrument.name} compares {bench.claim.variable} with nothing random"
        return Evidence("matched_random", None, f"could not run: {said}")
    sign = -1.0 if bench.claim.kind == "less" else 1.0
    parts, survived = [], True
    numbers: dict[str, Any] = {}
    for kind, effect in _effects(bench, variables).items():
        p = effect.p_of_presence(sign)
        survived &= p <= bench.alpha
        parts.append(f"{kind} {effect}, p = {p:.4f}")
        numbers[kind] = figures(effect, p)
    return Evidence("matched_random", survived, "; ".join(parts), numbers)


def _effects(bench: Bench, variables: tuple[str, ...]) -> dict[str, Effect]:
    effects = {
        variable.replace("_", " "): Effect.of(bench.result, variable) for variable in variables
    }
    # Where only one kind is drawn at a time, the others are drawn in experiments of their own.
    drawn = bench.parameters.get("random")
    for kind in get_args(RandomKind) if drawn is not None else ():
        if kind != drawn:
            effects |= {
                f"{variable.replace('_', ' ')} ({kind})": Effect.of(
                    bench.again(random=kind), variable
                )
                for variable in variables
            }
    return effects
