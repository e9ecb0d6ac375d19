"""The page as a whole: one file, no network, nothing unescaped, drawn without errors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import plotly.offline
import pytest

from cortiscope.ledger import Run
from cortiscope.report import write_report
from cortiscope.scanning import scan
from cortiscope.subjects import Subject
from report_run import begin, keep, make_run, words_of

STORIES = Path(__file__).parent / "data" / "stories260k"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Elements(HTMLParser):
    """Collects tags with attributes, ids, and the text of style and script elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        self.text[self.inside] = self.text.get(self.inside, "") + data


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(
        tmp_path_factory.mktemp("runs") / "page",
        effects={"planted": 3.0, "other/null_model": 0.0},
        categories=["<b>bold</b>", "animal", "a & b, [c]=d:e%"],
        n_twins=2,
    )
    write_report(made)
    return made


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return run.report.read_text(encoding="utf-8")


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    elements = Elements(page)
    loading = {"src", "href", "srcset", "data", "poster", "action", "formaction", "background"}
    for tag, attributes in elements.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "img"}
        for name in loading & attributes.keys():
            assert (attributes[name] or "").startswith("#"), (tag, attributes)
    assert "@import" not in elements.text["style"]
    assert "url(" not in elements.text["style"]
    own_script = elements.text["script"].replace(plotly.offline.get_plotlyjs(), "")
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|import\(", own_script)


def test_the_browser_is_told_to_load_nothing(page: str) -> None:
    policies = [a["content"] for _, a in Elements(page).tags if "http-equiv" in a]
    assert len(policies) == 1
    assert policies[0] is not None
    assert policies[0].startswith("default-src 'none'")
    assert "connect-src" not in policies[0]
    assert "http" not in policies[0]


def test_plotly_is_there_exactly_once(page: str) -> None:
    assert page.count("plotly.js v") == 1


def test_labels_are_escaped(page: str) -> None:
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    # Plotly reads some HTML in its labels, so that they are escaped for it too.
    data = re.search(r'data-for="auc-1-0">(.+?)</script>', page)
    assert data is not None
    assert "&lt;b&gt;bold&lt;/b&gt;" in json.loads(data[1])["data"][0]["y"]


def test_a_stimulus_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script>"
    stimuli = words_of(["animal", hostile])
    page = write_report(make_run(tmp_path / "run", stimuli=stimuli)).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert page.count("</script>") == page.count("<script")


def test_ids_are_unique_and_every_figure_has_its_data(page: str) -> None:
    tags = Elements(page).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    plots = {a["id"] for _, a in tags if a.get("class") == "plot"}
    assert plots == {a["data-for"] for _, a in tags if "data-for" in a}
    # Each of two subjects: one curve, and a map for it and each of its two twins.
    assert len(plots) == 2 * (1 + 3)


def test_sections_come_in_reading_order(page: str) -> None:
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert headings == [
        "Before you read on",
        "What was found",
        "Accuracy at every layer",
        "Categories",
        "Stimuli",
        "Subjects",
        "Methods",
        "Provenance",
    ]


def test_no_path_of_this_machine_is_in_the_page(run: Run, page: str) -> None:
    assert str(run.path.parent) not in page
    assert run.path.name in page


def test_ledger_and_page_agree(run: Run, page: str) -> None:
    for entry in run.entries():
        if entry.kind != "report":
            assert entry.id in page
            assert entry.sha256 in page
            assert entry.path in page
    report = [entry for entry in run.entries() if entry.kind == "report"]
    assert [entry.path for entry in report] == ["report.html"]


def test_the_same_run_gives_the_same_report(run: Run, page: str) -> None:
    assert write_report(run).read_text(encoding="utf-8") == page
    assert sum(entry.kind == "report" for entry in run.entries()) == 1


def test_a_real_model_has_a_report(tmp_path: Path) -> None:
    stimuli = words_of(["animal", "tool"])
    run = begin(tmp_path / "run", stimuli)
    subject = Subject.load(STORIES)
    for lying in (subject, subject.twin(0)):
        recording = scan(lying, stimuli, out=run.recordings / f"{lying.slug}.zarr")
        keep(run, lying.record(), recording, n_permutations=49, n_bootstrap=50)
    page = write_report(run).read_text(encoding="utf-8")
    assert "stories260k" in page
    assert "260,032" in page
    assert str(STORIES.parent) not in page
    assert str(tmp_path) not in page


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_it_without_a_complaint(run: Run, tmp_path: Path) -> None:
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
            run.report.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    drawn = re.findall(r'class="plot js-plotly-plot" id="([a-z0-9-]+)"', done.stdout)
    # Maps of twins are drawn when they are unfolded.
    assert sorted(drawn) == ["accuracy-1", "accuracy-2", "auc-1-0", "auc-2-0"]
