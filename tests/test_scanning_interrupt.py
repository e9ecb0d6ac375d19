"""A scan that is killed at any moment continues, and ends as if nothing had happened."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import time

import pytest
import torch
import zarr.storage._local

from cortiscope.errors import InputError, MachineError
from cortiscope.scanning import Recording, request, scan
from cortiscope.scanning.journal import JOURNAL, lock
from cortiscope.scanning.store import Store
from cortiscope.scanning.writer import Writer
from scanning import assert_close, contents, fresh_subject, make_stimuli, make_subject

SITES = ["resid_pre[0]", "resid_post"]
BATCH_SIZE = 2
N_BATCHES = 15


def run_scan(out, delay=0.0):
    """Scan in this process; the delay makes a pass as slow as one of a real model."""
    torch.set_num_threads(1)
    subject = fresh_subject("gpt2")
    subject.anatomy.body.register_forward_pre_hook(lambda *_: time.sleep(delay))
    scan(subject, make_stimuli(), SITES, out=out, batch_size=BATCH_SIZE)


def n_lines(out):
    """Count the batches in a journal, whose first line is that of the empty store."""
    with contextlib.suppress(FileNotFoundError):
        return (out / JOURNAL).read_bytes().count(b"\n") - 1
    return 0


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The files of a scan that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "a.zarr"
    run_scan(out)
    return contents(out)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("seed", [0, 1])
def test_a_scan_killed_several_times_is_bit_identical(seed, uninterrupted, tmp_path):
    # A server that has imported everything makes children quickly, and has started no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["scanning", "cortiscope.scanning"])
    moments = random.Random(seed)
    out = tmp_path / "a.zarr"
    seen = []
    for goal in [0, *sorted(moments.sample(range(1, 10), 4))]:
        child = context.Process(target=run_scan, args=(out, 0.1))
        child.start()
        while n_lines(out) < goal and child.is_alive():
            time.sleep(0.001)
        time.sleep(moments.uniform(0.0, 0.1 if goal else 1.0))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        seen.append(n_lines(out))
    assert 0 < seen[-1] < N_BATCHES  # it was killed in the middle, not before or after
    assert seen == sorted(seen)
    with pytest.raises(InputError, match=rf"{seen[-1]} of {N_BATCHES} batches.*continue"):
        Recording.open(out)
    run_scan(out)
    assert contents(out) == uninterrupted
    assert Recording.open(out).verify() == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


class Interruption(BaseException):
    """As KeyboardInterrupt, which would stop pytest."""


@pytest.mark.parametrize("n_passes", [0, 1, 7, 14])
def test_ctrl_c_leaves_a_store_that_continues_and_no_hooks(n_passes, uninterrupted, tmp_path):
    subject, out = fresh_subject("gpt2"), tmp_path / "a.zarr"
    n_hooks = count_hooks(subject)
    passes = iter(range(n_passes))

    def interrupt(*_):
        if next(passes, None) is None:
            raise Interruption

    handle = subject.anatomy.body.register_forward_pre_hook(interrupt)
    with pytest.raises(Interruption):
        scan(subject, make_stimuli(), SITES, out=out, batch_size=BATCH_SIZE)
    handle.remove()
    assert count_hooks(subject) == n_hooks
    assert n_lines(out) <= n_passes
    scan(subject, make_stimuli(), SITES, out=out, batch_size=BATCH_SIZE)
    assert contents(out) == uninterrupted


def count_hooks(subject):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in subject.model.modules()
    )


def partial_store(out, n_passes=6):
    """Leave a scan after some batches."""
    subject = fresh_subject("gpt2")
    passes = iter(range(n_passes))

    def interrupt(*_):
        if next(passes, None) is None:
            raise Interruption

    subject.anatomy.body.register_forward_pre_hook(interrupt)
    with pytest.raises(Interruption):
        scan(subject, make_stimuli(), SITES, out=out, batch_size=BATCH_SIZE)
    assert n_lines(out) >= 3


def test_a_torn_line_and_files_without_a_line_do_not_count(uninterrupted, tmp_path):
    out = tmp_path / "a.zarr"
    partial_store(out)
    lines = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    (out / JOURNAL).write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])
    (out / "resid_post" / "c.9.0.0").write_bytes(b"half a shard")
    (out / "resid_post" / "c.8.0.0f00d.partial").write_bytes(b"half a shard")
    (out / ".progress.jsonl.x.partial").write_bytes(b"half a journal")
    run_scan(out)
    assert contents(out) == uninterrupted


@pytest.mark.parametrize("harm", ["flip", "shorten", "remove"])
def test_a_batch_that_the_disk_lost_is_recorded_again(harm, uninterrupted, tmp_path):
    out = tmp_path / "a.zarr"
    partial_store(out)
    shard = out / "resid_post" / "c.1.0.0"
    data = bytearray(shard.read_bytes())
    if harm == "remove":
        shard.unlink()
    elif harm == "shorten":
        shard.write_bytes(data[:-9])
    else:
        data[len(data) // 3] ^= 4
        shard.write_bytes(data)
    run_scan(out)
    assert contents(out) == uninterrupted


def test_a_full_disk_loses_nothing(uninterrupted, tmp_path, monkeypatch):
    out, put, written = tmp_path / "a.zarr", zarr.storage._local._put, []

    def put_while_there_is_room(path, value, exclusive=False):
        if path.name.startswith("c."):
            written.append(path)
            if len(written) > 11:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return put(path, value, exclusive)

    monkeypatch.setattr(zarr.storage._local, "_put", put_while_there_is_room)
    with pytest.raises(MachineError, match=r"No space left.*5 of 15 batches.*again"):
        run_scan(out)
    monkeypatch.undo()
    assert n_lines(out) == 5
    run_scan(out)
    assert contents(out) == uninterrupted


def test_a_store_whose_description_is_damaged_does_not_continue(tmp_path):
    out = tmp_path / "a.zarr"
    partial_store(out)
    table = out / "stimuli.parquet"
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)
    with pytest.raises(MachineError, match=r"stimuli\.parquet is damaged"):
        run_scan(out)


def test_nothing_is_written_behind_a_failure():
    seen = []

    def write(batch):
        time.sleep(0.01)
        seen.append(batch)
        if batch == 1:
            raise MachineError("full")

    with pytest.raises(MachineError, match="full"), Writer(write) as writer:
        for batch in range(9):
            writer.put(batch)
    assert seen == [0, 1]


def test_a_scan_that_does_not_fit_on_the_disk_is_refused_with_the_figures(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(MachineError, match=r"15\.4 kB.*1\.0 kB free.*float16"):
        run_scan(tmp_path / "a.zarr")
    assert list(tmp_path.iterdir()) == []


def test_a_scan_does_not_continue_with_another_torch(uninterrupted, tmp_path, monkeypatch):
    out = tmp_path / "a.zarr"
    partial_store(out)
    before = contents(out)
    versions = request.package_versions()
    with monkeypatch.context() as changed:
        changed.setattr(request, "package_versions", lambda: {**versions, "torch": "1.0"})
        with pytest.raises(InputError, match=r"another version of torch \(.*1\.0 is asked"):
            run_scan(out)
        assert contents(out) == before
    run_scan(out)
    assert contents(out) == uninterrupted
    with monkeypatch.context() as changed:  # what is whole stays what it is
        changed.setattr(request, "package_versions", lambda: {**versions, "torch": "1.0"})
        run_scan(out)
    assert contents(out) == uninterrupted


def test_a_finished_scan_is_returned_without_a_pass(tmp_path):
    subject, out = fresh_subject("gpt2"), tmp_path / "a.zarr"
    first = scan(subject, make_stimuli(), SITES, out=out)
    passes = []
    subject.anatomy.body.register_forward_pre_hook(lambda *_: passes.append(1))
    again = scan(subject, make_stimuli(), SITES, out=out)
    assert passes == []
    assert again.fingerprint == first.fingerprint


def out_of_memory_above(subject, n_rows):
    """Let the model run out of memory with more than so many rows; counts how often it did."""
    failures = []

    def refuse(_module, _args, kwargs):
        if len(kwargs["input_ids"]) > n_rows:
            failures.append(len(kwargs["input_ids"]))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    subject.anatomy.body.register_forward_pre_hook(refuse, with_kwargs=True)
    return failures


def test_out_of_memory_halves_the_batch_and_is_recorded(tmp_path):
    small, big = fresh_subject("llama"), make_subject("llama")
    failures = out_of_memory_above(small, 3)
    split = scan(small, make_stimuli(), SITES, out=tmp_path / "split.zarr", batch_size=8)
    whole = scan(big, make_stimuli(), SITES, out=tmp_path / "whole.zarr", batch_size=8)
    assert failures == [8, 4]
    for site in ("resid_pre", "resid_post"):
        assert_close(split[site].values, whole[site].values, 1e-5)
    lines = (tmp_path / "split.zarr" / JOURNAL).read_text().splitlines()
    assert [json.loads(line).get("micro_batch") for line in lines] == [None, 2, 2, 2, 2, None]


def test_a_split_is_remembered_when_a_scan_continues(tmp_path):
    subject, out = fresh_subject("llama"), tmp_path / "a.zarr"
    failures = out_of_memory_above(subject, 3)
    passes = iter(range(9))

    def interrupt(*_):
        if next(passes, None) is None:
            raise Interruption

    handle = subject.anatomy.body.register_forward_pre_hook(interrupt)
    with pytest.raises(Interruption):
        scan(subject, make_stimuli(), SITES, out=out, batch_size=8)
    assert n_lines(out) >= 1
    handle.remove()
    failures.clear()
    scan(subject, make_stimuli(), SITES, out=out, batch_size=8)
    assert failures == []
    scan(subject, make_stimuli(), SITES, out=tmp_path / "b.zarr", batch_size=8)
    assert contents(out) == contents(tmp_path / "b.zarr")


def test_out_of_memory_with_one_stimulus_says_what_to_change(tmp_path):
    subject = fresh_subject("llama")
    out_of_memory_above(subject, 0)
    with pytest.raises(MachineError, match=r"single stimulus.*smaller dtype"):
        scan(subject, make_stimuli(), SITES, out=tmp_path / "a.zarr", batch_size=8)


def test_other_errors_of_the_model_are_not_taken_for_a_lack_of_memory(tmp_path):
    subject = fresh_subject("llama")

    def fail(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    subject.anatomy.body.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        scan(subject, make_stimuli(), SITES, out=tmp_path / "a.zarr")


def test_a_second_process_is_refused_while_the_first_writes(tmp_path):
    pytest.importorskip("fcntl")
    out = tmp_path / "a.zarr"
    partial_store(out)
    with lock(out / "zarr.json"), pytest.raises(InputError, match="Another process"):
        run_scan(out)
    assert not Store.open(out).is_complete
    run_scan(out)
