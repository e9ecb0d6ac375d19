"""Selectivity (F2): single units that prefer a category, and whether the same are found again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.figures.selectivity import replication_by_layer
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import (
    activations,
    check_labels,
    chosen_layers,
    grouped_folds,
    over_layers,
)
from cortiscope.analyses.result import Result
from cortiscope.analyses.selectivity_measures import (
    ORACLES,
    SIZES,
    Layer,
    Plan,
    curves_of,
    measure_layer,
    oracle_curves,
    statistics_of,
)
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import datasets
from cortiscope.errors import InputError
from cortiscope.phantoms import PhantomDesign
from cortiscope.scanning import Recording
from cortiscope.statistics import Folds

REFERENCE = (
    "d' with pooled standard deviation (Green & Swets 1966); split-half reliability of its "
    "profile over units (Spearman 1910, Brown 1910); units chosen on one half of the words and "
    "measured on the other (Kriegeskorte et al. 2009); delete-d jackknife over words (Shao & Wu "
    "1989); labels of words permuted with their halves"
)


# Words of a category from which each half keeps one when a jackknife leaves some out.
_FEWEST_WORDS = 4


def selectivity(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    top_share: float = 0.01,
    absolute: bool = False,
    n_splits: int = 10,
    n_overlap_splits: int = 100,
    n_permutations: int = 1000,
    n_jackknife: int = 1000,
    overlap: bool = True,
    oracle_d_prime: float = 2.0,
    seed: int = 0,
) -> Result:
    """Measure how selective units are for categories, on words that did not choose them.

    The d' of every unit for every category is measured on both halves of the words, for many
    splits. What counts is whether the profile of d' over units comes back in the other half, and
    how large d' is there in the units that the first half chose. Measured on the half that chose,
    the best of many units are selective in pure noise too.

    Stimuli are counted as they are: what frames add to the spread of a unit lowers its d'.

    Low overlap of the chosen units, alone, does not mean that no unit is selective: 200 units of
    d' = 2 are all as good, the 20 that one half ranks first are any of them, and a tenth of them
    come back. Overlap is therefore laid beside phantoms with so many selective units.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label whose values units may prefer.
    groups : str
        Label whose values stay together in a half; the target must be nested in it.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    top_share : float
        Share of the units that is chosen, above 0 and at most 1; one unit at least.
    absolute : bool
        Whether units that a category silences count as those that it excites.
    n_splits : int
        Splits of the words that all tested statistics are averaged over.
    n_overlap_splits : int
        Splits that the curve of overlaps is averaged over, which has no test of its own; the
        first of them are the same.
    n_permutations : int
        Random permutations of the words' labels. The halves go along with the labels, so that
        they are stratified on the permuted ones; no folds are needed.
    n_jackknife : int
        Subsets of four fifths of the words for the 95% intervals.
    overlap : bool
        Whether the curves of overlaps are computed too, with those of the phantoms.
    oracle_d_prime : float
        Strength of the phantoms' selective units: d' over words within a frame. The phantoms have
        the recording's stimuli and number of units, and one selective category.
    seed : int
        Seed of splits, permutations, subsets and phantoms.

    Returns
    -------
    Result
        Primary: ``reliability`` (layer, category), Spearman-Brown of the correlation over units of
        both halves' d'; ``held_out_d_prime``, mean d' on one half of the units that are largest on
        the other, both ways averaged, for the share `top_share`, and ``held_out_d_prime_20`` and
        ``held_out_d_prime_1`` for 20 units and for the one best. ``overlap_20``: share of the 20
        units of one half that are among the 20 of the other (20 / n_units by chance). For each the
        scalar ``mean_...`` over layers and categories (reliability: of the mean correlation);
        ``mean_overlap_above_chance`` is the mean of ``overlap_20`` on a scale from 0, its mean
        under permuted labels, to 1, comparable between models of different width.
        They have permutation p-values, corrected over layers and categories, with the choice
        of units made again in each, and jackknife intervals.

        Beside them, never to be claimed: ``same_half_d_prime``, measured on the half that chose,
        and ``circular_d_prime``, chosen and measured on all words.

        ``overlap`` (layer, category, n_chosen) for 5 to 500 units, as far as there are more;
        ``overlap_hypergeometric`` (layer, n_chosen) and ``overlap_permuted`` (layer, category,
        n_chosen), its chance; ``overlap_of_20``, ``overlap_of_200``, ``overlap_of_1000``
        (n_chosen), the overlap in phantoms with so many selective units; those for which there
        is no room are left out and listed in the attribute ``oracles_left_out``.

        Units that are constant in a layer are left out of it.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category of fewer than four words, a word
        in two categories, a layer in which all units are constant, or activations that are not
        finite.

    Notes
    -----
    A direction that is spread over all units gives each of them some d', the less the more units
    there are: with 160 units it is seen here, with 3,584 hardly.

    The intervals are cautious. On phantoms (400 words, 160 units) the jackknife's standard
    deviation of the scalars is 1.0 to 1.2 times the true one where units are selective, and 1.1
    to 1.7 times where none is, since which units are chosen is then chance.

    References
    ----------
    Green & Swets (1966), Signal Detection Theory and Psychophysics.
    Kriegeskorte, Simmons, Bellgowan & Baker (2009), Circular analysis in systems neuroscience.
    Nature Neuroscience 12, 535-540.
    Shao & Wu (1989), Annals of Statistics 17, 1176-1197.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(40)], "category": ["a", "b"] * 20})
    >>> x = rng.normal(size=(40, 1, 100))
    >>> x[::2, 0, 7] += 3  # one unit that prefers category "a"
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> result = selectivity(recording, n_permutations=99, n_jackknife=99, overlap=False)
    >>> result.estimates["held_out_d_prime"].sel(category="a").item() > 2
    True
    >>> result.p_values["held_out_d_prime"].sel(category="a").item()
    0.01
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "top_share": top_share,
        "absolute": absolute,
        "n_splits": n_splits,
        "n_overlap_splits": n_overlap_splits,
        "n_permutations": n_permutations,
        "n_jackknife": n_jackknife,
        "overlap": overlap,
        "oracle_d_prime": oracle_d_prime,
        "seed": seed,
    }
    if not 0 < top_share <= 1:
        msg = f"top_share is {top_share}: give a share of the units above 0 and at most 1."
        raise InputError(msg)
    words = _words(recording, target, groups, seed)
    plan = Plan.draw(
        words,
        n_splits=n_splits,
        n_overlap_splits=n_overlap_splits,
        n_permutations=n_permutations,
        n_jackknife=n_jackknife,
        top_share=top_share,
        absolute=absolute,
        seed=seed,
    )
    chosen = chosen_layers(recording, site, layers)

    def measure(layer: int) -> Layer:
        x = _varying(activations(recording, site, layer), site, layer)
        return measure_layer(x, plan, overlap=overlap)

    measured = over_layers(measure, chosen, f"selectivity {recording.name} {site}")
    statistics = statistics_of(measured, plan.kept)
    coords: dict[str, list[Any]] = {"layer": chosen, "category": list(words.categories)}
    attrs: dict[str, Any] = {}
    if overlap:
        design = PhantomDesign.like(recording, site, target=target, groups=groups)
        oracles = oracle_curves(design, plan, oracle_d_prime)
        statistics |= curves_of(measured) | oracles
        coords["n_chosen"] = list(SIZES)
        attrs["oracles_left_out"] = [n for n in ORACLES if f"overlap_of_{n}" not in oracles]
    return Result(
        analysis="selectivity",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": words.n_words,
            "n_categories": words.n_categories,
            "n_units": max(layer.n_units for layer in measured),
            "n_permutations": n_permutations,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(statistics, coords, attrs=attrs),
    )


