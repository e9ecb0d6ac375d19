"""Which injections of `additivity` are compared, and what each changed on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.additivity_experiment import LABELS
from cortiscope.analyses.causal import own_category
from cortiscope.errors import InputError
from cortiscope.stimulation import Response


@dataclass(frozen=True, eq=False)
class Effects:
    """Mean change of one readout at one first layer, (n_weightings, n_spans, n_doses, n_concepts).

    Attributes
    ----------
    spread, once, parts : ndarray of float64
        When spread over layers; at once at the first of them; the sum over its parts alone.
    injected : ndarray of float64, shape (n_spans, n_doses, n_concepts)
        Length of what was injected in all.
    """

    spread: NDArray[np.float64]
    once: NDArray[np.float64]
    parts: NDArray[np.float64]
    injected: NDArray[np.float64]

    def per_injected(self) -> Effects:
        """Give what is beyond the injected vector itself, as a share of its length."""
        spread, once, parts = (
            change / self.injected - 1.0 for change in (self.spread, self.once, self.parts)
        )
        return Effects(spread, once, parts, self.injected)


@dataclass(frozen=True, eq=False)
class Design:
    """Which conditions are compared.

    Attributes
    ----------
    layers, spans, concepts : list
        Of first injections; numbers of injections; concepts.
    clean : int
        The clean condition.
    category : ndarray of int, shape (n_conditions,)
        The concept of each.
    spread, once, parts : ndarray of int, shape (n_layers, n_spans, n_doses, n_concepts)
        Conditions; in `parts` the last part of each span, the first span being of one. -1 where
        there are too few layers.
    injected : ndarray of float64, shape (n_conditions,)
        Length of what each injects.
    """

    layers: list[int]
    spans: list[int]
    concepts: list[str]
    clean: int
    category: NDArray[np.intp]
    spread: NDArray[np.intp]
    once: NDArray[np.intp]
    parts: NDArray[np.intp]
    injected: NDArray[np.float64]

    @classmethod
    def of(cls, table: pd.DataFrame, response: Response, doses: Sequence[float]) -> Design:
        """Find the conditions by their labels.

        Parameters
        ----------
        table : pandas.DataFrame
            Labels of the conditions, in order.
        response : Response
            For the order of its categories.
        doses : sequence of float
            In the order that is wanted.

        Raises
        ------
        InputError
            Naming an injection that is missing.
        """
        concepts = [str(name) for name in response.data["category"].values]
        keys = zip(*(table[name].tolist() for name in LABELS), strict=True)
        place = {
            (kind, fitted, first, n, f"{total:.9g}", concept): at
            for at, (kind, fitted, first, n, total, concept) in enumerate(keys)
        }
        is_spread = table["kind"] == "spread"
        layers = sorted(set(table["fitted"][is_spread].tolist()))
        spans = sorted(set(table["n_injections"][is_spread].tolist()))
        longest = {
            layer: int(table["n_injections"][is_spread & (table["fitted"] == layer)].max())
            for layer in layers
        }

        def at(kind: str, layer: int, first: int, n: int, total: float, concept: str) -> int:
            found = place.get((kind, layer, first, n, f"{total:.9g}", concept))
            if found is None:
                raise InputError(
                    f"the response lacks the injection of {concept} at layer {first} ({kind}, "
                    f"dose {total:g}): stimulate with all that additivity_experiment plans."
                )
            return found

        shape = (len(layers), len(spans) + 1, len(doses), len(concepts))
        spread, once, parts = (np.full(shape, -1, dtype=np.intp) for _ in range(3))
        for nth, layer in enumerate(layers):
            for n in range(1, longest[layer] + 1):
                for d, dose in enumerate(doses):
                    for c, concept in enumerate(concepts):
                        where = (nth, n - 1, d, c)
                        parts[where] = at("one", layer, layer + n - 1, 1, dose, concept)
                        if n > 1:
                            spread[where] = at("spread", layer, layer, n, n * dose, concept)
                            once[where] = at("one", layer, layer, 1, n * dose, concept)
        number = {name: index for index, name in enumerate(concepts)}
        return cls(
            layers,
            spans,
            concepts,
            int(np.flatnonzero(table["kind"] == "clean")[0]),
            np.array([number.get(name, 0) for name in table["concept"]], dtype=np.intp),
            spread[:, 1:],
            once[:, 1:],
            parts,
            table["injected"].to_numpy(dtype=np.float64),
        )

    def means(
        self, values: NDArray[np.floating], words: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Average the change of each condition's own concept over weighted words.

        Parameters
        ----------
        values : ndarray of float, shape (n_conditions, n_stimuli, n_concepts)
            What was read.
        words : ndarray of float64, shape (n_weightings, n_stimuli)
            How often each word counts; each is shown once.

        Returns
        -------
        ndarray of float64, shape (n_weightings, n_conditions)
        """
        change = own_category(values, self.clean, self.category)
        return np.asarray(words @ change.T / words.sum(axis=1, keepdims=True))

    def effects(self, means: NDArray[np.float64], layer: int) -> Effects:
        """Sort mean changes by span, dose and concept, for the first layer of that index."""

        def of(conditions: NDArray[np.intp]) -> NDArray[np.float64]:
            return np.where(conditions >= 0, means[:, conditions], np.nan)

        spread = self.spread[layer]
        return Effects(
            of(spread),
            of(self.once[layer]),
            np.cumsum(of(self.parts[layer]), axis=1)[:, 1:],
            np.where(spread >= 0, self.injected[spread], np.nan),
        )
