"""Tables of the stimuli: counts, how far categories differ on the surface, examples."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup, escape

from cortiscope.ledger import Address
from cortiscope.report.contents import Contents
from cortiscope.report.numbers import Number, Style, count, decimal, number, p_value, share, spaced
from cortiscope.report.table import Cell, Table

FEATURES = {
    "word_length": "word length",
    "log_frequency": "word frequency",
    "n_tokens": "number of tokens",
}
"""Surface features in words."""

_COLUMNS: dict[str, tuple[str, Style]] = {
    "n_words": ("words", count),
    "n_stimuli": ("sentences", count),
    "mean_word_length": ("mean length", decimal),
    "sd_word_length": ("SD of length", decimal),
    "mean_log_frequency": ("mean log frequency", decimal),
}


def category_table(contents: Contents) -> Table:
    """Lay out counts and surface of each category."""
    frame = contents.description.categories
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            spaced(str(category)),
            *(
                _number(contents, frame, column, style, "category", str(category))
                for column, (_, style) in _COLUMNS.items()
            ),
        )
        for category in frame.index
    )
    return Table(
        caption=Markup(
            "Words and sentences of each category; length in characters, frequency as "
            "log<sub>10</sub> per million. Stimuli <code>{}</code>."
        ).format(contents.stimuli_id),
        columns=("category", *(title for title, _ in _COLUMNS.values())),
        align="l" + "r" * len(_COLUMNS),
        rows=rows,
    )


def mismatch_numbers(contents: Contents) -> dict[str, tuple[Number, Number, Number]]:
    """Take, for each surface feature, η², what chance makes of it, and the p-value."""
    frame = contents.description.mismatch

    def taken(feature: str) -> tuple[Number, Number, Number]:
        return (
            _number(contents, frame, "eta_squared", share, "feature", feature),
            _number(contents, frame, "expected_eta_squared", share, "feature", feature),
            _number(contents, frame, "p_value", p_value, "feature", feature),
        )

    return {str(feature): taken(str(feature)) for feature in frame.index}


def mismatch_table(contents: Contents) -> Table:
    """Lay out how far the categories differ on the surface."""
    return Table(
        caption=Markup(
            "Mismatch between categories: the share of a feature's variance over words that lies "
            "between categories (η²), what random categories would have, and the <i>p</i>-value "
            "of an analysis of variance."
        ),
        columns=("feature", "η²", "expected by chance", Markup("<i>p</i>")),
        align="lrrr",
        rows=tuple(
            (FEATURES.get(feature, feature), *numbers)
            for feature, numbers in mismatch_numbers(contents).items()
        ),
    )


def example_table(contents: Contents) -> Table:
    """Lay out a sentence of each category, from all frames in turn, its target marked."""
    table = contents.stimuli.table
    target = contents.target
    by_category = table.groupby(target, sort=False) if target in table else ()
    rows = []
    for index, (category, group) in enumerate(by_category):
        # Steps that are no multiple of the number of frames pass through all of them.
        row = group.iloc[(index * (len(group) // 7 + 1) + index) % len(group)]
        text, start, end = str(row["text"]), int(row["target_start"]), int(row["target_end"])
        sentence = Markup("{}<mark>{}</mark>{}").format(text[:start], text[start:end], text[end:])
        rows.append((spaced(str(category)), sentence, str(row["stimulus_id"])))
    return Table(
        caption="One sentence of each category; the target is marked.",
        columns=(escape(spaced(target)), "sentence", "stimulus"),
        align="lll",
        rows=tuple(rows),
    )


def _number(
    contents: Contents, frame: pd.DataFrame, column: str, style: Style, axis: str, row: str
) -> Number:
    value = float(frame[column].to_dict()[row])
    return number(value, style, Address(contents.stimuli_id, column, ((axis, row),)))
