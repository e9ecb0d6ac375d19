"""Responses on disk, sweeps that were interrupted, and memory that runs out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from cortiscope import Subject
from cortiscope.errors import InputError, MachineError
from cortiscope.stimulation import (
    Condition,
    Inject,
    Needs,
    Outputs,
    Response,
    Row,
    Scale,
    Where,
    stimulate,
)
from cortiscope.stimulation import sweep as sweeps
from families import FAMILIES
from stimulation import STIMULI, Everything, direction

CONDITIONS = [
    Condition("clean"),
    *(
        Condition(f"{layer}: {seed}", Inject(direction(32, seed), 1.0, Where(layers=layer)))
        for layer in range(3)
        for seed in range(3)
    ),
]


@pytest.fixture
def subject() -> Subject:
    return FAMILIES["llama"]()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_CHUNK", 2)


def run(subject: Subject, readout: Everything | None = None, **options: Any) -> Response:
    options = {"conditions": CONDITIONS, "batch_size": 3, **options}
    readout = readout or Everything(subject)
    return stimulate(subject, STIMULI, readouts=[readout], **options)


def test_a_saved_response_opens_as_it_was(subject: Subject, tmp_path: Path) -> None:
    response = run(subject)
    opened = Response.open(response.save(tmp_path / "a"))
    xr.testing.assert_identical(opened.data.load(), response.data)
    assert opened.fingerprint == response.fingerprint
    assert opened.proof == response.proof
    assert opened.provenance == response.provenance
    assert opened.data["category"].values.tolist() == STIMULI.table["category"].tolist()
    assert opened.conditions == tuple(condition.name for condition in CONDITIONS)
    table = opened.to_frame("all_logits", "all_clean")
    assert {"condition", "word", "all_logits", "all_clean"} <= set(table.columns)
    assert len(table) == response.data["all_logits"].size
    with pytest.raises(InputError, match="make no table together"):
        opened.to_frame()
    with pytest.raises(InputError, match="is there already"):
        response.save(tmp_path / "a")


def test_text_variables_are_kept_too(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"said": (("condition", "stimulus"), np.array([["a robin", "red"]], dtype=object))},
        {"condition": ["x"], "stimulus": ["1", "2"]},
    )
    opened = Response.open(Response(data, [], {}).save(tmp_path / "a"))
    assert opened.data["said"].values.tolist() == [["a robin", "red"]]


def test_a_damaged_response_is_refused(subject: Subject, tmp_path: Path) -> None:
    folder = run(subject).save(tmp_path / "a")
    head = folder / "response.json"
    values = json.loads(head.read_text())
    values["proof"][1]["evidence"][0][2]["error"] = 0.5
    head.write_text(json.dumps(values))
    with pytest.raises(InputError, match="damaged"):
        Response.open(folder)
    shutil.rmtree(folder / "numbers.zarr")
    with pytest.raises(InputError, match="no whole response"):
        Response.open(folder)
    with pytest.raises(InputError, match="no whole response"):
        Response.open(tmp_path / "nothing")


@pytest.mark.parametrize("n_reads", [1, 7, 20])
def test_an_interrupted_sweep_goes_on(subject: Subject, tmp_path: Path, n_reads: int) -> None:
    whole = run(subject)
    stopped = Everything(subject)
    stopped.fail_after = n_reads
    with pytest.raises(KeyboardInterrupt):
        run(subject, stopped, out=tmp_path / "a")
    with pytest.raises(InputError, match="no whole response"):
        Response.open(tmp_path / "a")
    rest = Everything(subject)
    continued = run(subject, rest, out=tmp_path / "a")
    xr.testing.assert_identical(continued.data, whole.data)
    assert continued.fingerprint == whole.fingerprint
    n_all = len(CONDITIONS) * 3  # batches
    assert n_all - n_reads <= rest.n_reads < n_all or n_reads == 1
    again = Everything(subject)
    assert run(subject, again, out=tmp_path / "a").fingerprint == whole.fingerprint
    assert again.n_reads == 0
    assert sorted(path.name for path in (tmp_path / "a").iterdir() if path.name[0] != ".") == [
        "numbers.zarr",
        "response.json",
        "sweep.json",
    ]


def test_a_torn_part_is_made_again(subject: Subject, tmp_path: Path) -> None:
    stopped = Everything(subject)
    stopped.fail_after = 20
    with pytest.raises(KeyboardInterrupt):
        run(subject, stopped, out=tmp_path / "a")
    part = min((tmp_path / "a" / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-200])
    assert run(subject, out=tmp_path / "a").fingerprint == run(subject).fingerprint


def test_another_sweep_never_overwrites(subject: Subject, tmp_path: Path) -> None:
    run(subject, out=tmp_path / "a")
    with pytest.raises(InputError, match="with other conditions"):
        run(subject, out=tmp_path / "a", conditions=CONDITIONS[:2])
    with pytest.raises(InputError, match="with other batch size"):
        run(subject, out=tmp_path / "a", batch_size=2)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="no sweep"):
        run(subject, out=tmp_path / "b")


@pytest.mark.parametrize("fast", [True, False])
def test_what_does_not_fit_in_memory_goes_through_in_halves(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    whole = run(subject, batch_size=8, fast=fast)
    forward = Subject.forward
    most = 3
    sizes = []

    def small(self: Subject, batch: Any, **options: Any) -> Any:
        n_rows = len(batch["input_ids"])
        if n_rows > most:
            raise RuntimeError("CUDA out of memory.")
        sizes.append(n_rows)
        return forward(self, batch, **options)

    monkeypatch.setattr(Subject, "forward", small)
    halved = run(subject, batch_size=8, fast=fast)
    for name in whole.data:
        np.testing.assert_allclose(halved.data[name], whole.data[name], atol=2e-5)
    assert [proof.n_batches for proof in halved.proof] == [1] * len(CONDITIONS)
    assert max(sizes) <= most
    most = 0
    with pytest.raises(MachineError, match="Out of memory with a single text"):
        run(subject, batch_size=8, fast=fast)


class Other(Everything):
    """Shows other texts, one of them without a target."""

    name = "other"

    @property
    def needs(self) -> Needs:
        return Needs(logits=True)

    def rows(self, subject: Subject, stimuli: Any) -> list[Row]:
        texts = ["Once upon a time", "Red.", "There was a bird in the tree"]
        return [
            Row(f"text {at}", tokens, None, tuple(range(len(tokens))))
            for at, tokens in enumerate(subject.tokenize(texts))
        ]

    def read(self, outputs: Outputs) -> dict[str, Any]:
        assert outputs.logits is not None
        loss = outputs.logits.logsumexp(-1) * outputs.valid
        return {"loss": loss.sum(-1).cpu().numpy()}

    def lay_out(self, values: Any, stimuli: Any) -> xr.Dataset:
        return xr.Dataset({"other_loss": (("condition", "text"), values["loss"])})


def test_readouts_of_other_texts_stand_beside_those_of_the_stimuli(subject: Subject) -> None:
    readouts = [Everything(subject), Other(subject)]
    conditions = [Condition("clean"), Condition("scale", Scale(2.0, where=Where(layers=(0, 1))))]
    response = stimulate(subject, STIMULI, conditions, readouts, batch_size=2)
    alone = stimulate(subject, STIMULI, conditions, readouts[1:], batch_size=3, fast=False)
    np.testing.assert_allclose(response.data["other_loss"], alone.data["other_loss"], rtol=1e-5)
    assert response.data["all_stream"].sizes["stimulus"] == len(STIMULI)
    with pytest.raises(InputError, match="readouts"):
        stimulate(subject, STIMULI, conditions, [readouts[1], readouts[1]])


class Continued(Other):
    """Lets the subject go on writing."""

    @property
    def needs(self) -> Needs:
        return Needs(n_new_tokens=4, clean=True)

    def read(self, outputs: Outputs) -> dict[str, Any]:
        assert outputs.clean is not None
        assert outputs.continued is not None
        assert outputs.clean.continued is not None
        return {"ids": outputs.continued.numpy(), "clean": outputs.clean.continued.numpy()}

    def lay_out(self, values: Any, stimuli: Any) -> xr.Dataset:
        return xr.Dataset(
            {
                f"other_{name}": (("condition", "text", "new"), found)
                for name, found in values.items()
            }
        )


def test_clean_continuations_are_those_of_generate(subject: Subject) -> None:
    conditions = [Condition("clean"), Condition("scale", Scale(-1.0, where=Where(layers=1)))]
    data = stimulate(subject, STIMULI, conditions, [Continued(subject)], batch_size=2).data
    for at, row in enumerate(Continued(subject).rows(subject, STIMULI)):
        import torch

        ids = torch.tensor([row.tokens.ids])
        wanted = subject.model.generate(
            ids, max_new_tokens=4, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        assert data["other_ids"].values[0, at].tolist() == wanted[0, ids.shape[1] :].tolist()
    assert (data["other_ids"][0].values == data["other_clean"][1].values).all()
    assert (data["other_ids"][0].values != data["other_ids"][1].values).any()


def test_an_encoder_continues_nothing() -> None:
    subject = FAMILIES["bert"]()
    with pytest.raises(InputError, match="continues texts"):
        stimulate(subject, STIMULI, [Condition("clean")], [Continued(subject)])
