"""Decoding (F1): how well a linear probe reads the category of words it never saw."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cortiscope.analyses.result import Result
from cortiscope.errors import InputError
from cortiscope.ledger import source_fingerprint
from cortiscope.ledger.progress import track
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    FoldOperator,
    Folds,
    Null,
    accuracy_of_words,
    auc_of_words,
    auc_pairs,
    balanced_accuracy,
    bootstrap_words,
    fold_operators,
    map_in_threads,
    permute_within_folds,
)

REFERENCE = (
    "Ridge classifier on one-hot codes, cross-validated over words (Hastie, Tibshirani & "
    "Friedman 2009, section 4.2); labels of words permuted within folds, maximum statistic over "
    "layers (Nichols & Holmes 2002)"
)

# The modules of the statistics room that its numbers depend on.
_STATISTICS = ("folds", "intervals", "permutation", "ridge", "scores")

# Permutations that ride in one matrix product: enough to keep the cores busy, few enough for
# the scores of one fold to stay in the cache.
_BLOCK = 125


def decode(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    n_permutations: int = 1000,
    n_folds: int = 5,
    ridge: float = 0.01,
    scale: bool = False,
    n_bootstrap: int = 1000,
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
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix.
    scale : bool
        Whether each unit is divided by its standard deviation over the training words.
    n_bootstrap : int
        Resamples of words for the 95% intervals.
    seed : int
        Seed of folds, permutations and resamples.

    Returns
    -------
    Result
        ``accuracy`` (layer), balanced, chance 1/C; ``auc`` (layer, category), one against the
        rest, over pairs of stimuli that are held out together; ``auc_macro`` (layer), its mean.
        P-values are corrected by the maximum statistic over layers (``auc``: layers and
        categories). Intervals: 95%, bootstrap over words of held-out predictions. The null
        holds each statistic under every permutation.

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
        "ridge": ridge,
        "scale": scale,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    labels = recording.labels
    for name in (target, groups):
        if name not in labels.columns:
            msg = (
                f"the recording has no label {name!r}: choose one of "
                f"{', '.join(map(str, labels.columns))}."
            )
            raise InputError(msg)
    folds = Folds.grouped(
        labels[target].tolist(), labels[groups].tolist(), n_folds=n_folds, seed=seed
    )
    permuted, exhaustive = permute_within_folds(
        folds.label_of_word, folds.fold_of_word, n_permutations, seed
    )
    available = [int(layer) for layer in recording[site]["layer"].values]
    chosen = available if layers is None else [int(layer) for layer in layers]
    if missing := sorted(set(chosen) - set(available)):
        msg = f"layer {missing[0]} of {site} was not recorded: choose among {available}."
        raise InputError(msg)

    def score(layer: int) -> dict[str, _Scored]:
        x = recording.layer(site, layer)
        return _score_layer(x, folds, permuted, ridge, scale, n_bootstrap, seed)

    scored = list(
        track(
            map_in_threads(score, chosen),
            f"decode {recording.name} {site}",
            total=len(chosen),
        )
    )
    n = {
        "n_stimuli": len(labels),
        "n_words": folds.n_words,
        "n_categories": folds.n_categories,
        "n_permutations": len(permuted),
    }
    coords = {"layer": chosen, "category": list(folds.categories)}
    return Result(
        analysis="decode",
        subject=recording.name,
        n=n,
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=decode_source(),
        **_datasets(scored, coords, exhaustive),
    )


def decode_source() -> str:
    """Fingerprint of the code that a decoding result depends on."""
    room = [f"cortiscope.statistics.{name}" for name in _STATISTICS]
    return source_fingerprint(sys.modules[__name__], *room)


@dataclass(frozen=True, eq=False)
class _Scored:
    """One statistic of one layer."""

    estimate: NDArray[np.float64]  # () or (category,)
    null: NDArray[np.float64]  # (permutation, ...)
    interval: NDArray[np.float64]  # (bound, ...)


def _score_layer(
    x: NDArray[np.floating],
    folds: Folds,
    permuted: NDArray[np.intp],
    ridge: float,
    scale: bool,
    n_bootstrap: int,
    seed: int,
) -> dict[str, _Scored]:
    x = x.reshape(len(x), -1)
    readers = [
        _FoldReader.of(operator, x)
        for operator in fold_operators(x, folds, ridge=ridge, scale=scale)
    ]
    accuracy, auc = _read(readers, folds, folds.label_of_word[None])
    accuracy_null, auc_null = _read(readers, folds, permuted)
    scores = np.zeros((len(x), folds.n_categories))
    for reader in readers:
        codes = _codes(folds.label_of_word[None], folds.n_categories)
        scores[reader.operator.held_out] = reader.scores(codes)[0].T[reader.same_row]

    def interval(statistic: Callable[..., NDArray[np.float64]]) -> NDArray[np.float64]:
        return bootstrap_words(
            partial(statistic, scores, folds),
            folds.label_of_word,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )

    auc_interval = interval(_auc_and_macro)
    return {
        "accuracy": _Scored(accuracy[0], accuracy_null, interval(accuracy_of_words)),
        "auc_macro": _Scored(auc[0].mean(), auc_null.mean(axis=1), auc_interval[:, -1]),
        "auc": _Scored(auc[0], auc_null, auc_interval[:, :-1]),
    }


def _auc_and_macro(
    scores: NDArray[np.float64], folds: Folds, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    auc = auc_of_words(scores, folds, weights)
    return np.concatenate([auc, auc.mean(axis=1, keepdims=True)], axis=1)


@dataclass(frozen=True, eq=False)
class _FoldReader:
    """Reads one fold: its operator, with stimuli of equal activations taken together.

    Equal activations have equal scores. Rounding would break such ties at random (at the
    embedding every frame of a word is one and the same vector), so each distinct row is scored
    once and counted as often as it occurs.
    """

    operator: FoldOperator
    same_row: NDArray[np.intp]  # (n_held_out,) which distinct row each stimulus is
    rows: NDArray[np.float64]  # (n_rows, n_words) the operator's distinct rows

    @classmethod
    def of(cls, operator: FoldOperator, x: NDArray[np.floating]) -> _FoldReader:
        held_out = [x[i].tobytes() for i in operator.held_out]
        _, first, same_row = np.unique(held_out, return_index=True, return_inverse=True)
        return cls(operator, same_row.astype(np.intp), operator.matrix[first])

    def scores(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (permutation, category, row) for codes (permutation, category, word)."""
        flat = codes.reshape(-1, codes.shape[-1]) @ self.rows.T
        return flat.reshape(*codes.shape[:-1], -1)


