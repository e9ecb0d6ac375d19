"""What a set of stimuli is like on the surface, and how far its categories differ there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cortiscope.errors import InputError
from cortiscope.stimuli.frequency import log_frequency

FEATURES = ("word_length", "log_frequency", "n_tokens")
"""Surface features of a target: its characters, log10 frequency per million, tokens."""


@dataclass(frozen=True, eq=False)
class Description:
    """Counts and surface features of a set of stimuli.

    Parameters
    ----------
    name : str
        The set.
    categories : DataFrame
        One row a category (a single row "all" where there is no label 'category'): n_stimuli,
        n_words, mean and standard deviation of the word length in characters, mean log10
        frequency per million, and mean number of tokens where a tokenizer was given. The means
        are over words.
    mismatch : DataFrame
        One row a feature: eta_squared (the share of the feature's variance over words that lies
        between categories), expected_eta_squared (what categories drawn at random would have,
        (C - 1) / (n_words - 1)) and p_value (one-way analysis of variance). A feature that is the
        same for every word is perfectly matched: 0 and p = 1. Empty with fewer than two
        categories.

    Examples
    --------
    >>> from cortiscope.stimuli import StimulusSet
    >>> described = StimulusSet.from_words(
    ...     {"animal": ["dog", "cat"], "tool": ["hammer", "screwdriver"]},
    ...     {"card": "The word is {word}."},
    ... ).describe()
    >>> described.categories["mean_word_length"].to_dict()
    {'animal': 3.0, 'tool': 8.5}
    """

    name: str
    categories: pd.DataFrame
    mismatch: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the figures of each category as a table that is yours to change."""
        return self.categories.copy()

    def __repr__(self) -> str:
        """Show both tables as plain text."""
        parts = [f"Stimuli {self.name!r}", self.categories.to_string(float_format="{:.2f}".format)]
        if not self.mismatch.empty:
            parts += ["Mismatch between categories", _readable(self.mismatch).to_string()]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        parts = [self.categories.to_html(float_format="{:.2f}".format)]
        if not self.mismatch.empty:
            parts += ["<p>Mismatch between categories</p>", _readable(self.mismatch).to_html()]
        return "\n".join(parts)


def described(table: pd.DataFrame, name: str, tokenizer: Any | None = None) -> Description:
    """Describe a clean table; see `StimulusSet.describe`.

    Parameters
    ----------
    table : DataFrame
        The table of a StimulusSet.
    name : str
        The set's name.
    tokenizer : transformers.PreTrainedTokenizerFast, optional
        Counts the target's tokens where it stands in its text.

    Returns
    -------
    Description
        Figures by category, and the mismatch between categories.
    """
    words = _words(table, tokenizer)
    by_category = words.groupby("category", sort=False, observed=True)
    columns = {
        "n_stimuli": by_category["n_stimuli"].sum(),
        "n_words": by_category.size(),
        "mean_word_length": by_category["word_length"].mean(),
        "sd_word_length": by_category["word_length"].std(),
        "mean_log_frequency": by_category["log_frequency"].mean(),
    }
    if tokenizer is not None:
        columns["mean_n_tokens"] = by_category["n_tokens"].mean()
    features = [feature for feature in FEATURES if feature in words]
    return Description(name, pd.DataFrame(columns), _mismatch(words, features))


def count_target_tokens(
    texts: Sequence[str], spans: Sequence[tuple[int, int]], tokenizer: Any
) -> NDArray[np.int64]:
    """Count the tokens that share a character with the target, in context.

    Parameters
    ----------
    texts : sequence of str
        The stimuli.
    spans : sequence of (int, int)
        The target of each.
    tokenizer : transformers.PreTrainedTokenizerFast
        A fast tokenizer, which knows the characters of each token.

    Returns
    -------
    ndarray of int64, shape (n_stimuli,)
        Tokens of each target; special tokens are not among them.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            f"The tokenizer {type(tokenizer).__name__} does not say which characters its tokens "
            "cover; give a fast one (AutoTokenizer.from_pretrained with use_fast=True)."
        )
    offsets = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)[
        "offset_mapping"
    ]
    counts = [
        sum(begin < end and begin < stop and end > start for begin, end in tokens)
        for tokens, (start, stop) in zip(offsets, spans, strict=True)
    ]
    return np.asarray(counts, dtype=np.int64)


def _words(table: pd.DataFrame, tokenizer: Any | None) -> pd.DataFrame:
    """Average the features of each word over its stimuli; without words a stimulus is its own."""
    texts = table["text"].tolist()
    spans = list(zip(table["target_start"].tolist(), table["target_end"].tolist(), strict=True))
    targets = [text[start:end] for text, (start, end) in zip(texts, spans, strict=True)]
    features = pd.DataFrame(
        {
            "category": table["category"].tolist() if "category" in table else "all",
            "word": table["word" if "word" in table else "stimulus_id"].tolist(),
            "n_stimuli": 1,
            "word_length": [len(target) for target in targets],
            "log_frequency": log_frequency(targets),
        }
    )
    means = {"n_stimuli": "sum", "word_length": "mean", "log_frequency": "mean"}
    if tokenizer is not None:
        features["n_tokens"] = count_target_tokens(texts, spans, tokenizer)
        means["n_tokens"] = "mean"
    return features.groupby(["category", "word"], sort=False, as_index=False).agg(means)


def _mismatch(words: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
    if words["category"].nunique() < 2:
        features = ()
    rows = {
        feature: _analysis_of_variance(
            [
                group[feature].dropna().to_numpy(dtype=np.float64)
                for _, group in words.groupby("category", sort=False)
            ]
        )
        for feature in features
    }
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["eta_squared", "expected_eta_squared", "p_value"]
    )


def _analysis_of_variance(groups: Sequence[NDArray[np.float64]]) -> tuple[float, float, float]:
    groups = [group for group in groups if group.size]
    values = np.concatenate(groups) if groups else np.empty(0)
    between_df, within_df = len(groups) - 1, len(values) - len(groups)
    if between_df < 1 or within_df < 1:
        return float("nan"), float("nan"), float("nan")
    expected = between_df / (len(values) - 1)
    total = float(((values - values.mean()) ** 2).sum())
    if np.ptp(values) == 0:
        return 0.0, expected, 1.0
    within = float(sum(((group - group.mean()) ** 2).sum() for group in groups))
    eta_squared = 1.0 - within / total
    if within == 0:
        return 1.0, expected, 0.0
    ratio = (total - within) / between_df / (within / within_df)
    return eta_squared, expected, float(stats.f.sf(ratio, between_df, within_df))


def _readable(mismatch: pd.DataFrame) -> pd.DataFrame:
    readable = mismatch.map("{:.3f}".format)
    readable["p_value"] = mismatch["p_value"].map("{:.3g}".format)
    return readable
