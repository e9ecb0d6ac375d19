"""Non-linear gap (F9): what a small neural network reads that a linear probe does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.figures.nonlinear_gap import gap_by_training_size
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
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    Folds,
    MlpSetting,
    NestedFolds,
    PairedAuc,
    bootstrap_words,
)

REFERENCE = (
    "One-hidden-layer probe against a linear one, both tuned on inner folds over words (Hewitt & "
    "Liang 2019; Varma & Simon 2006); paired exchange of their scores (Bandos, Rockette & Gur "
    "2005), with the variance of cross-validation (Nadeau & Bengio 2003), maximum statistic"
)


def nonlinear_gap(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    n_folds: int = 5,
    hidden: Sequence[int] = (16, 64),
    weight_decay: Sequence[float] = (3.0, 10.0),
    shrinkage: Sequence[float] = (0.1, 10.0),
    epochs: Sequence[int] = (5, 10, 20, 40),
    n_initialisations: int = 3,
    training_shares: Sequence[float] = (0.25, 0.5, 1.0),
    curve: bool = True,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare a neural network with a linear probe, on words that neither ever saw.

    Both are softmax probes trained in the same way, one with a hidden layer of rectified units
    and the other without. Whatever else is set (weight decay, how far the inputs are whitened,
    when the training stops, and the width) is chosen for each of them, fold by fold, by AUC on
    inner folds of the training words, so that neither has more tuning than the other.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label to read.
    groups : str
        Label whose values stay together in a fold; the target must be nested in it.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to read; all that were recorded when left out.
    n_folds : int
        Folds, stratified by target; 3 or more.
    hidden : sequence of int
        Numbers of hidden units that the network may have.
    weight_decay, shrinkage : sequence of float
        Values to choose among for both probes, as in ``statistics.MlpSetting``.
    epochs : sequence of int
        Numbers of training steps to choose among for both, ascending.
    n_initialisations : int
        Networks whose log-probabilities are averaged.
    training_shares : sequence of float
        Shares of each category's training words that the curve is drawn at, up to 1.
    curve : bool
        Whether smaller shares than 1 are measured too.
    n_permutations : int
        Random exchanges of the two probes' scores.
    n_bootstrap : int
        Resamples of words for the 95% intervals.
    seed : int
        Seed of folds, shares, initial weights, exchanges and resamples.

    Returns
    -------
    Result
        ``gap`` (), AUC of the network minus that of the linear probe, macro over categories, with
        all training words, mean over layers; ``peak_gap`` (), the same at the layer where one
        half of the words has it largest, measured on the other half, both ways averaged;
        ``gap_by_size``, ``auc_mlp`` and ``auc_linear`` (layer, n_training_words). AUC is one
        against the rest, over pairs of stimuli that one probe reads.
        The null exchanges the two probes' scores in random words, the same in all layers; nothing
        is trained again. P-values are corrected by the maximum statistic over layers and sizes.
        Intervals: 95%, bootstrap over words of held-out predictions of both probes, paired. For
        gaps the draws of both are spread by the factor in the notes.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category with fewer words than folds,
        a word in two categories, activations that are not finite or do not vary, and settings out
        of range.

    Notes
    -----
    A network that is not trained well enough would make a false claim that there is no gap: on
    phantoms whose category is the exclusive or of two codes it must find one, and where the
    category is a direction it must not fall short of the linear probe.

    Exchanges and resamples take words as independent, which held-out predictions are not: of two
    words in different folds each has trained the probe that reads the other. Where nothing is to
    be read this doubles the variance, and a test that passed over it would reject twice as often
    as it says. Draws of gaps are therefore spread around their centre by the root of
    1 + n_folds · n_test / n_train = 1 + n_folds / (n_folds - 1), Nadeau and Bengio's correction.

    References
    ----------
    Hewitt & Liang (2019), Designing and Interpreting Probes with Control Tasks, EMNLP.
    Varma & Simon (2006), BMC Bioinformatics 7, 91.
    Bandos, Rockette & Gur (2005), Statistics in Medicine 24, 2873-2893.
    Nadeau & Bengio (2003), Inference for the Generalization Error. Machine Learning 52, 239-281.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(160)], "category": ["a", "b"] * 80})
    >>> x = rng.normal(size=(160, 1, 4))
    >>> same = (np.arange(160) % 2 == 0) == (x[:, 0, 0] > 0)
    >>> x[:, 0, 1] = np.where(same, 1, -1) * np.abs(x[:, 0, 1])  # the product says the category
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> result = nonlinear_gap(recording, curve=False)
    >>> result.estimates["gap"].item() > 0.2
    True
    >>> result.p_values["gap"].item() < 0.01
    True
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "n_folds": n_folds,
        "hidden": [int(width) for width in hidden],
        "weight_decay": [float(decay) for decay in weight_decay],
        "shrinkage": [float(value) for value in shrinkage],
        "epochs": [int(epoch) for epoch in epochs],
        "n_initialisations": n_initialisations,
        "training_shares": [float(share) for share in training_shares],
        "curve": curve,
        "n_permutations": n_permutations,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    _check_settings(hidden, weight_decay, shrinkage, epochs, training_shares, n_permutations)
    folds = grouped_folds(recording, target, groups, n_folds=n_folds, seed=seed)
    trained_on = _training_words(folds, training_shares if curve else [1.0], seed)
    chosen = chosen_layers(recording, site, layers)
    probes = _Probes(
        folds,
        linear=_settings([0], weight_decay, shrinkage),
        network=_settings(hidden, weight_decay, shrinkage),
        epochs=list(epochs),
        n_initialisations=n_initialisations,
        seed=seed,
    )
    signs = _exchanges(folds.n_words, n_permutations, seed)

    def measure(layer: int) -> _Layer:
        x = activations(recording, site, layer)
        paired = [probes.read(x, kept) for kept in trained_on.values()]
        return _Layer.of(paired, folds, signs, n_bootstrap, seed)

    measured = over_layers(measure, chosen, f"nonlinear gap {recording.name} {site}")
    n = {
        "n_stimuli": recording.n_stimuli,
        "n_words": folds.n_words,
        "n_categories": folds.n_categories,
        "n_permutations": n_permutations,
    }
    coords: dict[str, list[Any]] = {"layer": chosen, "n_training_words": list(trained_on)}
    return Result(
        analysis="nonlinear_gap",
        subject=recording.name,
        n=n,
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(_statistics(measured, _spread(n_folds)), coords),
    )


@dataclass(frozen=True, eq=False)
class _Probes:
    """Both probes: what each may be set to, and how they are trained."""

    folds: Folds
    linear: list[MlpSetting]
    network: list[MlpSetting]
    epochs: list[int]
    n_initialisations: int
    seed: int

    def read(self, x: NDArray[np.floating], kept: NDArray[np.bool_]) -> PairedAuc:
        """Train both on the stimuli that are kept, and compare what they read."""
        nested = NestedFolds(x, self.folds, kept)
        network = nested.scores(
            self.network,
            epochs=self.epochs,
            n_initialisations=self.n_initialisations,
            seed=self.seed,
        )
        linear = nested.scores(self.linear, epochs=self.epochs)
        return PairedAuc.of(network.scores, linear.scores, self.folds)


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer's numbers, macro over categories."""

    auc: NDArray[np.float64]  # (probe, size): the network, then the linear probe
    auc_draws: NDArray[np.float64]  # (probe, resample, size)
    null: NDArray[np.float64]  # (exchange, size)
    # With all training words, over each half of the words.
    half: NDArray[np.float64]  # (1, half)
    half_null: NDArray[np.float64]  # (exchange, half)
    half_draws: NDArray[np.float64]  # (resample, half)

    @classmethod
    def of(
        cls,
        by_size: Sequence[PairedAuc],
        folds: Folds,
        signs: NDArray[np.float64],
        n_bootstrap: int,
        seed: int,
    ) -> _Layer:
        every_word = np.ones((1, folds.n_words))
        halves = [folds.half_of_word == half for half in (0, 1)]

        def draw(paired: PairedAuc, weighted: NDArray[np.float64]) -> NDArray[np.float64]:
            """AUC (probe, resample) of resamples among weighted words."""
            drawn = bootstrap_words(
                lambda weights: np.moveaxis(paired.resampled(weights * weighted), 1, 0),
                folds.label_of_word,
                n_bootstrap=n_bootstrap,
                seed=seed,
            )
            return np.asarray(drawn.mean(axis=2).T)

        full = by_size[-1]
        return cls(
            auc=np.stack([of.resampled(every_word)[:, 0].mean(axis=1) for of in by_size], axis=1),
            auc_draws=np.stack([draw(of, every_word[0]) for of in by_size], axis=2),
            null=np.stack([of.exchanged(signs).mean(axis=1) for of in by_size], axis=1),
            half=np.stack([full.exchanged(every_word, h).mean(axis=1) for h in halves], axis=1),
            half_null=np.stack([full.exchanged(signs, h).mean(axis=1) for h in halves], axis=1),
            half_draws=np.stack(
                [np.subtract(*draw(full, h.astype(np.float64))) for h in halves], axis=1
            ),
        )


