"""Topography (F12): whether units that lie near each other are tuned alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cortiscope.analyses.figures.topography import similarity_by_distance
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import chosen_layers, over_layers
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import datasets
from cortiscope.analyses.topography_measures import (
    EDGES,
    Layer,
    Plan,
    measure_layer,
    statistics_of,
)
from cortiscope.analyses.unit_maps import UnitMaps
from cortiscope.scanning import Recording

REFERENCE = (
    "Similarity of tuning against distance (spatial correlogram, Oden & Sokal 1986; Legendre & "
    "Fortin 1989) on a two-dimensional layout (classical scaling, Torgerson 1952; Gower 1966) "
    "that other words of other categories gave, against rotated units; delete-d jackknife over "
    "words (Shao & Wu 1989)"
)


def topography(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    frames: str | None = "frame",
    n_rotations: int = 100,
    n_jackknife: int = 200,
    seed: int = 0,
) -> Result:
    """Measure how tuning similarity falls with the distance of units, as it does in cortex.

    Units have no place; they are laid out by how they vary together over one half of the words
    of one set of categories, as in `regions`, and the tuning of pairs of units to the categories
    of the other set, d' on the other half of all words, is compared with their distance; and the
    other way round.

    What words have along their largest principal components they have in any units: on a layout,
    tuning falls with distance in every recording. What counts is therefore how much more it
    falls than after the units have been rotated at random, which keeps where words lie and
    destroys what belongs to units.

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
    n_rotations : int
        Random rotations of the units: no p-value is less than 1 / (n_rotations + 1).
    n_jackknife : int
        Subsets of four fifths of the words for the 95% intervals.
    seed : int
        Seed of halves, sets, pairs, rotations and subsets.

    Returns
    -------
    Result
        ``similarity`` (layer, distance): how alike two units are tuned, 1 for a unit with itself
        and 0 for two at random, in bins of distance, whose unit is the layout's extent (the root
        of the mean squared distance of two units); ``similarity_rotated_low`` and ``_high``, where
        95% of rotated recordings lie. By layer: ``fall``, minus the slope of the regression of
        similarity on distance, with a p-value against rotated units; ``near``, similarity of the
        nearest 5% of pairs minus that of all; ``fall_rotated`` and ``near_rotated``, the means
        of rotated recordings; ``fall_excess`` and ``near_excess``, what lies above these, with
        jackknife intervals; ``range``, the distance over which similarity falls to 1/e (a fit, 5
        where it falls no faster at first than later), and ``range_rotated``.

        To be claimed, means over layers, with p-values: ``mean_fall_excess`` and
        ``mean_near_excess``, which sees smaller patches.

        Pairs are sampled where there are more than 20,000.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, too few words, categories or units, or
        activations that are not finite.

    Notes
    -----
    No figure of cortex is comparable. There, distance is measured in millimetres of tissue,
    whatever neurons do; here it is made from what units do, so that some fall is there by
    construction, and its unit, the layout's extent, is no length. Neither a slope nor a range of
    one can be divided by that of the other. What is known of cortex: in macaque inferior temporal
    cortex object selectivity is similar on a scale of about 0.8 mm for spikes and 5 mm for local
    field potentials (Kreiman et al. 2006, 77 images); responses to 80 objects correlate at .11 to
    .15 between two single cells of one spot and at .23 to .28 between two multi-unit sites, and
    spots more than 0.6 mm apart are not alike (Sato et al. 2009); in mouse primary visual cortex
    similarity of tuning falls weakly, but significantly, within 0.2 mm (Ringach et al. 2016,
    two-photon imaging); in macaque primary visual cortex correlated variability, which is not
    tuning, extends over 3 mm at fast and 10 mm at slow time scales (Smith & Kohn 2008).

    The jackknife takes from each subset's value what it is once units have exchanged what a plane
    over the layout leaves of their tuning (Freedman & Lane 1983), which stands in for rotating
    again: both move alike with the words that were drawn.

    References
    ----------
    Oden & Sokal (1986), Systematic Zoology 35, 608-617.
    Legendre & Fortin (1989), Spatial pattern and ecological analysis. Vegetatio 80, 107-138.
    Kreiman, Hung et al. (2006), Object selectivity of local field potentials and spikes in the
    macaque inferior temporal cortex. Neuron 49, 433-445.
    Sato, Uchida & Tanifuji (2009), Cortical columnar organization is reconsidered in inferior
    temporal cortex. Cerebral Cortex 19, 1870-1888.
    Ringach et al. (2016), Spatial clustering of tuning in mouse primary visual cortex. Nature
    Communications 7, 12270.
    Smith & Kohn (2008), Spatial and temporal scales of neuronal correlation in primary visual
    cortex. Journal of Neuroscience 28, 12591-12603.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> words = pd.DataFrame({"word": range(60), "category": ["a", "b", "c"] * 20})
    >>> recording = Recording.from_arrays(
    ...     {"resid_post": rng.normal(size=(60, 1, 50))}, stimuli=words
    ... )
    >>> found = topography(recording, frames=None, n_rotations=19, n_jackknife=19)
    >>> found.p_values["mean_fall_excess"].item() > 0.05
    True
    """
    parameters: dict[str, Any] = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "frames": frames,
        "n_rotations": n_rotations,
        "n_jackknife": n_jackknife,
        "seed": seed,
    }
    maps = UnitMaps.draw(recording, target, groups, frames, seed=seed)
    plan = Plan.draw(maps, n_rotations=n_rotations, n_jackknife=n_jackknife, seed=seed)
    chosen = chosen_layers(recording, site, layers)

    def measure(layer: int) -> tuple[int, Layer]:
        z, units = maps.read(recording, site, layer)
        return len(units), measure_layer(z, plan)

    measured = over_layers(measure, chosen, f"topography {recording.name} {site}")
    coords: dict[str, Sequence[Any]] = {
        "layer": chosen,
        "distance": ((EDGES[:-1] + EDGES[1:]) / 2).round(3).tolist(),
    }
    return Result(
        analysis="topography",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": maps.words.n_words,
            "n_categories": maps.words.n_categories,
            "n_units": max(n for n, _ in measured),
            "n_rotations": n_rotations,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(statistics_of([layer for _, layer in measured], plan.kept), coords),
    )


INSTRUMENT = Instrument(
    name="topography",
    summary="Whether units that lie near each other on a layout are tuned alike",
    reference=REFERENCE,
    null_is="units rotated at random",
    attainable=lambda parameters, _: (int(parameters["n_rotations"]), "raise claim_rotations"),
    run=topography,
    figure=similarity_by_distance,
    headline="mean_fall_excess",
    detects=("sheet",),
    silent_on=("noise", "selective_units", "direction", "patch"),
)