def _codes(labels: NDArray[np.intp], n_categories: int) -> NDArray[np.float64]:
    """One-hot codes of words, shape (n_permutations, n_categories, n_words)."""
    return (labels[:, None, :] == np.arange(n_categories)[None, :, None]).astype(np.float64)


def _read(
    readers: Sequence[_FoldReader], folds: Folds, labels: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Balanced accuracy (permutation,) and AUC (permutation, category) for labels of words."""
    accuracy = np.empty(len(labels))
    auc = np.empty((len(labels), folds.n_categories))
    for start in range(0, len(labels), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(labels)))
        codes = _codes(labels[block], folds.n_categories)
        of_stimulus = labels[block][:, folds.word]
        predicted = np.empty(of_stimulus.shape, dtype=np.intp)
        wins = np.zeros_like(auc[block])
        pairs = np.zeros_like(auc[block])
        for reader in readers:
            held_out = reader.operator.held_out
            scores = reader.scores(codes)
            predicted[:, held_out] = scores.argmax(axis=1)[:, reader.same_row]
            for total, part in zip(
                (wins, pairs),
                auc_pairs(scores, of_stimulus[:, held_out], reader.same_row),
                strict=True,
            ):
                total += part
        auc[block] = wins / pairs
        accuracy[block] = balanced_accuracy(predicted, of_stimulus, folds.n_categories)
    return accuracy, auc


def _datasets(
    scored: Sequence[dict[str, _Scored]], coords: dict[str, list[Any]], exhaustive: bool
) -> dict[str, xr.Dataset]:
    estimates, intervals, p_values, nulls = {}, {}, {}, {}
    for name in scored[0]:
        estimate = np.stack([layer[name].estimate for layer in scored])
        null = np.stack([layer[name].null for layer in scored], axis=1)
        interval = np.stack([layer[name].interval for layer in scored], axis=1)
        dims = ("layer", "category")[: estimate.ndim]
        estimates[name] = (dims, estimate)
        intervals[name] = (("bound", *dims), interval)
        p_values[name] = (dims, Null(null, exhaustive).corrected_p_value(estimate))
        nulls[name] = (("permutation", *dims), null)
    chance = {"chance_accuracy": 1.0 / len(coords["category"]), "chance_auc": 0.5}
    return {
        "estimates": xr.Dataset(estimates, coords=coords, attrs=chance),
        "intervals": xr.Dataset(intervals, coords=coords | {"bound": ["low", "high"]}),
        "p_values": xr.Dataset(
            p_values, coords=coords, attrs={"correction": "maximum statistic over layers"}
        ),
        "null": xr.Dataset(nulls, coords=coords, attrs={"exhaustive": int(exhaustive)}),
    }
