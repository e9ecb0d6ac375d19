"""The front door: commands, exit codes, and one sentence for what goes wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cortiscope.ledger import Run
from cortiscope.studies import audit

STORIES = str(Path(__file__).parent / "data" / "stories260k")


def cortiscope(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cortiscope", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env=os.environ | {"COLUMNS": "100", **environment},
    )


def test_the_same_command_again_does_no_work_twice_and_prints_verdicts(copied_run, small_run):
    protocol = small_run.path.parent / "small.toml"
    results = {p: p.stat().st_mtime_ns for p in (copied_run.path / "results").glob("*.json")}
    cache = str(small_run.path.parent / "cache")
    again = cortiscope("run", protocol, "--out", copied_run.path, XDG_CACHE_HOME=cache)
    verdicts = json.loads((copied_run.path / "verdicts.json").read_text())
    expected = 1 if any(verdict["outcome"] == "invalid" for verdict in verdicts) else 0
    assert again.returncode == expected, again.stderr
    assert {p: p.stat().st_mtime_ns for p in (copied_run.path / "results").glob("*.json")} == (
        results
    )
    assert "Traceback" not in again.stderr
    assert "report.html" in again.stdout
    for verdict in verdicts:
        assert verdict["outcome"] in again.stdout


def test_another_protocol_in_the_same_folder_is_refused_by_key(copied_run, small_run):
    protocol = small_run.path.parent / "small.toml"
    other = cortiscope("run", protocol, "--permutations", 41, "--out", copied_run.path)
    assert other.returncode == 2
    assert "steps.decode.n_permutations" in other.stderr


def test_audit_names_what_was_altered(copied_run):
    assert cortiscope("audit", copied_run.path).returncode == 0
    victim = copied_run.path / "stimuli.parquet"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
    found = cortiscope("audit", copied_run.path)
    assert found.returncode == 1
    assert "stimuli.parquet" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--subject", "specimen:nobody"], "nobody"),
        (["run", "--stimuli", "nothing.tsv"], "nothing.tsv"),
        (["run", "nothing"], "no study 'nothing'"),
        (["run", "--subject", STORIES, "--site", "resid_middle"], "resid_middle"),
        (["run", "--subject", STORIES, "--permutations", "5"], "at least 19 draws"),
        (["run", "--subject", "phantom:ghost"], "no phantom 'ghost'"),
        (["scan", STORIES, "concepts", "--out", STORIES], "stories260k"),
        (["check", "no/such/folder/here"], "no/such/folder/here"),
        (["view", STORIES], "is no Cortiscope run"),
        (["compare", STORIES, "nothing.csv"], "is neither the folder of a run nor a file of RDMs"),
        (["calibrate", "encode"], "no analysis 'encode'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, sentence, tmp_path):
    failed = cortiscope(*arguments, cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr
    error = failed.stderr[failed.stderr.index("error:") :].strip()
    assert "\n" not in error


COMPARING = """
study = "alike"
subjects = ["specimen:qwen2"]
claim_permutations = 39

[steps.cka]
analysis = "cka"
n_permutations = 39
n_jackknife = 19

[[claims]]
name = "A model and a phantom arrange the words alike"
statistic = "cka:mean_best_match"
kind = "greater"
size = 0.5
controls = ["twins"]
"""


def test_the_subjects_of_a_run_are_compared(small_run, tmp_path):
    (tmp_path / "alike.toml").write_text(COMPARING)
    done = cortiscope(
        "compare", small_run.path, "--study", "alike.toml", "--permutations", 29, "--out", "pairs",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (verdict,) = json.loads((tmp_path / "pairs" / "verdicts.json").read_text())
    assert "stories260k and phantom:direction" in verdict["subject"]
    assert verdict["outcome"] in done.stdout
    assert "report.html" in done.stdout
    results = [json.loads(p.read_text()) for p in (tmp_path / "pairs" / "results").glob("*.json")]
    assert {len(result["inputs"]) for result in results} == {2}
    for draws in ("n_permutations", "n_jackknife"):
        assert {result["parameters"][draws] for result in results} == {29}
    assert list(audit(Run.open(tmp_path / "pairs"))) == []


def test_lists_name_what_ships():
    assert "concepts" in cortiscope("stimuli").stdout
    assert "decode" in cortiscope("analyses").stdout
    assert "noise" in cortiscope("studies").stdout
    assert "Gemma 2" in cortiscope("subjects").stdout


def test_calibration_is_printed_and_saved(tmp_path):
    done = cortiscope(
        "calibrate", "decode", "--units", 16, "--words", 8, "--categories", 2, "--frames", 2,
        "--phantoms", 5, "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert "training_words" in done.stdout
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_importing_the_package_is_light():
    code = (
        "import sys, cortiscope; "
        "heavy = {'torch', 'transformers', 'plotly', 'pandas', 'xarray', 'sklearn'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