def _check_settings(
    hidden: Sequence[int],
    weight_decay: Sequence[float],
    shrinkage: Sequence[float],
    epochs: Sequence[int],
    training_shares: Sequence[float],
    n_permutations: int,
) -> None:
    for name, values in (("hidden", hidden), ("epochs", epochs)):
        if not len(values) or min(values) < 1 or list(values) != sorted(set(values)):
            msg = f"{name} is {list(values)}: give whole numbers of 1 or more, ascending."
            raise InputError(msg)
    for name, settings in (("weight_decay", weight_decay), ("shrinkage", shrinkage)):
        if not len(settings) or not min(settings) >= 0:
            msg = f"{name} is {list(settings)}: give one or more numbers of 0 or more."
            raise InputError(msg)
    shares = list(training_shares)
    if not shares or shares != sorted(shares) or not min(shares) > 0 or max(shares) != 1:
        msg = f"training_shares is {shares}: give shares above 0, ascending, the last one 1."
        raise InputError(msg)
    if n_permutations < 1:
        msg = f"n_permutations is {n_permutations}: give at least 1."
        raise InputError(msg)


def _settings(
    hidden: Sequence[int], weight_decay: Sequence[float], shrinkage: Sequence[float]
) -> list[MlpSetting]:
    return [
        MlpSetting(int(width), float(decay), float(shrunk))
        for width, decay, shrunk in product(hidden, weight_decay, shrinkage)
    ]


