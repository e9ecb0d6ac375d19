"""Controls: one challenge a file, each with its own rule.

A control is a function of a `Bench` that returns `Evidence`. Controls take away what a claim's own
test has given; they are run when that test speaks for the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cortiscope.claims.bench import Bench
from cortiscope.claims.controls.half_replication import half_replication
from cortiscope.claims.controls.held_out_frame import held_out_frame
from cortiscope.claims.controls.matched_random import matched_random
from cortiscope.claims.controls.memory import memory
from cortiscope.claims.controls.multiverse import multiverse
from cortiscope.claims.controls.outlier_units import outlier_units
from cortiscope.claims.controls.permuted_words import permuted_words
from cortiscope.claims.controls.surface import surface
from cortiscope.claims.controls.twins import twins
from cortiscope.claims.evidence import Evidence
from cortiscope.plugins import with_plugins

Control = Callable[[Bench], Evidence]

ENTRY_POINT_GROUP = "cortiscope.controls"

_BUILT_IN: tuple[Control, ...] = (
    twins,
    permuted_words,
    held_out_frame,
    surface,
    memory,
    half_replication,
    outlier_units,
    multiverse,
    matched_random,
)


# Those whose rule speaks of an effect: they cannot challenge a claim that there is none.
OF_EFFECTS = frozenset(
    {
        "twins",
        "permuted_words",
        "held_out_frame",
        "surface",
        "memory",
        "multiverse",
        "matched_random",
    }
)

# Those that change what is read of a recording, where what a subject does does not change with it.
OF_RECORDINGS = frozenset({"held_out_frame", "surface", "memory", "outlier_units"})

# Those that are about lesions and injections.
OF_RESPONSES = frozenset({"matched_random"})


def _name(control: Control) -> str:
    return str(getattr(control, "__name__", control))


def known_controls() -> Mapping[str, Control]:
    """All controls by name, those of other packages included.

    ``calibration`` is not among them: it speaks of the instrument, not of the claim, and the gate
    asks it itself.

    Examples
    --------
    >>> "surface" in known_controls()
    True
    """
    return with_plugins(_BUILT_IN, ENTRY_POINT_GROUP, Callable, lambda control: [_name(control)])


__all__ = ["OF_EFFECTS", "OF_RECORDINGS", "OF_RESPONSES", "Control", "known_controls"]
