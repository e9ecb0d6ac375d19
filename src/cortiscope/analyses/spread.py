"""Spread (F4): over how many units a category's direction extends, and whether it replicates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.figures.spread import spread_by_layer
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import (
    activations,
    check_labels,
    chosen_layers,
    grouped_folds,
    over_layers,
)
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.spread_measures import (
    Labellings,
    Measure,
    measure_phantoms,
    measured_at,
    of_references,
    over_all_layers,
    standardised,
)
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.errors import InputError
from cortiscope.phantoms import Background, PhantomDesign
from cortiscope.scanning import Recording
from cortiscope.statistics import means_of, without_means

REFERENCE = (
    "Participation ratio (Bell & Dean 1970) and units that hold 90% of the squared weight of a "
    "direction, noise taken out by products of independent halves of the words (U-statistics, "
    "Hoeffding 1948); delete-d jackknife over words (Shao & Wu 1989); labels of words permuted"
)


_WEIGHTS = ("difference", "ridge")
_N_FOLDS = 5  # labels are permuted within these
_LEAST_WORDS = 5  # of a category: four are left when the jackknife leaves one out


def spread(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    weights: str = "difference",
    ridge: float = 0.01,
    scale: bool = True,
    frames: str | None = None,
    top: int = 20,
    n_halves: int = 10,
    n_permutations: int = 1000,
    n_jackknife: int = 200,
    overlap: bool = True,
    references: bool = True,
    seed: int = 0,
) -> Result:
    """Measure over how many units each category's direction is spread.

    The direction of a category is the mean of its words less the mean of all others. A large
    number of units by itself says nothing: noise is spread over all of them. In 3,584 units that
    hold nothing at all the estimated direction has a participation ratio of about 1,199 and needs
    1,595 units for 90% of its squared weight, and with twenty selective units of d' = 1 among
    them (40 words against 360) it still needs about 1,490. So the noise is taken out, and what
    noise and planted effects give stands beside.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label whose values have a direction each.
    groups : str
        Label of the words, which are the sample: a word's sentences are averaged.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    weights : {"difference", "ridge"}
        Whether a direction is the difference in means, or the weights of a ridge probe of the
        category against the rest.
    ridge : float
        λ of the ridge probe as a multiple of the mean eigenvalue of the words' Gram matrix.
    scale : bool
        Whether each unit is first divided by its standard deviation over words, so that a weight
        counts by what the unit does anyhow; else a few units of massive activation may hold all.
    frames : str, optional
        A label, such as ``frame``, whose levels' means are removed first. Where every word is in
        every frame they cancel.
    top : int
        How many of a direction's largest units are compared between halves.
    n_halves : int
        Random halves of the words for the overlaps, and for ridge weights; all else is averaged
        over all halves.
    n_permutations : int
        Random permutations of the words' labels.
    n_jackknife : int
        Subsets of four fifths of the words for the 95% intervals.
    overlap : bool
        Whether the overlaps are computed too; they take about as long as all the rest.
    references : bool
        Whether phantoms of the same words and number of units are measured beside.
    seed : int
        Seed of permutations, subsets, halves and phantoms.

    Returns
    -------
    Result
        ``n90_share`` (layer, category), share of all units that it takes to hold 90% of the
        squared weight, noise taken out; ``participation_share``, (Σv²)² / Σv⁴ over the number of
        units, noise taken out of v² (not of its variation over units, so that it errs towards
        few); ``cosine``, between the directions of two halves of the words; ``overlap``, share of
        the `top` largest units that both halves find; each with its mean over layers and
        categories, ``mean_n90_share`` and so on. All four are near 0 without an effect, except
        that overlaps have a chance level, which their null shows.

        ``n90_share_biased`` and ``participation_share_biased`` are those of the estimated
        direction, noise and all; ``participation_ratio``, in units, has Σv² and Σv⁴ both without
        bias, and is NaN where the interval of either holds 0; ``n90_overlap`` compares the units
        that hold 90% in each half, with ``n90_overlap_chance``.

        ``reference_...`` (reference) are means over the categories of phantoms with the same
        words and number of units, all alike and independent.

        Intervals: 95%, delete-d jackknife over words. P-values by permutation of the words'
        labels, corrected by the maximum statistic.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category of fewer than five words, a
        word in two categories, `top` that is not below the number of units that vary, or
        activations that are not finite or do not vary.

    Notes
    -----
    With ridge weights each half has a probe of its own, covariance and all, and all is averaged
    over `n_halves` ways to halve the words, the same for all permutations; a subset of the
    jackknife keeps the covariance of all words. A regularised probe is no unbiased estimate of
    another's weights, so that ``participation_ratio`` and ``n90_overlap`` are left out.

    References
    ----------
    Bell & Dean (1970), Discussions of the Faraday Society 50, 55-61.
    Hoeffding (1948), Annals of Mathematical Statistics 19, 293-325.
    Shao & Wu (1989), Annals of Statistics 17, 1176-1197.

    Examples
    --------
    >>> from cortiscope.phantoms import PHANTOMS
    >>> design = PhantomDesign.balanced(n_categories=3, n_words=20, n_units=200)
    >>> recording = PHANTOMS["selective_units"].make(design, seed=0, strength=3.0, n_selective=8)
    >>> result = spread(recording, n_permutations=99, references=False)
    >>> result.estimates["n90_share_biased"].mean().item() > 0.25
    True
    >>> result.estimates["n90_share"].mean().item() < 0.1
    True
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "weights": weights,
        "ridge": ridge,
        "scale": scale,
        "frames": frames,
        "top": top,
        "n_halves": n_halves,
        "n_permutations": n_permutations,
        "n_jackknife": n_jackknife,
        "overlap": overlap,
        "references": references,
        "seed": seed,
    }
    _check(recording, target, groups, frames, weights, ridge, n_halves)
    folds = grouped_folds(recording, target, groups, n_folds=_N_FOLDS, seed=seed)
    labellings = Labellings.draw(folds, n_permutations, n_jackknife, seed)
    frame = None if frames is None else _codes(recording, frames)
    chosen = chosen_layers(recording, site, layers)
    least = top if overlap else 1
    how = Measure(ridge if weights == "ridge" else None, top, n_halves, overlap, seed)

    def measure(layer: int) -> dict[str, Statistic]:
        of_stimuli: NDArray[np.floating] = activations(recording, site, layer)
        if frame is not None:
            of_stimuli = without_means(of_stimuli, frame)
        x = means_of(of_stimuli, folds.word)
        x = standardised(x, scale, least, f"layer {layer} of {site}")
        return measured_at(x, labellings, how)

    statistics = over_all_layers(over_layers(measure, chosen, f"spread {recording.name} {site}"))
    coords: dict[str, list[Any]] = {"layer": chosen, "category": list(folds.categories)}
    if references:
        design = PhantomDesign.like(
            recording,
            site,
            target=target,
            groups=groups,
            background=Background(exponent=0.0, frame_variance=0.0, n_massive=0),
        )
        beside = measure_phantoms(design, how)
        coords["reference"] = list(beside)
        statistics |= of_references(list(beside.values()))
    return Result(
        analysis="spread",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": folds.n_words,
            "n_categories": folds.n_categories,
            "n_permutations": len(labellings.permuted),
            "n_jackknife": n_jackknife,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(
            statistics,
            coords,
            exhaustive=labellings.exhaustive,
            attrs={"top": top},
        ),
    )


