"""Units on a sheet, as neurons in cortex: neighbours vary together and prefer the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.phantoms.phantom import Effect
from cortiscope.phantoms.scene import Scene, latents

# Waves along each side of the sheet: shorter ones hold nothing where neighbours are smooth.
_WAVES = 12

# A category's units: those in which it rises by this share of its peak or more.
_SELECTIVE = 0.5


def plant_sheet(scene: Scene, rng: np.random.Generator, *, reach: float = 0.15) -> Effect:
    """Lay units out on a square, over which words make smooth patterns and categories patches.

    The order of units on the sheet has nothing to do with their index. What a word does is
    smooth over the sheet, whatever its category, so that units can be laid out again by how they
    vary together, from other words; and each category raises a patch of its own on top of that.

    Parameters
    ----------
    scene : Scene
        Where it is planted.
    rng : Generator
        Where chance comes from.
    reach : float
        Standard deviation of the Gaussian by which patterns and patches are smooth, as a share of
        the sheet's side.

    Returns
    -------
    Effect
        Truth: ``position`` (unit, axis), 0 to 1; ``rise`` (category, unit), 1 at the centre of
        the category's patch; ``is_selective`` (category, unit), where it is a half or more.
    """
    if not (np.isfinite(reach) and reach > 0):
        raise InputError(f"A sheet's reach is {reach!r}; give a number above 0, such as 0.15.")
    design = scene.design
    position = _positions(design.n_units, rng)
    centres = position[rng.integers(design.n_units, size=design.n_categories)]
    squared = ((position - centres[:, None]) ** 2).sum(axis=-1)
    rise = np.exp(-squared / (2 * reach**2))
    waves = _waves(position, reach)
    # All units of one sign are no pattern on a sheet: the constant wave is left out.
    patterns = latents(design, rng, len(waves)) @ waves.astype(np.float32)
    sd = scene.sd_of_units
    planted = patterns * sd.astype(np.float32)
    planted += scene.by_word((rise * sd)[design.category_of_word])
    return Effect(
        planted,
        {
            "position": (("unit", "axis"), position),
            "rise": (("category", "unit"), rise),
            "is_selective": (("category", "unit"), rise >= _SELECTIVE),
        },
    )


def _positions(n_units: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Give units places on a square grid, in random order, (unit, axis)."""
    side = int(np.ceil(np.sqrt(n_units)))
    places = rng.permutation(n_units)
    return (np.stack([places // side, places % side], axis=1) + 0.5) / side


def _waves(position: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Cosine waves over the sheet (wave, unit), scaled so that every unit has variance 1."""
    number = np.arange(_WAVES)
    along = np.cos(np.pi * number[:, None, None] * position)  # (number, unit, axis)
    power = np.exp(-((np.pi * reach * number) ** 2) / 2)
    waves = (along[:, None, :, 0] * along[None, :, :, 1]) * (power[:, None] * power)[..., None]
    kept = waves.reshape(-1, len(position))[1:]
    return np.asarray(kept / np.sqrt((kept**2).sum(axis=0)))
