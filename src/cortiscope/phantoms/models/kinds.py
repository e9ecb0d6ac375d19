"""Where model phantoms hold a category, and what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
