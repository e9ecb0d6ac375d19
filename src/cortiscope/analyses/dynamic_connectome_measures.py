"""What the dynamic connectome measures of one layer: change of correlations and of modules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.connectome_modules import found_modules
from cortiscope.analyses.preparation import check_labels
from cortiscope.analyses.statistic import Statistic
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    are_of_words,
    context_similarity,
    jackknife_draws,
    jackknife_words,
    permuted_contexts,
    without_means,
)
from cortiscope.statistics.graphs import adjusted_mutual_information, correlation_graph

_LEAST_WORDS = 5  # of a context


@dataclass(frozen=True, eq=False)
class Contexts:
    """Stimuli and the contexts in which they come.

    Attributes
    ----------
    names : tuple of str
        Contexts, sorted.
    context, word, frame : ndarray of int, shape (n_stimuli,)
        Of each stimulus, numbered.
    """

    names: tuple[str, ...]
    context: NDArray[np.intp]
    word: NDArray[np.intp]
    frame: NDArray[np.intp]

    @classmethod
    def of(cls, recording: Recording, contexts: str, groups: str, frames: str | None) -> Contexts:
        """Read the labels.

        Raises
        ------
        InputError
            For labels that are missing, fewer than two contexts, and contexts of few words.
        """
        check_labels(recording, contexts, groups, frames)
        labels = recording.labels.astype(str)
        names, context = np.unique(labels[contexts].to_numpy(dtype=str), return_inverse=True)
        if len(names) < 2:
            msg = (
                f"{contexts!r} has one value only ({names[0]!r}): give a label of two contexts or "
                "more."
            )
            raise InputError(msg)
        n_words = labels.groupby(contexts)[groups].nunique()
        if n_words.min() < _LEAST_WORDS:
            msg = (
                f"{contexts} {n_words.idxmin()!r} has {n_words.min()} values of {groups!r}, and "
                f"{_LEAST_WORDS} or more are needed: add words to it, or leave it out."
            )
            raise InputError(msg)
        return cls(
            tuple(map(str, names)),
            context.astype(np.intp),
            _codes(labels[groups].to_numpy(dtype=str)),
            np.zeros(len(labels), np.intp)
            if frames is None
            else _codes(labels[frames].to_numpy(dtype=str)),
        )

    @property
    def n_contexts(self) -> int:
        """Number of contexts."""
        return len(self.names)

    @property
    def n_words(self) -> int:
        """Number of words."""
        return int(self.word.max()) + 1

    @property
    def stratum_of_word(self) -> NDArray[np.intp]:
        """Give words that come in the same frames, as often in each, the same number."""
        counts = np.zeros((self.n_words, int(self.frame.max()) + 1), dtype=np.intp)
        np.add.at(counts, (self.word, self.frame), 1)
        return _codes(counts)

    @property
    def jackknife_strata(self) -> NDArray[np.intp]:
        """Give words of one context the same number: of each a subset loses the same share."""
        of_word = np.zeros(self.n_words, dtype=np.intp)
        if are_of_words(self.context, self.word):
            of_word[self.word] = self.context
        return of_word

    def cell(self, context: NDArray[np.intp]) -> NDArray[np.intp]:
        """Give numbers to the stimuli whose mean is removed: each frame of each context.

        Where words come in several contexts, frames may be contexts, or go along with them: then
        the stimuli of each context, or surrogates would have more means removed.
        """
        if not are_of_words(self.context, self.word):
            return context
        return context * (int(self.frame.max()) + 1) + self.frame

    def residuals(self, x: NDArray[np.float32], where: str) -> NDArray[np.float32]:
        """Remove the mean of each frame in each context.

        Raises
        ------
        InputError
            When nothing is left.
        """
        size = np.abs(x).max(axis=0)
        left = without_means(without_means(x, self.frame), _codes(self.cell(self.context)))
        varies = np.abs(left).max(axis=0) > 1e-6 * size
        if varies.sum() < 3:
            msg = (
                f"{varies.sum()} units of {where} vary within contexts and frames, and a graph "
                "needs 3 or more: check the position, or leave the layer out."
            )
            raise InputError(msg)
        left[:, ~varies] = 0.0
        return left.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is the same for every layer.

    Attributes
    ----------
    contexts : Contexts
        As they are.
    surrogates : ndarray of int, shape (n_surrogates, n_stimuli)
        As they might be.
    kept : ndarray of bool, shape (n_subsets, n_words)
        Subsets of the words.
    """

    contexts: Contexts
    surrogates: NDArray[np.intp]
    kept: NDArray[np.bool_]
    density: float
    n_starts: int
    seed: int

    @classmethod
    def draw(
        cls,
        contexts: Contexts,
        *,
        n_surrogates: int,
        n_subsets: int,
        density: float,
        n_starts: int,
        seed: int,
    ) -> Plan:
        """Draw surrogates and subsets."""
        if n_surrogates < 1:
            raise InputError(f"n_surrogates is {n_surrogates}: give at least 1.")
        rng = np.random.default_rng(seed)
        of_words = (contexts.context, contexts.word, contexts.stratum_of_word)
        surrogates = np.stack([permuted_contexts(*of_words, rng) for _ in range(n_surrogates)])
        kept = jackknife_words(contexts.jackknife_strata, n_jackknife=n_subsets, seed=seed)
        return cls(contexts, surrogates, kept, density, n_starts, seed)


