"""What is lesioned to tell a direction from a region, planned on the training words alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.causal import recipe_of
from cortiscope.analyses.preparation import activations, chosen_layers, grouped_folds
from cortiscope.codes import (
    Direction,
    Eraser,
    fit_directions,
    fit_erasers,
    fit_probe,
    random_directions,
)
from cortiscope.codes.direction_fits import Method
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import Folds, d_prime
from cortiscope.stimulation import Condition, Experiment, Inject, Lesion, Where
from cortiscope.stimulation.readouts import (
    AnswerLogOdds,
    AskedOnce,
    Perplexity,
    ProbeReadout,
    neutral_text,
)
from cortiscope.stimuli import StimulusSet

METHODS: tuple[Method, ...] = get_args(Method)

RandomKind = Literal["covariance", "isotropic", "shift"]
RANDOM_KINDS: tuple[RandomKind, ...] = get_args(RandomKind)

# Of each passage of the neutral text so many words are read.
_WORDS_OF_PASSAGE = 24

# Held-out words are those of one fold; the others train.
_HELD_OUT = 0


@dataclass(frozen=True)
class Recipe:
    """All parameters that shape the experiment, as `lesion` has them."""

    target: str
    groups: str
    site: str
    layers: tuple[int, ...] | None
    onward: bool
    replace: str
    positions: str
    directions: tuple[str, ...]
    n_units: int
    sizes: tuple[int, ...] | None
    absolute: bool
    n_draws: int
    n_folds: int
    ridge: float
    prompt: str
    answers: Mapping[str, Sequence[str]] | None
    n_passages: int
    seed: int

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Recipe:
        """Take them out of the parameters of `lesion`.

        Raises
        ------
        InputError
            For a method or a replacement that does not exist, or too few draws.
        """
        known = {name: parameters[name] for name in cls.__dataclass_fields__}
        for name in ("layers", "sizes", "directions"):
            known[name] = None if known[name] is None else tuple(known[name])
        recipe = cls(**known)
        if not recipe.directions or set(recipe.directions) - set(METHODS):
            msg = f"directions are {recipe.directions}: choose among {', '.join(METHODS)}."
            raise InputError(msg)
        if recipe.replace not in ("mean", "zero"):
            msg = f"replace is {recipe.replace!r}: choose mean or zero."
            raise InputError(msg)
        if recipe.n_draws < 1:
            msg = f"n_draws is {recipe.n_draws}: give at least 1, and 100 to test anything."
            raise InputError(msg)
        return recipe

    @property
    def text(self) -> str:
        """Itself as text, the label of the clean condition."""
        return recipe_of(asdict(self))


def lesion_experiment(
    recording: Recording,
    stimuli: StimulusSet,
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
    seed: int = 0,
) -> Experiment:
    """Plan the lesions of `lesion`: units are chosen and directions fitted on training words.

    Parameters
    ----------
    recording : Recording
        Clean activations of the subject for these stimuli, at one position a stimulus; at `site`
        in all lesioned layers, and in ``resid_post``, whose last recorded layer is read.
    stimuli : StimulusSet
        What was recorded.
    target, groups, site, layers, onward, replace, positions, directions, n_units, sizes, \
