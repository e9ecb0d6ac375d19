"""Dimensionality: how many dimensions the words fill, all together and in each category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.figures.dimensionality import dimensions_by_layer
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
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    covariance_participation,
    jackknife_draws,
    jackknife_words,
    means_of,
    pca_dimensions,
    two_nn,
    without_means,
)

REFERENCE = (
    "Participation ratio of the covariance, its bias by the number of words corrected (Chun et "
    "al. 2025; Himeno & Yamada 2014); components for 90% of the variance (Jolliffe 2002); TwoNN "
    "(Facco et al. 2017); delete-d jackknife over words (Shao & Wu 1989)"
)


_LEAST_WORDS = 5  # of a category: four are left when the jackknife leaves one out
_ROUNDING = 1e-6  # of float32, relative to a unit's size: less variation than this is none


def dimensionality(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    average: bool = True,
    frames: str | None = None,
    pca: bool = True,
    n_jackknife: int = 200,
    seed: int = 0,
) -> Result:
    """Measure how many dimensions the words fill at every layer.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label whose values are also measured by themselves.
    groups : str
        Label of the words, which are the sample.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    average : bool
        Whether a word's sentences are averaged, so that n is the number of words. Without,
        sentences count as points: those of a word are no independent ones, which the correction
        takes them for, and they are one another's nearest neighbours.
    frames : str, optional
        A label, such as ``frame``, whose levels' means are removed first. Where sentences are
        averaged and every word is in every frame, they shift all words alike and do not matter.
    pca : bool
        Whether principal components are counted too, which takes about as long as all the rest.
    n_jackknife : int
        Subsets of four fifths of the words for the 95% intervals.
    seed : int
        Seed of the subsets.

    Returns
    -------
    Result
        By category, (layer, category): ``participation_ratio`` of the covariance,
        tr(C)² / tr(C²), from unbiased estimates of both; ``participation_ratio_biased``, of the
        sample's covariance as it is, which n words hold below n, for comparison with other
        studies; ``pca90``, components that hold 90% of the variance (at most n - 1, however many
        there are: no correction); ``two_nn``, intrinsic dimension by two nearest neighbours.
        The same of all words together, (layer): ``participation_ratio_all`` and so on, and their
        means over layers, ``mean_participation_ratio`` and ``mean_two_nn`` ().

        Intervals: 95%, delete-d jackknife over words. Nothing is tested: no number of dimensions
        is "no effect"; what an untrained twin has is what to compare with. NaN where something
        is not defined, such as TwoNN of words that all end in a few tokens, at the embedding.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category of fewer than five words, a
        word in two categories, or activations that are not finite or do not vary.

    Notes
    -----
    White noise in 3,584 units has 3,584 dimensions, of which 1,000 words show 782 in the biased
    participation ratio. TwoNN is low in small samples of high-dimensional points, where two
    neighbours are about as far as all others: it tells layers apart, not 50 dimensions from 60.

    References
    ----------
    Chun, Canatar, Chung & Lee (2025), Estimating dimensionality of neural representations from
    finite samples. arXiv 2509.26560.
    Facco, d'Errico, Rodriguez & Laio (2017), Scientific Reports 7, 12140.
    Himeno & Yamada (2014), Journal of Multivariate Analysis 130, 27-44.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": range(200), "category": ["a", "b"] * 100})
    >>> axes = np.linalg.qr(rng.normal(size=(300, 5)))[0].T
    >>> recording = Recording.from_arrays(
    ...     {"resid_post": (rng.normal(size=(200, 5)) @ axes)[:, None]}, stimuli=words
    ... )
    >>> dimensionality(recording).estimates["mean_participation_ratio"].round().item()
    5.0
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "average": average,
        "frames": frames,
        "pca": pca,
        "n_jackknife": n_jackknife,
        "seed": seed,
    }
    _check(recording, target, groups, frames)
    folds = grouped_folds(recording, target, groups, n_folds=2, seed=seed)
    kept = jackknife_words(folds.label_of_word, n_jackknife=n_jackknife, seed=seed)
    frame = None if frames is None else _codes(recording, frames)
    chosen = chosen_layers(recording, site, layers)
    label = folds.label_of_word if average else folds.label
    kept_points = kept if average else kept[:, folds.word]

    def measure(layer: int) -> dict[str, Statistic]:
        x: NDArray[np.floating] = activations(recording, site, layer)
        if frame is not None:
            x = without_means(x, frame)
        if average:
            x = means_of(x, folds.word)
        points = _centred(x, f"layer {layer} of {site}")
        return _measured(points, label, folds.n_categories, kept_points, pca)

    by_layer = over_layers(measure, chosen, f"dimensionality {recording.name} {site}")
    return Result(
        analysis="dimensionality",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": folds.n_words,
            "n_categories": folds.n_categories,
            "n_jackknife": n_jackknife,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(_over_layers(by_layer), {"layer": chosen, "category": list(folds.categories)}),
    )


