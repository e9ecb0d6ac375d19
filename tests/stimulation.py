"""What tests of stimulation share: stimuli, directions, and a readout of streams and logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from cortiscope import StimulusSet, Subject
from cortiscope.codes import Direction
from cortiscope.stimulation import Needs, Outputs, Readout, Row, stimulus_rows

STIMULI = StimulusSet.from_words(
    {"animal": ["dog", "little horse"], "tool": ["axe", "saw"]},
    {"card": "The card said {word} to us.", "again": "She saw the {word} again"},
)


def direction(n_units: int, seed: int = 0, *, length: float = 3.0) -> Direction:
    """Draw a direction."""
    vector = np.random.default_rng(seed).normal(size=n_units)
    vector *= length / np.linalg.norm(vector)
    return Direction.from_vector(vector, site="resid_post", layer=0, name=f"direction {seed}")


class Everything(Readout):
    """The stream after every block, and the logits, at the target's last and the last token."""

    name = "all"
    fingerprint = "the stream after every block, and the logits"

    def __init__(self, subject: Subject, *, logits: bool = True) -> None:
        self._needs = Needs(
            captures=tuple(("resid_post", layer) for layer in range(subject.anatomy.n_layers)),
            logits=logits,
            clean=logits,
        )
        self.n_reads = 0
        self.fail_after: int | None = None

    @property
    def needs(self) -> Needs:
        return self._needs

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        return stimulus_rows(subject, stimuli, lambda tokens, target: (target[-1], len(tokens) - 1))

    def read(self, outputs: Outputs) -> dict[str, Any]:
        if self.n_reads == self.fail_after:
            raise KeyboardInterrupt
        self.n_reads += 1
        streams = [values.float().cpu().numpy() for values in outputs.captures.values()]
        found = {"stream": np.stack(streams, axis=2)}  # (row, read, layer, unit)
        if outputs.logits is not None:
            assert outputs.clean is not None
            assert outputs.clean.logits is not None
            found["logits"] = outputs.logits.cpu().numpy()
            found["clean"] = outputs.clean.logits.cpu().numpy()
        return found

    def lay_out(self, values: Mapping[str, Any], stimuli: StimulusSet) -> xr.Dataset:
        axes = {
            "stream": ("read", "layer", "unit"),
            "logits": ("read", "token"),
            "clean": ("read", "token"),
        }
        return xr.Dataset(
            {
                f"all_{name}": (("condition", "stimulus", *axes[name]), found)
                for name, found in values.items()
            },
            {"stimulus": stimuli.table["stimulus_id"].tolist()},
        )


def off_by(found: Any, wanted: Any) -> float:
    """Give the largest difference as a share of the RMS."""
    found, wanted = np.asarray(found, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    return float(np.abs(found - wanted).max() / np.sqrt(np.square(wanted).mean()))
