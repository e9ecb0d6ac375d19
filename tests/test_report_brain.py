"""Claims beside the brain: the rule, the table on the page, and the same table as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cortiscope.claims import Claim, beside_brain, brain_properties
from cortiscope.claims.brain import BrainProperty
from cortiscope.claims.gate import check_controls
from cortiscope.errors import InputError
from cortiscope.ledger import Run
from cortiscope.report import write_report
from cortiscope.report.brain_table import (
    COLUMNS,
    FILE,
    SHAPES,
    brain_csv,
    brain_rows,
    brain_section,
)
from cortiscope.report.contents import Contents
from cortiscope.report.html import page
from cortiscope.studies import audit
from cortiscope.studies.crate import write_crate
from report_run import make_run

OUTCOMES = ("supported", "not supported", "inconclusive", "invalid")
KINDS = {
    "greater": {"size": 0.1},
    "less": {"size": 0.1},
    "equivalent": {"low": -0.1, "high": 0.1},
    "at_most": {"bound": 0.1},
}


def claim(statistic: str = "graph:modularity", kind: str = "greater", **changes: object) -> Claim:
    return Claim(name="c", statistic=statistic, kind=kind, **(KINDS[kind] | changes))


@pytest.mark.parametrize(
    ("name", "kind", "outcome", "decided_by"),
    itertools.product(brain_properties(), KINDS, OUTCOMES, ("test", "power", "twins")),
)
def test_only_a_supported_claim_of_presence_matches(
    name: str, kind: str, outcome: str, decided_by: str
) -> None:
    known = brain_properties()[name]
    for value in (None, 0.05, 0.4, 2.0, 9.0):
        found = beside_brain(
            known,
            claim(kind=kind),
            outcome,
            decided_by,
            value,
            n_nodes=known.n_nodes,
            density=known.density,
        )
        assert found.word in SHAPES
        assert found.why
        if found.word == "match":
            assert outcome == "supported"
            assert kind in ("greater", "less")
        if outcome in ("invalid", "inconclusive"):
            assert found.word in ("not tested", "no brain value")
        assert (found.word == "no brain value") == (known.comparison == "none")


def test_a_number_compares_within_the_brains_range() -> None:
    known = brain_properties()["modularity"]
    words = {
        estimate: beside_brain(known, claim(), "supported", "test", estimate).word
        for estimate in (0.29, 0.30, 0.50, 0.51)
    }
    assert words == {0.29: "partial", 0.30: "match", 0.50: "match", 0.51: "partial"}
    without = beside_brain(known, claim("graph:modularity_excess"), "supported", "test", None)
    assert without.word == "partial"
    assert "holds no modularity" in without.why


def test_small_worlds_compare_at_equal_nodes_and_density_alone() -> None:
    known = brain_properties()["small_world"]
    sigma = claim("graph:sigma")

    def why(of: BrainProperty, **size: float | None) -> tuple[str, str]:
        found = beside_brain(of, sigma, "supported", "test", 2.0, **size)
        return found.word, found.why

    # The density of the brain's network is not known.
    assert why(known, n_nodes=90, density=0.1)[0] == "partial"
    sized = known.model_copy(update={"density": 0.1})
    assert why(sized, n_nodes=90, density=0.1)[0] == "match"
    assert why(sized, n_nodes=960, density=0.05) == (
        "partial",
        "it is there; not comparable: N, density differ",
    )
    assert why(sized, n_nodes=90, density=0.05)[1].endswith("not comparable: density differs")
    assert why(sized, n_nodes=None, density=0.1)[1].endswith("not comparable: N not known")


def test_a_claim_of_absence_never_matches_and_differs_where_it_holds() -> None:
    known = brain_properties()["selective_regions"]
    absent = claim("regions:moran", "at_most")
    assert beside_brain(known, absent, "supported", "test", 0.0).word == "differ"
    assert beside_brain(known, absent, "not supported", "test", 0.4).word == "partial"
    assert beside_brain(known, absent, "not supported", "multiverse", 0.4).word == "not tested"


def test_every_property_has_a_citation_or_says_why_not() -> None:
    for known in brain_properties().values():
        assert known.references or known.note
        assert (known.comparison == "none") == (not known.references)
        for reference in known.references:
            # Authors, year, title and journal with volume and pages.
            assert re.search(r"\(\d{4}\), .+\. .+ \d+, \S+$", reference.text)
            assert reference.doi is None or re.fullmatch(r"10\.\d{4,}/\S+", reference.doi)


def test_a_property_without_reference_or_reason_is_refused() -> None:
    given = {"title": "T", "brain": "b", "comparison": "presence", "measured": "", "whom": ""}
    with pytest.raises(ValueError, match="without references says in its note"):
        BrainProperty.model_validate(given | {"note": ""})
    with pytest.raises(ValueError, match="takes low, high and variables"):
        BrainProperty.model_validate(given | {"note": "n", "comparison": "value"})


def test_an_unknown_property_is_refused_before_anything_is_scanned() -> None:
    with pytest.raises(InputError, match="unknown property of brains 'soul': choose among"):
        check_controls([claim(controls=(), brain="soul")])


PLANTED, NOISE = "specimen:planted", "other/null_model"


def decoded(name: str, size: float, brain: str | None, **changes: object) -> Claim:
    return Claim(
        name=name,
        statistic="decode:peak_accuracy",
        kind="greater",
        size=size,
        controls=("twins",),
        brain=brain,
        **changes,
    )


CLAIMS = (
    decoded("There are <regions> & more", 0.5, "selective_regions"),
    decoded("Modules", 0.5, "modularity", subjects=PLANTED),
    decoded("Shared", 0.5, "universality", subjects=PLANTED),
    decoded("Beside no brain", 0.5, None),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(
        tmp_path_factory.mktemp("runs") / "brains",
        effects={PLANTED: 3.0, NOISE: 0.0},
        claims=CLAIMS,
    )
    write_report(made)
    return made


@pytest.fixture(scope="module")
def lines(run: Run) -> list[dict[str, str]]:
    with (run.path / FILE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Section(HTMLParser):
    """Cells of the rows of a section's table, and its numbers by address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.numbers: list[dict[str, float]] = []
        self._inside = False
        self.feed(
            text.split('<section class="brain"')[1].split("</section>")[0].split("<tbody>")[1]
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "tr":
            self.rows.append([])
            self.numbers.append({})
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = True
        elif tag == "data":
            self.numbers[-1][str(given["data-address"])] = float(given["value"] or "nan")

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def test_verdicts_fill_the_table(lines: list[dict[str, str]]) -> None:
    found = {(line["property"], line["subject"]): line["likeness"] for line in lines}
    assert found["selective_regions", PLANTED] == "match"
    assert found["selective_regions", NOISE] in ("differ", "not tested")
    # The result of a decoding holds no modularity: that it is there is all that can be said.
    assert found["modularity", PLANTED] == "partial"
    assert found["universality", PLANTED] == "no brain value"
    assert found["topography", ""] == "not tested"
    assert {name for name, _ in found} == set(brain_properties())
    assert len(lines) == len(brain_properties()) + 1
    assert all(line["references"] for line in lines)


def test_the_page_shows_what_the_file_holds(run: Run, lines: list[dict[str, str]]) -> None:
    shown = Section(run.report.read_text(encoding="utf-8"))
    assert len(shown.rows) == len(lines)
    seen: set[str] = set()
    for cells, numbers, line in zip(shown.rows, shown.numbers, lines, strict=True):
        title, brain, model, likeness, why = cells
        assert title == brain_properties()[line["property"]].title
        is_again = line["property"] in seen
        assert brain == "as above" if is_again else line["brain"] in brain
        assert is_again or line["note"] in (brain + why)
        seen.add(line["property"])
        assert (likeness, why) == (line["likeness"], line["why"])
        assert line["claim"] in model
        assert line["subject"] in model
        assert line["outcome"] in model
        if line["claim"]:
            values = [float(line[name]) for name in ("estimate", "low", "high")]
            assert list(numbers.values()) == values
            assert next(iter(numbers)) == line["address"]
        else:
            assert not numbers
            assert not model


def test_citations_are_numbered_as_the_table_cites_them(run: Run) -> None:
    section = brain_section(Contents.read(run))
    assert section is not None
    cited = [re.findall(r"\[([\d, ]+)\]</span>", str(row[1])) for row in section.table.rows]
    places = {int(n) for found in cited for part in found for n in part.split(", ")}
    assert places == set(range(1, len(section.references) + 1))


def test_file_and_page_are_in_the_ledger_and_made_again(run: Run, tmp_path: Path) -> None:
    assert [entry.path for entry in run.entries() if entry.kind == "brain"] == [FILE]
    assert run.report.read_text(encoding="utf-8") == page(Contents.read(run))
    copied = Path(shutil.copytree(run.path, tmp_path / "copy"))
    write_crate(Run.open(copied))
    assert FILE in (copied / "ro-crate-metadata.json").read_text(encoding="utf-8")
    problems = {finding.path for finding in audit(Run.open(copied))}
    assert FILE not in problems
    table = copied / FILE
    table.write_text(table.read_text(encoding="utf-8").replace("partial", "match"))
    assert FILE in {finding.path for finding in audit(Run.open(copied))}


def test_a_study_that_names_no_property_has_no_table(tmp_path: Path) -> None:
    made = make_run(tmp_path / "plain", claims=CLAIMS[3:])
    write_report(made)
    assert not (made.path / FILE).exists()
    assert brain_rows(Contents.read(made)) == []
    assert 'class="brain"' not in made.report.read_text(encoding="utf-8")


def test_the_brains_number_is_found_in_the_result_of_another_claim(run: Run) -> None:
    contents = Contents.read(run)
    [verdict] = [v for v in contents.verdicts or () if v.claim.brain == "modularity"]
    result = contents.results[verdict.address.artifact]
    with_number = dataclasses.replace(
        result, estimates=result.estimates.assign(mean_modularity=((), 0.4321))
    )
    results = {**contents.results, result.id: with_number}
    changed = dataclasses.replace(contents, results=results)
    [row] = [row for row in brain_rows(changed) if row.name == "modularity"]
    assert row.likeness.word == "match"
    assert row.value is not None
    assert str(row.value.address) == f"{result.id}:mean_modularity"
    [line] = [
        line
        for line in csv.DictReader(io.StringIO(brain_csv([row])))
        if line["property"] == "modularity"
    ]
    assert float(line["value"]) == 0.4321
    section = brain_section(changed)
    assert section is not None
    assert 'value="0.4321"' in "".join(str(row[2]) for row in section.table.rows)


def test_columns_are_named_once() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS)
