"""Fingerprints follow content, files are whole or absent, and the ledger survives a crash."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.ledger import (
    Run,
    fingerprint,
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
