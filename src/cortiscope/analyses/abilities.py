"""Localisation of abilities: which heads and units two abilities need, and whether they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from cortiscope.analyses.abilities_experiment import LABELS, SHARED, SITES, abilities_experiment
from cortiscope.analyses.abilities_measures import by_ability, log_odds_by_word
from cortiscope.analyses.abilities_statistics import (
    Found,
    arrangements,
    coordinates,
    maps,
    of_clean,
    of_sets,
)
from cortiscope.analyses.causal import find_conditions
from cortiscope.analyses.figures.abilities import harm_to_abilities
from cortiscope.analyses.instrument import Instrument
from cortiscope.analyses.result import Result
from cortiscope.analyses.source import source_of
from cortiscope.analyses.statistic import Statistic, datasets
from cortiscope.errors import InputError
from cortiscope.statistics import bootstrap_words
from cortiscope.stimulation import Response

REFERENCE = (
    "Lesions of, and activation patching into, attention heads and groups of MLP units (Meng et "
    "al. 2022; Wang et al. 2023); sites chosen on one half of the prompts, and their double "
    "dissociation (Teuber 1955; Shallice 1988) tested on the other, against as many random sites "
    "of the same layers; groups of prompts resampled"
)


def abilities(
    response: Response,
    target: str = "ability",
    groups: str = "word",
    *,
    right: str = "answer",
    wrong: str = "foil_1",
    partner: str = "partner",
    how: Literal["lesion", "patch"] = "lesion",
    sites: Sequence[str] = SITES,
    layers: Sequence[int] | None = None,
    positions: str = "from_target",
    n_parts: int = 8,
    share: float = 0.1,
    n_words: int | None = 30,
    n_draws: int = 199,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Result:
    """Find the sites that two abilities need, and test whether each needs its own.

    An ability is a set of questions. It is harmed by what lowers the log-odds of the right answer
    against a wrong one. On one half of the questions every attention head and every group of MLP
    units is lesioned, or patched, by itself, and those are chosen for each ability that harm it
    most beyond the other. On the other half all chosen for an ability are lesioned together. A
    double dissociation is that each set harms its own ability more than the other's set does:
    one difficult ability, which any damage harms more, gives only one half of it. The same is done
    to random sets, in which as many parts of the same sites and layers stand in their places.

    Parameters
    ----------
    response : Response
        The last of the experiments that `abilities_experiment` plans with the same parameters.
    target : str
        Label of two values, the abilities.
    groups : str
        Label whose values are for choosing or for testing as a whole.
    right, wrong : str
        Labels that hold the answers.
    partner : str
        Label that holds, for each stimulus, the id of one of the same form with another answer,
        whose activations are patched in.
    how : {"lesion", "patch"}
        Whether activations are replaced by their mean over the first half of the questions, or by
        those of the partner. A lesion takes away all that a part does, and a patch what it does
        to tell one question from another of the same form.
    sites : sequence of {"head_out", "mlp_act"}
        What is divided into parts: attention heads, and MLP units.
    layers : sequence of int, optional
        Which layers; all that were recorded by default.
    positions : str
        Tokens at which they act, as `cortiscope.stimulation.Where` has them.
    n_parts : int
        Groups into which the MLP units of a layer are divided, in their order.
    share : float
        Share of the parts of each site that is chosen for each ability.
    n_words : int, optional
        Groups of each ability that are shown at most, in each half.
    n_draws : int
        Random sets of parts.
    n_bootstrap : int
        Resamples of the groups for the 95% intervals.
    seed : int
        Of halves, random sets and resamples.

    Returns
    -------
    Result
        All of the second half, in nats; positive is worse. ``harm_by_head`` (layer, head,
        ability), ``harm_by_part`` (unit_layer, part, ability) of MLP units, and
        ``harm_by_layer`` (site, whole_layer, ability), without intervals;
        ``chosen_heads`` and ``chosen_parts``, the ability that a part was chosen for, or "".
        ``harm_by_set`` (chosen_for, ability) and ``harm_by_random_set``, the mean over random
        sets; ``set_norm`` and ``random_set_norm`` (chosen_for), root mean square distance of
        their activations from the mean, which random sets are not matched in;
        ``clean_log_odds`` and ``clean_accuracy`` (ability), the share of groups in which these are
        above 0. Scalars: ``double_dissociation``, by
        how much an ability is harmed more by its own set than by the other's, the lesser of the
        two; ``harm_to_own``, by its own set beyond random ones, the lesser; ``harm_to_other``, by
        the other's set beyond random ones, the greater; ``lowest_log_odds``, of the clean subject;
        ``map_replication``, correlation of the parts' selectivity on the two halves.
        Intervals: bootstrap over groups of the second half, random sets as they are. P-values:
        against random sets; with few parts in a layer few of these differ (``narrangements``),
        and no p-value is below 1/narrangements. ``estimates.attrs["answer"]`` says the result in
        a sentence.

    Raises
    ------
    InputError
        For a response of another experiment, or of other parameters, and readings that are not
        finite.

    References
    ----------
    Meng et al. (2022), Locating and editing factual associations in GPT, NeurIPS.
    Shallice (1988), From Neuropsychology to Mental Structure, chapter 10.
    Teuber (1955), Physiological psychology. Annual Review of Psychology 6, 267-296.
    Wang et al. (2023), Interpretability in the wild, ICLR.
    Heimersheim & Nanda (2024), How to use and interpret activation patching, arXiv:2404.15255.

    Examples
    --------
    >>> import tempfile
    >>> from cortiscope.phantoms import MODEL_PHANTOMS, PhantomDesign
    >>> from cortiscope.scanning import scan
    >>> from cortiscope.stimulation import stimulate
    >>> from cortiscope.stimuli import StimulusSet
    >>> phantom = MODEL_PHANTOMS["abilities_apart"]
    >>> asked = phantom.shown(PhantomDesign.balanced(n_words=8, n_units=128))
    >>> subject, stimuli = phantom.make(asked), StimulusSet.from_table(asked.table)
    >>> recording = scan(subject, stimuli, ["head_out"], out=f"{tempfile.mkdtemp()}/s.zarr")
    >>> setting = {"sites": ["head_out"], "share": 0.05, "n_draws": 39}
    >>> response = abilities_experiment(recording, stimuli, **setting).carried_out(
    ...     lambda step: stimulate(subject, step.stimuli, step.conditions, step.readouts)
    ... )
    >>> result = abilities(response, **setting)
    >>> bool(result.estimates["double_dissociation"] > 5)  # in nats
    True
    >>> bool(result.p_values["double_dissociation"] < 0.05)
    True
    """
    parameters: dict[str, Any] = {
        "target": target,
        "groups": groups,
        "right": right,
        "wrong": wrong,
        "partner": partner,
        "how": how,
        "sites": list(sites),
        "layers": None if layers is None else [int(layer) for layer in layers],
        "positions": positions,
        "n_parts": n_parts,
        "share": share,
        "n_words": n_words,
        "n_draws": n_draws,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    recipe = {name: value for name, value in parameters.items() if name in SHARED}
    table = find_conditions(response, LABELS, recipe, "abilities_experiment")
    if "chosen" not in set(table["kind"]):
        raise InputError(
            "the response is of the search, and not of the test that follows it: carry the whole "
            "experiment out."
        )
    log_odds, ability, names = log_odds_by_word(response, target, groups)
    clean = int(np.flatnonzero(table["kind"] == "clean")[0])
    drawn = bootstrap_words(lambda w: w, ability, n_bootstrap=n_bootstrap, seed=seed)
    weights = np.concatenate([np.ones((1, len(ability))), drawn])
    harm = by_ability(log_odds[clean] - log_odds, ability, weights)
    found = Found.of(table, harm, names, n_draws)
    statistics = {
        **of_clean(log_odds[[clean]], ability, weights),
        **of_sets(found),
        **maps(found),
    }
    coords = coordinates(found, names)
    return Result(
        analysis="abilities",
        subject=response.subject,
        n={
            "n_stimuli": response.data.sizes["stimulus"],
            "n_words": len(ability),
            "n_sites": len(found.parts),
            "n_chosen": int((found.parts["chosen_for"] != "").sum()),
            "narrangements": arrangements(found.parts),
            "n_conditions": len(table),
            "n_draws": n_draws,
        },
        parameters=parameters,
        inputs={"response": response.fingerprint},
        reference=REFERENCE,
        source=source_of(__name__),
        **datasets(statistics, coords, attrs={"answer": _answer(statistics, names)}),
    )


def _answer(statistics: dict[str, Statistic], names: Sequence[str]) -> str:
    """Say the result in a sentence."""
    accuracy = np.asarray(statistics["clean_accuracy"].estimate)
    draws = statistics["clean_log_odds"].resamples
    assert draws is not None
    is_able = np.quantile(draws, 0.025, axis=0) > 0
    harm = np.asarray(statistics["harm_by_set"].estimate)
    told = []
    for at, name in enumerate(names):
        lacks = "" if is_able[at] else ", no better than chance, so that there is little to harm"
        told.append(
            f"{name} ({accuracy[at]:.0%} right{lacks}): {harm[at, at]:.2f} nats by its own sites "
            f"and {harm[1 - at, at]:.2f} by the other's"
        )
    return "; ".join(told) + "."


INSTRUMENT = Instrument(
    name="abilities",
    summary="Which heads and units two abilities need, and whether each needs its own",
    reference=REFERENCE,
    null_is="random sites of the same kind, number and layer",
    run=abilities,
    figure=harm_to_abilities,
    headline="double_dissociation",
    reads=("response",),
    experiment=abilities_experiment,
    detects=("abilities_apart",),
    silent_on=("abilities_together",),
    attainable=lambda parameters, _: (int(parameters["n_draws"]), "raise n_draws"),
)
