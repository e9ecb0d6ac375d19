"""Modularity of the functional connectome (F10): modules of units that vary together."""

from __future__ import annotations

from collections.abc import Sequence

from cortiscope.analyses.connectome_measures import (
    N_BLOCKS,
    NULLS,
    Modularity,
    Plan,
    blocks_of,
    category_agreement,
    label_agreement,
    modularity_of,
    modules_at,
    references_of,
)
from cortiscope.analyses.connectome_nodes import (
    GraphSettings,
    Method,
    Nodes,
    Sign,
    n_units_of,
    node_sets,
)
from cortiscope.analyses.connectome_statistics import above_null, mean_of, over_the_layers
from cortiscope.analyses.figures.connectome import modularity_over_density
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import grouped_folds, over_layers
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.scanning import Recording
from cortiscope.statistics import jackknife_draws, jackknife_words

REFERENCE = (
    "Modularity (Newman & Girvan 2004) of the graph of strongest correlations over stimuli, "
    "modules by Leiden (Traag et al. 2019); against random rotations of the units, stimuli "
    "permuted in each unit, and rewiring that keeps degrees (Maslov & Sneppen 2002); consensus of "
    "runs (Lancichinetti & Fortunato 2012); delete-d jackknife over words (Shao & Wu 1989)"
)


