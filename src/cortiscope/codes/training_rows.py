"""The rows on which directions, probes and erasers are fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.scanning import Recording

# A difference in means of less than this share of the largest activation is rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Activations with a category each; every category is told from all other rows.

    Parameters
    ----------
    x : ndarray of float, shape (n_rows, n_units)
        Finite, with a unit that varies.
    label : tuple of str, length n_rows
        Category of each row.
    categories : tuple of str
        Those that are asked about, in this order.
    origin : dict
        What the rows are, for the origin of what is fitted on them.
    """

    x: NDArray[np.floating]
    label: tuple[str, ...]
    categories: tuple[str, ...]
    origin: dict[str, Any]

    @classmethod
    def of(
        cls,
        x: ArrayLike,
        label: Sequence[str],
        categories: Sequence[str] | None = None,
        *,
        words: Sequence[str] | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> TrainingRows:
        """Check rows, and describe them.

        Parameters
        ----------
        x, label
            As in `TrainingRows`.
        categories : sequence of str, optional
            All, sorted, by default.
        words : sequence of str, length n_rows, optional
            Word that each row shows, which is written into the origin.
        origin : mapping, optional
            What else is known of the rows.

        Raises
        ------
        InputError
            For shapes that do not fit, values that are not finite, activations that do not vary,
            and a category that has no rows or all of them.
        """
        values = checked_activations(x)
        label = tuple(map(str, label))
        if len(values) != len(label):
            raise InputError(
                f"There are {len(values)} rows of activations and {len(label)} labels: give one "
                "label for each row."
            )
        if words is not None and len(words) != len(label):
            raise InputError(f"There are {len(words)} words for {len(label)} rows: give one each.")
        n_rows_of = Counter(label)
        asked = tuple(sorted(n_rows_of) if categories is None else map(str, categories))
        if len(set(asked)) != len(asked):
            raise InputError(f"A category is asked about twice ({', '.join(asked)}): name it once.")
        for category in asked:
            if not 0 < n_rows_of[category] < len(label):
                raise InputError(
                    f"{n_rows_of[category]} of {len(label)} rows are of the category "
                    f"{category!r}: give rows of it, and rows of others."
                )
        about = {
            "n_rows_of": dict(sorted(n_rows_of.items())),
            "activations": fingerprint(values),
            "labels": fingerprint(label),
            **({} if words is None else {"words": sorted(set(map(str, words)))}),
            **(origin or {}),
        }
        return cls(values, label, asked, about)

    @property
    def codes(self) -> NDArray[np.float64]:
        """One column a category, 1 for its rows and 0 for others, shape (n_rows, n_categories)."""
        is_of = np.array(self.label)[:, None] == np.array(self.categories)[None, :]
        return np.asarray(is_of, dtype=np.float64)

    def differences_in_means(self) -> NDArray[np.float64]:
        """Give the mean of each category's rows less that of all others.

        Returns
        -------
        ndarray of float64, shape (n_categories, n_units)

        Raises
        ------
        InputError
            For a category whose mean is that of the others, up to rounding.
        """
        codes = self.codes
        n_own = codes.sum(axis=0)
        # Sums of rows about their mean: large means of units would cost digits.
        sums = codes.T @ self.centred()
        differences = sums * (1.0 / n_own + 1.0 / (len(codes) - n_own))[:, None]
        floor = _ROUNDING * float(np.abs(self.x).max())
        for category, difference in zip(self.categories, differences, strict=True):
            if np.linalg.norm(difference) <= floor:
                raise InputError(
                    f"The mean of {category!r} is that of all others: it has no direction; check "
                    "the labels."
                )
        return np.asarray(differences)

    def mean(self) -> NDArray[np.float64]:
        """Give the mean of all rows, shape (n_units,)."""
        return np.asarray(self.x.mean(axis=0, dtype=np.float64))

    def centred(self) -> NDArray[np.float64]:
        """Give the rows less their mean, shape (n_rows, n_units)."""
        return np.asarray(self.x - self.mean(), dtype=np.float64)


def rows_of(
    recording: Recording,
    site: str,
    layer: int,
    *,
    target: str = "category",
    group: str = "word",
    words: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
) -> TrainingRows:
    """Take one layer of a recording, of some words.

    Parameters
    ----------
    recording : Recording
        With one position a stimulus.
    site : str
        Which site.
    layer : int
        Which layer.
    target : str
        The label that holds categories.
    group : str
        The label that holds words.
    words : sequence of str, optional
        Which words; all by default.
    categories : sequence of str, optional
        As in `TrainingRows.of`.

    Returns
    -------
    TrainingRows
        Units of ``head_out`` are its heads, one after the other.

    Raises
    ------
    InputError
        For a label, a word, a site or a layer that is not there, and as `TrainingRows.of`.
    """
    for name in (target, group):
        if name not in recording.labels.columns:
            raise InputError(
                f"{recording.name} has no label {name!r}: it has "
                f"{', '.join(map(str, recording.labels.columns)) or 'none'}."
            )
    if words is not None:
        if unknown := sorted(set(words) - set(recording.labels[group])):
            raise InputError(
                f"{recording.name} has no {group} {unknown[0]!r} ({len(unknown)} of "
                f"{len(words)} are not there): choose among its own."
            )
        wanted: dict[str, Any] = {group: list(words)}
        recording = recording.sel(**wanted)
    if "token" in recording[site].dims:
        raise InputError(
            f"{recording.name} holds every token: scan again with one position, such as "
            "target_last."
        )
    values = recording.layer(site, layer)
    subject = recording.provenance.get("subject", {})
    return TrainingRows.of(
        values.reshape(len(values), -1),
        recording.labels[target].astype(str).tolist(),
        categories,
        words=recording.labels[group].astype(str).tolist(),
        origin={
            "recording": recording.fingerprint,
            "subject": recording.subject,
            "weights": subject.get("weights", {}),
        },
    )


def checked_activations(x: ArrayLike) -> NDArray[Any]:
    """Check that activations are finite and vary.

    Parameters
    ----------
    x : array-like of float, shape (n_rows, n_units)
        Activations.

    Returns
    -------
    ndarray
        The same.

    Raises
    ------
    InputError
        For another number of axes, values that are not finite, and rows that are all equal.
    """
    values = np.asarray(x)
    if values.ndim != 2 or not values.size:
        raise InputError(
            f"Activations have the shape {values.shape}: give one row for each stimulus and one "
            "column for each unit."
        )
    if not np.isfinite(values).all():
        row, unit = np.argwhere(~np.isfinite(values))[0]
        raise InputError(
            f"Row {row}, unit {unit} is {values[row, unit]}: activations must be finite; record "
            "them again, or leave that row out."
        )
    if not (values != values[:1]).any():
        raise InputError(
            "All units are constant over the rows: there is nothing to find; check the site and "
            "the position."
        )
    return values
