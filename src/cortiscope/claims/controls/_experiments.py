"""Other reasonable ways to lesion, inject and scale, for instruments that read a response."""

from __future__ import annotations

from typing import Any, get_args

from cortiscope.claims.bench import Bench
from cortiscope.codes.direction_fits import Method

# For each parameter what else it might have been; of positions one that acts elsewhere.
_INSTEAD: dict[str, dict[Any, Any]] = {
    "replace": {"mean": "zero", "zero": "mean"},
    "around": {"mean": "zero", "zero": "mean"},
    "positions": {"from_target": "target", "target_last": "target", "target": "from_target"},
    "onward": {False: True, True: False},
}


def of_experiments(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    """List specifications, each with what it changes.

    Parameters
    ----------
    bench : Bench
        Of an instrument that reads a response.

    Returns
    -------
    list of (str, dict)
        A label and the changed parameters: what comes in the place of what is lesioned, what
        is scaled around, tokens, all later layers, neighbouring layers, methods of directions; as
        far as the instrument has them, and the claim is not about one of them.
    """
    parameters = bench.parameters
    specifications: list[tuple[str, dict[str, Any]]] = []
    for name, instead in _INSTEAD.items():
        if name in parameters and parameters[name] in instead:
            other = instead[parameters[name]]
            specifications.append((f"{name} {other}".lower(), {name: other}))
    return specifications + _other_layers(bench) + _other_methods(bench)


def _other_layers(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    """List the layers before and after, where it was done at one."""
    name = next((name for name in ("along_layers", "layers") if name in bench.parameters), None)
    if name is None or any(dim.endswith("layer") for dim in bench.claim.where):
        return []
    measured = bench.result.estimates.coords
    at = measured[name[:-1]].values.tolist() if name[:-1] in measured else []
    # Nothing comes after the last one that could read it.
    layers = bench.recording.layers(bench.site)[:-1]
    if len(at) != 1 or at[0] not in layers:
        return []
    place = layers.index(at[0])
    beside = [layers[i] for i in (place - 1, place + 1) if 0 <= i < len(layers)]
    return [(f"layer {layer}", {name: [layer]}) for layer in beside]


def _other_methods(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    parameters = bench.parameters
    if "method" in parameters:
        methods = [method for method in get_args(Method) if method != parameters["method"]]
        return [(_said(method), {"method": method}) for method in methods]
    if "directions" in parameters and "direction" not in bench.claim.where:
        first = parameters["directions"][0]
        methods = [method for method in get_args(Method) if method != first]
        return [(_said(method), {"directions": [method]}) for method in methods]
    return []


def _said(method: str) -> str:
    return f"directions by {method.replace('_', ' ')}"
