"""What is injected to see how well concepts steer, planned on the training words alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cortiscope.analyses.causal import SplitWords, keywords_of, recipe_of
from cortiscope.analyses.concept_rank import concept_rank
from cortiscope.analyses.dimensionality import dimensionality
from cortiscope.analyses.preparation import chosen_layers
from cortiscope.codes import Direction, random_directions
from cortiscope.codes.direction_fits import Method, RandomKind
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.stimulation import Condition, Experiment, Inject, Where
from cortiscope.stimulation.readouts import Perplexity
from cortiscope.stimuli import StimulusSet

LABELS = ("kind", "steered_layer", "concept", "draw", "dose", "length")
DIMENSIONS = ("rank_area", "participation_ratio")
RANDOM_KINDS: tuple[RandomKind, ...] = ("covariance", "isotropic")

# They decide only which AUC is within its null, and with it where F7's curve ends.
_RANK_PERMUTATIONS = 199


def steerability_experiment(
    recording: Recording,
    stimuli: StimulusSet,
    target: str = "category",
    groups: str = "word",
    *,
    layers: Sequence[int] | None = None,
    doses: Sequence[float] = (0.125, 0.25, 0.5, 1.0),
    method: Method = "difference_in_means",
    positions: str = "from_target",
    n_draws: int = 10,
    n_words: int | None = 5,
    dimensions: bool = True,
    n_directions: int = 100,
    prompt: str = "{a} is a kind of",
    answers: Mapping[str, Sequence[str]] | None = None,
    n_passages: int = 2,
    seed: int = 0,
) -> Experiment:
    """Plan the injections of `steerability`: directions are fitted on one half of the words.

    Parameters
    ----------
    recording : Recording
        Clean activations of the subject for these stimuli, at one position a stimulus:
        ``resid_post`` at the steered layers.
    stimuli : StimulusSet
        What was recorded.
    target, groups, layers, doses, method, positions, n_draws, n_words, dimensions, n_directions, \
