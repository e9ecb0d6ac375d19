"""Effects that hold the category: in directions, in units, in a subspace, in a non-linear code.

Strength is d', how far a category's words lie from the others, in standard deviations of the
background over words within a frame (in tens of them where some categories overshadow others).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.phantoms.phantom import Effect
from cortiscope.phantoms.scene import Scene


def plant_direction(scene: Scene, rng: np.random.Generator) -> Effect:
    """Move each category along one random direction of its own.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    Effect
        Truth: ``direction`` (category, unit), of length 1.
    """
    directions = scene.directions(rng, scene.design.n_categories)
    shifts = scene.sd_along(directions)[:, None] * directions
    return Effect(
        scene.by_word(shifts[scene.design.category_of_word]),
        {"direction": (("category", "unit"), directions)},
    )


def plant_units(
    scene: Scene, rng: np.random.Generator, *, n_selective: int = 5, n_tuned: int | None = None
) -> Effect:
    """Raise a category in units of its own, anywhere among the ordinary ones.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    n_selective : int
        Units for each category. Where there are too few for all, categories share some, which
        lowers d'.
    n_tuned : int, optional
        Categories that have units, the first so many; all when left out.

    Returns
    -------
    Effect
        Truth: ``is_selective`` (category, unit).
    """
    units = rng.permutation(scene.ordinary_units)
    _check_n_selective(n_selective, len(units))
    n_categories = scene.design.n_categories
    if n_tuned is not None and not 1 <= n_tuned <= n_categories:
        raise InputError(
            f"A phantom's n_tuned is {n_tuned}; give 1 to {n_categories}, its categories."
        )
    is_selective = np.zeros((n_categories, scene.design.n_units), dtype=bool)
    for category, mine in enumerate(is_selective[:n_tuned]):
        mine[units[(category * n_selective + np.arange(n_selective)) % len(units)]] = True
    return _raised(scene, is_selective)


def plant_patch(scene: Scene, rng: np.random.Generator, *, n_selective: int = 5) -> Effect:
    """Raise a category in neighbouring units.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    n_selective : int
        Units for each category. Where there are too few for all, patches overlap, which lowers
        d'.

    Returns
    -------
    Effect
        Truth: ``is_selective`` (category, unit).
    """
    n_categories, n_units = scene.design.n_categories, scene.design.n_units
    _check_n_selective(n_selective, n_units)
    n_left = n_units - n_categories * n_selective
    if n_left >= 0:  # gaps of random size between patches in random order
        gaps = np.sort(rng.integers(0, n_left + 1, size=n_categories))
        starts = rng.permutation(gaps + n_selective * np.arange(n_categories))
    else:
        starts = rng.integers(0, n_units - n_selective + 1, size=n_categories)
    units = np.arange(n_units)
    is_selective = (units >= starts[:, None]) & (units < starts[:, None] + n_selective)
    return _raised(scene, is_selective)


def plant_subspace(
    scene: Scene, rng: np.random.Generator, *, shares: Sequence[float] = (0.5, 0.3, 0.2)
) -> Effect:
    """Move parts of a category along orthogonal directions, as kinds within it.

    A category whose words all move along several directions together has moved along their sum:
    that is one direction. Here each word moves along one of them, so the words of a category
    fill as many dimensions as there are shares.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    shares : sequence of float
        For each direction the share of the category's words that move along it; they are divided
        by their sum.

    Returns
    -------
    Effect
        Truth: ``direction`` (category, kind, unit), of length 1; ``kind`` of each word;
        ``share`` (kind).
    """
    weights = np.asarray(shares, dtype=np.float64)
    if weights.ndim != 1 or not len(weights) or not (np.isfinite(weights) & (weights > 0)).all():
        raise InputError(f"The shares of a subspace are {shares!r}; give numbers above 0.")
    design, n_kinds = scene.design, len(weights)
    directions = scene.directions(rng, design.n_categories * n_kinds)
    shifts = scene.sd_along(directions)[:, None] * directions
    ends = np.cumsum(weights / weights.sum())
    kind = np.zeros(design.n_words, dtype=np.intp)
    for category in range(design.n_categories):
        words = rng.permutation(np.flatnonzero(design.category_of_word == category))
        places = (np.arange(len(words)) + 0.5) / len(words)
        kind[words] = np.minimum(np.searchsorted(ends, places), n_kinds - 1)
    return Effect(
        scene.by_word(shifts[design.category_of_word * n_kinds + kind]),
        {
            "direction": (
                ("category", "kind", "unit"),
                directions.reshape(design.n_categories, n_kinds, -1),
            ),
            "kind_of_word": (("word",), kind),
            "share": (("kind",), weights / weights.sum()),
        },
    )


def plant_xor(scene: Scene, rng: np.random.Generator) -> Effect:
    """Split the category between two codes, neither of which tells anything about it.

    Each word draws a key at random; its lock is the category minus the key, modulo the number of
    categories. Each value of the key, and each of the lock, has a direction of its own. Key and
    lock are each independent of the category, so that no category has a mean of its own; both
    together say it. For two categories this is the exclusive or.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    Effect
        Truth: ``key`` and ``lock`` (word), ``key_direction`` and ``lock_direction``
        (value, unit), of length 1.

    Notes
    -----
    No linear score of one category against the rest can tell them apart: its AUC is a half, as
    each code is independent of the category. The highest of several scores is right a little more
    often than chance all the same, once the codes are strong: a category's words vary most along
    what a probe has fitted to that category's words, noise as it may be. For 10 categories of 40
    words in 160 units a ridge probe is right in .100, .103 and .105 of words at strengths 1, 2
    and 3 (chance .100; standard error .0014), where one that is given the products of both codes
    is right in .10, .17 and .38. With two categories there is nothing of this.

    References
    ----------
    Minsky & Papert (1969), Perceptrons.
    """
    design, n_values = scene.design, scene.design.n_categories
    key = rng.integers(n_values, size=design.n_words)
    lock = (design.category_of_word - key) % n_values
    directions = scene.directions(rng, 2 * n_values)
    shifts = scene.sd_along(directions)[:, None] * directions
    return Effect(
        scene.by_word(shifts[key] + shifts[n_values + lock]),
        {
            "key": (("word",), key),
            "lock": (("word",), lock),
            "key_direction": (("value", "unit"), directions[:n_values]),
            "lock_direction": (("value", "unit"), directions[n_values:]),
        },
    )


def plant_overshadowed(
    scene: Scene,
    rng: np.random.Generator,
    *,
    share_faint: float = 0.3,
    separation: float = 1.5,
    spread: float = 1.0,
) -> Effect:
    """Plant some categories plainly, and others faintly in words that vary as the plain ones do.

    The words of a plain category lie 1 along its direction. Along the directions of the faint
    categories every word varies with a standard deviation of 1, and a faint category's words lie
    `separation` further along its own. Those words vary along the plain directions too, at
    random: it says nothing about which faint category they belong to, yet looks like one plain
    category in one word and like another in the next. A probe of a category's own passes over
    that. A softmax probe cannot, as the plain categories are told apart there: the odds that it
    gives to a faint category fall with whatever a word has of the plain ones.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    share_faint : float
        Share of the categories that are faint; one of them at least, and not all.
    separation : float
        d' of a faint category's words along its own direction, at any strength that drowns the
        background.
    spread : float
        Standard deviation of the faint categories' words along each plain direction.

    Returns
    -------
    Effect
        Truth: ``direction`` (category, unit), of length 1, and ``is_faint`` (category).

    Notes
    -----
    Ten standard deviations of the background make strength 1. For 10 categories of 40 words in
    160 units a softmax probe's AUC is .02 below that of own probes at strength 2 and .03 at 16,
    on average over all categories; in the faint ones it keeps about half of what they read.
    """
    if not (0 <= share_faint <= 1 and np.isfinite([separation, spread]).all() and spread >= 0):
        raise InputError(
            f"An overshadowed phantom has share_faint {share_faint}, separation {separation} and "
            f"spread {spread}; give a share of 0 to 1 and finite numbers, the spread 0 or more."
        )
    design = scene.design
    n_faint = min(max(round(share_faint * design.n_categories), 1), design.n_categories - 1)
    is_faint = np.arange(design.n_categories) >= design.n_categories - n_faint
    directions = scene.directions(rng, design.n_categories)
    is_own = design.category_of_word[:, None] == np.arange(design.n_categories)
    drawn = rng.standard_normal(is_own.shape)
    plain = np.where(is_faint[design.category_of_word][:, None], spread * drawn, is_own)
    along = np.where(is_faint, drawn + separation * is_own, plain)
    shifts = 10.0 * scene.sd_along(directions)[:, None] * directions
    return Effect(
        scene.by_word(along @ shifts),
        {"direction": (("category", "unit"), directions), "is_faint": (("category",), is_faint)},
    )


def _check_n_selective(n_selective: int, n_units: int) -> None:
    if not 1 <= n_selective <= n_units:
        raise InputError(
            f"A phantom's n_selective is {n_selective}; give 1 to {n_units}, as many as it has "
            "units for it."
        )


def _raised(scene: Scene, is_selective: NDArray[np.bool_]) -> Effect:
    rises = is_selective * scene.sd_of_units
    return Effect(
        scene.by_word(rises[scene.design.category_of_word]),
        {"is_selective": (("category", "unit"), is_selective)},
    )
