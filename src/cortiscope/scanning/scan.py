"""Forward passes with hooks, streamed to disk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from cortiscope.errors import InputError
from cortiscope.ledger.progress import track
from cortiscope.scanning.capture import Capture
from cortiscope.scanning.disk import check_room
from cortiscope.scanning.memory import run_in_parts
from cortiscope.scanning.recording import Recording
from cortiscope.scanning.request import DEFAULT_SITES, Request, resolve
from cortiscope.scanning.store import Manifest, Store
from cortiscope.scanning.writer import Writer

if TYPE_CHECKING:
    from cortiscope.stimuli import StimulusSet
    from cortiscope.subjects import Subject
    from cortiscope.subjects.tokens import PaddingSide


def scan(
    subject: Subject,
    stimuli: StimulusSet,
    sites: Sequence[str] | str = DEFAULT_SITES,
    position: str = "target_last",
    *,
    out: str | Path,
    batch_size: int = 32,
    dtype: str = "float32",
    padding_side: PaddingSide = "right",
    progress: bool = True,
) -> Recording:
    """Show stimuli to a subject and record its activations on disk.

    The same call continues a scan that was interrupted, whatever interrupted it, and the
    recording is the same to the bit as that of a scan that was not. A recording that is there
    already is opened. A batch that does not fit in memory is shown in halves.

    Parameters
    ----------
    subject : Subject
        Who is scanned.
    stimuli : StimulusSet
        What is shown.
    sites : sequence of str
        What is recorded: `cortiscope.subjects.SITES`, each at all layers, or at those named in
        brackets, as ``resid_post[2,4]``.
    position : str
        At which tokens: ``target_last`` (the last token of the target), ``target_mean`` (the mean
        over its tokens), ``last``, ``mean`` (both over the whole text) or ``every``. Special
        tokens never count.
    out : str or Path
        Folder of the recording, by custom named NAME.zarr.
    batch_size : int
        Stimuli that go through the model together, and lie in one file.
    dtype : {"float32", "float16"}
        In which the activations are stored. What float16 cannot hold is an error.
    padding_side : {"right", "left"}
        Where the padding goes.
    progress : bool
        Show a bar when it takes longer than two seconds and stderr is a terminal.

    Returns
    -------
    Recording
        Opened from `out`.

    Raises
    ------
    InputError
        When something asked for cannot be done, an activation is not a number, or `out` holds
        something else: it is never overwritten.
    MachineError
        When memory or disk do not suffice. What is recorded stays, and the scan can continue.

    Examples
    --------
    >>> import tempfile
    >>> from cortiscope.stimuli import StimulusSet
    >>> from cortiscope.subjects import Subject
    >>> stimuli = StimulusSet.from_words(
    ...     {"animal": ["dog", "horse"], "tool": ["axe", "saw"]}, {"card": "The card said {word}."}
    ... )
    >>> out = Path(tempfile.mkdtemp()) / "qwen2.zarr"
    >>> recording = scan(Subject.load("specimen:qwen2"), stimuli, ["resid_post"], out=out)
    >>> recording["resid_post"].dims, recording.n_stimuli
    (('stimulus', 'layer', 'unit'), 4)
    """
    request = resolve(subject, stimuli, sites, position, batch_size, dtype, padding_side)
    path = Path(out)
    with closing(_open_or_create(path, request)) as store:
        if not store.is_complete:
            _fill(store, request, progress=progress)
    return Recording.open(path)


def _open_or_create(path: Path, request: Request) -> Store:
    manifest = request.manifest()
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        check_room(path, sum(request.n_bytes(layout) for layout in request.sites))
        return Store.create(path, manifest, request.table, request.presentation.order)
    store = Store.open(path)
    _refuse_other(store, manifest)
    return store


def _refuse_other(store: Store, manifest: Manifest) -> None:
    there, asked = _identity(store.manifest), _identity(manifest)
    if not store.is_complete:  # a whole recording stays what it is on a new machine
        there, asked = there | _circumstances(store.manifest), asked | _circumstances(manifest)
    for what, value in asked.items():
        if there.get(what) != value:
            raise InputError(
                f"{store.path} was recorded with another {what} ({there.get(what)}, where {value} "
                "is asked for): give another folder, or delete this one."
            )


def _identity(manifest: Manifest) -> dict[str, str]:
    made = manifest.provenance
    subject, stimuli = made.get("subject", {}), made.get("stimuli", {})
    return {
        "subject": f"{subject.get('name')} {str(subject.get('fingerprint'))[:12]}",
        "stimulus set": f"{stimuli.get('name')} {str(stimuli.get('fingerprint'))[:12]}",
        "list of sites": ", ".join(made.get("sites", [])),
        "position": str(made.get("position")),
        "dtype": manifest.dtype,
        "batch_size": str(manifest.batch_size),
        "padding_side": str(made.get("padding_side")),
        "division into tokens and batches": str(made.get("presentation"))[:12],
    }


def _circumstances(manifest: Manifest) -> dict[str, str]:
    made = manifest.provenance
    versions = made.get("versions", {})
    return {
        "version of torch": str(versions.get("torch")),
        "version of transformers": str(versions.get("transformers")),
        "device": str(made.get("subject", {}).get("device")),
    }


def _fill(store: Store, request: Request, *, progress: bool) -> None:
    missing = store.resume(progress=progress)
    batches = request.presentation.batches
    size = sum(request.n_bytes(layout) for layout in request.sites)
    check_room(store.path, size * len(missing) // len(batches))
    micro_batch = store.journal.micro_batch or request.batch_size
    with (
        Writer(store.write) as writer,
        Capture(request.subject, request.sites, request.position, request.dtype) as capture,
    ):
        for number in track(
            missing,
            f"scanning {request.subject.name}",
            total=len(batches),
            completed=len(batches) - len(missing),
            enabled=progress,
        ):
            values, micro_batch = run_in_parts(
                capture,
                request.presentation.members(batches[number]),
                batches[number].length,
                request.padding_side,
                micro_batch,
            )
            writer.put(number, values, micro_batch)
    store.finish()
