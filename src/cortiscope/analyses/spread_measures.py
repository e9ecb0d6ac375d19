"""What spread measures, at one layer and for one phantom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.preparation import activations
from cortiscope.analyses.statistic import Statistic
from cortiscope.errors import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import (
    Folds,
    direction_spread,
    jackknife_draws,
    jackknife_words,
    means_of,
    overlap_of_n90,
    percentile_interval,
    permute_within_folds,
    probe_spread,
    split_half_overlap,
    unbiased_powers,
)

_ROUNDING = 1e-6  # of float32, relative to a unit's size: less variation than this is none
_SELECTIVE = 20  # units of each category in the phantom that is shown beside

_DEBIASED = ("n90_share", "participation_share", "cosine", "overlap")


@dataclass(frozen=True, eq=False)
class Labellings:
    """The words' labels as they are, permuted, and with words left out (-1)."""

    label: NDArray[np.intp]  # (n_words,)
    permuted: NDArray[np.intp]  # (permutation, word)
    exhaustive: bool
    kept: NDArray[np.bool_]  # (subset, word)
    n_categories: int

    @classmethod
    def draw(cls, folds: Folds, n_permutations: int, n_jackknife: int, seed: int) -> Labellings:
        """Draw permutations within folds, and subsets for the jackknife."""
        label = folds.label_of_word
        permuted, exhaustive = permute_within_folds(label, folds.fold_of_word, n_permutations, seed)
        kept = jackknife_words(label, n_jackknife=n_jackknife, seed=seed)
        return cls(label, permuted, exhaustive, kept, folds.n_categories)

    @property
    def observed(self) -> NDArray[np.intp]:
        """The true labels, then those of the subsets."""
        return np.vstack([self.label, np.where(self.kept, self.label, -1)])


def standardised(
    words: NDArray[np.float64], scale: bool, least: int, where: str
) -> NDArray[np.float64]:
    """Centre the words, and divide each unit by its standard deviation; constant ones are 0."""
    deviation = words.std(axis=0)
    varies = deviation > _ROUNDING * np.abs(words).max(axis=0)
    if (n_varying := int(varies.sum())) <= least:
        msg = (
            f"{n_varying} of the {len(varies)} units of {where} vary over words, and more than "
            f"{least} are needed: check site and position, or compare fewer units (top)."
        )
        raise InputError(msg)
    factor = np.where(varies, 1.0 / np.where(varies & scale, deviation, 1.0), 0.0)
    return np.asarray((words - words.mean(axis=0)) * factor, dtype=np.float64)


@dataclass(frozen=True)
class Measure:
    """How directions are measured, whatever the labels are."""

    ridge: float | None  # None for the difference in means
    top: int
    n_halves: int
    overlap: bool
    seed: int

    def values(
        self, x: NDArray[np.float64], labels: NDArray[np.intp], label: NDArray[np.intp]
    ) -> dict[str, NDArray[np.float64]]:
        """Every statistic that has a value for each labelling, (labelling, category)."""
        n_categories, n_units = int(label.max()) + 1, x.shape[1]
        halves = {"top": self.top, "n_halves": self.n_halves, "seed": self.seed}
        values = {}
        if self.ridge is not None:
            of, values["overlap"] = probe_spread(x, labels, label, ridge=self.ridge, **halves)
        else:
            of = direction_spread(x, labels, n_categories)
            if self.overlap:
                values["overlap"] = split_half_overlap(x, labels, n_categories, **halves)
        if not self.overlap:
            values.pop("overlap", None)
        return values | {
            "n90_share": of.n90 / n_units,
            "participation_share": of.participation / n_units,
            "cosine": of.cosine,
            "n90_share_biased": of.n90_biased / n_units,
            "participation_share_biased": of.participation_biased / n_units,
        }


def measured_at(
    x: NDArray[np.float64], labellings: Labellings, measure: Measure
) -> dict[str, Statistic]:
    """All statistics of one layer, by category."""
    label = labellings.label
    observed = measure.values(x, labellings.observed, label)
    null = measure.values(x, labellings.permuted, label)
    measured = {
        name: Statistic(
            ("category",),
            values[0],
            null[name] if name in _DEBIASED else None,
            jackknife_draws(values[0], values[1:], labellings.kept),
        )
        for name, values in observed.items()
    }
    if measure.ridge is None:
        measured["participation_ratio"] = _unbiased_ratio(x, labellings)
        if measure.overlap:
            both = overlap_of_n90(
                x, label, labellings.n_categories, n_halves=measure.n_halves, seed=measure.seed
            )
            for name, value in zip(("n90_overlap", "n90_overlap_chance"), both, strict=True):
                measured[name] = Statistic(("category",), value)
    return measured


def _unbiased_ratio(x: NDArray[np.float64], labellings: Labellings) -> Statistic:
    """(Σv²)² / Σv⁴ of unbiased estimates, where both are told from 0."""
    powers = unbiased_powers(x, labellings.observed, labellings.n_categories)
    defined = np.ones(labellings.n_categories, dtype=np.bool_)
    for power in powers:
        draws = jackknife_draws(power[0], power[1:], labellings.kept)
        defined &= percentile_interval(draws)[0] > 0
    second, fourth = powers
    ratio = np.where(defined, second**2 / np.where(fourth > 0, fourth, np.nan), np.nan)
    draws = jackknife_draws(ratio[0], ratio[1:], labellings.kept)
    return Statistic(("category",), ratio[0], resamples=draws)


def over_all_layers(by_layer: Sequence[Mapping[str, Statistic]]) -> dict[str, Statistic]:
    """Lay the layers side by side, and average what claims are made of."""
    statistics = {}
    for name in by_layer[0]:
        of = [layer[name] for layer in by_layer]
        null, resamples = (
            None if draws[0] is None else np.stack([d for d in draws if d is not None], axis=1)
            for draws in ([s.null for s in of], [s.resamples for s in of])
        )
        estimate = np.stack([np.asarray(s.estimate) for s in of])
        statistics[name] = Statistic(("layer", "category"), estimate, null, resamples)
        if name in _DEBIASED and null is not None and resamples is not None:
            statistics[f"mean_{name}"] = Statistic(
                (), estimate.mean(), null.mean(axis=(1, 2)), resamples.mean(axis=(1, 2))
            )
    return statistics


def measure_phantoms(design: PhantomDesign, measure: Measure) -> dict[str, dict[str, float]]:
    """Mean over categories of every statistic in recordings whose truth is known."""
    n_selective = max(min(_SELECTIVE, design.n_units // design.n_categories), 1)
    planted = {
        "noise": PHANTOMS["noise"].make(design, measure.seed),
        f"{n_selective} units of d' = 1": PHANTOMS["selective_units"].make(
            design, measure.seed, n_selective=n_selective
        ),
        "the same weight over all units": PHANTOMS["direction"].make(
            design, measure.seed, strength=float(np.sqrt(n_selective))
        ),
    }
    measured = {}
    for name, recording in planted.items():
        x = means_of(activations(recording, "resid_post", 0), design.word)
        label = design.category_of_word
        values = measure.values(standardised(x, True, 1, name), label[None], label)
        measured[name] = {key: float(value.mean()) for key, value in values.items()}
    return measured


def of_references(measured: Sequence[Mapping[str, float]]) -> dict[str, Statistic]:
    """Lay the phantoms side by side."""
    return {
        f"reference_{name}": Statistic(("reference",), [values[name] for values in measured])
        for name in measured[0]
    }
