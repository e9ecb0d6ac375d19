"""Neighbour alignment (F13): whether the same words are near each other in two recordings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from cortiscope.analyses.figures.similarity import similarity_maps
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.pair_design import PairDesign
from cortiscope.analyses.pair_layers import Pair, Side
from cortiscope.analyses.pair_summaries import BEST_MATCH, BY_DEPTH, summaries
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import datasets
from cortiscope.scanning import Recording
from cortiscope.statistics import cosine_matrix, neighbour_structure

REFERENCE = (
    "Mutual k-nearest-neighbour alignment (Huh, Cheung, Wang & Isola 2024); words permuted, "
    "maximum statistic over pairs of layers (Nichols & Holmes 2002); delete-d jackknife over words "
    "(Shao & Wu 1989)"
)


def neighbour_alignment(
    recording: Recording,
    other: Recording,
    target: str | None = "category",
    groups: str = "word",
    frames: str | None = "frame",
    *,
    site: str = "resid_post",
    other_site: str | None = None,
    layers: Sequence[int] | None = None,
    other_layers: Sequence[int] | None = None,
    level: str = "word",
    n_neighbours: int = 10,
    n_permutations: int = 1000,
    n_jackknife: int = 200,
    maps: bool = True,
    halves: bool = True,
    seed: int = 0,
) -> Result:
    """Compare all layers of two recordings of the same stimuli by mutual nearest neighbours.

    Which share of a word's nearest neighbours, by cosine, in one recording are its nearest
    neighbours in the other? Stimuli are aligned, frames' means removed and words taken as rows as
    in `cka`. Where CKA sees what varies most, this sees what is near, and no unit of large
    variance can make up for the rest.

    Parameters
    ----------
    recording, other : Recording
        Activations at one position a stimulus; numbers of layers and units may differ.
    target : str, optional
        Label of categories: words of each are dealt to both halves, and left out by the
        jackknife, in equal shares. None where there are none; words are then dealt freely.
    groups : str
        Label of words.
    frames : str, optional
        Label of frames, whose means are removed; None leaves one mean of all.
    site, other_site : str
        Site of each recording; the other's is the same when left out.
    layers, other_layers : sequence of int, optional
        Layers of each; all that were recorded when left out.
    level : str
        ``word``, or ``stimulus``: each sentence is a row, whose neighbours are for the most part
        the other sentences of its word, in any model.
    n_neighbours : int
        Neighbours of a row among all. Halves and subsets of the words have the same share of
        neighbours, rounded, so that what is measured on them can be compared.
    n_permutations : int
        Random permutations of the words, all sentences of which move together and keep their
        frames. Words take the place of words of the same half that come in the same frames.
    n_jackknife : int
        Subsets of the words, each without a fifth of them, for the 95% intervals.
    maps : bool
        Whether all words are compared for every pair of layers and at equal depth.
    halves : bool
        Whether the halves are, for the best match.
    seed : int
        Seed of halves, permutations and subsets.

    Returns
    -------
    Result
        ``alignment`` (layer, other_layer), a share: n_neighbours / (n_rows - 1) by chance, 1
        where all neighbours are the same. ``by_depth``, ``other_by_depth``, ``mean_by_depth``,
        ``best_match``, ``other_best_match``, ``mean_best_match``, p-values and intervals as in
        `cka`.

    Raises
    ------
    InputError
        As `cka`, and for a number of neighbours that halves of the words cannot have.

    References
    ----------
    Huh, Cheung, Wang & Isola (2024), The Platonic representation hypothesis, ICML.
    Shao & Wu (1989), Annals of Statistics 17, 1176-1197.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(40)], "category": ["a", "b"] * 20})
    >>> x = rng.normal(size=(40, 2, 6))
    >>> y = rng.normal(size=(40, 3, 6))
    >>> y[:, 2] = 2 * x[:, 0] @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    >>> pair = [Recording.from_arrays({"resid_post": z}, words) for z in (x, y)]
    >>> result = neighbour_alignment(*pair, frames=None, n_permutations=99, n_jackknife=20)
    >>> round(result.estimates["alignment"].sel(layer=0, other_layer=2).item(), 3)
    1.0
    >>> result.p_values["alignment"].sel(layer=0, other_layer=2).item()
    0.01
    """
    parameters: dict[str, Any] = {
        "target": target,
        "groups": groups,
        "frames": frames,
        "site": site,
        "other_site": other_site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "other_layers": None if other_layers is None else [int(layer) for layer in other_layers],
        "level": level,
        "n_neighbours": n_neighbours,
        "n_permutations": n_permutations,
        "n_jackknife": n_jackknife,
        "maps": maps,
        "halves": halves,
        "seed": seed,
    }
    design = PairDesign.of(
        recording, other, groups=groups, frames=frames, target=target, level=level, seed=seed
    )
    n_rows = len(design.word_of_row)

    def neighbours_among(n: int) -> int:
        return max(round(n_neighbours * n / n_rows), 1)

    pair = Pair(
        one=Side.of(recording, site, layers, design.stimuli),
        other=Side.of(other, other_site or site, other_layers, design.other_stimuli),
        design=design,
        matrix=cosine_matrix,
        structure=lambda part: neighbour_structure(part, neighbours_among(len(part))),
        n_permutations=n_permutations,
        n_jackknife=n_jackknife,
        seed=seed,
    )
    measured = pair.measured(maps=maps, halves=halves)
    statistics = summaries(
        pair, measured, "alignment", none=lambda n: neighbours_among(n) / (n - 1)
    )
    return Result(
        analysis="neighbour_alignment",
        subject=f"{recording.name} and {other.name}",
        n={**design.counted, "n_permutations": n_permutations},
        parameters=parameters,
        inputs={"recording": recording.fingerprint, "other": other.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(statistics, {"layer": pair.one.layers, "other_layer": pair.other.layers}),
    )


INSTRUMENT = Instrument(
    name="neighbour_alignment",
    summary="How many of a word's nearest neighbours are the same in two recordings",
    reference=REFERENCE,
    run=neighbour_alignment,
    figure=partial(similarity_maps, variable="alignment", title="shared neighbours"),
    headline="mean_best_match",
    reads=("recording", "other"),
    detects=("shared_geometry",),
    silent_on=("noise", "training_words", "modular"),
    switches={"maps": ("alignment", *BY_DEPTH), "halves": BEST_MATCH},
)
