"""A saved RDM in a subject's place: a brain's or a person's, which models are compared with."""

from __future__ import annotations

import re
from pathlib import Path

from cortiscope.codes import RDM
from cortiscope.errors import InputError

_SUFFIXES = (".csv", ".tsv", ".mat", ".h5", ".hdf5")


def is_saved_rdm(spec: str) -> bool:
    """Whether a subject's name is that of a file of RDMs: ``FILE``, or ``FILE#NAME`` for one.

    Examples
    --------
    >>> is_saved_rdm("specimen:qwen2")
    False
    """
    path = Path(spec.partition("#")[0])
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def read_saved_rdm(spec: str) -> RDM:
    """Read the RDM that a protocol names.

    Returns
    -------
    RDM
        Called as the file, or as it is called in a file of several, fit for a file's name.

    Raises
    ------
    InputError
        As `RDM.read`.
    """
    file, _, name = spec.partition("#")
    rdm = RDM.read(file, name=name or None)
    called = re.sub(r"[^A-Za-z0-9._-]+", "-", name or Path(file).stem).strip("-.")
    if not called:
        msg = f"the RDM {spec} has no name that a file could have: rename the file."
        raise InputError(msg)
    return RDM(called, rdm.conditions, rdm.dissimilarities, rdm.measure)
