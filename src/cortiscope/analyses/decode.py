"""Decoding (F1): how well a linear probe reads the category of words it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from cortiscope.analyses.decode_measures import Measures, Scored, statistics_of
from cortiscope.analyses.figures.decode import accuracy_by_layer
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
from cortiscope.analyses.statistic import datasets
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import permute_within_folds
from cortiscope.stimuli.surface import surface_features, target_words

REFERENCE = (
    "Ridge classifier on one-hot codes, or L2 multinomial logistic regression, cross-validated "
    "over words (Hastie, Tibshirani & Friedman 2009, sections 4.2 and 4.4); labels of words "
    "permuted within folds, maximum statistic over layers (Nichols & Holmes 2002)"
)


def decode(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    n_permutations: int = 1000,
    n_folds: int = 5,
    cross: str | None = None,
    probe: Literal["ridge", "logistic"] = "ridge",
    ridge: float | Literal["inner"] = 0.01,
    scale: bool = False,
    n_bootstrap: int = 1000,
    auc: bool = True,
    confusion: bool = False,
    surface: bool = False,
    memory: bool = False,
    frames: str = "frame",
    refit: bool = False,
    seed: int = 0,
) -> Result:
    """Decode a label of the stimuli from the activations of every layer.

    A linear probe is trained on the words of all folds but one and read on the words of that one.
    Ridge probes are least squares on one-hot codes; their predictions, and those for every
    permutation of the labels, are equal to refitting: a layer is factorised once a fold, and
    permutations are columns of a matrix product.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label to decode.
    groups : str
        Label whose values stay together in a fold; the target must be nested in it.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to decode; all that were recorded when left out.
    n_permutations : int
        Random permutations of the words' labels within folds.
    n_folds : int
        Folds, stratified by target.
    cross : str, optional
        A label, such as ``frame``, whose values are held out as well: each stimulus is read by a
        probe that saw neither its word nor its frame.
    probe : {"ridge", "logistic"}
        Least squares on one-hot codes, or L2 multinomial logistic regression, equal to
        scikit-learn's with ``C = 1 / λ``.
    ridge : float or "inner"
        λ as a multiple of the mean eigenvalue of the training Gram matrix; with ``"inner"`` it is
        chosen for each fold by the squared error on inner folds, which keep words together, among
        13 values from 0.0001 to 100, and chosen again in every permutation (ridge probes only).
    scale : bool
        Whether each unit is divided by its standard deviation over the training words.
    n_bootstrap : int
        Resamples of words for the 95% intervals.
    auc : bool
        Whether the AUC is computed too; it takes about as long as all the rest.
    confusion : bool
        Whether the confusion matrices are kept.
    surface : bool
        Whether the surface of the words (length, number of words, frequency, letters) is decoded
        too, as a baseline.
    memory : bool
        Whether the control task is done too (ridge probes only): true labels against the permuted
        ones where the held-out thing is a frame and words are shared.
    frames : str
        Label that holds the frames of the control task.
    refit : bool
        Whether a logistic probe is trained again for every permutation, each of which takes as
        long as the estimate itself. Without it there are no permutations of logistic probes:
        their estimates have intervals and no p-values. Ridge probes need no refitting.
    seed : int
        Seed of folds, permutations and resamples.

    Returns
    -------
    Result
        ``accuracy`` (layer), balanced, chance 1/C; ``auc`` (layer, category), one against the
        rest, over pairs of stimuli that one probe reads; ``auc_macro`` (layer), its mean;
        ``peak_accuracy`` (), accuracy at the layer that is best on one half of the words, measured
        on the other half, both ways averaged, so that the choice of the layer does not flatter it
        (with `cross`, at the level where it is lowest).
        On request ``confusion`` (layer, category, predicted), rows summing to 1 over held-out
        stimuli; ``chosen_ridge`` (layer), geometric mean over folds; ``surface_accuracy`` () and
        ``beyond_surface`` (), how far ``peak_accuracy`` is above what surface features alone give;
        ``accuracy_shared_words`` (layer), in frames held out with words shared, ``beyond_memory``
        (layer), the same less its mean over random labels (the selectivity of Hewitt & Liang), and
        ``mean_beyond_memory`` (), its mean over layers.
        P-values are corrected by the maximum statistic over layers (``auc``: layers and
        categories). Intervals: 95%, bootstrap over words of held-out predictions. The null holds
        each statistic under every permutation, `resamples` the values under resampled words.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category with fewer words than folds,
        a word in two categories, activations that are not finite, an unknown probe, and what is
        asked of a probe that cannot do it.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, sections 4.2 and
    4.4. Hewitt & Liang (2019), Designing and interpreting probes with control tasks, EMNLP.
    Nichols & Holmes (2002), Human Brain Mapping 15, 1-25.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(40)], "category": ["a", "b"] * 20})
    >>> x = rng.normal(size=(40, 2, 8))
    >>> x[::2, 1] += 3  # category "a" has a direction of its own at layer 1
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> result = decode(recording, n_permutations=99)
    >>> result.estimates["accuracy"].sel(layer=1).item() > 0.9
    True
    >>> result.p_values["accuracy"].sel(layer=1).item()
    0.01
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "n_permutations": n_permutations,
        "n_folds": n_folds,
        "cross": cross,
        "probe": probe,
        "ridge": ridge,
        "scale": scale,
        "n_bootstrap": n_bootstrap,
        "auc": auc,
        "confusion": confusion,
        "surface": surface,
        "memory": memory,
        "frames": frames,
        "refit": refit,
        "seed": seed,
    }
    folds = grouped_folds(recording, target, groups, n_folds=n_folds, seed=seed, cross=cross)
    permuted, exhaustive = permute_within_folds(
        folds.label_of_word, folds.fold_of_word, n_permutations, seed
    )
    if memory and probe == "logistic":
        msg = 'memory=True reads hundreds of random labels: it needs probe="ridge".'
        raise InputError(msg)
    if memory:
        check_labels(recording, frames)
    measures = Measures(
        folds=folds,
        permuted=permuted if probe == "ridge" or refit else None,
        probe=probe,
        ridge=ridge,
        scale=scale,
        n_bootstrap=n_bootstrap,
        seed=seed,
        auc=auc,
        confusion=confusion,
        frames=recording.labels[frames].tolist() if memory else None,
    )
    chosen = chosen_layers(recording, site, layers)
    scored = over_layers(
        lambda layer: measures.at(activations(recording, site, layer)),
        chosen,
        f"decode {recording.name} {site}",
    )
    baseline = _of_surface(recording, groups, measures) if surface else None
    chance = 1.0 / folds.n_categories
    n = {
        "n_stimuli": recording.n_stimuli,
        "n_words": folds.n_words,
        "n_categories": folds.n_categories,
        "n_permutations": 0 if measures.permuted is None else len(permuted),
    }
    coords: dict[str, list[Any]] = {
        "layer": chosen,
        "category": list(folds.categories),
        "predicted": list(folds.categories),
    }
    return Result(
        analysis="decode",
        subject=recording.name,
        n=n,
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(
            statistics_of(scored, baseline, chance),
            coords,
            exhaustive=exhaustive,
            attrs={"chance_accuracy": chance, "chance_auc": 0.5},
        ),
    )


def _of_surface(recording: Recording, groups: str, measures: Measures) -> dict[str, Scored]:
    """Measure the surface of the words as if it were a layer."""
    words = target_words(recording.table, groups)
    if words is None:
        msg = f"surface=True needs words: the stimuli have neither marked text nor {groups!r}."
        raise InputError(msg)
    alone = replace(measures, auc=False, confusion=False, frames=None)
    return alone.at(surface_features(words))


INSTRUMENT = Instrument(
    name="decode",
    summary="How well a linear probe reads the category of unseen words, layer by layer",
    reference=REFERENCE,
    run=decode,
    figure=accuracy_by_layer,
    headline="peak_accuracy",
    detects=("direction", "selective_units", "patch", "subspace"),
    silent_on=("noise", "xor", "training_words"),
    switches={
        "auc": ("auc", "auc_macro"),
        "confusion": ("confusion",),
        "surface": ("surface_accuracy", "beyond_surface"),
        "memory": ("accuracy_shared_words", "beyond_memory", "mean_beyond_memory"),
    },
)
