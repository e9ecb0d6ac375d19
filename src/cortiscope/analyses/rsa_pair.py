"""All layers of a recording against all layers of another, or an RDM: dissimilarities, ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.pair_design import PairDesign
from cortiscope.analyses.preparation import (
    activations,
    check_labels,
    chosen_layers,
    over_layers,
)
from cortiscope.analyses.rdms import Cells, Distance
from cortiscope.codes import RDM
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    RankCorrelations,
    RankedRdms,
    jackknife_words,
    noise_ceiling,
    permute_items,
    permuted_rank_correlations,
    rank_correlations,
    subset_rank_correlations,
)

# Halves of the conditions are compared, and a rank correlation needs a few pairs in each.
_FEWEST_CONDITIONS = 8
_MOST_NAMED = 3  # conditions that a message names

_Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RankedSide:
    """The RDMs of one recording's layers, or an RDM in the place of a layer.

    Attributes
    ----------
    layers : list of int
        Layers that are compared; 0 for an RDM.
    n_layers : int
        How many layers it has: the last one that is held counts as the top.
    dissimilarities : ndarray of float64, shape (n_layers, n_pairs)
        Of each layer.
    of_frames : list of ndarray of float64, shape (n_frames, n_pairs), or None
        Of each layer in single frames, where that is defined.
    """

    layers: list[int]
    n_layers: int
    dissimilarities: _Values
    of_frames: list[_Values | None]

    @classmethod
    def of_recording(
        cls,
        recording: Recording,
        site: str,
        layers: Sequence[int] | None,
        stimuli: NDArray[np.intp],
        cells: Cells,
        distance: Distance,
        ceiling: bool,
    ) -> RankedSide:
        """Measure every layer; `ceiling` says whether single frames are measured too."""
        chosen = chosen_layers(recording, site, layers)

        def of_layer(layer: int) -> tuple[_Values, _Values | None]:
            x = activations(recording, site, layer)[stimuli]
            what = f"layer {layer} of {site} in {recording.name}"
            found = distance.of(x, cells, what)
            if found.min() == found.max():
                raise InputError(
                    f"All dissimilarities are equal in {what}, and have no ranks: leave that "
                    "layer out."
                )
            return found, distance.of_frames(x, cells) if ceiling else None

        found = over_layers(of_layer, chosen, f"dissimilarities of {recording.name} {site}")
        return cls(
            chosen,
            max(recording.layers(site)) + 1,
            np.stack([all_frames for all_frames, _ in found]),
            [of_frames for _, of_frames in found],
        )

    @classmethod
    def of_rdm(cls, rdm: RDM, conditions: Sequence[str]) -> RankedSide:
        """Take the place of a layer; `conditions` are its own names for those that are shared."""
        values = rdm.select(conditions).dissimilarities
        if values.min() == values.max():
            raise InputError(
                f"All dissimilarities of the shared conditions are equal in the RDM {rdm.name!r}, "
                "and have no ranks: compare over other conditions."
            )
        return cls([0], 1, values[None], [None])

    @cached_property
    def ranked(self) -> RankedRdms:
        """The dissimilarities, ranked."""
        return RankedRdms.of(self.dissimilarities)

    def ceilings(self) -> tuple[_Values, _Values]:
        """Lower and upper noise ceiling of each layer; NaN where single frames have no RDM."""
        bounds = np.full((2, len(self.layers)), np.nan)
        for place, of_frames in enumerate(self.of_frames):
            if of_frames is not None:
                bounds[:, place] = [bound.spearman for bound in noise_ceiling(of_frames)]
        return bounds[0], bounds[1]

    def in_frames(self, other: RankedSide) -> _Values:
        """Correlate RDMs of single frames with the other's, and average, (layer, other_layer)."""
        found = np.full((len(self.layers), len(other.layers)), np.nan)
        for row, of_frames in zip(found, self.of_frames, strict=True):
            if of_frames is not None:
                row[:] = rank_correlations(RankedRdms.of(of_frames), other.ranked).spearman.mean(0)
        return found


