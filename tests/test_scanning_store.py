"""What is on disk is found again whole, or its damage is named; nothing is overwritten."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import xarray as xr

from cortiscope.errors import InputError, MachineError
from cortiscope.scanning import Recording, scan
from cortiscope.stimuli import StimulusSet
from scanning import contents, fresh_subject, make_stimuli, make_subject

SITES = ["resid_pre[0]", "resid_post"]


def run_scan(out, **changes):
    arguments = {
        "subject": make_subject("gpt2"),
        "stimuli": make_stimuli(2),
        "sites": SITES,
        "batch_size": 5,
    }
    return scan(**{**arguments, **changes}, out=out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A recording that nothing has happened to."""
    return run_scan(tmp_path_factory.mktemp("store") / "a.zarr")


@pytest.fixture
def copy(whole, tmp_path):
    """A copy that a test may harm."""
    return shutil.copytree(whole.path, tmp_path / "a.zarr")


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[int(at * (len(data) - 1))] ^= 1
    file.write_bytes(data)


def test_a_flipped_byte_in_any_file_is_found(whole, copy):
    for name in contents(whole.path):
        for at in (0.0, 0.5, 1.0):
            flip(copy / name, at)
            try:
                damaged = Recording.open(copy).verify()
            except (MachineError, InputError) as error:
                # A journal without its last byte is that of a scan that was interrupted.
                assert isinstance(error, MachineError) or name == "progress.jsonl"
            else:
                assert damaged == [name]
            flip(copy / name, at)
    assert Recording.open(copy).verify() == []


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_reading_a_damaged_shard_names_its_file(at, copy):
    recording = Recording.open(copy)
    flip(copy / "resid_post" / "c.1.0.0", at)
    with pytest.raises(MachineError, match=r"c\.1\.0\.0 is damaged"):
        recording["resid_post"].load()
    assert np.isfinite(recording.layer("resid_pre", 0)).all()


def test_a_missing_or_shortened_shard_is_found_on_open(copy):
    recording = Recording.open(copy)
    shard = copy / "resid_post" / "c.1.0.0"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    with pytest.raises(MachineError, match=r"c\.1\.0\.0"):
        Recording.open(copy)
    shard.unlink()
    with pytest.raises(MachineError, match=r"c\.1\.0\.0"):
        Recording.open(copy)
    with pytest.raises(MachineError, match=r"c\.1\.0\.0"):
        recording.layer("resid_post", 0)


def other_subject():
    return fresh_subject("gpt2", seed=1)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"subject": other_subject}, "subject"),
        ({"stimuli": lambda: make_stimuli(3)}, "stimulus set"),
        ({"sites": ["resid_post"]}, "list of sites"),
        ({"sites": ["resid_pre[0]", "resid_post[1]"]}, "list of sites"),
        ({"position": "mean"}, "position"),
        ({"dtype": "float16"}, "dtype"),
        ({"batch_size": 6}, "batch_size"),
        ({"padding_side": "left"}, "padding_side"),
    ],
)
def test_a_store_of_another_scan_is_refused_and_left_alone(changes, what, whole):
    changes = {key: value() if callable(value) else value for key, value in changes.items()}
    before = contents(whole.path)
    with pytest.raises(InputError, match=rf"another {what} \("):
        run_scan(whole.path, **changes)
    assert contents(whole.path) == before


def test_a_folder_that_is_no_recording_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(InputError, match="no recording"):
        run_scan(tmp_path)
    with pytest.raises(InputError, match="no recording"):
        Recording.open(tmp_path)
    with pytest.raises(InputError, match="no recording"):
        Recording.open(tmp_path / "nowhere")
    assert contents(tmp_path) == {"thesis.txt": b"three years of work"}


def test_equal_scans_have_equal_files_and_fingerprints(whole, tmp_path):
    again = run_scan(tmp_path / "b.zarr")
    assert contents(again.path) == contents(whole.path)
    assert again.fingerprint == whole.fingerprint
    other = run_scan(tmp_path / "c.zarr", subject=other_subject())
    assert other.fingerprint != whole.fingerprint


def test_stimuli_are_in_the_order_of_their_set(whole):
    stimuli = make_stimuli(2)
    assert whole.labels.index.tolist() == stimuli.table["stimulus_id"].tolist()
    assert whole.data["text"].values.tolist() == stimuli.table["text"].tolist()
    lengths = whole.data["n_tokens"].values
    assert lengths.tolist() != sorted(lengths, reverse=True)  # the order of batches is another
    for at, row in enumerate(stimuli.table.itertuples()):
        alone = StimulusSet.from_table(stimuli.table.iloc[[at]], name="one")
        values = run_scan(whole.path.parent / f"{at}.zarr", stimuli=alone, batch_size=1)
        expected = values.layer("resid_post", 2)[0]
        found = whole["resid_post"].sel(stimulus=row.stimulus_id, layer=2).values
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_any_indexing_reads_what_it_says(whole):
    lazy = Recording.open(whole.path)["resid_post"]
    loaded = lazy.load().copy()
    lazy = Recording.open(whole.path)["resid_post"]
    keys = [
        {"stimulus": 3},
        {"stimulus": [7, 0, 7, 2], "layer": [2, 0]},
        {"stimulus": slice(None, None, -3), "unit": slice(2, 9, 2)},
        {"layer": 1, "unit": [5, 1]},
        {"stimulus": slice(0, 0)},
        {"stimulus": xr.DataArray([1, 2], dims="p"), "unit": xr.DataArray([4, 4], dims="p")},
    ]
    for key in keys:
        xr.testing.assert_identical(lazy.isel(key).load(), loaded.isel(key))


