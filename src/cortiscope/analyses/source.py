"""The code that a result depends on: its instrument's module, and all that this imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cortiscope.ledger import source_fingerprint

_PACKAGE = __name__.partition(".")[0]
_ROOMS = tuple(f"{_PACKAGE}.{room}" for room in ("statistics", "codes", "phantoms", "analyses"))
# Modules of this room in which no number is computed.
_WITHOUT_NUMBERS = tuple(
    f"{_PACKAGE}.analyses.{name}" for name in ("figures", "instrument", "instruments", "result")
)


@cache
def source_of(module: str) -> str:
    """Fingerprint the code that an instrument's numbers depend on.

    It is found, not listed: the module itself, what it imports of the rooms that compute
    (statistics, codes, phantoms and analyses) or of its own package, and what these import.
    Responses and recordings bring their own fingerprints.

    Parameters
    ----------
    module : str
        Name of the instrument's module, which must be loaded.

    Returns
    -------
    str
        Changes with any of these files.

    Examples
    --------
    >>> len(source_of("cortiscope.analyses.decode"))
    64
    """
    return source_fingerprint(*sorted(modules_behind(module)))


def modules_behind(module: str) -> set[str]:
    """Name the modules that `source_of` looks at.

    Examples
    --------
    >>> behind = modules_behind("cortiscope.analyses.decode")
    >>> "cortiscope.statistics.ridge" in behind, "cortiscope.analyses.figures.decode" in behind
    (True, False)
    """
    found = {module}
    waiting = [module]
    while waiting:
        for imported in _imports(waiting.pop()):
            if imported not in found and _counts(imported, module):
                found.add(imported)
                waiting.append(imported)
    return found


def _counts(imported: str, module: str) -> bool:
    own = module.partition(".")[0]
    if own != _PACKAGE and imported.partition(".")[0] == own:
        return True
    return imported.startswith(_ROOMS) and not imported.startswith(_WITHOUT_NUMBERS)


@cache
def _imports(module: str) -> frozenset[str]:
    """Find the modules that define what a module imports; packages that only pass it on do not."""
    return frozenset(_defining(where, name) for where, name in _imported_names(module))


def _imported_names(module: str) -> Iterator[tuple[str, str]]:
    path = sys.modules[module].__file__
    if path is None or not path.endswith(".py"):
        return
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.module, alias.name


def _defining(where: str, name: str) -> str:
    """Follow a name through the packages that pass it on."""
    if f"{where}.{name}" in sys.modules:
        return f"{where}.{name}"
    if where in sys.modules and hasattr(sys.modules[where], "__path__"):
        for source, passed_on in _imported_names(where):
            if passed_on == name and source != where:
                return _defining(source, name)
    return where
