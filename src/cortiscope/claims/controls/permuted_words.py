"""Permuted words: the same measurement when words carry each other's labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cortiscope.claims.bench import Bench
from cortiscope.claims.controls._again import figures
from cortiscope.claims.evidence import Evidence
from cortiscope.scanning import Recording

# Experiments that are planned on permuted words; each takes as long as the claim's own.
_N_EXPERIMENTS = 5


def permuted_words(bench: Bench) -> Evidence:
    """Place the effect among those of permuted words.

    Returns
    -------
    Evidence
        Survived when its p-value is at most the level of the study. Where a response is read:
        when it lies beyond those of all experiments whose directions, units and probes were
        found with the words' labels permuted. With k of them and no difference that happens with
        probability 1 / (k + 1): a veto, not a test.
    """
    if bench.instrument.experiment is not None:
        return _beyond_experiments(bench)
    effect = bench.effect
    if not effect.null.size:
        name = bench.instrument.name
        return Evidence("permuted_words", None, f"could not run: {name} permutes no words")
    p = effect.p_value(bench.claim)
    low, high = np.quantile(effect.null, [0.025, 0.975])
    return Evidence(
        "permuted_words",
        p <= bench.alpha,
        f"p = {p:.4f} against {len(effect.null):,} draws of the null "
        f"(95% of them between {low:.3f} and {high:.3f})",
        {"p": p, "estimate": effect.estimate, "address": effect.address},
    )


def _beyond_experiments(bench: Bench) -> Evidence:
    target = bench.target
    if target is None:
        name = bench.instrument.name
        return Evidence("permuted_words", None, f"could not run: {name} has no labels of words")
    results = [
        bench.again(_relabelled(target, bench.groups, [bench.seed, draw]))
        for draw in range(_N_EXPERIMENTS)
    ]
    effects = [bench.effect_in(result) for result in results]
    values = [effect.estimate for effect in effects]
    estimate = bench.effect.estimate
    low, high = float(np.min(values)), float(np.max(values))
    beyond = bool(estimate < low if bench.claim.kind == "less" else estimate > high)
    return Evidence(
        "permuted_words",
        beyond,
        f"{estimate:.3f} lies {'outside' if beyond else 'within or short of'} the range of "
        f"{len(values)} experiments that were planned on permuted words ({low:.3f} to {high:.3f})",
        {
            f"permuted words {draw + 1}": figures(found, found.p_value(bench.claim))
            for draw, found in enumerate(effects)
        },
    )


def _relabelled(target: str, groups: str, seed: list[int]) -> Callable[[Recording, str], Recording]:
    """Deal the words' labels anew, each word keeping one label in all its stimuli."""

    def relabel(recording: Recording, _: str) -> Recording:
        table = recording.table.copy()
        words = table.drop_duplicates(groups)
        dealt = np.random.default_rng(seed).permutation(words[target].to_numpy())
        table[target] = table[groups].map(dict(zip(words[groups], dealt, strict=True)))
        return Recording.from_arrays(
            {site: recording[site].values for site in recording.sites},
            stimuli=table,
            layers={site: recording.layers(site) for site in recording.sites},
            name=f"{recording.name} with permuted words",
            provenance=recording.provenance,
        )

    return relabel
