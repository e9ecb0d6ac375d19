"""`concept_rank` against a loop over scikit-learn's Ridge, refitted after every direction.

Run with ``python -m benchmarks.concept_rank``. scikit-learn is given one concept of one fold and
one layer and scaled to all, since all of them would take hours.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from cortiscope import Recording
from cortiscope.analyses.concept_rank import concept_rank
from cortiscope.statistics import Folds, fold_spaces, map_in_threads, nullspace_scores


def main() -> None:
    """Measure both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3584)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--directions", type=int, default=20)
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    recording = _recording(options.units, options.layers)
    labels = recording.labels
    folds = Folds.grouped(labels["category"].tolist(), labels["word"].tolist())

    curves, whole = [], []
    for _ in range(options.repeats):
        began = time.perf_counter()
        scores = _curves(recording, folds, options.directions)
        curves.append(time.perf_counter() - began)
        began = time.perf_counter()
        concept_rank(
            recording, n_directions=options.directions, n_permutations=options.permutations
        )
        whole.append(time.perf_counter() - began)
    theirs, differences = _scikit_learn(
        recording, folds, scores[:, 0], options.directions, options.repeats
    )
    parts = folds.n_categories * folds.n_folds * options.layers
    scaled = statistics.median(theirs) * parts
    rows = {
        "cortiscope, curves alone": statistics.median(curves),
        f"cortiscope.concept_rank ({options.permutations:,} permutations, intervals, erasers)": (
            statistics.median(whole)
        ),
        "scikit-learn's Ridge, curves alone (scaled)": scaled,
    }
    table = Table(
        title=f"{options.directions} directions × {folds.n_categories} concepts × "
        f"{options.layers} layers × {folds.n_folds} folds, n = {recording.n_stimuli}, "
        f"d = {options.units}"
    )
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("times faster", justify="right")
    for name, seconds in rows.items():
        table.add_row(name, f"{seconds:,.1f}", f"{scaled / seconds:,.0f}")
    Console().print(table)
    print(
        f"largest difference in AUC: {differences[0]:.1e} from the loop over scikit-learn among "
        f"units, which drifts; {differences[1]:.1e} from the same in row space"
    )


def _recording(n_units: int, n_layers: int) -> Recording:
    rng = np.random.default_rng(0)
    word = np.repeat(np.arange(400), 3)
    category = word % 10
    x = rng.normal(size=(1200, n_layers, n_units)).astype(np.float32)
    x += 0.15 * rng.normal(size=(10, n_layers, n_units)).astype(np.float32)[category]
    table = pd.DataFrame(
        {"category": [f"c{c}" for c in category], "word": [f"w{w:03d}" for w in word]}
    )
    return Recording.from_arrays({"resid_post": x}, stimuli=table, name="benchmark")


def _curves(recording: Recording, folds: Folds, n_directions: int) -> NDArray[np.float64]:
    """Held-out scores (stimulus, layer, category, n_removed) of every layer."""

    def curve(layer: int) -> NDArray[np.float64]:
        spaces = list(fold_spaces(recording.layer("resid_post", layer), folds))
        return nullspace_scores(spaces, folds, n_directions)

    return np.stack(list(map_in_threads(curve, recording.layers("resid_post"), 2)), axis=1)


def _scikit_learn(
    recording: Recording,
    folds: Folds,
    scores: NDArray[np.float64],
    n_directions: int,
    n_repeats: int,
) -> tuple[list[float], tuple[float, float]]:
    """Seconds of a concept and a fold of layer 0, and the largest disagreements in AUC."""
    x = recording.layer("resid_post", 0)
    train, test = next(folds.splits())
    centred = x - x[train].mean(axis=0, dtype=np.float64)
    space = next(fold_spaces(x, folds))
    rows = space.row_coordinates[space.same_row]
    seconds, among_units, in_row_space = [], [], []
    for category in range(n_repeats):
        own = folds.label == category
        ours = [
            float(roc_auc_score(own[test], scores[test, category, step]))
            for step in range(n_directions + 1)
        ]
        labels = own[train], own[test]
        began = time.perf_counter()
        auc = _refitted(centred[train], centred[test], *labels, n_directions)
        seconds.append(time.perf_counter() - began)
        among_units.append(np.abs(np.subtract(auc, ours)).max())
        auc = _refitted(space.train_coordinates, rows, *labels, n_directions)
        in_row_space.append(np.abs(np.subtract(auc, ours)).max())
    return seconds, (float(max(among_units)), float(max(in_row_space)))


def _refitted(
    train: NDArray[np.float64],
    test: NDArray[np.float64],
    own_train: NDArray[np.bool_],
    own_test: NDArray[np.bool_],
    n_directions: int,
) -> list[float]:
    alpha = 0.01 * (train**2).sum() / len(train)
    train, test, taken = train.copy(), test.copy(), np.zeros((0, train.shape[1]))
    areas = []
    for _ in range(n_directions + 1):
        weights = Ridge(alpha=alpha).fit(train, own_train).coef_
        areas.append(float(roc_auc_score(own_test, test @ weights)))
        for _ in range(2):
            weights = weights - taken.T @ (taken @ weights)
        direction = weights / np.linalg.norm(weights)
        taken = np.vstack([taken, direction])
        for x in (train, test):
            x -= np.outer(x @ direction, direction)
    return areas


if __name__ == "__main__":
    main()
