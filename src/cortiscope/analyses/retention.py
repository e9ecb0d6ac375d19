"""Retention (F8): how well one probe for all categories reads each, against one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from cortiscope.analyses.figures.retention import retention_by_layer
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
    LogisticReader,
    PairedAuc,
    auc_pairs,
    bootstrap_words,
    permute_within_folds,
)

REFERENCE = (
    "Softmax probe against a binary logistic probe of each category (Hastie, Tibshirani & "
    "Friedman 2009, section 4.4), cross-validated over words; paired exchange of their scores "
    "(Bandos, Rockette & Gur 2005); labels of words permuted within folds, probes trained again "
    "(Hope 1968), maximum statistic over layers and categories (Nichols & Holmes 2002)"
)


# To lie above all of 19 permutations is p = 1/20.
_N_REFITS = 19
# Held-out AUCs are then within .001 of those at the minimum of the loss.
_TOLERANCE = 1e-6


def retention(
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
    ratio: bool = True,
    seed: int = 0,
) -> Result:
    """Compare a probe that all categories share with probes of their own.

    The shared probe is one multinomial logistic regression; what it says of a category is that
    category's odds, whose AUC is ``auc_shared``. Each category's own probe is a binary logistic
    regression, category against rest, of AUC ``auc_own``. Both have the same penalty and are
    trained and read on the same words. Retention is (auc_shared - 1/2) / (auc_own - 1/2).

    The harder test is a sentence that holds two concepts. In the stimuli ``two_concepts`` both
    are read from the same activations, those of the second word: ``category`` and ``word`` are
    the second's, ``other_category`` and ``other_word`` the first's. With `cross` set to the label
    of the other concept, each is read by probes that never saw it in that company.

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
    n_permutations : int
        Random exchanges of the two probes' scores.
    n_folds : int
        Folds, stratified by target.
    cross : str, optional
        A label, such as ``frame`` or ``other_category``, whose values are held out as well.
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix, for both probes.
    scale : bool
        Whether each unit is divided by its standard deviation over the training words.
    n_bootstrap : int
        Resamples of words for the 95% intervals.
    ratio : bool
        Whether retention is computed, for which own probes are trained 19 times more, on permuted
        labels, to know where a category is readable at all.
    seed : int
        Seed of folds, permutations, exchanges and resamples.

    Returns
    -------
    Result
        ``auc_shared`` and ``auc_own`` (layer, category), one against the rest, over pairs of
        stimuli that one probe reads; ``mean_loss`` (), auc_own - auc_shared, mean over all layers
        and categories: 0 where nothing is lost.
        ``retention`` (layer, category), NaN where it is not defined; ``mean_retention`` (), its
        mean over the places where it is, NaN where there are none; ``share_defined`` (), the
        share of places where it is: there auc_own lies above ``auc_to_beat`` (), the largest AUC
        of own probes, over all layers and categories, under any of 19 permutations (p = .05,
        corrected by the maximum statistic).
        The null of `mean_loss` exchanges the two probes' scores in random words, the same at all
        layers; nothing is trained again. Intervals: 95%, bootstrap over words of held-out
        predictions of both probes, paired; which places are defined is kept in the resamples.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, a category with fewer words than folds,
        a word in two categories, or activations that are not finite or do not vary.

    Notes
    -----
    *Shared scores.* The log-odds of the softmax probability, not the linear logit: a logit is
    defined only up to what is added to all of them. With the linear scores of a least-squares
    probe there would be nothing to measure: its column for a category is that category's own
    probe, and retention is 1 by algebra.

    *Where it is defined.* Labels of words are permuted within folds and own probes trained again
    on them. Few permutations are as exact as many: only the power of the test is a little less.
    Two shorter ways would be wrong. To leave the scores as they are and permute the labels of
    held-out words overlooks that folds train on each other's words, which doubles the variance of
    the AUC's null. And a least-squares probe in place of the logistic one has much the same null,
    yet a category that a shared probe loses is often one that it loses too: the losses would go
    undefined.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, sections 4.2, 4.4.
    Bandos, Rockette & Gur (2005), Statistics in Medicine 24, 2873-2893.
    Hope (1968), A simplified Monte Carlo significance test procedure, JRSS B 30, 582-598.
    Nichols & Holmes (2002), Human Brain Mapping 15, 1-25.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> category = np.repeat(["a", "b", "c"], 20)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(60)], "category": category})
    >>> x = rng.normal(size=(60, 1, 8))
    >>> x[:, 0, :3] += 3 * (category[:, None] == ["a", "b", "c"])
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> result = retention(recording, n_permutations=99, n_bootstrap=99)
    >>> result.estimates["share_defined"].item()
    1.0
    >>> 0.95 < result.estimates["mean_retention"].item() < 1.05
    True
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
        "ratio": ratio,
        "seed": seed,
    }
    folds = grouped_folds(recording, target, groups, n_folds=n_folds, seed=seed, cross=cross)
    permuted, _ = permute_within_folds(folds.label_of_word, folds.fold_of_word, _N_REFITS, seed)
    exchanges = _exchanges(folds.n_words, n_permutations, seed)
    chosen = chosen_layers(recording, site, layers)

    def measure(layer: int) -> _Layer:
        read = _Probes.of(activations(recording, site, layer), folds, ridge, scale)
        own, shared = read.scores()
        compared = PairedAuc.of(own, shared, folds)
        return _Layer(
            auc=compared.resampled(np.ones((1, folds.n_words)))[:, 0],
            draws=_resampled(compared, folds, n_bootstrap, seed),
            loss_null=compared.exchanged(exchanges).mean(axis=1),
            own_null=read.own_auc(permuted) if ratio else None,
        )

    measured = over_layers(measure, chosen, f"retention {recording.name} {site}")
    n = {
        "n_stimuli": recording.n_stimuli,
        "n_words": folds.n_words,
        "n_categories": folds.n_categories,
        "n_permutations": n_permutations,
    }
    coords: dict[str, list[Any]] = {"layer": chosen, "category": list(folds.categories)}
    return Result(
        analysis="retention",
        subject=recording.name,
        n=n,
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(_statistics(measured), coords, attrs={"chance_auc": 0.5}),
    )


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer's numbers; of two probes, the own one comes first."""

    auc: NDArray[np.float64]  # (probe, category)
    draws: NDArray[np.float64]  # (resample, probe, category)
    loss_null: NDArray[np.float64]  # (exchange,)
    own_null: NDArray[np.float64] | None  # (permutation, category)


