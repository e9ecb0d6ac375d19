"""Which code computed a number: versions, commit, and the source of each function."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

_PACKAGES = (
    "cortiscope",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "scikit-learn",
    "xarray",
    "zarr",
    "pandas",
    "pyarrow",
    "plotly",
)


@functools.cache
def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on.

    Examples
    --------
    >>> sorted(package_versions())[:2]
    ['cortiscope', 'numpy']
    """
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


@functools.cache
def code_version() -> dict[str, str | bool | None]:
    """Version, commit and dirty flag of Cortiscope itself.

    Returns
    -------
    dict
        ``version``; ``commit`` and ``dirty`` when the package runs from a git checkout, else
        None; ``source``, the sha256 over all of the package's Python files.
    """
    root = Path(__file__).resolve().parents[1]
    return {
        "version": package_versions()["cortiscope"],
        "commit": _git(root, "rev-parse", "HEAD"),
        "dirty": _is_dirty(root),
        "source": _hash_files(sorted(root.rglob("*.py")), root),
    }


def source_fingerprint(*modules: ModuleType | str) -> str:
    """Hash the source files of the modules that compute something.

    A result's id contains this hash, so that a changed instrument never passes for the old one.

    Examples
    --------
    >>> len(source_fingerprint("cortiscope.ledger.fingerprint"))
    64
    """
    paths = []
    for module in modules:
        loaded = sys.modules[module] if isinstance(module, str) else module
        if loaded.__file__ is None:
            msg = f"{loaded.__name__} has no source file"
            raise ValueError(msg)
        paths.append(Path(loaded.__file__))
    return _hash_files(sorted(paths), None)


def _hash_files(paths: list[Path], root: Path | None) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update((str(path.relative_to(root)) if root else path.name).encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _git(root: Path, *arguments: str) -> str | None:
    # Only a checkout that tracks this very package counts; a virtual environment inside somebody
    # else's repository must not lend its commit to us.
    try:
        tracked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", "__init__.py"],
            cwd=root,
            capture_output=True,
            timeout=10,
            check=False,
        )
        if tracked.returncode != 0:
            return None
        answer = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _is_dirty(root: Path) -> bool | None:
    status = _git(root, "status", "--porcelain", "--", ".")
    return None if status is None else bool(status)
