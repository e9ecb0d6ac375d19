"""One way for other packages to add to a room: entry points that give things with names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from cortiscope.errors import InputError

_Kind = TypeVar("_Kind")


def with_plugins(
    built_in: Iterable[_Kind],
    group: str,
    kind: type[_Kind] | Any,
    names: Callable[[_Kind], Iterable[str]],
) -> dict[str, _Kind]:
    """Collect what a room has and what other packages add to it, by name.

    Parameters
    ----------
    built_in : iterable
        The room's own things.
    group : str
        Entry-point group; each entry point gives one thing, or a sequence of them.
    kind : type
        What each thing must be.
    names : callable
        Gives the names of a thing, each of which may be taken once.

    Returns
    -------
    dict of str to kind
        Built in ones first.

    Raises
    ------
    InputError
        When an entry point cannot be loaded, gives something else, or takes a name again.

    Examples
    --------
    >>> list(with_plugins(["a", "b"], "cortiscope.nothing", str, lambda name: [name]))
    ['a', 'b']
    """
    found: dict[str, _Kind] = {}
    for thing in built_in:
        _add(found, thing, kind, names, "cortiscope itself", group)
    for point in entry_points(group=group):
        try:
            value = point.load()
        except Exception as error:  # another package's code may fail in any way
            msg = (
                f"The entry point {point.value} of {group} cannot be loaded "
                f"({type(error).__name__}: {error}); mend or uninstall that package."
            )
            raise InputError(msg) from error
        things = value if isinstance(value, (list, tuple)) else (value,)
        for thing in things:
            _add(found, thing, kind, names, f"the entry point {point.value}", group)
    return found


def _add(
    found: dict[str, _Kind],
    thing: Any,
    kind: type[_Kind],
    names: Callable[[_Kind], Iterable[str]],
    source: str,
    group: str,
) -> None:
    if not isinstance(thing, kind):
        expected = getattr(kind, "__name__", str(kind))
        msg = (
            f"In {group}, {source} gives a {type(thing).__name__}, where a {expected} was "
            "expected; mend or uninstall that package."
        )
        raise InputError(msg)
    for name in names(thing):
        if name in found:
            msg = (
                f"In {group}, {source} registers {name!r}, which is there already; give it "
                "another name."
            )
            raise InputError(msg)
        found[name] = thing
