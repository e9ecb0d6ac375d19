"""Centred kernel alignment (F13): how alike the geometry of stimuli is in two recordings."""

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
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.scanning import Recording
from cortiscope.statistics import biased_structure, debiased_structure, gram_matrix

REFERENCE = (
    "Debiased linear centred kernel alignment (Kornblith et al. 2019; Song et al. 2012; Murphy, "
    "Zylberberg & Fyshe 2024); words permuted, maximum statistic over pairs of layers (Nichols & "
    "Holmes 2002); delete-d jackknife over words (Shao & Wu 1989)"
)


def cka(
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
    n_permutations: int = 1000,
    n_jackknife: int = 200,
    maps: bool = True,
    halves: bool = True,
    seed: int = 0,
) -> Result:
    """Compare all layers of two recordings of the same stimuli by debiased linear CKA.

    Stimuli are aligned by ``stimulus_id``; those that both recordings hold are used. The mean of
    each frame is removed first, since a few means that all sentences of a frame share are enough
    for a high similarity. Then each word is one row, the mean of its sentences: words are the
    sample, and the debiased estimate is right for rows that are independent, which sentences of
    one word are not.

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
        ``word``, or ``stimulus``: each sentence is a row. Sentences of one word are alike in any
        model, so that the debiased value is then above 0 where nothing else is shared; its null
        shows by how much.
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
        ``cka`` (layer, other_layer), debiased: 0 without relation, 1 where one is the other
        turned, scaled and shifted; ``biased_cka`` beside it, which noise alone brings near 1 when
        there are more units than words. ``by_depth`` (layer), ``other_by_depth`` (other_layer):
        CKA with the layer at the nearest relative depth, which is (layer + 1) / n_layers;
        ``best_match`` (layer), ``other_best_match`` (other_layer): CKA of one half of the words
        with the layer that is best on the other half, both ways averaged. ``mean_by_depth`` and
        ``mean_best_match`` (): the mean over the layers of each recording, averaged over both,
        the same whichever recording comes first.
        P-values are corrected by the maximum statistic over all places of a variable, and layers
        are chosen again under every permutation; the jackknife keeps the choice.

    Raises
    ------
    InputError
        When too few stimuli or words are shared, an id stands for different stimuli, a label, a
        site or a layer is missing, activations are not finite, or a layer is the same for all
        words.

    Notes
    -----
    Linear CKA weighs directions by their variance: a few units of massive activation can decide
    it. Mutual neighbours (`neighbour_alignment`) and a run without those units are its complement.

    References
    ----------
    Kornblith, Norouzi, Lee & Hinton (2019), Similarity of neural network representations
    revisited, ICML.
    Song, Smola, Gretton, Bedo & Borgwardt (2012), Feature selection via dependence maximization.
    Journal of Machine Learning Research 13, 1393-1434.
    Murphy, Zylberberg & Fyshe (2024), Correcting biased centered kernel alignment measures in
    biological and artificial neural networks, arXiv:2405.01012.
    Shao & Wu (1989), Annals of Statistics 17, 1176-1197.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i}" for i in range(40)], "category": ["a", "b"] * 20})
    >>> x = rng.normal(size=(40, 2, 60))
    >>> y = rng.normal(size=(40, 3, 50))
    >>> y[:, 2] = 2 * x[:, 0] @ np.linalg.qr(rng.normal(size=(60, 60)))[0][:, :50]
    >>> pair = [Recording.from_arrays({"resid_post": z}, words) for z in (x, y)]
    >>> result = cka(*pair, frames=None, n_permutations=99, n_jackknife=20)
    >>> int(result.estimates["cka"].sel(layer=0).argmax("other_layer"))
    2
    >>> result.p_values["cka"].sel(layer=0, other_layer=2).item()
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
        "n_permutations": n_permutations,
        "n_jackknife": n_jackknife,
        "maps": maps,
        "halves": halves,
        "seed": seed,
    }
    design = PairDesign.of(
        recording, other, groups=groups, frames=frames, target=target, level=level, seed=seed
    )
    pair = Pair(
        one=Side.of(recording, site, layers, design.stimuli),
        other=Side.of(other, other_site or site, other_layers, design.other_stimuli),
        design=design,
        matrix=gram_matrix,
        structure=debiased_structure,
        n_permutations=n_permutations,
        n_jackknife=n_jackknife,
        seed=seed,
    )
    measured = pair.measured(maps=maps, halves=halves, beside=biased_structure)
    statistics = summaries(pair, measured, "cka", none=lambda n_rows: 0.0)
    if "beside" in measured:
        statistics["biased_cka"] = Statistic(("layer", "other_layer"), measured["beside"])
    return Result(
        analysis="cka",
        subject=f"{recording.name} and {other.name}",
        n={**design.counted, "n_permutations": n_permutations},
        parameters=parameters,
        inputs={"recording": recording.fingerprint, "other": other.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(statistics, {"layer": pair.one.layers, "other_layer": pair.other.layers}),
    )


INSTRUMENT = Instrument(
    name="cka",
    summary="How alike the geometry of words is in two recordings, layer by layer",
    reference=REFERENCE,
    run=cka,
    figure=partial(similarity_maps, variable="cka", title="debiased CKA"),
    headline="mean_best_match",
    reads=("recording", "other"),
    detects=("shared_geometry",),
    silent_on=("noise", "training_words", "modular"),
    switches={"maps": ("cka", "biased_cka", *BY_DEPTH), "halves": BEST_MATCH},
)
