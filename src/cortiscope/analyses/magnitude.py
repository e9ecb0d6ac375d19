"""Relative magnitude (F6): whether the stream's size matters, whole and along a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from cortiscope.analyses.causal import crossed_weights, find_conditions, label_of_stimuli
from cortiscope.analyses.figures.magnitude import magnitude_by_factor
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.magnitude_experiment import LABELS, SHARED, magnitude_experiment
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.codes.direction_fits import Method, RandomKind
from cortiscope.errors import InputError
from cortiscope.stimulation import Response

REFERENCE = (
    "Norms behind which only the stream's direction counts, up to their epsilon (Ba, Kiros & "
    "Hinton 2016; Zhang & Sennrich 2019); KL divergence of the output (Kullback & Leibler 1951); "
    "Spearman correlation of log-odds with the factor, against random directions"
)


def magnitude(
    response: Response,
    target: str = "category",
    groups: str = "word",
    *,
    layers: Sequence[int] | None = None,
    factors: Sequence[float] = (0.25, 0.5, 2.0, 4.0),
    along: bool = True,
    along_layers: Sequence[int] | None = None,
    around: Literal["mean", "zero"] = "mean",
    method: Method = "difference_in_means",
    positions: str = "target_last",
    n_random: int = 99,
    random: RandomKind = "covariance",
    n_words: int | None = 8,
    prompt: str = "{a} is a kind of",
    answers: Mapping[str, Sequence[str]] | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Measure what becomes of the output when the residual stream is scaled.

    The whole stream, at every token but a special one in front, before the final norm and after
    inner blocks, from where later blocks go on adding what is not scaled with it. And only the
    component along a concept's direction, which makes the concept weaker or stronger against all
    else that is there: the log-odds of its name, behind a prompt with a word of that concept.

    Parameters
    ----------
    response : Response
        What the subject did under what `magnitude_experiment` plans, with the same parameters.
    target, groups : str
        Labels that hold categories and words.
    layers : sequence of int, optional
        Layers after which the whole stream is scaled; all that were recorded when left out. The
        last is always scaled.
    factors : sequence of float
        By which, above 0.
    along : bool
        Whether single directions are scaled too.
    along_layers : sequence of int, optional
        Layers after which they are, and where they are fitted; the one a third of the way when
        left out.
    around : {"mean", "zero"}
        What their component is scaled around: the mean of the training words, so that a word of
        the concept gets more of what sets it apart; or zero.
    method : {"difference_in_means", "leace", "probe"}
        How directions are fitted, on one half of the words.
    positions : str
        Tokens whose component is scaled, as in `Where`. The default is where directions and their
        mean are fitted; at the tokens after it the stream differs from that mean for reasons that
        are not the word's.
    n_random : int
        Random directions that are scaled as well; more of them give smaller p-values.
    random : {"covariance", "isotropic"}
        How they are drawn.
    n_words : int or None
        Words of each category, of the other half, that are shown; None for all.
    prompt : str
        Template of the prompt, as in `AnswerLogOdds`.
    answers : mapping of str to sequence of str, optional
        Answers of each category; their names when left out.
    n_bootstrap : int
        Resamples of words and concepts for the 95% intervals.
    seed : int
        Seed of halves, stimuli, random directions and resamples.

    Returns
    -------
    Result
        ``kl`` (layer, factor), nats from the clean prediction after the text's last token, and
        ``top1_change`` (layer, factor), share of texts whose likeliest next token is another.
        ``mean_kl_before_norm``, ``max_kl_before_norm`` (over factors) and
        ``mean_top1_change_before_norm``, where the last layer is scaled; ``mean_kl_inner`` and
        ``mean_top1_change_inner``, over the other layers.
        ``epsilon_share`` (), ε of the final norm as a share of the variance that it divides by,
        and ``norm_bound`` (factor), the share by which what leaves the norm changes at most over
        the texts shown; NaN where the stream goes through no norm at first.
        ``log_odds`` (along_layer, category, along_factor), mean over the concept's own words, the
        clean subject at factor 1; ``rho`` (along_layer, category), its Spearman correlation with
        the factor, 0 where it does not change, and ``slope``, nats for every doubling of the
        factor; ``mean_rho`` and ``mean_slope``, over layers and concepts. P-values of these are
        against random directions, corrected over layers and concepts by the maximum statistic.
        Intervals are over words, those of ``mean_rho`` and ``mean_slope`` over words and concepts.

    Raises
    ------
    InputError
        For a response of another experiment or with other parameters; in planning, for layers or
        labels that are not there, factors of 1 or below 0, and categories of fewer than two words;
        in stimulating, where the last recorded layer is not the subject's last.

    Notes
    -----
    A norm divides by the root of variance + ε. With s = ε / variance, scaling its input by f scales
    its output by sqrt((1 + s) / (1 + s / f²)); ``norm_bound`` is how far that is from 1 in the text
    where s is largest. The stream of an untrained model is small, and ε not small beside it.

    References
    ----------
    Ba, Kiros & Hinton (2016), Layer normalization, arXiv:1607.06450. Zhang & Sennrich (2019), Root
    mean square layer normalization, NeurIPS. Kullback & Leibler (1951), On information and
    sufficiency, Annals of Mathematical Statistics 22, 79-86.

    Examples
    --------
    >>> import tempfile
    >>> from cortiscope.scanning import scan
    >>> from cortiscope.stimulation import stimulate
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> subject = Subject.load("specimen:qwen2")
    >>> words = {"animal": ["dog", "horse"], "tool": ["axe", "saw"]}
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> recording = scan(subject, stimuli, "resid_post", out=tempfile.mkdtemp())
    >>> plan = magnitude_experiment(recording, stimuli, along=False)
    >>> response = stimulate(subject, plan.stimuli, plan.conditions, plan.readouts)
    >>> result = magnitude(response, along=False, n_bootstrap=20)
    >>> result.estimates["max_kl_before_norm"].item() < 1e-6 < 0.01 < result.estimates[
    ...     "mean_kl_inner"
    ... ].item()
    True
    """
    parameters: dict[str, Any] = {
        "target": target,
        "groups": groups,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "factors": [float(factor) for factor in factors],
        "along": along,
        "along_layers": None if along_layers is None else [int(at) for at in along_layers],
        "around": around,
        "method": method,
        "positions": positions,
        "n_random": n_random,
        "random": random,
        "n_words": n_words,
        "prompt": prompt,
        "answers": None if answers is None else {key: list(answers[key]) for key in answers},
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    shared = {name: value for name, value in parameters.items() if name in SHARED}
    table = find_conditions(response, LABELS, shared, magnitude_experiment.__name__)
    categories, label_of_word = np.unique(label_of_stimuli(response, target), return_inverse=True)
    words, concepts = crossed_weights(
        label_of_word, len(categories), n_bootstrap=n_bootstrap, seed=seed
    )
    ascending = sorted(map(float, factors))
    found = _Found.of(table, ascending, list(categories), n_random)
    statistics = _of_whole(response, found, words, ascending)
    if along:
        statistics |= _of_directions(response, found, words, concepts, label_of_word)
    return Result(
        analysis="magnitude",
        subject=response.name,
        n={
            "n_words": len(label_of_word),
            "n_concepts": len(categories),
            "n_random": n_random if along else 0,
            "n_conditions": len(table),
        },
        parameters=parameters,
        inputs={"response": response.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(
            statistics,
            {
                "layer": found.layers,
                "factor": ascending,
                "along_layer": found.along_layers,
                "along_factor": found.with_clean,
                "category": [str(name) for name in categories],
            },
        ),
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """Which conditions are compared.

    Attributes
    ----------
    layers, along_layers : list of int
        Where the whole stream is scaled, the last layer last; and single directions.
    with_clean : list of float
        Factors, ascending, with 1 for the clean subject.
    clean : int
        The clean condition.
    whole : ndarray of int, shape (n_layers, n_factors)
        Conditions, by factor ascending.
    along : ndarray of int, shape (n_along_layers, n_categories, n_factors + 1)
        The clean condition among them.
    random : ndarray of int, shape (n_along_layers, n_random, n_factors + 1)
        The same for random directions.
    """

    layers: list[int]
    along_layers: list[int]
    with_clean: list[float]
    clean: int
    whole: NDArray[np.intp]
    along: NDArray[np.intp]
    random: NDArray[np.intp]

    @classmethod
    def of(
        cls, table: pd.DataFrame, factors: list[float], categories: list[str], n_random: int
    ) -> _Found:
        """Find the conditions by their labels."""
        place = {tuple(row): at for at, row in enumerate(table[list(LABELS)].values.tolist())}
        clean = int(np.flatnonzero(table["kind"] == "clean")[0])
        layers = sorted(set(table["scaled_layer"][table["kind"] == "whole"].tolist()))
        along_layers = sorted(set(table["scaled_layer"][table["kind"] == "along"].tolist()))
        with_clean = sorted([*factors, 1.0])

        def at(kind: str, layer: int, factor: float, concept: str = "", draw: int = -1) -> int:
            if factor == 1.0:
                return clean
            found = place.get((kind, layer, factor, concept, draw))
            if found is None:
                raise InputError(
                    f"the response lacks the scaling by {factor:g} at layer {layer} ({kind} "
                    f"{concept}): stimulate with all that magnitude_experiment plans."
                )
            return found

        return cls(
            layers,
            along_layers,
            with_clean,
            clean,
            np.array([[at("whole", of, f) for f in factors] for of in layers], dtype=np.intp),
            np.array(
                [
                    [[at("along", of, f, concept=c) for f in with_clean] for c in categories]
                    for of in along_layers
                ],
                dtype=np.intp,
            ),
            np.array(
                [
                    [[at("random", of, f, draw=d) for f in with_clean] for d in range(n_random)]
                    for of in along_layers
                ],
                dtype=np.intp,
            ),
        )


def _of_whole(
    response: Response, found: _Found, words: NDArray[np.float64], factors: Sequence[float]
) -> dict[str, Statistic]:
    """Average what scaling the whole stream does to the prediction, over words."""
    statistics: dict[str, Statistic] = {}
    for name in ("kl", "top1_change"):
        values = response.data[name].values[found.whole]  # layer, factor, stimulus
        means = np.moveaxis(values @ words.T, -1, 0) / words.sum(axis=1)[:, None, None]
        statistics[name] = _with_resamples(("layer", "factor"), means)
        statistics[f"mean_{name}_before_norm"] = _with_resamples((), means[:, -1].mean(axis=1))
        if name == "kl":
            statistics["max_kl_before_norm"] = _with_resamples((), means[:, -1].max(axis=1))
        if len(found.layers) > 1:
            inner = means[:, :-1].mean(axis=(1, 2))
            statistics[f"mean_{name}_inner"] = _with_resamples((), inner)
    share = response.data["epsilon_share"].values[found.clean].astype(np.float64)
    statistics["epsilon_share"] = _with_resamples((), words @ share / words.sum(axis=1))
    squares = np.square(np.array(factors))[:, None]
    change = np.abs(np.sqrt((1.0 + share) / (1.0 + share / squares)) - 1.0)
    statistics["norm_bound"] = Statistic(("factor",), change.max(axis=1))
    return statistics


def _of_directions(
    response: Response,
    found: _Found,
    words: NDArray[np.float64],
    concepts: NDArray[np.float64],
    label_of_word: NDArray[np.intp],
) -> dict[str, Statistic]:
    """Relate the log-odds of each concept in its own words to the factor."""
    log_odds = response.data["answers_log_odds"].values
    n_categories = concepts.shape[1]
    own, drawn = [], []
    for category in range(n_categories):
        is_own = label_of_word == category
        of_own = words[:, is_own]
        means = of_own @ log_odds[:, is_own, category].T / of_own.sum(axis=1, keepdims=True)
        own.append(means[:, found.along[:, category]])
        drawn.append(np.moveaxis(means[0][found.random], 1, 0))
    by_factor = np.stack(own, axis=2)  # weighting, layer, category, factor
    random = np.stack(drawn, axis=2)  # draw, layer, category, factor
    place = ("along_layer", "category")
    statistics = {"log_odds": _with_resamples((*place, "along_factor"), by_factor)}
    doublings = np.log2(found.with_clean)
    for name, measure in (("rho", _spearman), ("slope", _slope)):
        values, null = measure(by_factor, doublings), measure(random, doublings)
        statistics[name] = _with_resamples(place, values, null=null)
        pooled = (values * concepts[:, None, :]).sum(axis=2) / concepts.sum(axis=1)[:, None]
        statistics[f"mean_{name}"] = _with_resamples(
            (), pooled.mean(axis=1), null=null.mean(axis=(1, 2))
        )
    return statistics


def _spearman(values: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate the ranks of values (..., n) with those of x; 0 where all are equal."""
    ranks = rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2
    wanted = rankdata(x) - (len(x) + 1) / 2
    norms = np.sqrt((ranks**2).sum(axis=-1) * (wanted**2).sum())
    return np.asarray(ranks @ wanted / np.where(norms > 0, norms, 1.0))


def _slope(values: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit a line to values (..., n) over x, by least squares."""
    centred = x - x.mean()
    return np.asarray(values @ centred / (centred**2).sum())


def _with_resamples(
    dims: tuple[str, ...], values: NDArray[np.float64], null: NDArray[np.float64] | None = None
) -> Statistic:
    return Statistic(dims, values[0], null=null, resamples=values[1:])


# With so many random directions a p-value can be half of .05.
_FEW_RANDOM = 39

_ALONG = ("log_odds", "rho", "slope", "mean_rho", "mean_slope")


def _lighter(variable: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Scale no more inner layers than a variable is about, and fewer random directions."""
    light: dict[str, Any] = {"n_random": min(parameters["n_random"], _FEW_RANDOM)}
    if variable in _ALONG or variable.endswith("before_norm"):
        light["layers"] = []
    return light


INSTRUMENT = Instrument(
    name="magnitude",
    summary="What becomes of the output when the stream is scaled, whole or along a direction",
    reference=REFERENCE,
    null_is="random directions",
    run=magnitude,
    figure=magnitude_by_factor,
    headline="mean_rho",
    reads=("response",),
    experiment=magnitude_experiment,
    detects=("read_from_direction", "read_from_units"),
    silent_on=("present_not_read",),
    switches={"along": _ALONG},
    lighter=_lighter,
    against_random={name: (name,) for name in ("mean_rho", "mean_slope")},
)
