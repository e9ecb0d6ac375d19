"""Direction against region (F3): what is lost with one direction, and with how many units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import xarray as xr

from cortiscope.analyses.causal import find_conditions, label_of_stimuli
from cortiscope.analyses.figures.lesion import lost_by_number_of_units
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.lesion_experiment import (
    METHODS,
    RANDOM_KINDS,
    Recipe,
    lesion_experiment,
)
from cortiscope.analyses.lesion_measures import (
    LABELS,
    Change,
    Lesions,
    auc_change,
    find_lesions,
    log_odds_change,
    loss_change,
)
from cortiscope.analyses.lesion_statistics import Choices, statistics_of_readout
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.codes.direction_fits import Method
from cortiscope.errors import InputError
from cortiscope.statistics import Folds, bootstrap_words
from cortiscope.stimulation import Response

REFERENCE = (
    "Mean or zero lesions (ablations) of the most selective units, of one direction (Arditi et al. "
    "2024; Belrose et al. 2023) and of random units and directions; change of the area under the "
    "ROC curve of a probe of held-out words, and of the log-odds of their category's name; words "
    "resampled; a concept's lesion exchanged with random ones (Good 2005)"
)


# With so many a p-value of concepts that are exchanged one by one can still be small.
_FEW_DRAWS = 10


def lesion(
    response: Response,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    onward: bool = False,
    replace: Literal["mean", "zero"] = "mean",
    positions: str = "from_target",
    directions: Sequence[Method] = METHODS,
    n_units: int = 20,
    sizes: Sequence[int] | None = None,
    absolute: bool = True,
    n_draws: int = 100,
    n_folds: int = 3,
    ridge: float = 0.01,
    prompt: str = "{a} is a kind of",
    answers: Mapping[str, Sequence[str]] | None = None,
    n_passages: int = 16,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare what is lost with one direction of a concept with what is lost with units.

    Units are chosen, directions fitted and the probe trained on training words; all is read from
    words that had no part in it. A lesion acts from the target's last token on. Three things are
    read: a probe of the last layer; the name of the category that the subject goes on with after a
    prompt; and neutral text, in which every token is lesioned, so that what language loses is an
    upper bound. Only the second shows that the subject itself makes use of what was lesioned: what
    a layer holds reaches the last one, and its probe, whether anything reads it or not.

    Parameters
    ----------
    response : Response
        Of the experiment that `lesion_experiment` plans with the same parameters.
    target : str
        Label whose values are the concepts.
    groups : str
        Label whose values are training or held out as a whole.
    site : str
        Site of the lesions.
    layers : sequence of int, optional
        Layers that are lesioned, each by itself; the middle one of those recorded by default.
    onward : bool
        Whether a lesion of a layer is one of all layers after it too, of each one's own units and
        directions; otherwise later layers may make good what an earlier one lost.
    replace : {"mean", "zero"}
        What comes in place of what is lesioned: the mean over the training words, or 0.
    positions : str
        Tokens at which lesions act, as `cortiscope.stimulation.Where` has them.
    directions : sequence of {"difference_in_means", "leace", "probe"}
        Directions that are lesioned: the difference in means; LEACE, which reads along one
        direction and takes out along another; the weights of a ridge probe. Scalars are of the
        first.
    n_units : int
        Number of units that scalars are of.
    sizes : sequence of int, optional
        Further numbers of units; by default one, the geometric mean of `n_units` and all. All are
        always lesioned too.
    absolute : bool
        Whether units that a category silences are selective as those that it excites are.
    n_draws : int
        Random draws of units of each number, and of directions of each kind.
    n_folds : int
        Folds of the words, stratified by target: one is held out and the others train.
    ridge : float
        Of the probes, as in `cortiscope.codes.fit_probe`.
    prompt : str
        Before the name of the category, as `cortiscope.stimulation.readouts.AnswerLogOdds` has it.
    answers : mapping of str to sequence of str, optional
        Names of each category that count; the categories themselves by default.
    n_passages : int
        Passages of the neutral text, of each of which 24 words are read.
    n_permutations : int
        Times that random lesions stand for the concepts' own.
    n_bootstrap : int
        Resamples of the words (of passages, for language) for the 95% intervals.
    seed : int
        Seed of folds, draws, permutations and resamples.

    Returns
    -------
    Result
        Of the probe, changes are those of the AUC of each category, clean minus lesioned; all
        begins with ``behaviour_`` where the change is that of the log-odds of the right name, in
        nats, and with ``language_`` where it is the rise of the log perplexity, in nats a token
        (without what needs concepts). Always positive is worse.
        ``change_by_direction`` (layer, direction, category) and ``change_by_units`` (layer,
        n_lesioned, category), in the concept that was lesioned; ``others_by_direction`` and
        ``others_by_units``, mean over the other concepts; ``change_by_random_units`` (layer,
        n_lesioned, category) and ``change_by_random_direction`` (layer, random, category), means
        over draws, which are isotropic, or drawn with the covariance of the training words;
        ``units_equal`` (layer, direction), how many units do what the direction does (0 where it
        does nothing, all where all do less); ``mean_change_by_direction`` (direction) and
        ``mean_change_by_units`` (n_lesioned), over layers and categories; ``clean_auc`` and
        ``clean_log_odds`` (category).
        Scalars are means over layers and categories, of the first direction and of `n_units` units:
        ``direction_effect``, ``units_effect``; ``direction_minus_random`` (of the covariance of
        the activations), ``direction_minus_isotropic`` and ``units_minus_random``, less the mean
        over draws; ``direction_minus_shift``, less that of shifts along random directions (of the
        covariance) as long as the lesion moves a concept's own stimuli, which random lesions do
        not; ``direction_minus_units``; ``specificity`` and ``units_specificity``, less the
        other concepts; and ``n_units_equal``.
        Intervals: 95%, bootstrap over held-out words, clean and lesioned together; random draws
        stay as they are. Between the sizes lesioned, numbers of units are read off a straight line,
        of which the interval does not know: more sizes make them sharper. P-values are against
        random lesions of as many units, or directions of the covariance (``…_isotropic``:
        isotropic): each concept's own lesion is exchanged with a random one, independently in each
        category, and words are drawn as for the intervals. ``estimates.attrs["answer"]`` says the
        result in a sentence.

    Raises
    ------
    InputError
        For a response of another experiment, or of other parameters; labels that it lacks; and
        readings that are not finite.

    References
    ----------
    Arditi et al. (2024), Refusal in language models is mediated by a single direction, NeurIPS.
    Belrose et al. (2023), LEACE: Perfect linear concept erasure in closed form, NeurIPS.
    Good (2005), Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 6.
    Morcos et al. (2018), On the importance of single directions for generalization, ICLR.

    Examples
    --------
    >>> import tempfile
    >>> from cortiscope.phantoms import MODEL_PHANTOMS
    >>> from cortiscope.scanning import scan
    >>> from cortiscope.stimulation import stimulate
    >>> from cortiscope.stimuli import StimulusSet
    >>> words = {
    ...     "animal": ["cat", "dog", "horse", "otter", "robin", "seal"],
    ...     "tool": ["axe", "saw", "hammer", "drill", "file", "rasp"],
    ... }
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> subject = MODEL_PHANTOMS["read_from_direction"].make(stimuli, n_units=64)
    >>> recording = scan(subject, stimuli, ["resid_post"], out=f"{tempfile.mkdtemp()}/s.zarr")
    >>> setting = {"layers": [1], "n_units": 4, "n_draws": 19, "n_passages": 2}
    >>> plan = lesion_experiment(recording, stimuli, **setting)
    >>> response = stimulate(subject, plan.stimuli, plan.conditions, plan.readouts)
    >>> result = lesion(response, **setting)
    >>> result.estimates["n_lesioned"].values.tolist()
    [4, 16, 64]
    >>> bool(result.estimates["behaviour_direction_minus_shift"] > 2)  # in nats
    True
    >>> bool(result.p_values["behaviour_direction_minus_shift"] < 0.05)
    True
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "onward": onward,
        "replace": replace,
        "positions": positions,
        "directions": list(directions),
        "n_units": n_units,
        "sizes": None if sizes is None else [int(size) for size in sizes],
        "absolute": absolute,
        "n_draws": n_draws,
        "n_folds": n_folds,
        "ridge": ridge,
        "prompt": prompt,
        "answers": None if answers is None else {k: list(v) for k, v in answers.items()},
        "n_passages": n_passages,
        "n_permutations": n_permutations,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    recipe = Recipe.of(parameters)
    data = response.data
    conditions = find_conditions(response, LABELS, asdict(recipe), "lesion_experiment")
    folds = _words(response, target, groups)
    found = find_lesions(conditions, folds.categories, directions, n_draws)
    choices = Choices.draw(n_permutations, n_draws, folds.n_categories, seed)
    changes, clean = _changes(data, folds, found, n_bootstrap, seed)
    statistics = dict(clean)
    for prefix, of_layers in changes.items():
        statistics |= statistics_of_readout(
            prefix,
            of_layers,
            choices,
            found[0].sizes,
            n_units,
            by_concept=prefix != "language_",
        )
    coords: dict[str, list[Any]] = {
        "layer": [lesions.layer for lesions in found],
        "category": list(folds.categories),
        "direction": list(directions),
        "n_lesioned": list(found[0].sizes),
        "random": list(RANDOM_KINDS),
    }
    return Result(
        analysis="lesion",
        subject=response.subject,
        n={
            "n_stimuli": data.sizes["stimulus"],
            "n_words": folds.n_words,
            "n_categories": folds.n_categories,
            "n_units": found[0].sizes[-1],
            "n_draws": n_draws,
            "n_conditions": data.sizes["condition"],
            "n_permutations": n_permutations,
        },
        parameters=parameters,
        inputs={"response": response.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(statistics, coords, attrs={"answer": _answer(statistics, found[0].sizes[-1])}),
    )


def _words(response: Response, target: str, groups: str) -> Folds:
    """Sort the stimuli by words and categories; one probe read all of them."""
    values = [label_of_stimuli(response, name) for name in (target, groups)]
    categories, label = np.unique(values[0], return_inverse=True)
    words, word = np.unique(values[1], return_inverse=True)
    nothing = np.zeros(len(label), dtype=np.intp)
    return Folds(
        fold=nothing,
        label=label.astype(np.intp),
        word=word.astype(np.intp),
        half=nothing,
        level=nothing,
        categories=tuple(map(str, categories)),
        words=tuple(map(str, words)),
    )


def _changes(
    data: xr.Dataset, folds: Folds, found: Sequence[Lesions], n_bootstrap: int, seed: int
) -> tuple[dict[str, list[Change]], dict[str, Statistic]]:
    """Measure all readouts at all layers, and the clean condition."""
    scores = _values(data, "probe_scores").sel(category=list(folds.categories)).values
    log_odds = _values(data, "answers_log_odds").sel(category=list(folds.categories)).values
    loss = _values(data, "perplexity_loss").values
    n_tokens = data["perplexity_tokens"].values
    of_words = _weights(folds.label_of_word, n_bootstrap, seed)
    of_passages = _weights(np.zeros(len(n_tokens), dtype=np.intp), n_bootstrap, seed)
    changes: dict[str, list[Change]] = {"": [], "behaviour_": [], "language_": []}
    clean: dict[str, Statistic] = {}
    for lesions in found:
        at = lesions.conditions
        auc, clean_auc = auc_change(scores[at], folds, of_words)
        odds, clean_odds = log_odds_change(log_odds[at], folds, of_words)
        rise = loss_change(loss[at], n_tokens, of_passages)
        same = np.broadcast_to(rise[:, None], (len(rise), folds.n_categories, rise.shape[1]))
        for prefix, change in (("", auc), ("behaviour_", odds), ("language_", same)):
            changes[prefix].append(Change.of(change, lesions))
        for name, values in (("clean_auc", clean_auc), ("clean_log_odds", clean_odds)):
            clean[name] = Statistic(("category",), values[0], None, values[1:])
    return changes, clean


def _values(data: xr.Dataset, name: str) -> xr.DataArray:
    if name not in data:
        msg = f"the response has no {name}: stimulate with the readouts of lesion_experiment."
        raise InputError(msg)
    if not np.isfinite(data[name].values).all():
        msg = (
            f"{name} is not finite everywhere: load the subject in float32, and let it be read "
            "from held-out words alone."
        )
        raise InputError(msg)
    return data[name].transpose("condition", ...)


def _weights(stratum: np.ndarray[Any, np.dtype[np.intp]], n_bootstrap: int, seed: int) -> Any:
    """Weights of words: each once, and then as they are drawn."""
    drawn = bootstrap_words(lambda weights: weights, stratum, n_bootstrap=n_bootstrap, seed=seed)
    return np.concatenate([np.ones((1, len(stratum))), drawn])


def _answer(statistics: Mapping[str, Statistic], n_all: int) -> str:
    """Say in a sentence how many units do what one direction does."""
    parts = []
    for prefix, where in (("", "to the probe"), ("behaviour_", "to behaviour")):
        equal = statistics[f"{prefix}n_units_equal"]
        assert equal.resamples is not None
        low, high = np.quantile(equal.resamples, [0.025, 0.975])
        number = float(np.asarray(equal.estimate))
        parts.append(
            f"{where} what {_count(number, n_all)} of {n_all:,} units do "
            f"(95% interval {_count(low, n_all)} to {_count(high, n_all)})"
        )
    return f"One direction does {parts[0]}, and {parts[1]}."


def _count(number: float, n_all: int) -> str:
    return "all" if number >= n_all else f"{number:,.0f}"


def _lighter(variable: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Lesion the first direction and `n_units` units alone, with a few random draws."""
    light: dict[str, Any] = {
        "directions": list(parameters["directions"])[:1],
        "n_draws": min(parameters["n_draws"], _FEW_DRAWS),
    }
    if not variable.endswith("n_units_equal"):
        light["sizes"] = []
    if not variable.startswith("language_"):
        light["n_passages"] = 1
    return light


def _against_random(prefix: str) -> dict[str, tuple[str, ...]]:
    direction = tuple(
        f"{prefix}direction_minus_{kind}" for kind in ("random", "isotropic", "shift")
    )
    units = (f"{prefix}units_minus_random",)
    return {
        **dict.fromkeys(
            (f"{prefix}direction_effect", f"{prefix}specificity", *direction), direction
        ),
        **dict.fromkeys((f"{prefix}units_effect", f"{prefix}units_specificity", *units), units),
    }


INSTRUMENT = Instrument(
    name="lesion",
    summary="What is lost with one direction of a concept, and with how many selective units",
    reference=REFERENCE,
    null_is="random units and directions",
    run=lesion,
    figure=lost_by_number_of_units,
    headline="behaviour_direction_minus_shift",
    reads=("response",),
    experiment=lesion_experiment,
    detects=("read_from_direction", "read_from_units"),
    silent_on=("present_not_read",),
    lighter=_lighter,
    against_random={**_against_random(""), **_against_random("behaviour_")},
)
