"""How common a word is, from the word counts that ship with the package."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import MachineError

_TABLE = "frequencies.tsv.gz"
_WORD = re.compile(r"[^\W\d_]+")  # a run of letters, as the shipped counts were made


def log_frequency(words: Sequence[str]) -> NDArray[np.float64]:
    """Log frequency of words per million, smoothed so that unseen words have one too.

    One is added to every count (Laplace), over N words counted and V different ones:
    log10((count + 1) / (N + V) * 1e6). A phrase gets the mean of its words. The counts are of
    simple English (CommonGen, FairytaleQA and Aesop; see NOTICE): a measure of what is common
    there, rough for rare words.

    Parameters
    ----------
    words : sequence of str
        Words or phrases; case does not matter.

    Returns
    -------
    ndarray of float64, shape (n_words,)
        Log10 of the smoothed frequency per million; NaN where there is no letter, as in "7".

    References
    ----------
    Brysbaert & Diependaele (2013), Dealing with zero word frequencies: A review of the existing
    rules of thumb and a suggestion for an evidence-based choice. Behavior Research Methods 45,
    422-430.

    Examples
    --------
    >>> the, dog, aardvark = log_frequency(["the", "dog", "aardvark"])
    >>> bool(the > dog > aardvark)
    True
    """
    counts, total = _counts()
    scale = 1e6 / (total + len(counts))
    means = []
    for word in words:
        smoothed = [(counts.get(part, 0) + 1) * scale for part in _WORD.findall(word.lower())]
        means.append(float(np.log10(smoothed).mean()) if smoothed else float("nan"))
    return np.asarray(means, dtype=np.float64)


@cache
def _counts() -> tuple[dict[str, int], int]:
    """Read the counts by word and the number of words counted (the rarest are not listed)."""
    content = (files("cortiscope.stimuli") / "data" / _TABLE).read_bytes()
    header, *lines = gzip.decompress(content).decode("utf-8").splitlines()
    total = re.search(r"\d+", header)
    if not header.startswith("#") or total is None:
        raise MachineError(
            f"The shipped table {_TABLE} does not start with the number of words counted; install "
            "the package again."
        )
    counts = dict(line.split("\t") for line in lines)
    return {word: int(count) for word, count in counts.items()}, int(total[0])
