"""Representational similarity analysis (F13): whether conditions lie alike in two geometries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cortiscope.analyses.figures.rsa import rank_correlation_maps
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.pair_summaries import BEST_MATCH, BY_DEPTH, summaries
from cortiscope.analyses.rdms import Distance
from cortiscope.analyses.result import Result
from cortiscope.analyses.rsa_pair import RankedSide, RsaPair, align
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.codes import RDM
from cortiscope.scanning import Recording
from cortiscope.statistics import jackknife_draws

REFERENCE = (
    "Representational similarity analysis (Kriegeskorte, Mur & Bandettini 2008; Nili et al. 2014; "
    "Schütt et al. 2023): Spearman's correlation and rho-a of dissimilarities; conditions "
    "permuted, maximum statistic over pairs of layers (Nichols & Holmes 2002); delete-d jackknife "
    "over conditions (Shao & Wu 1989)"
)


def rsa(
    recording: Recording,
    other: Recording | RDM,
    target: str | None = "category",
    groups: str = "word",
    frames: str | None = "frame",
    *,
    measure: str = "correlation",
    normalise: bool = False,
    site: str = "resid_post",
    other_site: str | None = None,
    layers: Sequence[int] | None = None,
    other_layers: Sequence[int] | None = None,
    n_permutations: int = 1000,
    n_jackknife: int = 200,
    maps: bool = True,
    halves: bool = True,
    ceiling: bool = True,
    seed: int = 0,
) -> Result:
    """Compare the dissimilarities of conditions in all layers of two recordings, or with an RDM.

    Recordings are aligned by ``stimulus_id``, and the stimuli that both hold are used. An RDM, a
    brain's or a person's, stands in for a model of one layer; its conditions are found by name,
    whatever their case. The mean of each frame is removed before a condition's sentences are
    averaged.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    other : Recording or RDM
        Another, whose numbers of layers and units may differ, or dissimilarities from elsewhere.
    target : str, optional
        Label of categories: conditions of each are dealt to both halves, and left out by the
        jackknife, in equal shares. None where there are none; conditions are then dealt freely.
    groups : str
        Label whose values are the conditions: words, or the categories themselves.
    frames : str, optional
        Label of frames, whose means are removed and which are the runs of crossnobis and of the
        noise ceiling; None leaves one mean of all.
    measure, normalise
        Dissimilarity, as in `rdms`: ``correlation``, ``euclidean`` or ``crossnobis``, the last
        with noise normalised or not.
    site, other_site : str
        Site of each recording; the other's is the same when left out.
    layers, other_layers : sequence of int, optional
        Layers of each; all that were recorded when left out.
    n_permutations : int
        Random permutations of the conditions, each of which takes the place of one of the same
        half that comes in the same frames.
    n_jackknife : int
        Subsets of the conditions, each without a fifth of them, for the 95% intervals.
    maps : bool
        Whether all conditions are compared for every pair of layers and at equal depth.
    halves : bool
        Whether the halves are, for the best match.
    ceiling : bool
        Whether noise ceilings are computed.
    seed : int
        Seed of halves, permutations and subsets.

    Returns
    -------
    Result
        ``spearman`` and ``rho_a`` (layer, other_layer): correlation of the ranks of
        dissimilarities; they differ where there are ties, as in RDMs of a few levels, which
        Spearman's favours.
        ``by_depth`` (layer), ``other_by_depth`` (other_layer): Spearman's correlation with the
        layer at the nearest relative depth, which is (layer + 1) / n_layers; ``best_match``
        (layer), ``other_best_match`` (other_layer): that of one half of the conditions with the
        layer that is best on the other half, both ways averaged. ``mean_by_depth`` and
        ``mean_best_match`` (): the mean over the layers of each side, averaged over both.
        ``ceiling_low``, ``ceiling_high`` (layer), and ``other_ceiling_low`` and
        ``other_ceiling_high`` (other_layer): the noise ceiling, the best that any RDM could
        correlate with those of single frames, on average; ``in_frames`` (layer, other_layer),
        what stands below it: the mean correlation of the recording's RDMs of single frames with
        the other's. NaN with crossnobis, with fewer than two frames that hold all conditions, and
        for an RDM.
        P-values are corrected by the maximum statistic over all places of a variable, and layers
        are chosen again under every permutation; the jackknife keeps the choice.

    Raises
    ------
    InputError
        When fewer than eight conditions are shared, naming some that are missing; as `rdms`.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008), Frontiers in Systems Neuroscience 2, 4.
    Nili et al. (2014), A toolbox for representational similarity analysis. PLoS Computational
    Biology 10, e1003553.
    Schütt, Kipnis, Diedrichsen & Kriegeskorte (2023), Statistical inference on representational
    geometries. eLife 12, e82566.
    Correlations and noise ceilings are those of rsatoolbox 0.3.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": [f"w{i:02d}" for i in range(20)]})
    >>> x = rng.normal(size=(20, 2, 30))
    >>> recording = Recording.from_arrays({"resid_post": x}, words)
    >>> brain = RDM.from_features("V1", [f"W{i:02d}" for i in range(20)], x[:, 1] * 2)
    >>> result = rsa(recording, brain, target=None, frames=None, n_permutations=99)
    >>> result.estimates["spearman"].sel(other_layer=0).argmax().item()
    1
    >>> result.p_values["spearman"].sel(layer=1, other_layer=0).item()
    0.01
    """
    parameters: dict[str, Any] = {
        "target": target,
        "groups": groups,
        "frames": frames,
        "measure": measure,
        "normalise": normalise,
        "site": site,
        "other_site": other_site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "other_layers": None if other_layers is None else [int(layer) for layer in other_layers],
        "n_permutations": n_permutations,
        "n_jackknife": n_jackknife,
        "maps": maps,
        "halves": halves,
        "ceiling": ceiling,
        "seed": seed,
    }
    distance = Distance(measure, normalise)
    design, cells, own_names = align(
        recording, other, groups=groups, frames=frames, target=target, seed=seed
    )
    of_both = (cells, distance, ceiling)
    one = RankedSide.of_recording(recording, site, layers, design.stimuli, *of_both)
    if isinstance(other, RDM):
        two = RankedSide.of_rdm(other, own_names)
    else:
        two = RankedSide.of_recording(
            other, other_site or site, other_layers, design.other_stimuli, *of_both
        )
    pair = RsaPair(one, two, design, n_permutations, n_jackknife, seed)
    return Result(
        analysis="rsa",
        subject=f"{recording.name} and {other.name}",
        n={**design.counted, "n_permutations": n_permutations},
        parameters=parameters,
        inputs={"recording": recording.fingerprint, "other": other.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(
            _statistics(pair, maps=maps, halves=halves, ceiling=ceiling),
            {"layer": one.layers, "other_layer": two.layers},
        ),
    )


def _statistics(pair: RsaPair, *, maps: bool, halves: bool, ceiling: bool) -> dict[str, Statistic]:
    measured, found = {}, {}
    over = ("layer", "other_layer")
    if maps:
        permuted, subsets = pair.compared()
        measured["map"], measured["map_subsets"] = permuted.spearman, subsets.spearman
        found["rho_a"] = Statistic(
            over,
            permuted.rho_a[0],
            permuted.rho_a[1:],
            jackknife_draws(permuted.rho_a[0], subsets.rho_a, pair.kept_words),
        )
    if halves:
        measured["half"], measured["half_subsets"] = pair.halves()
    found = summaries(pair, measured, "spearman", none=lambda n_conditions: 0.0) | found
    if ceiling:
        low, high = pair.one.ceilings()
        other_low, other_high = pair.other.ceilings()
        found |= {
            "in_frames": Statistic(over, pair.one.in_frames(pair.other)),
            "ceiling_low": Statistic(("layer",), low),
            "ceiling_high": Statistic(("layer",), high),
            "other_ceiling_low": Statistic(("other_layer",), other_low),
            "other_ceiling_high": Statistic(("other_layer",), other_high),
        }
    return found


INSTRUMENT = Instrument(
    name="rsa",
    summary="Whether words lie alike in two recordings, or in a recording and a brain",
    reference=REFERENCE,
    run=rsa,
    figure=rank_correlation_maps,
    headline="mean_best_match",
    reads=("recording", "other"),
    takes_rdm=True,
    detects=("shared_geometry",),
    silent_on=("noise", "training_words", "modular"),
    switches={
        "maps": ("spearman", "rho_a", *BY_DEPTH),
        "halves": BEST_MATCH,
        "ceiling": (
            "in_frames",
            "ceiling_low",
            "ceiling_high",
            "other_ceiling_low",
            "other_ceiling_high",
        ),
    },
)
