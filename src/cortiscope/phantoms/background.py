"""What every phantom shares: activations as a language model's are, that hold no category."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from cortiscope.errors import InputError


@dataclass(frozen=True)
class Background:
    """Shape of the activations in which an effect is planted.

    A stimulus is the sum of an effect of its word, an effect of its frame and noise of its own.
    All three have one covariance: eigenvalues that fall as a power law, along axes that a random
    rotation spreads over all units. A few units are massive: what they hold is scaled up, around
    a large mean. The variance over words within a frame (word and noise together) is 1 in a unit
    on average, before massive units are scaled.

    The defaults lie where small trained transformers do (words hold .8 to .9 of the variance
    within a frame, eigenvalues fall with an exponent of 1 to 1.6, neighbouring layers correlate
    at .6 to .8 at the target's last token).

    Parameters
    ----------
    exponent : float
        Eigenvalue i of the covariance is proportional to i**-exponent.
    word_share : float
        Share of the variance within a frame that the sentences of a word have in common.
    frame_variance : float
        Variance of the effects of frames, where the variance within a frame is 1.
    layer_correlation : float
        Correlation of a unit with itself one layer up.
    n_massive : int
        Number of massive units; never more than one unit in 16.
    massive_scale : float
        How many times larger their standard deviation is.
    massive_mean : float
        Size of their mean, in standard deviations of an ordinary unit; its sign is random.

    Raises
    ------
    InputError
        For a value that is not finite, a share outside 0 to 1, or a size below 0.

    References
    ----------
    Stringer et al. (2019), Nature 571, 361-365 (power law of eigenvalues); Sun et al. (2024),
    Massive Activations in Large Language Models, COLM.
    """

    exponent: float = 1.0
    word_share: float = 0.8
    frame_variance: float = 0.5
    layer_correlation: float = 0.8
    n_massive: int = 3
    massive_scale: float = 10.0
    massive_mean: float = 50.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            high = 1.0 if field.name in ("word_share", "layer_correlation") else np.inf
            if not (np.isfinite(value) and 0 <= value <= high):
                raise InputError(
                    f"The background's {field.name} is {value!r}; give a finite number of 0 or "
                    f"more{', at most 1' if high == 1 else ''}."
                )

    def eigenvalues(self, n_units: int) -> NDArray[np.float64]:
        """Eigenvalues of the covariance within a frame, descending, mean 1, shape (n_units,)."""
        return power_law(n_units, self.exponent)


def power_law(n_units: int, exponent: float) -> NDArray[np.float64]:
    """Eigenvalues proportional to i**-exponent, i = 1, 2, ..., with mean 1.

    Examples
    --------
    >>> power_law(3, 1.0).round(3).tolist()
    [1.636, 0.818, 0.545]
    """
    falling = np.arange(1, n_units + 1, dtype=np.float64) ** -exponent
    return np.asarray(falling / falling.mean())


@dataclass(frozen=True, eq=False)
class Rotation:
    """A random orthogonal matrix that is never written out.

    Three times random signs and a cosine transform: exactly orthogonal, as good as a uniformly
    random rotation at spreading an axis over all units, made in no time and applied in
    n log n. Its result does not depend on the number of threads, as a matrix product's may. Units
    are put in random order at the end: a transform leaves neighbours more alike, or less, than
    they are by chance (Moran's I over the index varied 1.7 times as much).

    Parameters
    ----------
    signs : ndarray of float32, shape (3, n_units)
        +1 or -1.
    order : ndarray of int, shape (n_units,)
        A permutation.

    References
    ----------
    Choromanski, Rowland & Weller (2017), The Unreasonable Effectiveness of Structured Random
    Orthogonal Embeddings, NeurIPS.

    Examples
    --------
    >>> rotation = Rotation.draw(np.random.default_rng(0), 8)
    >>> matrix = rotation.apply(np.eye(8))
    >>> bool(np.allclose(matrix @ matrix.T, np.eye(8)))
    True
    >>> bool(np.allclose(rotation.undo(matrix), np.eye(8)))
    True
    """

    signs: NDArray[np.float32]
    order: NDArray[np.intp]

    @classmethod
    def draw(cls, rng: np.random.Generator, n_units: int) -> Rotation:
        """Draw one for a number of units."""
        return cls(random_signs(rng, (3, n_units)), rng.permutation(n_units))

    def apply(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """Turn vectors on the last axis from the axes of the covariance into units."""
        for signs in self.signs:
            rows = dct(rows * signs, norm="ortho", axis=-1, overwrite_x=True)
        return rows[..., self.order]

    def undo(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """Turn vectors on the last axis from units into the axes of the covariance."""
        rows = rows[..., np.argsort(self.order)]
        for signs in self.signs[::-1]:
            rows = idct(rows, norm="ortho", axis=-1) * signs
        return rows


def random_signs(rng: np.random.Generator, shape: int | tuple[int, ...]) -> NDArray[np.float32]:
    """Draw +1 and -1 with equal chances."""
    return (2 * rng.integers(0, 2, size=shape) - 1).astype(np.float32)
