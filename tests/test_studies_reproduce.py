"""Results come out again as they are stored, or the difference is stated."""

import dataclasses
import json
import shutil
import sys

import pytest

from cortiscope.analyses import INSTRUMENTS
from cortiscope.errors import InputError
from cortiscope.ledger import visible_files
from cortiscope.scanning import Recording
from cortiscope.studies import reproduce
from cortiscope.studies.lookup import Lookup


def of_kind(run, *kinds):
    return [entry for entry in run.entries() if entry.kind in kinds]


def test_all_results_controls_and_verdicts_come_out_identical(small_run):
    before = {p: p.stat().st_mtime_ns for p in visible_files(small_run.path)}
    compared = reproduce(small_run)
    assert [c.entry for c in compared] == of_kind(small_run, "result", "control", "verdicts")
    assert {c.outcome for c in compared} == {"identical"}, list(map(str, compared))
    assert {c.largest_difference for c in compared} == {0.0}
    assert {p: p.stat().st_mtime_ns for p in visible_files(small_run.path)} == before


@pytest.mark.parametrize("kind", ["result", "control", "verdicts"])
def test_one_address_computes_that_one_alone(small_run, kind):
    entry = of_kind(small_run, kind)[0]
    address = f"{entry.id}:accuracy[layer=0]" if kind == "result" else entry.id
    (compared,) = reproduce(small_run, address)
    assert compared.entry == entry
    assert compared.outcome == "identical"


def altered(run, entry, variable, by):
    """Change a stored estimate, as if it had been computed otherwise."""
    path = run.path / entry.path
    values = json.loads(path.read_text())
    data = values["estimates"]["data_vars"][variable]
    data["data"] = [value + by for value in data["data"]]
    path.write_text(json.dumps(values))


def test_a_difference_is_stated_with_its_size_and_place(copied_run):
    entry = of_kind(copied_run, "result")[0]
    altered(copied_run, entry, "accuracy", 1e-9)
    (compared,) = reproduce(copied_run, entry.id)
    assert compared.outcome == "differs"
    assert compared.largest_difference == pytest.approx(1e-9, rel=1e-3)
    assert "accuracy of the estimates" in str(compared)
    assert "1e-09" in str(compared)


def test_an_edited_verdict_differs(copied_run):
    entry = of_kind(copied_run, "verdicts")[0]
    path = copied_run.path / entry.path
    verdicts = json.loads(path.read_text())
    verdicts[0]["corrected_p"] += 0.125
    path.write_text(json.dumps(verdicts))
    (compared,) = reproduce(copied_run, entry.id)
    assert compared.outcome == "differs"
    assert (compared.largest_difference, compared.where) == (0.125, "0.corrected_p")


def test_text_among_the_estimates_is_compared(copied_run):
    entry = of_kind(copied_run, "result")[0]
    module = sys.modules["cortiscope.analyses.decode"]
    instrument = INSTRUMENTS["decode"]
    said = iter(["animal", "animal", "thing"])

    def with_text(recording, **parameters):
        result = module.decode(recording, **parameters)
        estimates = result.estimates.assign(best_read=((), next(said)))
        return dataclasses.replace(result, estimates=estimates)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(INSTRUMENTS, "decode", dataclasses.replace(instrument, run=with_text))
        recording = Recording.open(copied_run.path / Lookup(copied_run).entry(entry.inputs[0]).path)
        result = INSTRUMENTS["decode"].run(recording, **Lookup(copied_run).result(entry).parameters)
        result.save(copied_run.results)
        (same,) = reproduce(copied_run, entry.id)
        (other,) = reproduce(copied_run, entry.id)
    assert (same.outcome, same.largest_difference) == ("identical", 0.0)
    assert (other.outcome, other.where) == ("differs", "best_read of the estimates")


def test_what_was_cleaned_away_is_said(copied_run):
    recording = of_kind(copied_run, "recording")[-1]
    shutil.rmtree(copied_run.path / recording.path)
    compared = {c.entry.id: c for c in reproduce(copied_run)}
    for entry in of_kind(copied_run, "result"):
        lost = recording.id in entry.inputs
        assert (compared[entry.id].outcome == "not compared") == lost
        assert ("cleaned away" in compared[entry.id].statement) == lost
    assert compared[of_kind(copied_run, "verdicts")[0].id].outcome == "not compared"


def test_a_damaged_recording_is_said(copied_run):
    recording = of_kind(copied_run, "recording")[0]
    shard = next((copied_run.path / recording.path / "resid_post").glob("c.*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(bytes(content))
    entry = next(e for e in of_kind(copied_run, "result") if recording.id in e.inputs)
    (compared,) = reproduce(copied_run, entry.id)
    assert compared.outcome == "not compared"
    assert shard.name in compared.statement


def test_code_that_changed_since_is_said(copied_run, monkeypatch):
    entry = of_kind(copied_run, "result")[0]
    module = sys.modules["cortiscope.analyses.decode"]  # its function hides it in the room
    monkeypatch.setattr(module, "source_of", lambda _: "other")
    (compared,) = reproduce(copied_run, entry.id)
    assert compared.outcome == "identical"
    assert "code" in compared.statement


def test_only_what_is_computed_from_recordings_can_be_reproduced(small_run):
    with pytest.raises(InputError, match="name a result"):
        reproduce(small_run, "stimuli.parquet")
    with pytest.raises(InputError, match="holds no artifact"):
        reproduce(small_run, "0" * 16)


def test_controls_are_measured_on_what_they_were(small_run):
    lookup = Lookup(small_run)
    recorded = {entry.sha256 for entry in of_kind(small_run, "recording")}
    controls = [lookup.result(entry) for entry in of_kind(small_run, "control")]
    assert any(c.inputs["recording"] not in recorded for c in controls)
    assert any(c.inputs["recording"] in recorded for c in controls)
