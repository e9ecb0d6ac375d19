"""The dynamic connectome (F10): whether units are connected otherwise in other contexts."""

from __future__ import annotations

from collections.abc import Sequence

from cortiscope.analyses.connectome_nodes import n_units_of
from cortiscope.analyses.connectome_statistics import above_null, mean_of, over_the_layers
from cortiscope.analyses.dynamic_connectome_measures import Contexts, Plan, change_of, modules_of
from cortiscope.analyses.figures.dynamic_connectome import change_by_layer
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.preparation import activations, chosen_layers, over_layers
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.scanning import Recording

REFERENCE = (
    "Correlations between units in each context, compared between contexts, against stationary "
    "surrogates (Hindriks et al. 2016): contexts permuted over words, or among the sentences of a "
    "word; modules by Leiden (Traag et al. 2019), change of module as in Bassett et al. (2011); "
    "delete-d jackknife over words (Shao & Wu 1989)"
)


def dynamic_connectome(
    recording: Recording,
    contexts: str = "category",
    groups: str = "word",
    *,
    site: str = "resid_post",
    layers: Sequence[int] | None = None,
    frames: str | None = "frame",
    n_surrogates: int = 199,
    n_subsets: int = 100,
    modules: bool = True,
    density: float = 0.1,
    n_starts: int = 1,
    seed: int = 0,
) -> Result:
    """Measure whether correlations between units change with the context.

    Few stimuli of each context make their correlations differ by chance alone. Surrogates tell by
    how much: the same stimuli, dealt to contexts at random as words may be exchanged where
    correlations are stationary. What contexts do to *means* is no change of connections, and is
    removed: each context's mean, and that of each frame in it.

    Parameters
    ----------
    recording : Recording
        Activations at one position a stimulus.
    contexts : str
        Label whose values are contexts: ``category``, ``frame``, or any other.
    groups : str
        Label of the words, which are the sample. Where each keeps to one context, words change
        theirs with words that come in the same frames; where words come in several, those of each
        word are permuted among its own stimuli.
    site : str
        Site of the recording.
    layers : sequence of int, optional
        Layers to analyse; all that were recorded when left out.
    frames : str, optional
        A label, whose levels' means are removed: in each context where words keep to one, else
        over all stimuli. None leaves one mean a context.
    n_surrogates : int
        Surrogates.
    n_subsets : int
        Subsets of four fifths of the words for the 95% intervals.
    modules : bool
        Whether modules are compared too, which takes longer.
    density : float
        Of the graphs whose modules are compared: the largest correlations, as a share of all
        pairs of units.
    n_starts : int
        Runs of Leiden for each, of which the best one counts.
    seed : int
        Seed of everything.

    Returns
    -------
    Result
        ``change`` (layer): 1 less the correlation, over pairs of units, of the correlations in one
        context with those in another, averaged over pairs of contexts; ``change_between`` (layer,
        context, other_context), of each pair, beside what surrogates give it,
        ``change_between_by_chance``. The scalar ``change_excess`` is the mean of ``change`` over
        layers above its surrogates' mean, the one to claim.

        Of modules: ``module_change`` (layer), 1 less the adjusted mutual information of modules
        of one context with those of another, averaged over pairs of contexts; the scalar
        ``module_change_excess``; ``modularity`` (layer, context); ``flexibility`` (layer, unit):
        how much of its module a unit exchanges from one context to another, 1 less the overlap
        (Jaccard) of those who share it, beside ``flexibility_by_chance``.

        Intervals: 95%, delete-d jackknife over words, for the change of correlations.

    Raises
    ------
    InputError
        For a label or a site that the recording lacks, fewer than two contexts, contexts of fewer
        than five words, or activations that are not finite or do not vary.

    Notes
    -----
    A change says that correlations are not the same in all contexts, not that any graph is
    meaningful: a context in which some direction varies more changes all correlations with it.

    References
    ----------
    Hindriks et al. (2016), Can sliding-window correlations reveal dynamic functional connectivity
    in resting-state fMRI? NeuroImage 127, 242-256.
    Bassett et al. (2011), Dynamic reconfiguration of human brain networks during learning.
    Proceedings of the National Academy of Sciences 108, 7641-7646.

    Examples
    --------
    >>> from cortiscope.phantoms import PHANTOMS, PhantomDesign
    >>> design = PhantomDesign.balanced(3, 20, 2, 64)
    >>> recording = PHANTOMS["regrouping"].make(design, seed=0, strength=2.0)
    >>> result = dynamic_connectome(recording, n_surrogates=39, n_subsets=9, modules=False)
    >>> result.p_values["change_excess"].item()
    0.025
    """
    parameters = {
        "contexts": contexts,
        "groups": groups,
        "site": site,
        "layers": None if layers is None else [int(layer) for layer in layers],
        "frames": frames,
        "n_surrogates": n_surrogates,
        "n_subsets": n_subsets,
        "modules": modules,
        "density": density,
        "n_starts": n_starts,
        "seed": seed,
    }
    dealt = Contexts.of(recording, contexts, groups, frames)
    plan = Plan.draw(
        dealt,
        n_surrogates=n_surrogates,
        n_subsets=n_subsets,
        density=density,
        n_starts=n_starts,
        seed=seed,
    )
    chosen = chosen_layers(recording, site, layers)

    def measure(layer: int) -> dict[str, Statistic]:
        x = dealt.residuals(activations(recording, site, layer), f"layer {layer} of {site}")
        measured = change_of(x, plan)
        if modules:
            measured |= modules_of(x, plan)
        return measured

    statistics = over_the_layers(
        over_layers(measure, chosen, f"dynamic_connectome {recording.name} {site}")
    )
    scalars = {
        f"{name}_excess": above_null(mean_of(statistics[name]))
        for name in ("change", "module_change")
        if name in statistics
    }
    return Result(
        analysis="dynamic_connectome",
        subject=recording.name,
        n={
            "n_stimuli": recording.n_stimuli,
            "n_words": dealt.n_words,
            "n_contexts": dealt.n_contexts,
            "n_surrogates": n_surrogates,
        },
        parameters=parameters,
        inputs={"recording": recording.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(
            scalars | statistics,
            {
                "layer": chosen,
                "context": dealt.names,
                "other_context": dealt.names,
                "unit": range(n_units_of(recording, site)),
            },
        ),
    )


INSTRUMENT = Instrument(
    name="dynamic_connectome",
    summary="Whether units are connected otherwise in other contexts",
    reference=REFERENCE,
    null_is="surrogates without a change",
    attainable=lambda parameters, _: (int(parameters["n_surrogates"]), "raise claim_rotations"),
    run=dynamic_connectome,
    figure=change_by_layer,
    headline="change_excess",
    detects=("regrouping",),
    silent_on=("noise", "modular", "power_law", "direction"),
    switches={
        "modules": (
            "module_change_excess",
            "module_change",
            "modularity",
            "flexibility",
            "flexibility_by_chance",
        )
    },
)
