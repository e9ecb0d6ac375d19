"""What each intervention does to numbers, against the same written in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cortiscope import Recording
from cortiscope.codes import Direction, Eraser
from cortiscope.errors import InputError
from cortiscope.stimulation import (
    Condition,
    Inject,
    Intervention,
    Lesion,
    Patch,
    Row,
    Scale,
    Where,
    units_of_head,
)
from cortiscope.subjects import Tokens
from stimulation import direction

N_UNITS = 12
RNG = np.random.default_rng(0)
REFERENCE = RNG.normal(size=(7, N_UNITS)).astype(np.float32)
VECTOR = direction(N_UNITS)
SUBSPACE = np.linalg.qr(RNG.normal(size=(N_UNITS, 3)))[0].T
AT = Where(layers=1)

ROWS = (
    Row("a", Tokens((1, 5, 6, 7, 8), ((0, 0),) * 5, (True, *[False] * 4)), (2, 3), ()),
    Row("b", Tokens((1, 5, 6, 2), ((0, 0),) * 4, (True, False, False, True)), (1,), ()),
    Row("neutral", Tokens((1, 5, 6), ((0, 0),) * 3, (True, False, False)), None, ()),
)
LENGTH = 6


def batch(seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(len(ROWS), LENGTH, N_UNITS)).astype(np.float32))


def lesion_units(x: Any) -> Any:
    x = x.copy()
    x[..., [1, 4]] = REFERENCE.mean(axis=0)[[1, 4]]
    return x


def lesion_subspace(x: Any) -> Any:
    projector = SUBSPACE.T @ SUBSPACE
    return x - x @ projector + REFERENCE.mean(axis=0) @ projector


def scale_along(x: Any) -> Any:
    v = VECTOR.vector.astype(float)
    centre = REFERENCE.mean(axis=0) @ v
    return x + (-2.0 - 1.0) * ((x @ v) - centre)[..., None] * v


ERASER = Eraser(
    np.eye(N_UNITS, 1) + 0.5 * np.eye(N_UNITS, 1, -3),
    np.eye(N_UNITS, 1) + 2.0 * np.eye(N_UNITS, 1, -5),
    REFERENCE[0],
    "resid_post",
    1,
    "animal",
)

CASES: dict[str, tuple[Intervention, Callable[[Any], Any]]] = {
    "units": (Lesion(units=(4, 1), reference=REFERENCE, where=AT), lesion_units),
    "units to zero": (
        Lesion(units=range(N_UNITS), replace="zero", where=AT),
        lambda x: np.zeros_like(x),
    ),
    "direction": (
        Lesion(direction=VECTOR, replace="zero", where=AT),
        lambda x: x - (x @ VECTOR.vector)[..., None] * VECTOR.vector,
    ),
    "subspace": (Lesion(subspace=SUBSPACE, reference=REFERENCE, where=AT), lesion_subspace),
    "eraser": (Lesion(eraser=ERASER, where=AT), lambda x: ERASER(x)),
    "inject": (
        Inject(VECTOR, -1.5, AT),
        lambda x: x - 1.5 * 3.0 * VECTOR.vector,
    ),
    "scale": (Scale(0.25, where=AT), lambda x: x * 0.25),
    "scale along": (Scale(-2.0, VECTOR, reference=REFERENCE, where=AT), scale_along),
}


@pytest.mark.parametrize("name", CASES)
def test_it_does_what_its_formula_says_at_its_tokens_and_nothing_elsewhere(name: str) -> None:
    intervention, formula = CASES[name]
    x = batch()
    mask = intervention.where.mask(ROWS, LENGTH)
    found = intervention.apply(x, mask, ROWS, layer=1)
    np.testing.assert_allclose(found[mask], formula(x.numpy().astype(float))[mask], atol=1e-5)
    assert torch.equal(found[~mask], x[~mask])
    assert torch.equal(x, batch())  # pure


@pytest.mark.parametrize("name", CASES)
def test_bfloat16_is_rounded_once(name: str) -> None:
    intervention, _ = CASES[name]
    x = batch().bfloat16()
    mask = intervention.where.mask(ROWS, LENGTH)
    found = intervention.apply(x, mask, ROWS, layer=1)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, intervention.apply(x.float(), mask, ROWS, layer=1).bfloat16())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6), name=st.sampled_from(["units", "direction", "subspace", "eraser"])
)
def test_a_lesion_of_what_is_lesioned_changes_nothing_more(seed: int, name: str) -> None:
    intervention, _ = CASES[name]
    mask = intervention.where.mask(ROWS, LENGTH)
    once = intervention.apply(batch(seed), mask, ROWS, layer=1)
    twice = intervention.apply(once, mask, ROWS, layer=1)
    torch.testing.assert_close(twice, once, atol=1e-5, rtol=0)


def test_where_counts_from_the_target_and_never_touches_leading_special_tokens() -> None:
    marked = {
        positions: Where(layers=0, positions=positions).mask(ROWS, LENGTH).int().tolist()
        for positions in ("from_target", "target", "target_last", "all")
    }
    assert marked == {
        "from_target": [[0, 0, 0, 1, 1, 0], [0, 1, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0]],
        "target": [[0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0]],
        "target_last": [[0, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0]],
        "all": [[0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 0, 0], [0, 1, 1, 0, 0, 0]],
    }


def test_a_resampled_value_belongs_to_the_stimulus_not_to_its_batch() -> None:
    lesion = Lesion(units=(0, 3), replace="resample", reference=REFERENCE, where=AT)
    mask = lesion.where.mask(ROWS, LENGTH)
    together = lesion.apply(batch(), mask, ROWS, layer=1)
    for at in range(len(ROWS)):
        alone = lesion.apply(batch()[at : at + 1], mask[at : at + 1], ROWS[at : at + 1], layer=1)
        assert torch.equal(alone[0], together[at])
        rows = together[at][mask[at]][:, [0, 3]].numpy()
        assert any((rows == drawn).all() for drawn in REFERENCE[:, [0, 3]])
    others = {
        tuple(
            Lesion(units=(0,), replace="resample", reference=REFERENCE, where=AT, seed=seed)
            .apply(batch(), mask, ROWS, layer=1)[:2, 3, 0]
            .tolist()
        )
        for seed in range(6)
    }
    assert len(others) > 1


def test_heads_are_lesioned_as_units() -> None:
    x = batch().reshape(len(ROWS), LENGTH, 4, 3)
    lesion = Lesion(units=units_of_head(2, 3), replace="zero", where=Where("head_out", 0, "all"))
    mask = lesion.where.mask(ROWS, LENGTH)
    found = lesion.apply(x, mask, ROWS, layer=0)
    assert (found[mask][:, 2] == 0).all()
    assert torch.equal(found[:, :, [0, 1, 3]], x[:, :, [0, 1, 3]])


def test_each_layer_has_its_own_reference() -> None:
    means = {2: REFERENCE[:1], 3: REFERENCE[1:2]}
    lesion = Lesion(units=(0,), reference=means, where=Where(layers=(2, 3)))
    mask = lesion.where.mask(ROWS, LENGTH)
    for layer in (2, 3):
        found = lesion.apply(batch(), mask, ROWS, layer=layer)
        assert (found[mask][:, 0] == float(means[layer][0, 0])).all()


def recording(*, every: bool) -> Recording:
    shape = (2, 1, 4, N_UNITS) if every else (2, 1, N_UNITS)
    values = RNG.normal(size=shape).astype(np.float32)
    import pandas as pd

    table = pd.DataFrame({"stimulus_id": ["b", "a"]})
    return Recording.from_arrays({"resid_post": values}, table, layers={"resid_post": [1]})


def test_a_patch_takes_the_row_of_the_same_stimulus() -> None:
    source = recording(every=False)
    patch = Patch(source, Where(layers=1, positions="target_last"))
    rows = ROWS[:2]
    mask = patch.where.mask(rows, LENGTH)
    found = patch.apply(batch()[:2], mask, rows, layer=1)
    np.testing.assert_array_equal(found[0, 3], source.layer("resid_post", 1)[1])
    np.testing.assert_array_equal(found[1, 1], source.layer("resid_post", 1)[0])
    swapped = Patch(source, patch.where, partners={"a": "b"})
    np.testing.assert_array_equal(
        swapped.apply(batch()[:2], mask, rows, layer=1)[0, 3], source.layer("resid_post", 1)[0]
    )


def test_a_patch_of_every_token_goes_token_by_token() -> None:
    source = recording(every=True)
    patch = Patch(source, Where(layers=1, positions="from_target"))
    found = patch.apply(batch()[:1], patch.where.mask(ROWS[:1], LENGTH), ROWS[:1], layer=1)
    np.testing.assert_array_equal(found[0, 3:5], source.layer("resid_post", 1)[1, 2:4])
    assert torch.equal(found[0, :3], batch()[0, :3])


def faulty(case: str) -> Any:
    whole = Where(layers=(1, 2))
    return {
        "two ways": lambda: Lesion(units=(1,), direction=VECTOR, replace="zero", where=AT),
        "no reference": lambda: Lesion(units=(1,), where=AT),
        "one reference for two layers": lambda: Lesion(
            units=(1,), reference=REFERENCE, where=whole
        ),
        "not orthonormal": lambda: Lesion(subspace=2 * SUBSPACE, replace="zero", where=AT),
        "no dose": lambda: Inject(VECTOR, 0.0, AT),
        "no scale": lambda: Scale(1.0, where=AT),
        "no number": lambda: Scale(float("nan"), where=AT),
        "a reference for nothing": lambda: Scale(2.0, reference=REFERENCE, where=AT),
        "no layer": lambda: Where(),
        "no site": lambda: Where("stream", 1),
        "no position": lambda: Where(layers=1, positions="last"),  # type: ignore[arg-type]
        "one vector for several tokens": lambda: Patch(recording(every=False), AT),
        "no condition": lambda: Condition("x", (VECTOR,)),  # type: ignore[arg-type]
    }[case]


@pytest.mark.parametrize(
    "case",
    [
        "two ways",
        "no reference",
        "one reference for two layers",
        "not orthonormal",
        "no dose",
        "no scale",
        "no number",
        "a reference for nothing",
        "no layer",
        "no site",
        "no position",
        "one vector for several tokens",
        "no condition",
    ],
)
def test_what_cannot_be_done_is_refused_when_it_is_made(case: str) -> None:
    with pytest.raises(InputError):
        faulty(case)()


def test_what_does_not_fit_the_site_is_refused() -> None:
    mask = AT.mask(ROWS, LENGTH)
    for wrong in (
        Lesion(units=(N_UNITS,), replace="zero", where=AT),
        Inject(direction(N_UNITS + 1), 1.0, AT),
        Lesion(direction=direction(N_UNITS - 1), replace="zero", where=AT),
        Patch(np.ones((1, 3)), Where(layers=1, positions="target"), stimulus_ids=["b"]),
    ):
        at = mask if not isinstance(wrong, Patch) else torch.zeros_like(mask)
        at[1, 1] = True
        rows = ROWS if not isinstance(wrong, Patch) else (ROWS[1],) * 3
        with pytest.raises(InputError, match="units"):
            wrong.apply(batch(), at, rows, layer=1)


def test_fingerprints_follow_the_content() -> None:
    a = Inject(VECTOR, 1.0, AT)
    renamed = Direction(VECTOR.vector, "resid_post", 5, "another name", VECTOR.scale)
    assert a.fingerprint == Inject(renamed, 1.0, AT).fingerprint
    different = [
        a,
        Inject(VECTOR, 2.0, AT),
        Inject(VECTOR, 1.0, Where(layers=2)),
        Scale(2.0, VECTOR, where=AT),
        Scale(2.0, where=AT),
        Lesion(direction=VECTOR, replace="zero", where=AT),
        Lesion(direction=VECTOR, reference=REFERENCE, where=AT),
        Lesion(direction=VECTOR, reference=REFERENCE, replace="resample", where=AT),
        Lesion(direction=VECTOR, reference=REFERENCE, replace="resample", where=AT, seed=1),
        Lesion(units=(1,), replace="zero", where=AT),
        Lesion(eraser=ERASER, where=AT),
    ]
    assert len({item.fingerprint for item in different}) == len(different)
    assert Condition("a", a).fingerprint != Condition("b", a).fingerprint


def test_a_patch_of_units_leaves_the_others() -> None:
    source = recording(every=True)
    where = Where(layers=1, positions="from_target")
    whole, part = Patch(source, where), Patch(source, where, units=(3, 1))
    mask = where.mask(ROWS[:1], LENGTH)
    found, all_units = (p.apply(batch()[:1], mask, ROWS[:1], layer=1) for p in (part, whole))
    others = [unit for unit in range(N_UNITS) if unit not in (1, 3)]
    assert torch.equal(found[..., [1, 3]], all_units[..., [1, 3]])
    assert torch.equal(found[..., others], batch()[:1][..., others])
    assert part.fingerprint != whole.fingerprint


def test_a_patch_aligned_at_the_end_matches_texts_that_end_alike() -> None:
    import pandas as pd

    values = RNG.normal(size=(2, 1, 4, N_UNITS)).astype(np.float32)
    values[1, :, 3:] = np.nan  # the text of a has three tokens, and b's has four
    table = pd.DataFrame({"stimulus_id": ["b", "a"]})
    source = Recording.from_arrays({"resid_post": values}, table, layers={"resid_post": [1]})
    where = Where(layers=1, positions="from_target")
    patch = Patch(source, where, partners={"a": "b"}, align="end")
    # Of the row a, tokens 1 to 3 are its text, and 4 is an answer's, which keeps what it has.
    found = patch.apply(batch()[:1], where.mask(ROWS[:1], LENGTH), ROWS[:1], layer=1)
    np.testing.assert_array_equal(found[0, 3], values[0, 0, 3])
    assert torch.equal(found[0, 4], batch()[0, 4])
    with pytest.raises(InputError, match="none"):
        longer = Patch(source, where, partners={"a": "b"})
        other = Patch(source, Where(layers=1, positions="all"), partners={"b": "a"}, align="end")
        assert longer.align == "start"
        other.apply(batch()[1:2], other.where.mask(ROWS[1:2], LENGTH), ROWS[1:2], layer=1)
