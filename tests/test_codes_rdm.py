"""RDMs are checked when they are made, and read from the files that others keep them in."""

import pickle

import numpy as np
import pytest
import rsatoolbox
from scipy.io import savemat
from scipy.spatial.distance import pdist, squareform

from cortiscope import InputError
from cortiscope.codes import RDM

NAMES = ("cat", "dog", "saw", "ice cream, soft", "Ünit")


def _rdm(seed=0, names=NAMES, name="toy"):
    values = np.random.default_rng(seed).random(len(names) * (len(names) - 1) // 2)
    return RDM(name, names, values, "correlation")


def _same(one, two):
    assert one.conditions == two.conditions
    np.testing.assert_allclose(one.dissimilarities, two.dissimilarities, rtol=1e-12)


def test_square_and_condensed_agree_with_scipy():
    rdm = _rdm()
    np.testing.assert_array_equal(rdm.square, squareform(rdm.dissimilarities))
    _same(RDM.from_square("again", NAMES, rdm.square), rdm)


def test_selecting_keeps_each_dissimilarity_with_its_pair():
    rdm = _rdm()
    chosen = rdm.select(["saw", "cat", "Ünit"])
    assert chosen.square[0, 2] == rdm.square[2, 4]
    assert chosen.square[1, 2] == rdm.square[0, 4]
    with pytest.raises(InputError, match="no condition 'cow'"):
        rdm.select(["cat", "cow"])


def test_features_give_the_distances_of_scipy():
    features = np.random.default_rng(0).normal(size=(6, 9))
    names = list("abcdef")
    for measure, metric, scale in (
        ("correlation", "correlation", 1),
        ("euclidean", "sqeuclidean", 9),
    ):
        np.testing.assert_allclose(
            RDM.from_features("x", names, features, measure).dissimilarities,
            pdist(features, metric) / scale,
            rtol=1e-10,
        )


def test_its_fingerprint_is_that_of_its_content():
    assert _rdm().fingerprint == _rdm(name="another").fingerprint
    assert _rdm().fingerprint != _rdm(seed=1).fingerprint
    assert _rdm().fingerprint != _rdm(names=(*NAMES[:4], "unit")).fingerprint


def test_what_was_saved_is_read_back_to_the_last_bit(tmp_path):
    rdm = _rdm()
    again = RDM.read(rdm.save(tmp_path / "brain.csv"))
    assert again.fingerprint == rdm.fingerprint
    assert again.name == "brain"
    with pytest.raises(InputError, match=r"ending \.csv"):
        rdm.save(tmp_path / "brain.mat")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("layout", ["names", "rows", "columns", "numbers", "pairs"])
def test_text_is_read_however_it_is_laid_out(tmp_path, layout, delimiter):
    names = ("cat", "dog", "saw", "axe")
    rdm = _rdm(names=names)
    body = [[repr(value) for value in row] for row in rdm.square.tolist()]
    if layout == "pairs":
        rows = [["cond_a", "cond_b", "value"]]
        rows += [[names[j], names[i], body[i][j]] for i in range(4) for j in range(i + 1, 4)]
    else:
        header = list(names) if layout in ("names", "columns") else []
        labelled = layout in ("names", "rows")
        rows = [["", *header] if labelled else header] if header else []
        rows += [[name, *row] if labelled else row for name, row in zip(names, body, strict=True)]
    path = tmp_path / ("rdm.tsv" if delimiter == "\t" else "rdm.csv")
    path.write_text("\n".join(delimiter.join(row) for row in rows) + "\n")
    read = RDM.read(path, conditions=names if layout == "numbers" else None)
    assert set(read.conditions) == set(names)
    _same(read.select(names), rdm)


def test_conditions_without_names_are_numbered(tmp_path):
    path = tmp_path / "rdm.csv"
    path.write_text("0,1,2\n1,0,3\n2,3,0\n")
    assert RDM.read(path).conditions == ("1", "2", "3")


def test_numbers_may_be_names(tmp_path):
    rdm = _rdm(names=("1", "2", "3"))
    assert RDM.read(rdm.save(tmp_path / "a.csv")).conditions == ("1", "2", "3")
    path = tmp_path / "b.csv"
    path.write_text("7,8,9\n0,1,2\n1,0,3\n2,3,0\n")
    assert RDM.read(path).conditions == ("7", "8", "9")


def test_matlab_structures_stacks_and_squares_are_read(tmp_path):
    """As the RSA toolbox for MATLAB keeps them: a field RDM beside a name, sessions in a stack."""
    first, second = _rdm(0), _rdm(1)
    structures = np.zeros((1, 2), dtype=[("RDM", "O"), ("name", "O"), ("color", "O")])
    for place, rdm in enumerate((first, second)):
        structures[0, place] = (rdm.square, f"hIT | session {place}", np.zeros((1, 3)))
    stack = np.stack([first.square, second.square], axis=2)
    labels = np.array(NAMES, dtype=object)
    path = tmp_path / "brain.mat"
    savemat(path, {"RDMs": structures, "stack": stack, "labels": labels, "n": 5})
    found = RDM.read_all(path)
    assert set(found) == {"hIT | session 0", "hIT | session 1", "stack(1)", "stack(2)"}
    _same(found["hIT | session 1"], second)
    _same(found["stack(1)"], first)
    _same(RDM.read(path, name="stack(2)"), second)
    with pytest.raises(InputError, match=r"choose one of 'hIT \| session 0'"):
        RDM.read(path)
    with pytest.raises(InputError, match="none is called 'V1'"):
        RDM.read(path, name="V1")


def test_what_rsatoolbox_saves_is_read(tmp_path):
    first, second = _rdm(0, NAMES[:4]), _rdm(1, NAMES[:4])
    rsatoolbox.rdm.RDMs(
        np.stack([first.dissimilarities, second.dissimilarities]),
        dissimilarity_measure="crossnobis",
        pattern_descriptors={"conds": list(first.conditions)},
        rdm_descriptors={"subject": ["BE", "KO"]},
    ).save(str(tmp_path / "brain.hdf5"))
    found = RDM.read_all(tmp_path / "brain.hdf5")
    assert set(found) == {"BE", "KO"}
    _same(found["KO"], second)
    assert found["KO"].measure == "crossnobis"


def test_pickles_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    path = tmp_path / "rdm.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="is a pickle"):
        RDM.read(path)


def test_sessions_are_averaged_condition_by_condition():
    first, second = _rdm(0), _rdm(1)
    mean = RDM.mean("both", [first, second.select(NAMES[::-1])])
    np.testing.assert_allclose(mean.square, (first.square + second.square) / 2)
    with pytest.raises(InputError, match="no condition 'Ünit'"):
        RDM.mean("both", [first, second.select(NAMES[:4])])


def test_names_match_whatever_their_case_and_spaces():
    rdm = _rdm(names=("Cat", "ice_cream", "saw", "SAW", "T-shirt"))
    assert rdm.matching(["cat", "ice cream", "saw", "Saw", "t shirt", "dog"]) == {
        "cat": "Cat",
        "ice cream": "ice_cream",
        "saw": "saw",  # the very same; "Saw" could be either of two
        "t shirt": "T-shirt",
    }


def _square(change):
    square = _rdm().square
    change(square)
    return square


def _put(place, value):
    return lambda square: square.__setitem__(place, value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RDM("x", ("a", "a", "b"), np.ones(3)), "'a' is there more than once"),
        (lambda: RDM("x", ("a", "b", "c"), np.ones(4)), "4 dissimilarities of 3 conditions"),
        (lambda: RDM("x", ("a",), np.ones(0)), "two conditions or more"),
        (
            lambda: RDM("x", ("a", "b", "c"), np.array([1, np.nan, 1])),
            "'a' and 'c' in the RDM 'x' is nan",
        ),
        (
            lambda: RDM.from_square("x", NAMES, _square(_put((1, 2), 9.0))),
            "not symmetric: 'dog' is 9 from 'saw'",
        ),
        (
            lambda: RDM.from_square("x", NAMES, _square(_put((2, 2), 1.0))),
            "'saw' to itself .* must be 0",
        ),
        (
            lambda: RDM.from_square("x", NAMES[:3], _rdm().square),
            r"shape \(5, 5\) and 3 conditions",
        ),
        (lambda: RDM.from_features("x", NAMES, np.ones((4, 2))), "give a row for each"),
        (lambda: RDM.from_features("x", NAMES, np.ones((5, 2)), "cosine"), "no measure 'cosine'"),
        (lambda: RDM.from_features("x", NAMES, np.ones((5, 2))), "'cat' and 'dog' .* is nan"),
        (lambda: RDM.mean("x", []), "no RDM to average"),
    ],
)
def test_what_is_no_rdm_is_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "a,b\n1,2\n3,4\n5,6\n", "neither a square nor three columns"),
        ("a.csv", "x,y,d\na,b,1\na,c,2\n", "no dissimilarity of 'b' and 'c'"),
        ("a.csv", "x,y,d\na,b,1\na,c,2\nb,c,3\nb,a,4\n", "give each pair once"),
        ("a.csv", ",a,b,c\na,0,1,2\nc,1,0,3\nb,2,3,0\n", "row 2 'c' and column 2 'b'"),
        ("a.csv", ",a,b,c\na,0,1,x\nb,1,0,3\nc,2,3,0\n", "'x' where a dissimilarity"),
        ("a.csv", ",a,b,c\na,0,1,\nb,1,0,3\nc,,3,0\n", "'a' and 'c' .* is nan"),
        ("a.mat", "no matlab", "is no .mat file"),
        ("a.h5", "no hdf5", "is no HDF5 file"),
        ("a.xlsx", "", "none of the files that hold RDMs"),
    ],
)
def test_bad_files_are_named_with_what_is_wrong(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        RDM.read(path)


def test_files_that_hold_no_rdm_are_named(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.ones((3, 4))})
    with pytest.raises(InputError, match="no square matrix"):
        RDM.read(tmp_path / "a.mat")
    with pytest.raises(InputError, match="There is no file"):
        RDM.read(tmp_path / "b.csv")
