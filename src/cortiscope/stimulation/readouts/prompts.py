"""One prompt a stimulus, from a template, with the place of the target in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

from cortiscope.errors import InputError
from cortiscope.stimuli.targets import find_target
from cortiscope.subjects.world import World

if TYPE_CHECKING:
    from cortiscope.stimuli import StimulusSet

Span = tuple[int, int]

# Besides those that the specimen's small world knows.
_BARE_CATEGORIES = frozenset({"drink", "fabric", "sport", "trait"})
_BARE_TIMES = frozenset({"dawn", "daybreak", "dusk", "midday", "noon", "twilight"})
_BARE_WEATHERS = frozenset({"fog", "hail", "haze", "humidity", "snowfall", "sunshine"})
_SILENT_H = ("heir", "hour", "hono")


@dataclass(frozen=True)
class Prompt:
    """A stimulus put into a template.

    Parameters
    ----------
    stimulus_id : str
        Which stimulus.
    text : str
        What is shown.
    target : (int, int)
        Characters of the target in it, end exclusive.
    """

    stimulus_id: str
    text: str
    target: Span


def fill_prompts(stimuli: StimulusSet, template: str) -> list[Prompt]:
    """Put every stimulus into a template.

    Parameters
    ----------
    stimuli : StimulusSet
        What is asked about.
    template : str
        A text with slots in braces: ``{text}``, the stimulus as it is; ``{target}``, its target
        as it stands there; ``{a}``, its word with the indefinite article, where it takes one; and
        any label, such as ``{word}``. What begins a prompt gets a capital, but for ``{text}``.
        The target of the prompt is that of the stimulus, or its word, in the first slot that
        holds it.

    Returns
    -------
    list of Prompt
        One a stimulus, in their order.

    Raises
    ------
    InputError
        For a template that is not one, a slot that is not there, a prompt without the target in a
        slot, and one that ends in a space.

    Examples
    --------
    >>> from cortiscope.stimuli import StimulusSet
    >>> stimuli = StimulusSet.from_words({"tool": ["axe"], "number": ["six"]}, {"map": "My {word}"})
    >>> [prompt.text for prompt in fill_prompts(stimuli, "{a} is a kind of")]
    ['An axe is a kind of', 'Six is a kind of']
    >>> fill_prompts(stimuli, "{text} broke.")[0].target
    (3, 6)
    """
    pieces = _parse(template)
    prompts = []
    for row in stimuli.table.to_dict("records"):
        text, target = _fill(pieces, {str(name): value for name, value in row.items()})
        if target is None:
            raise InputError(
                f"The prompt {template!r} does not hold the target of the stimulus "
                f"{row['stimulus_id']!r} in a slot (it became {text!r}); put {{text}}, {{target}}, "
                "{word} or {a} into it."
            )
        prompts.append(Prompt(str(row["stimulus_id"]), text, target))
    return prompts


def _parse(template: str) -> list[tuple[str, str | None]]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise InputError(f"The prompt {template!r} is no template: {error}.") from error
    if template[-1:].isspace():
        raise InputError(
            f"The prompt {template!r} ends in a space, which belongs to the word that follows: "
            "take it out."
        )
    return [(literal, slot) for literal, slot, _, _ in parsed]


def _fill(pieces: list[tuple[str, str | None]], row: Mapping[str, Any]) -> tuple[str, Span | None]:
    text, target = "", None
    for literal, slot in pieces:
        text += literal
        if slot is None:
            continue
        value, span = _slot(slot, row)
        if not text and slot != "text":
            value = _capitalised(value)
        if target is None and span is not None:
            target = (span[0] + len(text), span[1] + len(text))
        text += value
    return text, target


def _slot(slot: str, row: Mapping[str, Any]) -> tuple[str, Span | None]:
    """Give what stands in a slot, and where in it the target is."""
    start, end = int(row["target_start"]), int(row["target_end"])
    target = str(row["text"])[start:end]
    if slot == "text":
        return str(row["text"]), (start, end)
    if slot == "target":
        return target, (0, len(target))
    word = str(row.get("word", target))
    if slot == "a":
        value = _with_article(str(row.get("category", "")), word)
        return value, (len(value) - len(word), len(value))
    if slot not in row:
        labels = ", ".join(name for name in row if name not in ("target_start", "target_end"))
        raise InputError(
            f"The prompt has a slot {{{slot}}}, for which the stimuli have no label; take one of "
            f"a, target, {labels}."
        )
    value = str(row[slot])
    found = find_target(value, word) or find_target(value, target)
    return value, found[0] if len(found) == 1 else None


def _with_article(category: str, word: str) -> str:
    if category in _BARE_CATEGORIES or word in _BARE_TIMES | _BARE_WEATHERS:
        return word
    return f"an {word}" if word.startswith(_SILENT_H) else World.as_subject(category, word)


def _capitalised(value: str) -> str:
    # Not where the capital takes more letters (ß), which would move the target.
    first = value[:1].upper()
    return first + value[1:] if len(first) == 1 else value