def connectome(
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
    n_starts: int = 1,
    n_rotations: int = 199,
    n_subsets: int = 100,
    references: bool = True,
    n_shuffles: int = 20,
    n_rewired: int = 20,
    modules: bool = True,
    module_density: float = 0.1,
    resolutions: Sequence[float] = (0.5, 0.75, 1.0, 1.5, 2.0),
    n_seeds: int = 50,
    seed: int = 0,
) -> Result:
    """Measure whether units form modules, more than the geometry of the stimuli makes them.

    Units are joined that vary alike over stimuli: the strongest correlations are edges, as many
    as a density asks for. Such graphs cluster and fall into modules by construction, in noise
    too, and the more so the fewer dimensions hold the stimuli. What belongs to *units* is what is
    lost when units are exchanged for random directions of their space: rotated activations hold
    the same stimuli at the same distances. The claim is made against that.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    target : str
        Label whose values units may prefer, to tell what modules have to do with; a subset of the
        jackknife loses the same share of each.
    groups : str
        Label of the words, which are the sample.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    together : bool
        Whether the units of all these layers are nodes of one graph. They are then rotated alike
        in every layer, which keeps how layers follow from each other.
    frames : str, optional
        A label, whose levels' means are removed first; None leaves one mean of all.
    method : str
        Correlation of values, ``pearson``, or of ranks within each frame, ``spearman``.
    sign : str
        Which correlations make edges: the largest ``positive`` ones, the largest of either sign as
        if they were positive, ``absolute``, or with their sign, ``signed``: modules are then
        sought among positive edges, and negative ones inside take from their modularity.
    densities : sequence of float
        Shares of all pairs of units that are edges.
    n_starts : int
        Runs of Leiden, of which the best one counts, for the units as for every draw of a null.
    n_rotations : int
        Random rotations, and as many permutations of labels for the comparison of modules with
        them.
    n_subsets : int
        Subsets of four fifths of the words for the 95% intervals.
    references : bool
        Whether the other nulls are computed too.
    n_shuffles, n_rewired : int
        Draws in which the stimuli of each unit are permuted by themselves, within frames, and in
        which the edges are rewired.
    modules : bool
        Whether modules are looked at one by one.
    module_density : float
        One of the densities: that of the graph whose modules these are.
    resolutions : sequence of float
        At which they are sought; those of the resolution nearest to 1 are compared with labels.
    n_seeds : int
        Runs of Leiden for each, of which the consensus is taken.
    seed : int
        Seed of everything.

    Returns
    -------
    Result
        Of every layer, or of all together, at every density (layer, density): ``modularity``, and
        ``excess``, the modularity above its mean under rotation, with p-values from rotations,
        corrected over layers and densities. Their means over both are the scalars
        ``mean_modularity`` and ``modularity_excess``, the one to claim.

        ``reference_modularity`` (layer, density, null) for ``rotated``, ``shuffled`` and
        ``rewired``, with ``..._low`` and ``..._high``, which hold 95% of the draws.

        Modules: ``module`` (layer, unit), numbered by size, -1 for units without an edge;
        ``module_size`` (layer, block) and ``block_density`` (layer, block, other_block), the share
        of pairs of units that are edges, inside and between the 20 largest modules;
        ``best_modularity``, ``n_modules`` and ``stability`` (layer, resolution), the mean adjusted
        mutual information (AMI) of any two runs. ``category_agreement`` (layer): AMI of modules
        and the category that each unit prefers by d'; the scalar ``category_agreement_excess``,
        its mean over layers above that of permuted words: units that vary alike prefer the same
        category whatever the categories are. ``layer_agreement`` () of all layers together, and
        ``head_agreement`` (layer) of heads side by side, against permuted labels of nodes.

        Intervals: 95%, delete-d jackknife over words.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, densities that leave no edge, a
        `module_density` that is none of them, and activations that are not finite or do not vary.

    Notes
    -----
    Modularity falls with density and with the number of nodes, in noise: compare it between
    models, or with brains, only at equal numbers of both, or by its excess.

    Units are standardised before they are rotated, since correlations do not see their scale; see
    `UnitRotations` for what is done about that they are standardised again after.

    References
    ----------
    Newman & Girvan (2004), Finding and evaluating community structure in networks. Physical Review
    E 69, 026113.
    Traag, Waltman & van Eck (2019), From Louvain to Leiden. Scientific Reports 9, 5233.
    Lancichinetti & Fortunato (2012), Consensus clustering in complex networks. Scientific Reports
    2, 336.
    Maslov & Sneppen (2002), Specificity and stability in topology of protein networks. Science 296,
    910-913.
    Zalesky, Fornito & Bullmore (2012), On the use of correlation as a measure of network
    connectivity. NeuroImage 60, 2096-2106 (graphs of correlations cluster by construction).

    Examples
    --------
    >>> from cortiscope.phantoms import PHANTOMS, PhantomDesign
    >>> design = PhantomDesign.balanced(3, 20, 2, 64)
    >>> recording = PHANTOMS["modular"].make(design, seed=0, strength=2.0)
    >>> result = connectome(recording, n_rotations=39, n_subsets=9, references=False)
    >>> result.p_values["modularity_excess"].item()
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
        "n_starts": n_starts,
        "n_rotations": n_rotations,
        "n_subsets": n_subsets,
        "references": references,
        "n_shuffles": n_shuffles,
        "n_rewired": n_rewired,
        "modules": modules,
        "module_density": float(module_density),
        "resolutions": [float(resolution) for resolution in resolutions],
        "n_seeds": n_seeds,
        "seed": seed,
    }
    settings = GraphSettings.checked(densities, sign)
    if modules:
        settings.check_density(module_density, "module_density")
    folds = grouped_folds(recording, target, groups, n_folds=2, seed=seed)
    plan = Plan(
        folds=folds,
        kept=jackknife_words(folds.label_of_word, n_jackknife=n_subsets, seed=seed),
        settings=settings,
        module_density=module_density if modules else settings.densities[-1],
        resolutions=tuple(map(float, resolutions)),
        n_seeds=n_seeds,
        n_starts=n_starts,
        n_rotations=n_rotations,
        n_shuffles=n_shuffles,
        n_rewired=n_rewired,
        seed=seed,
    )
    sets = node_sets(recording, site, layers, together)
    n_heads = recording[site].sizes.get("head", 0)

    def measure(place: int) -> tuple[int, dict[str, Statistic]]:
        nodes = Nodes.of(recording, sets[place], site=site, frames=frames, method=method)
        settings.check_size(nodes)
        found = modularity_of(nodes, plan)
        measured = _modularity(found, nodes, plan, references)
        if modules:
            measured |= _modules(nodes, found, plan, together, n_heads)
        return nodes.n_nodes, measured

    by_set = over_layers(measure, range(len(sets)), f"connectome {recording.name} {site}")
    by_layer = [measured for _, measured in by_set]
    statistics = by_layer[0] if together else over_the_layers(by_layer)
    return Result(
        analysis="connectome",
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
        **datasets(
            _with_means(statistics),
            {
                "layer": [layer for of in sets for layer in of],
                "density": settings.densities,
                "null": NULLS,
                "resolution": plan.resolutions,
                "block": range(N_BLOCKS),
                "other_block": range(N_BLOCKS),
                "unit": range(n_units_of(recording, site)),
            },
        ),
    )


def _modularity(
    found: Modularity, nodes: Nodes, plan: Plan, references: bool
) -> dict[str, Statistic]:
    """Modularity at every density, beside its nulls."""
    by_chance = found.rotated.mean(axis=0)
    draws = jackknife_draws(found.estimate, found.subsets, plan.kept)
    excess = found.estimate - by_chance
    measured = {
        "modularity": Statistic(("density",), found.estimate, resamples=draws),
        "excess": Statistic(("density",), excess, found.rotated - by_chance, draws - by_chance),
    }
    if references:
        of_nulls = references_of(nodes, plan, found.rotated)
        for suffix, values in zip(("", "_low", "_high"), of_nulls.swapaxes(0, 1), strict=True):
            name = f"reference_modularity{suffix}"
            measured[name] = Statistic(("density", "null"), values.T)
    return measured


def _modules(
    nodes: Nodes, found: Modularity, plan: Plan, together: bool, n_heads: int
) -> dict[str, Statistic]:
    """Modules of one density, and what they have to do with."""
    graph = plan.settings.graphs(nodes.points)[plan.place]
    modules = modules_at(graph, plan)
    module = nodes.laid_out(modules.module, -1)
    sizes, between = blocks_of(graph, modules.module)
    by_resolution = {
        "best_modularity": modules.quality,
        "n_modules": modules.n_modules,
        "stability": modules.stability,
    }
    measured = {name: Statistic(("resolution",), of) for name, of in by_resolution.items()}
    dims = ("layer", "unit") if together else ("unit",)
    measured["module"] = Statistic(dims, module if together else module[0])
    measured["module_size"] = Statistic(("block",), sizes)
    measured["block_density"] = Statistic(("block", "other_block"), between)
    measured["category_agreement"] = category_agreement(
        nodes, plan, modules.module, found.partitions
    )
    if together:
        measured["layer_agreement"] = label_agreement(modules.module, nodes.layer_of_node, plan)
    if n_heads:
        measured["head_agreement"] = label_agreement(
            modules.module, nodes.head_of_node(n_heads), plan
        )
    return measured


def _with_means(statistics: dict[str, Statistic]) -> dict[str, Statistic]:
    """Add the scalars: means over layers and densities, and what is above chance."""
    scalars = {
        "modularity_excess": mean_of(statistics["excess"]),
        "mean_modularity": mean_of(statistics["modularity"]),
    }
    if "category_agreement" in statistics:
        agreement = mean_of(statistics["category_agreement"])
        scalars["category_agreement_excess"] = above_null(agreement)
    return scalars | statistics


INSTRUMENT = Instrument(
    name="connectome",
    summary="Whether units form modules, more than the geometry of the stimuli makes them",
    reference=REFERENCE,
    null_is="units rotated at random",
    attainable=lambda parameters, _: (int(parameters["n_rotations"]), "raise claim_rotations"),
    run=connectome,
    figure=modularity_over_density,
    headline="modularity_excess",
    detects=("modular",),
    silent_on=("noise", "not_modular", "power_law", "direction"),
    switches={
        "references": tuple(f"reference_modularity{suffix}" for suffix in ("", "_low", "_high")),
        "modules": (
            "category_agreement_excess",
            "module",
            "module_size",
            "block_density",
            "best_modularity",
            "n_modules",
            "stability",
            "category_agreement",
            "layer_agreement",
            "head_agreement",
        ),
    },
)
