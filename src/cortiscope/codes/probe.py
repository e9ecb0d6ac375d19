"""Linear probes that outlive the recording they were trained on."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortiscope.codes.tensor_file import as_json_holds_it, read_tensors, write_tensors
from cortiscope.codes.training_rows import TrainingRows, rows_of
from cortiscope.errors import InputError, MachineError
from cortiscope.ledger import fingerprint
from cortiscope.scanning import Recording
from cortiscope.statistics.ridge import relative_lambda, solve_ridge
from cortiscope.subjects import SITES


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear probe of a site and layer: how much of each category activations show.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_units, n_categories)
        A copy is kept, and cannot be written to.
    intercept : ndarray of float64, shape (n_categories,)
        Scores are ``x @ weights + intercept``.
    categories : tuple of str
        Names of the columns.
    site : str
        One of `cortiscope.subjects.SITES`; heads lie one after the other in ``head_out``.
    layer : int
        Counted from 0.
    origin : mapping
        What it was trained on (words, fingerprints), as JSON holds it.

    Raises
    ------
    InputError
        For shapes that do not fit, values that are not finite, and a site that does not exist.

    Examples
    --------
    >>> probe = Probe([[1.0, -1.0], [0.0, 2.0]], [0.5, 0.0], ("animal", "tool"), "resid_post", 3)
    >>> probe
    Probe(resid_post of layer 3: 2 units, 2 categories)
    >>> probe.scores([[1.0, 1.0]]).tolist()
    [[1.5, 1.0]]
    """

    weights: NDArray[np.float64] = field(repr=False)
    intercept: NDArray[np.float64] = field(repr=False)
    categories: tuple[str, ...]
    site: str
    layer: int
    origin: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=np.float64)
        intercept = np.array(self.intercept, dtype=np.float64)
        categories = tuple(map(str, self.categories))
        if weights.ndim != 2 or not weights.size or weights.shape[1:] != intercept.shape:
            raise InputError(
                f"A probe has weights of the shape {weights.shape} and an intercept of the shape "
                f"{intercept.shape}: give (n_units, n_categories) and (n_categories,)."
            )
        if len(set(categories)) != len(intercept):
            raise InputError(
                f"A probe of {len(intercept)} columns has the categories {categories}: give each "
                "column a name of its own."
            )
        if not (np.isfinite(weights).all() and np.isfinite(intercept).all()):
            raise InputError("A probe has weights that are not finite: give finite ones.")
        if self.site not in SITES or self.layer < 0:
            raise InputError(
                f"A probe is of {self.site!r} at the layer {self.layer}: choose one of "
                f"{', '.join(SITES)}, and count layers from 0."
            )
        for name, values in (("weights", weights), ("intercept", intercept)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        object.__setattr__(self, "categories", categories)
        object.__setattr__(self, "layer", int(self.layer))
        object.__setattr__(self, "origin", as_json_holds_it("a probe", self.origin))

    @property
    def n_units(self) -> int:
        """Number of units of the site."""
        return len(self.weights)

    @property
    def words(self) -> frozenset[str]:
        """Words that it was trained on, as far as its origin says: none of them may test it."""
        return frozenset(self.origin.get("words", ()))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what it does (weights, intercept, categories, site, layer)."""
        return fingerprint(
            {
                "weights": self.weights,
                "intercept": self.intercept,
                "categories": self.categories,
                "site": self.site,
                "layer": self.layer,
            }
        )

    def scores(self, x: ArrayLike) -> NDArray[np.float64]:
        """Score activations.

        Parameters
        ----------
        x : array-like of float, shape (..., n_units)
            Of its site and layer.

        Returns
        -------
        ndarray of float64, shape (..., n_categories)
            Near 1 for a category's own rows and near 0 for others', in clean activations.

        Raises
        ------
        InputError
            For another number of units.
        """
        values = np.asarray(x, dtype=np.float64)
        if not values.ndim or values.shape[-1] != self.n_units:
            raise InputError(
                f"Activations have the shape {values.shape}, and the probe reads {self.n_units} "
                f"units: give those of {self.site}."
            )
        return np.asarray(values @ self.weights + self.intercept)

    def save(self, path: str | Path) -> Path:
        """Write it as a safetensors file, which `open` reads back.

        Parameters
        ----------
        path : str or Path
            Ends with ``.safetensors``.

        Returns
        -------
        Path
            The file: tensors ``weights`` and ``intercept``, and all else as JSON under
            ``cortiscope.probe`` in the metadata of its header.

        Raises
        ------
        InputError
            For another ending.
        """
        about = {
            "categories": self.categories,
            "site": self.site,
            "layer": self.layer,
            "origin": self.origin,
            "fingerprint": self.fingerprint,
        }
        return write_tensors(
            path, "probe", {"weights": self.weights, "intercept": self.intercept}, about
        )

    @classmethod
    def open(cls, path: str | Path) -> Probe:
        """Open a probe that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        Probe
            Equal to the one that was saved, bit for bit.

        Raises
        ------
        InputError
            When there is no such file, or it holds no probe of Cortiscope.
        MachineError
            When its content is not what was saved.
        """
        tensors, about = read_tensors(path, "probe")
        stated = about.pop("fingerprint")
        probe = cls(tensors["weights"], tensors["intercept"], **about)
        if probe.fingerprint != stated:
            raise MachineError(f"{path} is not what was saved there: save the probe again.")
        return probe

    def __repr__(self) -> str:
        return (
            f"Probe({self.site} of layer {self.layer}: {self.n_units:,} units, "
            f"{len(self.categories)} categories)"
        )

    def _repr_html_(self) -> str:
        return (
            f"<div><strong>Probe</strong> {self.site} of layer {self.layer}, {self.n_units:,} "
            f"units: {html.escape(', '.join(self.categories))}</div>"
        )


def fit_probe(
    x: ArrayLike,
    label: Sequence[str],
    categories: Sequence[str] | None = None,
    *,
    site: str,
    layer: int,
    ridge: float = 0.01,
    words: Sequence[str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Probe:
    """Train a probe by least squares on one-hot codes with a ridge penalty.

    Parameters
    ----------
    x : array-like of float, shape (n_rows, n_units)
        Activations: training words only, which is the caller's duty.
    label : sequence of str, length n_rows
        Category of each row.
    categories : sequence of str, optional
        Columns of the probe; all, sorted, by default. Rows of others count as rest.
    site : str
        Where the activations are from.
    layer : int
        Which layer.
    ridge : float
        λ as a multiple of the mean eigenvalue of the Gram matrix of the centred rows, as in
        `cortiscope.statistics.fold_operators`. The intercept is not penalised.
    words : sequence of str, length n_rows, optional
        Word of each row, for the origin.
    origin : mapping, optional
        What else is known of the rows, as JSON holds it.

    Returns
    -------
    Probe

    Raises
    ------
    InputError
        For shapes that do not fit, values that are not finite, activations that do not vary, a
        category without rows or without others, and a ridge that is not positive.

    References
    ----------
    Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, sections 3.4.1,
    4.2 and 18.3.5.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> label = ["animal", "tool"] * 20
    >>> x = rng.normal(size=(40, 6)) + 3.0 * np.array([[1.0], [0.0]] * 20)
    >>> probe = fit_probe(x, label, site="resid_post", layer=3)
    >>> [probe.categories[i] for i in probe.scores(x[:3]).argmax(axis=1)]
    ['animal', 'tool', 'animal']
    """
    rows = TrainingRows.of(x, label, categories, words=words, origin=origin)
    return probe_of_rows(rows, site, layer, ridge)


def probe_of(
    recording: Recording,
    *,
    site: str = "resid_post",
    layer: int,
    target: str = "category",
    words: Sequence[str] | None = None,
    ridge: float = 0.01,
) -> Probe:
    """Train a probe on a layer of a recording.

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
        Words to train on: leave out those that are to test it. All by default.
    ridge : float
        As in `fit_probe`.

    Returns
    -------
    Probe

    Raises
    ------
    InputError
        For a label, a word, a site or a layer that is not there, and as `fit_probe`.
    """
    rows = rows_of(recording, site, layer, target=target, words=words)
    return probe_of_rows(rows, site, layer, ridge)


def probe_of_rows(rows: TrainingRows, site: str, layer: int, ridge: float) -> Probe:
    """Train a probe on rows that have been checked."""
    if not ridge > 0:
        raise InputError(f"ridge is {ridge}: give a positive multiple of the mean eigenvalue.")
    x, codes = rows.centred(), rows.codes
    base = codes.mean(axis=0)
    in_row_space = x.shape[1] >= len(x)
    gram = x @ x.T if in_row_space else x.T @ x
    penalty = relative_lambda(ridge, float(np.trace(gram)), len(x))
    if in_row_space:
        weights = x.T @ solve_ridge(gram, penalty, codes - base)
    else:
        weights = solve_ridge(gram, penalty, x.T @ (codes - base))
    origin = {**rows.origin, "ridge": ridge}
    return Probe(weights, base - rows.mean() @ weights, rows.categories, site, layer, origin)
