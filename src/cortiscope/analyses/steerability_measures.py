"""What injections of concepts and of random directions change, and the slopes over their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.causal import label_of_stimuli
from cortiscope.analyses.steerability_experiment import DIMENSIONS, RANDOM_KINDS, signed_doses
from cortiscope.errors import InputError
from cortiscope.stimulation import Response

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Words:
    """The shown words, and those in which each concept is read: words of the others.

    Attributes
    ----------
    concepts : tuple of str
        Sorted.
    label : ndarray of int, shape (n_words,)
        The concept of each word.
    """

    concepts: tuple[str, ...]
    label: NDArray[np.intp]

    @classmethod
    def of(cls, response: Response, target: str) -> Words:
        """Find them in a response.

        Raises
        ------
        InputError
            When the stimuli have no such label, or it has other values than the answers.
        """
        concepts, label = np.unique(label_of_stimuli(response, target), return_inverse=True)
        asked = response.data["category"].values.astype(str).tolist()
        if concepts.tolist() != asked:
            raise InputError(
                f"the answers are for {', '.join(asked)}, and {target} has the values "
                f"{', '.join(concepts)}: give answers for each of them."
            )
        return cls(tuple(map(str, concepts)), label.astype(np.intp))

    def means(self, values: Array, weights: Array) -> Array:
        """Average over words of other concepts.

        Parameters
        ----------
        values : ndarray of float64, shape (n, n_words, n_concepts)
            By word, and by the concept whose log-odds it is.
        weights : ndarray of float64, shape (n_weightings, n_words)
            How often each word counts.

        Returns
        -------
        ndarray of float64, shape (n_weightings, n, n_concepts)

        Examples
        --------
        >>> words = Words(("a", "b"), np.array([0, 0, 1]))
        >>> values = np.array([[[9.0, 1.0], [9.0, 3.0], [5.0, 9.0]]])
        >>> words.means(values, np.ones((1, 3))).tolist()
        [[[5.0, 2.0]]]
        """
        averaged = []
        for concept in range(len(self.concepts)):
            counted = weights * (self.label != concept)
            averaged.append(counted @ values[..., concept].T / counted.sum(axis=1, keepdims=True))
        return np.stack(averaged, axis=-1)


@dataclass(frozen=True, eq=False)
class Injected:
    """The conditions of one layer.

    Attributes
    ----------
    layer : int
        Which layer.
    length : float
        Of what is added at a dose of 1, in units of the activations.
    own : ndarray of int, shape (n_doses, n_concepts)
        Conditions that inject a concept, doses both ways and ascending.
    random : ndarray of int, shape (n_kinds, n_doses, n_draws)
        Conditions that inject a random direction.
    dimensions : dict of str to ndarray of float64, shape (n_concepts,)
        Dimension of each concept.
    """

    layer: int
    length: float
    own: NDArray[np.intp]
    random: NDArray[np.intp]
    dimensions: dict[str, Array]

    @classmethod
    def of(
        cls, table: pd.DataFrame, concepts: Sequence[str], doses: Sequence[float], n_draws: int
    ) -> list[Injected]:
        """Find the conditions of every layer by their labels.

        Raises
        ------
        InputError
            When one is not there.
        """
        keys = zip(
            *(
                table[name].tolist()
                for name in ("kind", "steered_layer", "concept", "draw", "dose")
            ),
            strict=True,
        )
        place = {(*key, f"{dose:.9g}"): at for at, (*key, dose) in enumerate(keys)}
        signed = signed_doses(doses)

        def at(kind: str, layer: int, concept: str, draw: int, dose: float) -> int:
            found = place.get((kind, layer, concept, draw, f"{dose:.9g}"))
            if found is None:
                raise InputError(
                    f"the response lacks an injection at layer {layer} ({kind} {concept}, dose "
                    f"{dose:g}): stimulate with all that steerability_experiment plans."
                )
            return found

        injected = []
        for layer in sorted({int(layer) for layer in table["steered_layer"] if layer >= 0}):
            own = [[at("concept", layer, name, -1, dose) for name in concepts] for dose in signed]
            random = [
                [[at(kind, layer, "", draw, dose) for draw in range(n_draws)] for dose in signed]
                for kind in RANDOM_KINDS
            ]
            first = table.iloc[own[0]]
            injected.append(
                cls(
                    layer,
                    float(first["length"].iloc[0]),
                    np.array(own),
                    np.array(random),
                    {
                        name: first[name].to_numpy(dtype=np.float64)
                        for name in DIMENSIONS
                        if name in table
                    },
                )
            )
        return injected

    def admitted(self, perplexity: Array, clean: float, bound: float | None) -> NDArray[np.bool_]:
        """Tell which doses spare language.

        Parameters
        ----------
        perplexity : ndarray of float64, shape (n_conditions,)
            Of the neutral text.
        clean : float
            That of the clean subject.
        bound : float or None
            How many times as large it may get; None admits all doses.

        Returns
        -------
        ndarray of bool, shape (n_doses / 2,)
            By positive dose, ascending: whether no concept exceeds the bound at it, or at a
            smaller one.

        Raises
        ------
        InputError
            When even the smallest dose does.
        """
        n = len(self.own) // 2
        if bound is None:
            return np.ones(n, dtype=np.bool_)
        ratio = perplexity[self.own[n:]] / clean
        # What is not finite exceeds the bound.
        kept = np.logical_and.accumulate((ratio <= bound).all(axis=1))
        if not kept[0]:
            raise InputError(
                f"at the smallest dose of layer {self.layer} the perplexity of the neutral text is "
                f"{ratio[0].max():.3g} times that of the clean subject, and bound is {bound:g}: "
                "give smaller doses, or another bound."
            )
        return kept


@dataclass(frozen=True, eq=False)
class Steered:
    """What the injections of one layer change, words weighted as in each resample.

    Attributes
    ----------
    change : ndarray of float64, shape (n_weightings, n_doses, n_concepts)
        Of each concept's log-odds when it is injected, by signed dose.
    slope, flipped : ndarray of float64, shape (n_weightings, n_concepts)
        Of the change over dose, and of that with the direction turned round over its size.
    random_slope : ndarray of float64, shape (n_weightings, n_kinds, 2 * n_draws, n_concepts)
        The same for random directions, each both ways.
    random_change : ndarray of float64, shape (n_kinds, n_doses / 2, 2 * n_draws, n_concepts)
        The change that each random direction makes, words as they are.
    """

    change: Array
    slope: Array
    flipped: Array
    random_slope: Array
    random_change: Array

    @classmethod
    def of(
        cls,
        change: Array,
        injected: Injected,
        doses: Array,
        admitted: NDArray[np.bool_],
        words: Words,
        weights: Array,
    ) -> Steered:
        """Measure them.

        Parameters
        ----------
        change : ndarray of float64, shape (n_conditions, n_words, n_concepts)
            Of the log-odds, from the clean subject's.
        injected : Injected
            Which conditions they are of.
        doses : ndarray of float64, shape (n_doses / 2,)
            Positive doses, ascending.
        admitted : ndarray of bool, shape (n_doses / 2,)
            Which of them the slopes are over.
        words : Words
            The words.
        weights : ndarray of float64, shape (n_weightings, n_words)
            How often each counts; all once in the first row.
        """
        n_doses, n_concepts = injected.own.shape
        every = np.arange(n_concepts)
        own = np.moveaxis(change[injected.own, :, every], 1, -1)  # dose, word, concept
        up, down = _slopes(own, doses, admitted)
        slopes = words.means(np.stack([up, down]), weights)
        kinds = change[injected.random]  # kind, dose, draw, word, concept
        random = np.stack(
            [np.concatenate(_slopes(of_kind, doses, admitted)) for of_kind in kinds]
        ).reshape(-1, *change.shape[1:])
        random_slope = words.means(random, weights)
        n_kinds, n = len(kinds), n_doses // 2
        once = weights[:1]
        both_ways = np.concatenate([kinds[:, n:], kinds[:, :n][:, ::-1]], axis=2)
        flat = both_ways.reshape(-1, *change.shape[1:])
        return cls(
            words.means(own, weights),
            slopes[:, 0],
            slopes[:, 1],
            random_slope.reshape(len(weights), n_kinds, -1, n_concepts),
            words.means(flat, once)[0].reshape(n_kinds, n, -1, n_concepts),
        )


def _slopes(change: Array, doses: Array, admitted: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Fit changes (signed dose, ...) as multiples of the size of the dose, each way by itself.

    Least squares through the origin: without an injection there is no change.
    """
    used = np.where(admitted, doses, 0.0)
    share = used / (used**2).sum()
    n = len(doses)
    return np.tensordot(share, change[n:], 1), np.tensordot(share, change[:n][::-1], 1)
