"""Decoding (F1): how well a linear probe reads the category of words it never saw."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.decode_figures import accuracy_by_layer
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import (
    activations,
    chosen_layers,
    grouped_folds,
    over_layers,
)
from cortiscope.analyses.result import Result
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.ledger import source_fingerprint
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    Folds,
    LayerReader,
    accuracy_of_words,
    auc_of_words,
    bootstrap_words,
    permute_within_folds,
)

REFERENCE = (
    "Ridge classifier on one-hot codes, cross-validated over words (Hastie, Tibshirani & "
    "Friedman 2009, section 4.2); labels of words permuted within folds, maximum statistic over "
    "layers (Nichols & Holmes 2002)"
)

# The modules of the statistics room that its numbers depend on.
_STATISTICS = ("folds", "intervals", "permutation", "reading", "ridge", "scores")


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
    ridge: float = 0.01,
    scale: bool = False,
    n_bootstrap: int = 1000,
    auc: bool = True,
    seed: int = 0,
) -> Result:
    """Decode a label of the stimuli from the activations of every layer.

    A least-squares probe on one-hot codes is trained on the words of all folds but one and read
    on the words of that one. Its predictions, and those for every permutation of the labels,
    are equal to refitting: a layer is factorised once a fold, and permutations are columns of a
    matrix product.

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
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix.
    scale : bool
        Whether each unit is divided by its standard deviation over the training words.
    n_bootstrap : int
        Resamples of words for the 95% intervals.
    auc : bool
        Whether the AUC is computed too; it takes about as long as all the rest.
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
        P-values are corrected by the maximum statistic over layers (``auc``: layers and
        categories). Intervals: 95%, bootstrap over words of held-out predictions. The null holds
        each statistic under every permutation, `resamples` the values under resampled words.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category with fewer words than folds,
        a word in two categories, or activations that are not finite.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, section 4.2.
    Nichols & Holmes (2002), Human Brain Mapping 15, 1-25.

    Examples
    --------
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
        "ridge": ridge,
        "scale": scale,
        "n_bootstrap": n_bootstrap,
        "auc": auc,
        "seed": seed,
    }
    folds = grouped_folds(recording, target, groups, n_folds=n_folds, seed=seed, cross=cross)
    permuted, exhaustive = permute_within_folds(
        folds.label_of_word, folds.fold_of_word, n_permutations, seed
    )
    chosen = chosen_layers(recording, site, layers)

    def score(layer: int) -> dict[str, _Scored]:
        x = activations(recording, site, layer)
        return _score_layer(x, folds, permuted, ridge, scale, n_bootstrap, auc, seed)

    scored = over_layers(score, chosen, f"decode {recording.name} {site}")
    n = {
        "n_stimuli": recording.n_stimuli,
        "n_words": folds.n_words,
        "n_categories": folds.n_categories,
        "n_permutations": len(permuted),
    }
    coords: dict[str, list[Any]] = {"layer": chosen, "category": list(folds.categories)}
    return Result(
        analysis="decode",
        subject=recording.name,
        n=n,
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=decode_source(),
        **datasets(
            _statistics(scored, 1.0 / folds.n_categories),
            coords,
            exhaustive=exhaustive,
            attrs={"chance_accuracy": 1.0 / folds.n_categories, "chance_auc": 0.5},
        ),
    )


def decode_source() -> str:
    """Fingerprint of the code that a decoding result depends on."""
    room = [f"cortiscope.statistics.{name}" for name in _STATISTICS]
    return source_fingerprint(sys.modules[__name__], *room)


@dataclass(frozen=True, eq=False)
class _Scored:
    """One statistic, of one layer or of all."""

    estimate: NDArray[np.float64]  # (...)
    null: NDArray[np.float64]  # (permutation, ...)
    draws: NDArray[np.float64]  # (resample, ...)