def test_one_layer_is_read_without_the_others(whole, tmp_path):
    out = shutil.copytree(whole.path, tmp_path / "a.zarr")
    expected = whole.layer("resid_post", 0)
    recording = Recording.open(out)
    for shard in (out / "resid_post").glob("c.*"):
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1  # in the middle layer of three
        shard.write_bytes(data)
    np.testing.assert_array_equal(recording.layer("resid_post", 0), expected)
    with pytest.raises(MachineError):
        recording.layer("resid_post", 1)


def test_opening_reads_no_activations(whole):
    recording = Recording.open(whole.path)
    assert not recording.data["resid_post"].variable._in_memory
    selected = recording.sel(category="animal", layer=1)
    assert not selected.data["resid_post"].variable._in_memory


@pytest.mark.filterwarnings("ignore:Object at .* is not recognized")
def test_other_tools_read_the_store(whole):
    plain = xr.open_zarr(whole.path, chunks=None, consolidated=False)
    in_order = plain.isel(stimulus=np.argsort(plain["stimulus"].values))
    np.testing.assert_array_equal(in_order["resid_post"].values, whole["resid_post"].values)
    assert plain["resid_pre_layer"].values.tolist() == [0]


def nan_in(subject):
    with torch.no_grad():
        subject.anatomy.blocks[1].mlp.c_proj.bias[3] = torch.nan


def huge_in(subject):
    with torch.no_grad():
        subject.anatomy.blocks[1].mlp.c_proj.bias[3] = 1e5


def test_activations_that_are_no_numbers_are_refused(tmp_path):
    subject = fresh_subject("gpt2")
    nan_in(subject)
    with pytest.raises(InputError, match=r"'\S+-\S+' at resid_post, layer 1.*nan"):
        run_scan(tmp_path / "a.zarr", subject=subject)


def test_what_float16_cannot_hold_is_refused_with_the_figure(tmp_path):
    subject = fresh_subject("gpt2")
    huge_in(subject)
    with pytest.raises(
        InputError, match=r"resid_post, layer 1: the activation \d+ is beyond the 65504.*float32"
    ):
        run_scan(tmp_path / "a.zarr", subject=subject, dtype="float16")
    assert run_scan(tmp_path / "b.zarr", subject=subject).layer("resid_post", 1).max() > 9e4


def test_a_hook_that_does_not_fire_once_is_refused(tmp_path):
    subject = fresh_subject("gpt2")
    block = subject.anatomy.blocks[1]
    forward = block.forward
    block.forward = lambda *args, **kwargs: forward(*args, **kwargs)
    subject.anatomy.blocks[0].forward = lambda hidden, *_, **__: block(hidden)
    with pytest.raises(InputError, match="layer 1 fired 2 times"):
        run_scan(tmp_path / "a.zarr", subject=subject)
    subject.anatomy.body.h[0] = torch.nn.Identity()
    subject.anatomy.body.h[0].forward = lambda hidden, *_, **__: hidden
    with pytest.raises(InputError, match="layer 0 fired 0 times"):
        run_scan(tmp_path / "b.zarr", subject=subject)


def test_a_stimulus_that_the_subject_cannot_read_is_named(tmp_path):
    table = make_stimuli(2).table
    long = StimulusSet.from_words({"a": ["dog"]}, {"x": "{word} " + "then " * 80}, name="x").table
    table.loc[4, ["text", "target_start", "target_end"]] = [long.loc[0, "text"], 0, 3]
    stimuli = StimulusSet.from_table(table, name="long")
    with pytest.raises(InputError, match=f"{table.loc[4, 'stimulus_id']!r}.*at most 64"):
        run_scan(tmp_path / "a.zarr", stimuli=stimuli)
    assert not (tmp_path / "a.zarr").exists()


def test_a_label_with_the_name_of_what_a_scan_counts_is_refused(tmp_path):
    stimuli = StimulusSet.from_table(make_stimuli(2).table.assign(n_tokens="x"), name="x")
    with pytest.raises(InputError, match="'n_tokens' has the name"):
        run_scan(tmp_path / "a.zarr", stimuli=stimuli)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "bfloat16"}, "float32 or float16"),
        ({"padding_side": "up"}, "right"),
        ({"position": "first"}, "target_last"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_bad_parameters_are_refused(changes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        run_scan(tmp_path / "a.zarr", **changes)
