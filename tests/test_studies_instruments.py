"""An instrument of another package goes through the whole house without a change to it."""

import pytest

from cortiscope.analyses import INSTRUMENTS
from cortiscope.claims import check_on_phantoms, failures
from cortiscope.phantoms import PhantomDesign
from cortiscope.stimuli import StimulusSet
from cortiscope.studies import Protocol, audit, plan_study, read_verdicts, run_study, trace
from cortiscope.studies.phantom_subject import PhantomSubject
from toy_instrument import NORM_GAP

STUDY = """
study = "toy"
subjects = ["phantom:direction(strength=6, seed=15, n_units=20, n_layers=2)"]
stimuli = "{stimuli}"
sites = ["resid_post"]
n_twins = 2
n_phantoms = 10
phantom_permutations = 39
claim_permutations = 99

[steps.gap]
analysis = "norm_gap"

[[claims]]
name = "Categories differ in their norm"
statistic = "gap:last_gap"
kind = "greater"
size = 0.5
controls = {controls}
"""
ALL = ["twins", "permuted_words", "surface", "half_replication", "outlier_units", "multiverse"]


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setitem(INSTRUMENTS, NORM_GAP.name, NORM_GAP)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    design = PhantomDesign.balanced(n_categories=2, n_words=20, n_frames=2, n_units=20)
    design.table.to_csv(tmp_path / "words.tsv", sep="\t", index=False)

    def write(controls):
        path = tmp_path / "toy.toml"
        path.write_text(STUDY.format(stimuli=tmp_path / "words.tsv", controls=controls))
        return Protocol.load(path)

    return write


def test_it_is_run_claimed_calibrated_and_traced(study, tmp_path):
    run = run_study(study([*ALL, "calibration"]), tmp_path / "run")
    (verdict,) = read_verdicts(run)
    assert verdict["calibration"] is not None
    chain = repr(trace(run, verdict["address"]))
    assert "norm_gap" in chain
    assert "stimuli.parquet" in chain
    assert list(audit(run)) == []


def test_its_claim_meets_every_control_that_it_can_serve(study, tmp_path):
    """With this seed the norms differ by luck, so that the claim's own test speaks for it."""
    (verdict,) = read_verdicts(run_study(study(ALL), tmp_path / "run"))
    assert [found["control"] for found in verdict["evidence"]] == ALL
    assert all(found["survived"] is not None for found in verdict["evidence"])
    assert verdict["outcome"] == "not supported"


def test_controls_that_it_cannot_serve_say_so(study, tmp_path):
    run = run_study(study(["held_out_frame", "memory"]), tmp_path / "run")
    (verdict,) = read_verdicts(run)
    assert verdict["outcome"] == "invalid"
    assert "norm_gap holds no frame out" in verdict["sentence"]


def test_its_power_is_planned_and_its_phantoms_are_tried(study, tmp_path):
    planned = plan_study(study(["calibration"]), tmp_path / "run")
    assert len(planned.power) == 1
    assert not (tmp_path / "run").exists()
    design = PhantomDesign.balanced(n_categories=2, n_words=20, n_frames=2, n_units=20)
    checked = check_on_phantoms(NORM_GAP, design, n_phantoms=10, n_permutations=39)
    assert checked.parameters["variable"] == "last_gap"
    assert not [sentence for sentence in failures(checked) if "noise" in sentence]


def test_a_phantom_whose_making_was_killed_is_made_again(tmp_path):
    subject = PhantomSubject.parse("phantom:noise(seed=1, n_units=16)")
    design = PhantomDesign.balanced(n_categories=2, n_words=5, n_frames=2, n_units=16)
    stimuli = StimulusSet.from_table(design.table)
    (tmp_path / ".a.zarr.unfinished").mkdir()
    first = subject.recording(stimuli, tmp_path / "a.zarr")
    again = subject.recording(stimuli, tmp_path / "a.zarr")
    assert first.fingerprint == again.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
