"""The protocol: everything that a study's numbers depend on, frozen before the first pass."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from cortiscope.analyses import FEWEST_SUBJECTS, INSTRUMENTS, Instrument
from cortiscope.claims import (
    CALIBRATION,
    Claim,
    check_attainable,
    check_controls,
    phantom_that_calibrates,
)
from cortiscope.claims.controls import OF_RECORDINGS, OF_RESPONSES
from cortiscope.errors import InputError
from cortiscope.ledger import Address, Run, fingerprint, write_atomically
from cortiscope.studies.toml import read_toml

DRAWS_OF_WORDS = ("n_permutations", "n_bootstrap", "n_jackknife")
"""Parameters of instruments: how often words are permuted or resampled."""

DRAWS_OF_UNITS = ("n_rotations", "n_surrogates")
"""Parameters of instruments: how often units are rotated, or all is made anew."""

_FILE = "protocol.toml"
_SHIPPED = Path(__file__).parent / "protocols"


class Step(BaseModel):
    """One analysis of every recording: its name, and the parameters that are not left alone.

    An empty text stands for None, for which files have no word: ``target = ""``.

    Examples
    --------
    >>> Step(analysis="decode", site="resid_post").parameters["n_permutations"]
    1000
    >>> Step(analysis="cka", target="").parameters["target"] is None
    True
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    analysis: str

    @model_validator(mode="before")
    @classmethod
    def _none_can_be_written(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: "" if value is None else value for name, value in values.items()}

    @model_validator(mode="after")
    def _parameters_are_known(self) -> Step:
        if self.analysis not in INSTRUMENTS:
            msg = f"there is no analysis {self.analysis!r}: choose among {', '.join(INSTRUMENTS)}"
            raise ValueError(msg)
        known = [
            name
            for name in inspect.signature(self.instrument.run).parameters
            if name not in self.instrument.reads
        ]
        if unknown := sorted(set(self.given) - set(known)):
            msg = f"{self.analysis} has no parameter {unknown[0]!r}: it has {', '.join(known)}"
            raise ValueError(msg)
        return self

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
        return INSTRUMENTS[self.analysis]

    @property
    def steps_read(self) -> tuple[str | None, str | None]:
        """Steps whose results it puts in a row, and holds them against; None for the order."""
        of, against = (self.parameters.get(name) for name in ("of", "against"))
        return Address.parse(str(of)).artifact, against and Address.parse(str(against)).artifact

    @property
    def given(self) -> dict[str, Any]:
        """The parameters that the protocol names."""
        given = self.model_extra or {}
        return {name: None if value == "" else value for name, value in given.items()}

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters, those left alone at their defaults."""
        return self.instrument.defaults | self.given


class Protocol(BaseModel):
    """A study: subjects, what they are shown, what is recorded, analysed, and claimed.

    Examples
    --------
    >>> protocol = Protocol.load("decoding")
    >>> protocol.subjects, [claim.kind for claim in protocol.claims]
    (('specimen:qwen2',), ['greater'])
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    summary: str = ""
    subjects: tuple[str, ...] = Field(min_length=1)
    revision: str | None = None
    model_dtype: str | None = None
    attention: Literal["sdpa", "eager"] | None = None
    stimuli: str = "concepts"
    sites: tuple[str, ...] = ("resid_pre[0]", "resid_post")
    position: Literal["target_last", "target_mean", "last", "mean", "every"] = "target_last"
    batch_size: PositiveInt = 32
    store_dtype: Literal["float32", "float16"] = "float32"
    n_twins: int = Field(default=5, ge=0)
    steps: dict[str, Step] = Field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    alpha: float = Field(default=0.05, gt=0, lt=1)
    correction: Literal["bh", "by"] = "bh"
    claim_permutations: PositiveInt = 9999
    claim_rotations: PositiveInt = 999
    n_phantoms: PositiveInt = 100
    phantom_permutations: PositiveInt = 199

    @model_validator(mode="after")
    def _steps_that_are_read_are_there(self) -> Protocol:
        for name, step in self.steps.items():
            for read in step.steps_read if step.instrument.is_of_series else ():
                if read is None:
                    continue
                known = self.steps.get(read)
                if known is None or known.instrument.is_of_series or known.instrument.is_of_pairs:
                    msg = (
                        f"step {name!r} reads step {read!r}, which "
                        f"{'is not there' if known is None else 'does not measure each subject'}: "
                        "name one that does"
                    )
                    raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Protocol:
        if len(set(self.subjects)) < len(self.subjects):
            msg = "a subject is named twice: name each once"
            raise ValueError(msg)
        for claim in self.claims:
            if claim.step not in self.steps:
                msg = (
                    f"claim {claim.name!r} speaks of step {claim.step!r}, which is not there: "
                    f"the steps are {', '.join(self.steps) or 'none'}"
                )
                raise ValueError(msg)
            if claim.subjects not in ("each", "all", *self.subjects):
                msg = (
                    f"claim {claim.name!r} speaks of subject {claim.subjects!r}, which is not "
                    "there: say each, all, or one of the subjects"
                )
                raise ValueError(msg)
            instrument = self.steps[claim.step].instrument
            if (
                instrument.is_of_pairs or instrument.is_of_series
            ) and claim.subjects in self.subjects:
                msg = (
                    f"claim {claim.name!r} speaks of one subject, and step {claim.step!r} compares "
                    f"{'two: say each (pair) or all' if instrument.is_of_pairs else 'all: say all'}"
                )
                raise ValueError(msg)
            if "twins" in claim.controls and self.n_twins < 1:
                msg = f"claim {claim.name!r} asks for the control twins, and n_twins is 0"
                raise ValueError(msg)
        return self

    @classmethod
    def load(cls, name_or_path: str | Path, **changes: Any) -> Protocol:
        """Load a shipped protocol by name, or a user's own from its path.

        Parameters
        ----------
        name_or_path : str or Path
            See `shipped_protocols`, or a TOML file.
        **changes
            Keys that take other values than the file gives them.

        Returns
        -------
        Protocol
            Validated.

        Raises
        ------
        InputError
            Naming the key and the line of what is wrong.
        """
        path = Path(name_or_path)
        if str(name_or_path) in shipped_protocols():
            path = _SHIPPED / f"{name_or_path}.toml"
        elif path.suffix != ".toml":
            msg = (
                f"there is no study {str(name_or_path)!r}: name one of "
                f"{', '.join(shipped_protocols())}, or the path of a TOML file."
            )
            raise InputError(msg)
        return read_toml(cls, path, changes)

    @property
    def fingerprint(self) -> str:
        """Hash of all of it."""
        return fingerprint(self.model_dump(mode="json"))

    @property
    def default_out(self) -> Path:
        """Where its run goes when nobody says: the same protocol continues in the same folder."""
        return Path("runs") / f"{self.study}-{self.fingerprint[:8]}"

    def n_tests(self, claim: Claim) -> int:
        """Count the tests of a claim: one for each subject, or pair, that it speaks of.

        A claim about pairs has none in a study of one subject: it waits for a second. One about
        all subjects together is one, where there are enough of them.
        """
        n_subjects = len(self.subjects)
        instrument = self.steps[claim.step].instrument
        if instrument.is_of_series:
            return int(n_subjects >= FEWEST_SUBJECTS)
        n = n_subjects * (n_subjects - 1) // 2 if instrument.is_of_pairs else n_subjects
        return n if claim.subjects == "each" else min(n, 1)

    def check(self) -> None:
        """Refuse what could never become a verdict: unknown controls, unattainable p-values.

        Raises
        ------
        InputError
            Saying what it would take.
        """
        check_controls(self.claims)
        n_tests = sum(map(self.n_tests, self.claims))
        for claim in self.claims:
            if self.n_tests(claim):
                self._check_attainable(claim, n_tests)
        for claim in self.claims:
            step = self.steps[claim.step]
            _check_controls(claim, step)
            if CALIBRATION in claim.controls and not step.instrument.detects:
                msg = (
                    f"{step.analysis} names no phantom: its claims cannot be calibrated; waive "
                    "calibration, with the reason."
                )
                raise InputError(msg)
            if claim.phantom is not None or CALIBRATION in claim.controls:
                phantom_that_calibrates(step.instrument, claim)

    def draws_of(self, instrument: Instrument) -> dict[str, int]:
        """Give the parameters with which a claim's own test draws more than exploring does.

        Permutations and resamples are cheap; a graph or a map of rotated units is not.
        """
        return instrument.accepted(
            dict.fromkeys(DRAWS_OF_WORDS, self.claim_permutations)
            | dict.fromkeys(DRAWS_OF_UNITS, self.claim_rotations)
        )

    def _check_attainable(self, claim: Claim, n_tests: int) -> None:
        step = self.steps[claim.step]
        n_draws, remedy = self.claim_permutations, "raise claim_permutations"
        if step.instrument.attainable is not None and not claim.is_absence:
            most, remedy_here = step.instrument.attainable(
                step.parameters | self.draws_of(step.instrument), len(self.subjects)
            )
            if most < n_draws:
                n_draws, remedy = most, remedy_here
        check_attainable(
            n_tests,
            n_draws,
            alpha=self.alpha,
            correction=self.correction,
            of=claim.name,
            remedy=remedy,
        )

    def freeze(self, run: Run) -> None:
        """Write the protocol into a run, or see that the run was begun with this very one.

        Raises
        ------
        InputError
            When the run was begun with another protocol; the message names the keys.
        """
        path = run.path / _FILE
        if path.exists():
            before = self.read(run)
            if differing := _differing(
                before.model_dump(mode="json"), self.model_dump(mode="json")
            ):
                msg = (
                    f"{run.path} was begun with another protocol (it differs in "
                    f"{', '.join(differing)}): give --out a new folder, or the same settings."
                )
                raise InputError(msg)
            return
        write_atomically(path, tomli_w.dumps(self.model_dump(mode="json", exclude_none=True)))
        run.record("protocol", _FILE)

    @classmethod
    def read(cls, run: Run) -> Protocol:
        """Read the protocol that a run was begun with."""
        return read_toml(cls, run.path / _FILE, {})


