"""The batched networks of `nonlinear_gap` against loops over scikit-learn's and torch's own.

Run with ``python -m benchmarks.nonlinear_gap``. All sides train a network for every layer, fold and
initialisation, on the same words, and average log-probabilities over initialisations. The loops
are given some layers and scaled to all.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from cortiscope.analyses.nonlinear_gap import nonlinear_gap
from cortiscope.phantoms import PHANTOMS, PhantomDesign
from cortiscope.statistics import Folds, MlpProblem, auc_of_words, mlp_scores

HIDDEN, N_CLASSES = 64, 10
STRENGTHS = {"direction": 2.0, "xor": 8.0}
Train = Callable[[MlpProblem, int], NDArray[np.floating]]


def main() -> None:
    """Measure all sides on a linear code and on one that is not, and print ratios and AUCs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=160)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--loop-layers", type=int, default=1)
    parser.add_argument("--initialisations", type=int, default=3)
    parser.add_argument("--phantoms", nargs="+", default=["direction", "xor"], choices=STRENGTHS)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    design = PhantomDesign.balanced(n_units=options.units, n_layers=options.layers)
    table = Table(
        title=f"{options.layers} layers × 5 folds × {options.initialisations} initialisations, "
        f"n = {design.n_stimuli}, d = {options.units}, {HIDDEN} hidden units, "
        f"{torch.get_num_threads()} threads"
    )
    for column in ("", "phantom", "seconds", "ratio", "AUC, first layers"):
        table.add_column(column, justify="left" if column in ("", "phantom") else "right")
    for name in options.phantoms:
        strength = STRENGTHS[name]
        recording = PHANTOMS[name].make(design, seed=0, strength=strength)
        labels = recording.labels
        folds = Folds.grouped(labels["category"].tolist(), labels["word"].tolist())
        problems = [
            MlpProblem(x[train], folds.label[train], x[test])
            for x in (recording.layer("resid_post", layer) for layer in range(options.layers))
            for train, test in folds.splits()
        ]
        began = time.perf_counter()
        ours = mlp_scores(
            problems,
            N_CLASSES,
            hidden=HIDDEN,
            n_initialisations=options.initialisations,
        )
        seconds = time.perf_counter() - began
        n_looped = options.loop_layers * folds.n_folds
        sides = {"mlp_scores": (seconds, ours[:n_looped])}
        loops: dict[str, Train] = {
            "loop of torch networks": _torch_network,
            "loop of MLPClassifier": _mlp_classifier,
        }
        for title, train_one in loops.items():
            began = time.perf_counter()
            theirs = [
                np.mean([train_one(p, seed) for seed in range(options.initialisations)], axis=0)
                for p in problems[:n_looped]
            ]
            scale = options.layers / options.loop_layers
            sides[f"{title} (scaled)"] = ((time.perf_counter() - began) * scale, theirs)
        for title, (spent, scores) in sides.items():
            auc = _auc(scores, folds, options.loop_layers)
            table.add_row(
                title,
                f"{name} {strength:g}",
                f"{spent:.1f}",
                f"{spent / seconds:.1f}",
                f"{auc:.3f}",
            )
        began = time.perf_counter()
        result = nonlinear_gap(recording)
        spent = time.perf_counter() - began
        gap = float(result.estimates["gap"])
        table.add_row(
            "nonlinear_gap, both probes tuned, 3 sizes",
            f"{name} {strength:g}",
            f"{spent:.1f}",
            "",
            f"gap {gap:+.3f}",
        )
    Console(width=110).print(table)


def _auc(scores: list[NDArray[np.float64]], folds: Folds, n_layers: int) -> float:
    """Macro AUC, mean over layers."""
    areas = []
    for layer in range(n_layers):
        held_out = np.empty((len(folds.label), folds.n_categories))
        for index, (_, test) in enumerate(folds.splits()):
            held_out[test] = scores[layer * folds.n_folds + index]
        areas.append(auc_of_words(held_out, folds, np.ones((1, folds.n_words))).mean())
    return float(np.mean(areas))


def _torch_network(problem: MlpProblem, seed: int) -> NDArray[np.floating]:
    """Train torch's own layers with its own optimiser, full batches, as many steps as ours."""
    torch.manual_seed(seed)
    scaler = StandardScaler().fit(problem.x_train)
    x, x_test = (
        torch.from_numpy(scaler.transform(rows).astype(np.float32))
        for rows in (problem.x_train, problem.x_test)
    )
    y = torch.from_numpy(problem.y_train)
    network = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, N_CLASSES)
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.02, weight_decay=1.0)
    for _ in range(60):
        optimiser.zero_grad()
        torch.autograd.backward(torch.nn.functional.cross_entropy(network(x), y))
        optimiser.step()
    with torch.no_grad():
        return torch.log_softmax(network(x_test), dim=1).numpy()


def _mlp_classifier(problem: MlpProblem, seed: int) -> NDArray[np.floating]:
    scaler = StandardScaler().fit(problem.x_train)
    model = MLPClassifier(HIDDEN, alpha=1.0, random_state=seed)
    model.fit(scaler.transform(problem.x_train), problem.y_train)
    return np.asarray(model.predict_log_proba(scaler.transform(problem.x_test)))


if __name__ == "__main__":
    main()
