"""Steering for its own sake: what a subject says with a concept added to its stream."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cortiscope.codes import Direction, directions_of
from cortiscope.errors import InputError
from cortiscope.scanning import scan
from cortiscope.stimulation import Condition, Inject, Where, stimulate
from cortiscope.stimulation.readouts import Continuation
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject

_SITE = "resid_post"


@dataclass(frozen=True)
class Steered:
    """How a subject goes on from a prompt, clean and steered.

    Attributes
    ----------
    prompt, clean, steered : str
        The prompt, and what follows it.
    """

    prompt: str
    clean: str
    steered: str


def concept_directions(
    subject: Subject, stimuli: StimulusSet, *, layer: int | None = None, target: str = "category"
) -> dict[str, Direction]:
    """Find the direction of every concept in a subject's residual stream.

    Parameters
    ----------
    subject : Subject
        Who is scanned.
    stimuli : StimulusSet
        Words of every concept.
    layer : int, optional
        After which layer; the middle one when left out.
    target : str
        Label that holds the concepts.

    Returns
    -------
    dict of str to Direction
        Differences in means, by concept.
    """
    layer = subject.anatomy.n_layers // 2 if layer is None else layer
    with tempfile.TemporaryDirectory() as folder:
        recording = scan(
            subject, stimuli, sites=[f"{_SITE}[{layer}]"], out=Path(folder) / "scan.zarr"
        )
        return directions_of(recording, site=_SITE, layer=layer, target=target)


def steer(
    subject: Subject,
    direction: Direction,
    prompts: Sequence[str],
    *,
    dose: float = 1.0,
    n_tokens: int = 20,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[Steered]:
    """Let a subject go on from prompts, clean and with a direction added at every token.

    Parameters
    ----------
    subject : Subject
        Who speaks; a causal model.
    direction : Direction
        What is added, at its own site and layer.
    prompts : sequence of str
        What it goes on from.
    dose : float
        How much: 1 moves the stream as far as the concept's mean lies from the others'.
    n_tokens : int
        How far it goes on.
    temperature : float
        0 takes the likeliest token each time.
    top_p : float
        Draw among the fewest tokens whose probability is this much together.
    seed : int
        Seed of the draws; clean and steered meet the same chance.

    Returns
    -------
    list of Steered
        One a prompt.

    Raises
    ------
    InputError
        For no prompt, a masked model, a direction of another site or width.
    """
    if not prompts:
        msg = 'there is no prompt to go on from: give one, such as "The".'
        raise InputError(msg)
    table = pd.DataFrame(
        {"stimulus_id": [f"prompt-{i}" for i in range(len(prompts))], "text": list(prompts)}
    )
    where = Where(direction.site, direction.layer, "all")
    response = stimulate(
        subject,
        StimulusSet.from_table(table, name="prompts"),
        [Condition("clean"), Condition("steered", Inject(direction, dose, where))],
        [Continuation(n_tokens, temperature=temperature, top_p=top_p, seed=seed)],
    )
    said = response.data["continuation"]
    return [
        Steered(
            prompt,
            str(said.sel(condition="clean").values[i]),
            str(said.sel(condition="steered").values[i]),
        )
        for i, prompt in enumerate(prompts)
    ]
