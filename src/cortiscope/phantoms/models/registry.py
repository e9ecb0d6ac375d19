"""The list of model phantoms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cortiscope.errors import InputError
from cortiscope.phantoms.models.kinds import (
    present_not_read,
    read_from_direction,
    read_from_units,
    stored_twice,
)
from cortiscope.phantoms.models.model_phantom import ModelPhantom

if TYPE_CHECKING:
    from cortiscope.phantoms.design import PhantomDesign
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject

MODEL_PHANTOMS: dict[str, ModelPhantom] = {
    phantom.name: phantom
    for phantom in (
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
    )
}


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
