"""Overlap, held-out d' and reliability over 100 splits against a loop with scikit-learn's splits.

Run with ``python -m benchmarks.selectivity``. The loop is what one would write: for each split
and category a d' of all units in each half with numpy, sorted. It is also timed unit by unit, on a
few units, and scaled.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.model_selection import StratifiedShuffleSplit

from cortiscope.statistics import Replication, SplitHalves, WordSums, replicate

_N_CATEGORIES, _N_FRAMES = 10, 3
_SIZES = (5, 10, 20, 50, 100, 200, 500)

_Values = NDArray[np.float64]


def main() -> None:
    """Measure both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3584)
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timed-splits", type=int, default=10, help="of the loop; then scaled")
    parser.add_argument("--timed-units", type=int, default=20, help="one by one; then scaled")
    options = parser.parse_args()

    x, word, label_of_word = _activations(options.units)
    ours, found = [], None
    for _ in range(options.repeats):
        began = time.perf_counter()
        sums = WordSums.of(x, word).single()
        halves = SplitHalves.draw(label_of_word, options.splits)
        found = replicate(sums, halves, _SIZES)
        ours.append(time.perf_counter() - began)
    assert found is not None
    mine = statistics.median(ours)

    words = np.arange(len(label_of_word))
    splitter = StratifiedShuffleSplit(options.timed_splits, test_size=0.5, random_state=0)
    dealt = list(splitter.split(words, label_of_word))
    began = time.perf_counter()
    theirs = [_loop(x, word, label_of_word, pair, _d_prime) for pair in dealt]
    loop = (time.perf_counter() - began) * options.splits / options.timed_splits
    some = x[:, : options.timed_units]
    began = time.perf_counter()
    _profiles(some, word, label_of_word, dealt[0], _d_prime_unit_by_unit)
    by_unit = (time.perf_counter() - began) * options.splits * options.units / some.shape[1]

    table = Table(
        title=f"one layer, {options.splits} splits, {_N_CATEGORIES} categories, n = {len(x):,}, "
        f"d = {options.units:,}"
    )
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("ratio", justify="right")
    table.add_row("cortiscope.statistics.replicate", f"{mine:.2f}", "")
    table.add_row(
        f"numpy for each split and category ({options.timed_splits} splits, scaled)",
        f"{loop:,.1f}",
        f"{loop / mine:,.1f}",
    )
    table.add_row(
        f"d' unit by unit ({options.timed_units} units of one split, scaled)",
        f"{by_unit:,.0f}",
        f"{by_unit / mine:,.0f}",
    )
    Console().print(table)
    print(f"largest difference on the same splits: {_disagreement(x, word, label_of_word):.1e}")
    average = np.mean([overlap for _, _, overlap in theirs], axis=(0, 1))
    print(f"overlap over own splits, ours:   {found.overlap[0].mean(axis=0).round(3).tolist()}")
    print(f"overlap over own splits, theirs: {average.round(3).tolist()}")


def _activations(n_units: int) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    rng = np.random.default_rng(0)
    label_of_word = np.repeat(np.arange(_N_CATEGORIES), 40)
    word = np.repeat(np.arange(len(label_of_word)), _N_FRAMES)
    x = rng.normal(size=(len(word), n_units)) + rng.normal(size=(len(label_of_word), n_units))[word]
    x += 0.5 * rng.normal(size=(_N_CATEGORIES, n_units))[label_of_word[word]]
    return x.astype(np.float32), word, label_of_word


def _d_prime(inside: _Values, outside: _Values) -> _Values:
    n_in, n_out = len(inside), len(outside)
    within = (n_in - 1) * inside.var(axis=0, ddof=1) + (n_out - 1) * outside.var(axis=0, ddof=1)
    difference = inside.mean(axis=0) - outside.mean(axis=0)
    return np.asarray(difference / np.sqrt(within / (n_in + n_out - 2)))


def _d_prime_unit_by_unit(inside: _Values, outside: _Values) -> _Values:
    units = range(inside.shape[1])
    return np.array([_d_prime(inside[:, unit], outside[:, unit]) for unit in units])


def _profiles(
    x: NDArray[np.floating],
    word: NDArray[np.intp],
    label_of_word: NDArray[np.intp],
    halves: tuple[NDArray[np.intp], NDArray[np.intp]],
    measure: Callable[[_Values, _Values], _Values],
) -> list[_Values]:
    """Measure d' (category, unit) in each half."""
    profiles = []
    for words in halves:
        members = np.isin(word, words)
        mine, label = x[members].astype(np.float64), label_of_word[word[members]]
        profiles.append(
            np.array([measure(mine[label == c], mine[label != c]) for c in range(_N_CATEGORIES)])
        )
    return profiles


def _loop(
    x: NDArray[np.floating],
    word: NDArray[np.intp],
    label_of_word: NDArray[np.intp],
    halves: tuple[NDArray[np.intp], NDArray[np.intp]],
    measure: Callable[[_Values, _Values], _Values],
) -> tuple[list[float], list[list[float]], list[list[float]]]:
    """Correlation, held-out d' and overlap of each category, for one split."""
    correlations, held_out, overlaps = [], [], []
    for a, b in zip(*_profiles(x, word, label_of_word, halves, measure), strict=True):
        correlations.append(float(np.corrcoef(a, b)[0, 1]))
        first, second = np.argsort(-a), np.argsort(-b)
        held_out.append([float(b[first[:k]].mean() + a[second[:k]].mean()) / 2 for k in _SIZES])
        overlaps.append([len(np.intersect1d(first[:k], second[:k])) / k for k in _SIZES])
    return correlations, held_out, overlaps


def _disagreement(
    x: NDArray[np.floating], word: NDArray[np.intp], label_of_word: NDArray[np.intp]
) -> float:
    """Largest difference between both ways on one and the same split."""
    halves = SplitHalves.draw(label_of_word, 1)
    found: Replication = replicate(WordSums.of(x, word).single(), halves, _SIZES)
    pair = (halves.word[halves.is_in[0, 0]], halves.word[halves.is_in[1, 0]])
    theirs = _loop(x, word, label_of_word, pair, _d_prime)
    ours = (found.correlation[0], found.held_out[0], found.overlap[0])
    return max(
        float(np.abs(mine - np.array(other)).max())
        for mine, other in zip(ours, theirs, strict=True)
    )


if __name__ == "__main__":
    main()