absolute, n_draws, n_folds, ridge, prompt, answers, n_passages, seed
        As of `lesion`.

    Returns
    -------
    Experiment
        The stimuli of the held-out words. Conditions carry the labels ``kind`` (clean, direction,
        units, random_units, random_covariance, random_isotropic, random_shift), ``lesioned_layer``,
        ``direction``, ``concept`` (empty where a lesion is of no concept), ``n_lesioned`` (units)
        and ``draw``; ``recipe``, of the clean one, says what it was planned with.

    Raises
    ------
    InputError
        As `lesion`, and when the stimuli are not those of the recording.

    Examples
    --------
    >>> words = {"animal": ["cat", "dog", "otter"], "tool": ["axe", "saw", "hammer"]}
    >>> stimuli = StimulusSet.from_words(words, {"card": "The card said {word}."})
    >>> x = np.random.default_rng(0).normal(size=(6, 4, 32))
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=stimuli)
    >>> experiment = lesion_experiment(recording, stimuli, n_draws=2)
    >>> len(experiment.stimuli), len(experiment.conditions), experiment.conditions[1].name
    (2, 22, 'difference_in_means animal @1')
    """
    recipe = Recipe.of(locals())
    folds = grouped_folds(recording, target, groups, n_folds=n_folds, seed=seed)
    train = np.flatnonzero(folds.fold != _HELD_OUT)
    ids = recording.labels.index.to_numpy()[folds.fold == _HELD_OUT]
    read = recording.layers("resid_post")[-1]
    lesioned = _lesioned_layers(recording, recipe)
    conditions = [Condition("clean", (), _labels("clean", recipe=recipe.text))]
    fitted: dict[int, Fitted] = {}
    for layer, layers_of in lesioned.items():
        for at in layers_of:
            if at not in fitted:
                fitted[at] = Fitted.of(activations(recording, site, at)[train], folds, at, recipe)
        conditions += _conditions(layer, [fitted[at] for at in layers_of], recipe, folds)
        fitted = {at: of for at, of in fitted.items() if at > layer}
    label = np.array(folds.categories)[folds.label[train]].tolist()
    words = np.array(folds.words)[folds.word[train]].tolist() if groups == "word" else None
    probe = fit_probe(
        activations(recording, "resid_post", read)[train],
        label,
        site="resid_post",
        layer=read,
        ridge=ridge,
        words=words,
        origin={"recording": recording.fingerprint},
    )
    if answers is None:
        asked = AnswerLogOdds.naming(folds.categories, prompt)
    elif set(answers) == set(folds.categories):
        asked = AnswerLogOdds({name: answers[name] for name in folds.categories}, prompt)
    else:
        msg = (
            f"answers are for {', '.join(sorted(answers))}, and the categories are "
            f"{', '.join(folds.categories)}: give answers for each of them."
        )
        raise InputError(msg)
    position = recording.provenance.get("position", "target_last")
    readouts = (ProbeReadout(probe, position), AskedOnce(asked), _language(n_passages))
    return Experiment(stimuli.select(ids.tolist()), tuple(conditions), readouts)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What can be lesioned at one layer, found on the training words.

    Attributes
    ----------
    layer : int
        Which.
    mean : ndarray of float32, shape (1, n_units)
        Of the training words' activations.
    ranked : dict of str to ndarray of int
        For each category the units that vary, most selective first.
    directions : dict of str to dict of str to Direction or Eraser
        By method and category.
    random_units : ndarray of int, shape (n_draws, n_varying)
        The same units in random order; the first k are a draw of k.
    random : dict of str to tuple of Direction
        By kind, a draw each.
    """

    layer: int
    mean: NDArray[np.float32]
    ranked: dict[str, NDArray[np.intp]]
    directions: dict[str, Mapping[str, Direction | Eraser]]
    random_units: NDArray[np.intp]
    random: dict[str, tuple[Direction, ...]]

    @classmethod
    def of(cls, x: NDArray[np.float32], folds: Folds, layer: int, recipe: Recipe) -> Fitted:
        """Find them in the activations (n_training_stimuli, n_units) of a layer."""
        label = folds.label[folds.fold != _HELD_OUT]
        names = np.array(folds.categories)[label].tolist()
        varying = np.flatnonzero(np.ptp(x, axis=0) > 0)
        selective = d_prime(x[:, varying], label, folds.n_categories)
        order = np.argsort(-(np.abs(selective) if recipe.absolute else selective), axis=1)
        directions: dict[str, Mapping[str, Direction | Eraser]] = {}
        for method in recipe.directions:
            if method == "leace":
                # What LEACE takes out is not what it reads along: it is no direction.
                directions[method] = fit_erasers(x, names, site=recipe.site, layer=layer)
            else:
                directions[method] = fit_directions(
                    x,
                    names,
                    method=cast(Method, method),  # checked when the recipe was made
                    ridge=recipe.ridge,
                    site=recipe.site,
                    layer=layer,
                )
        like = Direction.from_vector(
            np.ones(x.shape[1]), name="random", site=recipe.site, layer=layer
        )
        rng = np.random.default_rng([recipe.seed, 3])
        return cls(
            layer,
            x.mean(axis=0, dtype=np.float64, keepdims=True).astype(np.float32),
            dict(zip(folds.categories, varying[order], strict=True)),
            directions,
            rng.permuted(np.tile(varying, (recipe.n_draws, 1)), axis=1),
            _random(x, names, like, recipe),
        )


def _random(
    x: NDArray[np.float32], names: Sequence[str], like: Direction, recipe: Recipe
) -> dict[str, tuple[Direction, ...]]:
    """Draw directions to lesion, and others along which activations are shifted.

    A shift is as long as a lesion of a concept's direction moves that concept's own stimuli, in
    the mean over concepts: lesions of random directions hardly move anything.
    """
    found = fit_directions(x, names, site=like.site, layer=like.layer)
    own = np.array(names)
    moved = [
        abs(float((x[own == name].mean(axis=0) - x.mean(axis=0)) @ of.vector))
        for name, of in found.items()
    ]
    shifted = replace(like, scale=float(np.mean(moved)))
    n, seed = recipe.n_draws, recipe.seed
    return {
        "covariance": random_directions(x, n, like=like, kind="covariance", seed=seed),
        "isotropic": random_directions(x, n, like=like, kind="isotropic", seed=seed),
        "shift": random_directions(x, n, like=shifted, kind="covariance", seed=seed + 1),
    }


