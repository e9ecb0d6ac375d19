"""A study of an experiment that another follows: both responses are kept, traced and checked."""

from __future__ import annotations

import pytest

from cortiscope.ledger import Run
from cortiscope.stimuli import StimulusSet
from cortiscope.studies import Protocol, audit, reproduce, run_study, shipped_protocols


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("abilities")
    table = StimulusSet.load("abilities").table
    pairs = table.drop_duplicates("word").groupby("ability").head(6)["word"]
    stimuli = StimulusSet.from_table(table[table["word"].isin(pairs)], name="few")
    changes = {
        "stimuli": str(stimuli.save(folder / "few.parquet")),
        "sites": ["head_out"],
        "steps": {
            "lesion": {"sites": ["head_out"], "layers": [5], "share": 0.25, "n_draws": 3},
            "patch": {"sites": ["head_out"], "layers": [4, 5], "share": 0.125, "n_draws": 3},
        },
        "claims": [],
    }
    return run_study(Protocol.load("abilities", **changes), folder / "run")


def test_every_response_is_an_artifact_made_from_those_before(run: Run) -> None:
    entries = run.entries()
    [recording] = [entry for entry in entries if entry.kind == "recording"]
    responses = [entry for entry in entries if entry.kind == "response"]
    results = [entry for entry in entries if entry.kind == "result"]
    assert len(responses) == 2 * len(results) == 4
    for search, test, result in zip(responses[::2], responses[1::2], results, strict=True):
        assert search.inputs == (recording.id,)
        assert set(test.inputs) == {recording.id, search.id}
        assert result.inputs == (test.id,)


def test_what_is_kept_is_found_again_and_is_as_it_was(run: Run) -> None:
    assert not list(audit(run))
    compared = [item for item in reproduce(run) if item.entry.kind == "result"]
    assert [item.outcome for item in compared] == ["identical"] * 2


def test_the_shipped_protocol_can_be_attained() -> None:
    assert "abilities" in shipped_protocols()
    Protocol.load("abilities").check()
