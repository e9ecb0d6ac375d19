"""Finding the directions of categories, and random ones beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from cortiscope.codes.direction import Direction
from cortiscope.codes.eraser import erasers_of_rows
from cortiscope.codes.probe import probe_of_rows
from cortiscope.codes.training_rows import TrainingRows, checked_activations, rows_of
from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.scanning import Recording

Method = Literal["difference_in_means", "leace", "probe"]
RandomKind = Literal["isotropic", "covariance"]


def fit_directions(
    x: ArrayLike,
    label: Sequence[str],
    categories: Sequence[str] | None = None,
    *,
    method: Method = "difference_in_means",
    site: str,
    layer: int,
    ridge: float = 0.01,
    words: Sequence[str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> dict[str, Direction]:
    """Find the direction of each category against all others.

    Parameters
    ----------
    x : array-like of float, shape (n_rows, n_units)
        Activations: training words only, which is the caller's duty.
    label : sequence of str, length n_rows
        Category of each row.
    categories : sequence of str, optional
        Those whose directions are wanted; all, sorted, by default. Rows of others count as rest.
    method : {"difference_in_means", "leace", "probe"}
        The mean of the category's rows less that of the others; what LEACE reads, which is the
        inverse of the shrunk covariance times that difference; or the weights of a ridge probe,
        the same with the ridge penalty in place of the shrinkage.
    site : str
        Where the activations are from.
    layer : int
        Which layer.
    ridge : float
        Of the probe, as in `fit_probe`.
    words : sequence of str, length n_rows, optional
        Word of each row, for the origin.
    origin : mapping, optional
        What else is known of the rows, as JSON holds it.

    Returns
    -------
    dict of str to Direction
        Each points to its category. Its scale is how far apart the two means are along it,
        whatever the method: a dose of 1 carries the others' mean as far along the direction as
        the category's mean is.

    Raises
    ------
    InputError
        For a method that does not exist, shapes that do not fit, values that are not finite,
        activations that do not vary, a category without rows or without others, and one whose
        mean is that of the others.

    Notes
    -----
    What LEACE takes out lies along the difference in means: it reads along one direction and
    writes along another. `fit_erasers` has both; to lesion a direction of the method ``leace`` is
    to project orthogonally to what LEACE reads, which is another lesion.

    References
    ----------
    Belrose et al. (2023), LEACE: Perfect linear concept erasure in closed form, NeurIPS; Marks &
    Tegmark (2024), The geometry of truth, COLM, for differences in means.

    Examples
    --------
    >>> x = np.array([[1.0, 0.1], [3.0, -0.1], [0.0, 0.1], [0.0, -0.1]])
    >>> label = ["animal", "animal", "tool", "tool"]
    >>> found = fit_directions(x, label, site="resid_post", layer=3)
    >>> found["animal"]
    Direction(animal: resid_post of layer 3, 2 units, natural length 2, difference_in_means)
    >>> found["animal"].vector.tolist()
    [1.0, 0.0]
    """
    rows = TrainingRows.of(x, label, categories, words=words, origin=origin)
    return _directions_of_rows(rows, method, site, layer, ridge)


def directions_of(
    recording: Recording,
    *,
    site: str = "resid_post",
    layer: int,
    target: str = "category",
    words: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    method: Method = "difference_in_means",
    ridge: float = 0.01,
) -> dict[str, Direction]:
    """Find the directions of categories in a layer of a recording.

    Parameters
    ----------
    recording : Recording
        With one position a stimulus, and labels ``word`` and `target`.
    site : str
        Which site.
    layer : int
        Which layer.
    target : str
        The label that holds categories.
    words : sequence of str, optional
        Words to find them in: leave out those that are to test them. All by default.
    categories, method, ridge
        As in `fit_directions`.

    Returns
    -------
    dict of str to Direction
        As `fit_directions`; origins name the recording and the weights of the subject.

    Raises
    ------
    InputError
        For a label, a word, a site or a layer that is not there, and as `fit_directions`.
    """
    rows = rows_of(recording, site, layer, target=target, words=words, categories=categories)
    return _directions_of_rows(rows, method, site, layer, ridge)


def random_directions(
    x: ArrayLike,
    n: int,
    *,
    like: Direction,
    kind: RandomKind = "isotropic",
    seed: int = 0,
) -> tuple[Direction, ...]:
    """Draw directions that mean nothing, as controls of one that does.

    Parameters
    ----------
    x : array-like of float, shape (n_rows, n_units)
        Activations of the same site and layer.
    n : int
        How many.
    like : Direction
        Whose site, layer and scale they get, so that equal doses are equally long.
    kind : {"isotropic", "covariance"}
        All directions alike; or drawn from a normal distribution with the covariance of `x`, so
        that they lie where activations vary.
    seed : int
        Of the draw. Fewer directions of the same seed are the first of more.

    Returns
    -------
    tuple of Direction
        Called ``KIND 0``, ``KIND 1``, ...

    Raises
    ------
    InputError
        For activations of other units than `like`, that are not finite or do not vary, a kind
        that does not exist, and fewer than one direction.

    Notes
    -----
    Rows of activations, centred and weighted by independent normal numbers, add up to a draw with
    their covariance: it is never formed, and draws stay in the span of the rows.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(20, 3)) * [10.0, 1.0, 0.0]
    >>> like = Direction.from_vector([0, 0, 2], site="resid_post", layer=3, name="animal")
    >>> draws = random_directions(x, 100, like=like, kind="covariance")
    >>> draws[0].scale, max(abs(float(draw.vector[2])) for draw in draws)
    (2.0, 0.0)
    """
    rows = checked_activations(x)
    if rows.shape[1] != like.n_units:
        raise InputError(
            f"Activations have {rows.shape[1]} units and {like.name!r} has {like.n_units}: give "
            f"those of {like.site} at layer {like.layer}."
        )
    if kind not in get_args(RandomKind):
        raise InputError(f"There is no kind {kind!r}: choose isotropic or covariance.")
    if n < 1:
        raise InputError(f"n is {n}: draw one direction or more.")
    rng = np.random.default_rng(seed)
    if kind == "isotropic":
        draws = rng.normal(size=(n, like.n_units))
    else:
        centred = rows - rows.mean(axis=0, dtype=np.float64)
        draws = rng.normal(size=(n, len(rows))) @ centred
    units = draws / np.linalg.norm(draws, axis=1, keepdims=True)
    drawn_from = {"activations": fingerprint(rows), "seed": seed, "like": like.fingerprint}
    return tuple(
        Direction(
            vector.astype(np.float32),
            like.site,
            like.layer,
            f"{kind} {index}",
            like.scale,
            f"random_{kind}",
            {**drawn_from, "index": index},
        )
        for index, vector in enumerate(units)
    )


def _directions_of_rows(
    rows: TrainingRows, method: Method, site: str, layer: int, ridge: float
) -> dict[str, Direction]:
    if method not in get_args(Method):
        raise InputError(
            f"There is no method {method!r}: choose one of {', '.join(get_args(Method))}."
        )
    differences = rows.differences_in_means()
    vectors = differences
    origin = dict(rows.origin)
    if method == "leace":
        erasers = erasers_of_rows(rows, site, layer)
        reads = [erasers[category].read[:, 0] for category in rows.categories]
        vectors = np.array(reads, dtype=np.float64)
    elif method == "probe":
        probe = probe_of_rows(rows, site, layer, ridge)
        vectors, origin = probe.weights.T, dict(probe.origin)
    directions = {}
    for category, vector, difference in zip(rows.categories, vectors, differences, strict=True):
        unit = vector / np.linalg.norm(vector)
        apart = float(difference @ unit)
        directions[category] = Direction(
            unit.astype(np.float32), site, layer, category, apart, method, origin
        )
    return directions
