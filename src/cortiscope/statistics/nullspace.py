"""Iterative nullspace projection: how many directions of a probe hold a concept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cortiscope.statistics.erasure import FoldSpace
from cortiscope.statistics.folds import Folds
from cortiscope.statistics.scores import auc_pairs

# What is left of a vector, relative to before, when only rounding is left.
_ROUNDING = 1e-10
# Permuted labellings that are projected together: their directions stay in the cache.
_LABELLINGS_AT_ONCE = 512


class NullspaceProjection:
    """Ridge probes of one fold, each fitted on what the ones before it have left.

    Every step fits a probe of each concept on the training stimuli, reads the held-out stimuli
    with it, and takes its direction out of both, for that concept alone.

    Parameters
    ----------
    space : FoldSpace
        The fold.
    codes : ndarray, shape (n_train, n_concepts)
        What the probes are fitted to, such as 1 for a category's stimuli and 0 for others.

    Notes
    -----
    Ridge on activations from which orthonormal directions U were projected out, with the same
    penalty, has the weights w of least w'Aw/2 - w'b among those orthogonal to U, where
    A = X'X + λI and b = X'y. Hence Aw = b - Um for some m, and w lies in the span of A⁻¹b and
    A⁻¹U: the directions are an orthonormal basis of the Krylov space of A⁻¹ and A⁻¹b, which is
    what the Lanczos recursion finds, up to their signs. These alternate: the probe of step k + 1
    points along -A⁻¹u_k after orthogonalisation. So one factorisation a fold, in whose axes A is
    diagonal, serves all concepts and steps, and nothing is ever subtracted from a Gram matrix.
    Directions are orthogonalised twice against all earlier ones, since the bare recursion loses
    orthogonality. They never leave the span of the training stimuli: a loop that refits among
    more units than stimuli leaks out of it, by rounding that grows thirtyfold with every
    direction until, after ten or so, its AUC is off by .1.

    References
    ----------
    Ravfogel et al. (2020), Null It Out: Guarding Protected Attributes by Iterative Nullspace
    Projection, ACL; Golub & Van Loan (2013), Matrix Computations, 4th ed., sections 10.1 to 10.3.

    Examples
    --------
    >>> from cortiscope.statistics import fold_spaces
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 20, range(40), n_folds=2)
    >>> x = rng.normal(size=(40, 6)) + np.outer(5.0 * folds.label, np.eye(6)[0])
    >>> space = next(fold_spaces(x, folds, ridge=100.0))
    >>> projection = NullspaceProjection(space, folds.label[space.train, None])
    >>> is_b = folds.label[space.held_out]
    >>> bool(np.corrcoef(projection.step()[0, space.same_row], is_b)[0, 1] > 0.9)
    True
    >>> bool(np.corrcoef(projection.step()[0, space.same_row], is_b)[0, 1] < 0.5)
    True
    """

    def __init__(self, space: FoldSpace, codes: NDArray[np.generic]) -> None:
        self._space = space
        self._inverse = 1.0 / (space.eigenvalues + space.ridge_lambda)
        centred = codes.astype(np.float64)
        centred -= centred.mean(axis=0)
        products = centred.T @ space.train_coordinates
        # Codes that do not vary, or have nothing to do with the activations, are not fitted.
        largest = np.linalg.norm(centred, axis=0)[:, None] * np.sqrt(space.eigenvalues[-1])
        products[np.linalg.norm(products, axis=1) <= _ROUNDING * largest[:, 0]] = 0.0
        self._next = products * self._inverse
        self._directions = np.zeros((len(self._next), 0, len(space.eigenvalues)))

    @property
    def directions(self) -> NDArray[np.float64]:
        """Directions so far, shape (n_concepts, n_steps, n_axes), orthonormal or zero."""
        return self._directions

    def step(self) -> NDArray[np.float64]:
        """Fit, read, and take out.

        Returns
        -------
        ndarray of float64, shape (n_concepts, n_rows)
            Projection of the distinct held-out rows on the probe's direction; all zero when
            nothing is left that the concept could be fitted to.
        """
        before = np.linalg.norm(self._next, axis=1, keepdims=True)
        rest = self._next
        for _ in range(2):
            along = self._directions @ rest[:, :, None]
            rest = rest - (self._directions.transpose(0, 2, 1) @ along)[:, :, 0]
        length = np.linalg.norm(rest, axis=1, keepdims=True)
        is_left = length > _ROUNDING * before
        direction = np.where(is_left, rest / np.where(is_left, length, 1.0), 0.0)
        self._directions = np.concatenate([self._directions, direction[:, None]], axis=1)
        self._next = -direction * self._inverse
        return np.asarray(direction @ self._space.row_coordinates.T)

    def keep(self, concepts: NDArray[np.bool_]) -> None:
        """Go on with some of the concepts only."""
        self._next = self._next[concepts]
        self._directions = self._directions[concepts]


def nullspace_scores(
    spaces: Sequence[FoldSpace], folds: Folds, n_directions: int
) -> NDArray[np.float64]:
    """Score held-out stimuli for every category, before and after every direction is taken out.

    Parameters
    ----------
    spaces : sequence of FoldSpace
        From `fold_spaces`.
    folds : Folds
        The folds, with the true labels.
    n_directions : int
        How many directions are taken out of each category.

    Returns
    -------
    ndarray of float64, shape (n_stimuli, n_categories, n_directions + 1)
        Score k is that of the probe fitted after k directions were taken out, up to a factor of
        the fold.

    Examples
    --------
    >>> from cortiscope.statistics import fold_spaces
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 8, range(16), n_folds=2)
    >>> spaces = list(fold_spaces(rng.normal(size=(16, 40)), folds))
    >>> nullspace_scores(spaces, folds, 3).shape
    (16, 2, 4)
    """
    scores = np.empty((len(folds.label), folds.n_categories, n_directions + 1))
    for space in spaces:
        codes = folds.label[space.train, None] == np.arange(folds.n_categories)
        projection = NullspaceProjection(space, codes)
        for step in range(n_directions + 1):
            scores[space.held_out, :, step] = projection.step()[:, space.same_row].T
    return scores


def nullspace_ranks(
    spaces: Sequence[FoldSpace],
    folds: Folds,
    labels: NDArray[np.intp],
    category: NDArray[np.intp],
    needed: NDArray[np.float64],
    n_directions: int,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Count, for many labellings of the words, the directions until the AUC is too low.

    Parameters
    ----------
    spaces : sequence of FoldSpace
        From `fold_spaces`.
    folds : Folds
        The folds.
    labels : ndarray of int, shape (n_labellings, n_words)
        Labels of the words, such as permutations of the true ones.
    category : ndarray of int, shape (n_labellings,)
        The category of each labelling that is read against the rest.
    needed : ndarray of float64, shape (n_labellings,)
        A held-out AUC above this counts.
    n_directions : int
        The largest count.

    Returns
    -------
    ranks : ndarray of int, shape (n_labellings,)
        Number of probes, each fitted on what the ones before it have left, whose AUC is above
        what is needed, up to the first whose is not.
    areas : ndarray of float64, shape (n_labellings,)
        Sum of 2 AUC - 1 over them.

    Examples
    --------
    >>> from cortiscope.statistics import fold_spaces
    >>> folds = Folds.grouped(["a", "b"] * 20, range(40), n_folds=2)
    >>> x = np.random.default_rng(0).normal(size=(40, 2))
    >>> x[:, 0] += 9.0 * folds.label
    >>> spaces = list(fold_spaces(x, folds, ridge=100.0))
    >>> both = np.array([0, 1])
    >>> labels = np.stack([folds.label_of_word] * 2)
    >>> nullspace_ranks(spaces, folds, labels, both, np.full(2, 0.9), 2)[0].tolist()
    [1, 1]
    """
    ranks, areas = np.zeros(len(labels), dtype=np.intp), np.zeros(len(labels))
    for start in range(0, len(labels), _LABELLINGS_AT_ONCE):
        going = np.arange(start, min(start + _LABELLINGS_AT_ONCE, len(labels)))
        is_own = labels[going][:, folds.word] == category[going, None]
        projections = [NullspaceProjection(space, is_own[:, space.train].T) for space in spaces]
        for _ in range(n_directions):
            auc = _auc_of_step(spaces, projections, is_own)
            reached = auc > needed[going]
            going, is_own = going[reached], is_own[reached]
            if not len(going):
                break
            ranks[going] += 1
            areas[going] += 2.0 * auc[reached] - 1.0
            for projection in projections:
                projection.keep(reached)
    return ranks, areas


def _auc_of_step(
    spaces: Sequence[FoldSpace],
    projections: Sequence[NullspaceProjection],
    is_own: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """AUC (labelling,) of the next probe, over pairs of stimuli that one probe reads."""
    wins, pairs = np.zeros(len(is_own)), np.zeros(len(is_own))
    for space, projection in zip(spaces, projections, strict=True):
        # Category 0 is the one that is read, 1 all others.
        labels = (~is_own[:, space.held_out]).astype(np.intp)
        won, of = auc_pairs(projection.step()[:, None], labels, space.same_row)
        wins += won[:, 0]
        pairs += of[:, 0]
    return wins / pairs