def _check_controls(claim: Claim, step: Step) -> None:
    """Refuse controls of recordings where a response is read, and of responses elsewhere."""
    reads = step.instrument.said_to_read
    for control in claim.controls:
        if step.instrument.experiment is not None and control in OF_RECORDINGS:
            why = "changes what a probe reads of a recording"
        elif step.instrument.experiment is None and control in OF_RESPONSES:
            why = "is about lesions and injections"
        else:
            continue
        msg = (
            f"claim {claim.name!r} asks for the control {control!r}, which {why}, and "
            f"{step.analysis} reads {reads}: take it out, or waive it with the reason."
        )
        raise InputError(msg)


def shipped_protocols() -> list[str]:
    """Names of the studies that ship.

    Examples
    --------
    >>> "decoding" in shipped_protocols()
    True
    """
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def _differing(before: Any, now: Any, key: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        names = [*now, *(name for name in before if name not in now)]
        prefix = f"{key}." if key else ""
        found = [_differing(before.get(n), now.get(n), f"{prefix}{n}") for n in names]
        return [name for names in found for name in names]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        found = [
            _differing(b, n, f"{key}[{i}]")
            for i, (b, n) in enumerate(zip(before, now, strict=True))
        ]
        return [name for names in found for name in names]
    return [] if before == now else [key]
