"""What a scan was asked for, resolved against subject and stimuli."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cortiscope.errors import InputError
from cortiscope.ledger import package_versions
from cortiscope.scanning.arrays import check_table
from cortiscope.scanning.positions import Position, check_position
from cortiscope.scanning.presentation import Presentation, present
from cortiscope.scanning.sites import SiteLayout, lay_out_sites
from cortiscope.scanning.store import Manifest

if TYPE_CHECKING:
    import pandas as pd

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject
    from cortiscope.subjects.tokens import PaddingSide

DEFAULT_SITES = ("resid_pre[0]", "resid_post")
DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class Request:
    """A scan that can be run.

    Parameters
    ----------
    subject : Subject
        Who is scanned.
    stimuli : StimulusSet
        What is shown.
    presentation : Presentation
        How the subject reads it, and in which batches.
    sites : tuple of SiteLayout
        What is recorded.
    position : str
        At which tokens.
    batch_size : int
        Stimuli in a batch.
    dtype : str
        Of what is stored.
    padding_side : {"right", "left"}
        Where the padding goes.
    """

    subject: Subject
    stimuli: StimulusSet
    presentation: Presentation
    sites: tuple[SiteLayout, ...]
    position: Position
    batch_size: int
    dtype: str
    padding_side: PaddingSide

    @property
    def table(self) -> pd.DataFrame:
        """The stimuli as the recording keeps them."""
        return check_table(self.stimuli.table.assign(n_tokens=self.presentation.n_tokens))

    def n_bytes(self, layout: SiteLayout) -> int:
        """Bytes of one site before compression; padding, which compresses away, is not counted."""
        per_row = int(np.prod([size for name, size in layout.dims if name != "token"]))
        n_rows = self.presentation.n_stimuli
        if self.position == "every":
            n_rows = int(self.presentation.recorded.sizes.sum())
        return n_rows * len(layout.layers) * per_row * np.dtype(self.dtype).itemsize

    def manifest(self) -> Manifest:
        """Describe the store that the scan fills; hashes the subject's weights."""
        provenance: dict[str, Any] = {
            "made": "by scanning",
            "subject": self.subject.record(),
            "stimuli": {"name": self.stimuli.name, "fingerprint": self.stimuli.fingerprint},
            "sites": [str(layout) for layout in self.sites],
            "position": self.position,
            "padding_side": self.padding_side,
            "presentation": self.presentation.fingerprint,
            "versions": package_versions(),
        }
        return Manifest(
            sites=self.sites,
            n_stimuli=self.presentation.n_stimuli,
            batch_size=self.batch_size,
            dtype=self.dtype,
            provenance=provenance,
        )


def resolve(
    subject: Subject,
    stimuli: StimulusSet,
    sites: Sequence[str] | str,
    position: str,
    batch_size: int,
    dtype: str,
    padding_side: PaddingSide,
) -> Request:
    """Check what a scan is asked for; see `cortiscope.scan` for the parameters.

    Raises
    ------
    InputError
        When any of it cannot be done.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}: recordings are stored as {' or '.join(DTYPES)}.")
    if padding_side not in ("right", "left"):
        raise InputError(f"padding_side is {padding_side!r}: expected 'right' or 'left'.")
    checked = check_position(position)
    if "n_tokens" in check_table(stimuli.table):
        raise InputError(
            "The label 'n_tokens' has the name of what a scan counts: rename the column."
        )
    presentation = present(subject, stimuli, checked, batch_size)
    longest = int(presentation.recorded.sizes.max())
    layouts = lay_out_sites(sites, subject.anatomy, longest if checked == "every" else None)
    return Request(
        subject=subject,
        stimuli=stimuli,
        presentation=presentation,
        sites=layouts,
        position=checked,
        batch_size=batch_size,
        dtype=dtype,
        padding_side=padding_side,
    )
