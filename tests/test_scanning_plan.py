"""What a plan foretells is what a scan takes; and the bar that says how far it is."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from rich.console import Console

from cortiscope.errors import InputError
from cortiscope.ledger import progress
from cortiscope.ledger.progress import track
from cortiscope.scanning import plan, scan
from scanning import contents, fresh_subject, make_stimuli, make_subject


@pytest.mark.parametrize("position", ["target_last", "every"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_bytes_are_those_of_the_values(position, dtype, tmp_path):
    arguments = {
        "subject": make_subject("gpt2"),
        "stimuli": make_stimuli(),
        "sites": ["resid_pre[0]", "resid_post", "head_out[1,2]"],
        "position": position,
        "batch_size": 8,
        "dtype": dtype,
    }
    planned = plan(**arguments, out=tmp_path / "a.zarr")
    assert list(tmp_path.iterdir()) == []
    recording = scan(**arguments, out=tmp_path / "a.zarr")
    for request, site in zip(planned.n_bytes, recording.sites, strict=True):
        values = recording[site].values
        assert request.startswith(site)
        assert planned.n_bytes[request] == np.isfinite(values).sum() * values.itemsize
    on_disk = {name: len(data) for name, data in contents(tmp_path / "a.zarr").items()}
    shards = sum(size for name, size in on_disk.items() if "/c." in name)
    # Small shards carry an index and checksums; 20 bytes a chunk and what zstd cannot press.
    assert shards < 1.1 * planned.total_bytes + 4 * 3 * 40 * 10


def test_passes_and_tokens_are_those_of_the_scan(tmp_path):
    subject, stimuli = fresh_subject("gpt2"), make_stimuli()
    planned = plan(subject, stimuli, batch_size=8)
    sizes = []
    subject.anatomy.body.register_forward_pre_hook(
        lambda _module, _args, kwargs: sizes.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    scan(subject, stimuli, out=tmp_path / "a.zarr", batch_size=8)
    assert (planned.n_passes, planned.n_tokens) == (len(sizes), sum(sizes))
    assert planned.n_stimuli == len(stimuli)


def test_a_slower_subject_is_planned_to_take_longer():
    subject, stimuli = fresh_subject("gpt2"), make_stimuli()
    quick = plan(subject, stimuli, batch_size=3)
    subject.anatomy.body.register_forward_pre_hook(lambda *_: time.sleep(0.2))
    slow = plan(subject, stimuli, batch_size=3)
    assert slow.seconds > quick.seconds + 0.5 * 10 * 0.2


def test_a_plan_shows_itself():
    planned = plan(make_subject("gpt2"), make_stimuli(), batch_size=8)
    text = repr(planned)
    assert "gpt2 is shown two kinds" in text
    assert "disk, resid_pre[0]" in text
    assert planned.fits
    assert planned.peak_memory > sum(p.nbytes for p in make_subject("gpt2").model.parameters())


def test_a_plan_refuses_what_a_scan_would():
    with pytest.raises(InputError, match="layer 9"):
        plan(make_subject("gpt2"), make_stimuli(), ["resid_post[9]"])


def test_a_bar_is_drawn_on_a_terminal_once_it_takes_long(monkeypatch):
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    for is_terminal in (True, False):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=is_terminal, width=80)
        items = track(iter("abcd"), "spelling", total=6, completed=2, console=console)
        assert list(items) == ["a", "b", "c", "d"]
        assert ("spelling" in stream.getvalue()) == is_terminal
        assert ("6/6" in stream.getvalue()) == is_terminal


def test_a_quick_loop_draws_nothing():
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80)
    assert list(track("abc", "spelling", console=console)) == ["a", "b", "c"]
    assert stream.getvalue() == ""


def test_a_bar_ends_when_the_loop_is_left(monkeypatch):
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80)
    loop = track(range(9), "spelling", console=console)
    next(loop), next(loop)
    loop.close()
    assert stream.getvalue().endswith("\x1b[?25h")  # the cursor is shown again
