"""Additive bus (F5): does the network do the same with an injection that is spread over layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.additivity_experiment import LABELS, SHARED, additivity_experiment
from cortiscope.analyses.additivity_measures import Design, Effects
from cortiscope.analyses.causal import (
    crossed_weights,
    find_conditions,
    label_of_stimuli,
    slope_over_concepts,
)
from cortiscope.analyses.figures.additivity import additivity_by_span
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.codes.direction_fits import Method
from cortiscope.stimulation import Response

REFERENCE = (
    "Directions added to the residual stream (Turner et al. 2023), which pre-norm blocks add to "
    "(Elhage et al. 2021); change beyond what was injected, at N layers against N times as much "
    "at the first and against the sum of its parts; bootstrap over words and concepts (Owen 2007)"
)


_PROJECTION = {"own": "own", "ratio": "own_ratio", "sum": "superposition"}
_BEHAVIOUR = {"own": "behaviour", "ratio": "behaviour_ratio", "sum": "behaviour_superposition"}


def additivity(
    response: Response,
    target: str = "category",
    groups: str = "word",
    *,
    layers: Sequence[int] | None = None,
    most: int = 8,
    doses: Sequence[float] = (0.1, 0.25, 0.5),
    method: Method = "difference_in_means",
    positions: str = "from_target",
    n_words: int | None = 5,
    behaviour: bool = True,
    prompt: str = "{a} is a kind of",
    answers: Mapping[str, Sequence[str]] | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare an injection that is spread over layers with the same at once and with its parts.

    A concept's direction v is added to the residual stream, αv at N consecutive layers or Nαv at
    the first of them. Of the change of the projection on v at the last layer most is the injected
    vector passing through, in an untrained model too. What is left when it is taken away is what
    the network does with the injection; it is what is compared, and the log-odds of the concept's
    name behind a prompt.

    Parameters
    ----------
    response : Response
        What the subject did under what `additivity_experiment` plans, with the same parameters.
    target, groups : str
        Labels that hold categories and words.
    layers : sequence of int, optional
        Layers of first injections, where directions are fitted; the one a third of the way when
        left out.
    most : int
        The largest N, where so many layers are left.
    doses : sequence of float
        α, in natural lengths of the direction: 1 carries the others' mean to the concept's.
    method : {"difference_in_means", "leace", "probe"}
        How directions are fitted, on one half of the words.
    positions : str
        Tokens that are injected, as in `Where`.
    n_words : int or None
        Words of each category, of the other half, that are shown; None for all. Every concept is
        injected into every word.
    behaviour : bool
        Whether the prompt is asked too.
    prompt : str
        Template of the prompt, as in `AnswerLogOdds`.
    answers : mapping of str to sequence of str, optional
        Answers of each category; their names when left out.
    n_bootstrap : int
        Resamples of words and concepts for the 95% intervals.
    seed : int
        Seed of halves, stimuli and resamples.

    Returns
    -------
    Result
        By ``layer`` (of the first injection), ``n_layers`` (N) and ``dose`` (α), as slopes through
        the origin over concepts:
        ``pass_through``, change of the projection when spread against at once, which the addition
        alone makes 1; ``own_ratio``, the same of what the network does; ``superposition``, what
        the network does when spread against the sum of what it does with each of the N parts by
        itself, 1 where it is linear in them; ``behaviour_ratio`` and
        ``behaviour_superposition``, both for the change of the log-odds.
        ``own_difference`` and ``behaviour_difference`` are spread less at once, means over
        concepts in the units of what follows, and hold where what is compared is near zero.
        With ``category`` (the concept): ``own_spread`` and ``own_once``, what the network does, as
        a share of what was injected; ``behaviour_spread`` and ``behaviour_once``, change of the
        log-odds in nats. Their intervals are over words; those of the former over words and
        concepts, as those of the scalars ``mean_...``, means over all places. NaN where too few
        layers are left for an N.

    Raises
    ------
    InputError
        For a response of another experiment or with other parameters; in planning, for layers or
        labels that are not there, doses of 0, and categories of fewer than two words.

    Notes
    -----
    In a linear network ``superposition`` is exactly 1, and ``own_ratio`` need not be: an injection
    that enters late passes through fewer blocks. Where every block adds the same share g of what
    passes it, little g and read behind the last injection, it is 1/2.

    References
    ----------
    Elhage et al. (2021), A mathematical framework for transformer circuits, Transformer Circuits
    Thread. Turner et al. (2023), Activation addition, arXiv:2308.10248. Owen (2007), The
    pigeonhole bootstrap, Annals of Applied Statistics 1, 386-411.

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
    >>> plan = additivity_experiment(recording, stimuli, doses=(0.1,), behaviour=False)
    >>> response = stimulate(subject, plan.stimuli, plan.conditions, plan.readouts)
    >>> result = additivity(response, doses=(0.1,), behaviour=False, n_bootstrap=20)
    >>> abs(float(result.estimates["mean_superposition"]) - 1) < 0.2
    True
    """
    parameters: dict[str, Any] = {
        "target": target,
        "groups": groups,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "most": most,
        "doses": [float(dose) for dose in doses],
        "method": method,
        "positions": positions,
        "n_words": n_words,
        "behaviour": behaviour,
        "prompt": prompt,
        "answers": None if answers is None else {key: list(answers[key]) for key in answers},
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    shared = {name: value for name, value in parameters.items() if name in SHARED}
    table = find_conditions(response, (*LABELS, "injected"), shared, additivity_experiment.__name__)
    design = Design.of(table, response, doses)
    label_of_word = np.unique(label_of_stimuli(response, target), return_inverse=True)[1]
    words, concepts = crossed_weights(
        label_of_word, len(design.concepts), n_bootstrap=n_bootstrap, seed=seed
    )
    projection, answered = [], []
    for at, layer in enumerate(design.layers):
        means = design.means(response.data[f"along_{layer}_scores"].values, words)
        projection.append(design.effects(means, at).per_injected())
        if behaviour:
            log_odds = response.data["answers_log_odds"].values
            answered.append(design.effects(design.means(log_odds, words), at))
    statistics = _statistics(projection, concepts, _PROJECTION)
    statistics |= _pass_through(projection, concepts)
    if behaviour:
        statistics |= _statistics(answered, concepts, _BEHAVIOUR)
    return Result(
        analysis="additivity",
        subject=response.name,
        n={
            "n_words": len(label_of_word),
            "n_concepts": len(design.concepts),
            "n_conditions": len(table),
        },
        parameters=parameters,
        inputs={"response": response.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(
            statistics,
            {
                "layer": design.layers,
                "n_layers": design.spans,
                "dose": parameters["doses"],
                "category": design.concepts,
            },
        ),
    )


def _statistics(
    effects: Sequence[Effects], concepts: NDArray[np.float64], names: Mapping[str, str]
) -> dict[str, Statistic]:
    """Compare what was done when spread with what was done at once and part by part."""
    spread, once, parts = (
        np.stack([getattr(of, name) for of in effects], axis=1)
        for name in ("spread", "once", "parts")
    )
    place = ("layer", "n_layers", "dose")
    found = {
        f"{names['own']}_spread": _with_resamples((*place, "category"), spread),
        f"{names['own']}_once": _with_resamples((*place, "category"), once),
    }
    for name, other in ((names["ratio"], once), (names["sum"], parts)):
        slopes = slope_over_concepts(spread, other, concepts)
        found[name] = _with_resamples(place, slopes, none=1.0)
        found[f"mean_{name}"] = _with_resamples((), _mean_over(slopes), none=1.0)
    w = concepts[:, None, None, None, :] / concepts.shape[1]
    found[f"mean_{names['own']}_once"] = _with_resamples((), _mean_over((w * once).sum(axis=-1)))
    difference = (w * (spread - once)).sum(axis=-1)
    found[f"{names['own']}_difference"] = _with_resamples(place, difference)
    found[f"mean_{names['own']}_difference"] = _with_resamples((), _mean_over(difference))
    return found


def _pass_through(
    effects: Sequence[Effects], concepts: NDArray[np.float64]
) -> dict[str, Statistic]:
    """Compare whole changes of the projection, the injected vector included."""
    spread = np.stack([of.spread + 1.0 for of in effects], axis=1)
    once = np.stack([of.once + 1.0 for of in effects], axis=1)
    slopes = slope_over_concepts(spread, once, concepts)
    return {
        "pass_through": _with_resamples(("layer", "n_layers", "dose"), slopes, none=1.0),
        "mean_pass_through": _with_resamples((), _mean_over(slopes), none=1.0),
    }


def _with_resamples(
    dims: tuple[str, ...], values: NDArray[np.float64], none: float = 0.0
) -> Statistic:
    return Statistic(dims, values[0], resamples=values[1:], none=none)


def _mean_over(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over all places, those left out that have too few layers."""
    return np.asarray(np.nanmean(values.reshape(len(values), -1), axis=1))


INSTRUMENT = Instrument(
    name="additivity",
    summary="Whether the network does the same with an injection that is spread over layers",
    reference=REFERENCE,
    run=additivity,
    figure=additivity_by_span,
    headline="mean_behaviour_superposition",
    reads=("response",),
    experiment=additivity_experiment,
    detects=("stored_twice",),
    silent_on=("read_from_direction", "read_from_units"),
    switches={
        "behaviour": (
            "behaviour_spread",
            "behaviour_once",
            "behaviour_difference",
            "behaviour_ratio",
            "behaviour_superposition",
            "mean_behaviour_difference",
            "mean_behaviour_once",
            "mean_behaviour_ratio",
            "mean_behaviour_superposition",
        )
    },
)