prompt, answers, n_passages, seed
        As of `steerability`.

    Returns
    -------
    Experiment
        One stimulus for each shown word. Conditions carry the labels ``kind`` (clean, concept,
        covariance or isotropic), ``steered_layer``, ``concept`` or ``draw``, ``dose`` (negative
        where the direction is turned round) and ``length`` (of what is added at a dose of 1), and
        with `dimensions` the ``rank_area`` and ``participation_ratio`` of the concept, which are
        those of `concept_rank` and `dimensionality` at that layer, of all recorded words;
        ``recipe``, of the clean one, says what it was planned with.

    Raises
    ------
    InputError
        As `steerability`, and when the stimuli are not those of the recording.

    Examples
    --------
    >>> words = {"animal": ["cat", "dog"], "tool": ["axe", "saw"]}
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> x = np.random.default_rng(0).normal(size=(4, 4, 32))
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=stimuli)
    >>> experiment = steerability_experiment(
    ...     recording, stimuli, doses=(0.5, 1.0), n_draws=3, dimensions=False
    ... )
    >>> len(experiment.stimuli), len(experiment.conditions)
    (2, 33)
    >>> [condition.name for condition in experiment.conditions[:3]]
    ['clean', 'animal x -1 @1', 'animal x -0.5 @1']
    """
    recipe = recipe_of({name: value for name, value in locals().items() if name in SHARED})
    signed = signed_doses(doses)
    if n_draws < 1:
        raise InputError(f"n_draws is {n_draws}: give at least 1, and 10 to test anything.")
    split = SplitWords.of(recording, target, groups, n_words=n_words, seed=seed)
    steered = _steered_layers(recording, layers)
    of_concepts: dict[int, dict[str, dict[str, float]]] = {layer: {} for layer in steered}
    if dimensions:
        of_concepts = _dimensions(recording, target, groups, steered, n_directions, seed)
    conditions = [Condition("clean", (), _labels("clean", recipe=recipe))]
    for layer in steered:
        directions = _equally_long(split.fit(recording, layer, method))
        own = of_concepts[layer]
        for name, direction in directions.items():
            labels = {**_labels("concept", layer, concept=name), **own.get(name, {})}
            conditions += _injections(direction, name, signed, positions, labels)
        like = next(iter(directions.values()))
        x = split.activations(recording, layer)
        for kind in RANDOM_KINDS:
            drawn = random_directions(x, n_draws, like=like, kind=kind, seed=seed)
            for draw, direction in enumerate(drawn):
                labels = _labels(kind, layer, draw=draw)
                name = f"random {direction.name}"
                conditions += _injections(direction, name, signed, positions, labels)
    readouts = (split.answers(answers, prompt), Perplexity(n_passages=n_passages))
    return Experiment(stimuli.select(list(split.shown)), tuple(conditions), readouts)


SHARED = keywords_of(steerability_experiment)


def signed_doses(doses: Sequence[float]) -> list[float]:
    """List the doses both ways, ascending.

    Raises
    ------
    InputError
        For no doses, and for one that is not positive or stands twice.

    Examples
    --------
    >>> signed_doses((1.0, 0.5))
    [-1.0, -0.5, 0.5, 1.0]
    """
    given = [float(dose) for dose in doses]
    positive = given and np.isfinite(given).all() and min(given) > 0
    if not positive or len(set(given)) < len(given):
        raise InputError(
            f"doses are {given}: give positive numbers, each once; every dose is given both ways."
        )
    return sorted([*given, *(-dose for dose in given)])


def _steered_layers(recording: Recording, layers: Sequence[int] | None) -> list[int]:
    """List the layers that are asked for, or the middle one of those that were recorded."""
    chosen = chosen_layers(recording, "resid_post", layers)
    if not chosen:
        raise InputError("layers is empty: name at least one, or leave it out.")
    return [chosen[(len(chosen) - 1) // 2]] if layers is None else sorted(set(chosen))


def _equally_long(directions: Mapping[str, Direction]) -> dict[str, Direction]:
    """Give all directions the mean of their natural lengths."""
    length = float(np.mean([direction.scale for direction in directions.values()]))
    return {name: replace(of, scale=length) for name, of in directions.items()}


def _dimensions(
    recording: Recording,
    target: str,
    groups: str,
    layers: Sequence[int],
    n_directions: int,
    seed: int,
) -> dict[int, dict[str, dict[str, float]]]:
    """Measure the dimension of every concept, by layer and concept."""
    how: dict[str, Any] = {"layers": layers, "seed": seed}
    ranked = concept_rank(
        recording,
        target,
        groups,
        n_directions=n_directions,
        n_permutations=_RANK_PERMUTATIONS,
        n_bootstrap=1,
        erasers=False,
        **how,
    )
    filled = dimensionality(recording, target, groups, pca=False, n_jackknife=1, **how)
    found = dict(
        zip(
            DIMENSIONS,
            (ranked.estimates["area"], filled.estimates["participation_ratio"]),
            strict=True,
        )
    )
    return {
        layer: {
            str(concept): {
                name: float(of.sel(layer=layer, category=concept)) for name, of in found.items()
            }
            for concept in ranked.estimates["category"].values
        }
        for layer in layers
    }


def _injections(
    direction: Direction,
    name: str,
    doses: Sequence[float],
    positions: str,
    labels: Mapping[str, Any],
) -> Iterator[Condition]:
    where = Where("resid_post", (direction.layer,), positions)  # type: ignore[arg-type]
    for dose in doses:
        yield Condition(
            f"{name} x {dose:.9g} @{direction.layer}",
            (Inject(direction, dose, where),),
            {**labels, "dose": dose, "length": direction.scale},
        )


def _labels(
    kind: str,
    layer: int = -1,
    *,
    concept: str = "",
    draw: int = -1,
    recipe: str = "",
) -> dict[str, Any]:
    """Write the labels that every condition has; those of concepts have their dimensions too."""
    return {
        "kind": kind,
        "steered_layer": layer,
        "concept": concept,
        "draw": draw,
        "dose": 0.0,
        "length": 0.0,
        "recipe": recipe,
    }
