"""Words crossed with frames: every word in every sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cortiscope.errors import InputError

SLOT = "{word}"


def crossed(categories: Mapping[str, Sequence[str]], frames: Mapping[str, str]) -> pd.DataFrame:
    """Put every word of every category into every frame.

    Parameters
    ----------
    categories : mapping of str to sequence of str
        The words of each category.
    frames : mapping of str to str
        Sentences by name, each with one ``{word}`` in it.

    Returns
    -------
    DataFrame
        One row a sentence, with exact spans; see `StimulusSet.from_words`.

    Raises
    ------
    InputError
        For no categories, words or frames, a frame without exactly one slot, a word that is
        empty, is given twice or belongs to two categories.
    """
    _check_categories(categories)
    _check_frames(frames)
    rows = []
    for category, words in categories.items():
        for word in (word.strip() for word in words):
            for frame, sentence in frames.items():
                start = sentence.index(SLOT)
                rows.append(
                    {
                        "stimulus_id": "-".join(map(_joined, (category, word, frame))),
                        "text": sentence.replace(SLOT, word),
                        "target_start": start,
                        "target_end": start + len(word),
                        "category": category,
                        "word": word,
                        "frame": frame,
                    }
                )
    return pd.DataFrame(rows)


def _joined(name: str) -> str:
    return "_".join(name.split())


def _check_categories(categories: Mapping[str, Sequence[str]]) -> None:
    if not categories:
        raise InputError("There are no categories; give at least one, with its words.")
    home: dict[str, str] = {}
    for category, words in categories.items():
        if isinstance(words, str):
            raise InputError(
                f"Category {category!r} is given the text {words!r}, expected a list of words; "
                "put it in brackets."
            )
        if not words:
            raise InputError(f"Category {category!r} has no words; give some or leave it out.")
        for word in words:
            if not isinstance(word, str) or not word.strip():
                raise InputError(
                    f"Category {category!r} has {word!r} among its words, expected text that is "
                    "not empty; correct it."
                )
            key = word.strip().casefold()
            if key in home and home[key] != category:
                raise InputError(
                    f"The word {word!r} is in two categories, {home[key]!r} and {category!r}; "
                    "keep it in one."
                )
            if key in home:
                raise InputError(f"Category {category!r} has the word {word!r} twice; keep one.")
            home[key] = category


def _check_frames(frames: Mapping[str, str]) -> None:
    if not frames:
        raise InputError(f"There are no frames; give at least one sentence with {SLOT} in it.")
    if isinstance(frames, str) or not isinstance(frames, Mapping):
        raise InputError(
            "Frames are given without names, expected a mapping of a name to each sentence, such "
            f'as {{"card": "The word on the card was {SLOT}."}}.'
        )
    for frame, sentence in frames.items():
        count = sentence.count(SLOT)
        if count != 1:
            raise InputError(
                f"Frame {frame!r} has {count} slots {SLOT} in {sentence!r}, expected exactly one; "
                "mark the one place where the word goes."
            )
