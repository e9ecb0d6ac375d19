"""Tables of decoding results: accuracy at every layer, and AUC of every category."""

from __future__ import annotations

from markupsafe import Markup

from cortiscope.analyses import Result
from cortiscope.report.comparison import Comparison
from cortiscope.report.numbers import NOTHING, spaced
from cortiscope.report.readings import (
    best_layer,
    categories_of,
    has_areas,
    layers_of,
    macro_auc,
    reading,
)
from cortiscope.report.table import Cell, Table

_P = Markup("<i>p</i>")


def layer_table(comparison: Comparison) -> Table:
    """Lay out the accuracy at the embedding and every layer, beside that of the twins.

    Parameters
    ----------
    comparison : Comparison
        A subject at one site.

    Returns
    -------
    Table
        The best layer in bold. A single twin has its interval and p-value; of several twins
        only the accuracy stands here, for lack of room.
    """
    twins = comparison.twins
    single = len(twins) == 1
    with_areas = has_areas(comparison.result)
    results: list[tuple[Cell, int, Result, tuple[Result | None, ...]]] = [
        (str(layer), layer, comparison.result, twins) for layer in layers_of(comparison.result)
    ]
    if comparison.embedding is not None:
        results.insert(0, ("embedding", 0, comparison.embedding, comparison.twin_embeddings))
    rows = []
    for header, layer, result, beside in results:
        own = reading(result, layer)
        row: list[Cell] = [header, own.estimate, own.interval, own.p]
        row += [macro_auc(result, layer)] if with_areas else []
        for twin in beside:
            row += _twin_cells(twin, layer, single=single)
        rows.append(tuple(row))
    accuracy = ("accuracy", "95% interval", _P)
    n_twin_columns = 3 if single else len(twins)
    groups = [("", 1), (comparison.name, 3 + with_areas)]
    if twins:
        title = "untrained twin" if single else "untrained twins, accuracy"
        groups.append((title, n_twin_columns))
    return Table(
        caption=Markup("Balanced accuracy of {} at every layer. Result <code>{}</code>.").format(
            comparison.name, comparison.result.id
        ),
        columns=(
            "layer",
            *accuracy,
            *(("macro AUC",) if with_areas else ()),
            *(accuracy if single else comparison.twin_labels),
        ),
        align="l" + "r" * (3 + with_areas + n_twin_columns),
        rows=tuple(rows),
        groups=tuple(groups),
        strong=layers_of(comparison.result).index(best_layer(comparison.result))
        + (comparison.embedding is not None),
    )


def _twin_cells(twin: Result | None, layer: int, *, single: bool) -> list[Cell]:
    if twin is None:
        return [NOTHING] * (3 if single else 1)
    there = reading(twin, layer)
    return [there.estimate, there.interval, there.p] if single else [there.estimate]


def auc_table(name: str, result: Result, embedding: Result | None) -> Table:
    """Lay out the AUC of every category at every layer, as the heat map shows it.

    Parameters
    ----------
    name : str
        Whose it is.
    result : Result
        Of all layers.
    embedding : Result or None
        Of the embedding, which becomes the first column.

    Returns
    -------
    Table
        In parentheses where the corrected p-value is not below .05.
    """
    columns = [(str(layer), result, layer) for layer in layers_of(result)]
    if embedding is not None:
        columns.insert(0, ("embedding", embedding, 0))
    rows = tuple(
        (spaced(category), *(_area(source, layer, category) for _, source, layer in columns))
        for category in categories_of(result)
    )
    return Table(
        caption=Markup("AUC of each category against the rest, {}. Result <code>{}</code>.").format(
            name, result.id
        ),
        columns=("category", *(header for header, _, _ in columns)),
        align="l" + "r" * len(columns),
        rows=rows,
        groups=(("", 1), ("layer", len(columns))),
    )


def _area(result: Result, layer: int, category: str) -> Cell:
    area = reading(result, layer, category)
    return area.estimate if area.is_decodable else Markup("({})").format(area.estimate)
