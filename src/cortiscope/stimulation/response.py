"""The type that this room makes: what a subject did under every condition."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr
import zarr.errors

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint, write_atomically
from cortiscope.stimulation.proofs import ConditionProof

if TYPE_CHECKING:
    from collections.abc import Hashable

_FORMAT = 1
HEAD = "response.json"
_NUMBERS = "numbers.zarr"


class Response:
    """What was read from a subject under every condition, with what each condition proved.

    Parameters
    ----------
    data : xarray.Dataset
        The variables of all readouts, with the first dim ``condition`` and mostly ``stimulus`` as
        the second; labels of the stimuli lie along it.
    proof : sequence of ConditionProof
        For each condition, what its interventions showed.
    provenance : mapping
        What it was made from, as JSON holds it.

    Examples
    --------
    >>> data = xr.Dataset(
    ...     {"kl": (("condition", "stimulus"), [[0.0, 0.5]])},
    ...     {"condition": ["lesion"], "stimulus": ["a", "b"]},
    ... )
    >>> Response(data, [ConditionProof("lesion", {})], {}).to_frame()["kl"].tolist()
    [0.0, 0.5]
    """

    def __init__(
        self, data: xr.Dataset, proof: Sequence[ConditionProof], provenance: Mapping[str, Any]
    ) -> None:
        self.data = data
        self.proof = tuple(proof)
        self.provenance: dict[str, Any] = dict(provenance)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditions."""
        return tuple(str(name) for name in self.data["condition"].values)

    @property
    def name(self) -> str:
        """What it is called: after its subject."""
        return self.subject

    @property
    def subject(self) -> str:
        """Name of the subject."""
        return str(self.provenance.get("subject", {}).get("name", "unknown"))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content: every number and label, the proofs, and what it was made from."""
        return fingerprint(
            {
                "data": {str(name): values.values for name, values in self.data.variables.items()},
                "dims": {str(name): values.dims for name, values in self.data.variables.items()},
                "proof": [proof.to_json() for proof in self.proof],
                "provenance": self.provenance,
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """Lay the variables out as one table.

        Returns
        -------
        pandas.DataFrame
            A row for each combination of the dims; variables with fewer dims are repeated.
        """
        return self.data.to_dataframe().reset_index()

    def proof_frame(self) -> pd.DataFrame:
        """Lay out what every intervention proved.

        Returns
        -------
        pandas.DataFrame
            A row for each condition, intervention and layer: ``effect`` (RMS of the change as a
            share of that of the activations), ``error`` (deviation from the claim, as a share of
            the same), ``n_tokens``.
        """
        return pd.DataFrame([row for proof in self.proof for row in proof.rows()])

    def save(self, path: str | Path) -> Path:
        """Write it to a new folder, which appears in one step or not at all.

        Parameters
        ----------
        path : str or Path
            A folder that does not exist.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            When something is there already.
        """
        path = Path(path)
        if path.exists():
            raise InputError(f"{path} is there already: give another folder, or delete it.")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.partial")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            self.write_into(temporary)
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return path

    def write_into(self, folder: Path) -> None:
        """Write its files into a folder; `HEAD` last, in one step: where it is, all is."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / _NUMBERS, ignore_errors=True)
        # Zarr has no stable type for text, which stands in the JSON file.
        texts = [name for name, values in self.data.variables.items() if _is_text(values)]
        self.data.drop_vars(texts).to_zarr(folder / _NUMBERS, zarr_format=3, consolidated=False)
        head = {
            "format": _FORMAT,
            "fingerprint": self.fingerprint,
            "texts": {
                str(name): [list(self.data[name].dims), self.data[name].values.tolist()]
                for name in texts
            },
            "coordinates": [str(name) for name in self.data.coords],
            "variables": [str(name) for name in self.data.data_vars],
            "proof": [proof.to_json() for proof in self.proof],
            "provenance": self.provenance,
        }
        write_atomically(folder / HEAD, json.dumps(head, indent=1) + "\n")

    @classmethod
    def open(cls, path: str | Path) -> Response:
        """Open a response that was saved, or that `stimulate` wrote.

        Parameters
        ----------
        path : str or Path
            Its folder.

        Raises
        ------
        InputError
            When it is missing, no response, interrupted, or damaged.
        """
        path = Path(path)
        try:
            head = json.loads((path / HEAD).read_text(encoding="utf-8"))
            if head["format"] != _FORMAT:
                raise InputError(
                    f"{path} has another format than this version reads: make it again."
                )
            with xr.open_zarr(path / _NUMBERS, consolidated=False, chunks=None) as numbers:
                data = numbers.load()
            data = data.assign({name: (dims, text) for name, (dims, text) in head["texts"].items()})
            data = data.set_coords(head["coordinates"])[head["variables"]]
            proof = [ConditionProof.from_json(item) for item in head["proof"]]
            response = cls(data, proof, head["provenance"])
        except FileNotFoundError as error:
            raise InputError(
                f"{path} holds no whole response: {error.filename or 'its numbers'} is missing; "
                "make it again, or run an interrupted sweep again to finish it."
            ) from error
        except (ValueError, KeyError, TypeError, zarr.errors.BaseZarrError) as error:
            raise InputError(
                f"{path} is no response, or is damaged ({error}): make it again."
            ) from error
        if response.fingerprint != head["fingerprint"]:
            raise InputError(
                f"{path} is damaged: it does not hold what was written; make it again."
            )
        return response

    def __repr__(self) -> str:
        """Say in a few lines what it holds."""
        sizes = ", ".join(f"{size:,} {name}" for name, size in self.data.sizes.items())
        variables = ", ".join(str(name) for name in self.data.data_vars)
        worst = max((proof.error for proof in self.proof), default=0.0)
        return (
            f"Response of {self.subject}: {sizes}\n  read   {variables}\n"
            f"  proof  every condition, largest error {worst:.1e} of the RMS"
        )


def with_labels(data: xr.Dataset, labels: pd.DataFrame) -> xr.Dataset:
    """Lay the labels of the stimuli along ``stimulus``, where a dataset has that dim."""
    if "stimulus" not in data.dims:
        return data
    known: dict[Hashable, Any] = {
        name: ("stimulus", labels[name].to_numpy()) for name in labels.columns if name not in data
    }
    return data.assign_coords(known)


def _is_text(values: xr.Variable) -> bool:
    return values.dtype.kind in "OUST"