def _words(recording: Recording, target: str, groups: str, seed: int) -> Folds:
    """Check words and categories; no fold is used, only what stands in them."""
    check_labels(recording, target, groups)
    n_words = recording.labels.astype(str).groupby(target)[groups].nunique()
    if n_words.min() < _FEWEST_WORDS:
        msg = (
            f"category {str(n_words.idxmin())!r} has {n_words.min()} words ({groups}): to split "
            f"it into halves takes {_FEWEST_WORDS} or more; add words to it or leave it out."
        )
        raise InputError(msg)
    return grouped_folds(recording, target, groups, n_folds=2, seed=seed)


def _varying(x: NDArray[np.float32], site: str, layer: int) -> NDArray[np.float32]:
    varies = np.ptp(x, axis=0) > 0
    if not varies.any():
        msg = (
            f"all units of {site} at layer {layer} are constant: no unit can be selective there; "
            "check the position, or leave the layer out."
        )
        raise InputError(msg)
    return x if varies.all() else x[:, varies]


INSTRUMENT = Instrument(
    name="selectivity",
    summary="How selective single units are for categories, on words that did not choose them",
    reference=REFERENCE,
    run=selectivity,
    figure=replication_by_layer,
    headline="mean_held_out_d_prime",
    detects=("selective_units", "patch"),
    silent_on=("noise", "xor", "training_words"),
    switches={
        "overlap": (
            "overlap",
            "overlap_permuted",
            "overlap_hypergeometric",
            *(f"overlap_of_{n}" for n in ORACLES),
        )
    },
)
