"""The front door: commands, exit codes, and one sentence for what goes wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cortiscope.ledger import Run

DATA = Path(__file__).parent / "data"
STORIES = str(DATA / "stories260k")


def cortiscope(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "cortiscope", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Small stimuli: two categories, six words each, two frames."""
    path = tmp_path_factory.mktemp("stimuli") / "mine.tsv"
    words = {
        "animal": ["dog", "cat", "bird", "frog", "bear", "duck"],
        "thing": ["ball", "box", "car", "tree", "book", "cup"],
    }
    lines = ["text\tcategory\tword\ttarget"]
    for category, members in words.items():
        for word in members:
            lines += [
                f"Once there was a {word}.\t{category}\t{word}\t{word}",
                f"Lily saw the big {word} today.\t{category}\t{word}\t{word}",
            ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory):
    """A finished run of the small study."""
    out = tmp_path_factory.mktemp("runs") / "small"
    done = cortiscope(
        "run", "--subject", STORIES, "--stimuli", table, "--permutations", 39, "--out", out
    )
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_study_ends_with_a_table_a_report_and_a_complete_folder(finished):
    out, done = finished
    assert "stories260k--twin-0" in done.stdout
    assert "report.html" in done.stdout
    assert "Traceback" not in done.stderr
    kinds = [entry.kind for entry in Run.open(out).entries()]
    assert kinds.count("recording") == 2
    assert kinds.count("result") == 4
    assert (out / "report.html").stat().st_size > 100_000
    record = json.loads((out / "subjects" / "stories260k.json").read_text())
    assert record["n_layers"] == 5


def test_the_same_command_again_does_no_work_twice(finished, table):
    out, _ = finished
    results = {p: p.stat().st_mtime_ns for p in (out / "results").glob("*.json")}
    again = cortiscope(
        "run", "--subject", STORIES, "--stimuli", table, "--permutations", 39, "--out", out
    )
    assert again.returncode == 0, again.stderr
    assert {p: p.stat().st_mtime_ns for p in (out / "results").glob("*.json")} == results


def test_another_protocol_in_the_same_folder_is_refused_by_key(finished, table):
    out, _ = finished
    other = cortiscope(
        "run", "--subject", STORIES, "--stimuli", table, "--permutations", 40, "--out", out
    )
    assert other.returncode == 2
    assert "decode.n_permutations" in other.stderr


def test_audit_finds_a_flipped_byte_in_every_kind_of_file(finished):
    out, _ = finished
    assert cortiscope("audit", out).returncode == 0
    victims = [
        out / "protocol.toml",
        out / "stimuli.parquet",
        out / "subjects" / "stories260k.json",
        next((out / "results").glob("*.json")),
        next(p for p in (out / "results").glob("*.zarr/accuracy/c/**/*") if p.is_file()),
        next(p for p in (out / "recordings").glob("*.zarr/resid_post/c/**/*") if p.is_file()),
        out / "report.html",
    ]
    for victim in victims:
        whole = victim.read_bytes()
        middle = len(whole) // 2
        victim.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        found = cortiscope("audit", out)
        victim.write_bytes(whole)
        assert found.returncode == 1, victim
        name = victim.name if victim.suffix != "" else victim.parts[len(out.parts) + 1]
        assert name.split(".")[0] in found.stdout, (victim, found.stdout)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--subject", "specimen:nobody"], "nobody"),
        (["run", "--stimuli", "nothing.tsv"], "nothing.tsv"),
        (["run", "--subject", STORIES, "--folds", 100], "fewer"),
        (["run", "--subject", STORIES, "--site", "resid_middle"], "resid_middle"),
        (["scan", STORIES, "concepts", "--out", STORIES], "stories260k"),
        (["check", "no/such/folder/here"], "no/such/folder/here"),
        (["view", STORIES], "is no Cortiscope run"),
        (["run", "--subject", STORIES, "--target", "colour"], "colour"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, sentence, tmp_path):
    failed = cortiscope(*arguments, cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr
    error = failed.stderr[failed.stderr.index("error:") :].strip()
    assert "\n" not in error


def test_lists_name_what_ships():
    stimuli = cortiscope("stimuli")
    assert stimuli.returncode == 0
    assert "concepts" in stimuli.stdout
    assert "decode" in cortiscope("analyses").stdout


def test_importing_the_package_is_light():
    code = (
        "import sys, cortiscope; "
        "heavy = {'torch', 'transformers', 'plotly', 'pandas', 'xarray', 'sklearn'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
