"""Graph measures of the connectome (F10): small world, rich club and hubs."""

from __future__ import annotations

from collections.abc import Sequence

from cortiscope.analyses.connectome_nodes import (
    GraphSettings,
    Method,
    Nodes,
    Sign,
    n_units_of,
    node_sets,
)
from cortiscope.analyses.connectome_statistics import mean_of, over_the_layers
from cortiscope.analyses.figures.graph_measures import small_world_over_density
from cortiscope.analyses.graph_measures_of import (
    NULLS,
    Plan,
    clustering_of,
    hubs_of,
    rich_club_of,
    small_world_of,
    trim_degrees,
)
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import grouped_folds, over_layers
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.errors import InputError
from cortiscope.scanning import Recording
from cortiscope.statistics import jackknife_words

REFERENCE = (
    "Clustering (Watts & Strogatz 1998) of the graph of strongest correlations over stimuli, "
    "against random rotations of the units; small-world sigma (Humphries & Gurney 2008) and omega "
    "(Telesford et al. 2011); normalised rich club (Colizza et al. 2006); participation and "
    "within-module z (Guimera & Amaral 2005); delete-d jackknife over words (Shao & Wu 1989)"
)


def graph_measures(
    recording: Recording,
    target: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    together: bool = False,
    frames: str | None = "frame",
    method: Method = "pearson",
    sign: Sign = "positive",
    densities: Sequence[float] = (0.02, 0.05, 0.1, 0.2),
    n_rotations: int = 199,
    n_subsets: int = 100,
    small_world: bool = True,
    n_random: int = 20,
    n_references: int = 20,
    rich_club: bool = True,
    n_rich_club: int = 100,
    hubs: bool = True,
    hub_density: float = 0.1,
    n_seeds: int = 50,
    seed: int = 0,
) -> Result:
    """Measure the graph of units that vary alike: its triangles, its paths, its hubs.

    Whatever is correlated clusters: a unit that varies like two others makes those alike as well.
    That σ is above 1 therefore says little of units. Rotated at random, the same activations give
    the same kind of graph, and the claim is made against that: `clustering_excess`.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label of which a subset of the jackknife loses the same share in each value.
    groups : str
        Label of the words, which are the sample.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    together : bool
        Whether the units of all these layers are nodes of one graph. They are then rotated alike
        in every layer.
    frames : str, optional
        A label, whose levels' means are removed first; None leaves one mean of all.
    method : str
        Correlation of values, ``pearson``, or of ranks within each frame, ``spearman``.
    sign : str
        Which correlations make edges: the largest ``positive`` ones, or the largest of either
        sign, ``absolute``.
    densities : sequence of float
        Shares of all pairs of units that are edges.
    n_rotations : int
        Random rotations.
    n_subsets : int
        Subsets of four fifths of the words for the 95% intervals.
    small_world : bool
        Whether paths are measured, and with them σ and ω.
    n_random : int
        Graphs with the same degrees that σ and ω compare with.
    n_references : int
        Of the rotations, how many have their σ measured as well, and in how many draws the stimuli
        of each unit are permuted by themselves.
    rich_club : bool
        Whether the rich club is measured.
    n_rich_club : int
        Graphs with the same degrees that the rich club is compared with.
    hubs : bool
        Whether units are looked at one by one.
    hub_density : float
        One of the densities: that of the graph whose rich club and hubs these are.
    n_seeds : int
        Runs of Leiden, whose consensus are the modules of which hubs are hubs.
    seed : int
        Seed of everything.

    Returns
    -------
    Result
        Of every layer, or of all together, at every density (layer, density): ``clustering``, mean
        over units, and ``clustering_above_rotation``, with p-values from rotations, corrected over
        layers and densities; the mean over both is the scalar ``clustering_excess``, the one to
        claim.

        ``path_length``, between units that are connected, and ``reachable``, their share of all
        pairs; ``sigma`` and ``omega``; the scalar ``mean_sigma``, which is 1 in a graph that is
        random but for its degrees. ``reference_clustering``, ``reference_path_length`` and
        ``reference_sigma`` (layer, density, null) for ``rotated``, ``shuffled`` and ``rewired``,
        with ``..._low`` and ``..._high``, which hold 95% of the draws.

        ``rich_club`` (layer, degree): density among units of a larger degree over that of graphs
        with the same degrees, with p-values corrected over degrees, layer by layer.
        ``unit_degree``, ``module``, ``participation``, ``within_module_z`` and ``role``
        (layer, unit), by Guimera & Amaral; units that do not vary have none.

        Intervals: 95%, delete-d jackknife over words; of σ, with its random graphs as they are.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, densities that leave no edge, a
        `hub_density` that is none of them, signed edges, and activations that are not finite or
        do not vary.

    Notes
    -----
    σ grows with the number of nodes and falls with density: compare it between models, or with
    brains, only where both are equal. ``n_nodes`` and the densities are part of the result.

    References
    ----------
    Watts & Strogatz (1998), Collective dynamics of 'small-world' networks. Nature 393, 440-442.
    Humphries & Gurney (2008), Network 'small-world-ness'. PLoS ONE 3, e0002051.
    Telesford, Joyce, Hayasaka, Burdette & Laurienti (2011), The ubiquity of small-world networks.
    Brain Connectivity 1, 367-375.
    Colizza, Flammini, Serrano & Vespignani (2006), Detecting rich-club ordering in complex
    networks. Nature Physics 2, 110-115.
    Guimera & Amaral (2005), Functional cartography of complex metabolic networks. Nature 433,
    895-900.
    Zalesky, Fornito & Bullmore (2012), On the use of correlation as a measure of network
    connectivity. NeuroImage 60, 2096-2106.

    Examples
    --------
    >>> from cortiscope.phantoms import PHANTOMS, PhantomDesign
    >>> design = PhantomDesign.balanced(3, 20, 2, 64)
    >>> recording = PHANTOMS["modular"].make(design, seed=0, strength=2.0)
    >>> switches = {"small_world": False, "rich_club": False, "hubs": False}
    >>> result = graph_measures(recording, n_rotations=39, n_subsets=9, **switches)
    >>> result.p_values["clustering_excess"].item()
    0.025
    """
    parameters = {
        "target": target,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "together": together,
        "frames": frames,
        "method": method,
        "sign": sign,
        "densities": [float(density) for density in densities],
        "n_rotations": n_rotations,
        "n_subsets": n_subsets,
        "small_world": small_world,
        "n_random": n_random,
        "n_references": n_references,
        "rich_club": rich_club,
        "n_rich_club": n_rich_club,
        "hubs": hubs,
        "hub_density": float(hub_density),
        "n_seeds": n_seeds,
        "seed": seed,
    }
    settings = GraphSettings.checked(densities, sign)
    if sign == "signed":
        raise InputError("these measures take no negative edges: choose positive or absolute.")
    if rich_club or hubs:
        settings.check_density(hub_density, "hub_density")
    folds = grouped_folds(recording, target, groups, n_folds=2, seed=seed)
    plan = Plan(
        word=folds.word,
        kept=jackknife_words(folds.label_of_word, n_jackknife=n_subsets, seed=seed),
        settings=settings,
        hub_density=hub_density,
        n_rotations=n_rotations,
        n_random=n_random,
        n_references=n_references,
        n_rich_club=n_rich_club,
        n_seeds=n_seeds,
        seed=seed,
    )
    sets = node_sets(recording, site, layers, together)

    def measure(place: int) -> tuple[int, dict[str, Statistic]]:
        nodes = Nodes.of(recording, sets[place], site=site, frames=frames, method=method)
        settings.check_size(nodes)
        measured = clustering_of(nodes, plan)
        if small_world:
            measured |= small_world_of(nodes, plan)
        if rich_club:
            measured |= rich_club_of(nodes, plan)
        if hubs:
            measured |= hubs_of(nodes, plan, together)
        return nodes.n_nodes, measured

    by_set = over_layers(measure, range(len(sets)), f"graph_measures {recording.name} {site}")
    by_layer = [measured for _, measured in by_set]
    statistics = by_layer[0] if together else over_the_layers(by_layer)
    scalars = {"clustering_excess": mean_of(statistics["clustering_above_rotation"])}
    if small_world:
        scalars["mean_sigma"] = mean_of(statistics["sigma"])
    n_degrees = trim_degrees(statistics)
    rich_club_p = statistics.pop("rich_club_p", None)
    laid_out = datasets(
        scalars | statistics,
        {
            "layer": [layer for of in sets for layer in of],
            "density": settings.densities,
            "null": NULLS,
            "degree": range(n_degrees),
            "unit": range(n_units_of(recording, site)),
        },
    )
    if rich_club_p is not None:
        laid_out["p_values"]["rich_club"] = (rich_club_p.dims, rich_club_p.estimate)
    return Result(
        analysis="graph_measures",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": folds.n_words,
            "n_nodes": max(n_nodes for n_nodes, _ in by_set),
            "n_rotations": n_rotations,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **laid_out,
    )


_REFERENCES = tuple(
    f"reference_{name}{suffix}"
    for name in ("clustering", "path_length", "sigma")
    for suffix in ("", "_low", "_high")
)

INSTRUMENT = Instrument(
    name="graph_measures",
    summary="Clustering, paths, rich club and hubs of the graph of units that vary alike",
    reference=REFERENCE,
    null_is="units rotated at random",
    attainable=lambda parameters, _: (int(parameters["n_rotations"]), "raise claim_rotations"),
    run=graph_measures,
    figure=small_world_over_density,
    headline="clustering_excess",
    detects=("modular",),
    silent_on=("noise", "not_modular", "power_law", "direction"),
    switches={
        "small_world": (
            "mean_sigma",
            "path_length",
            "reachable",
            "sigma",
            "omega",
            *_REFERENCES,
        ),
        "rich_club": ("rich_club",),
        "hubs": ("unit_degree", "module", "participation", "within_module_z", "role"),
    },
)
