"""Every number in the page is the stored one, and its address leads to it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.ledger import Address, Run
from cortiscope.report import write_report
from cortiscope.stimuli import StimulusSet
from report_run import make_run


class Numbers(HTMLParser):
    """Collects (value, address, shown text) of every number in a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self._open: dict[str, str | None] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "data":
            self._open = dict(attrs)
            assert self._open["title"] == self._open["data-address"]

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.found.append((str(self._open["value"]), str(self._open["data-address"]), data))
            self._open = None


@pytest.fixture(scope="module", params=[1, 3], ids=["one twin", "three twins"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(
        tmp_path_factory.mktemp("runs") / "numbers",
        n_twins=request.param,
        categories=["animal", "body_part", "x,y=[z]:50%"],
        warnings=["Its weights are odd."],
    )
    write_report(made)
    return made


@pytest.fixture(scope="module")
def found(run: Run) -> list[tuple[str, str, str]]:
    return Numbers(run.report.read_text(encoding="utf-8")).found


def stored(run: Run, address: Address) -> float:
    """Read a number from the run's files without the code that wrote the page."""
    (entry,) = [entry for entry in run.entries() if entry.id == address.artifact]
    at = dict(address.at)
    if entry.kind == "stimuli":
        described = StimulusSet.open(run.path / entry.path).describe()
        ((axis, row),) = at.items()
        frame = described.categories if axis == "category" else described.mismatch
        return float(frame.loc[row, address.variable])
    values = json.loads((run.path / entry.path).read_text(encoding="utf-8"))
    if entry.kind == "subject":
        if address.variable == "error":
            (site,) = [s for s in values["proof"]["sites"] if s["site"] == at["site"]]
            return float(max(check["error"] for check in site["checks"]))
        return float(values[address.variable])
    return result_value(values, address.variable, at)


def result_value(values: dict[str, Any], variable: str, at: dict[str, str]) -> float:
    if variable.startswith("chance_"):
        return float(values["estimates"]["attrs"][variable])
    name, _, suffix = variable.rpartition("_")
    if suffix in ("low", "high"):
        dataset, at = values["intervals"], {"bound": suffix, **at}
    elif suffix == "p":
        dataset = values["p_values"]
    else:
        dataset, name = values["estimates"], variable
    data = dataset["data_vars"][name]["data"]
    for dim in dataset["data_vars"][name]["dims"]:
        labels = [str(label) for label in dataset["coords"][dim]["data"]]
        data = data[labels.index(at[dim])]
    return float(data)


def test_every_number_is_the_stored_one(run: Run, found: list[tuple[str, str, str]]) -> None:
    assert len(found) > 100
    for value, address, _ in found:
        assert float(value) == stored(run, Address.parse(address)), address


def test_every_number_shown_is_the_stored_one_rounded(found: list[tuple[str, str, str]]) -> None:
    for value, address, text in found:
        digits = text.replace(",", "").replace("−", "-")
        _, _, decimals = digits.partition("e")[0].partition(".")
        shown = float(digits)
        unit = 10.0 ** -len(decimals)
        if "e" in digits:
            unit *= 10.0 ** int(digits.partition("e")[2])
        assert abs(shown - float(value)) <= unit / 2 * (1 + 1e-9), (address, value, text)


def test_the_layer_table_holds_every_layer(run: Run, found: list[tuple[str, str, str]]) -> None:
    addresses = {address for _, address, _ in found}
    for entry in run.entries():
        if entry.kind != "result":
            continue
        values = json.loads((run.path / entry.path).read_text(encoding="utf-8"))
        is_subject = "--twin-" not in values["subject"]
        for layer in values["estimates"]["coords"]["layer"]["data"]:
            assert f"{entry.id}:accuracy[layer={layer}]" in addresses
            if is_subject:
                for variable in ("accuracy_low", "accuracy_high", "accuracy_p", "auc_macro"):
                    assert f"{entry.id}:{variable}[layer={layer}]" in addresses


@given(st.lists(st.tuples(st.sampled_from(["layer", "category", "site"]), st.text(min_size=1))))
def test_an_address_reads_back(at: list[tuple[str, str]]) -> None:
    address = Address("1f2e", "auc_low", tuple(at))
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "1f2e", ":accuracy", "1f2e:accuracy[layer]", "1f2e:a[b=c"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no address"):
        Address.parse(text)


def test_the_best_layer_is_bold_and_is_the_highest(run: Run) -> None:
    page = run.report.read_text(encoding="utf-8")
    row = page.split('<tr class="strong">')[1].split("</tr>")[0]
    value, address, _ = Numbers(row).found[0]
    result = json.loads(
        Path(run.results / f"{Address.parse(address).artifact}.json").read_text(encoding="utf-8")
    )
    assert float(value) == max(result["estimates"]["data_vars"]["accuracy"]["data"])
