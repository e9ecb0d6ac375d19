"""What decoding measures: one layer at a time, and over layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.statistic import Statistic
from cortiscope.statistics import (
    Folds,
    LayerReader,
    accuracy_of_words,
    auc_of_words,
    bootstrap_words,
    confusion_matrix,
    control_task,
)

_DIMS = {
    "accuracy": ("layer",),
    "auc": ("layer", "category"),
    "auc_macro": ("layer",),
    "peak_accuracy": (),
    "confusion": ("layer", "category", "predicted"),
    "chosen_ridge": ("layer",),
    "accuracy_shared_words": ("layer",),
    "beyond_memory": ("layer",),
    "mean_beyond_memory": (),
    "surface_accuracy": (),
    "beyond_surface": (),
}


@dataclass(frozen=True, eq=False)
class Scored:
    """One statistic, of one layer or of all."""

    estimate: NDArray[np.float64]  # (...)
    null: NDArray[np.float64] | None = None  # (permutation, ...)
    draws: NDArray[np.float64] | None = None  # (resample, ...)

    def combined(
        self,
        combine: Callable[..., NDArray[np.float64]],
        *others: Scored,
    ) -> Scored:
        """Combine estimates, nulls and draws with those of others, each with its own kind."""

        def of(kind: str) -> NDArray[np.float64] | None:
            values = [getattr(each, kind) for each in (self, *others)]
            return None if any(value is None for value in values) else combine(*values)

        return Scored(
            combine(self.estimate, *(o.estimate for o in others)), of("null"), of("draws")
        )


@dataclass(frozen=True, eq=False)
class Measures:
    """What is measured at every layer.

    Attributes
    ----------
    folds : Folds
        Who is held out when.
    permuted : ndarray of int, shape (n_permutations, n_words), or None
        Permuted labels of the words; None where nothing is refitted for them.
    probe, ridge, scale
        As in `LayerReader`.
    n_bootstrap, seed : int
        Resamples of words, and their seed.
    auc, confusion : bool
        Whether these are measured.
    frames : sequence or None
        Frame of each stimulus, for the control task; None leaves it out.
    """

    folds: Folds
    permuted: NDArray[np.intp] | None
    probe: Literal["ridge", "logistic"]
    ridge: float | Literal["inner"]
    scale: bool
    n_bootstrap: int
    seed: int
    auc: bool
    confusion: bool = False
    frames: Sequence[object] | None = None

    def at(self, x: NDArray[np.floating]) -> dict[str, Scored]:
        """Measure one layer, shape (n_stimuli, n_units)."""
        folds = self.folds
        reader = LayerReader(x, folds, ridge=self.ridge, scale=self.scale, probe=self.probe)
        observed = reader.read(folds.label_of_word[None], auc=self.auc)
        null = None if self.permuted is None else reader.read(self.permuted, auc=self.auc)
        scores = reader.scores()

        def scored(of: str, statistic: Callable[..., NDArray[np.float64]]) -> Scored:
            draws = bootstrap_words(
                partial(statistic, scores, folds),
                folds.label_of_word,
                n_bootstrap=self.n_bootstrap,
                seed=self.seed,
            )
            return Scored(
                getattr(observed, of)[0], None if null is None else getattr(null, of), draws
            )

        measured = {
            "accuracy": scored("accuracy", accuracy_of_words),
            "accuracy_by_part": scored("accuracy_by_part", _accuracy_by_part),
        }
        if self.auc:
            measured["auc"] = scored("auc", auc_of_words)
            measured["auc_macro"] = measured["auc"].combined(lambda area: area.mean(axis=-1))
        if self.confusion:
            measured["confusion"] = Scored(confusion_matrix(scores, folds))
        if self.ridge == "inner":
            measured["chosen_ridge"] = Scored(np.asarray(reader.chosen_ridge()))
        if self.frames is not None:
            measured |= self._memory(x, self.frames)
        return measured

    def _memory(self, x: NDArray[np.floating], frames: Sequence[object]) -> dict[str, Scored]:
        assert self.permuted is not None
        task = control_task(
            x,
            self.folds,
            frames,
            self.permuted,
            ridge=self.ridge,
            scale=self.scale,
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
        )
        shared = Scored(np.asarray(task.real), task.random, task.draws)
        memorised = task.random.mean()
        return {
            "accuracy_shared_words": shared,
            "beyond_memory": shared.combined(lambda accuracy: accuracy - memorised),
        }


def statistics_of(
    layers: Sequence[Mapping[str, Scored]], surface: Mapping[str, Scored] | None, chance: float
) -> dict[str, Statistic]:
    """Put layers together, and choose among them.

    Parameters
    ----------
    layers : sequence of mapping
        From `Measures.at`, a layer each.
    surface : mapping or None
        The same of features of the words' surface, where they are the baseline.
    chance : float
        Balanced accuracy without an effect.

    Returns
    -------
    dict of str to Statistic
        By variable.
    """
    values = {name: _over_layers([layer[name] for layer in layers]) for name in layers[0]}
    values["peak_accuracy"] = at_peak(values.pop("accuracy_by_part"))
    if "beyond_memory" in values:
        mean = values["beyond_memory"].combined(lambda gap: gap.mean(axis=-1))
        values["mean_beyond_memory"] = mean
    if surface is not None:
        values["surface_accuracy"] = surface["accuracy"]
        baseline = at_peak(_over_layers([surface["accuracy_by_part"]]))
        values["beyond_surface"] = values["peak_accuracy"].combined(np.subtract, baseline)
    return {
        name: Statistic(
            dims=_DIMS[name],
            estimate=of.estimate,
            null=of.null,
            resamples=of.draws,
            none=_none(name, chance),
        )
        for name, of in values.items()
    }


def at_peak(by_part: Scored) -> Scored:
    """Choose the layer on one half of the words and measure on the other, both ways.

    The choice is made again under every permutation, and kept in the resamples. Where a label is
    crossed with the words, its worst level counts: a probe trained on nothing can sort clusters
    of one level right by luck, but not those of each.

    Parameters
    ----------
    by_part : Scored
        Accuracy (layer, half, level).

    Returns
    -------
    Scored
        Of one number.
    """
    estimate, null, draws = by_part.estimate[None], by_part.null, by_part.draws
    assert draws is not None
    chosen = np.repeat(_best_layer(estimate), len(draws), axis=0)
    return Scored(
        _measured(estimate, _best_layer(estimate))[0],
        None if null is None else _measured(null, _best_layer(null)),
        _measured(draws, chosen),
    )


def _none(name: str, chance: float) -> float:
    if name.startswith("auc"):
        return 0.5
    return chance if "accuracy" in name else 0.0


def _accuracy_by_part(
    scores: NDArray[np.float64], folds: Folds, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Accuracy (weighting, half, level)."""
    parts = [accuracy_of_words(scores, folds, weights, members) for members in folds.parts()]
    return np.stack(parts, axis=1).reshape(len(weights), 2, -1)


def _over_layers(scored: Sequence[Scored]) -> Scored:
    first = scored[0]
    return Scored(
        np.stack([layer.estimate for layer in scored]),
        None if first.null is None else np.stack([_kept(s.null) for s in scored], axis=1),
        None if first.draws is None else np.stack([_kept(s.draws) for s in scored], axis=1),
    )


def _kept(values: NDArray[np.float64] | None) -> NDArray[np.float64]:
    assert values is not None
    return values


def _best_layer(accuracy: NDArray[np.float64]) -> NDArray[np.intp]:
    """Best layer (row, half) of accuracies (row, layer, half, level)."""
    return np.asarray(accuracy.mean(axis=3).argmax(axis=1), dtype=np.intp)


def _measured(accuracy: NDArray[np.float64], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """Accuracy (row,) of each half at the layer that the other half chose."""
    rows = np.arange(len(accuracy))
    halves = [accuracy[rows, chosen[:, 1 - half], half] for half in (0, 1)]
    return np.asarray(np.mean(halves, axis=0).min(axis=1), dtype=np.float64)
