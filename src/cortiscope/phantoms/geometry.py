"""Effects on how units vary together; none holds the category."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.phantoms.background import power_law
from cortiscope.phantoms.phantom import Effect
from cortiscope.phantoms.scene import Scene, latents


def plant_nothing(scene: Scene, rng: np.random.Generator) -> Effect:
    """Leave the background as it is.

    Parameters
    ----------
    scene : Scene
        Where nothing is planted.
    rng : Generator
        Not used.

    Returns
    -------
    Effect
        Nothing.
    """
    return Effect(np.zeros((1, 1, 1), dtype=np.float32))


def plant_modules(scene: Scene, rng: np.random.Generator, *, n_modules: int = 8) -> Effect:
    """Let the units of a module vary together.

    At strength s a module's signal has s times the standard deviation that the background has in
    each of its units: over words within a frame, correlations within modules exceed those between
    by s² / (1 + s²).

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    n_modules : int
        Modules; units are dealt to them evenly, and at random.

    Returns
    -------
    Effect
        Truth: ``module`` of each unit.
    """
    module, loadings, signals = _modules(scene, rng, n_modules)
    return Effect(_spread(scene, signals, loadings), {"module": (("unit",), module)})


def plant_regrouping(scene: Scene, rng: np.random.Generator, *, n_modules: int = 8) -> Effect:
    """Let units vary together in modules that are others in each category.

    Strength counts as in `plant_modules`: correlations are as strong in every category, but
    between other units.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    n_modules : int
        Modules in each category; units are dealt to them evenly, and at random.

    Returns
    -------
    Effect
        Truth: ``module`` (category, unit).
    """
    dealt = [_modules(scene, rng, n_modules) for _ in range(scene.design.n_categories)]
    values = np.stack([_spread(scene, signals, loadings) for _, loadings, signals in dealt])
    stimuli = np.arange(scene.design.n_stimuli)
    module = np.stack([module for module, _, _ in dealt])
    truth = {"module": (("category", "unit"), module)}
    return Effect(values[scene.design.category, stimuli], truth)


def plant_no_modules(scene: Scene, rng: np.random.Generator, *, n_modules: int = 8) -> Effect:
    """Plant the signals of modules, turned so that they belong to no units.

    The turn is a reflection along axes of the background's covariance. It leaves that covariance
    as it is, so that background and effect together have the eigenvalues that they have with
    modules, while each signal is spread over all units.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    n_modules : int
        Modules that there would be.

    Returns
    -------
    Effect
        Truth: ``loading`` (signal, unit), as it is in ordinary units.
    """
    _, loadings, signals = _modules(scene, rng, n_modules)
    half = np.arange(scene.design.n_units) % 2
    flips = rng.permutation(2.0 * half - 1.0)
    turned = np.asarray(scene.rotation.apply(scene.rotation.undo(loadings) * flips))
    return Effect(_spread(scene, signals, turned), {"loading": (("signal", "unit"), turned)})


def plant_power_law(
    scene: Scene, rng: np.random.Generator, *, exponent: float | None = None
) -> Effect:
    """Replace the background by a rotated Gaussian: geometry without units.

    Words, frames and noise are the background's, and at strength 1 no unit is massive: all that
    is left is a spectrum along axes that have nothing to do with units. At strengths between,
    activations are a mixture of the two.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Not used.
    exponent : float, optional
        Exponent of the spectrum; the background's when left out.

    Returns
    -------
    Effect
        Truth: ``eigenvalue`` (axis), the variance over words within a frame.
    """
    if exponent is None:
        exponent = scene.design.background.exponent
    if not np.isfinite(exponent):
        raise InputError(f"The exponent of a power law is {exponent!r}; give a finite number.")
    eigenvalues = power_law(scene.design.n_units, exponent)
    return Effect(
        scene.turned(eigenvalues) - scene.activations(),
        {"eigenvalue": (("axis",), eigenvalues)},
    )


def plant_shared_geometry(
    scene: Scene, rng: np.random.Generator, *, n_dimensions: int = 10
) -> Effect:
    """Lay words out in the same way in every recording of them, along other axes in each.

    Where a word lies follows from the word, whatever the seed: phantoms of different seeds and
    numbers of units share their geometry and nothing else. It has nothing to do with categories.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from: the axes.
    n_dimensions : int
        Dimensions in which words lie, of equal variance; their axes are orthogonal as long as
        there are units enough.

    Returns
    -------
    Effect
        Truth: ``place`` (word, dimension), ``axis`` (dimension, unit), of length 1.
    """
    design = scene.design
    if n_dimensions < 1:
        raise InputError(f"A phantom's n_dimensions is {n_dimensions}; give 1 or more.")
    places = np.stack([_place_of(word, n_dimensions) for word in design.words])
    axes = scene.directions(rng, n_dimensions)
    variance = float((scene.sd_of_units**2).sum()) / n_dimensions
    return Effect(
        scene.by_word(np.sqrt(variance) * places @ axes),
        {"place": (("word", "dimension"), places), "axis": (("dimension", "unit"), axes)},
    )


def _place_of(word: str, n_dimensions: int) -> NDArray[np.float64]:
    """Draw where a word lies, standard normal in each dimension, from its name alone."""
    return np.random.default_rng(int(fingerprint(word), 16)).standard_normal(n_dimensions)


def _modules(
    scene: Scene, rng: np.random.Generator, n_modules: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float32]]:
    """Deal units to modules: each unit's module, loadings (module, unit), and signals."""
    n_units = scene.design.n_units
    if not 1 <= n_modules <= n_units:
        raise InputError(f"A phantom's n_modules is {n_modules}; give 1 to {n_units}, its units.")
    module = rng.permutation(np.arange(n_units) % n_modules)
    sd = scene.sd_of_units / scene.unit_scale
    loadings = (module == np.arange(n_modules)[:, None]) * sd
    return module, loadings, latents(scene.design, rng, n_modules)


def _spread(
    scene: Scene, signals: NDArray[np.float32], loadings: NDArray[np.float64]
) -> NDArray[np.float32]:
    return signals @ (loadings * scene.unit_scale).astype(np.float32)
