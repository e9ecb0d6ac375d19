"""Whether a set of stimuli can be split into folds that keep its groups whole."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cortiscope.errors import InputError


def check_groups(
    table: pd.DataFrame, name: str, labels: Sequence[str], target: str, groups: str, n_folds: int
) -> None:
    """Check folds, groups and categories against each other; see `StimulusSet.check_groups`.

    Parameters
    ----------
    table : DataFrame
        A clean table.
    name : str
        The set's name, for messages.
    labels : sequence of str
        Its label columns.
    target, groups : str
        The label to decode, and the one whose stimuli stay together.
    n_folds : int
        How many folds.
    """
    for label in (target, groups):
        if label not in labels:
            there = ", ".join(map(repr, labels)) or "none"
            raise InputError(
                f"{name!r} has no label column {label!r} (its labels: {there}); add it or name "
                "another."
            )
    if n_folds < 2:
        raise InputError(f"{n_folds} folds cannot hold anything out; give 2 or more.")
    categories_of = table.groupby(groups, sort=False)[target].unique()
    for group, categories in categories_of.items():
        if len(categories) > 1:
            raise InputError(
                f"In {name!r} the {groups} {group!r} is in two values of {target!r}, "
                f"{categories[0]!r} and {categories[1]!r}; a {groups} must keep to one, or what is "
                "learnt on one side of a split is tested on the other."
            )
    n_groups = table.groupby(target, sort=False)[groups].nunique()
    if len(n_groups) < 2:
        raise InputError(
            f"In {name!r} every stimulus has the same {target!r}, {n_groups.index[0]!r}; decoding "
            "needs two or more."
        )
    if n_groups.min() < n_folds:
        raise InputError(
            f"In {name!r} the {target} {n_groups.idxmin()!r} has {n_groups.min()} different "
            f"values of {groups!r}, fewer than the {n_folds} folds; add some or take fewer folds."
        )
