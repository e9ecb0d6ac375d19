"""What was found, in plain words that follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cortiscope.report.comparison import Comparison
from cortiscope.report.numbers import counted, equals, listed, spaced
from cortiscope.report.readings import (
    ALPHA,
    Reading,
    best,
    best_layer,
    categories_of,
    chance,
    crossed_peak,
    has_areas,
    layers_of,
    reading,
)

SITES = {
    "resid_pre": "residual stream before each block",
    "resid_post": "residual stream after each block",
    "attn_out": "output of attention",
    "mlp_out": "output of the MLP",
    "mlp_act": "units of the MLP",
    "head_out": "output of the attention heads",
}
"""Sites in words."""


@dataclass(frozen=True)
class Finding:
    """What one subject showed at one site.

    Attributes
    ----------
    title : str
        Whether it is decodable, and of whom this speaks.
    is_decodable : bool
        The same for machines.
    sentences : tuple of Markup
        What was measured; the first one by itself says what was found.
    """

    title: str
    is_decodable: bool
    sentences: tuple[Markup, ...]


def finding(comparison: Comparison) -> Finding:
    """Say what a subject showed, beside its twins and its embedding.

    Parameters
    ----------
    comparison : Comparison
        A subject at one site.

    Returns
    -------
    Finding
        A null is told as plainly as an effect.
    """
    peak = best(comparison.result)
    sentences = [
        _main(comparison, peak),
        _by_category(comparison) if peak.is_decodable else _limits(comparison),
        _embedding(comparison, peak),
        _twins(comparison, peak),
        _optimism(comparison),
    ]
    target = comparison.result.parameters["target"]
    site = SITES.get(comparison.site, comparison.site)
    return Finding(
        title=f"{_verdict(comparison, peak)}: {target} from the {site} of {comparison.name}",
        is_decodable=peak.is_decodable,
        sentences=tuple(sentence for sentence in sentences if sentence),
    )


def _verdict(comparison: Comparison, peak: Reading) -> str:
    if not peak.is_decodable:
        return "Not decodable"
    twins = [best(twin) for twin in comparison.twins]
    if any(twin.high.value >= peak.low.value for twin in twins):
        return "Decodable, but not clearly better than without training"
    return "Decodable"


def _main(comparison: Comparison, peak: Reading) -> Markup:
    result = comparison.result
    n_layers = len(layers_of(result))
    if peak.is_decodable:
        opening = Markup("A linear probe reads the {} of {}s that it never saw better than chance.")
    else:
        opening = Markup(
            "At no layer does a linear probe read the {} of {}s that it never saw better than "
            "chance."
        )
    where = (
        f"at the best of {n_layers} layers, layer {best_layer(result)},"
        if n_layers > 1
        else f"at layer {best_layer(result)}, the only one recorded,"
    )
    return opening.format(result.parameters["target"], result.parameters["groups"]) + Markup(
        " Balanced accuracy {} is <strong>{}</strong> ({}); chance is {}; {}{}."
    ).format(
        where,
        peak.estimate,
        peak.sentence,
        chance(result),
        equals(peak.p),
        ", corrected for the choice among layers" if n_layers > 1 else "",
    )


def _by_category(comparison: Comparison) -> Markup | None:
    result = comparison.result
    if not has_areas(result):
        return None
    layer = best_layer(result)
    areas = {category: reading(result, layer, category) for category in categories_of(result)}
    lowest = min(areas, key=lambda category: areas[category].estimate.value)
    n_apart = sum(area.is_decodable for area in areas.values())
    return Markup(
        "At layer {}, {} of {} can be told from the rest (AUC, corrected <i>p</i> &lt; {}); the "
        "lowest AUC is that of {}, {} ({})."
    ).format(
        layer,
        n_apart,
        counted(len(areas), "category", "categories"),
        f"{ALPHA:g}",
        spaced(lowest),
        areas[lowest].estimate,
        areas[lowest].sentence,
    )


def _limits(comparison: Comparison) -> Markup:
    return Markup(
        "This does not show that nothing is there: what effect this instrument could have seen "
        "with {} is for a calibration to say."
    ).format(counted(comparison.result.n["n_words"], "word"))


def _embedding(comparison: Comparison, peak: Reading) -> Markup | None:
    if comparison.embedding is None:
        return None
    embedding = reading(comparison.embedding, 0)
    if embedding.estimate.value >= peak.estimate.value:
        remark = "no layer is above it"
    elif embedding.overlaps(peak):
        remark = "its interval overlaps that of the best layer"
    else:
        remark = "the interval of the best layer lies above its own"
    return Markup("At the embedding, before the first block, accuracy is {} ({}; {}): {}.").format(
        embedding.estimate, embedding.sentence, equals(embedding.p), remark
    )


def _twins(comparison: Comparison, peak: Reading) -> Markup:
    if not comparison.twins:
        return Markup("No untrained twin was scanned: what training adds is not known.")
    peaks = [best(twin) for twin in comparison.twins]
    highest, twin = max(
        zip(peaks, comparison.twins, strict=True), key=lambda pair: pair[0].estimate.value
    )
    described = Markup("{} at layer {} ({}; {})").format(
        highest.estimate, best_layer(twin), highest.sentence, equals(highest.p)
    )
    if len(peaks) == 1:
        told = Markup("The untrained twin has, at its own best layer, {}").format(described)
    else:
        told = Markup(
            "The highest of {} untrained twins, each at its own best layer, is {}"
        ).format(len(peaks), described)
    return told + Markup(": {}.").format(_remark_on_twins(peaks, highest, peak))


def _remark_on_twins(peaks: Sequence[Reading], highest: Reading, peak: Reading) -> str:
    n_above = sum(twin.is_decodable for twin in peaks)
    remarks = []
    if n_above:
        which = "it is" if len(peaks) == 1 else f"{n_above} of {len(peaks)} are"
        remarks.append(f"{which} above chance without any training")
    elif peak.is_decodable:
        which = "it is not" if len(peaks) == 1 else "none is"
        remarks.append(f"{which} significantly above chance")
    whose = "its" if len(peaks) == 1 else "the highest one's"
    if highest.overlaps(peak):
        remarks.append(
            f"{whose} interval overlaps that of the subject"
            + (", so that training is not shown to matter" if peak.is_decodable else "")
        )
    else:
        side = "below" if highest.estimate.value < peak.estimate.value else "above"
        remarks.append(f"{whose} interval lies {side} that of the subject")
    return listed(remarks)


def _optimism(comparison: Comparison) -> Markup | None:
    if len(layers_of(comparison.result)) < 2:
        return None
    crossed = crossed_peak(comparison.result)
    return Markup(
        "The best layer was chosen on the same words: the <i>p</i>-value is corrected for that "
        "choice, the accuracy and its interval are not, and are optimistic. With the layer chosen "
        "on one half of the words and read on the other, accuracy is {} ({}; {})."
    ).format(crossed.estimate, crossed.sentence, equals(crossed.p))
