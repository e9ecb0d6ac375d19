"""Regions (F11): whether units that prefer a category lie together, over index and layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cortiscope.analyses.figures.regions import maps_and_layers
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import chosen_layers, over_layers
from cortiscope.analyses.regions_measures import Map, Over, Plan, over_index, over_layout
from cortiscope.analyses.regions_statistics import (
    EXCESS,
    larger_of,
    p_values_of_clusters,
    statistics_of,
)
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.analyses.unit_maps import UnitMaps
from cortiscope.errors import InputError
from cortiscope.scanning import Recording

REFERENCE = (
    "Moran's I (Moran 1950) of d' over the index of units, positions permuted, and over a "
    "two-dimensional layout (classical scaling, Torgerson 1952; Gower 1966) that other words of "
    "other categories gave, units rotated; cluster-mass test (Bullmore et al. 1999; Maris & "
    "Oostenveld 2007), labels of words permuted; delete-d jackknife over words (Shao & Wu 1989)"
)


_NEIGHBOURHOODS = ("index", "layout")


def regions(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    frames: str | None = "frame",
    reach: int = 2,
    n_neighbours: int = 8,
    threshold: float = 3.1,
    n_permutations: int = 1000,
    n_rotations: int = 100,
    n_jackknife: int = 200,
    index: bool = True,
    layout: bool = True,
    clusters: bool = True,
    smoothed: bool = True,
    seed: int = 0,
) -> Result:
    """Measure whether units that prefer a category are neighbours, as in a region of cortex.

    A unit of a network has no place. Two neighbourhoods are given to it. One is its index: units
    whose numbers are close. The other is a layout in two dimensions, fitted to how units vary
    together over words: units that do the same lie together. On both the map of a category's d'
    is asked whether neighbours are more alike than chance has it (Moran's I), and whether
    selective units form one cluster.

    A layout holds whatever it was fitted with. Fitted with the tested category it draws
    together all units that have anything to do with the category, and finds a patch where there
    is only a direction through all units. Here categories are dealt to two sets and words to two
    halves: units are laid out by one half of the words of one set, and d' of the categories of
    the other set is measured on the other half of all words; and the other way round.

    What words have along their largest principal components they have in any units, so that
    even units without order are found in some order on a layout. The null that matters is
    therefore the same recording with its units rotated at random, laid out and measured again:
    it keeps where words lie and destroys what belongs to units. Whether the subject differs from
    its untrained twins is up to the control of that name.

    Frames' means are removed and a word's sentences averaged; units are put on one scale.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label whose values units may prefer.
    groups : str
        Label whose values stay together in a half; the target must be nested in it.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    frames : str, optional
        A label, such as ``frame``, whose levels' means are removed; none when None.
    reach : int
        How far apart in the index neighbours are.
    n_neighbours : int
        Neighbours of a unit on the layout: those that lie nearest.
    threshold : float
        Value of t over words above which a unit can be in a cluster; 3.1 is p < .001 of one unit.
    n_permutations : int
        Random permutations of the words' labels, for the masses of clusters.
    n_rotations : int
        Random rotations of the units, and as many random permutations of their positions in the
        index: no p-value but that of a cluster's mass is less than 1 / (n_rotations + 1).
    n_jackknife : int
        Subsets of four fifths of the words for the 95% intervals.
    index, layout : bool
        Whether maps are measured over the index, and over the layout.
    clusters : bool
        Whether clusters are measured.
    smoothed : bool
        Whether Moran's I of smoothed maps is measured too.
    seed : int
        Seed of halves, sets, permutations, rotations and subsets.

    Returns
    -------
    Result
        For ``index`` and ``layout``, by layer and category: ``index_morans_i``, whose p-value
        is against permuted positions (``layout_morans_i``: against rotated units), corrected over
        layers and categories; ``index_excess``, how far it lies above the mean of these, with
        jackknife intervals; ``..._smoothed``, the same of maps in which each unit is the mean of
        itself and its neighbours, which raises Moran's I of any map, and of the null as well;
        ``index_cluster_mass``, the sum of t over the largest cluster, with a p-value against
        permuted labels of the words; ``index_cluster``, its units, and ``index_cluster_size``;
        ``index_cluster_share``, the share of all t above the threshold that lies in the largest
        cluster, and ``index_cluster_excess``, above permuted positions (rotated units).
        ``layout_linear_share``: share of d' that a plane over the layout explains.

        To be claimed, the means over layers and categories, with p-values: ``mean_index_excess``,
        ``mean_layout_excess``, each also ``..._smoothed``; ``mean_index_cluster_excess``,
        ``mean_layout_cluster_excess``; and ``morans_i_excess``, the larger of the first two: is
        there a region, in whichever neighbourhood?

        Units that do not vary over words are left out. The attribute ``maps`` holds the map of
        each neighbourhood whose excess is largest, for the figure.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, too few words, categories or units, or
        activations that are not finite.

    Notes
    -----
    The mass of a cluster against permuted labels says that units are selective somewhere, not
    that they lie together: a few units anywhere, and a direction, are found too, as in functional
    imaging. It localises; a claim of a region is made with the excess.

    The level of Moran's I on a layout moves with the words that were drawn, by what a plane
    explains of d'; in the rotated recordings it moves alike, so that the excess does not. The
    jackknife therefore takes from each subset's value what its plane brings about (the slope of
    Moran's I on that share, in rotated recordings) instead of rotating again in each subset. Its
    intervals are cautious where there is nothing: on phantoms of 400 words and 160 units the
    standard deviation of ``mean_layout_excess`` is .018 by the jackknife and .009 over phantoms
    without an effect, .040 and .036 with a sheet; that of ``mean_index_excess`` .021 and .021.

    Rotated units have the principal components that the units have, on average, once they are on
    one scale. Where some units are selective and most are not, rotated units are all a little
    selective, and the excess lies slightly below zero (-.01 for five units of d' = 2 in each
    category).

    A layout of two dimensions holds what two principal components do. A region whose units have
    nothing in common but the tested category cannot be found on it, by design: whatever draws
    them together would be the category itself.

    References
    ----------
    Moran (1950), Biometrika 37, 17-23. Cliff & Ord (1981), Spatial Processes.
    Bullmore et al. (1999), IEEE Transactions on Medical Imaging 18, 32-42.
    Maris & Oostenveld (2007), Journal of Neuroscience Methods 164, 177-190.
    Kriegeskorte, Simmons, Bellgowan & Baker (2009), Circular analysis in systems neuroscience.
    Nature Neuroscience 12, 535-540.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": range(40), "category": ["a", "b"] * 20})
    >>> x = rng.normal(size=(40, 1, 60))
    >>> x[::2, 0, 20:26] += 4  # six neighbouring units prefer category "a"
    >>> recording = Recording.from_arrays({"resid_post": x}, stimuli=words)
    >>> found = regions(recording, frames=None, n_permutations=99, n_jackknife=20, layout=False)
    >>> round(found.p_values["mean_index_excess"].item(), 2)
    0.01
    >>> found.estimates["index_cluster"].sel(category="a").item()
    '20-25'
    """
    parameters: dict[str, Any] = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "frames": frames,
        "reach": reach,
        "n_neighbours": n_neighbours,
        "threshold": threshold,
        "n_permutations": n_permutations,
        "n_rotations": n_rotations,
        "n_jackknife": n_jackknife,
        "index": index,
        "layout": layout,
        "clusters": clusters,
        "smoothed": smoothed,
        "seed": seed,
    }
    if not (index or layout):
        msg = "there is nothing to measure: give index, layout, or both."
        raise InputError(msg)
    maps = UnitMaps.draw(recording, target, groups, frames, seed=seed)
    plan = Plan.draw(
        maps,
        reach=reach,
        n_neighbours=n_neighbours,
        threshold=threshold,
        n_permutations=n_permutations,
        n_rotations=n_rotations,
        n_jackknife=n_jackknife,
        clusters=clusters,
        smoothed=smoothed,
        seed=seed,
    )
    measures = [
        (name, measure)
        for name, measure, wanted in zip(
            _NEIGHBOURHOODS, (over_index, over_layout), (index, layout), strict=True
        )
        if wanted
    ]
    chosen = chosen_layers(recording, site, layers)

    def measure_layer(layer: int) -> tuple[int, dict[str, Over]]:
        z, units = maps.read(recording, site, layer)
        return len(units), {name: measure(z, units, plan) for name, measure in measures}

    by_layer = over_layers(measure_layer, chosen, f"regions {recording.name} {site}")
    statistics: dict[str, Statistic] = {}
    for name, _ in measures:
        statistics |= statistics_of(name, [over[name] for _, over in by_layer], plan.kept)
    if index and layout:
        statistics["morans_i_excess"] = larger_of(
            statistics["mean_index_excess"], statistics["mean_layout_excess"]
        )
    n_units = max(n for n, _ in by_layer)
    shown = {
        name: _shown(
            statistics[f"{name}_excess"], [over[name] for _, over in by_layer], chosen, maps
        )
        for name, _ in measures
    }
    coords: dict[str, Sequence[Any]] = {"layer": chosen, "category": list(maps.words.categories)}
    laid_out = datasets(statistics, coords, attrs={"maps": shown})
    if clusters:
        for name, _ in measures:
            p_values = p_values_of_clusters([over[name] for _, over in by_layer])
            laid_out["p_values"][f"{name}_cluster_mass"] = (("layer", "category"), p_values)
    return Result(
        analysis="regions",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": maps.words.n_words,
            "n_categories": maps.words.n_categories,
            "n_units": n_units,
            "n_permutations": n_permutations,
            "n_rotations": n_rotations,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **laid_out,
    )


def _shown(
    excess: Statistic, layers: Sequence[Over], chosen: Sequence[int], maps: UnitMaps
) -> Mapping[str, Any]:
    """Write out the map whose excess is largest, for the figure."""
    values = np.asarray(excess.estimate)
    layer, category = divmod(int(np.nan_to_num(values, nan=-1.0).argmax()), values.shape[1])
    drawn: Map = layers[layer].maps[category]
    return {
        "layer": int(chosen[layer]),
        "category": maps.words.categories[category],
        "positions": drawn.positions.round(4).tolist(),
        "d_prime": drawn.d_prime.round(3).tolist(),
        "is_in_cluster": drawn.is_in.astype(int).tolist(),
    }


def _variables(name: str) -> tuple[str, ...]:
    """Name all variables of a neighbourhood."""
    measured = [f"{name}_{measure}" for measure in EXCESS]
    excesses = [f"{name}_{excess}" for excess in EXCESS.values()]
    clusters = [f"{name}_cluster{of}" for of in ("", "_mass", "_size")]
    own = [*measured, *excesses, *(f"mean_{excess}" for excess in excesses), *clusters]
    return (*own, "morans_i_excess", *([f"{name}_linear_share"] if name == "layout" else []))


def _those_with(text: str) -> tuple[str, ...]:
    return tuple(v for name in _NEIGHBOURHOODS for v in _variables(name) if text in v)


INSTRUMENT = Instrument(
    name="regions",
    summary="Whether units that prefer a category lie together, over their index and on a layout",
    reference=REFERENCE,
    null_is="units rotated at random",
    attainable=lambda parameters, _: (int(parameters["n_rotations"]), "raise claim_rotations"),
    run=regions,
    figure=maps_and_layers,
    headline="morans_i_excess",
    detects=("patch", "sheet"),
    silent_on=("noise", "selective_units", "direction"),
    switches={
        "index": _variables("index"),
        "layout": _variables("layout"),
        "clusters": _those_with("cluster"),
        "smoothed": _those_with("smoothed"),
    },
)
