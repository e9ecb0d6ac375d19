"""The functional localiser: units that prefer one kind of text, found as language areas are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from cortiscope.analyses.figures.localize import selective_units_by_layer
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.localizer_contrast import Contrast, Convention, n_units_chosen
from cortiscope.analyses.preparation import chosen_layers
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    HeldOut,
    jackknife_draws,
    jackknife_words,
    spearman_brown,
    standardised,
    welch,
)

REFERENCE = (
    "Units of largest Welch t (1947) of sentences against lists of nonwords (Fedorenko et al. "
    "2010; AlKhamissi et al. 2025), chosen on one half of the words and measured on the other "
    "(Kriegeskorte et al. 2009); words permuted within their lists; delete-d jackknife over words "
    "(Shao & Wu 1989)"
)


_LEVEL = 0.05  # of the false discovery rate at which units are counted


def localize(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    positive: str | None = "sentence",
    negative: str | None = "nonwords",
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    convention: Convention = "signed",
    top_share: float = 0.01,
    strata: str | None = "frame",
    n_splits: int = 4,
    by_layer: bool = True,
    n_permutations: int = 1000,
    n_jackknife: int = 1000,
    seed: int = 0,
) -> Result:
    """Find the units that prefer one kind of text over another, in all layers together.

    Made for the stimuli ``localizer``, sentences and lists of nonwords, which find the language
    areas of a brain; any two values of a label can be contrasted. Units are ranked by Welch's t,
    those of all layers in one list, and the largest share is chosen. What they are worth is
    measured on words that had no part in the choice: on those that chose them, the best of many
    units prefer sentences in pure noise as well.

    Sentences differ from nonwords in more than language: in letters, in the number of tokens, in
    how often each token is met. An untrained twin tells how much of a preference that alone gives.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus: ``position="mean"``, over all tokens, or ``"last"``.
    target : str
        Label whose values are contrasted.
    groups : str
        Label of what is sampled; the stimuli of one are averaged. Of sentences each is its own.
    positive, negative : str or None
        The values that are contrasted; units that prefer the first are sought. None stands for
        the first value in alphabetical order, and for all other values.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers from which units are chosen; all that were recorded when left out.
    convention : {"signed", "absolute"}
        Of both there is published code: t of activations as they are, and t of their absolute
        values, which calls a unit selective that sentences drive further from zero either way
        (AlKhamissi et al.).
    top_share : float
        Share of the units that is chosen, above 0 and at most a half; one unit at least.
    strata : str, optional
        Label within whose values words are permuted and halved, such as the list in which stimuli
        were shown together. Where words lie in several of its values it is left out of account.
    n_splits : int
        Splits into halves that all is averaged over.
    by_layer : bool
        Whether layers are measured by themselves too.
    n_permutations : int
        Random permutations of the words within their strata, halves along with them.
    n_jackknife : int
        Subsets of four fifths of the words for the 95% intervals.
    seed : int
        Of splits, permutations and subsets.

    Returns
    -------
    Result
        Of the units chosen from all layers on one half, on the other, both ways and over splits
        averaged: ``chosen_d_prime`` (), mean difference of both kinds in standard deviations (the
        root of the mean of both variances); ``chosen_t`` (), mean Welch t; ``chosen_overlap`` (),
        share that the other half chooses too. ``reliability`` (), Spearman-Brown of the correlation
        of both halves' d' over all units.

        By layer, where asked for: ``held_out_d_prime`` (layer), of each layer's own share of
        units, and ``layer_reliability`` (layer), with their means ``mean_held_out_d_prime`` and
        ``mean_layer_reliability``.

        These have permutation p-values (by layer: corrected over layers), with the choice of
        units made again in each, and, but for the overlap, jackknife intervals.

        Of all words, never to be claimed: ``share_significant`` (layer), share of the units with
        q < .05 (Benjamini-Hochberg over the units of all layers, one-sided), and
        ``mean_share_significant``; ``share_chosen`` (layer), where the chosen ones lie;
        ``chosen_layer``, ``chosen_unit`` and ``circular_t`` (rank), which they are.

    Raises
    ------
    InputError
        For a label, a value or a site that is not there, fewer than eight words of a kind, a word
        of both kinds, a share that is none, and activations that are not finite.

    Notes
    -----
    The words' means of all layers are held at once: 193 MB for 480 stimuli and 28 layers of 3,584
    units.

    References
    ----------
    AlKhamissi, Tuckute, Bosselut & Schrimpf (2025), The LLM language network: a neuroscientific
    approach for identifying causally task-relevant units, NAACL (arXiv 2411.02280).
    Fedorenko, Hsieh, Nieto-Castañón, Whitfield-Gabrieli & Kanwisher (2010), New method for fMRI
    investigations of language, Journal of Neurophysiology 104, 1177-1194.
    Kriegeskorte, Simmons, Bellgowan & Baker (2009), Nature Neuroscience 12, 535-540.
    Welch (1947), Biometrika 34, 28-35.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> texts = pd.DataFrame({"word": range(80), "category": ["sentence", "nonwords"] * 40})
    >>> x = rng.normal(size=(80, 2, 100))
    >>> x[::2, 1, :3] += 2  # three units of layer 1 prefer sentences
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=texts)
    >>> result = localize(recording, n_permutations=99, n_jackknife=99)
    >>> result.estimates["share_significant"].values.round(2).tolist()
    [0.0, 0.03]
    >>> bool(result.estimates["chosen_d_prime"] > 1), result.p_values["chosen_d_prime"].item()
    (True, 0.01)
    """
    parameters = {
        "target": target,
        "groups": groups,
        "positive": positive,
        "negative": negative,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "convention": convention,
        "top_share": top_share,
        "strata": strata,
        "n_splits": n_splits,
        "by_layer": by_layer,
        "n_permutations": n_permutations,
        "n_jackknife": n_jackknife,
        "seed": seed,
    }
    contrast = Contrast.of(
        recording,
        target,
        groups,
        positive,
        negative,
        strata=strata,
        convention=convention,
        n_splits=n_splits,
        seed=seed,
    )
    chosen = chosen_layers(recording, site, layers)
    x, places = contrast.activations(recording, site, chosen)
    n_chosen = n_units_chosen(top_share, x.shape[1])
    words = contrast.words
    order = words.orders(n_permutations, seed)
    kept = jackknife_words(words.kind_and_stratum, n_jackknife=n_jackknife, seed=seed)
    z = standardised(x)
    parts = [
        _measured(values, contrast, places if by_layer else [], top_share, **draws)
        for values, draws in (
            (z, {}),
            (z.astype(np.float32), {"order": order}),
            (z.astype(np.float32), {"kept": kept}),
        )
    ]
    statistics = _statistics(parts, kept) | _of_all_words(x, contrast, places, n_chosen, chosen)
    is_positive = words.is_positive
    return Result(
        analysis="localize",
        subject=recording.name,
        n={
            "n_stimuli": len(contrast.rows),
            "n_words": len(is_positive),
            "n_positive": int(is_positive.sum()),
            "n_units": x.shape[1],
            "n_chosen": n_chosen,
            "n_permutations": n_permutations,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(
            statistics,
            {"layer": chosen, "rank": list(range(n_chosen))},
            attrs={
                "contrast": f"{contrast.positive} > {contrast.negative or 'all others'}",
                "chance_overlap": n_chosen / x.shape[1],
            },
        ),
    )


def _measured(
    z: NDArray[np.floating],
    contrast: Contrast,
    places: Sequence[slice],
    top_share: float,
    **draws: NDArray[Any],
) -> dict[str, NDArray[np.float64]]:
    """Measure all statistics under some draws: (draw,), and by layer (draw, layer)."""
    found: dict[str, list[NDArray[np.float64]]] = {}

    def keep(name: str, values: NDArray[np.float64]) -> None:
        found.setdefault(name, []).append(values)

    for halves in contrast.words.halves(z, **draws):
        whole = HeldOut.of(halves, n_units_chosen(top_share, z.shape[1]))
        keep("chosen_d_prime", whole.d_prime)
        keep("chosen_t", whole.t)
        keep("chosen_overlap", whole.overlap)
        keep("reliability", whole.correlation)
        layers = [
            HeldOut.of(halves.of_units(at), n_units_chosen(top_share, at.stop - at.start))
            for at in places
        ]
        if layers:
            keep("held_out_d_prime", np.stack([of.d_prime for of in layers], axis=1))
            keep("layer_reliability", np.stack([of.correlation for of in layers], axis=1))
    return {name: np.concatenate(values) for name, values in found.items()}


def _statistics(
    parts: Sequence[dict[str, NDArray[np.float64]]], kept: NDArray[np.bool_]
) -> dict[str, Statistic]:
    """Put estimates, null and jackknife together, and add means over layers."""
    statistics = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        for prefix in ("", "mean_")[: values[0].ndim]:
            dims = ("layer",) if values[0].ndim == 2 and not prefix else ()
            of = [part.mean(axis=1) for part in values] if prefix else values
            if name.endswith("reliability"):
                of = [spearman_brown(part) for part in of]
            # The jackknife of a share of ten units reaches beyond 1: it has no interval.
            draws = None if name == "chosen_overlap" else jackknife_draws(of[0][0], of[2], kept)
            statistics[prefix + name] = Statistic(dims, of[0][0], of[1], draws)
    return statistics


def _of_all_words(
    x: NDArray[np.float32],
    contrast: Contrast,
    places: Sequence[slice],
    n_chosen: int,
    layers: Sequence[int],
) -> dict[str, Statistic]:
    """Say which units all words choose, and how many differ beyond chance."""
    found, p_value = welch(x, contrast.words.is_positive)
    is_significant = false_discovery_control(p_value) < _LEVEL
    at = np.argsort(-found.t, kind="stable")[:n_chosen]
    of_unit = np.repeat(np.arange(len(places)), [place.stop - place.start for place in places])
    sizes = np.bincount(of_unit)
    first = np.array([place.start for place in places])
    by_layer = np.bincount(of_unit[is_significant], minlength=len(places)) / sizes
    return {
        "share_significant": Statistic(("layer",), by_layer),
        "mean_share_significant": Statistic((), is_significant.mean()),
        "share_chosen": Statistic(
            ("layer",), np.bincount(of_unit[at], minlength=len(places)) / sizes
        ),
        "chosen_layer": Statistic(("rank",), np.asarray(layers)[of_unit[at]]),
        "chosen_unit": Statistic(("rank",), at - first[of_unit[at]]),
        "circular_t": Statistic(("rank",), found.t[at]),
    }


INSTRUMENT = Instrument(
    name="localize",
    summary="Units that prefer sentences over lists of nonwords, on sentences that chose none",
    reference=REFERENCE,
    run=localize,
    figure=selective_units_by_layer,
    headline="chosen_d_prime",
    detects=("selective_units", "patch"),
    silent_on=("noise", "training_words"),
    switches={
        "by_layer": (
            "held_out_d_prime",
            "mean_held_out_d_prime",
            "layer_reliability",
            "mean_layer_reliability",
        )
    },
)