def _training_words(
    folds: Folds, shares: Sequence[float], seed: int
) -> dict[int, NDArray[np.bool_]]:
    """Stimuli that may be trained on, by the number of words that a probe then sees.

    Smaller sets lie within larger ones, and every fold keeps words of every category.
    """
    rng = np.random.default_rng([seed, 2])
    place = np.empty(folds.n_words)  # 0 to 1 within a fold's words of a category
    for category, fold in product(range(folds.n_categories), range(folds.n_folds)):
        members = np.flatnonzero((folds.label_of_word == category) & (folds.fold_of_word == fold))
        place[members] = rng.permutation(len(members)) / len(members)
    kept = {}
    for share in shares:
        words = place < share
        seen = words.sum() * (folds.n_folds - 1) / folds.n_folds
        kept[round(float(seen))] = words[folds.word]
    return kept


def _exchanges(n_words: int, n_exchanges: int, seed: int) -> NDArray[np.float64]:
    """Signs (exchange, word): -1 where the two probes' scores change places."""
    rng = np.random.default_rng([seed, 3])
    return np.where(rng.random((n_exchanges, n_words)) < 0.5, -1.0, 1.0)


def _spread(n_folds: int) -> float:
    """Factor by which words that train one another's probes widen what is drawn."""
    return float(np.sqrt(1 + n_folds / (n_folds - 1)))


def _statistics(measured: Sequence[_Layer], spread: float) -> dict[str, Statistic]:
    dims = ("layer", "n_training_words")
    auc = np.stack([layer.auc for layer in measured], axis=1)  # (probe, layer, size)
    draws = np.stack([layer.auc_draws for layer in measured], axis=2)
    gap = auc[0] - auc[1]
    gap_draws = gap + spread * (draws[0] - draws[1] - gap)
    null = spread * np.stack([layer.null for layer in measured], axis=1)
    half, half_null, half_draws = (
        np.stack([getattr(layer, name) for layer in measured], axis=1)
        for name in ("half", "half_null", "half_draws")
    )
    half_null, half_draws = spread * half_null, half + spread * (half_draws - half)
    chosen = half.argmax(axis=1)
    return {
        "gap": Statistic(
            (),
            gap[:, -1].mean(),
            null[:, :, -1].mean(axis=1),
            gap_draws[:, :, -1].mean(axis=1),
        ),
        "peak_gap": Statistic(
            (),
            _at_peak(half, chosen)[0],
            _at_peak(half_null, half_null.argmax(axis=1)),
            _at_peak(half_draws, np.repeat(chosen, len(half_draws), axis=0)),
        ),
        "gap_by_size": Statistic(dims, gap, null, gap_draws),
        "auc_mlp": Statistic(dims, auc[0], resamples=draws[0], none=0.5),
        "auc_linear": Statistic(dims, auc[1], resamples=draws[1], none=0.5),
    }


def _at_peak(gap: NDArray[np.float64], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
    """Gap (row,) of each half, from (row, layer, half), at the layer that the other half chose."""
    rows = np.arange(len(gap))
    return np.asarray(np.mean([gap[rows, chosen[:, 1 - h], h] for h in (0, 1)], axis=0))


INSTRUMENT = Instrument(
    name="nonlinear_gap",
    summary="What a small neural network reads in unseen words that a linear probe does not",
    reference=REFERENCE,
    run=nonlinear_gap,
    figure=gap_by_training_size,
    headline="gap",
    detects=("xor",),
    silent_on=("noise", "direction", "training_words"),
    switches={"curve": ("gap_by_size", "auc_mlp", "auc_linear")},
)
