"""The trace: from one number down to stimuli, weights, packages and parameters."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cortiscope.analyses import INSTRUMENTS
from cortiscope.ledger import LedgerEntry, Run
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.lookup import Lookup
from cortiscope.studies.protocol import Protocol, Step

# What the protocol calls the parameters of a recording.
_PROTOCOL_NAMES = {"dtype": "store_dtype"}
_SUBJECT_FACTS = (
    "name", "source", "weights", "config", "tokenizer", "dtype", "attention", "device", "family",
    "fingerprint",
)  # fmt: skip


@dataclass(frozen=True)
class Parameters:
    """Parameters of an artifact, by where they come from.

    Attributes
    ----------
    given : dict
        Those that the protocol gives.
    changed : dict
        Those that a control changed.
    defaulted : dict
        Those that were left at their defaults.
    """

    given: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    defaulted: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    """One artifact in a chain.

    Attributes
    ----------
    entry : LedgerEntry
        Its line in the ledger: id, path, hash, code and package versions.
    facts : dict
        What else is known of it, such as the hashes of a subject's weights.
    parameters : Parameters
        With which it was made.
    inputs : tuple of Link
        What it was made from.
    """

    entry: LedgerEntry
    facts: dict[str, Any]
    parameters: Parameters
    inputs: tuple[Link, ...]

    def to_dict(self) -> dict[str, Any]:
        """Lay it out as JSON, with all that it was made from."""
        return {
            "id": self.entry.id,
            "kind": self.entry.kind,
            "path": self.entry.path,
            "sha256": self.entry.sha256,
            "time": self.entry.time,
            "code_version": self.entry.code_version,
            "versions": self.entry.versions,
            "facts": self.facts,
            "given": self.parameters.given,
            "changed": self.parameters.changed,
            "defaulted": self.parameters.defaulted,
            "inputs": [link.to_dict() for link in self.inputs],
        }


@dataclass(frozen=True)
class Chain:
    """All that one number, or one artifact, comes from.

    Attributes
    ----------
    address : str
        What was traced.
    value : float or None
        The number, where the address names one.
    link : Link
        The artifact that holds it, with what that was made from.
    protocol : LedgerEntry or None
        The protocol that was frozen before all of it.
    """

    address: str
    value: float | None
    link: Link
    protocol: LedgerEntry | None

    def to_dict(self) -> dict[str, Any]:
        """Lay it out as JSON."""
        frozen = self.protocol
        return {
            "address": self.address,
            "value": self.value,
            "artifact": self.link.to_dict(),
            "protocol": frozen and {"id": frozen.id, "sha256": frozen.sha256, "time": frozen.time},
        }

    def __repr__(self) -> str:
        return "\n".join(_Text().chain(self))


def trace(run: Run, address: str) -> Chain:
    """Follow a number, or an artifact, back to everything that it depends on.

    Parameters
    ----------
    run : Run
        The run.
    address : str
        ``ID:variable[layer=3,category=animal]``, the id of an artifact, or a path in the run.

    Returns
    -------
    Chain
        Readable when printed; `Chain.to_dict` gives it as JSON.

    Raises
    ------
    InputError
        When there is no such artifact or number, saying what there is.

    Examples
    --------
    >>> import tempfile
    >>> run = Run(tempfile.mkdtemp())
    >>> _ = (run.path / "note.txt").write_text("a dog")
    >>> entry = run.record("note", "note.txt")
    >>> trace(run, "note.txt").link.entry == entry
    True
    """
    lookup = Lookup(run)
    entry, value = lookup.find(address)
    protocol = next(iter(lookup.of_kind("protocol")), None)
    return Chain(address, value, _Tracer(lookup).link(entry), protocol)


@dataclass(frozen=True)
class _Tracer:
    lookup: Lookup

    def link(self, entry: LedgerEntry) -> Link:
        return Link(
            entry,
            self._facts(entry),
            self._parameters(entry),
            tuple(self.link(self.lookup.entry(source)) for source in entry.inputs),
        )

    def _facts(self, entry: LedgerEntry) -> dict[str, Any]:
        path = self.lookup.run.path / entry.path
        if not path.exists():
            return {"files": "are not there any more"}
        if entry.kind == "subject":
            record = self.lookup.document(entry)
            return {name: record[name] for name in _SUBJECT_FACTS if name in record}
        if entry.kind == "stimuli":
            stimuli = StimulusSet.open(path)
            return {
                "name": stimuli.name,
                "n_stimuli": len(stimuli),
                "fingerprint": stimuli.fingerprint,
            }
        if entry.kind in ("result", "control"):
            return self._facts_of_result(entry)
        return {}

    def _facts_of_result(self, entry: LedgerEntry) -> dict[str, Any]:
        result = self.lookup.result(entry)
        kept = [self.lookup.entry(source).sha256 for source in entry.inputs]
        derived = [digest for digest in result.inputs.values() if digest not in kept]
        if INSTRUMENTS[result.analysis].is_of_series:
            derived = []  # its input names the results below
        return {
            "analysis": result.analysis,
            "step": self._step_name(entry) or "none: it is exploratory",
            "of": result.subject,
            "derived": f"from what is below, as {derived[0]}, which was not kept"
            if derived
            else None,
            "n": result.n,
            "reference": result.reference,
            "source": result.source,
        }

    def _parameters(self, entry: LedgerEntry) -> Parameters:
        if entry.kind == "recording":
            fields = Protocol.model_fields
            left_alone = {
                name: value
                for name, value in entry.parameters.items()
                if _plain(fields[_PROTOCOL_NAMES.get(name, name)].default) == value
            }
            return _split(entry.parameters, set(entry.parameters) - set(left_alone))
        if entry.kind not in ("result", "control"):
            return Parameters(given=entry.parameters)
        result = self.lookup.result(entry)
        parameters = _plain(result.parameters)
        name = self._step_name(entry)
        if name is None:
            given = set(_differing(parameters, _defaults(result.analysis)))
            return _split(parameters, given)
        step = self._steps[name]
        changed = _differing(parameters, _plain(step.parameters))
        return _split(parameters, set(step.given), changed)

    def _step_name(self, entry: LedgerEntry) -> str | None:
        """Find the step that asked for a result, or from which a control set out."""
        result = self.lookup.result(entry)
        distances = {
            name: len(_differing(_plain(result.parameters), _plain(step.parameters)))
            for name, step in self._steps.items()
            if step.analysis == result.analysis
        }
        name = min(distances, key=distances.__getitem__, default=None)
        # A result that no step asks for was computed outside of the protocol.
        return None if name is None or (entry.kind == "result" and distances[name]) else name

    @cached_property
    def _steps(self) -> Mapping[str, Step]:
        return Protocol.read(self.lookup.run).steps


def _defaults(analysis: str) -> dict[str, Any]:
    if analysis not in INSTRUMENTS:
        return {}
    signature = inspect.signature(INSTRUMENTS[analysis].run).parameters
    return {name: _plain(parameter.default) for name, parameter in signature.items()}


def _split(
    parameters: Mapping[str, Any], given: set[str], changed: tuple[str, ...] = ()
) -> Parameters:
    def taken(names: set[str]) -> dict[str, Any]:
        return {name: value for name, value in parameters.items() if name in names}

    return Parameters(
        taken(given - set(changed)),
        taken(set(changed)),
        taken(set(parameters) - given - set(changed)),
    )


def _differing(values: Mapping[str, Any], others: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in values if name not in others or values[name] != others[name])


def _plain(value: Any) -> Any:
    """Give a value as JSON holds it, so that tuples equal lists."""
    try:
        return json.loads(json.dumps(value))
    except TypeError:  # the marks of a parameter without a default
        return None


class _Text:
    """A chain in lines; what was said above is not said again."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def chain(self, chain: Chain) -> Iterator[str]:
        if chain.value is not None:
            yield f"{chain.value!r} at {chain.address}"
        yield from self._link(chain.link, "")
        if chain.protocol is not None:
            frozen = chain.protocol
            yield f"protocol {frozen.id}, frozen {frozen.time}"
            yield f"  sha256      {frozen.sha256}"

    def _link(self, link: Link, indent: str) -> Iterator[str]:
        entry = link.entry
        head = f"{indent}{entry.kind} {entry.id}"
        if entry.id in self._said:
            yield f"{head}, as above"
            return
        self._said.add(entry.id)
        yield f"{head}, {entry.path}"
        for name, value in self._lines(link):
            yield f"{indent}  {name:<11} {value}"
        for source in link.inputs:
            yield from self._link(source, indent + "    ")

    def _lines(self, link: Link) -> Iterator[tuple[str, str]]:
        entry, parameters = link.entry, link.parameters
        yield "sha256", entry.sha256
        for name, value in link.facts.items():
            if value is not None:
                yield name, _said(value)
        for name, values in (
            ("given", parameters.given),
            ("changed", parameters.changed),
            ("defaulted", parameters.defaulted),
        ):
            if values:
                yield name, ", ".join(f"{key} = {_said(value)}" for key, value in values.items())
        code = entry.code_version
        dirty = {True: ", with uncommitted changes", False: "", None: ""}[code["dirty"]]
        commit = f"commit {code['commit']}{dirty}" if code["commit"] else "from no checkout"
        yield "made", entry.time
        yield "code", self._once(f"{code['version']}, {commit}, source {code['source']}")
        yield "packages", self._once(_said(entry.versions))

    def _once(self, text: str) -> str:
        if text in self._said:
            return "as above"
        self._said.add(text)
        return text


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(held)}" for name, held in value.items())
    return value if isinstance(value, str) else json.dumps(value)
