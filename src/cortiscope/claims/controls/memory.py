"""Memory: does the probe read categories, or would it learn any labels of the words as well."""

from __future__ import annotations

from cortiscope.claims.bench import Bench
from cortiscope.claims.evidence import Evidence
from cortiscope.statistics import (
    Folds,
    control_task,
    percentile_interval,
    permute_within_folds,
)

_N_RANDOM = 50


def memory(bench: Bench) -> Evidence:
    """Compare real labels with random labels of the words, where words are shared.

    The probe trains on all frames but one and is read on that one, so that it has seen every
    word: what it then knows of random labels is what it can memorise. The layer is the one at
    which held-out words are read best.

    Returns
    -------
    Evidence
        Survived when real labels are read better than random ones: the 95% interval of the
        difference, over resamples of words, lies above zero.

    References
    ----------
    Hewitt & Liang (2019), Designing and interpreting probes with control tasks. EMNLP.
    """
    labels, parameters = bench.recording.labels, bench.parameters
    if (
        bench.target is None
        or "ridge" not in parameters
        or "accuracy" not in bench.result.estimates
    ):
        return Evidence("memory", None, f"could not run: {bench.instrument.name} fits no probe")
    if "frame" not in labels.columns or labels["frame"].nunique() < 2:
        return Evidence("memory", None, "could not run: the stimuli have no second frame")
    seed = bench.seed
    folds = Folds.grouped(
        labels[bench.target].tolist(), labels[bench.groups].tolist(), n_folds=2, seed=seed
    )
    random, _ = permute_within_folds(folds.label_of_word, folds.fold_of_word, _N_RANDOM, seed)
    accuracy = bench.result.estimates["accuracy"]
    layer = int(accuracy["layer"].values[int(accuracy.values.argmax())])
    x = bench.recording.layer(bench.site, layer)
    task = control_task(
        x.reshape(len(x), -1),
        folds,
        labels["frame"].tolist(),
        random,
        ridge=parameters["ridge"],
        scale=parameters["scale"],
        seed=seed,
    )
    real, chance = task.real, float(task.random.mean())
    low, high = (float(bound) - chance for bound in percentile_interval(task.draws))
    return Evidence(
        "memory",
        low > 0,
        f"with words shared, real labels give {real:.3f} and random labels {chance:.3f} at layer "
        f"{layer}: a difference of {real - chance:.3f} [{low:.3f}, {high:.3f}]",
        {"real": real, "random": chance, "low": low, "high": high, "layer": layer},
    )
