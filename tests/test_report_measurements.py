"""Instruments that the report does not know: their results are shown complete all the same."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr
from rich.console import Console

import report_run
from cortiscope.analyses import INSTRUMENTS, Instrument, Result
from cortiscope.analyses.figures.style import SERIES
from cortiscope.errors import InputError
from cortiscope.ledger import Address, Run
from cortiscope.report import write_report
from cortiscope.report.cautions import cautions
from cortiscope.report.contents import Contents
from cortiscope.report.figures import page_figure
from cortiscope.report.methods import methods
from cortiscope.report.terminal import summary_table
from cortiscope.scanning import Recording
from cortiscope.studies import Protocol, audit
from cortiscope.studies.lookup import Lookup
from report_run import activations, begin, keep, keep_result, record_of, words_of
from toy_instrument import NORM_GAP

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SUBJECTS = ("specimen:planted", "other/null_model")
N_UNITS = 90


def odd_ones(recording: Recording, *, top: int = 3) -> Result:
    """Nothing like a decoding: no site, no test, text, counts, and a long table."""
    mean = recording.layer("resid_post", 0).mean(axis=0)
    values = np.resize(mean, (3, N_UNITS)).astype(np.float64)
    return Result(
        analysis="odd_ones",
        subject=recording.name,
        estimates=xr.Dataset(
            {
                "strength": (("kind", "unit"), values),
                "n_odd": ((), top),
                "oddest": ((), "body_part"),
                "undefined": ((), np.nan),
            },
            coords={"kind": ["<i>a</i>", "b, [c]=d", "c"], "unit": range(N_UNITS)},
        ),
        parameters={"top": top},
        inputs={"recording": recording.fingerprint},
    )


def draw_odd_ones(results: dict[str, Result]) -> go.Figure:
    heights = [result.estimates["strength"][0].values for result in results.values()]
    return go.Figure([go.Bar(y=values) for values in heights])


ODD_ONES = Instrument(
    name="odd_ones",
    summary="Which units stand out",
    reference="Nobody (2020). A definition.",
    run=odd_ones,
    figure=draw_odd_ones,
    headline="n_odd",
)
NORM_STEP = {"analysis": "norm_gap", "n_permutations": 39, "n_bootstrap": 39}


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(INSTRUMENTS, "norm_gap", NORM_GAP)
        patch.setitem(INSTRUMENTS, "odd_ones", ODD_ONES)
        yield patch


def make(path: Path, decodes: dict[str, str], steps: dict[str, dict], n_twins: int = 1) -> Run:
    """Make a run of two subjects with twins: `decodes` gives the site of each decoding."""
    stimuli = words_of(["animal", "body_part", "tool"])
    settings = {"n_permutations": 39, "n_bootstrap": 50}
    decoding = {
        name: {"analysis": "decode", "site": site, **settings} for name, site in decodes.items()
    }
    protocol = Protocol(
        study="measuring", subjects=SUBJECTS, n_twins=n_twins, steps={**decoding, **steps}
    )
    run = begin(path, stimuli, protocol)
    for number, subject in enumerate(SUBJECTS):
        twins = [f"{subject}--twin-{twin}" for twin in range(n_twins)]
        for seed, who in enumerate([subject, *twins], start=100 * number):
            x = activations(stimuli, 4, 0.0 if who in twins else 3.0, seed)
            recording = Recording.from_arrays(
                {"resid_pre": x[:, :1] / 2, "resid_post": x},
                stimuli=stimuli,
                name=re.sub("[:/]", "-", who),
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(report_run, "STEPS", decodes)
                kept = keep(run, record_of(who, 4), recording, **settings)
            for name in steps:
                step = protocol.steps[name]
                result = step.instrument.run(recording, **step.parameters)
                keep_result(run, result, kept.entry_id)
    write_report(run)
    return run


STEPS = {"gap": NORM_STEP, "early gap": {**NORM_STEP, "seed": 5}, "odd": {"analysis": "odd_ones"}}


@pytest.fixture(scope="module")
def alone(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("runs") / "alone", {}, {"gap": NORM_STEP}, n_twins=2)


@pytest.fixture(scope="module")
def mixed(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("runs") / "mixed", report_run.STEPS, STEPS)


def page_of(run: Run) -> str:
    return run.report.read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    return page.split(f'<section aria-labelledby="{name}"')[1].split("</section>")[0]


def results_of(run: Run) -> list[Result]:
    return [Result.open(run.path / entry.path) for entry in run.entries() if entry.kind == "result"]


def addresses_of(result: Result) -> list[str]:
    """Of all that the page shows of what norm_gap estimates."""
    if "--twin-" in result.subject:  # single numbers alone
        return [f"{result.id}:last_gap"]
    return [
        f"{result.id}:{name}{suffix}{place}"
        for suffix in ("", "_low", "_high", "_p")
        for name, place in [("last_gap", ""), *(("gap", f"[layer={i}]") for i in range(4))]
    ]


@pytest.mark.parametrize("which", ["alone", "mixed"])
def test_every_estimate_is_in_the_page_once(which: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(which)
    measured = section(page_of(run), "measurements")
    shown = re.findall(r'data-address="([^"]+gap[^"]*)"', measured)
    results = [result for result in results_of(run) if result.analysis == "norm_gap"]
    assert len(results) == {"alone": 6, "mixed": 8}[which]
    assert sorted(shown) == sorted(a for result in results for a in addresses_of(result))
    assert 'id="exploratory"' not in page_of(run)


@pytest.mark.parametrize("which", ["alone", "mixed"])
def test_every_number_is_the_one_at_its_address(which: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(which)
    lookup = Lookup(run)
    found = re.findall(r'<data value="([^"]+)" data-address="([^"]+)"', page_of(run))
    for value, address in found:
        stored = lookup.number(Address.parse(html.unescape(address)))
        assert float(value) == stored or np.isnan([float(value), stored]).all(), address
    assert list(audit(run)) == []


def test_without_decoding_nothing_speaks_of_it(alone: Run) -> None:
    page = page_of(alone)
    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", page) == [
        "Before you read on",
        "Measurements",
        "Stimuli",
        "Subjects",
        "Methods",
        "Provenance",
    ]
    visible = re.sub(r"(?s)<(script|style).*?</\1>", "", page).lower()
    for word in ("decod", "accuracy", "probe", "auc", "ridge", "findings", "embedding"):
        assert word not in visible.replace("the embedding (resid_pre[0])", ""), word
    assert '<a class="skip" href="#measurements">' in page
    assert "60 texts" in page
    assert "30 words of 3 categories, each in 2 sentence frames" in page


def test_with_decoding_all_that_it_had_is_still_there(mixed: Run) -> None:
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page_of(mixed))
    assert headings[1:5] == [
        "What was found",
        "Accuracy at every layer",
        "Categories",
        "Measurements",
    ]
    # Results of other analyses are not taken for decodings.
    assert section(page_of(mixed), "findings").count("<article") == len(SUBJECTS)
    said = {caution.title: str(caution.text) for caution in cautions(Contents.read(mixed))}
    assert "each of the 8 analyses" in said["Exploratory"]


def test_every_step_says_what_it_measures_and_after_whom(mixed: Run) -> None:
    measured = section(page_of(mixed), "measurements")
    assert re.findall(r"<h3>([^<]+)</h3>", measured) == list(STEPS)
    assert measured.count("How far categories differ in their norm (<code>norm_gap</code>") == 2
    assert "after Nobody (2020). A definition)." in measured
    text = methods(Contents.read(mixed))
    cited = 1 + text.references.index(NORM_GAP.reference)
    paragraph = next(p for p in text.paragraphs if "norm_gap" in p)
    assert paragraph.count(f"the instrument norm_gap [{cited}] was applied") == 2
    assert "site = resid_post, n_permutations = 39, n_bootstrap = 39 and seed = 5." in paragraph
    assert ODD_ONES.reference in text.references
    assert len(set(text.references)) == len(text.references)


def test_a_long_table_is_folded_and_cut_with_a_word(mixed: Run) -> None:
    measured = section(page_of(mixed), "measurements")
    cut = re.findall(r"these are the first 100 of 270 rows; <code>([^<]+)</code>", measured)
    odd = [
        result
        for result in results_of(mixed)
        if result.analysis == "odd_ones" and "--twin-" not in result.subject
    ]
    assert cut == [f"results/{result.id}.json" for result in odd]
    for result in odd:
        assert measured.count(f'data-address="{result.id}:strength') == 100
        folded = measured.split(f'data-address="{result.id}:strength')[0]
        assert folded.count("<details") > folded.count("</details")
    assert "<i>a</i>" not in measured
    assert f'data-address="{odd[0].id}:strength[kind=b%2C %5Bc%5D%3Dd,unit=3]"' in measured
    assert '<th scope="row" class="l">oddest</th>\n<td class="r">body part</td>' in measured


def test_a_figure_is_drawn_for_every_subject_in_the_look_of_the_others(mixed: Run) -> None:
    found = dict(
        re.findall(r'data-for="(measured-[0-9-]+)">(.+?)</script>', page_of(mixed), flags=re.S)
    )
    assert list(found) == [f"measured-{step}-{who}" for step in (1, 2, 3) for who in (1, 2)]
    drawn = json.loads(found["measured-1-1"])
    assert [trace["name"] for trace in drawn["data"]] == ["specimen:planted", "untrained twin"]
    assert drawn["layout"]["template"]["layout"]["colorway"] == list(SERIES)
    assert drawn["layout"]["height"] > 0
    own = page_figure(go.Figure(layout={"height": 99, "colorway": ["#123456"]}), "own", "")
    assert own.height == 99
    assert json.loads(own.json)["layout"]["colorway"] == ["#123456"]


def test_a_result_that_is_missing_is_named(mixed: Run, tmp_path: Path) -> None:
    for who, step in (("other/null_model--twin-0", "odd"), ("specimen:planted", "gap")):
        folder = tmp_path / step
        shutil.copytree(mixed.path, folder)
        analysis = STEPS[step]["analysis"]
        lost = next(
            result
            for result in results_of(mixed)
            if result.analysis == analysis and result.subject == re.sub("[:/]", "-", who)
        )
        ledger = folder / "ledger.jsonl"
        lines = ledger.read_text(encoding="utf-8").splitlines(keepends=True)
        ledger.write_text("".join(line for line in lines if f'"id": "{lost.id}"' not in line))
        with pytest.raises(InputError, match=f"no result of {who} for {step}"):
            write_report(Run.open(folder))


def test_two_steps_that_ask_for_the_same_are_both_shown(
    patch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = make(tmp_path / "run", {}, {"one": NORM_STEP, "other": NORM_STEP}, n_twins=0)
    assert section(page_of(run), "measurements").count("<h3>") == 2


def test_too_few_permutations_are_told_of_their_step(
    patch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = {**NORM_STEP, "n_permutations": 19}
    run = make(tmp_path / "run", {}, {"gap": NORM_STEP, "hasty": few}, n_twins=0)
    said = {caution.title: str(caution.text) for caution in cautions(Contents.read(run))}
    assert "nothing in hasty could" in said["Too few permutations"]


def printed(run: Run) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(summary_table(run))
    return console.export_text()


def test_the_command_line_shows_the_headline_of_each_step(alone: Run, mixed: Run) -> None:
    text = printed(alone)
    assert "accuracy" not in text
    assert "…" not in text
    for result in results_of(alone):
        low, high = result.intervals["last_gap"].values
        assert f"{float(result.estimates['last_gap']):.3f} [{low:.3f}, {high:.3f}]" in text
    both = printed(mixed)
    assert "balanced accuracy" in both
    assert len(re.findall(r"n odd +3 +–", both)) == 2 * len(SUBJECTS)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("which", ["alone", "mixed"])
def test_a_browser_draws_it_without_a_complaint(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=5000",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
            request.getfixturevalue(which).report.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    drawn = re.findall(r'class="plot js-plotly-plot" id="(measured-[0-9-]+)"', done.stdout)
    n_steps = {"alone": 1, "mixed": 3}[which]
    assert len(drawn) == n_steps * len(SUBJECTS)


def test_a_decoding_without_p_values_is_a_measurement_like_others(tmp_path: Path) -> None:
    run = report_run.make_run(
        tmp_path / "logistic", settings={"probe": "logistic", "n_bootstrap": 20}, claims=()
    )
    write_report(run)
    page = page_of(run)
    assert "Accuracy at every layer" not in page
    assert section(page, "measurements").count("peak accuracy") >= 2
    assert list(audit(run)) == []
