"""A study whose step stimulates: planned before it is run, done once, and anew by changed code."""

from __future__ import annotations

from pathlib import Path

import pytest

from causal import some_stimuli
from cortiscope.stimulation import Response
from cortiscope.stimulation import sweep as sweeps
from cortiscope.studies import Protocol, audit, keeping, plan_study, run_study

STUDY = """
study = "scaling"
subjects = ["specimen:qwen2"]
stimuli = "{stimuli}"
sites = ["resid_post"]
n_twins = 0

[steps.scaling]
analysis = "magnitude"
n_random = 3
along_layers = [2]
"""


@pytest.fixture
def study(tmp_path: Path) -> Protocol:
    some_stimuli().save(tmp_path / "words.parquet")
    path = tmp_path / "scaling.toml"
    path.write_text(STUDY.format(stimuli=tmp_path / "words.parquet"))
    return Protocol.load(path)


def test_what_is_planned_is_what_is_done(
    study: Protocol, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    planned = plan_study(study, run)
    assert not run.exists()
    [(step, subject)] = planned.sweeps
    assert (step, subject) == ("scaling", "specimen:qwen2")
    assert "scaling. Sweep" in repr(planned)
    assert "each sweep" not in repr(planned)

    assert list(audit(run_study(study, run))) == []
    [folder] = (run / "responses").iterdir()
    response = Response.open(folder)
    sweep = planned.sweeps[step, subject]
    assert sweep.n_conditions == len(response.conditions)
    assert sweep.n_stimuli == response.data.sizes["stimulus"]

    made = (folder / "response.json").stat().st_mtime_ns
    run_study(study, run)
    assert (folder / "response.json").stat().st_mtime_ns == made
    for module in (sweeps, keeping):
        monkeypatch.setattr(module, "code_fingerprint", lambda: "changed")
    run_study(study, run)
    assert len(list((run / "responses").iterdir())) == 2
