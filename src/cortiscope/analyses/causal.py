"""What causal instruments share: words to fit on and words to show, conditions found again."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.preparation import activations, grouped_folds
from cortiscope.codes import Direction, fit_directions
from cortiscope.codes.direction_fits import Method
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import bootstrap_words
from cortiscope.stimulation import Response
from cortiscope.stimulation.readouts import AnswerLogOdds

_HELD_OUT = 0  # of two folds: half of the words of every category are for fitting


@dataclass(frozen=True, eq=False)
class SplitWords:
    """One half of the words, to fit on, and some of the other half, to be shown.

    Attributes
    ----------
    training : ndarray of int, shape (n_training,)
        Rows of the recording that show words of the first half.
    label, words : tuple of str, length n_training
        Category and word of each.
    shown : tuple of str
        Ids of the stimuli that are shown: one for each word.
    categories : tuple of str
        All, sorted.
    """

    training: NDArray[np.intp]
    label: tuple[str, ...]
    words: tuple[str, ...]
    shown: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def of(
        cls, recording: Recording, target: str, groups: str, *, n_words: int | None, seed: int
    ) -> SplitWords:
        """Deal the words of each category to two halves.

        Parameters
        ----------
        recording : Recording
            Clean activations.
        target, groups : str
            Labels that hold categories and words.
        n_words : int or None
            Words of each category that are shown at most; all of the half with None. Each is
            shown in one stimulus, which is drawn.
        seed : int
            Of the deal and the draws.

        Raises
        ------
        InputError
            As `grouped_folds`, and for a number of words below 1.
        """
        if n_words is not None and n_words < 1:
            raise InputError(f"n_words is {n_words}: show one word of each category or more.")
        folds = grouped_folds(recording, target, groups, n_folds=2, seed=seed)
        drawn = np.random.default_rng([seed, 4]).permutation(
            np.flatnonzero(folds.fold == _HELD_OUT)
        )
        firsts = np.sort(np.unique(folds.word[drawn], return_index=True)[1])
        one_each = drawn[firsts]
        label = folds.label[one_each]
        of_category = [np.flatnonzero(label == at)[:n_words] for at in range(folds.n_categories)]
        shown = one_each[np.concatenate(of_category)]
        training = np.flatnonzero(folds.fold != _HELD_OUT)
        return cls(
            training,
            tuple(folds.categories[at] for at in folds.label[training]),
            tuple(folds.words[at] for at in folds.word[training]),
            tuple(recording.labels.index.astype(str)[np.sort(shown)]),
            folds.categories,
        )

    def fit(self, recording: Recording, layer: int, method: Method) -> dict[str, Direction]:
        """Find the direction of each category in the training words' stream after a layer."""
        return fit_directions(
            self.activations(recording, layer),
            self.label,
            method=method,
            site="resid_post",
            layer=layer,
            words=self.words,
            origin={"recording": recording.fingerprint},
        )

    def activations(self, recording: Recording, layer: int) -> NDArray[np.float32]:
        """Read the training words' stream after a layer, (n_training, n_units)."""
        return activations(recording, "resid_post", layer)[self.training]

    def answers(self, given: Mapping[str, Sequence[str]] | None, prompt: str) -> AnswerLogOdds:
        """Make the readout of behaviour: the names of the categories, or what is given for them.

        Raises
        ------
        InputError
            When answers are not given for just these categories.
        """
        if given is None:
            return AnswerLogOdds.naming(self.categories, prompt)
        if set(given) != set(self.categories):
            raise InputError(
                f"answers are for {', '.join(sorted(given))}, and the categories are "
                f"{', '.join(self.categories)}: give answers for each of them."
            )
        return AnswerLogOdds({name: given[name] for name in self.categories}, prompt)


def recipe_of(parameters: Mapping[str, Any]) -> str:
    """Write what an experiment was planned with, as the label ``recipe`` of its clean condition."""
    return json.dumps(parameters, sort_keys=True, default=_as_json)


def find_conditions(
    response: Response, labels: Sequence[str], parameters: Mapping[str, Any], planned_by: str
) -> pd.DataFrame:
    """Lay out the labels of a response's conditions, after a look at what planned them.

    Parameters
    ----------
    response : Response
        What an instrument is to read.
    labels : sequence of str
        Labels that its conditions must have; the first is ``kind``.
    parameters : mapping
        What the instrument is called with, as far as it shapes the experiment.
    planned_by : str
        Name of the function that plans the experiment.

    Returns
    -------
    pandas.DataFrame
        A row for each condition, in order, with a column for each label, and ``recipe``.

    Raises
    ------
    InputError
        For a response of another experiment, or of the same with other parameters.
    """
    columns = {name: _label(response, "condition", name) for name in (*labels, "recipe")}
    for name, values in columns.items():
        if values is None:
            raise InputError(
                f"the response has no label {name!r} of its conditions: stimulate with what "
                f"{planned_by} plans."
            )
    table = pd.DataFrame(columns)
    clean = np.flatnonzero(table["kind"] == "clean")
    if len(clean) != 1:
        raise InputError(
            f"the response has {len(clean)} clean conditions: stimulate with all that "
            f"{planned_by} plans."
        )
    theirs = json.loads(str(table["recipe"][clean[0]]))
    for name, value in json.loads(recipe_of(parameters)).items():
        if theirs.get(name) != value:
            raise InputError(
                f"the response was made with {name}={theirs.get(name)!r} and is to be read with "
                f"{name}={value!r}: give both the same parameters."
            )
    return table


