"""The verdicts in the report and on the command line: as filed, nulls as plain as hits."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from cortiscope.analyses import decode
from cortiscope.claims import Claim
from cortiscope.ledger import Address, Run
from cortiscope.report import write_report
from cortiscope.report.cautions import cautions
from cortiscope.report.claim_sections import SHAPES, claim_sections
from cortiscope.report.comparison import comparisons
from cortiscope.report.contents import Contents
from cortiscope.report.methods import methods
from cortiscope.report.terminal import summary_table, verdict_table
from cortiscope.scanning import Recording
from cortiscope.stimuli import StimulusSet
from cortiscope.studies.lookup import Lookup
from report_run import activations, calibrated, keep_result, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLANTED, NOISE = "specimen:planted", "other/null_model"
CONTROLS = (
    "twins",
    "permuted_words",
    "held_out_frame",
    "surface",
    "outlier_units",
    "multiverse",
    "calibration",
)


def claim(name: str, size: float, subject: str, *controls: str, **changes: object) -> Claim:
    return Claim(
        name=name,
        statistic="decode:peak_accuracy",
        kind="greater",
        size=size,
        subjects=subject,
        controls=controls,
        **changes,
    )


CLAIMS = (
    claim("Categories are decodable", 0.55, "each", *CONTROLS),
    claim("A little is <b>there</b> & read", 0.4, NOISE, "calibration"),
    claim("It replicates", 0.5, PLANTED, "twins", "half_replication"),
    claim("It was calibrated", 0.5, PLANTED, "calibration"),
    claim("A waiver", 0.6, NOISE, "twins", waived={"surface": "words <i>are</i> invented"}),
)
CALIBRATIONS = {
    "Categories are decodable": calibrated(),
    "A little is <b>there</b> & read": calibrated(power=0.3),
    "It was calibrated": calibrated(rate=0.3),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(
        tmp_path_factory.mktemp("runs") / "a run's folder",
        effects={PLANTED: 3.0, NOISE: 0.0},
        n_twins=2,
        # Halves of ten words a category have too few for six folds.
        settings={"n_folds": 6},
        claims=CLAIMS,
        calibrations=CALIBRATIONS,
    )
    write_report(made)
    return made


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return run.report.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def filed(run: Run) -> list[dict]:
    return json.loads((run.path / "verdicts.json").read_text(encoding="utf-8"))


class Rows(HTMLParser):
    """Collects the cells of a table's body: text, and the values of its numbers."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.values: list[list[float]] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
            self.values.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = True
        elif tag == "data":
            self.values[-1].append(float(dict(attrs)["value"] or "nan"))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def verdict_rows(page: str) -> Rows:
    section = page.split('<section class="verdicts"')[1].split("</section>")[0]
    return Rows(section.split("<tbody>")[1].split("</tbody>")[0])


def test_every_outcome_occurs(filed: list[dict]) -> None:
    assert {verdict["outcome"] for verdict in filed} == set(SHAPES)
    assert {verdict["decided_by"] for verdict in filed} >= {
        "test",
        "power",
        "calibration",
        "half_replication",
    }


def test_the_report_opens_on_the_verdicts_as_filed(page: str, filed: list[dict]) -> None:
    assert page.index('id="verdicts"') < page.index('id="cautions"') < page.index('id="evidence"')
    found = verdict_rows(page)
    assert len(found.rows) == len(filed)
    for row, values, verdict in zip(found.rows, found.values, filed, strict=True):
        assert row[0].startswith(verdict["claim"]["name"])
        assert row[1] == verdict["subject"]
        assert row[2] == verdict["outcome"]
        assert values == [verdict[key] for key in ("estimate", "low", "high", "corrected_p")]
        assert row[5] == verdict["decided_by"].replace("_", " ")


def test_every_claim_is_reached_from_the_table(page: str, filed: list[dict]) -> None:
    table = page.split('<section class="verdicts"')[1].split("</section>")[0]
    targets = re.findall(r'href="#(verdict-\d+)"', table)
    assert len(set(targets)) == len(filed)
    for target in targets:
        assert page.count(f'id="{target}"') == 1


def test_outcomes_have_equal_weight(page: str) -> None:
    tables = page.split('<section class="verdicts"')[1].split("</section>")[0]
    spans = re.findall(r'<span class="outcome (\w+)">(.*?)</span>', tables)
    # The same element for each, but for the name of the shape, and a shape of its own for each.
    assert {shape for shape, _ in spans} == set(SHAPES.values())
    bare = {re.sub(r"#shape-\w+", "", content).split("</svg>")[0] for _, content in spans}
    assert len(bare) == 1
    assert set(re.findall(r'id="shape-(\w+)" viewBox="0 0 16 16"', page)) == set(SHAPES.values())
    style = page.split("<style>")[1].split("</style>")[0]
    for shape in SHAPES.values():
        (rule,) = re.findall(rf"\.{shape}\b[^{{]*\{{([^}}]*)\}}", style)
        assert re.fullmatch(r" color: var\(--\w+\); ", rule)


