"""The analyst's choices: the sign of the effect under all of them."""

from __future__ import annotations

from typing import Any

from cortiscope.analyses import Readable
from cortiscope.claims.bench import Bench
from cortiscope.claims.controls._experiments import of_experiments
from cortiscope.claims.evidence import Evidence
from cortiscope.scanning import Recording

# The sign is judged against the mean of the null, which a few permutations tell.
_N_PERMUTATIONS = 99


def multiverse(bench: Bench) -> Evidence:
    """Measure again under other reasonable parameters.

    Returns
    -------
    Evidence
        Survived when the effect is on the same side of its null in every specification; the
        numbers hold the specification curve.

    References
    ----------
    Simonsohn, Simmons & Nelson (2020), Specification curve analysis. Nature Human Behaviour 4.
    """
    base = bench.effect
    side = 1.0 if base.estimate > base.none else -1.0
    curve: list[dict[str, Any]] = []
    for label, changed in _specifications(bench):
        few = bench.instrument.accepted({"n_permutations": _N_PERMUTATIONS})
        result = bench.again(**changed, **few) if changed else bench.result
        effect = bench.effect_in(result)
        curve.append(
            {
                "specification": label,
                "estimate": effect.estimate,
                "low": effect.low,
                "high": effect.high,
                "none": effect.none,
                "address": effect.address,
            }
        )
    survived = all(side * (row["estimate"] - row["none"]) > 0 for row in curve)
    values = [row["estimate"] for row in curve]
    return Evidence(
        "multiverse",
        survived,
        f"the sign {'holds' if survived else 'does not hold'} over {len(curve)} specifications "
        f"({min(values):.3f} to {max(values):.3f})",
        {"curve": curve},
    )


def _specifications(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    parameters = bench.parameters
    specifications: list[tuple[str, dict[str, Any]]] = [("as the protocol says", {})]
    reads_probe = not bench.claim.variable.startswith("behaviour")
    if reads_probe and isinstance(ridge := parameters.get("ridge"), int | float):
        specifications += [
            (f"ridge {ridge * factor:g}", {"ridge": ridge * factor}) for factor in (0.1, 10, 100)
        ]
    if "scale" in parameters:
        scale = not parameters["scale"]
        specifications.append(("units scaled" if scale else "units not scaled", {"scale": scale}))
    if "seed" in parameters:
        seed = int(parameters["seed"]) + 1
        specifications.append((f"other folds (seed {seed})", {"seed": seed}))
    if bench.instrument.experiment is not None:
        return specifications + of_experiments(bench)
    # Where the second of a pair is read at a site of its own, only the first one's changes.
    n_following = 1 if parameters.get("other_site") else len(bench.recordings)
    for site in bench.recording.sites:
        if site != bench.site and all(
            _has_as_many_layers(recording, site, bench.site)
            for recording in bench.recordings[:n_following]
        ):
            specifications.append((f"site {site}", {"site": site}))
    return specifications


def _has_as_many_layers(recording: Readable, site: str, as_at: str) -> bool:
    """Whether it can be read at another site as well; an RDM has none."""
    if not isinstance(recording, Recording):
        return True
    layers = {of: recording[of].sizes["layer"] for of in recording.sites}
    return layers.get(site) == layers[as_at]
