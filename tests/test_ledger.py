"""Fingerprints follow content, files are whole or absent, and the ledger survives a crash."""

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.ledger import (
    Address,
    Run,
    append_line,
    fingerprint,
    fingerprint_file,
    read_lines,
    remove_abandoned,
    source_fingerprint,
    write_atomically,
)

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_json, _json)
def test_fingerprints_are_equal_exactly_when_the_content_is(first, second):
    def same(value):
        return json.dumps(value, sort_keys=True)

    assert (fingerprint(first) == fingerprint(second)) == (same(first) == same(second))


def test_arrays_count_with_dtype_shape_and_bytes_in_any_byte_order():
    x = np.arange(6, dtype="<f4").reshape(2, 3)
    assert fingerprint(x) == fingerprint(x.astype(">f4"))
    assert fingerprint(x) == fingerprint(np.asfortranarray(x))
    assert len({fingerprint(y) for y in (x, x.T, x.ravel(), x.astype("f8"), x + 1)}) == 5


def test_tables_and_dataclasses_count_by_their_values():
    @dataclasses.dataclass
    class Point:
        x: int

    assert fingerprint(Point(1)) != fingerprint(Point(2))
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert fingerprint(table) == fingerprint(table.copy())
    assert fingerprint(table) != fingerprint(table[["b", "a"]])


def test_models_count_by_their_values():
    class Claim(pydantic.BaseModel):
        size: float

    assert fingerprint(Claim(size=1)) == fingerprint(Claim(size=1.0))
    assert fingerprint(Claim(size=1)) != fingerprint(Claim(size=2))


def test_things_without_content_are_refused():
    with pytest.raises(TypeError, match="no canonical form"):
        fingerprint(object())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_atomically(tmp_path / "a.txt", "old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".a.txt.x1y2.partial").write_text("half")
    (tmp_path / "a.txt").write_text("whole")
    assert remove_abandoned(tmp_path) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_source_fingerprint_tells_modules_apart():
    first = source_fingerprint("cortiscope.ledger.files")
    assert first != source_fingerprint("cortiscope.ledger.run")
    assert first != source_fingerprint("cortiscope.ledger.files", "cortiscope.ledger.run")


def test_a_torn_ledger_line_loses_only_itself(tmp_path):
    run = Run(tmp_path / "run")
    write_atomically(run.path / "a.txt", "a")
    write_atomically(run.path / "b.txt", "b")
    run.record("note", "a.txt")
    ledger = run.path / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes() + b'{"id": "half')
    run.record("note", "b.txt")
    assert [entry.path for entry in run.entries()][1:] == ["a.txt", "b.txt"]


def test_equal_work_is_recorded_once_and_changed_work_replaces_it(tmp_path):
    run = Run(tmp_path / "run")
    write_atomically(run.path / "a.txt", "a")
    assert run.record("note", "a.txt") == run.record("note", "a.txt")
    assert len(run.ledger.read_text().splitlines()) == 2
    write_atomically(run.path / "a.txt", "changed")
    run.record("note", "a.txt")
    assert [entry.kind for entry in run.entries()] == ["description", "note"]


def test_a_folder_with_other_things_is_not_taken_over(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds files that are no Cortiscope run"):
        Run(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        Run(tmp_path / "thesis.tex")
    with pytest.raises(InputError, match="is no Cortiscope run"):
        Run.open(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("crash", range(9))
def test_a_crash_never_leaves_a_line_without_its_file(tmp_path, monkeypatch, crash):
    flush = os.fsync
    left = iter(range(crash))

    def fail_later(descriptor):
        if next(left, None) is None:
            raise KeyboardInterrupt
        flush(descriptor)

    def work():
        run = Run(tmp_path / "run")
        for name in ("a", "b", "c"):
            write_atomically(run.path / f"{name}.txt", name)
            run.record("note", f"{name}.txt")
        return run

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail_later)
        if crash < 8:  # two flushes an artifact, of which the description is one
            with pytest.raises(KeyboardInterrupt):
                work()
        else:
            work()
    if (tmp_path / "run" / "dataset_description.json").exists():
        run = Run.open(tmp_path / "run")
        assert all(fingerprint_file(run.path / e.path) == e.sha256 for e in run.entries())
    run = work()  # which goes on where it stopped
    assert sorted(e.path for e in run.entries()) == [
        "a.txt",
        "b.txt",
        "c.txt",
        "dataset_description.json",
    ]
    assert [line.problem for line in read_lines(run.ledger)] == [""] * 4


def test_what_is_not_there_is_not_recorded(tmp_path):
    run = Run(tmp_path / "run")
    for content in (None, "0" * 64):
        with pytest.raises(FileNotFoundError, match="not there to be recorded"):
            run.record("recording", "recordings/a.zarr", content=content)
    assert [entry.kind for entry in run.entries()] == ["description"]


def test_ids_follow_from_content_inputs_and_parameters(tmp_path):
    def record(name, content, **given):
        run = Run(tmp_path / name / "run")
        write_atomically(run.path / "a.txt", content)
        return run.record("note", "a.txt", **given).id

    same = record("first", "a", parameters={"x": 1}, inputs=("0f",))
    assert record("second", "a", parameters={"x": 1}, inputs=("0f",)) == same
    others = [
        record("third", "b", parameters={"x": 1}, inputs=("0f",)),
        record("fourth", "a", parameters={"x": 2}, inputs=("0f",)),
        record("fifth", "a", parameters={"x": 1}, inputs=("1f",)),
    ]
    assert len({same, *others}) == 4


def test_lines_of_several_writers_form_one_chain(tmp_path):
    path = tmp_path / "lines.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append_line(path, {"n": n}), range(40)))
    lines = read_lines(path)
    assert sorted(line.values["n"] for line in lines) == list(range(40))
    assert {line.problem for line in lines} == {""}


@given(st.data())
def test_any_edit_of_a_chained_file_is_found(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("chain") / "lines.jsonl"
    for n in range(4):
        append_line(path, {"n": n, "text": "é\n"})
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != content[at]))
    path.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
    assert any(line.problem for line in read_lines(path))


def test_a_torn_line_is_cut_off_by_the_next_and_the_chain_goes_on(tmp_path):
    path = tmp_path / "lines.jsonl"
    append_line(path, {"n": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 2, "te')
    assert [bool(line.problem) for line in read_lines(path)] == [False, True]
    append_line(path, {"n": 2})
    assert path.read_bytes().startswith(whole)
    assert [(line.values["n"], line.problem) for line in read_lines(path)] == [(1, ""), (2, "")]


_label = st.text(min_size=1)


@given(st.lists(st.tuples(_label, _label), max_size=3))
def test_addresses_survive_any_label(at):
    address = Address("1f2e", "auc", tuple(at))
    assert Address.parse(str(address)) == address
