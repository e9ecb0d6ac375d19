"""L2 logistic probes of one layer: all folds, and any number of labellings, in one optimisation.

The penalised loss is minimised by conjugate gradients in the metric of a fixed Hessian,
c XᵀX + λI. Coordinates in which that is the identity are made from one Cholesky factor a layer,
so that an iteration is two matrix products. With fewer stimuli than units they are coordinates of
the stimuli's row space, to which an L2 penalty confines the weights: nothing is lost.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.special import expit

from cortiscope.statistics.folds import Folds
from cortiscope.statistics.ridge import centred, checked_activations, relative_lambda

_Array = NDArray[np.float64]

# Curvature of the loss that the metric assumes: what p(1 - p) is once a probe has learnt
# something. It changes how many iterations are needed, not what they lead to.
_CURVATURE = 0.02
_MOST_ITERATIONS = 2000
_MOST_STEPS = 30
# A line search ends when this share of the slope is left.
_SLOPE_LEFT = 0.1
# Problems that are solved together: their arrays should not leave the cache by far.
_BATCH_BYTES = 2**22


def logistic_scores(
    x: NDArray[np.floating],
    folds: Folds,
    *,
    ridge: float = 0.01,
    own: bool = False,
    scale: bool = False,
    tolerance: float = 1e-8,
) -> NDArray[np.float64]:
    """Held-out decision scores of L2 logistic probes.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, n_units)
        One layer.
    folds : Folds
        Who is held out when.
    ridge, own, scale, tolerance
        As in `LogisticReader`.

    Returns
    -------
    ndarray of float64, shape (n_stimuli, n_categories)
        Log-odds up to a constant a stimulus (they sum to zero), or with `own` the log-odds of
        each category against the rest, as scikit-learn's ``decision_function``.

    Raises
    ------
    InputError
        As `LogisticReader`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 10, range(20))
    >>> x = rng.normal(size=(20, 50)) + folds.label[:, None]
    >>> scores = logistic_scores(x, folds)
    >>> float((scores.argmax(axis=1) == folds.label).mean())
    1.0
    """
    reader = LogisticReader(x, folds, ridge=ridge, own=own, scale=scale, tolerance=tolerance)
    return np.ascontiguousarray(reader.scores(folds.label_of_word[None])[0].T)


@dataclass(frozen=True, eq=False)
class _Set:
    """Cells of the folds that share one metric."""

    cells: list[int]
    white: _Array  # (coordinate, stimulus)
    ridge_lambda: _Array  # (cell,)


class LogisticReader:
    """A layer, factorised once, on which logistic probes of any labelling are trained.

    For every fold it minimises, over the training words, the summed cross-entropy plus
    λ/2 times the squared weights; the intercept is not penalised.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        One layer.
    folds : Folds
        Who is held out when.
    ridge : float
        λ as a multiple of the mean eigenvalue of the training Gram matrix (of the centred
        training activations), as for ridge probes: scikit-learn's ``C`` is
        ``1 / ridge_lambda[fold]``.
    own : bool
        Whether each category gets a binary probe of its own, category against rest, instead of
        one softmax probe for all. (Two categories in a softmax probe of penalty λ are a binary
        probe of penalty λ/2.)
    scale : bool
        Whether units are divided by their standard deviation over the training words of the
        fold.
    tolerance : float
        A probe has converged when a step in the metric of the fixed Hessian promises to lower
        the mean loss of a training stimulus by less than this, in nats.

    Attributes
    ----------
    ridge_lambda : ndarray of float64, shape (n_cells,)
        λ of each fold (of each fold and level where folds are crossed), in squared activation
        units.

    Raises
    ------
    InputError
        For activations that are not finite, are all constant, or do not match the folds, and
        for a ridge that is not positive.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, sections 4.4 and
    18.4 (row space). Böhning (1992), Multinomial logistic regression algorithm, Annals of the
    Institute of Statistical Mathematics 44, 197-200 (a fixed Hessian). Equal to
    ``sklearn.linear_model.LogisticRegression``.
    """

    def __init__(
        self,
        activations: NDArray[np.floating],
        folds: Folds,
        *,
        ridge: float = 0.01,
        own: bool = False,
        scale: bool = False,
        tolerance: float = 1e-8,
    ) -> None:
        x = checked_activations(activations, folds, ridge)
        self.folds = folds
        self.own = own
        self.tolerance = tolerance
        self._splits = list(folds.splits())
        self._trained = np.zeros((len(self._splits), len(x)))
        for row, (train, _) in zip(self._trained, self._splits, strict=True):
            row[train] = 1.0
        # One metric serves all folds. It sees held-out activations, though no labels, and only
        # sets the path: the minimum is where the training words put it. Scaled units are others
        # in every fold, and so is then the metric.
        cells = (
            [[cell] for cell in range(len(self._splits))]
            if scale
            else [list(range(len(self._splits)))]
        )
        self._sets: list[_Set] = []
        for of_set in cells:
            z = centred(x, self._splits[of_set[0]][0], np.arange(len(x)), scale)[1] if scale else x
            ridge_lambda = _lambdas(z, self._trained[of_set], ridge)
            self._sets.append(_Set(of_set, _whitened(z, float(ridge_lambda.mean())), ridge_lambda))
        self.ridge_lambda = np.concatenate([each.ridge_lambda for each in self._sets])

    def scores(self, labels: NDArray[np.intp]) -> NDArray[np.float64]:
        """Held-out scores for given labels of the words, each probe trained anew.

        Parameters
        ----------
        labels : ndarray of int, shape (n_labellings, n_words)
            Labels of the words, such as permutations of the true ones.

        Returns
        -------
        ndarray of float64, shape (n_labellings, n_categories, n_stimuli)
        """
        n_categories, n_stimuli = self.folds.n_categories, len(self.folds.word)
        scores = np.empty((len(labels), n_categories, n_stimuli))
        for each in self._sets:
            bytes_of_one = len(each.cells) * n_categories * n_stimuli * scores.itemsize
            size = max(_BATCH_BYTES // bytes_of_one, 1)
            for start in range(0, len(labels), size):
                block = slice(start, start + size)
                logits = self._logits(labels[block], each)
                for cell, of_cell in zip(each.cells, logits, strict=True):
                    held_out = self._splits[cell][1]
                    scores[block, :, held_out] = of_cell[:, :, held_out]
        return scores

    def _logits(self, labels: NDArray[np.intp], of: _Set) -> _Array:
        """Logits (cell, labelling, category, stimulus)."""
        codes = _codes(labels[:, self.folds.word], self.folds.n_categories)
        shape = (len(of.cells), *codes.shape)
        if self.own:
            codes = codes.reshape(-1, 1, codes.shape[-1])
        problems = _Problems.at_zero(
            np.concatenate([codes] * len(of.cells)),
            np.repeat(self._trained[of.cells], len(codes), axis=0),
            np.repeat(of.ridge_lambda / of.ridge_lambda.mean(), len(codes)),
            len(of.white),
        )
        return _minimise(problems, of.white, self.tolerance).reshape(shape)


def _codes(labels: NDArray[np.intp], n_categories: int) -> _Array:
    """One-hot codes (labelling, category, stimulus)."""
    return np.asarray(labels[:, None] == np.arange(n_categories)[:, None], dtype=np.float64)


def _lambdas(x: _Array, trained: _Array, ridge: float) -> _Array:
    """λ of every training set, a row of ones and zeros each."""
    n_trained = trained.sum(axis=1)
    mean = trained @ x / n_trained[:, None]
    traces = trained @ np.square(x).sum(axis=1) - n_trained * np.square(mean).sum(axis=1)
    return np.array(
        [
            relative_lambda(ridge, float(trace), int(n))
            for trace, n in zip(traces, n_trained, strict=True)
        ]
    )


def _whitened(x: _Array, ridge_lambda: float) -> _Array:
    """Coordinates of stimuli in which the assumed Hessian is the identity, (coordinate, stimulus).

    The last one is the intercept's.
    """
    n_stimuli, n_units = x.shape
    x = x - x.mean(axis=0)
    if n_units >= n_stimuli:
        x = _row_space(x)
    hessian = _CURVATURE * (x.T @ x)
    hessian[np.diag_indices(len(hessian))] += ridge_lambda
    factor = linalg.cholesky(hessian, lower=True, overwrite_a=True, check_finite=False)
    white = linalg.solve_triangular(factor, x.T, lower=True, check_finite=False)
    intercept = np.full((1, n_stimuli), 1.0 / np.sqrt(_CURVATURE * n_stimuli))
    return np.ascontiguousarray(np.concatenate([white, intercept]))


def _row_space(x: _Array) -> _Array:
    """Coordinates (stimulus, coordinate) with the same inner products as the activations."""
    gram = x @ x.T
    factor, pivots, rank, _ = linalg.lapack.dpstrf(gram, lower=1, overwrite_a=1)
    coordinates = np.empty((len(x), rank))
    coordinates[pivots - 1] = np.tril(factor)[:, :rank]
    return coordinates


@dataclass(eq=False)
class _Problems:
    """Probes that are trained together, and where each of them has got to."""

    index: NDArray[np.intp]  # (problem,)
    codes: _Array  # (problem, category, stimulus)
    trained: _Array  # (problem, 1, stimulus): 1 for training words
    relative: _Array  # (problem, 1, 1): λ in units of the metric's λ
    weights: _Array  # (problem, category, coordinate)
    logits: _Array  # (problem, category, stimulus)

    @classmethod
    def at_zero(
        cls, codes: _Array, trained: _Array, relative: _Array, n_coordinates: int
    ) -> _Problems:
        return cls(
            np.arange(len(codes)),
            codes,
            trained[:, None],
            relative[:, None, None],
            np.zeros((*codes.shape[:2], n_coordinates)),
            np.zeros_like(codes),
        )

    def only(self, chosen: NDArray[np.bool_]) -> _Problems:
        return replace(self, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def probabilities(self, logits: _Array) -> _Array:
        if logits.shape[1] == 1:
            return np.asarray(expit(logits), dtype=np.float64)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        raised /= raised.sum(axis=1, keepdims=True)
        return np.asarray(raised, dtype=np.float64)

    def gradient(self, probabilities: _Array, white: _Array) -> _Array:
        """Gradient (problem, category, coordinate) of the penalised loss.

        The squared weights are those of the coordinates less c times the squared logits.
        """
        residual = (probabilities - self.codes) * self.trained
        residual -= _CURVATURE * self.relative * self.logits
        gradient = residual.reshape(-1, residual.shape[-1]) @ white.T
        return gradient.reshape(self.weights.shape) + self.relative * self.weights

    def curvature(self, probabilities: _Array, direction: _Array) -> _Array:
        """Second derivative of the loss along logits, shape (problem,)."""
        moved = probabilities * direction
        mean = moved.sum(axis=1, keepdims=True)
        spread = (moved * direction).sum(axis=1, keepdims=True) - np.square(mean)
        if direction.shape[1] == 1:
            spread = mean * direction - np.square(mean)
        return _dot(spread, self.trained)


def _dot(a: _Array, b: _Array) -> _Array:
    return np.asarray(np.einsum("bcn,bcn->b", a, b), dtype=np.float64)


def _minimise(problems: _Problems, white: _Array, tolerance: float) -> _Array:
    """Train all probes; logits (problem, category, stimulus)."""
    logits = np.empty_like(problems.logits)
    n_trained = problems.trained.sum(axis=(1, 2))
    gradient = problems.gradient(problems.probabilities(problems.logits), white)
    squared = _dot(gradient, gradient)
    direction = -gradient
    for _ in range(_MOST_ITERATIONS):
        unfinished = squared > tolerance * n_trained
        if not unfinished.all():
            logits[problems.index[~unfinished]] = problems.logits[~unfinished]
            if not unfinished.any():
                return logits
            problems, n_trained = problems.only(unfinished), n_trained[unfinished]
            gradient, squared = gradient[unfinished], squared[unfinished]
            direction = direction[unfinished]
        probabilities = _step(problems, gradient, direction, white)
        before, gradient = gradient, problems.gradient(probabilities, white)
        # Polak and Ribière's factor; where it is negative, start again downhill.
        fresh = _dot(gradient, gradient)
        factor = np.maximum((fresh - _dot(gradient, before)) / squared, 0.0)
        squared = fresh
        direction = factor[:, None, None] * direction - gradient
        uphill = _dot(gradient, direction) >= 0
        direction[uphill] = -gradient[uphill]
    warnings.warn(
        f"{len(problems.index)} logistic probes have not converged after {_MOST_ITERATIONS} "
        "iterations: give a larger ridge or tolerance.",
        RuntimeWarning,
        stacklevel=2,
    )
    logits[problems.index] = problems.logits
    return logits


def _step(problems: _Problems, gradient: _Array, direction: _Array, white: _Array) -> _Array:
    """Go to the minimum along directions; the probabilities there.

    The loss is convex along a line, so that its slope is followed, by Newton's method inside a
    bracket, until little of it is left.
    """
    moves = (direction.reshape(-1, len(white)) @ white).reshape(problems.logits.shape)
    relative = problems.relative[:, 0, 0]
    penalty = _dot(problems.weights, direction) - _CURVATURE * _dot(problems.logits, moves)
    bend = relative * (_dot(direction, direction) - _CURVATURE * _dot(moves, moves))
    start = _dot(gradient, direction)
    probabilities = problems.probabilities(problems.logits)
    length = -start / (problems.curvature(probabilities, moves) + bend)
    low, high = np.zeros_like(length), np.full_like(length, np.inf)
    for _ in range(_MOST_STEPS):
        probabilities = problems.probabilities(problems.logits + length[:, None, None] * moves)
        slope = _dot((probabilities - problems.codes) * problems.trained, moves)
        slope += relative * penalty + length * bend
        far = np.abs(slope) > _SLOPE_LEFT * np.abs(start)
        if not far.any():
            break
        low = np.where(slope < 0, length, low)
        high = np.where(slope > 0, length, high)
        newton = length - slope / (problems.curvature(probabilities, moves) + bend)
        limit = np.minimum(high, 4.0 * length)
        inside = (newton > low) & (newton < limit)
        middle = np.where(np.isfinite(high), 0.5 * (low + limit), limit)
        length = np.where(far, np.where(inside, newton, middle), length)
    problems.weights += length[:, None, None] * direction
    problems.logits += length[:, None, None] * moves
    return probabilities
