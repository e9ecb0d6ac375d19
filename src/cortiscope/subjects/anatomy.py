"""Where a model's sites are: the modules behind each name, and how to listen to them.

The sites of a block, for stimulus, token and layer:

resid_pre, resid_post
    The residual stream as the block takes it and as it leaves it. ``resid_pre`` of layer 0 is the
    embedding; in BERT and RoBERTa that is after the embedding's own LayerNorm.
attn_out, mlp_out
    What attention and the MLP add to the stream, after any post-norm (Gemma, OLMo 2) and before
    what follows the addition: in a pre-norm block nothing, so that resid_pre + attn_out + mlp_out
    = resid_post; in a post-LN block a LayerNorm, so that resid_post = LN(LN(resid_pre + attn_out)
    + mlp_out); in Gemma 4 a further term and a scale of the whole stream, so that resid_post =
    (resid_pre + attn_out + mlp_out + term) × layer_scalar.
mlp_act
    The input of the MLP's output projection: its units, after the non-linearity and any gate.
head_out
    The input of attention's output projection, split into heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from cortiscope.errors import InputError
from cortiscope.subjects.display import html_table
from cortiscope.subjects.families import Family, Place
from cortiscope.subjects.tap import Tap

SITES = ("resid_pre", "resid_post", "attn_out", "mlp_out", "mlp_act", "head_out")

SITE_TEXTS: Mapping[str, str] = {
    "resid_pre": "residual stream before the block (at layer 0 the embedding)",
    "resid_post": "residual stream after the block",
    "attn_out": "what attention adds to the stream",
    "mlp_out": "what the MLP adds to the stream",
    "mlp_act": "input of the MLP's output projection",
    "head_out": "input of attention's output projection, by head",
}


class Anatomy:
    """Where residual stream, attention, MLP, units and heads are in one model.

    Parameters
    ----------
    model : nn.Module
        A transformers model with its head.
    family : Family
        The entry that covers it, resolved for its configuration.
    refused : mapping of str to str
        Sites that could not be proved, each with its reason.

    Attributes
    ----------
    n_layers, n_units, n_heads : int
        Blocks, width of the residual stream, attention heads.
    n_mlp_units, head_width : int or None
        Width of the MLP and of a head; None where they differ between layers.
    """

    def __init__(
        self, model: nn.Module, family: Family, refused: Mapping[str, str] | None = None
    ) -> None:
        config: Any = model.config
        text = config.get_text_config()
        self.family = family
        self.body = _module(model, family.body, "the model", family)
        # Not .children(), which would pass over a block that is in the list twice.
        self.blocks = tuple(_module(self.body, family.blocks, "the body", family))
        self.tail = tuple(
            module
            for path in family.tail
            if (module := _module(model, path, "the model", family, optional=True)) is not None
        )
        self.logit_cap = None if family.logit_cap is None else getattr(text, family.logit_cap, None)
        self.n_layers = len(self.blocks)
        self.n_units = int(text.hidden_size)
        self.n_heads = int(text.num_attention_heads)
        mlp_widths = self._input_widths(family.mlp.writes[0])
        attention_widths = self._input_widths(family.attention.writes[0])
        self.n_mlp_units = mlp_widths[0] if len(set(mlp_widths)) == 1 else None
        self.head_width = (
            attention_widths[0] // self.n_heads if len(set(attention_widths)) == 1 else None
        )
        self.refused: dict[str, str] = {
            **_uneven("mlp_act", mlp_widths, "the MLP", 1),
            **_uneven("head_out", attention_widths, "a head", self.n_heads),
            **(refused or {}),
        }

    @property
    def block_kind(self) -> str:
        """How a block changes the stream, such as "additive"."""
        return self.family.kind

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that are not refused, in the order of `SITES`."""
        return tuple(site for site in SITES if site not in self.refused)

    def shape(self, site: str) -> tuple[tuple[str, int], ...]:
        """Name the dimensions of a site after stimulus and token.

        Parameters
        ----------
        site : str
            One of `sites`.

        Returns
        -------
        tuple of (str, int)
            Name and size of each: ("unit", n_units), ("mlp_unit", n_mlp_units), or
            ("head", n_heads) and ("head_unit", head_width).

        Raises
        ------
        InputError
            For a site that is refused or unknown.
        """
        self._check(site)
        if site == "mlp_act" and self.n_mlp_units is not None:
            return (("mlp_unit", self.n_mlp_units),)
        if site == "head_out" and self.head_width is not None:
            return (("head", self.n_heads), ("head_unit", self.head_width))
        return (("unit", self.n_units),)

    def tap(self, site: str, layer: int) -> Tap:
        """Find where to listen to a site of a layer.

        Parameters
        ----------
        site : str
            One of `sites`.
        layer : int
            From 0 to ``n_layers - 1``.

        Returns
        -------
        Tap
            To attach a callback to.

        Raises
        ------
        InputError
            For a site that is refused (with the reason) or unknown, and a layer that is not there.
        """
        self._check(site)
        if not 0 <= layer < self.n_layers:
            raise InputError(
                f"There is no layer {layer}: the model has {self.n_layers} layers, counted from 0."
            )
        return self.locate(site, layer)

    def locate(self, site: str, layer: int) -> Tap:
        """Find a site without asking whether it is proved; for the proof itself."""
        return self._tap_at(self._place(site), site, layer, self._trailing(site))

    def locate_between(self, layer: int) -> Tap | None:
        """Find the stream between attention and MLP, where the family declares one."""
        place = self.family.between
        if place is None:
            return None
        return self._tap_at(place, "between", layer, (self.n_units,))

    def locate_terms(self, layer: int) -> list[Tap]:
        """Find the further declared terms that this model has."""
        return [
            self._tap_at(place, f"term {place.path}", layer, (self.n_units,))
            for place in self.family.terms
            if _find(self.blocks[layer], place.path) is not None
        ]

    def module(self, path: str, layer: int) -> nn.Module:
        """Find a module of a block by its path."""
        found: nn.Module = _module(self.blocks[layer], path, f"block {layer}", self.family)
        return found

    def path_of(self, site: str) -> str:
        """Write where a site is read, such as "mlp.down_proj (input)"."""
        place = self._place(site)
        return f"{place.path or 'block'} ({place.end})"

    def _place(self, site: str) -> Place:
        family = self.family
        return {
            "resid_pre": Place("", "input"),
            "resid_post": Place("", "output"),
            "attn_out": family.attention.adds,
            "mlp_out": family.mlp.adds,
            "mlp_act": Place(family.mlp.writes[0], "input", family.mlp.adds.flat),
            "head_out": Place(family.attention.writes[0], "input", family.attention.adds.flat),
        }[site]

    def _trailing(self, site: str) -> tuple[int, ...]:
        if site == "mlp_act":
            return (self.n_mlp_units or -1,)
        if site == "head_out":
            return (self.n_heads, self.head_width or -1)
        return (self.n_units,)

    def _tap_at(self, place: Place, site: str, layer: int, trailing: tuple[int, ...]) -> Tap:
        block = self.blocks[layer]
        path = ".".join(filter(None, (self.family.blocks, str(layer), place.path)))
        module = self.module(place.path, layer)
        return Tap(site, layer, path, module, place.end, trailing, block if place.flat else None)

    def _input_widths(self, path: str) -> list[int]:
        return [_input_width(self.module(path, layer)) for layer in range(self.n_layers)]

    def _check(self, site: str) -> None:
        if site not in SITES:
            raise InputError(f"There is no site {site!r}; take one of {', '.join(SITES)}.")
        if site in self.refused:
            raise InputError(
                f"The site {site} is refused in this model because {self.refused[site]}; "
                f"take one that is proved: {', '.join(self.sites) or 'none'}."
            )

    def _rows(self) -> list[tuple[str, str, str]]:
        rows = []
        for site in SITES:
            if site in self.refused:
                rows.append((site, "refused", self.refused[site]))
            else:
                size = " × ".join(f"{n:,} {name}s" for name, n in self.shape(site))
                rows.append((site, size, f"{SITE_TEXTS[site]}: {self.path_of(site)}"))
        return rows

    def _title(self) -> str:
        return f"{self.family.name}, {self.n_layers} layers, blocks {self.block_kind}"

    def __repr__(self) -> str:
        """Draw the sites as a small table."""
        rows = self._rows()
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        lines = [f"  {a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in rows]
        return "\n".join([f"Anatomy: {self._title()}", *lines])

    def _repr_html_(self) -> str:
        return html_table(f"Anatomy: {self._title()}", self._rows(), ("site", "size", "where"))


def _find(root: nn.Module, path: str) -> nn.Module | None:
    found: Any = root
    for name in filter(None, path.split(".")):
        found = getattr(found, name, None)
        if found is None:
            return None
    return found if isinstance(found, nn.Module) else None


def _module(
    root: nn.Module, path: str, where: str, family: Family, *, optional: bool = False
) -> Any:
    found = _find(root, path)
    if found is not None:
        return found
    parent, _, name = path.rpartition(".")
    holder = _find(root, parent)
    if optional and holder is not None and hasattr(holder, name):
        return None  # there by name and switched off, as OPT's final norm in its post-LN models
    raise InputError(
        f"{where.capitalize()} has no module {path}, which the entry of the family {family.name} "
        f"names; load a {family.name} model with its head, or mend the entry."
    )


def _input_width(module: Any) -> int:
    # GPT-2's Conv1D does not say how wide it is, and keeps its weight as (input, output).
    width: int = module.in_features if hasattr(module, "in_features") else module.weight.shape[0]
    return width


def _uneven(site: str, widths: list[int], what: str, divisor: int) -> dict[str, str]:
    if len(set(widths)) == 1:
        return {}
    sizes = ", ".join(str(width // divisor) for width in sorted(set(widths)))
    return {site: f"the width of {what} differs between layers ({sizes})"}