def sizes_below_all(n_all: int, recipe: Recipe) -> list[int]:
    """List the numbers of units that are lesioned beside all of them, ascending.

    Examples
    --------
    >>> parameters = dict.fromkeys(Recipe.__dataclass_fields__)
    >>> sizes_below_all(160, Recipe(**{**parameters, "n_units": 20}))
    [20, 57]
    """
    asked = recipe.sizes
    if asked is None:
        asked = (round(float(np.sqrt(recipe.n_units * max(n_all, recipe.n_units)))),)
    return sorted({*asked, recipe.n_units} - {n_all})


def _check_sizes(sizes: Sequence[int], fitted: Fitted, recipe: Recipe) -> None:
    n_varying = fitted.random_units.shape[1]
    if wrong := [size for size in sizes if not 1 <= size <= n_varying]:
        msg = (
            f"{wrong[0]} units are to be lesioned, and {n_varying} units of {recipe.site} vary at "
            f"layer {fitted.layer}: give n_units and sizes from 1 to {n_varying}."
        )
        raise InputError(msg)


def _language(n_passages: int) -> Perplexity:
    """Read the beginnings of passages: many short texts vary less in sum than a few long ones."""
    beginnings = [" ".join(text.split()[:_WORDS_OF_PASSAGE]) for text in neutral_text()]
    return Perplexity(beginnings, n_passages=n_passages)


def _lesioned_layers(recording: Recording, recipe: Recipe) -> dict[int, list[int]]:
    """For each lesion's layer, all layers at which it acts."""
    there = recording.layers(recipe.site)
    default = [there[(len(there) - 1) // 2]]
    chosen = (
        default if recipe.layers is None else chosen_layers(recording, recipe.site, recipe.layers)
    )
    if not recipe.onward:
        return {layer: [layer] for layer in chosen}
    return {layer: [at for at in there if at >= layer] for layer in chosen}


def _conditions(
    layer: int, fitted: Sequence[Fitted], recipe: Recipe, folds: Folds
) -> Iterator[Condition]:
    """Make all lesions that begin at a layer."""

    def lesion(name: str, pick: Any, **labels: Any) -> Condition:
        lesions = tuple(_lesion(pick(of), of, recipe) for of in fitted)
        return Condition(f"{name} @{layer}", lesions, _labels(layer=layer, **labels))

    for method in recipe.directions:
        for concept in folds.categories:
            yield lesion(
                f"{method} {concept}",
                lambda of, m=method, c=concept: of.directions[m][c],
                kind="direction",
                direction=method,
                concept=concept,
            )
    n_all = fitted[0].mean.shape[1]
    sizes = sizes_below_all(n_all, recipe)
    for of in fitted:
        _check_sizes(sizes, of, recipe)
    for size in sizes:
        for concept in folds.categories:
            yield lesion(
                f"{size} units {concept}",
                lambda of, k=size, c=concept: of.ranked[c][:k],
                kind="units",
                concept=concept,
                n_lesioned=size,
            )
    yield lesion("all units", lambda of: of.random_units[0], kind="units", n_lesioned=n_all)
    for draw in range(recipe.n_draws):
        for size in sizes:
            yield lesion(
                f"{size} random units {draw}",
                lambda of, k=size, d=draw: of.random_units[d, :k],
                kind="random_units",
                n_lesioned=size,
                draw=draw,
            )
        for kind in ("covariance", "isotropic"):
            yield lesion(
                f"random {kind} {draw}",
                lambda of, k=kind, d=draw: of.random[k][d],
                kind=f"random_{kind}",
                draw=draw,
            )
        # Once: what a lesion of further layers takes away is little after the first.
        shift = Inject(fitted[0].random["shift"][draw], 1.0, _where(fitted[0], recipe))
        labels = _labels("random_shift", layer=layer, draw=draw)
        yield Condition(f"random shift {draw} @{layer}", (shift,), labels)


def _labels(
    kind: str,
    *,
    layer: int = -1,
    direction: str = "",
    concept: str = "",
    n_lesioned: int = 0,
    draw: int = -1,
    recipe: str = "",
) -> dict[str, str | int]:
    """Write the labels of a condition: every condition has all of them."""
    return {
        "kind": kind,
        "lesioned_layer": layer,
        "direction": direction,
        "concept": concept,
        "n_lesioned": n_lesioned,
        "draw": draw,
        "recipe": recipe,
    }


def _where(fitted: Fitted, recipe: Recipe) -> Where:
    return Where(recipe.site, (fitted.layer,), recipe.positions)  # type: ignore[arg-type]


def _lesion(what: Any, fitted: Fitted, recipe: Recipe) -> Lesion:
    how: dict[str, Any] = {"replace": recipe.replace, "where": _where(fitted, recipe)}
    if recipe.replace == "mean":
        how["reference"] = fitted.mean
    if isinstance(what, Eraser):
        return Lesion(eraser=what, **how)
    if isinstance(what, Direction):
        return Lesion(direction=what, **how)
    return Lesion(units=tuple(what.tolist()), **how)
