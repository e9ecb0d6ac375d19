"""The control task: would a probe learn any labels of the words as well as the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.statistics.folds import Folds
from cortiscope.statistics.intervals import bootstrap_words
from cortiscope.statistics.reading import LayerReader
from cortiscope.statistics.scores import accuracy_of_words


@dataclass(frozen=True, eq=False)
class ControlTask:
    """Balanced accuracy in frames that were held out, of words that were not.

    Attributes
    ----------
    real : float
        For the true labels.
    random : ndarray of float64, shape (n_labellings,)
        For random labels of the words: what is memorised.
    draws : ndarray of float64, shape (n_bootstrap,)
        `real` under resampled words.
    """

    real: float
    random: NDArray[np.float64]
    draws: NDArray[np.float64]


def control_task(
    activations: NDArray[np.floating],
    folds: Folds,
    frames: Sequence[object],
    random: NDArray[np.intp],
    *,
    ridge: float | Literal["inner"] = 0.01,
    scale: bool = False,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> ControlTask:
    """Train on all frames but one and read that one, with true and with random labels.

    Parameters
    ----------
    activations : ndarray, shape (n_stimuli, n_units)
        One layer.
    folds : Folds
        Labels and words of the stimuli; its folds are not used.
    frames : sequence, length n_stimuli
        Frame of each stimulus.
    random : ndarray of int, shape (n_labellings, n_words)
        Random labels of the words, such as permutations of the true ones.
    ridge, scale
        As in `LayerReader`; inner folds are frames here.
    n_bootstrap, seed : int
        Resamples of words, and their seed.

    Returns
    -------
    ControlTask
        `real` minus the mean of `random` is the selectivity of Hewitt & Liang.

    Raises
    ------
    InputError
        For a single frame, and as `LayerReader` does.

    References
    ----------
    Hewitt & Liang (2019), Designing and interpreting probes with control tasks. EMNLP.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> folds = Folds.grouped(["a", "b"] * 20, [i // 2 for i in range(0, 80, 2)], n_folds=2)
    >>> x = rng.normal(size=(40, 30)) + 3 * folds.label[:, None]
    >>> frames = np.arange(40) // 20
    >>> random = rng.permuted(np.tile(folds.label_of_word, (9, 1)), axis=1)
    >>> task = control_task(x, folds, frames, random)
    >>> bool(task.real > 0.9), bool(task.random.mean() < 0.7)
    (True, True)
    """
    names, frame = np.unique(np.asarray(frames, dtype=str), return_inverse=True)
    if len(names) < 2:
        msg = (
            f"all stimuli are in the frame {str(names[0])!r}: the control task trains on some "
            "frames and reads another; give two or more."
        )
        raise InputError(msg)
    by_frame = replace(folds, fold=frame.astype(np.intp), level=np.zeros_like(folds.level))
    reader = LayerReader(activations, by_frame, ridge=ridge, scale=scale)
    draws = bootstrap_words(
        partial(accuracy_of_words, reader.scores(), by_frame),
        folds.label_of_word,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    return ControlTask(
        real=float(reader.read(folds.label_of_word[None], auc=False).accuracy[0]),
        random=reader.read(random, auc=False).accuracy,
        draws=draws,
    )
