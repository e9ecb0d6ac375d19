"""The type that this room is about: a recipe for recordings whose truth is known."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.phantoms.design import PhantomDesign
from cortiscope.phantoms.scene import Scene
from cortiscope.scanning import Recording


@dataclass(frozen=True, eq=False)
class Effect:
    """What a phantom plants, at strength 1.

    Parameters
    ----------
    values : ndarray of float32
        What is added to the background; broadcasts to (n_stimuli, n_layers, n_units).
    truth : mapping of str to (dims, array)
        What was planted and where, as variables of an xarray Dataset. The dimensions
        ``category``, ``word`` and ``unit`` are those of the design.
    table : DataFrame, optional
        The stimuli, where the phantom brings words of its own.
    """

    values: NDArray[np.float32]
    truth: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] = field(default_factory=dict)
    table: pd.DataFrame | None = None


@dataclass(frozen=True)
class Phantom:
    """A recipe for recordings with one planted effect on a background that all phantoms share.

    For one design and one seed the background is the same in every phantom, so that two differ by
    what they plant alone, and at strength 0 it is all that there is.

    Parameters
    ----------
    name : str
        What claims and instruments call it.
    summary : str
        One line: what is planted.
    strength_means : str
        One line: what strength 1 is.
    plant : callable
        Takes a `Scene`, a numpy Generator and options by keyword, all with defaults; returns an
        `Effect`. What happens in a word happens in all of its sentences.

    Examples
    --------
    >>> from cortiscope.phantoms import PHANTOMS
    >>> design = PhantomDesign.balanced(n_categories=3, n_words=10, n_units=64)
    >>> PHANTOMS["patch"].make(design, seed=7, strength=2.0, n_selective=4).name
    'phantom:patch(n_selective=4, strength=2, seed=7)'
    >>> truth = PHANTOMS["patch"].truth(design, seed=7, n_selective=4)
    >>> truth["is_selective"].sum("unit").values.tolist()
    [4, 4, 4]
    """

    name: str
    summary: str
    strength_means: str
    plant: Callable[..., Effect]

    @property
    def options(self) -> dict[str, Any]:
        """The options that it takes, with their defaults."""
        parameters = list(inspect.signature(self.plant).parameters.values())[2:]
        return {parameter.name: parameter.default for parameter in parameters}

    def make(
        self, design: PhantomDesign, seed: int, strength: float = 1.0, **options: Any
    ) -> Recording:
        """Make a recording in which the effect is planted.

        Parameters
        ----------
        design : PhantomDesign
            Stimuli, units and layers.
        seed : int
            0 or more; the same seed gives the same bytes.
        strength : float
            How much is planted, 0 or more; what 1 is, `strength_means` says.
        **options
            Some of `options`.

        Returns
        -------
        Recording
            In memory, float32, at site ``resid_post``. Its provenance has what it takes to make
            it again, under ``phantom``.

        Raises
        ------
        InputError
            For a negative strength or seed, and for options that it does not take or that do not
            fit the design.
        """
        if not (np.isfinite(strength) and strength >= 0):
            raise InputError(
                f"The strength of phantom {self.name!r} is {strength!r}; give a number of 0 or "
                "more."
            )
        scene, effect = self._drawn(design, seed, options)
        activations = scene.activations()
        activations += np.float32(strength) * effect.values
        arguments = [f"{name}={value!r}" for name, value in sorted(options.items())]
        arguments += [f"strength={strength:g}", f"seed={seed}"]
        return Recording.from_arrays(
            {"resid_post": activations},
            stimuli=design.table if effect.table is None else effect.table,
            name=f"phantom:{self.name}({', '.join(arguments)})",
            provenance={
                "made": "phantom",
                "phantom": {
                    "name": self.name,
                    "seed": int(seed),
                    "strength": float(strength),
                    "options": self.options | options,
                    "design": design.fingerprint,
                    "background": asdict(design.background),
                },
            },
        )

    def truth(self, design: PhantomDesign, seed: int, **options: Any) -> xr.Dataset:
        """Say what `make` plants for the same design, seed and options, and where.

        Parameters
        ----------
        design : PhantomDesign
            Stimuli, units and layers.
        seed : int
            The seed.
        **options
            The options.

        Returns
        -------
        xarray.Dataset
            ``is_massive`` (unit), ``sd`` (unit), the background's standard deviation over words
            within a frame, and what the phantom planted: see the function that plants it.

        Raises
        ------
        InputError
            As `make`.
        """
        scene, effect = self._drawn(design, seed, options)
        return xr.Dataset(
            {
                "is_massive": (("unit",), scene.is_massive),
                "sd": (("unit",), scene.sd_of_units),
                **effect.truth,
            },
            coords={"category": list(design.categories), "word": list(design.words)},
            attrs={"phantom": self.name, "seed": int(seed)},
        )

    def _drawn(
        self, design: PhantomDesign, seed: int, options: Mapping[str, Any]
    ) -> tuple[Scene, Effect]:
        if seed < 0:
            raise InputError(f"The seed of phantom {self.name!r} is {seed}; give 0 or more.")
        if unknown := sorted(set(options) - set(self.options)):
            raise InputError(
                f"The phantom {self.name!r} has no option {unknown[0]!r}; it takes "
                f"{', '.join(self.options) or 'none'}."
            )
        of_background, of_effect = np.random.SeedSequence(seed).spawn(2)
        scene = Scene.draw(design, of_background)
        return scene, self.plant(scene, np.random.default_rng(of_effect), **options)
