"""A held-out frame: words that the probe never saw, in a frame that it never saw."""

from __future__ import annotations

from cortiscope.claims.bench import Bench
from cortiscope.claims.controls._again import persists
from cortiscope.claims.evidence import Evidence


def held_out_frame(bench: Bench) -> Evidence:
    """Measure again with held-out words crossed with a held-out frame.

    Returns
    -------
    Evidence
        Survived when the effect holds there, in the frame where it is smallest. A held-out frame
        alone, with words shared, would leak the words' identity.
    """
    if "cross" not in bench.instrument.defaults:
        name = bench.instrument.name
        return Evidence("held_out_frame", None, f"could not run: {name} holds no frame out")
    labels = bench.recording.labels
    if "frame" not in labels.columns or labels["frame"].nunique() < 2:
        return Evidence(
            "held_out_frame", None, "could not run: the stimuli have no second frame to hold out"
        )
    return persists(
        bench, "held_out_frame", {"words and frame held out": bench.again(cross="frame")}
    )
