"""Effects that are no knowledge of the category, though a careless analysis reads it in them."""

from __future__ import annotations

import numpy as np

from cortiscope.errors import InputError
from cortiscope.phantoms.phantom import Effect
from cortiscope.phantoms.scene import Scene
from cortiscope.phantoms.words import letters_of, made_up_words, replace_words


def plant_surface(scene: Scene, rng: np.random.Generator, *, contrast: float = 0.5) -> Effect:
    """Encode length and letters of words, in words whose categories differ in both.

    The words of the design are replaced by made-up ones (in their label, and in the text where
    its span is marked). Given length and letters, activations say nothing about the category.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    contrast : float
        How far categories differ in letters and length: 0 not at all, 1 as far as can be.

    Returns
    -------
    Effect
        Truth: ``surface`` (word, feature), standardised over words, ``direction``
        (feature, unit), of length 1, and ``new_word`` (word).
    """
    if not 0 <= contrast <= 1:
        raise InputError(f"The contrast of the surface is {contrast!r}; give 0 to 1.")
    design = scene.design
    words = np.array(made_up_words(design.category_of_word, rng, contrast=contrast), dtype=object)
    counts = letters_of(list(words))
    surface = counts.to_numpy(dtype=np.float64)
    spread = surface.std(axis=0)
    surface = (surface - surface.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    directions = scene.directions(rng, surface.shape[1])
    shifts = scene.sd_along(directions)[:, None] * directions
    return Effect(
        scene.by_word(surface @ shifts),
        {
            "surface": (("word", "feature"), surface),
            "direction": (("feature", "unit"), directions),
            "feature": (("feature",), counts.columns.to_numpy(dtype=object)),
            "new_word": (("word",), words),
        },
        table=replace_words(design.table, design.groups, list(words[design.word])),
    )


def plant_training_words(
    scene: Scene, rng: np.random.Generator, *, identity: float = 10.0
) -> Effect:
    """Say which word it is, loudly, and nothing of its category.

    Beside the code of a word the noise of its sentences hardly counts: whoever has seen a word's
    label in one sentence knows it in the others, and whoever has not knows nothing.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    identity : float
        Standard deviation of the code in every unit, in standard deviations of the background.

    Returns
    -------
    Effect
        Truth: ``code`` (word, unit).
    """
    if not (np.isfinite(identity) and identity >= 0):
        raise InputError(f"The identity of words is {identity!r}; give a number of 0 or more.")
    shape = (scene.design.n_words, scene.design.n_units)
    code = identity * scene.sd_of_units * rng.standard_normal(shape)
    return Effect(scene.by_word(code), {"code": (("word", "unit"), code)})
