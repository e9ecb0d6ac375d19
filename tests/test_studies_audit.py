"""Any edit of any file of a run is found and named."""

import json
import re
import shutil

import pytest

from cortiscope.ledger import Run, fingerprint_file, read_lines, visible_files
from cortiscope.studies import audit
from cortiscope.studies.shown import numbers_in

FILES = [
    "dataset_description.json",
    "protocol.toml",
    "stimuli.parquet",
    "subjects/stories260k.json",
    "recordings/stories260k.zarr/zarr.json",
    "recordings/stories260k.zarr/stimuli.parquet",
    "recordings/stories260k.zarr/progress.jsonl",
    "recordings/stories260k.zarr/resid_post/zarr.json",
    "recordings/stories260k.zarr/resid_post/c.*",
    "results/*.json",
    "results/*.zarr/zarr.json",
    "results/*.zarr/null/zarr.json",
    "results/*.zarr/null/accuracy/c/0/0",
    "results/*.zarr/resamples/peak_accuracy/c/0",
    "calibrations/*.json",
    "verdicts.json",
    "ledger.jsonl",
    "report.html",
    "ro-crate-metadata.json",
]


def findings(run):
    return {finding.path: finding.problem for finding in audit(Run.open(run.path))}


def flip(path, index):
    content = path.read_bytes()
    path.write_bytes(content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :])


def test_a_run_as_it_was_left_has_nothing_to_find(small_run):
    assert findings(small_run) == {}


def test_every_kind_of_file_is_in_the_list_above(small_run):
    known = {file for pattern in FILES for file in small_run.path.glob(pattern)}
    kinds = {file.suffix for file in visible_files(small_run.path)}
    assert {file.suffix for file in known} >= {kind for kind in kinds if kind.isalpha()}


@pytest.mark.parametrize("pattern", FILES)
def test_a_flipped_byte_is_found_and_its_file_named(copied_run, pattern):
    victim = sorted(copied_run.path.glob(pattern))[0]
    whole = victim.read_bytes()
    name = victim.relative_to(copied_run.path).as_posix()
    for share in (0.31, 0.77):
        flip(victim, int(share * (len(whole) - 1)))
        found = findings(copied_run)
        victim.write_bytes(whole)
        # Of the arrays beside a result, and of a recording's list of files, the folder is named.
        assert any(name == path or name.startswith(f"{path}/") for path in found), (share, found)


def test_a_file_is_missed_when_it_is_gone(copied_run):
    for pattern in FILES[2::4]:
        victim = sorted(copied_run.path.glob(pattern))[0]
        whole = victim.read_bytes()
        victim.unlink()
        assert findings(copied_run) != {}, pattern
        victim.write_bytes(whole)


def test_a_changed_digit_in_the_report_is_named_with_its_address(copied_run):
    report = copied_run.report
    html = report.read_text()
    shown = {number.address: number for number in numbers_in(html) if number.text[-1].isdigit()}
    for address, number in list(shown.items())[::40]:
        digit = number.text[-1]
        edited = number.text[:-1] + str((int(digit) + 1) % 10)
        pattern = re.compile(
            rf'(data-address="{re.escape(address)}"[^>]*>){re.escape(number.text)}<'
        )
        if not pattern.search(html):  # its address has marks that HTML writes in another way
            continue
        report.write_text(pattern.sub(rf"\g<1>{edited}<", html, count=1))
        problems = [finding.problem for finding in audit(copied_run)]
        assert any(edited in problem and address in problem for problem in problems), address
    report.write_text(html)


def test_an_edit_of_the_report_is_shown_where_no_address_is(copied_run):
    report = copied_run.report
    html = report.read_text()
    drawn = re.search(r'"x":\[([0-9.]+)', html)[1]
    report.write_text(html.replace(f'"x":[{drawn}', f'"x":[{drawn}7', 1))
    problems = [f.problem for f in audit(copied_run, page=lambda _: html)]
    assert any(f"{drawn}7" in problem.split("where")[0] for problem in problems), problems
    # A page that is not the recorded one cannot show what was edited.
    assert not any("was written" in f.problem for f in audit(copied_run, page=lambda _: "other"))


