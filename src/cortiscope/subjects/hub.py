"""Repositories on the hub: what is fetched of them, and what is said when it cannot be."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cortiscope.errors import InputError, MachineError

if TYPE_CHECKING:
    from cortiscope.subjects.sources import Source

INDEX = "model.safetensors.index.json"
"""The file that says which weight is in which file, where they are in several."""

# Configuration and tokenizer. Weights follow once a family is known to cover the model.
_DESCRIPTION = ("*.json", "tokenizer*", "*.txt", "*.model", "*.jinja")


def fetch_description(
    repository: str, revision: str | None, *, trust_remote_code: bool
) -> tuple[Path, str]:
    """Fetch everything of a repository but the weights.

    Parameters
    ----------
    repository : str
        Its id.
    revision : str or None
        Branch, tag or commit.
    trust_remote_code : bool
        Fetch its Python code too.

    Returns
    -------
    folder : Path
        The snapshot on this machine.
    commit : str
        The commit that it shows.
    """
    patterns = [*_DESCRIPTION, *(["*.py"] if trust_remote_code else [])]
    folder = _fetch(repository, revision, patterns)
    return folder, folder.name


def fetch_weights(source: Source, *, allow_pickle: bool) -> None:
    """Fetch the weight files of a repository into the same snapshot; of a folder nothing."""
    if source.kind != "hub":
        return
    index = source.folder / INDEX
    if index.exists():
        patterns = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        patterns = ["model.safetensors"]
    _fetch(source.name, source.revision, patterns)
    if allow_pickle and not source.weight_files():
        _fetch(source.name, source.revision, ["pytorch_model*.bin"])


def _fetch(repository: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    with _one_sentence(repository, revision):
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=patterns,
                ignore_patterns=["*/*"],
            )
        )


@contextlib.contextmanager
def _one_sentence(repository: str, revision: str | None) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise InputError(
            f"{repository} is gated: ask for access at https://huggingface.co/{repository}, then "
            "log in with `hf auth login`."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise InputError(
            f"{repository} has no revision {revision!r}; give one of its branches, tags or commits."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise InputError(
            f"There is no folder {repository} here and no repository {repository} on the hub that "
            "you may see; check the spelling, or log in with `hf auth login` if it is private."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise InputError(
            f"{repository} is neither a folder here nor whole in the hub's cache, and the hub "
            "cannot be reached; give a local folder, or go online."
        ) from error
    except errors.HFValidationError as error:
        raise InputError(
            f"{repository} is neither a folder here nor an id on the hub; give a folder, or an id "
            "such as Qwen/Qwen2.5-7B."
        ) from error
    except Exception as error:  # which network library is underneath has changed with versions
        raise MachineError(
            f"{repository} could not be fetched ({type(error).__name__}); try again, or give a "
            "local folder."
        ) from error
