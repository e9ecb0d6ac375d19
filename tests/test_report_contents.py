"""What a run's folder must hold, what is said when it does not, and what is warned of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cortiscope.errors import InputError
from cortiscope.ledger import Run
from cortiscope.report import write_report
from cortiscope.report.cautions import cautions
from cortiscope.report.contents import Contents
from cortiscope.report.methods import methods
from cortiscope.stimuli import StimulusSet
from report_run import FRAMES, make_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("runs") / "whole")


def without(*patterns: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for pattern in patterns:
            for path in folder.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def without_lines(kind: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        ledger = folder / "ledger.jsonl"
        lines = ledger.read_text(encoding="utf-8").splitlines(keepends=True)
        ledger.write_text("".join(line for line in lines if f'"kind": "{kind}"' not in line))

    return remove


def damage(pattern: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.write_text("{")

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without("protocol.toml"), "protocol.toml"),
        (without("stimuli.parquet"), "lacks stimuli.parquet"),
        (without("subjects/*.json"), "lacks subjects/specimen-planted.json"),
        (without("results/*.json"), "lacks results/"),
        (without("results/*.zarr"), "is missing"),
        (without("ledger.jsonl"), "lists no stimuli"),
        (without_lines("subject"), "lists no subject"),
        (without_lines("recording"), "lists no recording"),
        (damage("protocol.toml"), "damaged"),
        (without_lines("result"), "lists no result"),
        (damage("subjects/*.json"), "damaged"),
        (damage("results/*.json"), "damaged"),
    ],
)
def test_what_is_missing_is_named(
    whole: Run, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole.path, folder)
    spoil(folder)
    with pytest.raises(InputError, match=said):
        write_report(Run.open(folder))
    assert not (folder / "report.html").exists()


def test_a_twin_that_was_not_decoded_is_named(whole: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole.path, folder)
    ledger = folder / "ledger.jsonl"
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match="specimen:planted--twin-0 for decode resid_post"):
        write_report(Run.open(folder))


def test_a_run_without_twins_has_a_report_and_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", n_twins=0)
    assert write_report(run).exists()
    assert "No untrained twin" in titles(run)


def titles(run: Run) -> dict[str, str]:
    return {caution.title: str(caution.text) for caution in cautions(Contents.read(run))}


def record(**special: Any) -> dict[str, Any]:
    return {
        "special_tokens": {
            "before": [],
            "after": [],
            "bos_token": None,
            "adds_bos": False,
            "pad_id": 0,
            "pad_source": "eos_token",
            "chat_template": False,
            **special,
        }
    }


def test_that_no_claim_was_tested_is_said_of_a_run_without_claims(whole: Run) -> None:
    assert "No claim has passed a gate" in titles(whole)["Exploratory"]


def test_a_sound_run_has_no_further_warnings(whole: Run) -> None:
    said = titles(whole).keys() - {"Uncommitted code", "Decodable without training"}
    assert said == {"Exploratory", "Few twins"}


def test_what_the_subject_warns_of_is_passed_on(tmp_path: Path) -> None:
    warning = "The site mlp_out of it is refused because a hook did not fire."
    run = make_run(tmp_path / "run", warnings=[warning])
    assert titles(run)["specimen:planted"] == warning


def test_half_precision_and_missing_bos_are_told(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run", settings={"store_dtype": "float16"}, dtype="bfloat16", **record()
    )
    said = titles(run)
    assert {"Half precision on disk", "Half precision in the model", "No BOS"} <= said.keys()


def test_too_few_permutations_are_told(tmp_path: Path) -> None:
    assert "Too few permutations" in titles(
        make_run(tmp_path / "few", settings={"n_permutations": 19})
    )
    assert "Too few permutations" not in titles(
        make_run(tmp_path / "enough", settings={"n_permutations": 20})
    )


def test_categories_that_differ_in_length_are_told(tmp_path: Path) -> None:
    stimuli = StimulusSet.from_words(
        {
            "short": ["cat", "dog", "cow", "hen", "pig", "ape"],
            "long": ["hammer", "chisel", "shovel", "pliers", "wrench", "mallets"],
        },
        FRAMES,
    )
    run = make_run(tmp_path / "run", stimuli=stimuli)
    assert "variance over words" in titles(run)["Categories differ in word length"]


def test_methods_say_what_was_done(whole: Run, tmp_path: Path) -> None:
    text = " ".join(methods(Contents.read(whole)).paragraphs)
    assert "60 texts" in text
    assert "30 words of 3 categories, each in 2 sentence frames" in text
    assert "permuted within folds 99 times at random" in text
    assert "200 bootstrap resamples" in text
    assert "<s> before each text" in text
    scaled = make_run(
        tmp_path / "run",
        settings={"scale": True, "auc": False},
        **record(),
    )
    other = " ".join(methods(Contents.read(scaled)).paragraphs)
    assert "divided by their standard deviation over the training words" in other
    assert "without special tokens" in other
    assert "ROC" in text
    assert "ROC" not in other
    assert "Categories</h2>" not in write_report(scaled).read_text(encoding="utf-8")


def test_methods_of_a_phantom_speak_of_no_model(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "run", family="phantom", weights={"phantom": "direction", "strength": 3.0}
    )
    text = " ".join(methods(Contents.read(run)).paragraphs)
    assert "known effect planted" in text
    assert "forward hooks" not in text
    assert "initialiser" not in text
    page = write_report(run).read_text(encoding="utf-8")
    assert "phantom direction, strength 3.0" in page
    assert "<dt>model type</dt>" not in page


def test_every_reference_is_cited_and_numbered_in_order(whole: Run) -> None:
    written = methods(Contents.read(whole))
    text = " ".join(written.paragraphs)
    assert "@" not in text
    places = [text.find(f"[{number}]") for number in range(1, len(written.references) + 1)]
    assert -1 not in places
    assert places == sorted(places)
