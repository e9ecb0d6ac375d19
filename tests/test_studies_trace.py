"""A number is followed down to stimuli, weights, packages, code and parameters."""

import json
import re

import pytest

from cortiscope.analyses import Result
from cortiscope.errors import InputError
from cortiscope.ledger import Address, Run, fingerprint_file, package_versions
from cortiscope.studies import trace
from cortiscope.studies.lookup import Lookup
from cortiscope.studies.shown import numbers_in


def of_kind(run, kind):
    return [entry for entry in run.entries() if entry.kind == kind]


def links(link):
    yield link
    for source in link.inputs:
        yield from links(source)


def test_a_number_leads_down_to_stimuli_and_weights(small_run):
    entry = of_kind(small_run, "result")[0]
    chain = trace(small_run, f"{entry.id}:accuracy[layer=3]")
    stored = Result.open(small_run.path / entry.path)
    assert chain.value == stored.estimates["accuracy"].sel(layer=3).item()
    kinds = [link.entry.kind for link in links(chain.link)]
    assert kinds == ["result", "recording", "stimuli", "subject"]
    *_, stimuli, subject = links(chain.link)
    assert stimuli.facts["n_stimuli"] == 24
    weights = subject.facts["weights"]["model.safetensors"]
    assert re.fullmatch(r"[0-9a-f]{64}", weights)
    record = json.loads((small_run.path / subject.entry.path).read_text())
    assert {key: subject.facts[key] for key in ("tokenizer", "dtype", "attention")} == {
        key: record[key] for key in ("tokenizer", "dtype", "attention")
    }
    assert "revision" in subject.facts["source"]
    assert chain.link.entry.versions == package_versions()
    assert set(chain.link.entry.code_version) == {"version", "commit", "dirty", "source"}
    assert chain.protocol == of_kind(small_run, "protocol")[0]


def test_parameters_are_split_by_who_set_them(small_run):
    chain = trace(small_run, of_kind(small_run, "result")[0].id)
    assert chain.link.parameters.given == {"n_permutations": 39, "n_bootstrap": 39, "n_folds": 3}
    assert chain.link.parameters.changed == {}
    assert chain.link.parameters.defaulted["ridge"] == 0.01
    recording = chain.link.inputs[0]
    assert recording.parameters.given == {"sites": ["resid_post"]}
    assert recording.parameters.defaulted["position"] == "target_last"


def test_a_control_says_what_it_changed_and_what_it_was_derived_from(small_run):
    chains = [trace(small_run, entry.id) for entry in of_kind(small_run, "control")]
    changed = [chain.link.parameters.changed for chain in chains]
    assert any(values.get("cross") == "frame" for values in changed)
    assert any(values.get("ridge") == 0.001 for values in changed)
    assert all("target" not in values for values in changed)
    derived = [chain for chain in chains if chain.link.facts["derived"]]
    assert len(derived) >= 2  # those of the surface control
    for chain in derived:
        assert chain.link.inputs[0].entry.kind == "recording"


def test_every_number_of_the_report_can_be_traced(small_run):
    shown = numbers_in(small_run.report.read_text())
    lookup = Lookup(small_run)
    assert len(shown) > 100
    for number in shown:
        assert number.holds(lookup.number(Address.parse(number.address))), number
    kinds = {lookup.entry(number.artifact).kind for number in shown}
    assert {"result", "stimuli", "subject", "verdicts"} <= kinds


@pytest.mark.parametrize(
    "suffix", ["accuracy_low[layer=0]", "accuracy_p[layer=0]", "n_words", "chance_accuracy"]
)
def test_intervals_p_values_and_counts_have_addresses(small_run, suffix):
    entry = of_kind(small_run, "result")[0]
    value = trace(small_run, f"{entry.id}:{suffix}").value
    expected = {"n_words": 12.0, "chance_accuracy": 0.5}
    assert value == expected.get(suffix, value)
    assert 0 <= value <= 12


@pytest.mark.parametrize("kind", ["report", "verdicts", "calibration", "crate", "description"])
def test_other_artifacts_are_traced_by_path_and_by_id(small_run, kind):
    entry = of_kind(small_run, kind)[0]
    for name in (entry.id, entry.path, str(small_run.path / entry.path)):
        chain = trace(small_run, name)
        assert chain.link.entry == entry
        assert chain.value is None
    assert entry.sha256 == fingerprint_file(small_run.path / entry.path)


def test_a_file_inside_a_folder_leads_to_its_artifact(small_run):
    recording = of_kind(small_run, "recording")[0]
    assert trace(small_run, f"{recording.path}/zarr.json").link.entry == recording
    result = of_kind(small_run, "result")[0]
    arrays = result.path.replace(".json", ".zarr/null/zarr.json")
    assert trace(small_run, arrays).link.entry == result


def test_what_is_printed_says_each_artifact_once(small_run):
    entry = of_kind(small_run, "verdicts")[0]
    chain = trace(small_run, f"{entry.id}:corrected_p[verdict=0]")
    text = repr(chain)
    assert text.startswith(f"{chain.value!r} at {entry.id}:corrected_p[verdict=0]")
    for link in links(chain.link):
        assert text.count(link.entry.sha256) == 1
    assert "commit " in text or "from no checkout" in text
    assert json.loads(json.dumps(chain.to_dict()))["artifact"]["id"] == entry.id


def test_what_is_not_there_is_named_with_what_is(small_run):
    entry = of_kind(small_run, "result")[0]
    near = entry.id[:-1] + ("0" if entry.id[-1] != "0" else "1")
    for address, words in {
        near: [near, entry.id, entry.path],
        f"{near}:accuracy": [entry.id],
        "results/nothing.json": ["results/nothing.json"],
        f"{entry.id}:acuracy[layer=0]": ["acuracy", "accuracy, "],
        f"{entry.id}:accuracy[layer=77]": ["'77'", "0, 1, 2, 3, 4"],
        f"{entry.id}:accuracy[unit=0]": ["unit", "layer"],
        f"{entry.id}:accuracy": ["no single number", "layer"],
        f"{entry.id}:[": ["no address"],
        f"{of_kind(small_run, 'protocol')[0].id}:alpha": ["protocol.toml"],
        f"{of_kind(small_run, 'verdicts')[0].id}:p": ["verdict"],
        f"{of_kind(small_run, 'verdicts')[0].id}:p[verdict=9]": ["'9'", "0, 1"],
        f"{of_kind(small_run, 'stimuli')[0].id}:n_words[category=plant]": [
            "plant",
            "animal, thing",
        ],
        f"{of_kind(small_run, 'subject')[0].id}:n_heads": ["n_heads", "n_layers"],
    }.items():
        with pytest.raises(InputError) as caught:
            trace(small_run, address)
        for word in words:
            assert word in str(caught.value), (address, str(caught.value))


def test_a_result_outside_the_protocol_is_exploratory(copied_run):
    from cortiscope.analyses import decode
    from cortiscope.scanning import Recording

    recording = of_kind(copied_run, "recording")[0]
    result = decode(Recording.open(copied_run.path / recording.path), n_folds=2, n_permutations=9)
    entry = copied_run.record(
        "result", result.save(copied_run.results), inputs=(recording.id,), artifact_id=result.id
    )
    chain = trace(Run.open(copied_run.path), entry.id)
    assert "exploratory" in chain.link.facts["step"]
    assert chain.link.parameters.given == {"n_folds": 2, "n_permutations": 9}
