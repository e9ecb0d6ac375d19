"""The list of model phantoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cortiscope.errors import InputError
from cortiscope.phantoms.models.abilities import (
    abilities_apart,
    abilities_together,
    asked_of_abilities,
)
from cortiscope.phantoms.models.kinds import (
    present_not_read,
    read_from_direction,
    read_from_units,
    steered_by_length,
    stored_twice,
)
from cortiscope.phantoms.models.model_phantom import ModelPhantom
from cortiscope.plugins import with_plugins

if TYPE_CHECKING:
    from cortiscope.phantoms.design import PhantomDesign
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject

ENTRY_POINT_GROUP = "cortiscope.model_phantoms"

_BUILT_IN = (
    ModelPhantom(
        "read_from_direction",
        "each category along one direction over all units, from which it is read",
        read_from_direction,
    ),
    ModelPhantom(
        "read_from_units",
        "each category in a few units of its own, from which it is read",
        read_from_units,
    ),
    ModelPhantom(
        "present_not_read",
        "each category along one direction that nothing reads: words give the answer",
        present_not_read,
    ),
    ModelPhantom(
        "stored_twice",
        "each category along two directions, either of which suffices",
        stored_twice,
    ),
    ModelPhantom(
        "steered_by_length",
        "each category along a direction; the longer, and harder to erase, the less it is read",
        steered_by_length,
    ),
    ModelPhantom(
        "abilities_apart",
        "two abilities, each a kind of answer that one attention head of its own gives",
        abilities_apart,
        shape={"n_heads": 16},
        shown=asked_of_abilities,
    ),
    ModelPhantom(
        "abilities_together",
        "two abilities, whose answers the same attention head gives",
        abilities_together,
        shape={"n_heads": 16},
        shown=asked_of_abilities,
    ),
)


def registered() -> dict[str, ModelPhantom]:
    """List every model phantom that is there, by name.

    Packages register more through the entry-point group ``cortiscope.model_phantoms``: each entry
    point names a `ModelPhantom` or a sequence of them.

    Returns
    -------
    dict of str to ModelPhantom
        Built in ones first.

    Raises
    ------
    InputError
        When an entry point cannot be loaded, does not give a `ModelPhantom`, or takes a name again.
    """
    return with_plugins(_BUILT_IN, ENTRY_POINT_GROUP, ModelPhantom, lambda phantom: [phantom.name])


MODEL_PHANTOMS: dict[str, ModelPhantom] = registered()


def model_phantom(
    name: str, stimuli: StimulusSet | PhantomDesign, seed: int = 0, **options: Any
) -> Subject:
    """Make a subject that holds a category in a known place, with known effect.

    Parameters
    ----------
    name : str
        One of `MODEL_PHANTOMS`.
    stimuli : StimulusSet or PhantomDesign
        Whose words it knows.
    seed : int
        0 or more; the same seed gives the same weights.
    **options
        Some of the phantom's options.

    Returns
    -------
    Subject
        A tiny Llama or GPT-2; what is true of it, `ModelPhantom.truth` says.

    Raises
    ------
    InputError
        For a name that is not there, and as `ModelPhantom.make`.

    Examples
    --------
    >>> from cortiscope.phantoms import PhantomDesign
    >>> design = PhantomDesign.balanced(n_categories=2, n_words=3, n_units=64)
    >>> subject = model_phantom("stored_twice", design, n_units=64)
    >>> batch = subject.collate(subject.tokenize([f"{design.words[0]} is a kind of"]))
    >>> subject.tokenizer.decode(subject.forward(batch, logits=True)[0, -1].argmax())
    'category-0'
    """
    if name not in MODEL_PHANTOMS:
        raise InputError(
            f"There is no model phantom {name!r}; choose among {', '.join(MODEL_PHANTOMS)}."
        )
    return MODEL_PHANTOMS[name].make(stimuli, seed, **options)
