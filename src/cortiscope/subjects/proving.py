"""The anatomy proves itself on a short input, site by site, or the site is refused.

What is proved on the model as loaded, in its own dtype and on its own device:

- every hook fires exactly once a pass in every layer;
- the stream after a block is the stream before the next one;
- the last block's stream, put through the model's own tail, gives the model's own output;
- the stream before a block + what attention adds + what the MLP adds (+ declared terms, × declared
  scale) is the stream after it; in post-LN blocks the block's own norms follow each addition. Where
  the stream between the two halves can be read, each half is proved by itself;
- the MLP's units, put through its own output projection (and post-norm), give what the MLP adds,
  and the heads likewise what attention adds.

Sums are made in the model's dtype and in its order, so that they come out bit by bit in any dtype
when the entry is right; they are compared in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from cortiscope.errors import InputError
from cortiscope.subjects.anatomy import SITES, Anatomy
from cortiscope.subjects.proof import Check, Proof, SiteProof
from cortiscope.subjects.tap import Tap

TOLERANCES: Mapping[torch.dtype, float] = {
    torch.float64: 1e-10,
    torch.float32: 1e-5,
    torch.float16: 4e-3,
    torch.bfloat16: 2e-2,
}
"""Largest error of an equation, as a share of the RMS of the site that it proves, by dtype."""


def prove(
    anatomy: Anatomy,
    subject: str,
    batch: Mapping[str, Tensor],
    run_body: Callable[[], object],
    run_model: Callable[[], Tensor],
    dtype: torch.dtype,
) -> Proof:
    """Prove an anatomy on one batch.

    Parameters
    ----------
    anatomy : Anatomy
        What is to be proved; sites that it refuses by their layout are not tried.
    subject : str
        The subject's name.
    batch : mapping of str to Tensor
        What is shown, with an ``attention_mask``: only real tokens are compared.
    run_body : callable
        Runs the body on the batch, as a scan does.
    run_model : callable
        Runs the whole model on the batch and gives its output (batch, token, vocabulary).
    dtype : torch.dtype
        The model's dtype.

    Returns
    -------
    Proof
        Of every site.

    Raises
    ------
    InputError
        When no site can be proved, or the dtype has no tolerance.
    """
    if dtype not in TOLERANCES:
        known = ", ".join(_dtype_name(known) for known in TOLERANCES)
        raise InputError(
            f"{subject} is loaded as {_dtype_name(dtype)}, for which there is no proof; "
            f"choose a dtype of {known}."
        )
    output = run_model()
    capture = _Capture(anatomy, batch["attention_mask"].bool())
    with torch.no_grad():
        capture.listen(run_body)
        sites = tuple(_Prover(anatomy, capture, output, TOLERANCES[dtype]).run())
    proof = Proof(
        subject=subject,
        family=anatomy.family.name,
        kind=anatomy.block_kind,
        dtype=_dtype_name(dtype),
        tolerance=TOLERANCES[dtype],
        n_texts=len(batch["attention_mask"]),
        n_tokens=int(batch["attention_mask"].sum()),
        sites=sites,
    )
    if not proof.proved:
        reasons = "; ".join(f"{site}: {reason}" for site, reason in proof.refused.items())
        raise InputError(
            f"No site of {subject} could be proved as the family {proof.family} is laid out "
            f"({reasons}); choose a model whose blocks are those of its family, or register a "
            "family of its own."
        )
    return proof


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class _Capture:
    """What every hook saw in one pass, and how often it fired."""

    def __init__(self, anatomy: Anatomy, mask: Tensor) -> None:
        self.mask = mask
        self.seen: dict[tuple[str, int], list[Tensor]] = {}
        layers = range(anatomy.n_layers)
        self.taps = [anatomy.locate(site, layer) for site in anatomy.sites for layer in layers]
        for layer in layers:
            self.taps += anatomy.locate_terms(layer)
            between = anatomy.locate_between(layer)
            self.taps += [] if between is None else [between]
        for tap in self.taps:
            self.seen[tap.site, tap.layer] = []

    def listen(self, run: Callable[[], object]) -> None:
        handles = [tap.attach(self._keep(tap)) for tap in self.taps]
        try:
            run()
        finally:
            for handle in handles:
                handle.remove()

    def _keep(self, tap: Tap) -> Callable[[Tensor], None]:
        # A copy, because a block may go on to change the tensor in place, as Gemma 4's does.
        kept = self.seen[tap.site, tap.layer]
        return lambda tensor: kept.append(tensor.detach().clone())

    def fired_once(self, site: str, layer: int) -> bool:
        return len(self.seen.get((site, layer), ())) == 1

    def get(self, site: str, layer: int) -> Tensor:
        return self.seen[site, layer][0]

    def trouble(self, site: str) -> str | None:
        """Say how a site's hooks failed to fire once in every layer."""
        counts = {layer: len(kept) for (name, layer), kept in self.seen.items() if name == site}
        wrong = {layer: count for layer, count in counts.items() if count != 1}
        if not wrong:
            return None
        path = next(tap.path for tap in self.taps if (tap.site, tap.layer) == (site, min(wrong)))
        layers = ", ".join(map(str, wrong))
        if not any(wrong.values()):
            return f"its hook did not fire in layer {layers}: {path} is not called in a pass"
        times = "/".join(map(str, sorted(set(wrong.values()))))
        return (
            f"its hook fired {times} times a pass in layer {layers}: "
            f"{path} is used more than once, or not by its own layer"
        )