def change_of(x: NDArray[np.float32], plan: Plan) -> dict[str, Statistic]:
    """Measure how much correlations change from context to context."""
    own, n_contexts = plan.contexts, plan.contexts.n_contexts
    pairs = np.triu_indices(n_contexts, 1)

    def between(
        context: NDArray[np.intp], stimuli: NDArray[np.bool_] | slice
    ) -> NDArray[np.float64]:
        cell = own.cell(context)[stimuli]
        return 1 - context_similarity(x[stimuli], context[stimuli], cell)

    everything = slice(None)
    observed = between(own.context, everything)
    surrogates = np.stack([between(context, everything) for context in plan.surrogates])
    subsets = np.array([between(own.context, kept[own.word])[pairs].mean() for kept in plan.kept])
    change = observed[pairs].mean()
    dims = ("context", "other_context")
    return {
        "change": Statistic(
            (),
            change,
            surrogates[:, *pairs].mean(axis=1),
            jackknife_draws(change, subsets, plan.kept),
        ),
        "change_between": Statistic(dims, observed),
        "change_between_by_chance": Statistic(dims, surrogates.mean(axis=0)),
    }


def modules_of(x: NDArray[np.float32], plan: Plan) -> dict[str, Statistic]:
    """Measure how much modules change from context to context."""
    observed, quality = _modules_in(x, plan.contexts.context, plan)
    surrogates = [_modules_in(x, context, plan)[0] for context in plan.surrogates]
    by_chance = [flexibility_of(modules) for modules in surrogates]
    return {
        "module_change": Statistic(
            (), _change_of_modules(observed), np.array(list(map(_change_of_modules, surrogates)))
        ),
        "modularity": Statistic(("context",), quality),
        "flexibility": Statistic(("unit",), flexibility_of(observed)),
        "flexibility_by_chance": Statistic(("unit",), np.mean(by_chance, axis=0)),
    }


def flexibility_of(modules: NDArray[np.intp]) -> NDArray[np.float64]:
    """Tell how much of its module each unit exchanges from one context to another.

    Parameters
    ----------
    modules : ndarray of int, shape (n_contexts, n_units)
        Module of each unit in each context; what their numbers are does not matter.

    Returns
    -------
    ndarray of float64, shape (n_units,)
        1 less the overlap (Jaccard) of the units that share its module in two contexts, averaged
        over pairs of contexts.

    Examples
    --------
    >>> flexibility_of(np.array([[0, 0, 1, 1], [5, 5, 5, 5]])).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    n_contexts, n_units = modules.shape
    flexibility = np.zeros(n_units)
    for one in range(n_contexts):
        for other in range(one):
            pair = np.stack([modules[one], modules[other]])
            _, of_pair, counts = np.unique(pair, axis=1, return_inverse=True, return_counts=True)
            shared = counts[of_pair.reshape(-1)]
            sizes = [np.bincount(module)[module] for module in pair]
            flexibility += 1 - shared / (sizes[0] + sizes[1] - shared)
    return np.asarray(flexibility / (n_contexts * (n_contexts - 1) / 2))


def _modules_in(
    x: NDArray[np.float32], context: NDArray[np.intp], plan: Plan
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Modules (context, unit) of the graph of each context, and their modularity."""
    cell = plan.contexts.cell(context)
    graphs = []
    for place in range(plan.contexts.n_contexts):
        rows = context == place
        points = without_means(x[rows], _codes(cell[rows]))
        graphs.append(correlation_graph(points.astype(np.float32), density=plan.density))
    found = found_modules(graphs, n_starts=plan.n_starts, seed=plan.seed)
    return np.stack([module for module, _ in found]), np.array([quality for _, quality in found])


def _change_of_modules(modules: NDArray[np.intp]) -> float:
    agreement = adjusted_mutual_information(modules)
    return float(1 - agreement[np.triu_indices(len(modules), 1)].mean())


def _codes(values: NDArray[np.generic]) -> NDArray[np.intp]:
    codes = np.unique(values, axis=0, return_inverse=True)[1]
    return np.asarray(codes.reshape(-1), dtype=np.intp)