def test_a_number_is_named_even_when_the_ledger_was_made_to_agree(copied_run):
    html = copied_run.report.read_text()
    number = next(n for n in numbers_in(html) if n.text == "1.000")
    written = f'value="{number.value}" data-address="{number.address}"'
    copied_run.report.write_text(html.replace(written, written.replace("1.0", "0.9", 1), 1))
    copied_run.record("report", copied_run.report)
    found = {f.path: f.problem for f in audit(copied_run) if f.path == "report.html"}
    assert "holds 0.9" in found["report.html"]
    assert number.address in found["report.html"]


def test_a_number_with_an_address_that_leads_nowhere_is_named(copied_run):
    html = copied_run.report.read_text()
    number = next(n for n in numbers_in(html) if n.text == "1.000")
    copied_run.report.write_text(html.replace(number.artifact, "0" * 16))
    problems = [f.problem for f in audit(copied_run)]
    assert any("0" * 16 in problem and "cannot be compared" in problem for problem in problems)


def test_files_that_nobody_recorded_are_named_but_hidden_ones_are_not(copied_run):
    added = [
        "notes.txt",
        "results/mine.json",
        "results/0000000000000000.zarr/zarr.json",
        "recordings/stories260k.zarr/resid_post/c.99.0.0",
    ]
    for name in [*added, ".DS_Store", "results/.x.json.abc.partial"]:
        path = copied_run.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert sorted(findings(copied_run)) == sorted(added)


def edit_line(run, number, change):
    lines = run.ledger.read_text().splitlines()
    values = json.loads(lines[number])
    change(values)
    lines[number] = json.dumps(values, sort_keys=True)
    run.ledger.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize("key", ["time", "parameters", "inputs"])
def test_an_edited_line_of_the_ledger_is_named(copied_run, number, key):
    n_lines = len(copied_run.ledger.read_text().splitlines())
    edit_line(copied_run, number, lambda values: values.update({key: {"an": "edit"}}))
    named = [f.problem for f in audit(copied_run) if f.path == "ledger.jsonl"]
    assert any(f"line {number % n_lines + 1} " in problem for problem in named)


def test_a_removed_line_is_found(copied_run):
    lines = copied_run.ledger.read_text().splitlines()
    for index in (0, 4, len(lines) - 1):
        kept = lines[:index] + lines[index + 1 :]
        copied_run.ledger.write_text("\n".join(kept) + "\n")
        found = findings(copied_run)
        path = json.loads(lines[index])["path"]
        # Its file is in no line any more, and the line after it does not follow.
        assert path in found or any(name.startswith(f"{path}/") for name in found)
        assert ("ledger.jsonl" in found) == (index < len(lines) - 1)


def test_a_torn_line_is_named_and_mended_by_the_next(copied_run):
    whole = copied_run.ledger.read_bytes()
    copied_run.ledger.write_bytes(whole + b'{"id": "half')
    assert "torn" in findings(copied_run)["ledger.jsonl"]
    note = copied_run.path / "note.txt"
    note.write_text("a")
    copied_run.record("note", note)
    assert findings(copied_run) == {}
    assert copied_run.ledger.read_bytes().startswith(whole)


def test_an_id_that_does_not_follow_from_its_line_is_named(copied_run):
    note = copied_run.path / "note.txt"
    note.write_text("a")
    copied_run.record("note", note, artifact_id="0123456789abcdef")
    assert "0123456789abcdef" in findings(copied_run)["ledger.jsonl"]


def test_a_run_without_its_ledger_says_so(copied_run):
    copied_run.ledger.unlink()
    assert findings(copied_run) == {"ledger.jsonl": "is missing"}


def test_a_result_under_another_name_is_found(copied_run):
    first, second = [e for e in copied_run.entries() if e.kind == "result"][:2]
    for suffix in (".json", ".zarr"):
        path, other = ((copied_run.path / e.path).with_suffix(suffix) for e in (first, second))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(other, path) if other.is_dir() else shutil.copy(other, path)
    assert first.path in findings(copied_run)


def test_the_chain_runs_through_all_lines(small_run):
    lines = read_lines(small_run.ledger)
    assert [line.problem for line in lines] == [""] * len(lines)
    assert len({line.values["chain"] for line in lines}) == len(lines)
    for entry in small_run.entries():
        path = small_run.path / entry.path
        if path.is_file():
            assert entry.sha256 == fingerprint_file(path)
