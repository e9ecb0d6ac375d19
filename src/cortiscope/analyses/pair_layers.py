"""All layers of one recording against all layers of another: what CKA and neighbours share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cortiscope.analyses.pair_design import PairDesign
from cortiscope.analyses.preparation import activations, chosen_layers, over_layers
from cortiscope.scanning import Recording
from cortiscope.statistics import (
    Structure,
    jackknife_words,
    permute_items,
    permuted_similarities,
    similarities,
    structures_of,
    subset_similarities,
)

# Bytes of matrices (item, item) of one recording that are held at once.
_HELD = 2**29

Matrix = Callable[[NDArray[np.float32]], NDArray[np.floating]]


@dataclass(frozen=True, eq=False)
class Side:
    """One recording of the two.

    Attributes
    ----------
    recording : Recording
        The recording.
    site : str
        Site that is compared.
    layers : list of int
        Layers that are.
    stimuli : ndarray of int, shape (n_shared,)
        Where it holds the shared stimuli.
    """

    recording: Recording
    site: str
    layers: list[int]
    stimuli: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        recording: Recording,
        site: str,
        layers: Sequence[int] | None,
        stimuli: NDArray[np.intp],
    ) -> Side:
        """Choose the layers of one recording."""
        return cls(recording, site, chosen_layers(recording, site, layers), stimuli)

    @property
    def n_layers(self) -> int:
        """How many layers the recording has: the last one that it holds counts as the top."""
        return max(self.recording.layers(self.site)) + 1

    def matrices(
        self, layers: Sequence[int], design: PairDesign, matrix: Matrix
    ) -> NDArray[np.floating]:
        """Make the matrix (row, row) of some layers, of which two are in memory at a time."""

        def of_layer(layer: int) -> NDArray[np.floating]:
            x = activations(self.recording, self.site, layer)
            what = f"layer {layer} of {self.site} in {self.recording.name}"
            return matrix(design.rows(x, self.stimuli, what))

        return np.stack(over_layers(of_layer, layers, f"compare {self.recording.name} {self.site}"))

    def blocks(self, n_rows: int) -> Iterator[list[int]]:
        """Cut the layers into runs whose matrices fit into memory together."""
        step = max(_HELD // (4 * n_rows**2), 1)
        for start in range(0, len(self.layers), step):
            yield self.layers[start : start + step]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two recordings, and how their layers are compared.

    Attributes
    ----------
    one, other : Side
        The recordings.
    design : PairDesign
        Words that both hold.
    matrix : callable
        Makes a matrix (row, row) of a layer's rows.
    structure : callable
        Makes the structure of such a matrix, or of the part of it that belongs to a subset.
    n_permutations, n_jackknife, seed : int
        Draws of the null, subsets of the jackknife, and the seed of both.
    """

    one: Side
    other: Side
    design: PairDesign
    matrix: Matrix
    structure: Structure
    n_permutations: int
    n_jackknife: int
    seed: int

    def measured(
        self, *, maps: bool, halves: bool, beside: Structure | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Compare every layer of the one with every layer of the other.

        Parameters
        ----------
        maps : bool
            Whether all words are compared: ``map`` (1 + permutation, layer, other_layer), the
            true order first, and ``map_subsets`` (subset, layer, other_layer).
        halves : bool
            Whether each half is: ``half`` (1 + permutation, half, layer, other_layer) and
            ``half_subsets``.
        beside : callable, optional
            A second structure, of all words in their true order, with `maps`: ``beside``.

        Returns
        -------
        dict of str to ndarray of float64
        """
        words = permute_items(self.design.stratum_of_word, self.n_permutations, self.seed)
        identity = np.arange(self.design.n_words)[None]
        orders = self.design.permutations_of_rows(np.concatenate([identity, words]))
        kept = self.kept_words[:, self.design.word_of_row]
        half_of_row = self.design.half_of_word[self.design.word_of_row]
        everything = np.arange(len(half_of_row))
        parts = [np.flatnonzero(half_of_row == half) for half in (0, 1)]

        def of_block(
            matrices: NDArray[np.floating], others: NDArray[np.floating]
        ) -> dict[str, NDArray[np.float64]]:
            sides = (matrices, others)
            values = {}
            if maps:
                values["map"] = _permuted(*sides, self.structure, orders, everything)
                values["map_subsets"] = _of_subsets(*sides, self.structure, kept, everything)
                if beside is not None:
                    values["beside"] = similarities(
                        *(structures_of(side, beside, everything) for side in sides)
                    )
            if halves:
                values["half"] = np.stack(
                    [_permuted(*sides, self.structure, orders, part) for part in parts], axis=1
                )
                values["half_subsets"] = np.stack(
                    [_of_subsets(*sides, self.structure, kept, part) for part in parts], axis=1
                )
            return values

        return self._assembled(of_block, len(half_of_row))

    def _assembled(
        self,
        of_block: Callable[..., dict[str, NDArray[np.float64]]],
        n_rows: int,
    ) -> dict[str, NDArray[np.float64]]:
        """Compare block by block, where not all layers fit into memory together."""
        other_blocks = list(self.other.blocks(n_rows))
        read = partial(self.other.matrices, design=self.design, matrix=self.matrix)
        held = read(other_blocks[0]) if len(other_blocks) == 1 else None
        rows = []
        for block in self.one.blocks(n_rows):
            mine = self.one.matrices(block, self.design, self.matrix)
            row = [of_block(mine, read(b) if held is None else held) for b in other_blocks]
            rows.append(_joined(row, axis=-1))
        return _joined(rows, axis=-2)

    @property
    def kept_words(self) -> NDArray[np.bool_]:
        """Words in each subset of the jackknife, shape (n_jackknife, n_words)."""
        return jackknife_words(
            self.design.jackknife_strata, n_jackknife=self.n_jackknife, seed=self.seed
        )


def _permuted(
    matrices: NDArray[np.floating],
    others: NDArray[np.floating],
    structure: Structure,
    orders: NDArray[np.intp],
    part: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Similarities of some rows, which the orders exchange with each other alone."""
    place = np.zeros(orders.shape[1], dtype=np.intp)
    place[part] = np.arange(len(part))
    one, other = (structures_of(side, structure, part) for side in (matrices, others))
    return permuted_similarities(one, other, place[orders[:, part]])


def _of_subsets(
    matrices: NDArray[np.floating],
    others: NDArray[np.floating],
    structure: Structure,
    kept: NDArray[np.bool_],
    part: NDArray[np.intp],
) -> NDArray[np.float64]:
    one, other = (
        np.stack([matrix[part][:, part] for matrix in side]) for side in (matrices, others)
    )
    return subset_similarities(one, other, structure, kept[:, part])


def _joined(
    parts: Sequence[dict[str, NDArray[np.float64]]], axis: int
) -> dict[str, NDArray[np.float64]]:
    return {key: np.concatenate([part[key] for part in parts], axis=axis) for key in parts[0]}
