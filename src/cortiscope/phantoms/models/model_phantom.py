"""The type of this part of the room: a recipe for models whose causes are known."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from cortiscope.errors import InputError
from cortiscope.phantoms.design import PhantomDesign
from cortiscope.phantoms.models.assembly import Shape
from cortiscope.phantoms.models.kinds import Planted
from cortiscope.phantoms.models.lexicon import BOS, EOS, Lexicon
from cortiscope.subjects import Subject

if TYPE_CHECKING:
    from cortiscope.stimuli import StimulusSet

_SHAPE = {option.name: option.default for option in fields(Shape)}


def _as_it_is(design: PhantomDesign) -> PhantomDesign:
    return design


@dataclass(frozen=True)
class ModelPhantom:
    """A recipe for subjects that hold a category in a known place, with known effect.

    A subject has a token for every word of the stimuli. At a target's token the MLP of one layer
    recognises the word and writes its category into the residual stream; attention of a later
    layer moves what is read to the tokens that follow, where it makes the category's name the most
    probable next token, as after "an otter is a kind of". Words differ besides by a random code
    and by noise along every axis that is planted, which all other heads and neurons mix with the
    codes of other words. The categories are known of no other word.

    Parameters
    ----------
    name : str
        What claims and instruments call it.
    summary : str
        One line: where the category is, and what reads it.
    plant : callable
        Takes a `Lexicon`, a `Shape`, a numpy Generator and options by keyword, all with defaults;
        returns a `Planted`.
    shape : mapping of str to value
        Options of `Shape` whose defaults are others here.
    shown : callable
        Takes a `PhantomDesign` and gives the one whose stimuli an instrument shows to the phantom:
        by default the same.

    Examples
    --------
    >>> from cortiscope.phantoms import MODEL_PHANTOMS
    >>> design = PhantomDesign.balanced(n_categories=3, n_words=4, n_units=64)
    >>> phantom = MODEL_PHANTOMS["read_from_units"]
    >>> subject = phantom.make(design, seed=1, family="gpt2", n_units=64, n_selective=2)
    >>> subject.name
    "phantom:read_from_units(family='gpt2', n_selective=2, n_units=64, seed=1)"
    >>> truth = phantom.truth(design, seed=1, family="gpt2", n_units=64, n_selective=2)
    >>> truth["is_selective"].sum("unit").values.tolist()
    [2, 2, 2]
    >>> truth["is_read"].sel(place=0).values.tolist()
    [True, True, True, False]
    """

    name: str
    summary: str
    plant: Callable[..., Planted]
    shape: Mapping[str, Any] = field(default_factory=dict)
    shown: Callable[[PhantomDesign], PhantomDesign] = _as_it_is

    @property
    def options(self) -> dict[str, Any]:
        """The options that it takes, with their defaults: of `Shape`, and its own."""
        own = list(inspect.signature(self.plant).parameters.values())[3:]
        return _SHAPE | dict(self.shape) | {parameter.name: parameter.default for parameter in own}

    def make(self, stimuli: StimulusSet | PhantomDesign, seed: int = 0, **options: Any) -> Subject:
        """Make a subject.

        Parameters
        ----------
        stimuli : StimulusSet or PhantomDesign
            Whose words it knows. A StimulusSet has labels ``category`` and ``word``; a design says
            itself which labels hold them. The design's size is not used.
        seed : int
            0 or more; the same seed gives the same weights.
        **options
            Some of `options`.

        Returns
        -------
        Subject
            In float32 on the CPU; its anatomy was proved.

        Raises
        ------
        InputError
            For a negative seed, options that it does not take or that do not fit, and stimuli whose
            words have no category each.
        """
        lexicon, shape, planted = self._drawn(stimuli, seed, options)
        model = shape.model_family.build(
            planted.circuit, bos_id=lexicon.ids[BOS], eos_id=lexicon.ids[EOS]
        )
        return Subject.from_model(model, lexicon.tokenizer(), self.called(seed, **options))

    def called(self, seed: int = 0, **options: Any) -> str:
        """Say how the subject is called that `make` makes with the same seed and options."""
        arguments = [f"{name}={value!r}" for name, value in sorted(options.items())]
        return f"phantom:{self.name}({', '.join([*arguments, f'seed={seed}'])})"

    def truth(
        self, stimuli: StimulusSet | PhantomDesign, seed: int = 0, **options: Any
    ) -> xr.Dataset:
        """Say what `make` plants for the same stimuli, seed and options, and where.

        Parameters
        ----------
        stimuli : StimulusSet or PhantomDesign
            The stimuli.
        seed : int
            The seed.
        **options
            The options.

        Returns
        -------
        xarray.Dataset
            Of the residual stream after each layer (site ``resid_post``) at the target:

            - ``direction`` (place, category, unit): of length 1, along which the words lie;
            - ``length``: how far, from words of other categories;
            - ``is_present`` (layer): whether the category is there;
            - ``is_read`` (place, layer): whether what follows reads it there. Where there are
              several copies, any one of them suffices.

            And what the kind adds: see the function that plants it.

        Raises
        ------
        InputError
            As `make`.
        """
        lexicon, shape, planted = self._drawn(stimuli, seed, options)
        layer, n_copies = np.arange(shape.n_layers), len(planted.copies)
        is_present = (layer >= shape.written) & (shape.strength > 0)
        is_read = is_present & (layer < shape.read_layer) & planted.is_read
        return xr.Dataset(
            {
                "direction": (
                    ("place", "category", "unit"),
                    np.stack(planted.copies).astype(np.float32),
                ),
                "length": planted.length,
                "is_present": (("layer",), is_present),
                "is_read": (("place", "layer"), np.tile(is_read, (n_copies, 1))),
                **planted.truth,
            },
            coords={
                "place": np.arange(n_copies),
                "category": list(lexicon.categories),
                "layer": layer,
            },
            attrs={"phantom": self.name, "seed": int(seed)},
        )

    def _drawn(
        self, stimuli: StimulusSet | PhantomDesign, seed: int, options: dict[str, Any]
    ) -> tuple[Lexicon, Shape, Planted]:
        if seed < 0:
            raise InputError(f"The seed of phantom {self.name!r} is {seed}; give 0 or more.")
        if unknown := sorted(set(options) - set(self.options)):
            raise InputError(
                f"The phantom {self.name!r} has no option {unknown[0]!r}; it takes "
                f"{', '.join(self.options)}."
            )
        given = {name: value for name, value in options.items() if name in _SHAPE}
        shape = Shape(**{**self.shape, **given})
        own = {name: value for name, value in options.items() if name not in _SHAPE}
        if not isinstance(stimuli, PhantomDesign):
            stimuli = PhantomDesign(stimuli.table, shape.n_units)
        lexicon = Lexicon.of(stimuli)
        return lexicon, shape, self.plant(lexicon, shape, np.random.default_rng(seed), **own)
