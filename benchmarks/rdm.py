"""Dissimilarities of all stimuli at every layer against a loop over scipy's ``pdist``.

Run with ``python -m benchmarks.rdm``. Both sides measure the same layers in double precision,
one after the other, and are timed in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.distance import pdist

from cortiscope.statistics import correlation_distances, euclidean_distances


def main() -> None:
    """Measure both sides and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=1200)
    parser.add_argument("--units", type=int, default=3584)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    shape = (options.layers, options.stimuli, options.units)
    layers = rng.standard_normal(shape, dtype=np.float32)
    measures: dict[str, tuple[Callable, Callable]] = {
        "correlation": (correlation_distances, lambda x: pdist(x, "correlation")),
        "Euclidean (squared, mean over units)": (
            euclidean_distances,
            lambda x: pdist(x, "sqeuclidean") / x.shape[1],
        ),
    }
    table = Table(
        title=f"{options.layers} layers, n = {options.stimuli}, d = {options.units}, "
        f"median of {options.repeats}"
    )
    for heading in ("", "cortiscope (s)", "pdist (s)", "ratio", "largest difference"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, sides in measures.items():
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.repeats):
            for side, measure in enumerate(sides):
                began = time.perf_counter()
                for x in layers:
                    measure(x)
                seconds[side].append(time.perf_counter() - began)
        mine, theirs = map(statistics.median, seconds)
        ours, reference = (measure(layers[0].astype(np.float64)) for measure in sides)
        difference = np.abs(ours - reference).max()
        table.add_row(
            name, f"{mine:.2f}", f"{theirs:.2f}", f"{theirs / mine:.1f} x", f"{difference:.1e}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
