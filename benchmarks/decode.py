"""`decode` with its permutations against a loop over scikit-learn's RidgeClassifier.

Run with ``python -m benchmarks.decode``. scikit-learn is given a few permutations of one layer
and scaled to all, since all of them would take hours.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score

from cortiscope import Recording, decode
from cortiscope.statistics import Folds, fold_operators, permute_within_folds


def main() -> None:
    """Measure both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3584)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sklearn-permutations", type=int, default=3)
    options = parser.parse_args()

    recording = _recording(options.units, options.layers)
    ours = []
    for _ in range(options.repeats):
        began = time.perf_counter()
        result = decode(recording, n_permutations=options.permutations)
        ours.append(time.perf_counter() - began)
    theirs, agreement = _scikit_learn(recording, result, options.sklearn_permutations)
    per_permutation = statistics.median(theirs)
    scaled = per_permutation * (options.permutations + 1) * options.layers
    mine = statistics.median(ours)

    table = Table(
        title=f"{options.layers} layers × {options.permutations} permutations, "
        f"n = {recording.n_stimuli}, d = {options.units}, 10 classes"
    )
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("one layer, one permutation (ms)", justify="right")
    table.add_row(
        "cortiscope.decode (accuracy, AUC, intervals)",
        f"{mine:.1f}",
        f"{1000 * mine / options.layers / options.permutations:.2f}",
    )
    table.add_row(
        "RidgeClassifier, 5 folds (accuracy alone; scaled)",
        f"{scaled:,.0f}",
        f"{1000 * per_permutation:.0f}",
    )
    Console().print(table)
    print(f"ratio: {scaled / mine:,.0f} x; largest difference in accuracy: {agreement:.1e}")


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


def _scikit_learn(
    recording: Recording, result: object, n_permutations: int
) -> tuple[list[float], float]:
    """Seconds of each permutation of layer 0, and the largest disagreement with our null."""
    labels = recording.labels
    folds = Folds.grouped(labels["category"].tolist(), labels["word"].tolist())
    x = recording.layer("resid_post", 0)
    alphas = [operator.ridge_lambda for operator in fold_operators(x, folds)]
    permuted, _ = permute_within_folds(
        folds.label_of_word, folds.fold_of_word, result.n["n_permutations"]
    )
    seconds, differences = [], []
    for index in range(n_permutations):
        y = permuted[index][folds.word]
        began = time.perf_counter()
        predicted = np.empty_like(y)
        for alpha, (train, test) in zip(alphas, folds.splits(), strict=True):
            predicted[test] = RidgeClassifier(alpha=alpha).fit(x[train], y[train]).predict(x[test])
        accuracy = balanced_accuracy_score(y, predicted)
        seconds.append(time.perf_counter() - began)
        differences.append(abs(accuracy - float(result.null["accuracy"].values[index, 0])))
    return seconds, max(differences)


if __name__ == "__main__":
    main()
