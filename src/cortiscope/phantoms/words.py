"""Made-up words: text for designs that have no words of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CONSONANTS = "bdfgklmnprstvz"
VOWELS = "aeiou"

# Consonants that a category likes, and by how many syllables its words can be longer.
_N_LIKED = 2
_N_LENGTHS = 3


def made_up_words(
    category_of_word: Sequence[int] | NDArray[np.intp],
    rng: np.random.Generator,
    *,
    contrast: float = 0.0,
) -> list[str]:
    """Make up a word for each entry, all different.

    Parameters
    ----------
    category_of_word : sequence of int
        Category of each word.
    rng : Generator
        Where chance comes from.
    contrast : float
        0: length and letters have nothing to do with the category. Up to 1: the probability that
        a consonant is one of those that the category likes, and that a word is as much longer as
        the category's words can be.

    Returns
    -------
    list of str
        Syllables of a consonant and a vowel, two or three and those that the category adds.

    Examples
    --------
    >>> made_up_words([0, 0, 1, 1], np.random.default_rng(0), contrast=1.0)
    ['babodu', 'bubudo', 'gafifa', 'gegugoge']
    """
    taken: set[str] = set()
    words = []
    for category in map(int, category_of_word):
        liked = [CONSONANTS[(_N_LIKED * category + i) % len(CONSONANTS)] for i in range(_N_LIKED)]
        longer = (category % _N_LENGTHS) if rng.random() < contrast else 0
        n_syllables = 2 + int(rng.integers(2)) + longer
        word = "".join(_syllable(rng, liked, contrast) for _ in range(n_syllables))
        while word in taken:
            word += _syllable(rng, liked, contrast)
        taken.add(word)
        words.append(word)
    return words


def _syllable(rng: np.random.Generator, liked: Sequence[str], contrast: float) -> str:
    choices = liked if rng.random() < contrast else CONSONANTS
    return choices[int(rng.integers(len(choices)))] + VOWELS[int(rng.integers(len(VOWELS)))]


def letters_of(words: Sequence[str]) -> pd.DataFrame:
    """Count what made-up words show on their surface.

    Parameters
    ----------
    words : sequence of str
        Words of the letters that `made_up_words` uses.

    Returns
    -------
    DataFrame, a row a word
        ``length`` and the count of each letter.

    Examples
    --------
    >>> letters_of(["baba", "dodidu"])[["length", "a", "d"]]
            length  a  d
    baba         4  2  0
    dodidu       6  0  3
    """
    counts = {letter: [word.count(letter) for word in words] for letter in CONSONANTS + VOWELS}
    return pd.DataFrame({"length": [len(word) for word in words], **counts}, index=list(words))


def replace_words(table: pd.DataFrame, column: str, words: Sequence[str]) -> pd.DataFrame:
    """Put another word into each row: in its label, and where its text marks the target.

    Parameters
    ----------
    table : DataFrame
        A row a stimulus.
    column : str
        The label that holds words.
    words : sequence of str
        The new word of each row.

    Returns
    -------
    DataFrame
        A copy; text and span are replaced where the table has them.

    Examples
    --------
    >>> row = {"word": ["dog"], "text": ["A dog ran."], "target_start": [2], "target_end": [5]}
    >>> replace_words(pd.DataFrame(row), "word", ["zabe"])
       word         text  target_start  target_end
    0  zabe  A zabe ran.             2           6
    """
    table = table.assign(**{column: list(words)})
    if {"text", "target_start", "target_end"} <= set(table.columns):
        spans = zip(table["text"], table["target_start"], table["target_end"], words, strict=True)
        table["text"] = [text[:start] + word + text[end:] for text, start, end, word in spans]
        table["target_end"] = table["target_start"] + table[column].str.len()
    return table
