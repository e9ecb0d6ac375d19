"""A recording from arrays or from disk: labels, selections, checks, and how it shows itself."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.scanning import Recording, scan
from scanning import contents, make_stimuli, make_subject, make_table

RNG = np.random.default_rng(0)


def arrays(n_stimuli=6):
    return {
        "resid_pre": RNG.standard_normal((n_stimuli, 1, 4)).astype(np.float32),
        "resid_post": RNG.standard_normal((n_stimuli, 3, 4)).astype(np.float32),
        "head_out": RNG.standard_normal((n_stimuli, 2, 2, 3)).astype(np.float32),
    }


def make_recording(n_stimuli=6, **changes):
    return Recording.from_arrays(
        arrays(n_stimuli), make_table(n_stimuli), layers={"head_out": [0, 2]}, **changes
    )


def test_dimensions_follow_from_the_site():
    recording = make_recording()
    assert recording.data["resid_post"].dims == ("stimulus", "layer", "unit")
    assert recording.data["resid_pre"].dims == ("stimulus", "resid_pre_layer", "unit")
    assert recording.data["head_out"].dims == ("stimulus", "head_out_layer", "head", "head_unit")
    for site in recording.sites:
        assert recording[site].dims[:2] == ("stimulus", "layer")
    assert recording.layers("head_out") == (0, 2)
    assert recording.layer("head_out", 2).shape == (6, 2, 3)
    assert recording.layer("resid_post", 1).dtype == np.float32


def test_labels_are_coordinates():
    recording = make_recording()
    assert recording.data["stimulus"].values.tolist() == [f"s{at}" for at in range(6)]
    assert recording["resid_post"]["category"].values.tolist() == ["animal", "tool", "number"] * 2
    assert recording.labels.index.name == "stimulus_id"
    assert list(recording.labels.columns) == ["category"]
    of_set = Recording.from_arrays({"resid_post": np.ones((6, 1, 2))}, make_stimuli(1))
    assert list(of_set.labels.columns) == ["category", "word", "frame"]
    assert of_set.data["text"].values[0] == "The card said horse."


@pytest.mark.parametrize(
    ("given_arrays", "layers", "message"),
    [
        ({}, None, "No array"),
        ({"residual": np.ones((6, 1, 4))}, None, "'residual' is no site.*resid_post"),
        ({"resid_post": np.ones((6, 4))}, None, r"2 axes.*\[:, None, :\]"),
        ({"head_out": np.ones((6, 1, 4))}, None, "3 axes.*head, head_unit"),
        ({"resid_post": np.ones((5, 1, 4))}, None, "5 stimuli and the table 6"),
        ({"resid_post": np.ones((6, 0, 4))}, None, "empty"),
        ({"resid_post": np.full((6, 1, 4), "x")}, None, "numbers"),
        ({"resid_post": np.full((6, 1, 4), np.nan)}, None, r"nan at \(0, 0, 0\)"),
        ({"resid_post": np.full((6, 1, 4), np.inf)}, None, r"inf at \(0, 0, 0\)"),
        ({"resid_post": np.ones((6, 2, 4))}, {"resid_post": [1]}, "2 layers, and layers names"),
        ({"resid_post": np.ones((6, 2, 4))}, {"resid_post": [2, 1]}, "ascending"),
        ({"resid_post": np.ones((6, 2, 4))}, {"mlp_out": [1, 2]}, "'mlp_out' is no site with"),
        ({"resid_pre": np.ones((6, 1, 4)), "resid_post": np.ones((6, 1, 5))}, None, "do not fit"),
    ],
)
def test_arrays_that_are_no_recording_are_refused(given_arrays, layers, message):
    with pytest.raises(InputError, match=message):
        Recording.from_arrays(given_arrays, make_table(6), layers=layers)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (make_table(6).assign(stimulus_id="same"), "'same' stands in more than one row"),
        (make_table(6).assign(layer=1), "'layer' has the name"),
        (make_table(6).assign(stimulus_id=[None, *"abcde"]), "without a stimulus_id"),
    ],
)
def test_tables_that_are_no_stimuli_are_refused(table, message):
    with pytest.raises(InputError, match=message):
        Recording.from_arrays({"resid_post": np.ones((6, 1, 4))}, table)


def test_without_ids_stimuli_are_numbered():
    table = make_table(6).drop(columns="stimulus_id")
    recording = Recording.from_arrays({"resid_post": np.ones((6, 1, 4))}, table)
    assert recording.labels.index.tolist() == list("012345")
    assert list(recording.labels.columns) == ["category"]


def test_missing_tokens_may_only_stand_at_the_end():
    values = np.ones((6, 2, 3, 4))
    values[0, :, 2:] = np.nan
    recording = Recording.from_arrays({"resid_post": values}, make_table(6))
    assert recording["resid_post"].dims == ("stimulus", "layer", "token", "unit")
    for where in [(1, 0, 2), (1, slice(None), 0), (1, slice(None), 2, 1), (1,)]:
        broken = values.copy()
        broken[where] = np.nan
        with pytest.raises(InputError, match=r"nan at \(1, "):
            Recording.from_arrays({"resid_post": broken}, make_table(6))


def test_a_table_may_name_stimuli_in_its_index_and_is_not_changed():
    table = make_table(6).set_index("stimulus_id")
    before = table.copy()
    recording = Recording.from_arrays({"resid_post": np.ones((6, 1, 4))}, table)
    assert recording.labels.index.tolist() == table.index.tolist()
    pd.testing.assert_frame_equal(table, before)


def test_selecting_by_labels_layers_and_sites():
    recording = make_recording()
    animals = recording.sel(category="animal")
    assert animals.labels["category"].tolist() == ["animal", "animal"]
    np.testing.assert_array_equal(
        animals["resid_post"].values, recording["resid_post"].values[[0, 3]]
    )
    some = recording.sel(category=["tool", "number"], layer=[1, 2], site="resid_post")
    assert some.sites == ("resid_post",)
    assert some.layers("resid_post") == (1, 2)
    np.testing.assert_array_equal(
        some.layer("resid_post", 2), recording.layer("resid_post", 2)[[1, 2, 4, 5]]
    )
    assert recording.sel(layer=1).sites == ("resid_post",)
    assert recording.sel(stimulus_id="s4").n_stimuli == 1


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"kategory": "animal"}, "no label 'kategory'.*category"),
        ({"category": "plant"}, "no stimulus"),
        ({"layer": 9}, "no layer"),
        ({"site": "mlp_out"}, "no mlp_out"),
    ],
)
def test_selecting_what_is_not_there_is_an_error(selection, message):
    with pytest.raises(InputError, match=message):
        make_recording().sel(**selection)


def test_asking_for_what_was_not_recorded_names_what_was():
    with pytest.raises(InputError, match="holds no mlp_out: it holds resid_pre"):
        make_recording()["mlp_out"]
    with pytest.raises(InputError, match="no layer 1 of head_out: it holds 0, 2"):
        make_recording().layer("head_out", 1)


def test_fingerprints_follow_content():
    values = arrays()
    table = make_table(6)
    first = Recording.from_arrays(values, table)
    assert Recording.from_arrays(values, table, name="other").fingerprint == first.fingerprint
    changed = {**values, "resid_pre": values["resid_pre"] + np.float32(1e-6)}
    assert Recording.from_arrays(changed, table).fingerprint != first.fingerprint
    renamed = table.assign(category=table["category"].replace("tool", "animal"))
    assert Recording.from_arrays(values, renamed).fingerprint != first.fingerprint
    assert first.sel(category="tool").fingerprint != first.fingerprint
    assert first.sel(layer=0).fingerprint != first.sel(layer=1, site="resid_post").fingerprint


@settings(max_examples=15, deadline=None)
@given(n_stimuli=st.integers(1, 9), batch_size=st.integers(1, 12), half=st.booleans())
def test_saving_and_opening_changes_nothing(tmp_path_factory, n_stimuli, batch_size, half):
    values = arrays(n_stimuli)
    if half:
        values = {site: array.astype(np.float16) for site, array in values.items()}
    made = Recording.from_arrays(values, make_table(n_stimuli), layers={"head_out": [0, 2]})
    saved = made.save(tmp_path_factory.mktemp("save") / "a.zarr", batch_size=batch_size)
    assert saved.fingerprint == made.fingerprint
    assert saved.verify() == []
    for site in made.sites:
        np.testing.assert_array_equal(saved[site].values, made[site].values)
        assert saved[site].dtype == made[site].dtype
        assert saved.layers(site) == made.layers(site)
    pd.testing.assert_frame_equal(saved.labels, made.labels, check_dtype=False)


def test_saving_never_overwrites(tmp_path):
    recording = make_recording()
    recording.save(tmp_path / "a.zarr")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="there already"):
        recording.save(tmp_path / "a.zarr")
    assert contents(tmp_path) == before


def test_labels_that_cannot_be_stored_are_named(tmp_path):
    table = make_table(3).assign(mixed=["a", 1, {}])
    recording = Recording.from_arrays({"resid_post": np.ones((3, 1, 4))}, table)
    with pytest.raises(InputError, match="mixed"):
        recording.save(tmp_path / "a.zarr")
    assert list(tmp_path.iterdir()) == []


def scanned(out):
    sites = ["resid_pre[0]", "resid_post"]
    return scan(make_subject("gpt2"), make_stimuli(2), sites, out=out, batch_size=5)


def test_a_selection_of_a_scan_is_saved_and_keeps_its_fingerprint(tmp_path):
    recording = scanned(tmp_path / "a.zarr")
    animals = recording.sel(category="animal", layer=[0, 2])
    saved = animals.save(tmp_path / "animals.zarr", batch_size=4)
    assert saved.fingerprint == animals.fingerprint != recording.fingerprint
    assert saved.subject == "gpt2"
    np.testing.assert_array_equal(saved["resid_post"].values, animals["resid_post"].values)


def test_a_recording_travels_to_other_processes(tmp_path):
    for recording in (make_recording(), scanned(tmp_path / "a.zarr")):
        there = pickle.loads(pickle.dumps(recording))
        assert there.fingerprint == recording.fingerprint
        np.testing.assert_array_equal(
            there.layer("resid_post", 2), recording.layer("resid_post", 2)
        )


def test_a_lazy_recording_survives_a_change_of_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scanned("a.zarr")
    recording = Recording.open("a.zarr")
    monkeypatch.chdir("/")
    assert recording.layer("resid_post", 0).shape == (12, 32)
    assert recording.verify() == []


def test_provenance_says_what_was_recorded(tmp_path):
    recording = scanned(tmp_path / "a.zarr")
    made = recording.provenance
    assert made["subject"] == make_subject("gpt2").record()
    assert made["stimuli"]["fingerprint"] == make_stimuli(2).fingerprint
    assert made["sites"] == ["resid_pre[0]", "resid_post"]
    assert (recording.subject, recording.name) == ("gpt2", "a")


def test_it_shows_itself(tmp_path):
    recording = scanned(tmp_path / "a.zarr")
    text = repr(recording)
    assert "Recording 'a': 12 stimuli of two kinds, shown to gpt2" in text
    assert re.search(
        r"resid_post +layers 0–2 +12 stimulus × 3 layer × 32 unit +float32, 4.6 kB", text
    )
    assert "not verified" in text
    recording.verify()
    assert "complete, verified" in repr(recording)
    page = recording._repr_html_()
    assert page.count("<tr>") == page.count("</tr>") == 6
    assert "resid_post" in page
    named = make_recording(name="<b>")
    assert "<b>" not in named._repr_html_()
    assert "in memory" in repr(named)
