"""Where a subject's files are: in the package, in a folder, or on the hub."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from safetensors import SafetensorError, safe_open

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint_file
from cortiscope.subjects import hub

SPECIMENS = Path(__file__).parent / "specimens"


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a subject's files are.

    Parameters
    ----------
    name : str
        "specimen:NAME", the id on the hub, or the folder's name.
    kind : {"specimen", "directory", "hub"}
        Where it came from.
    folder : Path
        The files on this machine.
    revision : str or None
        The commit of a repository on the hub.
    """

    name: str
    kind: str
    folder: Path
    revision: str | None = None

    def weight_files(self) -> list[Path]:
        """List the files that hold the weights, sorted; empty when there are none."""
        whole, index = self.folder / "model.safetensors", self.folder / hub.INDEX
        if whole.exists():  # which transformers prefers, too
            return [whole]
        if index.exists():
            names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            return sorted(self.folder / name for name in set(names))
        return sorted(self.folder.glob("pytorch_model*.bin"))

    def hash_weights(self) -> dict[str, str]:
        """Hash every weight file: sha256 by file name."""
        return {path.name: fingerprint_file(path) for path in self.weight_files()}

    def to_dict(self) -> dict[str, str | None]:
        """Say where it came from, without a path of this machine."""
        return {"kind": self.kind, "name": self.name, "revision": self.revision}


def find(spec: str, revision: str | None, *, trust_remote_code: bool) -> Source:
    """Find the files that a subject's name means; of a hub's repository all but the weights."""
    kind, _, name = spec.partition(":")
    if kind == "specimen" and name:
        return _local(Source(spec, "specimen", _specimen(name)), revision)
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return _local(Source(folder.resolve().name, "directory", folder.resolve()), revision)
    if folder.exists():
        raise InputError(f"{spec} is a file; give the folder in which the model was saved.")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", spec) or spec.startswith("."):
        raise InputError(
            f"There is no folder {spec}; give an existing folder, the id of a repository on the "
            "hub (such as Qwen/Qwen2.5-7B), or specimen:NAME."
        )
    folder, commit = hub.fetch_description(spec, revision, trust_remote_code=trust_remote_code)
    return Source(spec, "hub", folder, commit)


def _local(source: Source, revision: str | None) -> Source:
    if revision is not None:
        raise InputError(f"{source.name} is local and has no revisions; leave the revision out.")
    return source


def specimens() -> list[str]:
    """List the specimens that ship inside the package."""
    return sorted(path.parent.name for path in SPECIMENS.glob("*/config.json"))


def _specimen(name: str) -> Path:
    if name not in specimens():
        there = ", ".join(f"specimen:{known}" for known in specimens()) or "none"
        raise InputError(f"There is no specimen {name!r}; those in the package are: {there}.")
    return SPECIMENS / name


def check_weight_files(source: Source, *, allow_pickle: bool) -> None:
    """Raise `InputError` unless all weight files are there, whole, and of an allowed kind."""
    files = source.weight_files()
    pickled = [path for path in files if path.suffix == ".bin"]
    if not files or (pickled and not allow_pickle):
        more = " (it has pickled weights, which allow_pickle=True would load)" if pickled else ""
        raise InputError(
            f"{source.name} has no safetensors weights{more}; give the folder or repository of a "
            "model that has them."
        )
    for path in files:
        if not path.exists():
            raise InputError(
                f"{path.name} of {source.name}, which {hub.INDEX} names, is missing; fetch the "
                "model again."
            )
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, framework="pt"):
                    pass
            except SafetensorError as error:
                raise InputError(
                    f"{path.name} of {source.name} is damaged or cut short "
                    f"({error}); fetch it again."
                ) from error
