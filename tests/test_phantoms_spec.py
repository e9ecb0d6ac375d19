"""Phantoms as protocols name them: what is written is what is read, or one sentence says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortiscope import InputError
from cortiscope.phantoms import PHANTOMS, PhantomDesign, parse_phantom
from cortiscope.studies.phantom_subject import PhantomSubject

VALUES = st.one_of(
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.tuples(st.floats(0, 1), st.integers(0, 3)),
)


@given(
    phantom=st.sampled_from(sorted(PHANTOMS)),
    options=st.dictionaries(st.sampled_from(["seed", "strength", "shares", "n_units"]), VALUES),
)
def test_what_is_written_is_what_is_read(phantom, options):
    written = ", ".join(f"{name}={value!r}" for name, value in options.items())
    assert parse_phantom(f"{phantom}({written})") == (phantom, options)


def test_spaces_and_empty_parentheses_do_not_matter():
    assert parse_phantom(" noise ") == parse_phantom("noise()") == ("noise", {})
    assert parse_phantom("patch( n_selective = 3,seed=1 )") == (
        "patch",
        {"n_selective": 3, "seed": 1},
    )


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("ghost", "no phantom 'ghost': choose among noise, "),
        ("", "is no phantom: write NAME"),
        ("noise(", "is no phantom: write NAME"),
        ("noise(2)", "is no phantom: write NAME"),
        ("noise(=2)", "is no phantom: write NAME"),
        ("noise(seed=1, seed=2)", "is no phantom: write NAME"),
        ("noise(seed=1) + 1", "is no phantom: write NAME"),
        ("phantoms.noise(seed=1)", "is no phantom: write NAME"),
        ("noise(strength=big)", "'strength=big' in"),
        ("noise(seed=open('x'))", "write NAME=NUMBER"),
        ("noise(**seed)", "write NAME=NUMBER"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(spec, sentence):
    with pytest.raises(InputError) as caught:
        parse_phantom(spec)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_option_of_every_phantom_can_be_written():
    design = PhantomDesign.balanced(n_categories=2, n_words=8, n_frames=2, n_units=16)
    for phantom in PHANTOMS.values():
        written = ", ".join(f"{name}={value!r}" for name, value in phantom.options.items())
        _, options = parse_phantom(f"{phantom.name}({written})")
        made = phantom.make(design, seed=1, **options)
        assert made.fingerprint == phantom.make(design, seed=1, **phantom.options).fingerprint


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("phantom:noise(seed=1.5)", "the seed of phantom:noise(seed=1.5) is 1.5: give a whole"),
        ("phantom:noise(n_units='many')", "the n_units of"),
        ("phantom:noise(strength='much')", "give a number"),
    ],
)
def test_a_subject_of_no_size_is_refused(spec, sentence):
    with pytest.raises(InputError) as caught:
        PhantomSubject.parse(spec)
    assert sentence in str(caught.value)


def test_a_subject_is_called_by_what_makes_it():
    subject = PhantomSubject.parse("phantom:subspace(shares=(0.5, 0.5), seed=2, n_units=20)")
    assert PhantomSubject.parse(subject.name) == PhantomSubject.parse(
        "phantom:subspace(seed=2, shares=(0.5, 0.5))"
    )
    assert (subject.n_units, subject.options) == (20, {"shares": (0.5, 0.5)})
    assert subject.twin(0) != subject.twin(1)
    assert len({subject.slug, subject.twin(0).slug, subject.twin(1).slug}) == 3
