"""Steerability against dimension (F14): do concepts of few dimensions steer better than others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cortiscope.analyses.causal import crossed_weights, find_conditions
from cortiscope.analyses.figures.steerability import steering_and_dimension
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.lesion_statistics import Choices
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.analyses.steerability_correlations import (
    ALPHA,
    CORRELATIONS,
    POWER,
    correlation_statistics,
)
from cortiscope.analyses.steerability_experiment import (
    DIMENSIONS,
    LABELS,
    RANDOM_KINDS,
    SHARED,
    signed_doses,
    steerability_experiment,
)
from cortiscope.analyses.steerability_measures import Array, Injected, Steered, Words
from cortiscope.codes.direction_fits import Method
from cortiscope.errors import InputError
from cortiscope.statistics import Null, permute_few
from cortiscope.stimulation import Response

REFERENCE = (
    "Directions added to the residual stream (Turner et al. 2023; Rimsky et al. 2024) against "
    "random ones of the same length; correlation over concepts with the area under the curve of "
    "iterative nullspace projection (Ravfogel et al. 2020) and with the participation ratio; "
    "jackknife over concepts (Hinkley 1978), concepts permuted (Good 2005)"
)


# With so many a p-value of concepts that are exchanged one by one can still be small.
_FEW_DRAWS = 5

_AGAINST_RANDOM = ("mean_steerability", "mean_steerability_isotropic")

_COVARIANCE, _ISOTROPIC = (RANDOM_KINDS.index(kind) for kind in ("covariance", "isotropic"))


def steerability(
    response: Response,
    target: str = "category",
    groups: str = "word",
    *,
    layers: Sequence[int] | None = None,
    doses: Sequence[float] = (0.125, 0.25, 0.5, 1.0),
    bound: float | None = 1.25,
    method: Method = "difference_in_means",
    positions: str = "from_target",
    n_draws: int = 10,
    n_words: int | None = 5,
    dimensions: bool = True,
    n_directions: int = 100,
    prompt: str = "{a} is a kind of",
    answers: Mapping[str, Sequence[str]] | None = None,
    n_passages: int = 2,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Measure how far a concept's direction steers, and whether that goes with its dimension.

    Every concept's direction is added to the residual stream from the target on, in words of the
    other concepts, and the log-odds of the concept's name behind a prompt are read. All
    directions, random ones too, are equally long at equal dose.

    Parameters
    ----------
    response : Response
        What the subject did under what `steerability_experiment` plans, with the same parameters.
    target, groups : str
        Labels that hold concepts and words.
    layers : sequence of int, optional
        Layers at which directions are fitted and added, each by itself; the middle one of those
        recorded when left out.
    doses : sequence of float
        Positive; every direction is also turned round. A dose of 1 is as long as concepts' means
        are apart from the others' along their directions, on average over concepts.
    bound : float or None
        How many times the clean perplexity of the neutral text, in which all tokens are steered,
        may become. Slopes are over the doses up to the largest at which no concept exceeds it:
        the same doses for all. None takes all doses, as for phantoms, which know no language.
    method : {"difference_in_means", "leace", "probe"}
        How directions are fitted, on one half of the words.
    positions : str
        Tokens that are steered, as in `Where`.
    n_draws : int
        Random directions of each kind, each given both ways.
    n_words : int or None
        Words of each concept, of the other half, that are shown; None for all.
    dimensions : bool
        Whether the concepts' dimensions are measured, and correlated with.
    n_directions : int
        Directions that are taken out at most for the area under F7's curve: enough for it to end
        before, since areas of curves that are cut off are all alike.
    prompt : str
        Template of the prompt, as in `AnswerLogOdds`.
    answers : mapping of str to sequence of str, optional
        Answers of each concept; their names when left out.
    n_passages : int
        Passages of the neutral text.
    n_permutations : int
        Permutations of the concepts against their dimensions, and times that random directions
        stand for the concepts' own. Where all permutations are no more they are all taken, equally
        often, so that the p-value is exact.
    n_bootstrap : int
        Resamples for the 95% intervals.
    seed : int
        Seed of halves, stimuli, random directions, permutations and resamples.

    Returns
    -------
    Result
        Over ``layer`` and ``category`` (the concept), in nats a dose:
        ``steerability``, the slope of the change of its log-odds over dose, less the mean slope of
        random directions with the covariance of the training words; ``steerability_isotropic``,
        less that of isotropic ones; ``steerability_flipped``, of the direction turned round, less
        random ones: minus the steerability where the axis matters, and the same where any push
        along it does; ``slope`` and ``random_slope`` (layer, random, category), the parts.
        ``change`` (layer, signed_dose, category) of the log-odds; ``random_low`` and
        ``random_high`` (layer, dose, category), between which 95% of random directions of the
        covariance lie; ``perplexity_ratio`` (layer, signed_dose, category) and
        ``random_perplexity_ratio`` (layer, random, dose) to the clean one; ``admitted``
        (layer, dose), 1 for doses that slopes are over; ``dose_length`` (layer), in units of the
        activations.
        With `dimensions`: ``rank_area``, that of `concept_rank`, and ``participation_ratio``, that
        of `dimensionality`, both (layer, category).

        Scalars: ``mean_steerability``, ``mean_steerability_isotropic``,
        ``mean_steerability_flipped``, over layers and concepts; with `dimensions` the correlations
        over concepts of the steerability, Pearson's with the rank area ``correlation`` and with
        the participation ratio ``correlation_participation``, Spearman's ``spearman`` and
        ``spearman_participation``, each the mean over layers. Concepts whose area is 0, which no
        probe reads, or whose ratio is not defined are left out of them; they are NaN for fewer
        than four concepts, or a dimension that is the same for all.
        ``smallest_detectable_correlation``: what a two-sided test at .05 of as many concepts as
        `correlation` is over finds with a power of .8; smaller ones are there to be missed.

        Intervals: 95%; by concept over words; of the means over words and concepts; of
        correlations over concepts (jackknife). P-values: of steerabilities against random
        directions that stand for the concepts' own, one-sided; of correlations two-sided, concepts
        permuted.

    Raises
    ------
    InputError
        For a response of another experiment or with other parameters; a bound of 1 or less, or
        one that the smallest dose exceeds; in planning, for layers or labels that are not there,
        doses that are not positive, and categories of fewer words than folds (five with
        `dimensions`, else two).

    References
    ----------
    Turner et al. (2023), Activation addition, arXiv:2308.10248. Rimsky et al. (2024), Steering
    Llama 2 via contrastive activation addition, ACL. Ravfogel et al. (2020), Null it out, ACL.
    Hinkley (1978), Improving the jackknife with special reference to correlation estimation,
    Biometrika 65, 13-21. Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses,
    chapter 6. Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1, 386-411.

    Examples
    --------
    >>> import tempfile
    >>> from cortiscope.scanning import scan
    >>> from cortiscope.stimulation import stimulate
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> subject = Subject.load("specimen:qwen2")
    >>> words = {
    ...     "animal": ["dog", "horse", "cow", "cat"],
    ...     "colour": ["red", "blue", "green", "pink"],
    ...     "tool": ["axe", "saw", "drill", "rake"],
    ... }
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> recording = scan(subject, stimuli, "resid_post", out=tempfile.mkdtemp())
    >>> few = {"doses": (0.25,), "n_draws": 2, "n_passages": 1, "dimensions": False}
    >>> plan = steerability_experiment(recording, stimuli, **few)
    >>> response = stimulate(subject, plan.stimuli, plan.conditions, plan.readouts)
    >>> result = steerability(response, **few, n_permutations=20, n_bootstrap=20)
    >>> float(result.estimates["mean_steerability"]) > 0
    True
    """
    parameters = {
        "target": target,
        "groups": groups,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "doses": [float(dose) for dose in doses],
        "bound": None if bound is None else float(bound),
        "method": method,
        "positions": positions,
        "n_draws": n_draws,
        "n_words": n_words,
        "dimensions": dimensions,
        "n_directions": n_directions,
        "prompt": prompt,
        "answers": None if answers is None else {key: list(answers[key]) for key in answers},
        "n_passages": n_passages,
        "n_permutations": n_permutations,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    if bound is not None and not bound > 1:
        raise InputError(f"bound is {bound}: give a multiple of the clean perplexity above 1.")
    shared = {name: value for name, value in parameters.items() if name in SHARED}
    labels = (*LABELS, *(DIMENSIONS if dimensions else ()))
    table = find_conditions(response, labels, shared, steerability_experiment.__name__)
    data = response.data
    words = Words.of(response, target)
    weights, concepts = crossed_weights(
        words.label, len(words.concepts), n_bootstrap=n_bootstrap, seed=seed
    )
    injected = Injected.of(table, words.concepts, doses, n_draws)
    log_odds = _finite(data, "answers_log_odds")
    perplexity = data["perplexity"].values.astype(np.float64)
    clean = int(np.flatnonzero(table["kind"] == "clean")[0])
    positive = np.sort(np.asarray(parameters["doses"], dtype=np.float64))
    admitted = [of.admitted(perplexity, perplexity[clean], bound) for of in injected]
    steered = [
        Steered.of(log_odds - log_odds[clean], of, positive, kept, words, weights)
        for of, kept in zip(injected, admitted, strict=True)
    ]
    orders = permute_few(len(words.concepts), n_permutations, seed)
    choices = Choices.draw(len(orders), 2 * n_draws, len(words.concepts), seed)
    statistics = {
        **_described(injected, steered, admitted, perplexity / perplexity[clean]),
        **_steerabilities(steered, choices, concepts),
    }
    if dimensions:
        measured = {name: np.stack([of.dimensions[name] for of in injected]) for name in DIMENSIONS}
        steers = np.asarray(statistics["steerability"].estimate)
        statistics |= correlation_statistics(steers, measured, orders, n_bootstrap)
    laid_out = datasets(
        statistics,
        {
            "layer": [of.layer for of in injected],
            "category": list(words.concepts),
            "dose": positive.tolist(),
            "signed_dose": signed_doses(doses),
            "random": list(RANDOM_KINDS),
        },
        attrs={"power": POWER, "alpha": ALPHA},
    )
    for name in (name for both in CORRELATIONS.values() for name in both):
        if name in statistics:  # large and small values speak against no correlation
            two_sided = Null(np.abs(laid_out["null"][name].values))
            value = two_sided.p_value(abs(float(laid_out["estimates"][name])))
            laid_out["p_values"][name] = ((), value)
    return Result(
        analysis="steerability",
        subject=response.name,
        n={
            "n_words": len(words.label),
            "n_concepts": len(words.concepts),
            "n_draws": n_draws,
            "n_conditions": len(table),
            "n_permutations": len(orders),
        },
        parameters=parameters,
        inputs={"response": response.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **laid_out,
    )


def _finite(data: Any, name: str) -> Array:
    values = np.asarray(data[name].transpose("condition", ...).values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{name} is not finite everywhere: load the subject in float32.")
    return values


def _described(
    injected: Sequence[Injected],
    steered: Sequence[Steered],
    admitted: Sequence[Any],
    perplexity_ratio: Array,
) -> dict[str, Statistic]:
    """Lay out what was measured, as it is."""
    n = injected[0].own.shape[0] // 2
    change = np.stack([of.change for of in steered], axis=1)
    slope = np.stack([of.slope for of in steered], axis=1)
    random = np.stack([of.random_slope.mean(axis=2) for of in steered], axis=1)
    drawn_change = np.stack([of.random_change[_COVARIANCE] for of in steered])
    band = np.quantile(drawn_change, [0.025, 0.975], axis=2)
    own = np.stack([perplexity_ratio[of.own] for of in injected])
    # Random directions have no way round of their own: both are averaged.
    drawn = np.stack([perplexity_ratio[of.random].mean(axis=-1) for of in injected])
    both_ways = (drawn[:, :, n:] + drawn[:, :, :n][:, :, ::-1]) / 2
    by_concept = ("layer", "category")
    return {
        "change": _with_resamples(("layer", "signed_dose", "category"), change),
        "slope": _with_resamples(by_concept, slope),
        "random_slope": _with_resamples(("layer", "random", "category"), random),
        "random_low": Statistic(("layer", "dose", "category"), band[0]),
        "random_high": Statistic(("layer", "dose", "category"), band[1]),
        "perplexity_ratio": Statistic(("layer", "signed_dose", "category"), own, none=1.0),
        "random_perplexity_ratio": Statistic(("layer", "random", "dose"), both_ways, none=1.0),
        "admitted": Statistic(("layer", "dose"), np.stack(admitted).astype(np.float64)),
        "dose_length": Statistic(("layer",), np.array([of.length for of in injected])),
    }


def _steerabilities(
    steered: Sequence[Steered], choices: Choices, concepts: Array
) -> dict[str, Statistic]:
    """Take the mean slope of random directions from that of the concepts' own."""
    found = {}
    share = concepts / concepts.sum(axis=1, keepdims=True)
    for name, slope, kind in (
        ("steerability", "slope", _COVARIANCE),
        ("steerability_isotropic", "slope", _ISOTROPIC),
        ("steerability_flipped", "flipped", _COVARIANCE),
    ):
        real: Array = np.stack([getattr(of, slope) for of in steered], axis=1)
        draws = np.stack([of.random_slope[:, kind] for of in steered], axis=2)
        values = real - draws.mean(axis=1)
        # Where a random direction stands for the concept's own, that is one of the others.
        chosen = choices.null(real[0], draws[0])
        null = chosen - (real[0] + draws[0].sum(axis=0) - chosen) / draws.shape[1]
        found[name] = Statistic(("layer", "category"), values[0], null, values[1:])
        means = (values * share[:, None]).sum(axis=-1).mean(axis=1)
        found[f"mean_{name}"] = Statistic((), means[0], null.mean(axis=(1, 2)), means[1:])
    return found


def _with_resamples(dims: tuple[str, ...], values: Array) -> Statistic:
    return Statistic(dims, values[0], resamples=values[1:])


INSTRUMENT = Instrument(
    name="steerability",
    summary="How far each concept's direction steers, and whether that goes with its dimension",
    reference=REFERENCE,
    null_is="random directions, or permuted concepts",
    run=steerability,
    figure=steering_and_dimension,
    headline="mean_steerability",
    reads=("response",),
    experiment=steerability_experiment,
    detects=("read_from_direction", "read_from_units", "stored_twice"),
    silent_on=("present_not_read",),
    switches={
        "dimensions": (
            "rank_area",
            "participation_ratio",
            "correlation",
            "correlation_participation",
            "spearman",
            "spearman_participation",
            "smallest_detectable_correlation",
        )
    },
    lighter=lambda _, parameters: {"n_draws": min(parameters["n_draws"], _FEW_DRAWS)},
    against_random=dict.fromkeys(_AGAINST_RANDOM, _AGAINST_RANDOM),
)
