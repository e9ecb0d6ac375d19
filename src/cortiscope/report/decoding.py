"""All that a report says of decoding, and of no other analysis: sections, methods, cautions."""

from __future__ import annotations

from dataclasses import dataclass

from cortiscope.analyses import Result
from cortiscope.analyses.figures.decode import accuracy_by_layer, auc_heat_map
from cortiscope.report.comparison import Comparison, comparisons, decoded
from cortiscope.report.contents import Contents
from cortiscope.report.figures import Figure, page_figure
from cortiscope.report.numbers import count, counted
from cortiscope.report.readings import ALPHA, best, has_areas
from cortiscope.report.result_tables import auc_table, layer_table
from cortiscope.report.sentences import SITES, Finding, finding
from cortiscope.report.table import Table


@dataclass(frozen=True)
class Accuracy:
    """One subject at one site: accuracy at every layer."""

    title: str
    table: Table
    figure: Figure


@dataclass(frozen=True)
class HeatMap:
    """The categories of one subject, or one twin: figure and table."""

    name: str
    figure: Figure
    table: Table


@dataclass(frozen=True)
class Decoding:
    """The sections on decoding.

    Attributes
    ----------
    findings : list of Finding
        What each subject showed at each site, in words.
    accuracies : list of Accuracy
        The same by layer.
    heat_maps : list of (str, list of HeatMap)
        The same by category, where that was computed: titles, with the maps of the subject and
        its twins.
    """

    findings: list[Finding]
    accuracies: list[Accuracy]
    heat_maps: list[tuple[str, list[HeatMap]]]


def decoding(contents: Contents) -> Decoding | None:
    """Lay out what was decoded.

    Parameters
    ----------
    contents : Contents
        What the run holds.

    Returns
    -------
    Decoding or None
        None where nothing was decoded.
    """
    compared = comparisons(contents)
    if not compared:
        return None
    titled = [(_title(each, compared), each) for each in compared]
    return Decoding(
        findings=[finding(comparison) for comparison in compared],
        accuracies=[
            Accuracy(title, layer_table(comparison), _accuracy_figure(comparison, index))
            for index, (title, comparison) in enumerate(titled, start=1)
        ],
        heat_maps=[
            (title, _heat_maps(comparison, index))
            for index, (title, comparison) in enumerate(titled, start=1)
            if has_areas(comparison.result)
        ],
    )


def decodable_twins(contents: Contents) -> str | None:
    """Say how many decodings of untrained twins came out above chance, if any did."""
    tests = [
        best(result).is_decodable
        for examined in contents.examined
        for twin in examined.twins
        for result in decoded(twin).values()
    ]
    if not any(tests):
        return None
    return (
        f"{sum(tests)} of {counted(len(tests), 'analysis', 'analyses')} of untrained twins "
        f"came out above chance, where {ALPHA:.0%} do when there is nothing to find. More than "
        "that would mean that the stimuli themselves give the category away."
    )


def decoding_methods(contents: Contents) -> str:
    """Write how categories were decoded and tested; empty where nothing was decoded.

    Parameters of the decoding are the same for all but the site.
    """
    compared = comparisons(contents)
    if not compared:
        return ""
    result = compared[0].result
    return f"{_probe(result)} {_inference(result)}"


def _probe(result: Result) -> str:
    decode = result.parameters
    target, groups = decode["target"], decode["groups"]
    scaled = "divided by their standard deviation over" if decode["scale"] else "centred on"
    areas = (
        " and the area under the ROC curve of each category against the rest, over pairs of "
        "stimuli held out together [@auc]"
        if has_areas(result)
        else ""
    )
    kind = {
        "ridge": "ridge regression on one-hot codes",
        "logistic": "multinomial logistic regression with an L2 penalty",
    }[decode["probe"]]
    if decode["ridge"] == "inner":
        strength = f"chosen on inner folds of the training {groups}s, in every permutation again"
    else:
        strength = f"{decode['ridge']:g} times the mean eigenvalue of the training Gram matrix"
    return (
        f"The {target} was decoded from each layer with a linear probe [@probes]: {kind} with an "
        f"unpenalised intercept, the highest score being the prediction [@ridge]. λ was {strength}"
        f"; units were {scaled} the training {groups}s. Probes were cross-validated in "
        f"{decode['n_folds']} folds, stratified by {target}, that keep all texts of a {groups} "
        f"together, so that every prediction is for a {groups} the probe never saw. Reported are "
        f"balanced accuracy [@accuracy]{areas}. Accuracy at the best layer is also given with the "
        f"layer chosen on one half of the {groups}s and accuracy measured on the other, both ways "
        "averaged."
    )


def _inference(result: Result) -> str:
    decode = result.parameters
    target, groups = decode["target"], decode["groups"]
    drawn = count(result.n["n_permutations"])
    permuted = f"The labels of {groups}s were permuted within folds"
    corrected = (
        "p-values are one-sided and corrected by the maximum statistic over layers, for AUC over "
        "layers and categories [@maximum]"
    )
    if result.null.attrs.get("exhaustive"):
        tested = f"{permuted} in all {drawn} ways, the identity counted (p = b/m); {corrected}"
    else:
        tested = f"{permuted} {drawn} times at random (p = (b + 1)/(m + 1) [@p]); {corrected}"
    return (
        f"{tested}. Intervals are 95% percentile intervals over {count(decode['n_bootstrap'])} "
        f"bootstrap resamples of {groups}s within their {target}, of held-out predictions; nothing "
        f"was refitted [@bootstrap]. Folds, permutations and resamples follow from seed "
        f"{decode['seed']}."
    )


def _title(comparison: Comparison, compared: tuple[Comparison, ...]) -> str:
    place = SITES.get(comparison.site, comparison.site)
    alike = [(other.name, other.site) for other in compared]
    several = alike.count((comparison.name, comparison.site)) > 1
    return f"{comparison.name}, {place}" + (f" ({comparison.step})" if several else "")


def _accuracy_figure(comparison: Comparison, number: int) -> Figure:
    """Draw accuracy by layer of a subject and its twins, the embedding a point of its own."""
    labels = (comparison.name, *comparison.twin_labels)
    embeddings = (comparison.embedding, *comparison.twin_embeddings)
    figure = accuracy_by_layer(
        comparison.examined.labelled(comparison.step),
        {
            label: embedding
            for label, embedding in zip(labels, embeddings, strict=True)
            if embedding is not None
        },
        twins=comparison.twin_labels,
    )
    summary = (
        f"Balanced accuracy by layer of {comparison.name} and its untrained twins, with the band "
        "of permuted words; the table above holds the values."
    )
    return page_figure(figure, f"accuracy-{number}", summary)


def _heat_maps(comparison: Comparison, number: int) -> list[HeatMap]:
    labelled = comparison.examined.labelled(comparison.step)
    embeddings = (comparison.embedding, *comparison.twin_embeddings)
    return [
        HeatMap(
            name,
            _auc_figure(name, result, embedding, f"auc-{number}-{part}"),
            auc_table(name, result, embedding),
        )
        for part, ((name, result), embedding) in enumerate(
            zip(labelled.items(), embeddings, strict=True)
        )
    ]


def _auc_figure(name: str, result: Result, embedding: Result | None, identifier: str) -> Figure:
    """Draw the heat map of one subject, or one twin."""
    summary = f"AUC of each category at each layer of {name}; the table below holds the values."
    return page_figure(auc_heat_map(result, embedding), identifier, summary)