def _score_layer(
    x: NDArray[np.floating],
    folds: Folds,
    permuted: NDArray[np.intp],
    ridge: float,
    scale: bool,
    n_bootstrap: int,
    auc: bool,
    seed: int,
) -> dict[str, _Scored]:
    reader = LayerReader(x, folds, ridge=ridge, scale=scale)
    observed = reader.read(folds.label_of_word[None], auc=auc)
    null = reader.read(permuted, auc=auc)
    scores = reader.scores()

    def draw(statistic: Callable[..., NDArray[np.float64]]) -> NDArray[np.float64]:
        return bootstrap_words(
            partial(statistic, scores, folds),
            folds.label_of_word,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )

    scored = {
        "accuracy": _Scored(observed.accuracy[0], null.accuracy, draw(accuracy_of_words)),
        "accuracy_by_part": _Scored(
            observed.accuracy_by_part[0], null.accuracy_by_part, draw(_accuracy_by_part)
        ),
    }
    if observed.auc is not None and null.auc is not None:
        areas = _Scored(observed.auc[0], null.auc, draw(auc_of_words))
        scored["auc"] = areas
        scored["auc_macro"] = _Scored(
            areas.estimate.mean(), areas.null.mean(axis=1), areas.draws.mean(axis=1)
        )
    return scored


def _accuracy_by_part(
    scores: NDArray[np.float64], folds: Folds, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Accuracy (weighting, half, level)."""
    parts = [accuracy_of_words(scores, folds, weights, members) for members in folds.parts()]
    return np.stack(parts, axis=1).reshape(len(weights), 2, -1)


def _over_layers(scored: Sequence[dict[str, _Scored]], name: str) -> _Scored:
    return _Scored(
        np.stack([layer[name].estimate for layer in scored]),
        np.stack([layer[name].null for layer in scored], axis=1),
        np.stack([layer[name].draws for layer in scored], axis=1),
    )


def _at_peak(by_part: _Scored) -> _Scored:
    """Choose the layer on one half of the words and measure on the other, both ways.

    The choice is made again under every permutation, and kept in the resamples. Where a label is
    crossed with the words, its worst level counts: a probe trained on nothing can sort clusters
    of one level right by luck, but not those of each.
    """
    estimate, null, draws = by_part.estimate[None], by_part.null, by_part.draws
    chosen = np.repeat(_best_layer(estimate), len(draws), axis=0)
    return _Scored(
        _measured(estimate, _best_layer(estimate))[0],
        _measured(null, _best_layer(null)),
        _measured(draws, chosen),
    )


def _best_layer(accuracy: NDArray[np.float64]) -> NDArray[np.intp]:
    """Best layer (row, half) of accuracies (row, layer, half, level)."""
    return np.asarray(accuracy.mean(axis=3).argmax(axis=1), dtype=np.intp)


def _measured(accuracy: NDArray[np.float64], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """Accuracy (row,) of each half at the layer that the other half chose."""
    rows = np.arange(len(accuracy))
    halves = [accuracy[rows, chosen[:, 1 - half], half] for half in (0, 1)]
    return np.asarray(np.mean(halves, axis=0).min(axis=1), dtype=np.float64)


def _statistics(scored: Sequence[dict[str, _Scored]], chance: float) -> dict[str, Statistic]:
    values = {name: _over_layers(scored, name) for name in scored[0]}
    values["peak_accuracy"] = _at_peak(values.pop("accuracy_by_part"))
    return {
        name: Statistic(
            dims=("layer", "category")[: np.ndim(of.estimate)],
            estimate=of.estimate,
            null=of.null,
            resamples=of.draws,
            none=0.5 if name.startswith("auc") else chance,
        )
        for name, of in values.items()
    }


INSTRUMENT = Instrument(
    name="decode",
    summary="How well a linear probe reads the category of unseen words, layer by layer",
    reference=REFERENCE,
    run=decode,
    source=decode_source,
    figure=accuracy_by_layer,
    headline="peak_accuracy",
    detects=("direction", "selective_units", "patch", "subspace"),
    silent_on=("noise", "xor", "training_words"),
    switches={"auc": ("auc", "auc_macro")},
)
