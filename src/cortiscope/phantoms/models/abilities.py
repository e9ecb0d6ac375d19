"""Models of two abilities: given by different attention heads, or by the same one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cortiscope.errors import InputError
from cortiscope.phantoms.design import PhantomDesign
from cortiscope.phantoms.models.assembly import Assembly, Shape
from cortiscope.phantoms.models.kinds import Planted
from cortiscope.phantoms.models.lexicon import Lexicon
from cortiscope.phantoms.models.stream import CATEGORY, Stream

ABILITIES = ("one", "two")
"""What the abilities are called."""

_N_ANSWERS = 4  # of each ability

_PROMPT = " is a kind of"


def asked_of_abilities(design: PhantomDesign) -> PhantomDesign:
    """Deal a design's words to the answers of two abilities, and ask for each word's answer.

    Parameters
    ----------
    design : PhantomDesign
        Whose words; what else it holds is not used.

    Returns
    -------
    PhantomDesign
        A prompt for each word, with labels as the stimuli `abilities` have them, of which
        ``category`` is the answer; words of one rank in neighbouring categories of an ability are
        partners.

    Raises
    ------
    InputError
        For fewer than four words an answer.

    Examples
    --------
    >>> asked = asked_of_abilities(PhantomDesign.balanced(n_categories=2, n_words=16, n_units=64))
    >>> asked.table.loc[0, ["ability", "answer", "foil_1"]].tolist()
    ['one', 'one-0', 'one-1']
    """
    n_words = len(design.words) // (len(ABILITIES) * _N_ANSWERS)
    if n_words < 4:
        raise InputError(
            f"A phantom of abilities was given {len(design.words)} words; give "
            f"{4 * len(ABILITIES) * _N_ANSWERS} or more."
        )
    words = iter(design.words)
    rows = []
    for ability in ABILITIES:
        dealt = [[next(words) for _ in range(n_words)] for _ in range(_N_ANSWERS)]
        for at, own in enumerate(dealt):
            foil = (at + 1) % _N_ANSWERS
            for word, partner in zip(own, dealt[foil], strict=True):
                rows.append(
                    {
                        "stimulus_id": f"about {word}",
                        "text": f"{word}{_PROMPT}",
                        "target_start": 0,
                        "target_end": len(word),
                        "ability": ability,
                        "category": f"{ability}-{at}",
                        "word": word,
                        "answer": f"{ability}-{at}",
                        "foil_1": f"{ability}-{foil}",
                        "partner": f"about {partner}",
                    }
                )
    return PhantomDesign(pd.DataFrame(rows), design.n_units)


def abilities_apart(lexicon: Lexicon, shape: Shape, rng: np.random.Generator) -> Planted:
    """Let one head give the answers of the first half of the categories, and another the rest.

    Parameters
    ----------
    lexicon : Lexicon
        Its tokens.
    shape : Shape
        Its size; words have their categories from the embedding on, and `written` is not used.
    rng : Generator
        Where chance comes from.

    Returns
    -------
    Planted
        Truth: ``is_read_by`` (ability, head), at the layer that reads.
    """
    return _answered(lexicon, shape, rng, n_heads=len(ABILITIES))


def abilities_together(lexicon: Lexicon, shape: Shape, rng: np.random.Generator) -> Planted:
    """Let one head give all answers; parameters and truth are as of `abilities_apart`."""
    return _answered(lexicon, shape, rng, n_heads=1)


def _answered(lexicon: Lexicon, shape: Shape, rng: np.random.Generator, n_heads: int) -> Planted:
    n_categories, width = len(lexicon.categories), shape.n_units // shape.n_heads
    if n_categories % len(ABILITIES) or n_categories > width or shape.n_heads < len(ABILITIES):
        raise InputError(
            f"A phantom of abilities has {n_categories} answers, {shape.n_heads} heads and {width} "
            "units a head; give an even number of answers, two heads, and a unit for each answer."
        )
    sizes = {"category_0": n_categories, "answer": n_categories}
    assembly = Assembly(lexicon, shape, Stream.draw(rng, shape.n_units, sizes), rng)
    heads = [int(head) for head in rng.permutation(shape.n_heads)[:n_heads]]
    assembly.embed_category()
    assembly.answer_by_heads(heads)
    is_read_by = np.zeros((len(ABILITIES), shape.n_heads), dtype=bool)
    is_read_by[np.arange(len(ABILITIES)), np.resize(heads, len(ABILITIES))] = True
    return Planted(
        assembly.circuit(shape.strength),
        tuple(assembly.copies),
        length=shape.strength * CATEGORY * assembly.stream.scale,
        truth={"is_read_by": (("ability", "head"), is_read_by)},
    )
