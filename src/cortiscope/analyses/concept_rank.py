"""Rank and depth (F7): how many directions hold a category, and at how many layers it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cortiscope.analyses.figures.concept_rank import rank_curves
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import (
    activations,
    chosen_layers,
    grouped_folds,
    over_layers,
)
from cortiscope.analyses.rank_measures import (
    ERASERS,
    LEAST_AUC,
    Drawn,
    LayerRank,
    erased_statistics,
    linear_scores,
    network_scores,
    rank_layer,
    rank_statistics,
    with_resamples,
)
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import datasets
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import LayerReader, fold_spaces, permute_within_folds

REFERENCE = (
    "Iterative nullspace projection (Ravfogel et al. 2020, ACL) with ridge probes, held-out AUC "
    "against words permuted within folds; erasure in one step by the difference in means and by "
    "LEACE (Belrose et al. 2023, NeurIPS)"
)


def concept_rank(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    n_directions: int = 20,
    n_permutations: int = 1000,
    n_folds: int = 5,
    cross: str | None = None,
    ridge: float = 0.01,
    n_bootstrap: int = 1000,
    erasers: bool = True,
    mlp: bool = False,
    seed: int = 0,
) -> Result:
    """Take a category out of every layer, direction by direction, until no probe reads it.

    A ridge probe of one category against the rest is fitted on the training words of a fold, its
    weight direction is projected out, and it is fitted again on what is left, with the same
    penalty. The rank is the number of directions that were taken out when the AUC on held-out
    words is first within its null, or below .55.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label whose categories are taken out.
    groups : str
        Label whose values stay together in a fold; the target must be nested in it.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    n_directions : int
        How many directions are taken out; no rank is larger, so that it says "or more" there.
    n_permutations : int
        Random permutations of the words' labels within folds.
    n_folds : int
        Folds, stratified by target.
    cross : str, optional
        A label, such as ``frame``, whose values are held out as well.
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix; see the notes.
    n_bootstrap : int
        Resamples of words for the 95% intervals.
    erasers : bool
        Whether what is left by erasers of one step is read too.
    mlp : bool
        Whether a small neural network reads it as well, which takes some seconds a layer.
    seed : int
        Seed of folds, permutations, resamples and networks.

    Returns
    -------
    Result
        ``auc_after`` (layer, category, n_removed), AUC on held-out words of the probe fitted
        after so many directions were taken out (its intervals are kept, its draws are not);
        ``auc_needed`` (layer, category), what it must exceed to count; ``rank``
        (layer, category), 0 where the category cannot be read at all; ``area``
        (layer, category), 2 AUC - 1 summed over the directions that count, which is the rank
        where each reads perfectly; ``depth`` (category), share of layers at which it is
        decodable: the first AUC has p <= .05 by the maximum statistic over layers;
        ``mean_rank``, ``mean_area`` and ``mean_depth`` (), means over all layers and categories;
        ``mean_rank_where_decodable`` (), over those that count for depth, NaN where none does.
        With `erasers`: ``linear_auc`` (eraser, layer, category), the AUC on held-out words of
        the probe that was fitted before, after an eraser of all categories at once that was
        fitted on training words, and ``mean_linear_auc`` (eraser). With `mlp`: ``mlp_auc`` and
        ``mean_mlp_auc``, of a network that was trained on what the eraser left.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category with fewer words than folds,
        a word in two categories, activations that are not finite or do not vary, or a number of
        directions below 1.

    Notes
    -----
    The null of the AUC is that before anything is taken out, at the same layer and for the same
    category. It is used after every direction: held-out words are as many, and the AUC of noise
    spreads by that number, whatever was removed (over 20 directions its standard deviation, from
    whole curves of permuted labels, changed by less than a tenth). Rank and depth of permuted
    labels, which the p-values stand on, are found in the very same way as those of the true ones,
    with every direction refitted.

    How many directions it takes depends on the penalty. A probe's direction is that of the
    difference in means, turned by the inverse of the covariance; where variances differ between
    directions some of the difference is left when it is taken out, and the next probe finds it. A
    category that one direction holds can have a rank of several, the more the stronger it is. With
    a large penalty the direction is the difference in means itself, and the rank is 1 by
    construction. So the rank compares subjects, layers and categories at one penalty; it is no
    count of dimensions by itself.

    Resamples of words keep all fitted directions and what the AUC must exceed; the ranks are
    counted again in each.

    No linear probe that is fitted after one of the erasers reads anything on training words, by
    construction. All categories are erased together, since a network would otherwise find the
    erased one as what is none of the others.

    References
    ----------
    Ravfogel et al. (2020), Null It Out: Guarding Protected Attributes by Iterative Nullspace
    Projection, ACL. Belrose et al. (2023), LEACE: Perfect linear concept erasure in closed form,
    NeurIPS. Nichols & Holmes (2002), Human Brain Mapping 15, 1-25.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(80)], "category": ["a", "b"] * 40})
    >>> x = rng.normal(size=(80, 2, 8))
    >>> x[::2, 1, 0] += 6  # category "a" has a direction of its own at layer 1
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> result = concept_rank(recording, n_permutations=99, n_directions=4)
    >>> (result.estimates["rank"].sel(category="a") > 0).values.tolist()
    [False, True]
    >>> result.estimates["depth"].values.tolist()
    [0.5, 0.5]
    """
    if n_directions < 1:
        msg = f"n_directions is {n_directions}: take out at least 1."
        raise InputError(msg)
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "n_directions": n_directions,
        "n_permutations": n_permutations,
        "n_folds": n_folds,
        "cross": cross,
        "ridge": ridge,
        "n_bootstrap": n_bootstrap,
        "erasers": erasers,
        "mlp": mlp,
        "seed": seed,
    }
    folds = grouped_folds(recording, target, groups, n_folds=n_folds, seed=seed, cross=cross)
    permuted, exhaustive = permute_within_folds(
        folds.label_of_word, folds.fold_of_word, n_permutations, seed
    )
    chosen = chosen_layers(recording, site, layers)

    sampling: dict[str, Any] = {"n_bootstrap": n_bootstrap, "seed": seed}

    def measure(layer: int) -> tuple[LayerRank, dict[str, Drawn]]:
        x = activations(recording, site, layer)
        null = LayerReader(x, folds, ridge=ridge).read(permuted).auc
        assert null is not None
        spaces = list(fold_spaces(x, folds, ridge=ridge))
        erased = {}
        if erasers:
            erased["linear"] = with_resamples(linear_scores(spaces, folds), folds, **sampling)
        if mlp:
            scores = network_scores(x, spaces, folds, seed)
            erased["mlp"] = with_resamples(scores, folds, **sampling)
        ranked = rank_layer(
            spaces,
            folds,
            permuted,
            null,
            exhaustive=exhaustive,
            n_directions=n_directions,
            **sampling,
        )
        return ranked, erased

    measured = over_layers(measure, chosen, f"rank {recording.name} {site}")
    ranked = [of for of, _ in measured]
    erased = {name: [of[name] for _, of in measured] for name in measured[0][1]}
    laid_out = datasets(
        {**rank_statistics(ranked, exhaustive=exhaustive), **erased_statistics(erased)},
        {
            "layer": chosen,
            "category": list(folds.categories),
            "n_removed": list(range(n_directions + 1)),
            "eraser": list(ERASERS),
        },
        exhaustive=exhaustive,
        attrs={"chance_auc": 0.5, "least_auc": LEAST_AUC, "n_directions": n_directions},
    )
    # Draws of whole curves would be larger than all else together: their interval is kept alone.
    bounds = np.stack([of.interval for of in ranked], axis=1)
    laid_out["intervals"] = laid_out["intervals"].assign(
        auc_after=(("bound", *laid_out["estimates"]["auc_after"].dims), bounds),
        n_removed=laid_out["estimates"]["n_removed"],
    )
    return Result(
        analysis="concept_rank",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": folds.n_words,
            "n_categories": folds.n_categories,
            "n_permutations": len(permuted),
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **laid_out,
    )


INSTRUMENT = Instrument(
    name="concept_rank",
    summary="How many directions hold a category, and at what share of layers it is there",
    reference=REFERENCE,
    run=concept_rank,
    figure=rank_curves,
    headline="mean_rank",
    detects=("direction", "subspace", "selective_units", "patch"),
    silent_on=("noise", "xor", "training_words"),
    switches={
        "erasers": ("linear_auc", "mean_linear_auc"),
        "mlp": ("mlp_auc", "mean_mlp_auc"),
    },
)