class _Prover:
    """Tries every equation on what was captured."""

    def __init__(
        self, anatomy: Anatomy, capture: _Capture, output: Tensor, tolerance: float
    ) -> None:
        self.anatomy = anatomy
        self.family = anatomy.family
        self.capture = capture
        self.output = output
        self.tolerance = tolerance
        self.layers = range(anatomy.n_layers)

    def run(self) -> Iterable[SiteProof]:
        equations: dict[str, Callable[[], list[Check]]] = {
            "resid_pre": lambda: self._chain("resid_pre"),
            "resid_post": lambda: [*self._chain("resid_post"), self._tail()],
            "attn_out": lambda: [self._attention()],
            "mlp_out": lambda: [self._mlp()],
            "mlp_act": lambda: [self._projection("mlp_act", "mlp_out", self.family.mlp.writes)],
            "head_out": lambda: [
                self._projection("head_out", "attn_out", self.family.attention.writes)
            ],
        }
        for site in SITES:
            checks: tuple[Check, ...] = ()
            reason = self.anatomy.refused.get(site) or self.capture.trouble(site)
            if reason is None:
                try:
                    checks = tuple(equations[site]())
                except _NotCapturedError as missing:
                    reason = str(missing)
                else:
                    reason = self._first_failure(checks)
            yield SiteProof(site, self.anatomy.path_of(site), checks, reason)

    def _first_failure(self, checks: Iterable[Check]) -> str | None:
        for check in checks:
            where = "" if check.layer is None else f" in layer {check.layer}"
            if math.isnan(check.error):
                return f"values are not finite{where}, which a wider dtype may mend"
            if check.error > self.tolerance:
                return (
                    f"{check.equation} does not hold{where} "
                    f"(error {check.error:.2g} of its RMS, {self.tolerance:g} allowed)"
                )
        return None

    def _chain(self, site: str) -> list[Check]:
        self._need("resid_pre", "resid_post")
        get = self.capture.get
        if self.anatomy.n_layers == 1:  # nothing to chain; its sum says what comes in
            return [self._attention()] if site == "resid_pre" else []
        return [
            self._worst(
                "resid_post of a layer = resid_pre of the next",
                site,
                self.layers[1:] if site == "resid_pre" else self.layers[:-1],
                lambda at: (
                    (get("resid_post", at - 1), get("resid_pre", at))
                    if site == "resid_pre"
                    else (get("resid_pre", at + 1), get("resid_post", at))
                ),
            )
        ]

    def _tail(self) -> Check:
        found = self.capture.get("resid_post", self.layers[-1])
        for module in self.anatomy.tail:
            found = module(found)
        if self.anatomy.logit_cap is not None:
            found = torch.tanh(found / self.anatomy.logit_cap) * self.anatomy.logit_cap
        error = self._error(found, self.output, self.output)
        return Check("last resid_post through the model's own tail = the model's own output", error)

    def _attention(self) -> Check:
        if not self._has_between():
            return self._whole("attn_out")
        self._need("resid_pre")
        get = self.capture.get
        return self._worst(
            self._in_norm("resid_pre + attn_out", self.family.attention.norm)
            + " = stream between attention and MLP",
            "attn_out",
            self.layers,
            lambda layer: (
                self._normed(
                    _sum(get("resid_pre", layer), get("attn_out", layer)),
                    self.family.attention.norm,
                    layer,
                ),
                get("between", layer),
            ),
        )

    def _mlp(self) -> Check:
        if not self._has_between():
            return self._whole("mlp_out")
        self._need("resid_post")
        get = self.capture.get
        return self._worst(
            self._in_norm(
                self._described("stream between attention and MLP + mlp_out"), self.family.mlp.norm
            )
            + " = resid_post",
            "mlp_out",
            self.layers,
            lambda layer: (
                self._finished(_sum(get("between", layer), get("mlp_out", layer)), layer),
                get("resid_post", layer),
            ),
        )

    def _whole(self, site: str) -> Check:
        """Prove both halves at once, where the stream between them is not to be had."""
        self._need("resid_pre", "resid_post", "attn_out", "mlp_out")
        get = self.capture.get

        def both(layer: int) -> tuple[Tensor, Tensor]:
            pre, attention, mlp = (get(s, layer) for s in ("resid_pre", "attn_out", "mlp_out"))
            if self.family.between is None:
                found = _sum(mlp, attention, pre)  # in the order in which a parallel block adds
            else:
                inner = self._normed(_sum(pre, attention), self.family.attention.norm, layer)
                found = _sum(inner, mlp)
            return self._finished(found, layer), get("resid_post", layer)

        inner = self._in_norm("resid_pre + attn_out", self.family.attention.norm)
        equation = self._in_norm(self._described(f"{inner} + mlp_out"), self.family.mlp.norm)
        return self._worst(f"{equation} = resid_post", site, self.layers, both)

    def _projection(self, units: str, added: str, writes: tuple[str, ...]) -> Check:
        self._need(added)

        def through(layer: int) -> tuple[Tensor, Tensor]:
            found = self.capture.get(units, layer)
            found = found.reshape(*found.shape[:2], -1)
            for path in writes:
                found = self.anatomy.module(path, layer)(found)
            return found, self.capture.get(added, layer)

        way = "its own projection" + (" and post-norm" if len(writes) > 1 else "")
        return self._worst(f"{units} through {way} = {added}", added, self.layers, through)

    def _has_between(self) -> bool:
        return all(self.capture.fired_once("between", layer) for layer in self.layers)

    def _finished(self, stream: Tensor, layer: int) -> Tensor:
        """Add the declared terms, multiply by the declared scale, and apply the post-LN norm."""
        for tap in self.anatomy.locate_terms(layer):
            self._need(tap.site)
            stream = _sum(stream, self.capture.get(tap.site, layer))
        if self.family.scale is not None:
            stream = stream * getattr(self.anatomy.blocks[layer], self.family.scale)
        return self._normed(stream, self.family.mlp.norm, layer)

    def _normed(self, stream: Tensor, norm: str | None, layer: int) -> Tensor:
        return stream if norm is None else self.anatomy.module(norm, layer)(stream)

    def _described(self, total: str) -> str:
        if self.anatomy.locate_terms(0):
            total += " + declared terms"
        return total if self.family.scale is None else f"({total}) × {self.family.scale}"

    @staticmethod
    def _in_norm(total: str, norm: str | None) -> str:
        return total if norm is None else f"{norm}({total})"

    def _need(self, *sites: str) -> None:
        for site in sites:
            trouble = self.capture.trouble(site)
            if trouble is not None:
                raise _NotCapturedError(f"{site}, which its proof needs, failed: {trouble}")

    def _worst(
        self,
        equation: str,
        site: str,
        layers: Iterable[int],
        sides: Callable[[int], tuple[Tensor, Tensor]],
    ) -> Check:
        errors = {
            layer: self._error(*sides(layer), self.capture.get(site, layer)) for layer in layers
        }
        worst = max(errors, key=lambda layer: _nan_is_most(errors[layer]))
        return Check(equation, errors[worst], worst)

    def _error(self, found: Tensor, wanted: Tensor, site: Tensor) -> float:
        """Compare in float32, over real tokens, as a share of the site's RMS."""
        if found.shape != wanted.shape:
            return math.inf
        rounding = torch.finfo(site.dtype).eps
        found, wanted, site = (self._real(tensor) for tensor in (found, wanted, site))
        if not all(bool(tensor.isfinite().all()) for tensor in (found, wanted, site)):
            return math.nan
        slack = rounding * torch.maximum(found.abs(), wanted.abs())
        excess = float(((found - wanted).abs() - slack).clamp(min=0).max())
        scale = float(site.square().mean().sqrt())
        return excess / scale if scale > 0 else (0.0 if excess == 0 else math.inf)

    def _real(self, tensor: Tensor) -> Tensor:
        tokens = tensor[self.capture.mask.to(tensor.device)].cpu()
        return tokens if tokens.dtype == torch.float64 else tokens.float()


def _sum(*tensors: Tensor) -> Tensor:
    """Add from left to right, on the device of the last: a block's input may come from another."""
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total.to(tensor.device) + tensor
    return total


def _nan_is_most(error: float) -> float:
    return math.inf if math.isnan(error) else error


class _NotCapturedError(Exception):
    """An equation needs a site whose hooks did not fire once in every layer."""
