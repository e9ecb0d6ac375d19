"""Directions are what they say: unit vectors of a site, which files give back."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from cortiscope import InputError, MachineError
from cortiscope.codes import Direction, export_gguf

HERE = {"site": "resid_post", "layer": 2}


def _direction(vector=(3.0, 0.0, 4.0), name="animal", **more):
    return Direction.from_vector(vector, **{**HERE, "name": name, **more})


# --- the type ---


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20).filter(
        lambda values: max(map(abs, values)) > 1e-3
    )
)
def test_scale_times_vector_is_the_vector_that_was_given(values):
    direction = _direction(values)
    assert abs(np.linalg.norm(direction.vector.astype(np.float64)) - 1.0) < 1e-6
    assert direction.vector.dtype == np.float32
    np.testing.assert_allclose(
        direction.scale * direction.vector.astype(np.float64),
        values,
        atol=1e-6 * direction.scale,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vector": np.float32([1.0, 1.0])}, "has the length 1.41421"),
        ({"vector": np.zeros(3)}, "has the length 0"),
        ({"vector": np.float32([np.nan, 1.0])}, "is nan at unit 0"),
        ({"vector": np.eye(2)}, r"shape \(2, 2\)"),
        ({"vector": []}, r"shape \(0,\)"),
        ({"site": "residual"}, "'residual', which is no site"),
        ({"layer": -1}, "layer -1"),
        ({"layer": 1.5}, "layer 1.5"),
        ({"scale": 0.0}, "scale 0"),
        ({"scale": np.inf}, "scale inf"),
        ({"origin": {"x": np.ones(2)}}, "JSON"),
    ],
)
def test_what_is_no_direction_is_refused_by_name(change, message):
    with pytest.raises(InputError, match=message) as error:
        replace(_direction(), **change)
    assert "'animal'" in str(error.value)


def test_a_vector_of_zeros_points_nowhere():
    with pytest.raises(InputError, match="'animal' is zero"):
        _direction([0.0, 0.0])


def test_it_cannot_be_changed_from_outside():
    vector, origin = np.float32([0.0, 1.0]), {"words": ["cat"]}
    direction = Direction(vector, **HERE, name="animal", origin=origin)
    vector[0] = 5.0
    origin["words"].append("dog")
    assert direction.vector.tolist() == [0.0, 1.0]
    assert direction.origin == {"words": ["cat"]}
    with pytest.raises(ValueError, match="read-only"):
        direction.vector[0] = 1.0
    with pytest.raises(FrozenInstanceError):
        direction.layer = 3


def test_its_fingerprint_is_that_of_what_it_does():
    one = _direction()
    for same in ({"name": "tool"}, {"origin": {"words": ["cat"]}}, {"method": "probe"}):
        assert replace(one, **same).fingerprint == one.fingerprint
    for other in ({"site": "resid_pre"}, {"layer": 3}, {"scale": 2.0}, {"vector": -one.vector}):
        assert replace(one, **other).fingerprint != one.fingerprint


def test_turning_it_round_twice_gives_it_back():
    one = _direction()
    assert (-one).cosine(one) == pytest.approx(-1.0, abs=1e-6)
    assert (-one).scale == one.scale
    turned = -one
    assert ((-turned).name, (-turned).fingerprint) == ("animal", one.fingerprint)
    with pytest.raises(InputError, match="3 units and 'tool' 2"):
        one.cosine(_direction([1.0, 2.0], "tool"))


def test_a_control_of_equal_length_takes_the_scale_alone():
    one, other = _direction([0.0, 2.0]), _direction([7.0, 0.0], "control")
    control = other.scaled_like(one)
    assert (control.scale, control.vector.tolist()) == (2.0, [1.0, 0.0])


def test_it_shows_itself_and_escapes_its_name():
    direction = _direction(name="<b>")
    assert repr(direction) == (
        "Direction(<b>: resid_post of layer 2, 3 units, natural length 5, given)"
    )
    assert "&lt;b&gt;" in direction._repr_html_()


# --- files ---


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.text(max_size=8))
def test_what_is_opened_is_what_was_saved(tmp_path_factory, seed, name):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("directions") / "one.safetensors"
    saved = _direction(rng.normal(size=17), name, method="probe", origin={"words": [name]})
    opened = Direction.open(saved.save(path))
    assert opened.vector.tobytes() == saved.vector.tobytes()
    for field in ("site", "layer", "name", "scale", "method", "origin", "fingerprint"):
        assert getattr(opened, field) == getattr(saved, field)
    before = path.read_bytes()
    assert saved.save(path).read_bytes() == before


def test_the_file_is_plain_safetensors(tmp_path):
    direction = _direction()
    tensors = load_file(direction.save(tmp_path / "one.safetensors"))
    assert list(tensors) == ["direction"]
    np.testing.assert_array_equal(tensors["direction"], direction.vector)


def test_files_that_hold_no_direction_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"one\.npy the ending \.safetensors"):
        _direction().save(tmp_path / "one.npy")
    with pytest.raises(InputError, match="is no file"):
        Direction.open(tmp_path / "none.safetensors")
    save_file({"direction": np.ones(3, np.float32)}, tmp_path / "plain.safetensors")
    with pytest.raises(InputError, match="does not say that it holds a direction"):
        Direction.open(tmp_path / "plain.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="damaged"):
        Direction.open(tmp_path / "damaged.safetensors")


def test_a_file_that_was_edited_is_noticed(tmp_path):
    path = _direction().save(tmp_path / "one.safetensors")
    content = path.read_bytes()
    path.write_bytes(content.replace(b'\\"layer\\": 2', b'\\"layer\\": 1'))
    assert path.read_bytes() != content
    with pytest.raises(MachineError, match="is not what was saved"):
        Direction.open(path)


# --- control vectors ---


def _read_gguf(path):
    gguf = pytest.importorskip("gguf")
    reader = gguf.GGUFReader(path)
    fields = {
        name: reader.get_field(name).contents()
        for name in (
            "general.architecture",
            "controlvector.model_hint",
            "controlvector.layer_count",
        )
    }
    return fields, {tensor.name: tensor for tensor in reader.tensors}


def test_the_reader_of_gguf_reads_a_control_vector(tmp_path):
    gguf = pytest.importorskip("gguf")
    at_3, at_1 = _direction([1.0, -2.0, 0.5], layer=3), _direction(layer=1)
    path = export_gguf([at_3, at_1], tmp_path / "two.gguf", model_hint="qwen2", dose=4.0)
    fields, tensors = _read_gguf(path)
    assert fields == {
        "general.architecture": "controlvector",
        "controlvector.model_hint": "qwen2",
        "controlvector.layer_count": 2,
    }
    assert sorted(tensors) == ["direction.1", "direction.3"]
    np.testing.assert_allclose(tensors["direction.3"].data, [4.0, -8.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(tensors["direction.1"].data, [12.0, 0.0, 16.0], rtol=1e-6)
    for tensor in tensors.values():
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        assert tensor.shape.tolist() == [3]
    again = export_gguf([at_1, at_3], tmp_path / "again.gguf", model_hint="qwen2", dose=4.0)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("directions", "change", "message"),
    [
        ([], {}, "no direction"),
        ([_direction(layer=0)], {}, "layer 0"),
        ([_direction(site="mlp_out")], {}, "mlp_out"),
        ([_direction(), _direction()], {}, "2 directions are at layer 2"),
        ([_direction(), _direction([1.0], layer=1)], {}, "different numbers of units"),
        ([_direction()], {"dose": 0.0}, "dose is 0"),
        ([_direction()], {"path": "one.bin"}, r"ending \.gguf"),
    ],
)
def test_what_llama_cpp_cannot_read_is_refused(tmp_path, directions, change, message):
    path = tmp_path / change.pop("path", "one.gguf")
    with pytest.raises(InputError, match=message):
        export_gguf(directions, path, model_hint="llama", **change)
    assert not path.exists()