def label_of_stimuli(response: Response, name: str) -> NDArray[np.str_]:
    """Read a label of the stimuli that were shown.

    Raises
    ------
    InputError
        When they have no such label.
    """
    values = _label(response, "stimulus", name)
    if values is None:
        raise InputError(
            f"the response has no label {name!r} of its stimuli: stimulate with stimuli that have "
            "it."
        )
    return values.astype(str)


def keywords_of(function: Callable[..., Any]) -> frozenset[str]:
    """Name the parameters that an experiment shares with its instrument.

    Examples
    --------
    >>> sorted(keywords_of(lambda recording, stimuli, target="category", *, seed=0: None))
    ['seed', 'target']
    """
    parameters = inspect.signature(function).parameters
    return frozenset(parameters) - {"recording", "stimuli"}


def own_category(
    values: NDArray[np.floating], clean: int, category: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Give by how much each condition changes the value of its own concept.

    Parameters
    ----------
    values : ndarray of float, shape (n_conditions, n_stimuli, n_categories)
        What was read.
    clean : int
        The condition to compare with.
    category : ndarray of int, shape (n_conditions,)
        Whose value to take under each.

    Returns
    -------
    ndarray of float64, shape (n_conditions, n_stimuli)
    """
    own = values[np.arange(len(values)), :, category]
    return np.asarray(own - values[clean][:, category].T, dtype=np.float64)


def crossed_weights(
    label_of_word: NDArray[np.intp], n_concepts: int, *, n_bootstrap: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weigh words and concepts for a bootstrap over both at once.

    Every concept is put into every word, so that both are samples of their own: words are drawn
    within their categories, and concepts among the concepts.

    Parameters
    ----------
    label_of_word : ndarray of int, shape (n_words,)
        Category of each word.
    n_concepts : int
        Concepts that are put in.
    n_bootstrap : int
        Resamples.
    seed : int
        Of the draws.

    Returns
    -------
    words : ndarray of float64, shape (1 + n_bootstrap, n_words)
        How often each counts; the first row is of ones, the words as they are.
    concepts : ndarray of float64, shape (1 + n_bootstrap, n_concepts)
        The same for concepts.

    References
    ----------
    Owen (2007), The pigeonhole bootstrap. Annals of Applied Statistics 1, 386-411.

    Examples
    --------
    >>> words, concepts = crossed_weights(np.array([0, 0, 1]), 2, n_bootstrap=5, seed=0)
    >>> words[:, :2].sum(axis=1).tolist(), concepts.sum(axis=1).tolist()
    ([2.0, 2.0, 2.0, 2.0, 2.0, 2.0], [2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    """
    words = bootstrap_words(lambda drawn: drawn, label_of_word, n_bootstrap=n_bootstrap, seed=seed)
    concepts = np.random.default_rng([seed, 6]).multinomial(
        n_concepts, np.full(n_concepts, 1 / n_concepts), size=n_bootstrap
    )
    return (
        np.concatenate([np.ones((1, len(label_of_word))), words]),
        np.concatenate([np.ones((1, n_concepts)), concepts]),
    )


def _label(response: Response, dim: str, name: str) -> NDArray[Any] | None:
    # The dim of a readout's categories, or a label of another dim, may have the same name.
    for known in (f"{dim}_{name}", name):
        if known in response.data.coords and response.data[known].dims == (dim,):
            return np.asarray(response.data[known].values)
    return None


def _as_json(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else list(value)


def slope_over_concepts(
    y: NDArray[np.float64], x: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fit y as a multiple of x over concepts, by least squares through the origin.

    Unlike a ratio of means it holds where a quantity is positive in some concepts and negative
    in others.

    Parameters
    ----------
    y, x : ndarray of float64, shape (n_weightings, ..., n_concepts)
        What is compared.
    weights : ndarray of float64, shape (n_weightings, n_concepts)
        How often each concept counts.

    Returns
    -------
    ndarray of float64, shape (n_weightings, ...)
        NaN where x is zero throughout.

    Examples
    --------
    >>> x = np.array([[1.0, -2.0]])
    >>> slope_over_concepts(0.5 * x, x, np.ones((1, 2))).tolist()
    [0.5]
    """
    w = weights.reshape(len(weights), *(1,) * (y.ndim - 2), -1)
    squares = (w * x * x).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((w * x * y).sum(axis=-1) / squares)
