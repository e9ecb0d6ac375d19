"""One draw of the background, and what an effect needs to know to be planted in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cortiscope.phantoms.background import Rotation, random_signs
from cortiscope.phantoms.design import PhantomDesign

# At most one unit in so many is massive, however small the phantom.
_UNITS_PER_MASSIVE = 16

# Rows of the rotation that are held in memory at once.
_BLOCK = 512


@dataclass(frozen=True, eq=False)
class Scene:
    """The background of one seed: its anatomy and its activations.

    Parameters
    ----------
    design : PhantomDesign
        Stimuli, size and shape of the background.
    rotation : Rotation
        From the axes of the covariance to units.
    unit_scale : ndarray of float64, shape (n_units,)
        1, and `Background.massive_scale` in massive units.
    unit_mean : ndarray of float64, shape (n_units,)
        0, and plus or minus `Background.massive_mean` in massive units.
    latents : ndarray of float32, shape (n_stimuli, n_layers, n_units)
        Words, frames and noise along the axes of the covariance, before the eigenvalues scale
        them.

    Examples
    --------
    >>> design = PhantomDesign.balanced(n_categories=2, n_words=4, n_units=64)
    >>> scene = Scene.draw(design, np.random.SeedSequence(0))
    >>> scene.activations().shape
    (24, 1, 64)
    >>> len(scene.ordinary_units)
    61
    """

    design: PhantomDesign
    rotation: Rotation
    unit_scale: NDArray[np.float64]
    unit_mean: NDArray[np.float64]
    latents: NDArray[np.float32]

    @classmethod
    def draw(cls, design: PhantomDesign, seed: np.random.SeedSequence) -> Scene:
        """Draw anatomy and activations.

        Parameters
        ----------
        design : PhantomDesign
            What is drawn.
        seed : SeedSequence
            Where chance comes from.

        Returns
        -------
        Scene
            The same for the same design and seed.
        """
        background, n_units = design.background, design.n_units
        anatomy, activity = map(np.random.default_rng, seed.spawn(2))
        n_massive = min(background.n_massive, n_units // _UNITS_PER_MASSIVE)
        massive = anatomy.choice(n_units, size=n_massive, replace=False)
        scale, mean = np.ones(n_units), np.zeros(n_units)
        scale[massive] = background.massive_scale
        mean[massive] = background.massive_mean * random_signs(anatomy, n_massive)
        return cls(
            design=design,
            rotation=Rotation.draw(anatomy, n_units),
            unit_scale=scale,
            unit_mean=mean,
            latents=latents(design, activity, n_units, frame_variance=background.frame_variance),
        )

    def activations(self) -> NDArray[np.float32]:
        """Give the background itself, shape (n_stimuli, n_layers, n_units)."""
        turned = self.turned(self.design.background.eigenvalues(self.design.n_units))
        turned *= self.unit_scale.astype(np.float32)
        turned += self.unit_mean.astype(np.float32)
        return turned

    def turned(self, eigenvalues: NDArray[np.float64]) -> NDArray[np.float32]:
        """Give the latents these eigenvalues and turn them into units.

        Parameters
        ----------
        eigenvalues : ndarray of float64, shape (n_units,)
            Variance within a frame along each axis.

        Returns
        -------
        ndarray of float32, shape (n_stimuli, n_layers, n_units)
            A rotated Gaussian, before units are scaled.
        """
        scaled = self.latents * np.sqrt(eigenvalues).astype(np.float32)
        return np.asarray(self.rotation.apply(scaled), dtype=np.float32)

    @property
    def is_massive(self) -> NDArray[np.bool_]:
        """Which units are massive, shape (n_units,)."""
        return np.asarray((self.unit_scale != 1) | (self.unit_mean != 0))

    @property
    def ordinary_units(self) -> NDArray[np.intp]:
        """The units that are not massive, ascending."""
        return np.flatnonzero(~self.is_massive)

    def sd_along(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the background's standard deviation over words, within a frame, along directions.

        Parameters
        ----------
        directions : ndarray of float64, shape (..., n_units)
            Vectors of length 1.

        Returns
        -------
        ndarray of float64, shape (...)
            Of the population, not of the sample that was drawn.
        """
        eigenvalues = self.design.background.eigenvalues(self.design.n_units)
        along_axes = self.rotation.undo(directions * self.unit_scale)
        return np.asarray(np.sqrt((along_axes**2) @ eigenvalues))

    @cached_property
    def sd_of_units(self) -> NDArray[np.float64]:
        """The background's standard deviation over words, within a frame, shape (n_units,)."""
        n_units = self.design.n_units
        blocks = []
        for start in range(0, n_units, _BLOCK):
            units = np.arange(start, min(start + _BLOCK, n_units))
            axes = np.zeros((len(units), n_units))
            axes[np.arange(len(units)), units] = 1.0
            blocks.append(self.sd_along(axes))
        return np.concatenate(blocks)

    def directions(self, rng: np.random.Generator, n_directions: int) -> NDArray[np.float64]:
        """Draw random directions for effects.

        Parameters
        ----------
        rng : Generator
            Where chance comes from.
        n_directions : int
            How many.

        Returns
        -------
        ndarray of float64, shape (n_directions, n_units)
            Vectors of length 1 that leave massive units alone: what is planted in them outlives
            taking those out. Orthogonal as long as there are units enough.
        """
        units = self.ordinary_units
        drawn = rng.standard_normal((len(units), n_directions))
        if n_directions <= len(units):
            drawn = np.linalg.qr(drawn)[0]
        directions = np.zeros((n_directions, self.design.n_units))
        directions[:, units] = (drawn / np.linalg.norm(drawn, axis=0)).T
        return directions

    def by_word(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Give every sentence of a word, at every layer, what its word has.

        Parameters
        ----------
        values : ndarray, shape (n_words, n_units)
            What is added to each word.

        Returns
        -------
        ndarray of float32, shape (n_stimuli, 1, n_units)
            As an `Effect` takes it.
        """
        return values.astype(np.float32)[self.design.word][:, None]


def latents(
    design: PhantomDesign,
    rng: np.random.Generator,
    n_columns: int,
    *,
    frame_variance: float = 0.0,
) -> NDArray[np.float32]:
    """Draw what stimuli have in common by their words, frames and layers, and nothing else.

    Parameters
    ----------
    design : PhantomDesign
        Words, frames and layers, with their shares of the variance.
    rng : Generator
        Where chance comes from.
    n_columns : int
        Independent columns.
    frame_variance : float
        Variance of the effects of frames.

    Returns
    -------
    ndarray of float32, shape (n_stimuli, n_layers, n_columns)
        Gaussian, with variance 1 over words within a frame. Layers form a chain in which
        neighbours correlate.
    """
    background = design.background

    def draw(n_rows: int, variance: float) -> NDArray[np.float32]:
        shape = (n_rows, design.n_layers, n_columns)
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(np.sqrt(variance))

    values = draw(design.n_words, background.word_share)[design.word]
    values += draw(design.n_stimuli, 1.0 - background.word_share)
    if frame_variance:
        values += draw(design.n_frames, frame_variance)[design.frame]
    kept = np.float32(background.layer_correlation)
    for layer in range(1, design.n_layers):
        values[:, layer] *= np.sqrt(1 - kept**2)
        values[:, layer] += kept * values[:, layer - 1]
    return values
