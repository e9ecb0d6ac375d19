"""What tests of several rooms share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cortiscope.ledger import Run

# The same examples each time, so that a run of the tests says something of the change at hand;
# `--hypothesis-profile explore` looks at others.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore")
settings.load_profile("same")

STORIES = Path(__file__).parent / "data" / "stories260k"

WORDS = {
    "animal": ["dog", "cat", "bird", "frog", "bear", "duck"],
    "thing": ["ball", "box", "car", "tree", "book", "cup"],
}
FRAMES = {"once": "Once there was a {}.", "saw": "Lily saw the big {} today."}

# A real model, and a phantom whose effect is so large that its controls are run.
PROTOCOL = """
study = "small"
subjects = ["{stories}", "phantom:direction(strength=8, seed=1, n_units=24)"]
stimuli = "{stimuli}"
sites = ["resid_post"]
n_twins = 1
n_phantoms = 5
phantom_permutations = 39
claim_permutations = 39

[steps.decode]
analysis = "decode"
n_permutations = 39
n_bootstrap = 39
n_folds = 3

[[claims]]
name = "Animals, or things: decodable"
statistic = "decode:peak_accuracy"
kind = "greater"
size = 0.6
controls = ["twins", "permuted_words", "held_out_frame", "surface", "half_replication",
            "multiverse", "calibration"]
"""


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A finished run of a small study, with its report and crate; copy it before altering it."""
    from cortiscope.report import write_report
    from cortiscope.studies import Protocol, run_study, write_crate

    folder = tmp_path_factory.mktemp("small")
    lines = ["text\tcategory\tword\tframe\ttarget"]
    lines += [
        f"{text.format(word)}\t{category}\t{word}\t{frame}\t{word}"
        for category, words in WORDS.items()
        for word in words
        for frame, text in FRAMES.items()
    ]
    (folder / "words.tsv").write_text("\n".join(lines) + "\n")
    protocol = folder / "small.toml"
    protocol.write_text(PROTOCOL.format(stories=STORIES, stimuli=folder / "words.tsv"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))  # calibrations of this run alone
        run = run_study(Protocol.load(protocol), folder / "run")
        write_report(run)
        write_crate(run)
        yield run


@pytest.fixture
def copied_run(small_run: Run, tmp_path: Path) -> Run:
    """A copy of the small run, to alter."""
    shutil.copytree(small_run.path, tmp_path / "run")
    return Run.open(tmp_path / "run")
