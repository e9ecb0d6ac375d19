"""What tests of causal instruments share: a few words, and all steps from scan to response."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cortiscope.scanning import Recording, scan
from cortiscope.stimulation import Experiment, Response, stimulate
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject

WORDS = {
    "animal": ["dog", "horse", "otter", "cow"],
    "number": ["six", "nine", "eleven", "forty"],
    "tool": ["axe", "saw", "hammer", "drill"],
}


def some_stimuli() -> StimulusSet:
    """Give twelve words in two frames."""
    frames = {"card": "The card said {word} too.", "list": "We wrote {word} on it."}
    return StimulusSet.from_words(WORDS, frames)


def recorded(subject: Subject, folder: Path) -> Recording:
    """Scan them."""
    return scan(subject, some_stimuli(), "resid_post", out=folder / f"{subject.slug}.zarr")


def responded(
    subject: Subject, plan: Callable[..., Experiment], folder: Path, **parameters: Any
) -> Response:
    """Scan, plan, and stimulate."""
    experiment = plan(recorded(subject, folder), some_stimuli(), **parameters)
    return stimulate(
        subject, experiment.stimuli, experiment.conditions, experiment.readouts, progress=False
    )
