"""`cka` of all layers of two models, from disk, against CKA pair by pair in unit space.

Run with ``python -m benchmarks.cka``. Common implementations multiply each pair of layers anew
(units × units), as is done here with numpy; they are given a few pairs and scaled to all, since
all of them would take an hour. They know no permutations, no intervals and no debiasing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from cortiscope import Recording
from cortiscope.analyses.cka import cka

_FEWEST_DRAWS = {"n_permutations": 1, "n_jackknife": 1, "halves": False}


def main() -> None:
    """Measure both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3584)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--other-layers", type=int, default=42)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        pair = [
            _recording(options.units, n_layers, Path(folder) / name)
            for name, n_layers in (("one", options.layers), ("other", options.other_layers))
        ]
        n_pairs = options.layers * options.other_layers
        runs = {
            "cortiscope.cka, sentences as rows, values alone": {"level": "stimulus"}
            | _FEWEST_DRAWS,
            "cortiscope.cka, words as rows, values alone": _FEWEST_DRAWS,
            "cortiscope.cka, words as rows, 1,000 permutations, jackknife, best match": {},
        }
        table = Table(
            title=f"{options.layers} × {options.other_layers} layers, "
            f"n = {pair[0].n_stimuli}, d = {options.units}"
        )
        table.add_column("")
        table.add_column("seconds", justify="right")
        table.add_column("processor seconds", justify="right")
        seconds, results = [], []
        for name, settings in runs.items():
            wall, processor = [], []
            for _ in range(options.repeats):
                began, used = time.perf_counter(), time.process_time()
                results.append(cka(*pair, **settings))
                wall.append(time.perf_counter() - began)
                processor.append(time.process_time() - used)
            seconds.append(statistics.median(wall))
            table.add_row(name, f"{seconds[-1]:.1f}", f"{statistics.median(processor):.1f}")
        theirs, agreement = _pair_by_pair(pair, results[0], options.pairs)
        scaled = statistics.median(theirs) * n_pairs
        table.add_row("numpy, pair by pair in unit space (biased; scaled)", f"{scaled:,.0f}", "")
    Console(width=110).print(table)
    print(
        f"ratio, sentences as rows: {scaled / seconds[0]:,.0f} x; largest difference in biased "
        f"CKA: {agreement:.1e}"
    )


def _recording(n_units: int, n_layers: int, path: Path) -> Recording:
    """Store layers that share a geometry of words, so that pairs of layers are somewhat alike."""
    rng = np.random.default_rng(n_layers)
    word = np.repeat(np.arange(400), 3)
    shared = np.random.default_rng(0).normal(size=(400, 20)).astype(np.float32)[word]
    x = rng.standard_normal((1200, n_layers, n_units), dtype=np.float32)
    for layer in range(n_layers):
        x[:, layer] += shared @ rng.standard_normal((20, n_units), dtype=np.float32)
    table = pd.DataFrame(
        {
            "stimulus_id": [f"s{i:04d}" for i in range(1200)],
            "category": [f"c{w % 10}" for w in word],
            "word": [f"w{w:03d}" for w in word],
            "frame": [f"f{i % 3}" for i in range(1200)],
        }
    )
    return Recording.from_arrays({"resid_post": x}, stimuli=table, name=path.name).save(path)


def _pair_by_pair(pair: list[Recording], result: object, n_pairs: int) -> tuple[list[float], float]:
    """Seconds of each pair of layers, and the largest disagreement with our biased CKA."""
    seconds, differences = [], []
    frame = np.arange(1200) % 3
    for layer in range(n_pairs):
        began = time.perf_counter()
        x, y = (recording.layer("resid_post", layer) for recording in pair)
        for z in (x, y):
            for f in range(3):
                z[frame == f] -= z[frame == f].mean(axis=0)
        cross, own, others = (np.linalg.norm(a.T @ b) for a, b in ((x, y), (x, x), (y, y)))
        value = cross**2 / (own * others)
        seconds.append(time.perf_counter() - began)
        ours = result.estimates["biased_cka"].sel(layer=layer, other_layer=layer)
        differences.append(abs(float(ours) - value))
    return seconds, max(differences)


if __name__ == "__main__":
    main()
