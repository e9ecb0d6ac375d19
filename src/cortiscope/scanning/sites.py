"""Which sites a recording holds, at which layers, and how their arrays are laid out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cortiscope.errors import InputError

if TYPE_CHECKING:
    from cortiscope.subjects import Anatomy

_REQUEST = re.compile(r"\s*(?P<site>\w+)\s*(?:\[(?P<layers>[^\]]*)\])?\s*")


@dataclass(frozen=True)
class SiteLayout:
    """One site of a recording: its layers, and the dimensions that follow them.

    Parameters
    ----------
    site : str
        Name of the site.
    layers : tuple of int
        The layers that are recorded, ascending, counted from 0.
    whole : bool
        True when these are all layers of the subject.
    dims : tuple of (str, int)
        Name and size of what follows (stimulus, layer).
    """

    site: str
    layers: tuple[int, ...]
    whole: bool
    dims: tuple[tuple[str, int], ...]

    @property
    def layer_dim(self) -> str:
        """Name of the layer dimension in a Dataset, where equal names must have equal layers."""
        return "layer" if self.whole else f"{self.site}_layer"

    @property
    def dim_names(self) -> tuple[str, ...]:
        """Names of all dimensions."""
        return ("stimulus", self.layer_dim, *(name for name, _ in self.dims))

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of what is recorded for one stimulus."""
        return (len(self.layers), *(size for _, size in self.dims))

    def __str__(self) -> str:
        """Write the site as the user asks for it."""
        return self.site if self.whole else f"{self.site}[{','.join(map(str, self.layers))}]"

    def as_json(self) -> dict[str, Any]:
        """Give the fields as JSON holds them."""
        return {
            "site": self.site,
            "layers": list(self.layers),
            "whole": self.whole,
            "dims": [list(dim) for dim in self.dims],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SiteLayout:
        """Read what `as_json` gave."""
        return cls(
            site=values["site"],
            layers=tuple(values["layers"]),
            whole=values["whole"],
            dims=tuple((name, size) for name, size in values["dims"]),
        )


def parse_site(request: str) -> tuple[str, tuple[int, ...] | None]:
    """Split a site as the user writes it into its name and its layers.

    Parameters
    ----------
    request : str
        A site, alone or with layers in brackets.

    Returns
    -------
    site : str
        The name.
    layers : tuple of int or None
        Ascending, each once; None when none were named, which means all.

    Raises
    ------
    InputError
        When the text is neither.

    Examples
    --------
    >>> parse_site("resid_post[4,2]")
    ('resid_post', (2, 4))
    >>> parse_site("mlp_act")
    ('mlp_act', None)
    """
    match = _REQUEST.fullmatch(request)
    if match is None:
        raise _bad_request(request)
    if match["layers"] is None:
        return match["site"], None
    numbers = [number.strip() for number in match["layers"].split(",")]
    if not all(number.isdecimal() for number in numbers):
        raise _bad_request(request)
    return match["site"], tuple(sorted({int(number) for number in numbers}))


def _bad_request(request: str) -> InputError:
    return InputError(
        f"The site {request!r} cannot be read: write a site's name, as resid_post, or its name "
        "with layers, as resid_post[2,4]."
    )


def lay_out_sites(
    sites: Sequence[str] | str, anatomy: Anatomy, n_tokens: int | None = None
) -> tuple[SiteLayout, ...]:
    """Resolve the sites that a user asks for against a subject's anatomy.

    Parameters
    ----------
    sites : sequence of str
        Sites, each with or without layers.
    anatomy : Anatomy
        Of the subject.
    n_tokens : int, optional
        Size of the token dimension, where every position is kept.

    Returns
    -------
    tuple of SiteLayout
        In the order asked for.

    Raises
    ------
    InputError
        When there is none, one is named twice, or the anatomy refuses a site or a layer.
    """
    requests = [sites] if isinstance(sites, str) else list(sites)
    if not requests:
        raise InputError("No site was named to record: name at least one, as resid_post.")
    layouts: dict[str, SiteLayout] = {}
    for request in requests:
        site, layers = parse_site(request)
        if site in layouts:
            raise InputError(
                f"The site {site} is named twice: put all its layers into one bracket, "
                f"as {site}[0,1]."
            )
        every = tuple(range(anatomy.n_layers))
        chosen = every if layers is None else layers
        for layer in chosen:
            anatomy.tap(site, layer)  # raises for a site or layer that the subject lacks
        token = () if n_tokens is None else (("token", n_tokens),)
        layouts[site] = SiteLayout(
            site=site, layers=chosen, whole=chosen == every, dims=(*token, *anatomy.shape(site))
        )
    return tuple(layouts.values())
