"""Which sets of units are lesioned, and the random sets beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.causal import recipe_of
from cortiscope.analyses.connectome_modules import modules_of
from cortiscope.analyses.localizer_contrast import Contrast, Convention, n_units_chosen
from cortiscope.analyses.preparation import activations, check_labels, chosen_layers
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import any_units, matched_units, size_bins, welch
from cortiscope.stimulation import Condition, Experiment, Lesion, Readout, Where
from cortiscope.stimulation.readouts import OwnAnswers, Perplexity, neutral_text
from cortiscope.stimuli import StimulusSet

Select = Literal["localizer", "modules"]

LABELS = ("kind", "lesion", "n_lesioned", "n_alone", "size_ratio", "draw")
"""Labels of conditions that say which lesion each is."""

# Of each passage of the neutral text so many words are read.
_WORDS_OF_PASSAGE = 24


@dataclass(frozen=True)
class Recipe:
    """All parameters that shape the experiment, as `unit_lesion` has them."""

    select: Select
    target: str
    groups: str
    positive: str | None
    negative: str | None
    convention: Convention
    top_share: float
    density: float
    frames: str | None
    partition: tuple[int, ...] | None
    site: str
    layers: tuple[int, ...] | None
    replace: Literal["mean", "zero"]
    match: Literal["norm", "number"]
    questions: str | None
    wrong: tuple[str, ...]
    n_draws: int
    n_passages: int
    seed: int

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Recipe:
        """Take them out of the parameters of `unit_lesion`.

        Raises
        ------
        InputError
            For a selection or a replacement that does not exist.
        """
        known = {name: parameters[name] for name in cls.__dataclass_fields__}
        for name in ("layers", "partition", "wrong"):
            known[name] = None if known[name] is None else tuple(known[name])
        recipe = cls(**known)
        if recipe.select not in ("localizer", "modules"):
            raise InputError(f"select is {recipe.select!r}: choose localizer or modules.")
        if recipe.replace not in ("mean", "zero"):
            raise InputError(f"replace is {recipe.replace!r}: choose mean or zero.")
        if recipe.match not in ("norm", "number"):
            raise InputError(f"match is {recipe.match!r}: choose norm or number.")
        return recipe

    @property
    def text(self) -> str:
        """Itself as text, the label of the clean condition."""
        return recipe_of(asdict(self))


def unit_lesion_experiment(
    recording: Recording,
    stimuli: StimulusSet,
    target: str = "category",
    groups: str = "word",
    *,
    select: Select = "localizer",
    positive: str | None = "sentence",
    negative: str | None = "nonwords",
    convention: Convention = "signed",
    top_share: float = 0.01,
    density: float = 0.1,
    frames: str | None = "frame",
    partition: Sequence[int] | None = None,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    replace: Literal["mean", "zero"] = "mean",
    match: Literal["norm", "number"] = "norm",
    questions: str | None = None,
    wrong: Sequence[str] = (),
    n_draws: int = 100,
    n_passages: int = 32,
    seed: int = 0,
) -> Experiment:
    """Plan the lesions of `unit_lesion`: each set of units, and random sets like it.

    Parameters
    ----------
    recording : Recording
        Clean activations of the subject, at one position a stimulus.
    stimuli : StimulusSet
        What was recorded. None of it is shown again: what is read is another text.
    target, groups, select, positive, negative, convention, top_share, density, frames, partition, \
