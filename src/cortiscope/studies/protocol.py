"""The protocol: everything that a study's numbers depend on, frozen before the first pass."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from cortiscope.errors import InputError
from cortiscope.ledger import Run, fingerprint, write_atomically

_FILE = "protocol.toml"


class DecodeParameters(BaseModel):
    """Parameters of `decode` that a study may set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str = "category"
    groups: str = "word"
    n_permutations: PositiveInt = 1000
    n_folds: int = Field(default=5, ge=2)
    ridge: PositiveFloat = 0.01
    scale: bool = False
    n_bootstrap: PositiveInt = 1000
    seed: int = 0


class Protocol(BaseModel):
    """A decoding study of one or more subjects, each with its untrained twins.

    Examples
    --------
    >>> protocol = Protocol(n_twins=2)
    >>> protocol.subjects, protocol.decode.n_permutations
    (('specimen:qwen2',), 1000)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str = "decoding"
    subjects: tuple[str, ...] = ("specimen:qwen2",)
    revision: str | None = None
    model_dtype: str | None = None
    attention: Literal["sdpa", "eager"] | None = None
    stimuli: str = "concepts"
    sites: tuple[str, ...] = ("resid_pre[0]", "resid_post")
    position: Literal["target_last", "target_mean", "last", "mean"] = "target_last"
    batch_size: PositiveInt = 32
    store_dtype: Literal["float32", "float16"] = "float32"
    n_twins: int = Field(default=1, ge=0)
    decode: DecodeParameters = DecodeParameters()

    @property
    def fingerprint(self) -> str:
        """Hash of all of it."""
        return fingerprint(self.model_dump(mode="json"))

    @property
    def default_out(self) -> Path:
        """Where its run goes when nobody says: the same protocol continues in the same folder."""
        return Path("runs") / f"{self.study}-{self.fingerprint[:8]}"

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
            if differing := _differing(before.model_dump(), self.model_dump()):
                msg = (
                    f"{run.path} was begun with another protocol (it differs in "
                    f"{', '.join(differing)}): give --out a new folder, or the same settings."
                )
                raise InputError(msg)
            return
        values = self.model_dump(mode="json", exclude_none=True)
        write_atomically(path, tomli_w.dumps(values))
        run.record("protocol", _FILE)

    @classmethod
    def read(cls, run: Run) -> Protocol:
        """Read the protocol that a run was begun with."""
        path = run.path / _FILE
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            msg = f"{path} is missing or damaged ({error}): restore it or start a new run."
            raise InputError(msg) from error


def _differing(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for key, value in now.items():
        if isinstance(value, dict):
            keys += _differing(before[key], value, f"{prefix}{key}.")
        elif before[key] != value:
            keys.append(f"{prefix}{key}")
    return keys
