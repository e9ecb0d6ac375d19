"""Statistics of lesions: what they change against random lesions, with null and resamples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.lesion_experiment import RANDOM_KINDS
from cortiscope.analyses.lesion_measures import Array, Change, equal_units
from cortiscope.analyses.statistic import Statistic

_COVARIANCE, _ISOTROPIC, _SHIFT = map(RANDOM_KINDS.index, ("covariance", "isotropic", "shift"))


@dataclass(frozen=True, eq=False)
class Choices:
    """Which lesion stands for the real one, in each category of each permutation.

    If a concept's own lesion does no more than random ones do, it might be any of them: under
    every permutation each category's real lesion is a random one of all, itself included.

    Attributes
    ----------
    drawn : ndarray of int, shape (n_permutations, n_categories)
        0 is the real lesion, others are the draws.
    """

    drawn: NDArray[np.intp]

    @classmethod
    def draw(cls, n_permutations: int, n_draws: int, n_categories: int, seed: int) -> Choices:
        """Draw them."""
        rng = np.random.default_rng([seed, 4])
        return cls(rng.integers(n_draws + 1, size=(n_permutations, n_categories)))

    def null(self, real: Array, draws: Array) -> Array:
        """Let random lesions stand for the real one.

        Parameters
        ----------
        real : ndarray, shape (..., n_categories)
            What the real lesion does.
        draws : ndarray, shape (n_draws, ..., n_categories)
            What random lesions do.

        Returns
        -------
        ndarray, shape (n_permutations, ..., n_categories)

        Examples
        --------
        >>> choices = Choices(np.array([[0, 2], [1, 0]]))
        >>> choices.null(np.array([9.0, 8.0]), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[9.0, 4.0], [1.0, 8.0]]
        """
        pool = np.concatenate([real[None], draws])
        every = np.arange(real.shape[-1])
        return np.asarray(np.moveaxis(pool[self.drawn, ..., every], 1, -1))


@dataclass(frozen=True, eq=False)
class Stacked:
    """The changes of all layers: what `Change` has, with a second axis of layers."""

    direction: Array
    direction_others: Array
    units: Array
    units_others: Array
    random_units: Array
    random_units_others: Array
    random_direction: Array
    random_direction_others: Array
    mean_random_units: Array
    mean_random_direction: Array

    @classmethod
    def of(cls, changes: Sequence[Change]) -> Stacked:
        """Stack the changes of the layers."""
        return cls(
            *(
                np.stack([getattr(change, field.name) for change in changes], axis=1)
                for field in fields(cls)
            )
        )


@dataclass(frozen=True, eq=False)
class Contrast:
    """A real lesion and random ones, which may stand for it.

    Attributes
    ----------
    real : ndarray, shape (n_weightings, n_layers, n_categories)
        What the real lesion does.
    draws : ndarray, shape (n_draws, n_layers, n_categories)
        What random lesions do, the words as they are.
    mean : ndarray, shape (n_weightings, n_layers, n_categories)
        The mean over draws.
    """

    real: Array
    draws: Array
    mean: Array

    def effect(self, choices: Choices) -> Statistic:
        """Average the real lesion's effect over layers and categories."""
        return _scalar(self.real, choices.null(self.real[0], self.draws))

    def beyond(self, choices: Choices) -> Statistic:
        """Average how far it exceeds the mean random lesion."""
        null = choices.null(self.real[0], self.draws)
        n_draws = len(self.draws)
        total = self.real[0] + self.draws.sum(axis=0)
        return _scalar(self.real - self.mean, null - (total - null) / n_draws)


def statistics_of_readout(
    prefix: str,
    changes: Sequence[Change],
    choices: Choices,
    sizes: Sequence[int],
    n_units: int,
    *,
    by_concept: bool = True,
) -> dict[str, Statistic]:
    """Make all statistics of one readout.

    Parameters
    ----------
    prefix : str
        What their names begin with.
    changes : sequence of Change
        Of each layer.
    choices : Choices
        For the null distributions.
    sizes : sequence of int
        Numbers of units, ascending.
    n_units : int
        The one of them that scalars are of.
    by_concept : bool
        Whether the readout is of concepts: language is not.

    Returns
    -------
    dict of str to Statistic
        Of layers and categories, and scalars over both.
    """
    stacked = Stacked.of(changes)
    size = list(sizes).index(n_units)
    parts = _by_layer(stacked, choices)
    parts |= _scalars(stacked, choices, size)
    if by_concept:
        parts |= _of_concepts(stacked, choices, size) | _equality(stacked, sizes)
    return {prefix + name: part for name, part in parts.items()}


