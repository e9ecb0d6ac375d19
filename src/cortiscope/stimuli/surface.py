"""What words show on their surface, as features that a probe can be given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from cortiscope.stimuli.frequency import log_frequency

_N_GRAM_FEATURES = 512


def surface_features(words: Sequence[str]) -> NDArray[np.float32]:
    """Describe words by length, number of words, log frequency and character n-grams.

    Parameters
    ----------
    words : sequence of str
        What is shown of each stimulus's target, in lower case.

    Returns
    -------
    ndarray of float32, shape (n_stimuli, n_features)
        The counts and the n-grams of one to three letters (hashed to 512 features), each block
        centred and of total variance 1.

    Examples
    --------
    >>> features = surface_features(["dog", "otter", "seven"])
    >>> features.shape
    (3, 515)
    >>> bool(np.isclose(features.var(axis=0).sum(), 2.0))
    True
    """
    text = pd.Series(list(words))
    counts = np.column_stack(
        [text.str.len(), text.str.count(" ") + 1, _known(log_frequency(text.tolist()))]
    ).astype(np.float64)
    spread = counts.std(axis=0)
    counts = (counts - counts.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    grams = HashingVectorizer(
        analyzer="char_wb", ngram_range=(1, 3), n_features=_N_GRAM_FEATURES, alternate_sign=False
    ).transform(text)
    return np.concatenate(
        [equal_variance(counts), equal_variance(np.asarray(grams.todense()))], axis=1
    )


def target_words(table: pd.DataFrame, groups: str) -> list[str] | None:
    """Read what was shown of each target; a group's label may say more than its text does.

    Parameters
    ----------
    table : DataFrame
        The stimuli.
    groups : str
        The column that names the words, used where no span of the text is marked.

    Returns
    -------
    list of str, or None
        In lower case; None where the stimuli name no words.

    Examples
    --------
    >>> target_words(pd.DataFrame({"word": ["Dog", "cat"]}), "word")
    ['dog', 'cat']
    """
    if {"text", "target_start", "target_end"} <= set(table.columns):
        spans = zip(table["text"], table["target_start"], table["target_end"], strict=True)
        return [text[start:end].lower() for text, start, end in spans]
    if groups not in table.columns:
        return None
    return [str(word).lower() for word in table[groups]]


def equal_variance(x: NDArray[np.floating]) -> NDArray[np.float32]:
    """Centre over stimuli, and scale the whole to a total variance of 1.

    Parameters
    ----------
    x : ndarray, shape (n_stimuli, ..., n_features)
        Each place in between, such as a layer, is scaled for itself.

    Returns
    -------
    ndarray of float32, of the same shape
        Features that are all constant stay at zero.

    Examples
    --------
    >>> float(equal_variance(np.array([[1.0], [3.0]])).var())
    1.0
    """
    centred = np.asarray(x, dtype=np.float64) - x.mean(axis=0)
    total = np.sqrt(np.square(centred).sum(axis=-1, keepdims=True).mean(axis=0, keepdims=True))
    return np.asarray(centred / np.where(total > 0, total, 1.0), dtype=np.float32)


def _known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the mean where a value is missing, as the frequency of what has no letter is."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    return np.where(missing, 0.0 if missing.all() else np.nanmean(values), values)