@dataclass(frozen=True, eq=False)
class RsaPair:
    """Two sides, and the conditions that both have.

    Attributes
    ----------
    one, other : RankedSide
        What is compared.
    design : PairDesign
        The shared conditions (its words), their halves, and who may take whose place.
    n_permutations, n_jackknife, seed : int
        Draws of the null, subsets of the jackknife, and the seed of both.
    """

    one: RankedSide
    other: RankedSide
    design: PairDesign
    n_permutations: int
    n_jackknife: int
    seed: int

    @cached_property
    def kept_words(self) -> NDArray[np.bool_]:
        """Conditions in each subset of the jackknife, shape (n_jackknife, n_conditions)."""
        return jackknife_words(
            self.design.jackknife_strata, n_jackknife=self.n_jackknife, seed=self.seed
        )

    def compared(
        self, members: NDArray[np.intp] | None = None
    ) -> tuple[RankCorrelations, RankCorrelations]:
        """Correlate all layers of both, over some conditions or all.

        Returns
        -------
        permuted : RankCorrelations
            Shape (1 + n_permutations, n_layers, n_other), the true order first.
        subsets : RankCorrelations
            Shape (n_jackknife, n_layers, n_other).
        """
        sides = (self.one.ranked, self.other.ranked)
        drawn = permute_items(self.design.stratum_of_word, self.n_permutations, self.seed)
        orders = np.concatenate([np.arange(self.design.n_words)[None], drawn])
        return (
            permuted_rank_correlations(*sides, orders, members),
            subset_rank_correlations(*sides, self.kept_words, members),
        )

    def halves(self) -> tuple[_Values, _Values]:
        """Correlate over each half: (draw, half, layer, other_layer), permuted and of subsets."""
        half = self.design.half_of_word
        found = [self.compared(np.flatnonzero(half == side)) for side in (0, 1)]
        permuted, subsets = (
            np.stack([each.spearman for each in of_both], axis=1)
            for of_both in zip(*found, strict=True)
        )
        return permuted, subsets


def align(
    recording: Recording,
    other: Recording | RDM,
    *,
    groups: str,
    frames: str | None,
    target: str | None,
    seed: int,
) -> tuple[PairDesign, Cells, list[str]]:
    """Find the conditions that both have.

    Recordings are aligned by ``stimulus_id``; an RDM by the names of its conditions
    (`RDM.matching`).

    Returns
    -------
    design : PairDesign
        Conditions are its words.
    cells : Cells
        Condition and frame of the shared stimuli, in the order of the design.
    own_names : list of str
        What an RDM calls the conditions; empty for a recording.

    Raises
    ------
    InputError
        When too few are shared, naming some that are missing; as `PairDesign.of`.
    """
    check_labels(recording, groups, frames, target)
    if isinstance(other, RDM):
        names = sorted(set(recording.labels[groups].astype(str)))
        own = other.matching(names)
        _check_shared(recording, other, groups, names, own)
        chosen: dict[str, Any] = {groups: _values(recording, groups, set(own))}
        shared = recording.sel(**chosen)
    else:
        own, shared = {}, other
    design = PairDesign.of(
        recording,
        shared,
        groups=groups,
        frames=frames,
        # Conditions that are the categories have none of their own.
        target=None if target == groups else target,
        level="word",
        seed=seed,
    )
    cells = Cells.of(recording.labels.iloc[design.stimuli], groups, frames)
    return design, cells, [own[name] for name in cells.conditions] if own else []


def _values(recording: Recording, groups: str, names: set[str]) -> list[object]:
    """Values of a label, of whatever type, by their names."""
    return [value for value in recording.labels[groups].unique() if str(value) in names]


def _check_shared(
    recording: Recording, rdm: RDM, groups: str, names: Sequence[str], own: dict[str, str]
) -> None:
    if len(own) < _FEWEST_CONDITIONS:
        missing = ", ".join([repr(name) for name in names if name not in own][:_MOST_NAMED])
        extra = ", ".join(repr(name) for name in rdm.conditions[:_MOST_NAMED])
        raise InputError(
            f"{recording.name} and the RDM {rdm.name!r} share {len(own)} conditions by name, and "
            f"{_FEWEST_CONDITIONS} or more are needed: the RDM lacks values of {groups!r} such as "
            f"{missing}, and has {extra}; name its conditions as the label does, or choose "
            "another label."
        )