site, layers, replace, match, questions, wrong, n_draws, n_passages, seed
        As of `unit_lesion`.

    Returns
    -------
    Experiment
        Conditions carry the labels ``kind`` (clean, chosen, random), ``lesion`` (which set),
        ``n_lesioned`` (units), ``n_alone`` (of the set's units those in every random set),
        ``size_ratio`` (of what is taken away, to that of the set) and ``draw``; ``recipe``, of the
        clean one, says what it was planned with.

    Raises
    ------
    InputError
        As `unit_lesion`.

    Examples
    --------
    >>> words = {"sentence": [f"a{i}" for i in range(8)], "nonwords": [f"b{i}" for i in range(8)]}
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> x = np.random.default_rng(0).normal(size=(16, 4, 32))
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=stimuli)
    >>> plan = unit_lesion_experiment(recording, stimuli, top_share=0.1, n_draws=2)
    >>> [condition.name for condition in plan.conditions][:3]
    ['clean', 'sentence > nonwords', 'sentence > nonwords, random 0']
    """
    recipe = Recipe.of(locals())
    check_labels(recording, target, groups)
    conditions = [Condition("clean", (), _labels("clean", recipe=recipe.text))]
    rng = np.random.default_rng([seed, 7])
    sizes: dict[int, tuple[NDArray[np.float32], NDArray[np.float64]]] = {}
    for name, units in _sets(recording, recipe).items():
        for layer in units:
            if layer not in sizes:
                sizes[layer] = _mean_and_size(activations(recording, site, layer), replace)
        conditions += _conditions(name, units, sizes, recipe, rng)
    beginnings = [" ".join(text.split()[:_WORDS_OF_PASSAGE]) for text in neutral_text()]
    readouts: list[Readout] = [Perplexity(beginnings, n_passages=n_passages)]
    shown = stimuli
    if questions is not None:
        shown = StimulusSet.load(questions)
        readouts.append(OwnAnswers(wrong=recipe.wrong))
    return Experiment(shown, tuple(conditions), tuple(readouts))


def _sets(recording: Recording, recipe: Recipe) -> dict[str, dict[int, NDArray[np.intp]]]:
    """Find the sets of units: by name, for each layer its units."""
    if recipe.select == "localizer":
        return _localized(recording, recipe)
    there = chosen_layers(recording, recipe.site, None)
    layers = (there[(len(there) - 1) // 2],) if recipe.layers is None else recipe.layers
    if len(layers) != 1:
        raise InputError(f"modules of layers {list(layers)} are to be lesioned: name one layer.")
    [layer] = chosen_layers(recording, recipe.site, layers)
    module = _modules(recording, layer, recipe)
    # A unit by itself is no module, and below 0 it is in none.
    values, counts = np.unique(module[module >= 0], return_counts=True)
    found = {
        f"module {value}": {layer: np.flatnonzero(module == value)}
        for value, count in zip(values.tolist(), counts.tolist(), strict=True)
        if 1 < count < len(module)
    }
    if not found:
        raise InputError(
            f"layer {layer} has no module of two units or more beside others: lesion another "
            "layer, or another partition."
        )
    return found


def _modules(recording: Recording, layer: int, recipe: Recipe) -> NDArray[np.intp]:
    """Give each unit its module."""
    if recipe.partition is None:
        return modules_of(
            recording,
            layer,
            site=recipe.site,
            frames=recipe.frames,
            density=recipe.density,
            seed=recipe.seed,
        )
    n_units = activations(recording, recipe.site, layer).shape[1]
    if len(recipe.partition) != n_units:
        raise InputError(
            f"partition has {len(recipe.partition)} units, and layer {layer} of {recipe.site} has "
            f"{n_units}: give each unit its module."
        )
    return np.asarray(recipe.partition, dtype=np.intp)


def _localized(recording: Recording, recipe: Recipe) -> dict[str, dict[int, NDArray[np.intp]]]:
    """Choose the units of largest t in all layers together, on all words: another text is read."""
    contrast = Contrast.of(
        recording,
        recipe.target,
        recipe.groups,
        recipe.positive,
        recipe.negative,
        strata=None,
        convention=recipe.convention,
        n_splits=1,
        seed=recipe.seed,
    )
    layers = chosen_layers(recording, recipe.site, recipe.layers)
    x, places = contrast.activations(recording, recipe.site, layers)
    t = welch(x, contrast.words.is_positive)[0].t
    chosen = np.sort(np.argsort(-t, kind="stable")[: n_units_chosen(recipe.top_share, len(t))])
    units = {
        layer: chosen[(chosen >= place.start) & (chosen < place.stop)] - place.start
        for layer, place in zip(layers, places, strict=True)
    }
    name = f"{contrast.positive} > {contrast.negative or 'all others'}"
    return {name: {layer: of for layer, of in units.items() if len(of)}}


def _mean_and_size(
    x: NDArray[np.float32], replace: str
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Give the mean (1, n_units), and the norm of what a lesion takes from each unit."""
    mean = x.mean(axis=0, dtype=np.float64, keepdims=True)
    taken = x - mean if replace == "mean" else np.asarray(x, dtype=np.float64)
    return mean.astype(np.float32), np.sqrt(np.mean(taken**2, axis=0))


def _conditions(
    name: str,
    units: Mapping[int, NDArray[np.intp]],
    sizes: Mapping[int, tuple[NDArray[np.float32], NDArray[np.float64]]],
    recipe: Recipe,
    rng: np.random.Generator,
) -> Iterator[Condition]:
    """Lesion a set, and random sets of as many units in every layer."""
    n_alone = 0
    if recipe.match == "norm":
        alone = {
            layer: [of[0] for of in size_bins(sizes[layer][1]) if len(of) == 1] for layer in units
        }
        n_alone = sum(int(np.isin(at, alone[layer]).sum()) for layer, at in units.items())

    def lesion(what: str, of: Mapping[int, NDArray[np.intp]], **labels: Any) -> Condition:
        lesions = tuple(
            Lesion(
                units=at.tolist(),
                replace=recipe.replace,
                where=Where(recipe.site, layer, "all"),
                reference=sizes[layer][0] if recipe.replace == "mean" else None,
            )
            for layer, at in of.items()
        )
        ratio = _norm(of, sizes) / _norm(units, sizes) if _norm(units, sizes) else 1.0
        n_lesioned = sum(map(len, of.values()))
        return Condition(
            what,
            lesions,
            _labels(
                lesion=name, n_lesioned=n_lesioned, n_alone=n_alone, size_ratio=ratio, **labels
            ),
        )

    yield lesion(name, units, kind="chosen")
    drawn = {
        layer: matched_units(at, sizes[layer][1], recipe.n_draws, rng)
        if recipe.match == "norm"
        else any_units(len(at), len(sizes[layer][1]), recipe.n_draws, rng)
        for layer, at in units.items()
    }
    for draw in range(recipe.n_draws):
        of_draw = {layer: at[draw] for layer, at in drawn.items()}
        yield lesion(f"{name}, random {draw}", of_draw, kind="random", draw=draw)


def _norm(
    units: Mapping[int, NDArray[np.intp]],
    sizes: Mapping[int, tuple[NDArray[np.float32], NDArray[np.float64]]],
) -> float:
    return float(np.sqrt(sum((sizes[layer][1][at] ** 2).sum() for layer, at in units.items())))


def _labels(
    kind: str,
    *,
    lesion: str = "",
    n_lesioned: int = 0,
    n_alone: int = 0,
    size_ratio: float = 1.0,
    draw: int = -1,
    recipe: str = "",
) -> dict[str, str | int | float | bool]:
    return {
        "kind": kind,
        "lesion": lesion,
        "n_lesioned": n_lesioned,
        "n_alone": n_alone,
        "size_ratio": size_ratio,
        "draw": draw,
        "recipe": recipe,
    }
