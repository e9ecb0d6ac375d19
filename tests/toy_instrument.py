"""An instrument as another package would write it: how far categories differ in their norm."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from cortiscope.analyses import Instrument, Result
from cortiscope.analyses.source import source_of
from cortiscope.statistics import (
    Folds,
    Null,
    bootstrap_words,
    percentile_interval,
    permute_within_folds,
)


def norm_gap(
    recording,
    target="category",
    groups="word",
    *,
    site="resid_post",
    n_permutations=99,
    n_bootstrap=99,
    seed=0,
):
    """Largest minus smallest mean norm of a category, in standard deviations of the words."""
    labels = recording.labels
    folds = Folds.grouped(labels[target].tolist(), labels[groups].tolist(), n_folds=2, seed=seed)
    layers = [int(layer) for layer in recording[site]["layer"].values]
    permuted, exhaustive = permute_within_folds(
        folds.label_of_word, folds.fold_of_word, n_permutations, seed
    )
    truth = folds.label_of_word
    observed, null, draws = [], [], []
    for layer in layers:
        norm = np.linalg.norm(recording.layer(site, layer), axis=1)
        of_word = np.bincount(folds.word, weights=norm) / np.bincount(folds.word)
        of_word = (of_word - of_word.mean()) / of_word.std()

        def gap(label, weights, of_word=of_word):
            means = [
                (weights * of_word)[:, label == c].sum(axis=1) / weights[:, label == c].sum(axis=1)
                for c in range(folds.n_categories)
            ]
            return np.max(means, axis=0) - np.min(means, axis=0)

        one = np.ones((1, folds.n_words))
        observed.append(gap(truth, one)[0])
        null.append([gap(label, one)[0] for label in permuted])
        draws.append(
            bootstrap_words(
                lambda weights, gap=gap: gap(truth, weights),
                truth,
                n_bootstrap=n_bootstrap,
                seed=seed,
            )
        )
    coords = {"layer": layers}
    null, draws = np.array(null).T, np.array(draws).T
    first = {"estimate": observed[-1], "null": null[:, -1], "draws": draws[:, -1]}
    return Result(
        analysis="norm_gap",
        subject=recording.name,
        estimates=xr.Dataset(
            {"gap": ("layer", observed), "last_gap": ((), first["estimate"])}, coords=coords
        ),
        intervals=xr.Dataset(
            {
                "gap": (("bound", "layer"), percentile_interval(draws)),
                "last_gap": ("bound", percentile_interval(first["draws"])),
            },
            coords=coords | {"bound": ["low", "high"]},
        ),
        p_values=xr.Dataset(
            {
                "gap": ("layer", Null(null, exhaustive).corrected_p_value(np.array(observed))),
                "last_gap": ((), Null(first["null"], exhaustive).p_value(first["estimate"])),
            },
            coords=coords,
        ),
        null=xr.Dataset(
            {"gap": (("permutation", "layer"), null), "last_gap": ("permutation", first["null"])},
            coords=coords,
            attrs={"exhaustive": int(exhaustive)},
        ),
        resamples=xr.Dataset(
            {"gap": (("resample", "layer"), draws), "last_gap": ("resample", first["draws"])},
            coords=coords,
        ),
        n={"n_stimuli": len(labels), "n_words": folds.n_words, "n_permutations": len(permuted)},
        parameters={
            "target": target,
            "groups": groups,
            "site": site,
            "n_permutations": n_permutations,
            "n_bootstrap": n_bootstrap,
            "seed": seed,
        },
        inputs={"recording": recording.fingerprint},
        reference="a toy of the tests",
        source=source_of(__name__),
    )


def _figure(results):
    figure = go.Figure()
    for label, result in results.items():
        figure.add_scatter(
            x=result.estimates["layer"].values, y=result.estimates["gap"].values, name=label
        )
    return figure


NORM_GAP = Instrument(
    name="norm_gap",
    summary="How far categories differ in their norm",
    reference="a toy of the tests",
    run=norm_gap,
    figure=_figure,
    headline="last_gap",
    detects=("direction",),
    silent_on=("noise",),
)
