"""The crate is valid RO-Crate, says what the ledger says, and follows from it alone."""

import json
from importlib.resources import files
from types import SimpleNamespace

import pytest
from rocrate.rocrate import ROCrate

from cortiscope.ledger import Run, fingerprint_file
from cortiscope.studies import audit, write_crate

REQUIRED = {"@id", "@type", "name", "description", "datePublished", "license", "hasPart"}


@pytest.fixture(scope="module")
def graph(small_run):
    crate = json.loads((small_run.path / "ro-crate-metadata.json").read_text())
    return {entity["@id"]: entity for entity in crate["@graph"]}


def ids(value):
    return [item["@id"] for item in (value if isinstance(value, list) else [value])]


def of_type(graph, kind):
    return [e for e in graph.values() if kind in (e["@type"], *e["@type"])]


def test_root_and_descriptor_have_what_the_specification_requires(graph):
    descriptor = graph["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert ids(descriptor["conformsTo"]) == ["https://w3id.org/ro/crate/1.1"]
    assert ids(descriptor["about"]) == ["./"]
    root = graph["./"]
    assert root["@type"] == "Dataset"
    assert set(root) >= REQUIRED
    assert all(root[name] for name in REQUIRED)
    assert set(ids(root["hasPart"])) <= set(graph)


def test_every_reference_is_to_an_entity_of_the_crate(graph):
    for entity in graph.values():
        for name, value in entity.items():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and name != "conformsTo":
                    assert item["@id"] in graph, (entity["@id"], name)


def test_every_artifact_is_there_with_its_hash(small_run, graph):
    for entry in small_run.entries():
        if entry.kind == "crate":
            continue
        path = small_run.path / entry.path
        entity = graph[entry.path + ("/" if path.is_dir() else "")]
        assert entity["@type"] == ("Dataset" if path.is_dir() else "File")
        assert entity["sha256"] == entry.sha256
        assert entity["identifier"] == entry.id
        if path.is_file():
            assert entity["sha256"] == fingerprint_file(path)
            assert entity["contentSize"] == str(path.stat().st_size)


def test_actions_lead_from_results_to_stimuli_and_subjects(small_run, graph):
    made_by = {ids(a["result"])[0]: a for a in of_type(graph, "CreateAction")}
    entries = {entry.id: entry for entry in small_run.entries()}
    results = [entry for entry in entries.values() if entry.kind in ("result", "control")]
    assert results
    for entry in results:
        (recording,) = ids(made_by[entry.path]["object"])
        sources = ids(made_by[recording]["object"])
        assert "stimuli.parquet" in sources
        assert any(source.startswith("subjects/") for source in sources)
        (instrument,) = ids(made_by[entry.path]["instrument"])
        software = graph[instrument]
        assert (software["name"], software["version"]) == (
            "cortiscope",
            entry.code_version["version"],
        )
        assert f"numpy {entry.versions['numpy']}" in software["softwareRequirements"]


def test_the_library_reads_it_back(small_run):
    crate = ROCrate(small_run.path)
    assert crate.root_dataset["name"] == "Run of the study small"
    assert len(crate.data_entities) > 20


def test_it_follows_from_the_ledger_and_changes_nothing_else(copied_run):
    before = (copied_run.path / "ro-crate-metadata.json").read_bytes()
    ledger = copied_run.ledger.read_bytes()
    write_crate(copied_run)
    assert (copied_run.path / "ro-crate-metadata.json").read_bytes() == before
    assert copied_run.ledger.read_bytes() == ledger
    assert list(audit(copied_run)) == []


def test_its_date_is_that_of_the_last_artifact(small_run, graph):
    times = [entry.time for entry in small_run.entries() if entry.kind != "crate"]
    assert graph["./"]["datePublished"] == max(times)


def test_no_path_of_this_machine_is_in_it(small_run):
    text = (small_run.path / "ro-crate-metadata.json").read_text()
    assert str(small_run.path.parent) not in text


@pytest.mark.parametrize("profile", ["ro-crate-1.1", "process-run-crate-0.5"])
def test_a_validator_finds_nothing_that_is_required_missing(small_run, profile, monkeypatch):
    services = pytest.importorskip("rocrate_validator.services")
    http = pytest.importorskip("rocrate_validator.utils.http")
    library = json.loads((files("rocrate") / "data" / "ro-crate.jsonld").read_text())
    terms = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}

    def get(_, url, **__):
        # The contexts, without a network: that of the library, and the one term of the other.
        context = terms if "workflow-run" in url else library["@context"]
        text = json.dumps({"@context": context})
        return SimpleNamespace(
            status_code=200,
            text=text,
            content=text.encode(),
            json=lambda: json.loads(text),
            headers={"Content-Type": "application/ld+json"},
        )

    monkeypatch.setattr(http.HttpRequester, "get", get, raising=False)
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=str(small_run.path), profile_identifier=profile, offline=True
        )
    )
    assert [issue.message for issue in result.get_issues()] == []
    assert result.passed()


def test_it_is_the_last_line_of_the_ledger(small_run):
    last = Run.open(small_run.path).entries()[-1]
    assert (last.kind, last.path) == ("crate", "ro-crate-metadata.json")
