"""Control vectors in GGUF: directions that llama.cpp adds to the residual stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cortiscope.codes.direction import Direction
from cortiscope.errors import InputError
from cortiscope.ledger import write_atomically


def export_gguf(
    directions: Direction | Sequence[Direction],
    path: str | Path,
    *,
    model_hint: str,
    dose: float = 1.0,
) -> Path:
    """Write directions as a control vector, which llama.cpp reads.

    Parameters
    ----------
    directions : Direction or sequence of Direction
        In ``resid_post``, at most one a layer, none at layer 0.
    path : str or Path
        Ends with ``.gguf``.
    model_hint : str
        The architecture as GGUF files name it, such as ``llama``, ``qwen2`` or ``gpt2``.
    dose : float
        The file holds ``dose * scale * vector`` for each layer: with 1, the factor that llama.cpp
        is given is a dose.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        For another ending, another site, layer 0, two directions at a layer, directions of
        different numbers of units, none at all, a dose that is zero or not finite, and where the
        package gguf is not installed.

    Notes
    -----
    llama.cpp counts blocks from 0, adds the tensor ``direction.N`` to what block N puts out, and
    refuses a ``direction.0``: N is the layer of ``resid_post``, and layer 0 cannot be steered
    there. It adds at every token of the text, where Cortiscope acts from the target on by default.
    Layers that the file lacks are left alone. Say ``--control-vector-scaled FILE:FACTOR``; older
    versions part the two by a space.

    References
    ----------
    llama.cpp, ``common_control_vector_load`` and ``llama_adapter_cvec``; the format comes from
    the package repeng.

    Examples
    --------
    >>> import tempfile
    >>> animal = Direction.from_vector([3, 0, 4], site="resid_post", layer=2, name="animal")
    >>> path = Path(tempfile.mkdtemp()) / "animal.gguf"
    >>> export_gguf(animal, path, model_hint="llama").read_bytes()[:4]
    b'GGUF'
    """
    chosen = [directions] if isinstance(directions, Direction) else list(directions)
    path = Path(path)
    _check(chosen, path, dose)
    try:
        from gguf import GGUFWriter
    except ImportError as error:
        raise InputError(
            "Writing a control vector takes the package gguf: install it with pip install gguf."
        ) from error
    with TemporaryDirectory() as folder:
        temporary = Path(folder) / "control_vector.gguf"
        writer = GGUFWriter(temporary, "controlvector")
        writer.add_string("controlvector.model_hint", model_hint)
        writer.add_uint32("controlvector.layer_count", len(chosen))
        for direction in sorted(chosen, key=lambda one: one.layer):
            values = dose * direction.scale * direction.vector.astype(np.float64)
            writer.add_tensor(f"direction.{direction.layer}", values.astype(np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return write_atomically(path, temporary.read_bytes())


def _check(directions: Sequence[Direction], path: Path, dose: float) -> None:
    if path.suffix.lower() != ".gguf":
        raise InputError(f"A control vector is saved as GGUF: give {path.name} the ending .gguf.")
    if not directions:
        raise InputError("There is no direction to export: give one or more.")
    if not (np.isfinite(dose) and dose != 0.0):
        raise InputError(f"The dose is {dose}: give one that is finite and not zero.")
    for direction in directions:
        if direction.site != "resid_post":
            raise InputError(
                f"{direction.name!r} is a direction in {direction.site}, and llama.cpp adds to "
                "resid_post alone: fit one there."
            )
        if direction.layer == 0:
            raise InputError(
                f"{direction.name!r} is at layer 0, where llama.cpp adds nothing: fit it at layer "
                "1 or later."
            )
    if len({direction.n_units for direction in directions}) > 1:
        raise InputError("Directions have different numbers of units: export those of one model.")
    layer, n_there = Counter(direction.layer for direction in directions).most_common(1)[0]
    if n_there > 1:
        raise InputError(
            f"{n_there} directions are at layer {layer}, and a control vector holds one a layer: "
            "export each to a file of its own."
        )
