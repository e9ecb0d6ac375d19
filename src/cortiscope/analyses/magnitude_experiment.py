"""What is scaled to see whether size matters: the whole stream, and its part along a direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from cortiscope.analyses.causal import SplitWords, keywords_of, recipe_of
from cortiscope.analyses.preparation import chosen_layers
from cortiscope.codes import Direction, random_directions
from cortiscope.codes.direction_fits import Method, RandomKind
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.stimulation import Condition, Experiment, Readout, Scale, Where
from cortiscope.stimulation.readouts import FinalNorm, OutputKL, Top1Change
from cortiscope.stimuli import StimulusSet

LABELS = ("kind", "scaled_layer", "factor", "concept", "draw")


def magnitude_experiment(
    recording: Recording,
    stimuli: StimulusSet,
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
    seed: int = 0,
) -> Experiment:
    """Plan the scalings of `magnitude`: directions are fitted on one half of the words.

    Parameters
    ----------
    recording : Recording
        Clean activations of the subject for these stimuli, at one position a stimulus:
        ``resid_post`` at the layers that are scaled and at the last layer.
    stimuli : StimulusSet
        What was recorded.
    target, groups, layers, factors, along, along_layers, around, method, positions, n_random, \
random, n_words, prompt, answers, seed
        As of `magnitude`.

    Returns
    -------
    Experiment
        One stimulus for each shown word. Conditions carry the labels ``kind`` (clean, whole,
        along a concept's direction, random), ``scaled_layer``, ``factor``, ``concept`` and
        ``draw``; ``recipe``, of the clean one, says what it was planned with.

    Raises
    ------
    InputError
        As `magnitude`, and when the stimuli are not those of the recording.

    Examples
    --------
    >>> words = {"animal": ["cat", "dog", "otter", "cow"], "tool": ["axe", "saw", "nail", "jug"]}
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> x = np.random.default_rng(0).normal(size=(8, 4, 32))
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=stimuli)
    >>> experiment = magnitude_experiment(recording, stimuli, n_random=2)
    >>> len(experiment.stimuli), [condition.name for condition in experiment.conditions[:2]]
    (4, ['clean', 'whole x 0.25 @0'])
    """
    recipe = recipe_of({name: value for name, value in locals().items() if name in SHARED})
    _check(factors, around, n_random)
    split = SplitWords.of(recording, target, groups, n_words=n_words, seed=seed)
    last = recording.layers("resid_post")[-1]
    conditions = [Condition("clean", (), _labels("clean", recipe=recipe))]
    for layer in whole_layers(recording, layers):
        conditions += _whole(layer, factors)
    readouts: list[Readout] = [OutputKL(), Top1Change(), FinalNorm(last)]
    if along:
        readouts.append(split.answers(answers, prompt))
    for layer in direction_layers(recording, along_layers) if along else ():
        x = split.activations(recording, layer)
        concepts = split.fit(recording, layer, method)
        like = next(iter(concepts.values()))
        drawn = random_directions(x, n_random, like=like, kind=random, seed=seed)
        mean = x.mean(axis=0, dtype=np.float64, keepdims=True).astype(np.float32)
        where = Where("resid_post", (layer,), positions)  # type: ignore[arg-type]
        reference = mean if around == "mean" else None
        for direction in concepts.values():
            conditions += _along(direction, where, factors, reference, concept=direction.name)
        for draw, direction in enumerate(drawn):
            conditions += _along(direction, where, factors, reference, draw=draw)
    return Experiment(stimuli.select(list(split.shown)), tuple(conditions), tuple(readouts))


SHARED = keywords_of(magnitude_experiment)


def whole_layers(recording: Recording, layers: Sequence[int] | None) -> list[int]:
    """List the layers whose whole stream is scaled, the last one always among them."""
    last = recording.layers("resid_post")[-1]
    return sorted({*chosen_layers(recording, "resid_post", layers), last})


def direction_layers(recording: Recording, layers: Sequence[int] | None) -> list[int]:
    """List the layers where single directions are scaled: as asked, or one a third of the way."""
    there = recording.layers("resid_post")
    if layers is None:
        return [there[(len(there) - 1) // 3]]
    return sorted(set(chosen_layers(recording, "resid_post", layers)))


def _check(factors: Sequence[float], around: str, n_random: int) -> None:
    if len(set(factors)) < 2 or not np.isfinite(factors).all() or min(factors) <= 0 or 1 in factors:
        raise InputError(
            f"factors are {list(factors)}: give two or more numbers above 0, and not 1, which "
            "changes nothing and stands for the clean subject."
        )
    if around not in ("mean", "zero"):
        raise InputError(f"around is {around!r}: choose mean or zero.")
    if n_random < 1:
        raise InputError(f"n_random is {n_random}: give at least 1, and 99 to test anything.")


def _whole(layer: int, factors: Sequence[float]) -> Iterator[Condition]:
    for factor in factors:
        yield Condition(
            f"whole x {factor:g} @{layer}",
            (Scale(factor, where=Where("resid_post", (layer,), "all")),),
            _labels("whole", layer=layer, factor=factor),
        )


def _along(
    direction: Direction,
    where: Where,
    factors: Sequence[float],
    reference: Any,
    *,
    concept: str = "",
    draw: int = -1,
) -> Iterator[Condition]:
    kind = "along" if concept else "random"
    for factor in factors:
        yield Condition(
            f"{kind} {direction.name} x {factor:g} @{where.layers[0]}",
            (Scale(factor, along=direction, where=where, reference=reference),),
            _labels(kind, layer=where.layers[0], factor=factor, concept=concept, draw=draw),
        )


def _labels(
    kind: str,
    *,
    layer: int = -1,
    factor: float = 1.0,
    concept: str = "",
    draw: int = -1,
    recipe: str = "",
) -> dict[str, str | int | float]:
    """Write the labels of a condition: every condition has all of them."""
    return {
        "kind": kind,
        "scaled_layer": layer,
        "factor": float(factor),
        "concept": concept,
        "draw": draw,
        "recipe": recipe,
    }