def _by_layer(of: Stacked, choices: Choices) -> dict[str, Statistic]:
    """Give the changes themselves; those of random lesions are means over draws."""
    n_directions = of.direction.shape[2]
    draws = of.random_direction[:, :, [_COVARIANCE] * n_directions]
    return {
        "change_by_direction": _statistic(
            ("layer", "direction", "category"), of.direction, choices.null(of.direction[0], draws)
        ),
        "change_by_units": _statistic(
            ("layer", "n_lesioned", "category"),
            of.units,
            choices.null(of.units[0], of.random_units),
        ),
        "change_by_random_units": _statistic(
            ("layer", "n_lesioned", "category"), of.mean_random_units
        ),
        "change_by_random_direction": _statistic(
            ("layer", "random", "category"), of.mean_random_direction
        ),
        "mean_change_by_direction": _statistic(("direction",), of.direction.mean(axis=(1, 3))),
        "mean_change_by_units": _statistic(("n_lesioned",), of.units.mean(axis=(1, 3))),
    }


def _scalars(of: Stacked, choices: Choices, size: int) -> dict[str, Statistic]:
    """Means over layers and categories, of the first direction and of one number of units."""
    covariance, isotropic, shift = (
        Contrast(
            of.direction[:, :, 0],
            of.random_direction[:, :, kind],
            of.mean_random_direction[:, :, kind],
        )
        for kind in (_COVARIANCE, _ISOTROPIC, _SHIFT)
    )
    units = Contrast(
        of.units[:, :, size], of.random_units[:, :, size], of.mean_random_units[:, :, size]
    )
    return {
        "direction_effect": covariance.effect(choices),
        "direction_minus_random": covariance.beyond(choices),
        "direction_minus_isotropic": isotropic.beyond(choices),
        "direction_minus_shift": shift.beyond(choices),
        "units_effect": units.effect(choices),
        "units_minus_random": units.beyond(choices),
        "direction_minus_units": _scalar(covariance.real - units.real),
    }


def _of_concepts(of: Stacked, choices: Choices, size: int) -> dict[str, Statistic]:
    """Make what needs other concepts: what a lesion does to its own concept more than to them."""
    direction = (of.direction - of.direction_others)[:, :, 0]
    directions_drawn = (of.random_direction - of.random_direction_others)[:, :, _COVARIANCE]
    units = (of.units - of.units_others)[:, :, size]
    units_drawn = (of.random_units - of.random_units_others)[:, :, size]
    return {
        "others_by_direction": _statistic(("layer", "direction", "category"), of.direction_others),
        "others_by_units": _statistic(("layer", "n_lesioned", "category"), of.units_others),
        "specificity": _scalar(direction, choices.null(direction[0], directions_drawn)),
        "units_specificity": _scalar(units, choices.null(units[0], units_drawn)),
    }


def _equality(of: Stacked, sizes: Sequence[int]) -> dict[str, Statistic]:
    """Read off how many units do what a direction does, on curves that are means of categories."""
    curve = np.moveaxis(of.units, 2, 0)  # (size, weighting, layer, category)
    wanted = np.moveaxis(of.direction, 2, 0)
    by_layer = np.stack(
        [equal_units(sizes, curve.mean(axis=-1), one.mean(axis=-1)) for one in wanted], axis=2
    )
    overall = equal_units(sizes, curve.mean(axis=(2, 3)), wanted[0].mean(axis=(1, 2)))
    return {
        "units_equal": _statistic(("layer", "direction"), by_layer),
        "n_units_equal": _statistic((), overall),
    }


def _statistic(dims: tuple[str, ...], values: Array, null: Array | None = None) -> Statistic:
    """Take the words as they are as the estimate, the other weightings as resamples."""
    return Statistic(dims, values[0], _with_other_words(null, values), values[1:])


def _with_other_words(null: Array | None, values: Array) -> Array | None:
    """Let a null have other words too, not only other lesions.

    Random lesions hardly move what is read, so that all of them keep the luck of the very words
    that are shown; what a concept's own lesion takes away depends on that luck also where nothing
    is there to be lesioned.
    """
    luck = values[1:] - values[0]
    if null is None or not len(luck):
        return null
    return np.asarray(null + luck[np.arange(len(null)) % len(luck)])


def _scalar(values: Array, null: Array | None = None) -> Statistic:
    over = (1, 2)
    return _statistic((), values.mean(axis=over), None if null is None else null.mean(axis=over))
