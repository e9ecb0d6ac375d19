"""The crate: the run's files and how they were made, as RO-Crate, for archives."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortiscope.ledger import LedgerEntry, Run, fingerprint, visible_files, write_atomically
from cortiscope.stimuli import catalog
from cortiscope.studies.protocol import Protocol

if TYPE_CHECKING:
    from rocrate.model.entity import Entity

_FILE = "ro-crate-metadata.json"
_KIND = "crate"
_VERSION = "1.1"  # the latest on which a published version of the profile builds
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_SOURCE = "https://github.com/cortiscope/cortiscope"
_FORMATS = {".parquet": "application/vnd.apache.parquet", ".toml": "application/toml"}
_SPDX = "https://spdx.org/licenses/"

_MADE = {
    "recording": "Scan",
    "result": "Analysis",
    "control": "Analysis for a control",
    "calibration": "Calibration",
    "verdicts": "Judgement of the claims",
    "brain": "Table beside the brain",
    "report": "Report",
}


def write_crate(run: Run) -> Path:
    """Write ``ro-crate-metadata.json``: files with their hashes, and the actions that made them.

    It follows from the ledger alone, dates included, so that the same ledger gives the same
    crate. Its own line in the ledger comes after all that it lists.

    Parameters
    ----------
    run : Run
        Of a study that was run to its end.

    Returns
    -------
    Path
        The file.

    References
    ----------
    RO-Crate 1.1, https://w3id.org/ro/crate/1.1; Leo et al. (2024), Recording provenance of
    workflow runs with RO-Crate, PLoS ONE 19(9): e0309210 (Process Run Crate 0.5).
    """
    entries = [entry for entry in run.entries() if entry.kind != _KIND]
    graph = _Graph(run, entries).build()
    path = write_atomically(run.path / _FILE, json.dumps(graph, indent=1, sort_keys=True) + "\n")
    run.record(_KIND, path, inputs=tuple(entry.id for entry in entries))
    return path


@dataclass(frozen=True, eq=False)
class _Graph:
    run: Run
    entries: list[LedgerEntry]

    def build(self) -> dict[str, Any]:
        self._describe_root()
        held = {entry.id: self._data(entry) for entry in self.entries}
        self.crate.root_dataset["mentions"] = [
            self._action(entry, held) for entry in self.entries if entry.kind in _MADE
        ]
        self._add_file(
            self.run.ledger, {"name": "Ledger", "description": "One line an artifact, in order."}
        )
        graph: dict[str, Any] = self.crate.metadata.generate()
        # Entities have no order; one that does not depend on how they were added is easier to read.
        graph["@graph"].sort(key=lambda entity: (entity["@id"] != "./", entity["@id"]))
        return graph

    @cached_property
    def crate(self) -> Any:
        from rocrate.rocrate import ROCrate

        crate = ROCrate(version=_VERSION)
        crate.metadata.extra_contexts.append(_TERMS)
        return crate

    def _describe_root(self) -> None:
        protocol = Protocol.read(self.run)
        root = self.crate.root_dataset
        root["name"] = f"Run of the study {protocol.study}"
        root["description"] = protocol.summary or f"The study {protocol.study}, run by Cortiscope."
        root["datePublished"] = max(entry.time for entry in self.entries)
        root["license"] = self._context(
            "#licence",
            "CreativeWork",
            name="Licence of this run",
            description="None is stated here: whoever publishes the run says under which licence. "
            "Stimuli and subjects keep their own.",
        )
        root["conformsTo"] = self._context(
            _PROFILE, "CreativeWork", name="Process Run Crate", version="0.5"
        )

    def _data(self, entry: LedgerEntry) -> Entity:
        path = self.run.path / entry.path
        properties: dict[str, Any] = {
            "name": str(entry.parameters.get("name", path.name)),
            "description": f"{entry.kind.capitalize()} {entry.id} of the run.",
            "identifier": entry.id,
            "dateModified": entry.time,
            "sha256": entry.sha256,
        }
        if entry.kind == "stimuli" and (known := catalog().get(properties["name"])) is not None:
            licence = _SPDX + known.licence
            properties["license"] = self._context(licence, "CreativeWork", name=known.licence)
        if path.is_dir():
            return self._add_folder(path, properties)
        arrays = path.with_suffix(".zarr")
        if entry.seal and arrays.is_dir():
            beside = {"name": arrays.name, "description": f"Null and resamples of {entry.id}."}
            properties["hasPart"] = self._add_folder(arrays, beside)
        return self._add_file(path, properties)

    def _add_file(self, path: Path, properties: dict[str, Any]) -> Entity:
        guessed = _FORMATS.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        properties["encodingFormat"] = guessed or "application/octet-stream"
        if path != self.run.ledger:  # which still grows by the line of the crate
            properties["contentSize"] = str(path.stat().st_size)
        return self.crate.add_file(path, self._relative(path), properties=properties)

    def _add_folder(self, path: Path, properties: dict[str, Any]) -> Entity:
        properties["contentSize"] = str(sum(file.stat().st_size for file in visible_files(path)))
        return self.crate.add_dataset(path, self._relative(path), properties=properties)

    def _action(self, entry: LedgerEntry, held: Mapping[str, Entity]) -> Entity:
        said = ", ".join(f"{name} = {json.dumps(v)}" for name, v in entry.parameters.items())
        return self._context(
            f"#{entry.kind}-{entry.id}",
            "CreateAction",
            name=f"{_MADE[entry.kind]}: {entry.path}",
            description=f"With {said}." if said else f"Made {entry.path}.",
            instrument=self._software(entry),
            object=_one_or_more([held[source] for source in entry.inputs if source in held]),
            result=held[entry.id],
            endTime=entry.time,
            actionStatus="http://schema.org/CompletedActionStatus",
        )

    def _software(self, entry: LedgerEntry) -> Entity:
        code = entry.code_version
        state = " with uncommitted changes" if code["dirty"] else ""
        return self._context(
            f"{_SOURCE}#{fingerprint([code, entry.versions])[:16]}",
            "SoftwareApplication",
            name="cortiscope",
            version=code["version"],
            url=_SOURCE,
            description=f"Commit {code['commit'] or 'unknown'}{state}; source {code['source']}.",
            softwareRequirements=[f"{name} {held}" for name, held in entry.versions.items()],
            license=self._context(_SPDX + "Apache-2.0", "CreativeWork", name="Apache-2.0"),
        )

    def _context(self, identifier: str, kind: str, **properties: Any) -> Entity:
        """Add an entity that is no file, once."""
        known = self.crate.get(identifier)
        if known is not None:
            return known
        from rocrate.model.contextentity import ContextEntity

        entity = ContextEntity(self.crate, identifier, properties={"@type": kind})
        for name, value in properties.items():
            if value:
                entity[name] = value
        return self.crate.add(entity)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.run.path).as_posix()


def _one_or_more(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
