"""The type that holds dissimilarities of conditions, whoever measured them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import squareform

from cortiscope.codes.rdm_files import Stored, read_stored
from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint, write_atomically
from cortiscope.statistics import correlation_distances, euclidean_distances

MEASURES: dict[str, Callable[[NDArray[np.floating]], NDArray[np.float64]]] = {
    "correlation": correlation_distances,
    "euclidean": euclidean_distances,
}
"""Dissimilarities of two patterns, by name; crossnobis needs several runs of them."""

# Rounding may part the two halves of a stored square by this share of its largest value.
_ASYMMETRY = 1e-5


@dataclass(frozen=True, eq=False)
class RDM:
    """A representational dissimilarity matrix: of a model's layer, a brain's region, a person.

    Parameters
    ----------
    name : str
        Whose dissimilarities they are.
    conditions : tuple of str
        Names of the conditions, each once.
    dissimilarities : ndarray of float64, shape (n_conditions * (n_conditions - 1) / 2,)
        The upper triangle row by row, as ``scipy.spatial.distance.squareform`` has it. Values
        below zero are allowed: estimates such as crossnobis have them.
    measure : str
        What they are, such as ``correlation``.

    Raises
    ------
    InputError
        For conditions that are not unique, a number of dissimilarities that is not theirs, and
        values that are not finite: the message names the conditions.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Representational similarity analysis. Frontiers in
    Systems Neuroscience 2, 4.

    Examples
    --------
    >>> rdm = RDM("toy", ("cat", "dog", "saw"), np.array([0.1, 0.9, 0.8]))
    >>> rdm
    RDM(toy: 3 conditions, measure unknown)
    >>> rdm.square[2].tolist()
    [0.9, 0.8, 0.0]
    >>> rdm.select(["saw", "cat"]).dissimilarities.tolist()
    [0.9]
    """

    name: str
    conditions: tuple[str, ...]
    dissimilarities: NDArray[np.float64] = field(repr=False)
    measure: str = "unknown"

    def __post_init__(self) -> None:
        conditions = tuple(map(str, self.conditions))
        values = np.array(self.dissimilarities, dtype=np.float64).ravel()
        values.flags.writeable = False
        object.__setattr__(self, "conditions", conditions)
        object.__setattr__(self, "dissimilarities", values)
        n = len(conditions)
        if repeated := [name for name, count in Counter(conditions).items() if count > 1]:
            raise InputError(
                f"The condition {repeated[0]!r} is there more than once in the RDM {self.name!r}: "
                "give each condition a name of its own."
            )
        if n < 2 or len(values) != n * (n - 1) // 2:
            raise InputError(
                f"The RDM {self.name!r} has {len(values)} dissimilarities of {n} conditions: give "
                f"two conditions or more, and one value for each of their {n * (n - 1) // 2} pairs."
            )
        if not np.isfinite(values).all():
            place = int(np.argmax(~np.isfinite(values)))
            a, b = (conditions[int(of_pair[place])] for of_pair in np.triu_indices(n, 1))
            raise InputError(
                f"The dissimilarity of {a!r} and {b!r} in the RDM {self.name!r} is "
                f"{values[place]}: give a finite one, or leave one of the two conditions out."
            )

    @classmethod
    def from_square(
        cls,
        name: str,
        conditions: Sequence[str],
        square: ArrayLike,
        measure: str = "unknown",
    ) -> RDM:
        """Make an RDM from a square matrix.

        Parameters
        ----------
        name : str
            Whose it is.
        conditions : sequence of str
            Names of rows and columns.
        square : array-like of float, shape (n_conditions, n_conditions)
            Symmetric up to rounding; its diagonal is zero, or NaN where it was not measured.
        measure : str
            What it holds.

        Returns
        -------
        RDM

        Raises
        ------
        InputError
            For a matrix that is not square, not symmetric, or has a diagonal: the message names
            conditions. As `RDM`, too.
        """
        values = np.asarray(square, dtype=np.float64)
        conditions = tuple(map(str, conditions))
        if values.shape != (len(conditions), len(conditions)):
            raise InputError(
                f"The RDM {name!r} has the shape {values.shape} and {len(conditions)} conditions: "
                "give a square with a row and a column for each."
            )
        diagonal = np.nan_to_num(values.diagonal())
        scale = float(np.nanmax(np.abs(values), initial=0.0))
        if np.abs(diagonal).max(initial=0.0) > _ASYMMETRY * scale:
            place = int(np.abs(diagonal).argmax())
            raise InputError(
                f"The dissimilarity of {conditions[place]!r} to itself in the RDM {name!r} is "
                f"{diagonal[place]:g}, and must be 0: give dissimilarities, not similarities."
            )
        with np.errstate(invalid="ignore"):
            uneven = np.argwhere(np.abs(values - values.T) > _ASYMMETRY * scale)
        if len(uneven):
            a, b = uneven[0]
            raise InputError(
                f"The RDM {name!r} is not symmetric: {conditions[a]!r} is {values[a, b]:g} from "
                f"{conditions[b]!r}, and {values[b, a]:g} the other way; average both first."
            )
        return cls(
            name, conditions, (values + values.T)[np.triu_indices(len(values), 1)] / 2, measure
        )

    @classmethod
    def from_features(
        cls,
        name: str,
        conditions: Sequence[str],
        features: ArrayLike,
        measure: str = "correlation",
    ) -> RDM:
        """Make an RDM from an embedding: a row of features for each condition.

        Parameters
        ----------
        name : str
            Whose it is.
        conditions : sequence of str
            Names of the rows.
        features : array-like of float, shape (n_conditions, n_features)
            Such as the dimensions of SPoSE on THINGS.
        measure : str
            ``correlation`` (one minus Pearson's) or ``euclidean`` (squared, mean over features).

        Returns
        -------
        RDM

        Raises
        ------
        InputError
            For another measure, rows that are not as many as the names, and as `RDM`.

        Examples
        --------
        >>> features = [[1.0, 2, 3], [2, 4, 7], [3, 2, 1]]
        >>> RDM.from_features("toy", ["cat", "dog", "saw"], features).dissimilarities.round(2)
        array([0.01, 2.  , 1.99])
        """
        if measure not in MEASURES:
            raise InputError(
                f"There is no measure {measure!r} of features: choose one of {', '.join(MEASURES)}."
            )
        values = np.asarray(features, dtype=np.float64)
        if values.ndim != 2 or len(values) != len(conditions):
            raise InputError(
                f"The features of {name!r} have the shape {values.shape} for {len(conditions)} "
                "conditions: give a row for each."
            )
        return cls(name, tuple(conditions), MEASURES[measure](values), measure)

    @classmethod
    def read(
        cls, path: str | Path, *, name: str | None = None, conditions: Sequence[str] | None = None
    ) -> RDM:
        """Read an RDM from a file that anyone wrote.

        Parameters
        ----------
        path : str or Path
            ``.csv`` or ``.tsv``: a square, with or without names of rows and columns, or three
            columns under a header, condition, other condition and value, in which each pair is
            once. ``.mat`` (up to version 7.2): squares, stacks of them along the third axis, and
            structures with a field ``RDM``, as in the RSA toolbox for MATLAB. ``.hdf5`` or ``.h5``:
            what ``rsatoolbox.rdm.RDMs.save`` writes. Pickles are refused, as they may run code.
        name : str, optional
            Which one, where the file holds several; else what to call it.
        conditions : sequence of str, optional
            Names of the conditions in the file's order, where it has none; their numbers from 1
            when left out.

        Returns
        -------
        RDM

        Raises
        ------
        InputError
            For a file of another kind, of several RDMs without `name` (the message lists them),
            or of something that is no RDM.
        """
        rdms = cls.read_all(path, conditions=conditions)
        if name in rdms:
            return rdms[name]
        if len(rdms) == 1:
            only = next(iter(rdms.values()))
            return only if name is None else only._called(name)
        listed = ", ".join(repr(each) for each in rdms)
        problem = "say which to read by name" if name is None else f"none is called {name!r}"
        raise InputError(f"{path} holds {len(rdms)} RDMs, and {problem}: choose one of {listed}.")

    @classmethod
    def read_all(
        cls, path: str | Path, *, conditions: Sequence[str] | None = None
    ) -> dict[str, RDM]:
        """Read all RDMs of a file, by name; as `read` otherwise."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"There is no file {path}: give the path of a saved RDM.")
        return {stored.name: cls._from_stored(stored, conditions) for stored in read_stored(path)}

    @classmethod
    def mean(cls, name: str, rdms: Sequence[RDM]) -> RDM:
        """Average RDMs of the same conditions, such as those of several sessions.

        Raises
        ------
        InputError
            When there is none, or one lacks a condition of the first.
        """
        if not rdms:
            raise InputError("There is no RDM to average: give one or more.")
        same = [rdm.select(rdms[0].conditions).dissimilarities for rdm in rdms]
        measures = {rdm.measure for rdm in rdms}
        measure = measures.pop() if len(measures) == 1 else "unknown"
        return cls(name, rdms[0].conditions, np.mean(same, axis=0), measure)

    @property
    def n_conditions(self) -> int:
        """Number of conditions."""
        return len(self.conditions)

    @property
    def square(self) -> NDArray[np.float64]:
        """The dissimilarities as a matrix, shape (n_conditions, n_conditions)."""
        return np.asarray(squareform(self.dissimilarities, checks=False))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content; whatever the RDM is called."""
        return fingerprint(
            {
                "conditions": self.conditions,
                "dissimilarities": self.dissimilarities,
                "measure": self.measure,
            }
        )

    def select(self, conditions: Sequence[str]) -> RDM:
        """Take some conditions, in this order.

        Raises
        ------
        InputError
            For a condition that it lacks; `matching` finds names that are spelt otherwise.
        """
        place = {name: index for index, name in enumerate(self.conditions)}
        if missing := [str(name) for name in conditions if name not in place]:
            raise InputError(
                f"The RDM {self.name!r} has no condition {missing[0]!r} "
                f"({len(missing)} of {len(conditions)} are missing): choose among its conditions."
            )
        rows = [place[name] for name in conditions]
        chosen = self.square[np.ix_(rows, rows)]
        return RDM(self.name, tuple(conditions), squareform(chosen, checks=False), self.measure)

    def matching(self, names: Sequence[str]) -> dict[str, str]:
        """Find its conditions by the names that others give them.

        Parameters
        ----------
        names : sequence of str
            Words, say.

        Returns
        -------
        dict of str to str
            For each name that it has, its own: the very same one, or else the only one that
            differs in nothing but case, and underscores or hyphens for spaces.

        Examples
        --------
        >>> rdm = RDM("toy", ("Cat", "ice_cream", "saw"), np.array([0.1, 0.9, 0.8]))
        >>> rdm.matching(["cat", "ice cream", "dog"])
        {'cat': 'Cat', 'ice cream': 'ice_cream'}
        """
        exact = set(self.conditions)
        of_folded: dict[str, list[str]] = {}
        for own in self.conditions:
            of_folded.setdefault(_folded(own), []).append(own)
        found = {}
        for name in map(str, names):
            alike = [name] if name in exact else of_folded.get(_folded(name), [])
            if len(alike) == 1:
                found[name] = alike[0]
        return found

    def save(self, path: str | Path) -> Path:
        """Write it as a CSV file: a square with the conditions' names, which `read` reads back.

        Parameters
        ----------
        path : str or Path
            Ends with ``.csv``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        InputError
            For another ending.
        """
        path = Path(path)
        if path.suffix.lower() != ".csv":
            raise InputError(f"An RDM is saved as CSV: give {path.name} the ending .csv.")
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([self.measure, *self.conditions])
        for condition, values in zip(self.conditions, self.square.tolist(), strict=True):
            rows.writerow([condition, *map(repr, values)])
        return write_atomically(path, text.getvalue())

    def __repr__(self) -> str:
        return f"RDM({self.name}: {self.n_conditions} conditions, measure {self.measure})"

    @classmethod
    def _from_stored(cls, stored: Stored, conditions: Sequence[str] | None) -> RDM:
        n = len(stored.square)
        names = stored.conditions or conditions or [str(i + 1) for i in range(n)]
        return cls.from_square(stored.name, names, stored.square, stored.measure)

    def _called(self, name: str) -> RDM:
        return RDM(name, self.conditions, self.dissimilarities, self.measure)


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
