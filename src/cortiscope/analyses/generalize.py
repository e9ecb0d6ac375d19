"""Generalisation (F1): is what a probe learns at one layer read at the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.figures.generalize import generalization_maps
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import (
    activations,
    chosen_layers,
    grouped_folds,
    over_layers,
)
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    Folds,
    LayerReader,
    Null,
    TransferReader,
    accuracy_of_words,
    bootstrap_words,
    permute_within_folds,
)

REFERENCE = (
    "Temporal generalisation, layers in place of times (King & Dehaene 2014); ridge classifier on "
    "one-hot codes, cross-validated over words; labels of words permuted within folds, maximum "
    "statistic over pairs of layers (Nichols & Holmes 2002)"
)

_ALPHA = 0.05


def generalize(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    n_permutations: int = 1000,
    n_folds: int = 5,
    ridge: float = 0.01,
    centre: bool = True,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Train a probe at every layer and read the categories of unseen words at every other.

    A code that stays as it is from layer to layer is read everywhere by the probe of any layer; one
    that is written anew at each is read only where the probe was trained.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus; all layers of the site have the same units.
    target : str
        Label to decode.
    groups : str
        Label whose values stay together in a fold; the target must be nested in it.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to train and read at; all that were recorded when left out. The work grows with the
        square of their number.
    n_permutations : int
        Random permutations of the words' labels within folds.
    n_folds : int
        Folds, stratified by target.
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix.
    centre : bool
        Whether units are centred on their mean, over the training words, at the layer that is read,
        so that a shift of all stimuli between layers does not count against the probe; else at the
        layer of training.
    n_bootstrap : int
        Resamples of words for the 95% intervals.
    seed : int
        Seed of folds, permutations and resamples.

    Returns
    -------
    Result
        ``accuracy`` (train_layer, layer), balanced, chance 1/C, of words that the probe never saw;
        its diagonal is that of `decode`. ``accuracy_elsewhere`` (), its mean over pairs of
        different layers (of a single layer, that layer's); ``accuracy_at_home`` (), the mean of
        the diagonal; ``share_kept`` (), what of the diagonal's distance from chance is left
        elsewhere, NaN where the diagonal is not above its null: 1 where one code serves all
        layers, 0 where each layer has its own.
        P-values are corrected by the maximum statistic over pairs of layers. Intervals: 95%,
        bootstrap over words of held-out predictions; ``share_kept`` has no null.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category with fewer words than folds, a
        word in two categories, layers of different units, or activations that are not finite.

    References
    ----------
    King & Dehaene (2014), Characterizing the dynamics of mental representations: the temporal
    generalization method. Trends in Cognitive Sciences 18, 203-210.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(40)], "category": ["a", "b"] * 20})
    >>> x = rng.normal(size=(40, 3, 8))
    >>> x[::2, :2] += 3  # one code of category "a" at layers 0 and 1, none at layer 2
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> accuracy = generalize(recording, n_permutations=99).estimates["accuracy"]
    >>> bool(accuracy.sel(train_layer=0, layer=1) > 0.9)
    True
    >>> bool(accuracy.sel(train_layer=0, layer=2) < 0.8)
    True
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "n_permutations": n_permutations,
        "n_folds": n_folds,
        "ridge": ridge,
        "centre": centre,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    folds = grouped_folds(recording, target, groups, n_folds=n_folds, seed=seed)
    permuted, exhaustive = permute_within_folds(
        folds.label_of_word, folds.fold_of_word, n_permutations, seed
    )
    chosen = chosen_layers(recording, site, layers)

    def from_layer(trained: int) -> list[_Pair]:
        probes = TransferReader(activations(recording, site, trained), folds, ridge=ridge)
        pairs = []
        for layer in chosen:
            x = activations(recording, site, layer)
            operators = probes.operators(x, centre=centre)
            reader = LayerReader.of_operators(x, folds, operators)
            pairs.append(_measure(reader, folds, permuted, n_bootstrap, seed))
        return pairs

    rows = over_layers(from_layer, chosen, f"generalize {recording.name} {site}")
    chance = 1.0 / folds.n_categories
    coords: dict[str, list[Any]] = {"train_layer": chosen, "layer": chosen}
    return Result(
        analysis="generalize",
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
        **datasets(
            _statistics(rows, chance, exhaustive),
            coords,
            exhaustive=exhaustive,
            attrs={"chance_accuracy": chance},
        ),
    )


@dataclass(frozen=True, eq=False)
class _Pair:
    """Accuracy of one layer's probe at one layer."""

    estimate: float
    null: NDArray[np.float64]  # (permutation,)
    draws: NDArray[np.float64]  # (resample,)


def _measure(
    reader: LayerReader, folds: Folds, permuted: NDArray[np.intp], n_bootstrap: int, seed: int
) -> _Pair:
    draws = bootstrap_words(
        partial(accuracy_of_words, reader.scores(), folds),
        folds.label_of_word,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    observed = float(reader.accuracy(folds.label_of_word[None])[0])
    return _Pair(observed, reader.accuracy(permuted), draws)


def _statistics(
    rows: Sequence[Sequence[_Pair]], chance: float, exhaustive: bool
) -> dict[str, Statistic]:
    estimate = np.array([[pair.estimate for pair in row] for row in rows])
    null, draws = (
        np.stack([np.stack([getattr(p, kind) for p in row], axis=1) for row in rows], axis=1)
        for kind in ("null", "draws")
    )
    home = np.eye(len(rows), dtype=np.bool_)
    elsewhere = ~home if len(rows) > 1 else home

    def mean(over: NDArray[np.bool_]) -> Statistic:
        return Statistic(
            (),
            estimate[over].mean(),
            null[:, over].mean(axis=1),
            draws[:, over].mean(axis=1),
            none=chance,
        )

    at_home, at_others = mean(home), mean(elsewhere)
    assert at_home.null is not None and at_home.resamples is not None
    assert at_others.resamples is not None
    is_read = Null(at_home.null, exhaustive).p_value(float(np.asarray(at_home.estimate))) < _ALPHA
    return {
        "accuracy": Statistic(("train_layer", "layer"), estimate, null, draws, none=chance),
        "accuracy_elsewhere": at_others,
        "accuracy_at_home": at_home,
        "share_kept": Statistic(
            (),
            _share(np.asarray(at_others.estimate), np.asarray(at_home.estimate), chance)
            if is_read
            else np.nan,
            resamples=_share(at_others.resamples, at_home.resamples, chance),
        ),
    }


def _share(
    elsewhere: NDArray[np.float64], home: NDArray[np.float64], chance: float
) -> NDArray[np.float64]:
    above = home - chance
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(above > 0, (elsewhere - chance) / above, np.nan)


INSTRUMENT = Instrument(
    name="generalize",
    summary="Whether the probe of one layer reads the category of unseen words at the others",
    reference=REFERENCE,
    run=generalize,
    figure=generalization_maps,
    headline="accuracy_elsewhere",
    detects=("direction", "selective_units", "patch", "subspace"),
    silent_on=("noise", "xor", "training_words"),
)