def test_every_number_in_the_page_is_found_at_its_address(run: Run, page: str) -> None:
    lookup = Lookup(run)
    found = re.findall(r'<data value="([^"]+)" data-address="([^"]+)"', page)
    kinds = set()
    for value, address in found:
        parsed = Address.parse(address)
        kinds.add(lookup.entry(parsed.artifact).kind)
        assert float(value) == lookup.number(parsed), address
    assert kinds == {"result", "control", "stimuli", "subject", "verdicts"}


def test_sentences_are_those_filed_and_their_numbers_have_addresses(
    page: str, filed: list[dict]
) -> None:
    paragraphs = page.split('id="evidence"')[1].split('<p class="main">')[1:]
    for paragraph, verdict in zip(paragraphs, filed, strict=False):
        markup = paragraph.split("</p>")[0]
        assert html.unescape(re.sub(r"<[^>]+>", "", markup)) == verdict["sentence"]
        assert f'data-address="{verdict["address"]}"' in markup or verdict["outcome"] == "invalid"


def test_figures_point_to_addresses_that_resolve(run: Run) -> None:
    lookup = Lookup(run)
    names = set()
    for section in claim_sections(Contents.read(run)):
        for hearing in section.hearings:
            for panel in hearing.panels:
                names.add(panel.figure.id.rsplit("-", 1)[0])
                for trace in json.loads(panel.figure.json)["data"]:
                    for x, address in zip(trace["x"], trace.get("customdata", ()), strict=False):
                        if ":curve[" not in address:
                            assert lookup.number(Address.parse(address)) == x
    assert names == {"null", "again", "specifications", "surface", "power"}


def controls_of(page: str, index: int) -> dict[str, list[str]]:
    hearing = page.split(f'id="verdict-{index}"')[1].split("</table>")[0]
    rows = Rows(hearing.split("<tbody>")[1].split("</tbody>")[0]).rows
    return {row[0]: row[1:] for row in rows}


def test_every_control_has_its_row_and_its_outcome(page: str, filed: list[dict]) -> None:
    for index, verdict in enumerate(filed):
        rows = controls_of(page, index)
        asked = [*verdict["claim"]["controls"], *verdict["claim"]["waived"]]
        assert list(rows) == [control.replace("_", " ") for control in asked]
        ran = {evidence["control"]: evidence for evidence in verdict["evidence"]}
        for control in verdict["claim"]["controls"]:
            outcome, found = rows[control.replace("_", " ")]
            if control in ran:
                said = {True: "survived", False: "fell", None: "could not run"}
                assert outcome == said[ran[control]["survived"]]
                assert found
            elif control != "calibration":
                assert outcome == "not run"


def test_a_control_that_could_not_run_is_shown(page: str, filed: list[dict]) -> None:
    (index,) = [i for i, v in enumerate(filed) if v["decided_by"] == "half_replication"]
    outcome, found = controls_of(page, index)["half replication"]
    assert outcome == "could not run"
    assert "fold" in found
    assert not found.startswith("could not run")


def test_calibration_is_a_row_of_its_own(page: str, filed: list[dict]) -> None:
    outcomes = {
        verdict["claim"]["name"]: controls_of(page, index)["calibration"][0]
        for index, verdict in enumerate(filed)
        if verdict["calibration"]
    }
    assert outcomes == {
        "Categories are decodable": "passed",
        "A little is <b>there</b> & read": "too little power",
        "It was calibrated": "failed",
    }


def test_names_and_reasons_are_escaped(page: str) -> None:
    assert "<b>there" not in page
    assert "&lt;b&gt;there&lt;/b&gt; &amp; read" in page
    assert "<i>are" not in page


def test_what_was_claimed_and_when_it_was_frozen_is_said(run: Run, page: str) -> None:
    (protocol,) = [entry for entry in run.entries() if entry.kind == "protocol"]
    claims = page.split('id="evidence"')[1]
    assert protocol.sha256 in claims
    assert "before the first recording" in claims
    assert "greater than 0.55" in claims


def test_methods_say_how_claims_were_judged(run: Run, tmp_path: Path) -> None:
    text = " ".join(methods(Contents.read(run)).paragraphs)
    assert "5 claims were frozen with the protocol before the first recording" in text
    assert "all 6 tests were corrected together (Benjamini–Hochberg [" in text
    assert "twins, permuted words, held out frame, surface, outlier units, multiverse and" in text
    assert "100 phantoms with an effect" in text
    assert "absence" not in text
    none = " ".join(methods(Contents.read(make_run(tmp_path / "none"))).paragraphs)
    assert "claim" not in none


