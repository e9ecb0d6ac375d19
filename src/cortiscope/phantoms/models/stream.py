"""What the units of a model phantom's residual stream stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError

Array = NDArray[np.float64]

# Lengths in the stream, before `Stream.scale`; the code of a word has length 1.
FLAG = 0.5  # which says whether a token is a target
CATEGORY = 0.6  # along the axis of a word's category, at strength 1
NOISE = 0.06  # standard deviation, over words, along each axis that a kind plants
CONTEXT = 0.15  # of what one background sublayer adds
# What is moved for detectors. If it were longer, its length would change what the norm does; if
# shorter, detectors would take for it what lesions of units leave in its axes.
MOVED = 0.3

# Words are told apart by codes that are drawn at random; in fewer axes too many would be alike.
_LEAST_WORD_AXES = 24

_OVERLAP = 0.25
_N_PUSHES, _PUSH = 40, 0.1


@dataclass(frozen=True, eq=False)
class Stream:
    """The residual stream, divided into orthogonal subspaces.

    All are orthogonal to the mean of the units, which a LayerNorm takes out (but for categories
    that are in units of their own), so that a LayerNorm does what an RMSNorm does.

    Parameters
    ----------
    axes : mapping of str to ndarray of float64, shape (n_axes, n_units)
        Orthonormal rows by subspace: ``flag`` (other tokens, targets), ``word`` (what is left),
        and those that a kind of phantom asks for: ``category_0`` and on, ``answer``, and
        ``moved`` for what later tokens get before it becomes an answer.

    Examples
    --------
    >>> stream = Stream.draw(np.random.default_rng(0), 64, {"category": 3, "answer": 3})
    >>> {name: len(rows) for name, rows in stream.axes.items()}
    {'category': 3, 'answer': 3, 'flag': 2, 'word': 55}
    """

    axes: Mapping[str, Array]

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        n_units: int,
        sizes: Mapping[str, int],
        units: NDArray[np.intp] | None = None,
    ) -> Stream:
        """Draw subspaces.

        Parameters
        ----------
        rng : Generator
            Where chance comes from.
        n_units : int
            Width of the stream.
        sizes : mapping of str to int
            Axes of each subspace, which are spread over all units.
        units : ndarray of intp, shape (n_categories, n_selective), optional
            Units in which nothing else is, for a subspace ``category_0`` with an axis a category.

        Returns
        -------
        Stream
            With ``flag`` and ``word`` besides.

        Raises
        ------
        InputError
            When there are too few units.
        """
        sizes = {**sizes, "flag": 2}
        taken = 0 if units is None else units.size
        n_word = n_units - taken - 1 - sum(sizes.values())
        if n_word < _LEAST_WORD_AXES:
            raise InputError(
                f"The model phantom has {n_units} units, of which its categories leave "
                f"{max(n_word, 0)} to words, fewer than {_LEAST_WORD_AXES}; give it more n_units."
            )
        axes: dict[str, Array] = {}
        free = np.ones(n_units, dtype=bool)
        if units is not None:
            own = np.zeros((len(units), n_units))
            signs = rng.choice([-1.0, 1.0], size=units.shape)
            np.put_along_axis(own, units, signs / np.sqrt(units.shape[1]), axis=1)
            axes["category_0"] = own
            free[units] = False
        drawn = rng.standard_normal((free.sum(), free.sum()))
        drawn[:, 0] = 1.0
        rotation = np.zeros((free.sum() - 1, n_units))
        rotation[:, free] = np.linalg.qr(drawn)[0][:, 1:].T
        start = 0
        for name, size in {**sizes, "word": n_word}.items():
            axes[name] = rotation[start : start + size]
            start += size
        return cls(axes)

    @property
    def n_units(self) -> int:
        """Width of the stream."""
        return int(self.axes["word"].shape[1])

    @property
    def scale(self) -> float:
        """What lengths are multiplied by, so that a unit's root mean square is about 1."""
        return float(np.sqrt(self.n_units)) / 2

    @property
    def is_other(self) -> Array:
        """What the flag holds at tokens that are no target, shape (n_units,), read as 1."""
        return np.asarray(self.axes["flag"][0] / FLAG)

    @property
    def is_target(self) -> Array:
        """What the flag holds at targets, shape (n_units,), read as 1."""
        return np.asarray(self.axes["flag"][1] / FLAG)

    @property
    def noise(self) -> Array:
        """What a standard deviation of noise is at targets, axis by axis, (n_axes, n_units)."""
        planted = {name: rows for name, rows in self.axes.items() if name not in ("word", "flag")}
        sd = {"moved": NOISE * MOVED}
        return np.concatenate([rows * sd.get(name, NOISE) for name, rows in planted.items()])

    def codes(self, rng: np.random.Generator, n_codes: int) -> Array:
        """Draw codes of words, shape (n_codes, n_units), of length 1.

        Random codes are pushed apart until hardly any two of them overlap by more than
        `_OVERLAP`: then a word is still told from the others when a lesion takes half of its code.
        """
        drawn = _normalized(rng.standard_normal((n_codes, len(self.axes["word"]))))
        for _ in range(_N_PUSHES):
            overlap = drawn @ drawn.T
            np.fill_diagonal(overlap, 0.0)
            drawn = _normalized(drawn - _PUSH * np.maximum(overlap - _OVERLAP, 0.0) @ drawn)
        return np.asarray(drawn @ self.axes["word"])

    def normed(self, *squared_lengths: float) -> float:
        """Say what a length of 1 in the stream is after a norm.

        Parameters
        ----------
        *squared_lengths : float
            Of all that the token holds besides the code of its word and its flag.

        Returns
        -------
        float
            sqrt(n_units) over the length of all together.
        """
        total = 1.0 + FLAG**2 + sum(squared_lengths)
        return float(np.sqrt(self.n_units / total))


def _normalized(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
