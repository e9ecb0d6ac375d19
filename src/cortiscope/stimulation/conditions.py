"""What is done to a subject at once: a named set of interventions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cortiscope.errors import InputError
from cortiscope.ledger import fingerprint
from cortiscope.stimulation.intervention import Intervention
from cortiscope.stimulation.where import Positions, Where, earliest

if TYPE_CHECKING:
    from cortiscope.subjects import Anatomy


@dataclass(frozen=True, eq=False, init=False)
class Condition:
    """Interventions that act together in one pass; none at all is the clean subject.

    Parameters
    ----------
    name : str
        How it is called in a response.
    interventions : Intervention or sequence of Intervention
        Those that meet at one site and layer act there in this order.
    labels : mapping of str to str, int, float or bool
        What analyses sort conditions by, such as ``{"kind": "units", "n_units": 20}``: coordinates
        along ``condition`` in a response.

    Examples
    --------
    >>> Condition("clean").interventions
    ()
    """

    name: str
    interventions: tuple[Intervention, ...]
    labels: Mapping[str, str | int | float | bool]

    def __init__(
        self,
        name: str,
        interventions: Intervention | Iterable[Intervention] = (),
        labels: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        given = interventions
        listed = (given,) if isinstance(given, Intervention) else tuple(given)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "interventions", listed)
        object.__setattr__(self, "labels", dict(labels or {}))
        for item in listed:
            if not isinstance(item, Intervention):
                raise InputError(
                    f"The condition {name!r} was given a {type(item).__name__}; give "
                    "interventions: Lesion, Inject, Scale or Patch."
                )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of its name and of what it does."""
        return fingerprint([self.name, list(self.interventions), dict(self.labels)])

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """The sites and layers that it changes, each once."""
        return tuple(
            dict.fromkeys(
                (item.where.site, layer)
                for item in self.interventions
                for layer in item.where.layers
            )
        )

    @property
    def wheres(self) -> tuple[Where, ...]:
        """Where each of its interventions acts."""
        return tuple(item.where for item in self.interventions)

    @property
    def positions(self) -> Positions:
        """Where in a text it begins to act."""
        return earliest(self.wheres)

    def n_untouched(self, n_layers: int) -> int:
        """Count the blocks, from the first on, that it leaves alone and whose work it leaves alone.

        The stream after so many blocks is that of a clean pass, up to a change of that very stream.

        Examples
        --------
        >>> from cortiscope.stimulation import Scale, Where
        >>> Condition("end", Scale(2.0, where=Where("resid_post", 1))).n_untouched(4)
        2
        >>> Condition("half", Scale(2.0, where=Where("mlp_out", 1))).n_untouched(4)
        1
        """
        return min(
            (layer + (site == "resid_post") for site, layer in self.places), default=n_layers
        )

    def check(self, anatomy: Anatomy) -> None:
        """Raise `InputError` where it acts at a site or layer that a subject does not have."""
        for site, layer in self.places:
            try:
                anatomy.tap(site, layer)
            except InputError as error:
                raise InputError(f"The condition {self.name!r} cannot be made: {error}") from error


def check_conditions(conditions: Sequence[Condition], anatomy: Anatomy) -> tuple[Condition, ...]:
    """Give the conditions of a call, after a look at their names and places."""
    listed = tuple(conditions)
    names = [condition.name for condition in listed]
    twice = (
        sorted({name for name in names if names.count(name) > 1})
        if len(set(names)) < len(names)
        else []
    )
    if not listed or twice:
        what = f"several are called {twice[0]!r}" if twice else "there are none"
        raise InputError(f"Conditions need names of their own, and {what}; name each differently.")
    for condition in listed:
        condition.check(anatomy)
    return listed
