"""`dimensionality` with its jackknife against a loop over numpy's covariance and eigenvalues.

Run with ``python -m benchmarks.dimensionality``. numpy is given a few subsets of one layer and
scaled to all.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd

from cortiscope import Recording
from cortiscope.analyses.dimensionality import dimensionality


def main() -> None:
    """Measure both sides and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=3584)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--jackknife", type=int, default=200)
    parser.add_argument("--numpy-subsets", type=int, default=2)
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, options.layers, options.units)).astype(np.float32)
    table = pd.DataFrame(
        {"category": [f"c{w % 10}" for w in range(400)], "word": [f"w{w}" for w in range(400)]}
    )
    recording = Recording.from_arrays({"resid_post": x}, stimuli=table, name="benchmark")
    began = time.perf_counter()
    result = dimensionality(recording, n_jackknife=options.jackknife)
    ours = time.perf_counter() - began

    seconds = []
    for index in range(options.numpy_subsets):
        subset = slice(None) if index == 0 else rng.permutation(400)[:320]
        began = time.perf_counter()
        eigenvalues = np.linalg.eigvalsh(np.cov(x[subset, 0].astype(np.float64).T))
        ratio = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
        seconds.append(time.perf_counter() - began)
        if index == 0:
            found = float(result.estimates["participation_ratio_all_biased"].values[0])
            difference = abs(ratio / found - 1)
    scaled = statistics.median(seconds) * (options.jackknife + 1) * options.layers
    print(f"{options.layers} layers, 400 words, d = {options.units}, {options.jackknife} subsets")
    print(f"cortiscope.dimensionality, all its numbers, 11 sets of words: {ours:.1f} s")
    print(f"numpy, one biased ratio of all words (scaled): {scaled:,.0f} s")
    print(f"ratio: {scaled / ours:,.0f} x; relative difference: {difference:.1e}")


if __name__ == "__main__":
    main()
