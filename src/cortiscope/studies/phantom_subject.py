"""A phantom in a subject's place: a study of what is known to be there, or known not to be.

Most phantoms are recordings; model phantoms are models, and subjects like any other.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint, package_versions
from cortiscope.phantoms import MODEL_PHANTOMS, PHANTOMS, PhantomDesign, parse_phantom
from cortiscope.scanning import Recording
from cortiscope.stimuli import StimulusSet
from cortiscope.subjects import Subject

_N_UNITS, _N_LAYERS = 160, 1


@dataclass(frozen=True)
class PhantomSubject:
    """A phantom as the protocol names it, such as ``phantom:direction(strength=2, seed=1)``.

    Attributes
    ----------
    phantom : str
        Which phantom.
    seed : int
        Its seed.
    strength : float
        How much is planted.
    n_units, n_layers : int
        Its size.
    options : dict
        Further options of the phantom.
    twin_of : str
        The name of the phantom whose untrained twin this is; empty when it is none.
    twin_seed : int
        Which of its twins.

    Examples
    --------
    >>> subject = PhantomSubject.parse("phantom:direction(strength=2, seed=1)")
    >>> subject.name, subject.twin(0).phantom
    ('phantom:direction(seed=1, strength=2)', 'noise')
    """

    phantom: str
    seed: int = 0
    strength: float = 1.0
    n_units: int = _N_UNITS
    n_layers: int = _N_LAYERS
    options: dict[str, Any] = field(default_factory=dict)
    twin_of: str = ""
    twin_seed: int = 0

    @classmethod
    def matches(cls, spec: str) -> bool:
        """Whether a subject's name asks for a phantom that is a recording."""
        return spec.startswith("phantom:") and not is_model_phantom(spec)

    @classmethod
    def parse(cls, spec: str) -> PhantomSubject:
        """Read a phantom's name and options.

        Raises
        ------
        InputError
            For a phantom that is not there, and a seed or a size that is no whole number.
        """
        name, values = parse_phantom(spec.strip().removeprefix("phantom:"))
        own = {
            key: values.pop(key)
            for key in ("seed", "strength", "n_units", "n_layers")
            if key in values
        }
        for key, value in own.items():
            if not isinstance(value, int | float if key == "strength" else int):
                kind = "number" if key == "strength" else "whole number"
                msg = f"the {key} of {spec} is {value!r}: give a {kind}."
                raise InputError(msg)
        return cls(name, **own, options=values)

    @property
    def name(self) -> str:
        """Its name in reports."""
        if self.twin_of:
            return f"{self.twin_of}--twin-{self.twin_seed}"
        said = {"seed": self.seed, "strength": self.strength, **self.options}
        return f"phantom:{self.phantom}({', '.join(f'{k}={v}' for k, v in said.items())})"

    @property
    def slug(self) -> str:
        """The name as it may stand in a file name."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip("-.")

    @property
    def sites(self) -> tuple[str, ...]:
        """The one site of every phantom."""
        return ("resid_post",)

    @property
    def parameters(self) -> dict[str, Any]:
        """How it was recorded: as the protocol says."""
        return {}

    def twin(self, seed: int) -> PhantomSubject:
        """Make the background alone, as an untrained network is to a trained one."""
        own = int(fingerprint([self.name, seed])[:8], 16)  # no two phantoms share a twin
        return PhantomSubject(
            "noise",
            seed=own,
            n_units=self.n_units,
            n_layers=self.n_layers,
            twin_of=self.name,
            twin_seed=seed,
        )

    def recording(self, stimuli: StimulusSet, store: Path) -> Recording:
        """Make its recording of given stimuli, or open it where it was made before."""
        if store.exists():
            return Recording.open(store)
        # Made beside its place and moved there whole: a killed run leaves no half of it.
        unfinished = store.with_name(f".{store.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        design = PhantomDesign(stimuli.table, self.n_units, self.n_layers)
        made = PHANTOMS[self.phantom].make(
            design, seed=self.seed, strength=self.strength, **self.options
        )
        values = {str(site): made[site].values for site in made.sites}
        Recording.from_arrays(values, stimuli=made.table, name=self.name).save(unfinished)
        unfinished.rename(store)
        return Recording.open(store)

    def record(self) -> dict[str, Any]:
        """Say what it is, as `Subject.record` does."""
        planted = {
            "phantom": self.phantom,
            "seed": self.seed,
            "strength": self.strength,
            **self.options,
        }
        return {
            "name": self.name,
            "fingerprint": fingerprint([planted, self.n_units, self.n_layers]),
            "source": None,
            "weights": planted,
            "config": fingerprint([self.n_units, self.n_layers]),
            "tokenizer": fingerprint("none"),
            "dtype": "float32",
            "attention": "no",
            "special_tokens": {"before": [], "after": [], "adds_bos": True},
            "device": "cpu",
            "family": "phantom",
            "n_layers": self.n_layers,
            "n_units": self.n_units,
            "n_parameters": 0,
            "proof": {
                "kind": "none",
                "dtype": "float32",
                "tolerance": 0.0,
                "n_texts": 0,
                "n_tokens": 0,
                "sites": [],
            },
            "warnings": ["It is a phantom: its activations were made, not measured."],
            "versions": package_versions(),
        }


def is_model_phantom(spec: str) -> bool:
    """Whether a subject's name asks for a phantom that is a model.

    Examples
    --------
    >>> is_model_phantom("phantom:read_from_direction(seed=1)"), is_model_phantom("phantom:noise")
    (True, False)
    """
    named = re.match(r"phantom:\s*(\w+)", spec.strip())
    return named is not None and named[1] in MODEL_PHANTOMS


def load_model_phantom(spec: str, stimuli: StimulusSet) -> Subject:
    """Make the model that a spec such as ``phantom:read_from_direction(seed=1)`` asks for.

    Parameters
    ----------
    spec : str
        Names one of `MODEL_PHANTOMS`, and its seed and options.
    stimuli : StimulusSet
        Whose words it knows.

    Raises
    ------
    InputError
        For an option that it does not have, or of another kind than its default is of.
    """
    name, options = _options_of(spec)
    return MODEL_PHANTOMS[name].make(stimuli, **options)


def name_of_model_phantom(spec: str) -> str:
    """Say how the subject is called that a spec asks for.

    Examples
    --------
    >>> name_of_model_phantom("phantom:stored_twice(strength=2)")
    'phantom:stored_twice(strength=2, seed=0)'
    """
    name, options = _options_of(spec)
    return MODEL_PHANTOMS[name].called(**options)


_SAID = {int: "whole number", float: "number", str: "text"}


def _options_of(spec: str) -> tuple[str, dict[str, Any]]:
    name, options = parse_phantom(spec.strip().removeprefix("phantom:"))
    for key, default in {"seed": 0, **MODEL_PHANTOMS[name].options}.items():
        kind = type(0 if default is None else default)
        known = (int, float) if kind is float else kind
        if key in options and not isinstance(options[key], known):
            raise InputError(f"the {key} of {spec} is {options[key]!r}: give a {_SAID[kind]}.")
    return name, options
