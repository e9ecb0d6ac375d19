"""A study of subjects whose recordings are there: earlier runs, and saved RDMs, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cortiscope.claims import Claim
from cortiscope.errors import InputError
from cortiscope.studies.archived_subject import ArchivedSubject
from cortiscope.studies.protocol import Protocol
from cortiscope.studies.saved_rdm import is_saved_rdm


def comparing_protocol(
    subjects: Sequence[str],
    study: str = "similarity",
    *,
    n_twins: int | None = None,
    **changes: Any,
) -> Protocol:
    """Make the protocol that compares the subjects of earlier runs.

    Parameters
    ----------
    subjects : sequence of str
        Folders of runs, of each of which all subjects are taken, or one that is written
        ``RUN#NAME``; and files of saved RDMs.
    study : str
        Which steps and claims: a shipped study, or a TOML file.
    n_twins : int, optional
        Untrained twins beside each subject; as many as every run holds when left out.
    **changes
        Further keys of the protocol.

    Returns
    -------
    Protocol
        Whose stimuli are those of the first run.

    Raises
    ------
    InputError
        For what is neither a run nor a file, and for fewer than two subjects.
    """
    specs: list[str] = []
    for given in subjects:
        if ArchivedSubject.matches(given):
            specs += [given] if "#" in given else ArchivedSubject.all_of(given)
        elif is_saved_rdm(given):
            specs.append(given)
        else:
            msg = f"{given} is neither the folder of a run nor a file of RDMs: run its study first."
            raise InputError(msg)
    archived = [ArchivedSubject.parse(spec) for spec in specs if ArchivedSubject.matches(spec)]
    if not archived or len(specs) < 2:
        msg = "a comparison needs two subjects, one of them of a run: name more runs."
        raise InputError(msg)
    if n_twins is None:
        n_twins = min(subject.n_twins for subject in archived)
    if n_twins == 0:
        changes["claims"] = [_without_twins(claim) for claim in Protocol.load(study).claims]
    return Protocol.load(
        study,
        subjects=tuple(specs),
        stimuli=str(archived[0].run / "stimuli.parquet"),
        sites=archived[0].sites,
        n_twins=n_twins,
        **changes,
    )


def _without_twins(claim: Claim) -> dict[str, Any]:
    """Waive the control that no run has anything for."""
    values = claim.model_dump(exclude_none=True)
    if "twins" in claim.controls:
        values["controls"] = [control for control in claim.controls if control != "twins"]
        values["waived"] = {**claim.waived, "twins": "the runs hold no untrained twins"}
    return values
