"""Logistic probes of all layers and folds against scikit-learn's LogisticRegression (lbfgs).

Run with ``python -m benchmarks.logistic``. The activations have the covariance of a language
model's (the background of the phantoms), with outlier units. Each side is compared with the
minimum of the penalised loss, found to a far smaller tolerance. scikit-learn is given one fold of
one layer and scaled to all, since all of them would take long; at its default tolerance, and at
one that brings its scores as near to the minimum as ours.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import Folds, LogisticReader, logistic_scores


def main() -> None:
    """Measure both sides and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3584)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--measured-layers", type=int, default=3, help="the rest is scaled")
    parser.add_argument("--strength", type=float, default=3.0)
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1e-4, 1e-6])
    options = parser.parse_args()

    design = PhantomDesign.balanced(n_units=options.units)
    layers = [
        PHANTOMS["direction"].make(design, seed, strength=options.strength).layer("resid_post", 0)
        for seed in range(options.measured_layers)
    ]
    labels = design.table
    folds = Folds.grouped(labels["category"].tolist(), labels["word"].tolist())

    ours, scores = [], []
    for x in layers:
        began = time.perf_counter()
        scores.append(logistic_scores(x, folds))
        ours.append(time.perf_counter() - began)
    mine = statistics.median(ours) * options.layers
    reader = LogisticReader(layers[0], folds, tolerance=1e-14)
    exact = reader.scores(folds.label_of_word[None])[0].T
    train, held_out = next(folds.splits())

    table = Table(
        title=f"{options.layers} layers × {folds.n_folds} folds, n = {design.n_stimuli}, "
        f"d = {options.units}, {folds.n_categories} classes"
    )
    for column in ("", "seconds", "error of scores", "accuracy", "ratio"):
        table.add_column(column, justify="right" if column else "left")

    def add(name: str, seconds: float, of_held_out: NDArray[np.float64]) -> None:
        error = np.abs(of_held_out - exact[held_out]).max()
        accuracy = balanced_accuracy_score(folds.label[held_out], of_held_out.argmax(axis=1))
        ratio = f"{seconds / mine:.1f}"
        table.add_row(name, f"{seconds:.1f}", f"{error:.1e}", f"{accuracy:.3f}", ratio)

    add("cortiscope", mine, scores[0][held_out])
    x = layers[0].astype(np.float64)
    for tolerance in options.tolerances:
        began = time.perf_counter()
        model = LogisticRegression(
            C=1 / reader.ridge_lambda[0], tol=tolerance, max_iter=100_000
        ).fit(x[train], folds.label[train])
        theirs = model.decision_function(x[held_out])
        seconds = (time.perf_counter() - began) * folds.n_folds * options.layers
        add(f"lbfgs, tol={tolerance:g} ({model.n_iter_[0]} steps)", seconds, theirs)
    Console().print(table)


if __name__ == "__main__":
    main()