def _check(
    recording: Recording,
    target: str,
    groups: str,
    frames: str | None,
    weights: str,
    ridge: float,
    n_halves: int,
) -> None:
    if weights not in _WEIGHTS:
        raise InputError(f"weights is {weights!r}: choose one of {', '.join(_WEIGHTS)}.")
    if not ridge > 0:
        raise InputError(f"ridge is {ridge}: give a positive multiple of the mean eigenvalue.")
    if n_halves < 1:
        raise InputError(f"n_halves is {n_halves}: give at least 1.")
    check_labels(recording, target, groups, frames)
    n_words = recording.labels.groupby(target)[groups].nunique()
    if n_words.min() < _LEAST_WORDS:
        msg = (
            f"{target} {str(n_words.idxmin())!r} has {n_words.min()} values of {groups!r}, and "
            f"{_LEAST_WORDS} or more are needed: add words to it, or leave it out."
        )
        raise InputError(msg)


def _codes(recording: Recording, label: str) -> NDArray[np.intp]:
    values = recording.labels[label].astype(str).to_numpy()
    return np.unique(values, return_inverse=True)[1].astype(np.intp)


INSTRUMENT = Instrument(
    name="spread",
    summary="Over how many units a category's direction is spread, and whether these replicate",
    reference=REFERENCE,
    run=spread,
    figure=spread_by_layer,
    headline="mean_cosine",
    detects=("direction", "selective_units", "patch", "subspace"),
    silent_on=("noise", "xor", "training_words"),
    switches={
        "overlap": ("overlap", "mean_overlap", "n90_overlap", "n90_overlap_chance"),
        "references": (
            "reference_n90_share",
            "reference_n90_share_biased",
            "reference_participation_share",
            "reference_participation_share_biased",
            "reference_cosine",
            "reference_overlap",
        ),
    },
)
