"""Representational dissimilarities of a recording: how far apart conditions are at each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.preparation import (
    activations,
    check_labels,
    chosen_layers,
    over_layers,
)
from cortiscope.codes import MEASURES, RDM
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import crossnobis_distances, noise_kernel

CROSSNOBIS = "crossnobis"


def rdms(
    recording: Recording,
    groups: str = "word",
    frames: str | None = "frame",
    *,
    measure: str = "correlation",
    normalise: bool = False,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
) -> dict[int, RDM]:
    """Measure the dissimilarities of conditions at every layer.

    The mean of each frame is removed first; then a condition's sentences are averaged.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    groups : str
        Label whose values are the conditions: words, or categories.
    frames : str, optional
        Label of frames, which are the runs of crossnobis; None leaves one mean of all.
    measure : str
        ``correlation`` (one minus the correlation over units), ``euclidean`` (squared, mean over
        units), or ``crossnobis`` (the same, cross-validated over all pairs of frames: zero on
        average where two conditions do not differ).
    normalise : bool
        With crossnobis, whether it is measured in units of noise: under the precision of what
        sentences differ from their condition's mean, with shrunk correlations.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers; all that were recorded when left out.

    Returns
    -------
    dict of int to RDM
        By layer; conditions in alphabetical order.

    Raises
    ------
    InputError
        For a label, a site, a layer or a measure that there is not, activations that are not
        finite, a condition that is the same in all units (correlation) or is missing in a frame
        (crossnobis), or fewer than two frames (crossnobis).

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Frontiers in Systems Neuroscience 2, 4; Walther et al.
    (2016), NeuroImage 137, 188-200. Equal to ``rsatoolbox.rdm.calc_rdm``.

    Examples
    --------
    >>> words = pd.DataFrame({"word": ["cat", "dog", "saw"] * 2, "frame": ["a"] * 3 + ["b"] * 3})
    >>> x = np.random.default_rng(0).normal(size=(6, 2, 8))
    >>> rdms(Recording.from_arrays({"resid_post": x}, words))[1]
    RDM(arrays resid_post[1]: 3 conditions, measure correlation)
    """
    check_labels(recording, groups, frames)
    cells = Cells.of(recording.labels, groups, frames)
    distance = Distance(measure, normalise)
    chosen = chosen_layers(recording, site, layers)

    def of_layer(layer: int) -> RDM:
        x = activations(recording, site, layer)
        name = f"{recording.name} {site}[{layer}]"
        return RDM(name, cells.conditions, distance.of(x, cells, name), measure)

    measured = over_layers(of_layer, chosen, f"dissimilarities of {recording.name} {site}")
    return dict(zip(chosen, measured, strict=True))


@dataclass(frozen=True, eq=False)
class Cells:
    """Which condition and which frame each stimulus is.

    Attributes
    ----------
    conditions, frames : tuple of str
        Their names, in alphabetical order.
    condition, frame : ndarray of int, shape (n_stimuli,)
        Of each stimulus.
    """

    conditions: tuple[str, ...]
    frames: tuple[str, ...]
    condition: NDArray[np.intp]
    frame: NDArray[np.intp]

    @classmethod
    def of(cls, labels: pd.DataFrame, groups: str, frames: str | None) -> Cells:
        """Read them from labels; None for `frames` stands for one frame."""
        condition, conditions = _codes(labels[groups].astype(str).tolist())
        named = ["all"] * len(labels) if frames is None else labels[frames].astype(str).tolist()
        frame, frame_names = _codes(named)
        return cls(conditions, frame_names, condition, frame)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Stimuli of each condition in each frame, shape (n_frames, n_conditions)."""
        counts = np.zeros((len(self.frames), len(self.conditions)), dtype=np.intp)
        np.add.at(counts, (self.frame, self.condition), 1)
        return counts

    @property
    def complete_frames(self) -> NDArray[np.intp]:
        """Frames that hold all conditions."""
        return np.flatnonzero(self.counts.all(axis=1))

    def without_frames(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Remove the mean of each frame, shape (n_stimuli, n_units)."""
        centred = x.astype(np.float64)
        for frame in range(len(self.frames)):
            members = np.flatnonzero(self.frame == frame)
            centred[members] -= centred[members].mean(axis=0)
        return centred

    def patterns(
        self, x: NDArray[np.float64], frame: int | np.intp | None = None
    ) -> NDArray[np.float64]:
        """Average the sentences of each condition, in one frame or all.

        Returns
        -------
        ndarray of float64, shape (n_conditions, n_units)
        """
        rows = np.arange(len(x)) if frame is None else np.flatnonzero(self.frame == frame)
        order = rows[np.argsort(self.condition[rows], kind="stable")]
        counts = np.bincount(self.condition[rows], minlength=len(self.conditions))
        starts = np.cumsum(counts) - counts
        return np.asarray(np.add.reduceat(x[order], starts, axis=0) / counts[:, None])


@dataclass(frozen=True)
class Distance:
    """A measure of dissimilarity, and whether noise is normalised.

    Raises
    ------
    InputError
        For a measure that there is not, or one that cannot normalise noise.
    """

    measure: str
    normalise: bool = False

    def __post_init__(self) -> None:
        known = (*MEASURES, CROSSNOBIS)
        if self.measure not in known:
            raise InputError(
                f"There is no measure {self.measure!r}: choose one of {', '.join(known)}."
            )
        if self.normalise and self.measure != CROSSNOBIS:
            raise InputError(
                f"Noise is normalised with measure='crossnobis' alone, not with {self.measure!r}: "
                "choose crossnobis, or leave normalise out."
            )

    def of(self, x: NDArray[np.floating], cells: Cells, what: str) -> NDArray[np.float64]:
        """Measure all pairs of conditions.

        Parameters
        ----------
        x : ndarray, shape (n_stimuli, n_units)
            Activations.
        cells : Cells
            What the stimuli are.
        what : str
            What messages call `x`.

        Returns
        -------
        ndarray of float64, shape (n_conditions * (n_conditions - 1) / 2,)
        """
        centred = cells.without_frames(x)
        if self.measure == CROSSNOBIS:
            return self._crossnobis(centred, cells, what)
        return _checked(MEASURES[self.measure](cells.patterns(centred)), cells, what)

    def of_frames(self, x: NDArray[np.floating], cells: Cells) -> NDArray[np.float64] | None:
        """Measure in each frame that holds all conditions, shape (n_frames, n_pairs).

        None where there are fewer than two, and with crossnobis, which one frame has none of.
        """
        if self.measure == CROSSNOBIS or len(cells.complete_frames) < 2:
            return None
        centred = cells.without_frames(x)
        values = np.stack(
            [MEASURES[self.measure](cells.patterns(centred, f)) for f in cells.complete_frames]
        )
        return values if np.isfinite(values).all() else None

    def _crossnobis(
        self, centred: NDArray[np.float64], cells: Cells, what: str
    ) -> NDArray[np.float64]:
        if not cells.counts.all():
            frame, condition = np.argwhere(cells.counts == 0)[0]
            raise InputError(
                f"{cells.conditions[condition]!r} is missing in the frame {cells.frames[frame]!r} "
                f"of {what}, and crossnobis needs every condition in every frame: leave it out, "
                "or choose another measure."
            )
        kernel = None
        if self.normalise:
            means = cells.patterns(centred)
            kernel = noise_kernel(centred - means[cells.condition], len(means))
        runs = np.stack([cells.patterns(centred, f) for f in range(len(cells.frames))])
        return crossnobis_distances(runs, kernel)


def _checked(values: NDArray[np.float64], cells: Cells, what: str) -> NDArray[np.float64]:
    if np.isnan(values).any():
        place = int(np.argmax(np.isnan(values)))
        pair = np.triu_indices(len(cells.conditions), 1)
        a, b = (cells.conditions[int(of_pair[place])] for of_pair in pair)
        raise InputError(
            f"The correlation of {a!r} and {b!r} is not defined in {what}: one of them is the same "
            "in all units; leave that condition or layer out, or choose measure='euclidean'."
        )
    return values


def _codes(values: Sequence[str]) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    names, codes = np.unique(np.array(values, dtype=str), return_inverse=True)
    return codes.astype(np.intp), tuple(map(str, names))