@dataclass(frozen=True, eq=False)
class _Probes:
    """Both probes of a layer.

    Stimuli of equal activations are scored once: rounding would break their ties at random.
    """

    folds: Folds
    own: LogisticReader
    shared: LogisticReader
    # Of each cell its held-out stimuli, the first of them of each distinct row, and which
    # distinct row each is.
    rows: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]

    @classmethod
    def of(cls, x: NDArray[np.floating], folds: Folds, ridge: float, scale: bool) -> _Probes:
        own, shared = (
            LogisticReader(x, folds, ridge=ridge, scale=scale, own=own, tolerance=_TOLERANCE)
            for own in (True, False)
        )
        rows = []
        for _, held_out in folds.splits():
            values = [x[i].tobytes() for i in held_out]
            _, first, same_row = np.unique(values, return_index=True, return_inverse=True)
            rows.append((held_out, held_out[first], same_row.astype(np.intp)))
        return cls(folds, own, shared, rows)

    def scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Held-out log-odds (stimulus, category) of own probes, and of the shared one."""
        labels = self.folds.label_of_word[None]
        own, logits = (reader.scores(labels)[0].T for reader in (self.own, self.shared))
        rest = [logsumexp(np.delete(logits, c, axis=1), axis=1) for c in range(logits.shape[1])]
        shared = logits - np.stack(rest, axis=1)
        for held_out, first, same_row in self.rows:
            for scores in (own, shared):
                scores[held_out] = scores[first][same_row]
        return own, shared

    def own_auc(self, labels: NDArray[np.intp]) -> NDArray[np.float64]:
        """AUC (labelling, category) of own probes trained on labels of words (labelling, word)."""
        scores = self.own.scores(labels)
        of_stimulus = labels[:, self.folds.word]
        counts = [
            auc_pairs(scores[:, :, first], of_stimulus[:, held_out], same_row)
            for held_out, first, same_row in self.rows
        ]
        wins, pairs = np.sum(counts, axis=0)
        return np.asarray(wins / pairs, dtype=np.float64)


def _exchanges(n_words: int, n_permutations: int, seed: int) -> NDArray[np.float64]:
    """Draw in which words the probes' scores change places (exchange, word): -1, else 1."""
    if n_permutations < 1:
        msg = f"n_permutations is {n_permutations}: give at least 1."
        raise InputError(msg)
    rng = np.random.default_rng([seed, 3])
    return rng.choice([-1.0, 1.0], size=(n_permutations, n_words))


