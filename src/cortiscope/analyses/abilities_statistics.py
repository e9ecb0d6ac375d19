"""From harm by every condition to the statistics of abilities: sets, maps, the clean subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cortiscope.analyses.abilities_measures import by_ability, dissociation, selectivity
from cortiscope.analyses.statistic import Statistic
from cortiscope.errors import InputError

_DIMS = {"head_out": ("layer", "head"), "mlp_act": ("unit_layer", "part")}


@dataclass(frozen=True, eq=False)
class Found:
    """Harm by what was lesioned.

    Attributes
    ----------
    parts, wholes : DataFrame
        Labels of the conditions that lesion one part, or a whole layer.
    by_part, by_whole : ndarray, shape (n, 2, 1 + n_bootstrap)
        Harm to each ability.
    by_set : ndarray, shape (2, 2, 1 + n_bootstrap)
        By whose sites, and to each ability.
    by_random : ndarray, shape (n_draws, 2, 2)
        The same of random sets, all groups counted once.
    norms : ndarray, shape (1 + n_draws, 2)
        Of the sets, the chosen ones first.
    """

    parts: pd.DataFrame
    wholes: pd.DataFrame
    by_part: NDArray[np.float64]
    by_whole: NDArray[np.float64]
    by_set: NDArray[np.float64]
    by_random: NDArray[np.float64]
    norms: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        harm: NDArray[np.float64],
        names: Sequence[str],
        n_draws: int,
    ) -> Found:
        """Find the conditions by their labels."""
        sets = table[table["kind"].isin(["chosen", "random"])]
        place = {
            (draw, name): at
            for at, draw, name in zip(sets.index, sets["draw"], sets["chosen_for"], strict=True)
        }
        wanted = [(draw, name) for draw in range(-1, n_draws) for name in names]
        missing = [at for at in wanted if at not in place]
        if missing:
            raise InputError(
                f"the response lacks the set {missing[0]}: stimulate with all that "
                "abilities_experiment plans."
            )
        rows = np.array([place[at] for at in wanted]).reshape(-1, len(names))
        parts, wholes = (table[table["kind"] == kind] for kind in ("part", "whole"))
        return cls(
            parts,
            wholes,
            harm[parts.index],
            harm[wholes.index],
            harm[rows[0]],
            harm[rows[1:], :, 0],
            table["norm"].to_numpy(dtype=float)[rows],
        )


def of_sets(found: Found) -> dict[str, Statistic]:
    """Compare the sets that were chosen with random ones."""
    own, random = found.by_set, found.by_random
    by_random = np.moveaxis(random, 0, -1)  # as the chosen sets': lesioned, ability, draw
    expected = by_random.mean(axis=-1, keepdims=True)
    statistics = {
        "harm_by_set": Statistic(
            ("chosen_for", "ability"), own[..., 0], random, np.moveaxis(own[..., 1:], -1, 0)
        ),
        "harm_by_random_set": Statistic(("chosen_for", "ability"), expected[..., 0]),
        "set_norm": Statistic(("chosen_for",), found.norms[0]),
        "random_set_norm": Statistic(("chosen_for",), found.norms[1:].mean(axis=0)),
    }
    measures: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "double_dissociation": dissociation,
        "harm_to_own": lambda harm: _diagonal(harm - expected).min(axis=0),
        "harm_to_other": lambda harm: _diagonal((harm - expected)[::-1]).max(axis=0),
    }
    for name, measure in measures.items():
        values = measure(own)
        statistics[name] = Statistic((), values[0], measure(by_random), values[1:])
    return statistics


def _diagonal(harm: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([harm[0, 0], harm[1, 1]])


def maps(found: Found) -> dict[str, Statistic]:
    """Lay the harm by single parts and whole layers out as maps."""
    statistics: dict[str, Statistic] = {}
    for site, dims in _DIMS.items():
        rows = np.flatnonzero(found.parts["at_site"] == site)
        if not len(rows):
            continue
        of_site = found.parts.iloc[rows]
        layers, layer = np.unique(of_site["at_layer"], return_inverse=True)
        number = of_site["part"].to_numpy(dtype=int)
        shape = (len(layers), number.max() + 1)
        harm, chosen = np.full((*shape, 2), np.nan), np.full(shape, "", dtype=object)
        harm[layer, number] = found.by_part[rows, :, 0]
        chosen[layer, number] = of_site["chosen_for"]
        statistics[f"harm_by_{dims[1]}"] = Statistic((*dims, "ability"), harm)
        statistics[f"chosen_{dims[1]}s"] = Statistic(dims, chosen.astype(str))
    sites, row = np.unique(found.wholes["at_site"], return_inverse=True)
    layers, layer = np.unique(found.wholes["at_layer"], return_inverse=True)
    whole = np.full((len(sites), len(layers), 2), np.nan)
    whole[row, layer] = found.by_whole[..., 0]
    statistics["harm_by_layer"] = Statistic(("site", "whole_layer", "ability"), whole)
    before = found.parts[["found_first", "found_second"]].to_numpy(dtype=float)
    r = _correlations(before, found.by_part, found.parts["at_site"].to_numpy())
    statistics["map_replication"] = Statistic((), r[0], resamples=r[1:])
    return statistics


def _correlations(
    before: NDArray[np.float64], after: NDArray[np.float64], sites: NDArray[Any]
) -> NDArray[np.float64]:
    """Correlate the parts' selectivity on both halves, within sites and then over all parts."""
    first, second = [], []
    for site in np.unique(sites):
        own = sites == site
        first.append(selectivity(before[own])[:, None])
        second.append(selectivity(after[own]))
    x, y = np.concatenate(first), np.concatenate(second)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    norms = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return np.asarray((x * y).sum(axis=0) / np.where(norms > 0, norms, 1.0))


def of_clean(
    log_odds: NDArray[np.float64], ability: NDArray[np.intp], weights: NDArray[np.float64]
) -> dict[str, Statistic]:
    """Say how well the clean subject answers."""
    is_right = (log_odds > 0).astype(np.float64)
    odds, right = (by_ability(of, ability, weights)[0] for of in (log_odds, is_right))
    least = odds.min(axis=0)
    return {
        "clean_log_odds": Statistic(("ability",), odds[:, 0], resamples=odds[:, 1:].T),
        "clean_accuracy": Statistic(("ability",), right[:, 0], resamples=right[:, 1:].T, none=0.5),
        "lowest_log_odds": Statistic((), least[0], resamples=least[1:]),
    }


def coordinates(found: Found, names: Sequence[str]) -> dict[str, list[Any]]:
    """Name the places of every dim."""
    coords: dict[str, list[Any]] = {"ability": list(names), "chosen_for": list(names)}
    for site, dims in _DIMS.items():
        places = found.parts[found.parts["at_site"] == site]
        if len(places):
            coords[dims[0]] = np.unique(places["at_layer"].astype(int)).tolist()
            coords[dims[1]] = list(range(int(places["part"].max()) + 1))
    coords["site"] = np.unique(found.wholes["at_site"]).tolist()
    coords["whole_layer"] = np.unique(found.wholes["at_layer"].astype(int)).tolist()
    return coords


def arrangements(parts: pd.DataFrame) -> int:
    """Count the ways in which the chosen sets can lie in their layers, up to a billion."""
    total = 1
    for _, place in parts.groupby(["at_site", "at_layer"]):
        ways = factorial(len(place))
        for count in place["chosen_for"].value_counts():
            ways //= factorial(int(count))
        total *= ways
    return min(total, 10**9)
