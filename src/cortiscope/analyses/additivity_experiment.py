"""What is injected to see whether the stream adds: over layers, at once, and part by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cortiscope.analyses.causal import SplitWords, keywords_of, recipe_of
from cortiscope.analyses.preparation import chosen_layers
from cortiscope.codes import Direction, Probe
from cortiscope.codes.direction_fits import Method
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.stimulation import Condition, Experiment, Inject, Readout, Where
from cortiscope.stimulation.readouts import ProbeReadout
from cortiscope.stimuli import StimulusSet

LABELS = ("kind", "fitted", "first", "n_injections", "total", "concept")


def additivity_experiment(
    recording: Recording,
    stimuli: StimulusSet,
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
    seed: int = 0,
) -> Experiment:
    """Plan the injections of `additivity`: directions are fitted on one half of the words.

    Parameters
    ----------
    recording : Recording
        Clean activations of the subject for these stimuli, at one position a stimulus:
        ``resid_post`` at the layers of the first injections and at the last layer.
    stimuli : StimulusSet
        What was recorded.
    target, groups, layers, most, doses, method, positions, n_words, behaviour, prompt, answers, \
seed
        As of `additivity`.

    Returns
    -------
    Experiment
        One stimulus for each shown word. Conditions carry the labels ``kind`` (clean, spread over
        layers, or at one), ``fitted`` (layer of the direction), ``first`` (layer that it is put
        into first), ``n_injections``, ``total`` (dose, summed over them) and ``concept``;
        ``recipe``, of the clean one, says what it was planned with.

    Raises
    ------
    InputError
        As `additivity`, and when the stimuli are not those of the recording.

    Examples
    --------
    >>> words = {"animal": ["cat", "dog", "otter", "cow"], "tool": ["axe", "saw", "nail", "jug"]}
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> x = np.random.default_rng(0).normal(size=(8, 4, 32))
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=stimuli)
    >>> experiment = additivity_experiment(recording, stimuli, doses=(0.5,))
    >>> len(experiment.stimuli), [condition.name for condition in experiment.conditions[:3]]
    (4, ['clean', 'animal 2 x 0.5 from layer 1', 'animal 1 x 1 from layer 1'])
    """
    recipe = recipe_of({name: value for name, value in locals().items() if name in SHARED})
    _check_doses(doses, most)
    split = SplitWords.of(recording, target, groups, n_words=n_words, seed=seed)
    read = recording.layers("resid_post")[-1]
    conditions = {"clean": Condition("clean", (), _labels("clean", recipe=recipe))}
    readouts: list[Readout] = []
    for layer in first_layers(recording, layers):
        directions = split.fit(recording, layer, method)
        for direction in directions.values():
            for condition in _injections(direction, read, most, doses, positions):
                conditions[condition.name] = condition
        words = split.words if groups == "word" else ()
        position = recording.provenance.get("position", "target_last")
        readouts.append(ProbeReadout(_along(directions, read, words), position, f"along_{layer}"))
    if behaviour:
        readouts.append(split.answers(answers, prompt))
    shown = stimuli.select(list(split.shown))
    return Experiment(shown, tuple(conditions.values()), tuple(readouts))


SHARED = keywords_of(additivity_experiment)


def first_layers(recording: Recording, layers: Sequence[int] | None) -> list[int]:
    """List the layers of first injections: those asked for, or one a third of the way.

    Raises
    ------
    InputError
        For a layer that was not recorded, and one that is the last.
    """
    there = recording.layers("resid_post")
    chosen = chosen_layers(recording, "resid_post", layers)
    if layers is None:
        chosen = [there[(len(there) - 1) // 3]]
    if not chosen or there[-1] in chosen:
        raise InputError(
            f"injections begin at the layers {chosen} and are read at layer {there[-1]}, the last "
            "that was recorded: begin earlier, so that two layers are left."
        )
    return chosen


def spans(first: int, read: int, most: int) -> range:
    """Give the numbers of consecutive layers that can be injected from one on.

    Examples
    --------
    >>> list(spans(2, 5, 8))
    [2, 3, 4]
    """
    return range(2, min(most, read - first + 1) + 1)


def _check_doses(doses: Sequence[float], most: int) -> None:
    if not len(doses) or not np.isfinite(doses).all() or 0 in doses:
        raise InputError(f"doses are {list(doses)}: give numbers other than 0.")
    if most < 2:
        raise InputError(f"most is {most}: an injection is spread over two layers or more.")


def _injections(
    direction: Direction, read: int, most: int, doses: Sequence[float], positions: str
) -> Iterator[Condition]:
    """Make all injections of a direction; those that are the same have the same name."""

    def inject(kind: str, first: int, n: int, dose: float) -> Condition:
        where = Where("resid_post", range(first, first + n), positions)  # type: ignore[arg-type]
        fitted = "" if first == direction.layer else f" (direction of {direction.layer})"
        return Condition(
            f"{direction.name} {n} x {dose:.9g} from layer {first}{fitted}",
            (Inject(direction, dose, where),),
            _labels(kind, fitted=direction.layer, first=first, n=n, total=n * dose, of=direction),
        )

    for dose in doses:
        for n in spans(direction.layer, read, most):
            yield inject("spread", direction.layer, n, dose)
            yield inject("one", direction.layer, 1, n * dose)
            yield inject("one", direction.layer + n - 1, 1, dose)
        yield inject("one", direction.layer, 1, dose)


def _labels(
    kind: str,
    *,
    fitted: int = -1,
    first: int = -1,
    n: int = 0,
    total: float = 0.0,
    of: Direction | None = None,
    recipe: str = "",
) -> dict[str, Any]:
    """Write the labels of a condition: every condition has all of them."""
    return {
        "kind": kind,
        "fitted": fitted,
        "first": first,
        "n_injections": n,
        "total": float(total),
        "concept": "" if of is None else of.name,
        "injected": 0.0 if of is None else float(total * of.scale),
        "recipe": recipe,
    }


def _along(directions: Mapping[str, Direction], read: int, words: Sequence[str]) -> Probe:
    """Make the probe whose scores are the projections on directions."""
    vectors = np.stack(
        [direction.vector for direction in directions.values()], axis=1, dtype=np.float64
    )
    origin = {"words": sorted(set(words))} if words else {}
    return Probe(vectors, np.zeros(len(directions)), tuple(directions), "resid_post", read, origin)