def _resampled(
    compared: PairedAuc, folds: Folds, n_bootstrap: int, seed: int
) -> NDArray[np.float64]:
    """AUC (resample, probe, category)."""
    return bootstrap_words(
        lambda weights: np.moveaxis(compared.resampled(weights), 1, 0),
        folds.label_of_word,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _statistics(measured: Sequence[_Layer]) -> dict[str, Statistic]:
    own, shared = np.stack([layer.auc for layer in measured], axis=1)
    own_draws, shared_draws = np.stack([layer.draws for layer in measured], axis=2).swapaxes(0, 1)
    dims = ("layer", "category")
    statistics = {
        "auc_shared": Statistic(dims, shared, resamples=shared_draws, none=0.5),
        "auc_own": Statistic(dims, own, resamples=own_draws, none=0.5),
        "mean_loss": Statistic(
            (),
            (own - shared).mean(),
            null=np.mean([layer.loss_null for layer in measured], axis=0),
            resamples=(own_draws - shared_draws).mean(axis=(1, 2)),
        ),
    }
    own_nulls = [layer.own_null for layer in measured if layer.own_null is not None]
    if own_nulls:
        to_beat = np.max(own_nulls)
        defined = own > to_beat
        retained, draws = (
            _ratio(*areas, defined) for areas in ((shared, own), (shared_draws, own_draws))
        )
        statistics |= {
            "auc_to_beat": Statistic((), to_beat, none=0.5),
            "retention": Statistic(dims, retained, resamples=draws, none=1.0),
            "mean_retention": Statistic(
                (), _mean(retained, defined), resamples=_mean(draws, defined), none=1.0
            ),
            "share_defined": Statistic((), defined.mean()),
        }
    return statistics


def _ratio(
    shared: NDArray[np.float64], own: NDArray[np.float64], defined: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Retention (..., layer, category), NaN where it is not defined."""
    return np.divide(shared - 0.5, own - 0.5, where=defined, out=np.full_like(own, np.nan))


def _mean(values: NDArray[np.float64], defined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean (...) over the defined places of values (..., layer, category)."""
    if not defined.any():
        return np.full(values.shape[:-2], np.nan)
    return np.asarray(values[..., defined].mean(axis=-1))


INSTRUMENT = Instrument(
    name="retention",
    summary="Whether one probe for all categories reads each as well as a probe of its own",
    reference=REFERENCE,
    run=retention,
    figure=retention_by_layer,
    headline="mean_loss",
    detects=("overshadowed",),
    silent_on=("noise", "training_words"),
    switches={"ratio": ("auc_to_beat", "retention", "mean_retention", "share_defined")},
)
