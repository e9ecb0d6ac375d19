"""Run a subject under one or thousands of conditions, and read what it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from cortiscope.errors import MachineError
from cortiscope.ledger import package_versions
from cortiscope.ledger.progress import track
from cortiscope.scanning.arrays import label_columns
from cortiscope.stimulation.conditions import Condition
from cortiscope.stimulation.proofs import ConditionProof
from cortiscope.stimulation.readout import Readout
from cortiscope.stimulation.response import Response, with_labels
from cortiscope.stimulation.runner import Runner
from cortiscope.stimulation.self_check import SelfCheck, check_itself
from cortiscope.stimulation.sweep import Sweep
from cortiscope.stimulation.sweep_journal import SweepJournal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject


def stimulate(
    subject: Subject,
    stimuli: StimulusSet,
    conditions: Sequence[Condition],
    readouts: Sequence[Readout],
    *,
    batch_size: int = 32,
    fast: bool = True,
    out: str | Path | None = None,
    progress: bool = True,
) -> Response:
    """Show stimuli to a subject under every condition, and read what it does.

    Every intervention proves itself on every batch: it changed the activations that it names by
    what it claims, and no other token at its site; what is upstream of it is the clean pass's.
    Full passes show the latter bit for bit at the stream before every layer and at the earlier
    sites of the first layer that is changed; the fast path takes the stream itself from the clean
    pass, and shows the rest on some texts before the sweep begins, for one condition a layer.

    Parameters
    ----------
    subject : Subject
        Who is stimulated.
    stimuli : StimulusSet
        What is shown.
    conditions : sequence of Condition
        What is done, each under a name of its own.
    readouts : sequence of Readout
        What is read, each under a name of its own.
    batch_size : int
        Texts of a batch.
    fast : bool
        Start every condition from the clean stream before the first layer that it changes, and let
        conditions ride together. Where that cannot be shown to give the same (layers that share
        keys and values), and with False, every condition goes through all blocks by itself.
    out : str or Path, optional
        Folder of the response. The same call goes on with a sweep that was interrupted, and opens
        one that is whole.
    progress : bool
        Show a bar when it takes longer than two seconds and stderr is a terminal.

    Returns
    -------
    Response
        With the conditions in the order given.

    Raises
    ------
    InputError
        When something cannot be done; when an intervention has no effect on its own site over all
        that is shown, or another effect than it claims.
    MachineError
        When memory or disk do not suffice; what is done stays in `out`.
    """
    sweep = Sweep.resolve(subject, stimuli, conditions, readouts, batch_size)
    journal = SweepJournal(None if out is None else Path(out))
    identity = sweep.identity(fast=fast)
    with journal.opened(identity):
        if journal.response is not None:
            return journal.response
        checked = check_itself(sweep, fast=fast)
        _fill(sweep, journal, Runner(sweep, fast=checked.fast, cut=checked.cut), progress=progress)
        response = _gather(sweep, journal, _provenance(sweep, identity, checked))
        journal.finish(response)
    return response


def _fill(sweep: Sweep, journal: SweepJournal, runner: Runner, *, progress: bool) -> None:
    missing = [unit for unit in sweep.units() if journal.get(unit) is None]
    for unit in track(
        missing,
        f"stimulating {sweep.subject.name}, {len(sweep.conditions):,} conditions",
        total=sweep.n_units,
        completed=sweep.n_units - len(missing),
        enabled=progress,
    ):
        journal.put(unit, runner.run(unit))


def _gather(sweep: Sweep, journal: SweepJournal, provenance: dict[str, Any]) -> Response:
    values: dict[str, NDArray[Any]] = {}
    proofs: dict[str, ConditionProof] = {}
    for unit in sweep.units():
        part = journal.get(unit)
        if part is None:
            raise MachineError(
                f"{journal.folder} lost a part of its sweep; run the same call again."
            )
        group, chunk = sweep.groups[unit.group], sweep.chunks[unit.chunk]
        members = list(group.batches[unit.batch])
        for name, found in part.values.items():
            if name not in values:
                shape = (len(sweep.conditions), len(group.rows[0]), *found.shape[2:])
                values[name] = np.zeros(shape, dtype=found.dtype)
            if found.dtype.itemsize > values[name].dtype.itemsize:  # longer texts
                values[name] = values[name].astype(found.dtype)
            values[name][np.ix_(chunk.conditions, members)] = found
        for proof in part.proofs:
            known = proofs.get(proof.condition)
            proofs[proof.condition] = proof if known is None else known + proof
    ordered = [proofs[condition.name] for condition in sweep.conditions]
    for condition, proof in zip(sweep.conditions, ordered, strict=True):
        proof.check_effect(condition)
    return Response(_lay_out(sweep, values), ordered, provenance)


def _lay_out(sweep: Sweep, values: dict[str, NDArray[Any]]) -> xr.Dataset:
    table = sweep.stimuli.table
    labels = table.set_index("stimulus_id")[label_columns(table)]
    datasets = []
    for at, readout in enumerate(sweep.readouts):
        own = {
            name.partition("/")[2]: found
            for name, found in values.items()
            if name.partition("/")[0] == str(at)
        }
        datasets.append(readout.lay_out(own, sweep.stimuli))
    names = [condition.name for condition in sweep.conditions]
    merged = xr.merge(datasets, join="exact", compat="no_conflicts")
    return with_labels(
        merged.assign_coords(condition=names),
        stimulus=labels,
        condition=pd.DataFrame([dict(condition.labels) for condition in sweep.conditions]),
    )


def _provenance(sweep: Sweep, identity: dict[str, Any], checked: SelfCheck) -> dict[str, Any]:
    return {
        "made": "by stimulating",
        "subject": sweep.subject.record(),
        "stimuli": {"name": sweep.stimuli.name, "fingerprint": sweep.stimuli.fingerprint},
        "conditions": [
            {
                "name": condition.name,
                "fingerprint": condition.fingerprint,
                "interventions": [str(item) for item in condition.interventions],
            }
            for condition in sweep.conditions
        ],
        "readouts": [
            {"name": readout.name, "fingerprint": readout.fingerprint} for readout in sweep.readouts
        ],
        "batch_size": sweep.batch_size,
        "identity": identity,
        "self-check": checked.to_json(),
        "versions": package_versions(),
    }
