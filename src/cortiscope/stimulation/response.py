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

    def to_frame(self, *variables: str) -> pd.DataFrame:
        """Lay variables out as one table.

        Parameters
        ----------
        *variables : str
            Which; all by default.

        Returns
        -------
        pandas.DataFrame
            A row for each combination of the dims; variables with fewer dims are repeated.

        Raises
        ------
        InputError
            When no variable has all dims of the others, so that they make no table together.
        """
        data = self.data[list(variables)] if variables else self.data
        if not any(set(data.dims) == set(values.dims) for values in data.data_vars.values()):
            names = ", ".join(str(name) for name in data.data_vars)
            raise InputError(
                f"The variables {names} have different dims and make no table together; name those "
                "that do."
            )
        return data.to_dataframe().reset_index()

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


def with_labels(data: xr.Dataset, **labels: pd.DataFrame) -> xr.Dataset:
    """Lay labels along their dims, as coordinates.

    Parameters
    ----------
    data : xarray.Dataset
        With dims such as ``stimulus`` and ``condition``.
    **labels : DataFrame
        For a dim, a column for each label. Where something else has the name of a label, such as
        the dim of a probe's categories, the dim goes before it: ``stimulus_category``. Labels that
        some rows lack are empty text there, or NaN.

    Returns
    -------
    xarray.Dataset

    Examples
    --------
    >>> data = xr.Dataset({"scores": (("condition", "category"), [[0.5, 0.1]])})
    >>> kinds = pd.DataFrame({"category": ["tool"], "dose": [2.0]})
    >>> sorted(with_labels(data, condition=kinds).coords)
    ['condition_category', 'dose']
    """
    for dim, table in labels.items():
        known: dict[Hashable, Any] = {}
        for name in table.columns if dim in data.dims else ():
            is_text = table[name].map(lambda value: isinstance(value, str)).any()
            values = table[name].fillna("") if is_text else table[name]
            taken = name in data.variables or name in data.dims
            known[f"{dim}_{name}" if taken else name] = (dim, values.to_numpy())
        data = data.assign_coords(known)
    return data


def _is_text(values: xr.Variable) -> bool:
    return values.dtype.kind in "OUST"