def titles(run: Run) -> dict[str, str]:
    return {caution.title: str(caution.text) for caution in cautions(Contents.read(run))}


def test_cautions_speak_of_the_gate_only_where_there_was_one(run: Run, tmp_path: Path) -> None:
    assert "Exploratory" not in titles(run)
    assert "went through the gate" in titles(run)["Beside the claims"]
    none = make_run(tmp_path / "none", claims=[])
    assert "No claim has passed a gate" in titles(none)["Exploratory"]
    page = write_report(none).read_text(encoding="utf-8")
    assert 'id="verdicts"' not in page
    assert 'id="evidence"' not in page


def test_claims_that_were_not_judged_are_told(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run.path, folder)
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_text(encoding="utf-8").splitlines(keepends=True)
    ledger.write_text("".join(line for line in lines if '"kind": "verdicts"' not in line))
    assert "5 claims" in titles(Run.open(folder))["Claims were not judged"]


def test_a_protocol_that_came_after_a_recording_is_told(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run.path, folder)
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_text(encoding="utf-8").splitlines(keepends=True)
    first = [line for line in lines if '"kind": "protocol"' in line]
    ledger.write_text("".join([*(line for line in lines if line not in first), *first]))
    assert "Claims were not frozen first" in titles(Run.open(folder))
    assert "Claims were not frozen first" not in titles(run)


def test_what_no_protocol_asked_for_is_exploratory(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", claims=[])
    before = write_report(run).read_text(encoding="utf-8")
    stimuli = StimulusSet.open(run.path / "stimuli.parquet")
    recording = Recording.from_arrays(
        {"resid_post": activations(stimuli, 4, 3.0, 0)}, stimuli=stimuli, name="specimen-planted"
    )
    result = decode(recording, ridge=7.0, n_permutations=19, n_bootstrap=20)
    (entry, *_) = [entry for entry in run.entries() if entry.kind == "recording"]
    keep_result(run, result, entry.id)
    page = write_report(run).read_text(encoding="utf-8")
    assert 'id="exploratory"' not in before
    section = page.split('id="exploratory"')[1].split("</section>")[0]
    assert f'data-address="{result.id}:peak_accuracy"' in section
    assert page.count(f'data-address="{result.id}:') == section.count("<data")
    assert "result, exploratory" in page
    assert "1 result of this run was" in titles(run)["Exploratory results"]


def test_results_of_controls_stay_out_of_the_decoding_tables(run: Run, page: str) -> None:
    controls = {entry.id for entry in run.entries() if entry.kind == "control"}
    assert controls
    decoding = page.split('id="findings"')[1].split('id="stimuli"')[0]
    assert not controls & set(re.findall(r'data-address="(\w+):', decoding))


def printed(renderable: object) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(renderable)
    return console.export_text()


def test_the_command_line_shows_the_same_verdicts_at_80_columns(
    run: Run, filed: list[dict]
) -> None:
    text = printed(verdict_table(run))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    flat = " ".join(text.split())
    for index, verdict in enumerate(filed, start=1):
        assert f"{index}. {verdict['sentence']}" in flat
        for key in ("estimate", "low", "high"):
            assert f"{verdict[key]:.3f}" in text
    for outcome in SHAPES:
        assert outcome in text


def test_the_command_line_sums_up_every_decoding(run: Run) -> None:
    text = printed(summary_table(run))
    assert "…" not in text
    for comparison in comparisons(Contents.read(run)):
        for result in (comparison.result, *comparison.twins):
            best = float(result.estimates["accuracy"].max())
            low, high = result.intervals["accuracy"].values[
                :, int(np.argmax(result.estimates["accuracy"].values))
            ]
            assert f"{best:.3f} [{low:.3f}, {high:.3f}]" in text


def test_without_claims_the_command_line_says_so(tmp_path: Path) -> None:
    assert "no claim" in printed(verdict_table(make_run(tmp_path / "run")))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_click_on_a_number_gives_the_command_that_traces_it(
    run: Run, page: str, tmp_path: Path
) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    clicked = page.replace(
        "</body>", "<script>document.querySelector('.traceable').click()</script></body>"
    )
    (folder / "report.html").write_text(clicked, encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=2000",
            "--enable-logging=stderr",
            "--dump-dom",
            (folder / "report.html").resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    said = re.search(r'<p id="traced"[^>]*>([^<]*)</p>', done.stdout)
    address = re.search(r'data-address="([^"]+)"', page)
    assert said is not None
    assert address is not None
    assert said[1].removeprefix("Copied: ") == (
        f"cortiscope trace '{tmp_path}/it'\\''s here' {address[1]}"
    )