def _check(recording: Recording, target: str, groups: str, frames: str | None) -> None:
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


def _centred(x: NDArray[np.floating], where: str) -> NDArray[np.float64]:
    size = np.abs(x).max()
    points: NDArray[np.float64] = x - np.mean(x, axis=0, dtype=np.float64)
    if not np.abs(points).max() > _ROUNDING * size:
        raise InputError(f"no unit of {where} varies over words: check site and position.")
    return points


def _measured(
    points: NDArray[np.float64],
    label: NDArray[np.intp],
    n_categories: int,
    kept: NDArray[np.bool_],
    pca: bool,
) -> dict[str, Statistic]:
    """All statistics of one layer: by category, and of all points together."""
    gram = points @ points.T
    by_category = []
    for category in range(n_categories):
        own = np.flatnonzero(label == category)
        of_own = gram[np.ix_(own, own)]
        by_category.append(_dimensions(points[own], of_own, kept[:, own], pca))
    measured = {
        name: Statistic(
            ("category",),
            np.stack([one[name].estimate for one in by_category]),
            resamples=np.stack([_drawn(one[name]) for one in by_category], axis=1),
        )
        for name in by_category[0]
    }
    for name, statistic in _dimensions(points, gram, kept, pca).items():
        measured[_of_all(name)] = statistic
    return measured


def _dimensions(
    points: NDArray[np.float64], gram: NDArray[np.float64], kept: NDArray[np.bool_], pca: bool
) -> dict[str, Statistic]:
    """Every number of dimensions of some points, with its jackknife."""
    everything = np.vstack([np.ones(len(points), dtype=np.bool_), kept])
    participation = covariance_participation(gram, everything)
    values = {
        "participation_ratio": participation.debiased,
        "participation_ratio_biased": participation.biased,
        "two_nn": two_nn(gram, everything),
    }
    if pca:
        whole = pca_dimensions(points, everything[:1])
        values["pca90"] = np.concatenate([whole, pca_dimensions(points, kept)])
    return {
        name: Statistic((), of[0], resamples=jackknife_draws(of[0], of[1:], kept))
        for name, of in values.items()
    }


def _of_all(name: str) -> str:
    """Name of a statistic of all words, such as ``participation_ratio_all_biased``."""
    stem, found, _ = name.partition("_biased")
    return f"{stem}_all{found}"


def _drawn(statistic: Statistic) -> NDArray[np.float64]:
    assert statistic.resamples is not None  # all have a jackknife here
    return statistic.resamples


def _over_layers(by_layer: Sequence[dict[str, Statistic]]) -> dict[str, Statistic]:
    statistics = {
        name: Statistic(
            ("layer", *of.dims),
            np.stack([layer[name].estimate for layer in by_layer]),
            resamples=np.stack([_drawn(layer[name]) for layer in by_layer], axis=1),
        )
        for name, of in by_layer[0].items()
    }
    for name in ("participation_ratio", "two_nn"):
        of_all = statistics[_of_all(name)]
        statistics[f"mean_{name}"] = Statistic(
            (), np.asarray(of_all.estimate).mean(), resamples=_drawn(of_all).mean(axis=1)
        )
    return statistics


INSTRUMENT = Instrument(
    name="dimensionality",
    summary="How many dimensions the words fill, all together and in each category",
    reference=REFERENCE,
    run=dimensionality,
    figure=dimensions_by_layer,
    headline="mean_participation_ratio",
    switches={"pca": ("pca90", "pca90_all")},
)
