"""Where model phantoms hold a category, and what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.phantoms.models.assembly import Assembly, Shape
from cortiscope.phantoms.models.circuit import Circuit
from cortiscope.phantoms.models.lexicon import Lexicon
from cortiscope.phantoms.models.stream import CATEGORY, Array, Stream

# Sums of copies between which the answer rises: one copy is enough, what noise leaves is not.
_ENOUGH = (0.5, 0.75)

# Of the logarithm of the gain with which categories are read, over categories.
_GAIN_SD = 0.3


@dataclass(frozen=True, eq=False)
class Planted:
    """A circuit, and what is true of it.

    Parameters
    ----------
    circuit : Circuit
        The weights.
    copies : tuple of ndarray, shape (n_categories, n_units)
        For each copy of the category, a direction of length 1 a category.
    length : float
        Length of a category along its direction, in the stream.
    is_read : bool
        Whether the answer depends on the category.
    truth : mapping of str to (dims, array)
        What else is true, as variables of an xarray Dataset.
    """

    circuit: Circuit
    copies: tuple[Array, ...]
    length: float
    is_read: bool = True
    truth: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] = field(default_factory=dict)


def read_from_direction(lexicon: Lexicon, shape: Shape, rng: np.random.Generator) -> Planted:
    """Write each category along one direction over all units, and read it from there."""
    n_categories = len(lexicon.categories)
    sizes = {"category_0": n_categories, "answer": n_categories}
    return _read_evenly(Assembly(lexicon, shape, Stream.draw(rng, shape.n_units, sizes), rng))


def read_from_units(
    lexicon: Lexicon, shape: Shape, rng: np.random.Generator, *, n_selective: int = 4
) -> Planted:
    """Write each category in a few units of its own, in which nothing else is, and read these.

    Parameters
    ----------
    lexicon : Lexicon
        Its tokens.
    shape : Shape
        Its size.
    rng : Generator
        Where chance comes from.
    n_selective : int
        Units for each category.

    Returns
    -------
    Planted
        Truth: ``is_selective`` (category, unit).
    """
    n_categories = len(lexicon.categories)
    if not 1 <= n_selective * n_categories <= shape.n_units:
        raise InputError(
            f"A model phantom of {shape.n_units} units cannot give {n_selective} to each of "
            f"{n_categories} categories; give n_selective from 1 to "
            f"{shape.n_units // n_categories}, or more units."
        )
    chosen = rng.permutation(shape.n_units)[: n_categories * n_selective]
    units = chosen.reshape(n_categories, n_selective)
    is_selective = np.zeros((n_categories, shape.n_units), dtype=bool)
    np.put_along_axis(is_selective, units, True, axis=1)
    stream = Stream.draw(rng, shape.n_units, {"answer": n_categories}, units)
    return _read_evenly(
        Assembly(lexicon, shape, stream, rng),
        {"is_selective": (("category", "unit"), is_selective)},
    )


def present_not_read(lexicon: Lexicon, shape: Shape, rng: np.random.Generator) -> Planted:
    """Write each category along one direction that nothing reads: words give the answer.

    Parameters
    ----------
    lexicon : Lexicon
        Its tokens.
    shape : Shape
        Its size.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    Planted
        Truth: ``word_axes`` (axis, unit), an orthonormal basis of the words' codes, from which
        the answer is read.
    """
    n_categories = len(lexicon.categories)
    # Codes of words are needed twice, at the target and where the prompt ends.
    n_axes = (shape.n_units - 2 * n_categories - 2) // 2
    sizes = {"category_0": n_categories, "answer": n_categories, "moved": max(n_axes, 0)}
    stream = Stream.draw(rng, shape.n_units, sizes)
    assembly = Assembly(lexicon, shape, stream, rng)
    assembly.write_category()
    assembly.answer_from_words()
    return _planted(
        assembly,
        answer_length=1.0,
        is_read=False,
        truth={"word_axes": (("axis", "unit"), stream.axes["word"].astype(np.float32))},
    )


def stored_twice(lexicon: Lexicon, shape: Shape, rng: np.random.Generator) -> Planted:
    """Write each category along two directions, either of which suffices for the answer."""
    n_categories = len(lexicon.categories)
    names = ("category_0", "category_1", "moved", "answer")
    stream = Stream.draw(rng, shape.n_units, dict.fromkeys(names, n_categories))
    assembly = Assembly(lexicon, shape, stream, rng)
    assembly.write_category()
    assembly.answer_from_copies(_ENOUGH)
    return _planted(assembly, answer_length=1.0)


def steered_by_length(
    lexicon: Lexicon, shape: Shape, rng: np.random.Generator, *, spread: float = 3.0
) -> Planted:
    """Write categories of different length, and read the longer ones the less.

    The longer a category, the more directions have to be taken out before no probe reads it: it
    counts as one of more dimensions. The logarithm of the gain with which it is read is random,
    and falls by the strength for each standard deviation of the lengths. At a strength of 0 what an
    injection does to the answer is what chance gives, whatever the length.

    Parameters
    ----------
    lexicon : Lexicon
        Its tokens.
    shape : Shape
        Its size; its strength is not the length of a category.
    rng : Generator
        Where chance comes from.
    spread : float
        How many times the shortest category the longest is; their geometric mean is 1.

    Returns
    -------
    Planted
        Truth: ``lengths`` and ``gain`` (category).
    """
    if spread <= 1:
        raise InputError(f"The phantom's spread is {spread}; give more than 1.")
    n_categories = len(lexicon.categories)
    of_kind, rng = rng.spawn(2)
    place = of_kind.permutation(np.linspace(-1.0, 1.0, n_categories))
    lengths = np.sqrt(spread) ** place
    chance = _GAIN_SD * of_kind.standard_normal(n_categories)
    gain = np.exp(chance - shape.strength * place / place.std())
    sizes = {"category_0": n_categories, "answer": n_categories}
    stream = Stream.draw(rng, shape.n_units, sizes)
    assembly = Assembly(lexicon, replace(shape, strength=1.0), stream, rng)
    assembly.write_category(lengths)
    assembly.answer_evenly(gain)
    return _planted(
        assembly,
        answer_length=1.0,
        truth={"lengths": (("category",), lengths), "gain": (("category",), gain)},
    )


def _read_evenly(
    assembly: Assembly, truth: Mapping[str, tuple[tuple[str, ...], NDArray[Any]]] | None = None
) -> Planted:
    assembly.write_category()
    assembly.answer_evenly()
    return _planted(assembly, answer_length=assembly.shape.strength, truth=truth or {})


def _planted(assembly: Assembly, answer_length: float, **about: Any) -> Planted:
    return Planted(
        assembly.circuit(answer_length),
        tuple(assembly.copies),
        length=assembly.shape.strength * CATEGORY * assembly.stream.scale,
        **about,
    )
