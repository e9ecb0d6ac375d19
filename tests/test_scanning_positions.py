from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.scanning.positions import POSITIONS, check_position, gather_index, recorded_tokens
from cortiscope.scanning.sites import lay_out_sites, parse_site
from cortiscope.subjects import Tokens
from families import tokenizer
from scanning import make_stimuli, make_subject


@st.composite
def texts(draw):
    """Tokens that tile a text, with special tokens around and empty ones between."""
    widths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=12).filter(any))
    ends = np.cumsum(widths).tolist()
    offsets = list(zip([0, *ends[:-1]], ends, strict=True))
    before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    special = [True] * before + [False] * len(offsets) + [True] * after
    offsets = [(0, 0)] * before + offsets + [(0, 0)] * after
    start = draw(st.integers(0, ends[-1] - 1))
    end = draw(st.integers(start + 1, ends[-1]))
    return Tokens(tuple(range(len(offsets))), tuple(offsets), tuple(special)), (start, end)


@given(texts())
def test_the_target_is_covered_by_its_tokens_and_by_no_other(text):
    tokens, (start, end) = text
    mean = recorded_tokens(tokens, "target_mean", (start, end), "s")
    covered = {c for at in mean for c in range(*tokens.offsets[at])}
    assert set(range(start, end)) <= covered
    assert recorded_tokens(tokens, "target_last", (start, end), "s") == mean[-1:]
    assert tokens.offsets[mean[-1]][0] < end <= tokens.offsets[mean[-1]][1]
    assert all(tokens.offsets[at][1] > tokens.offsets[at][0] for at in mean)


@given(texts())
def test_special_tokens_are_never_recorded(text):
    tokens, target = text
    own = tuple(at for at, special in enumerate(tokens.special) if not special)
    for position in POSITIONS:
        assert set(recorded_tokens(tokens, position, target, "s")) <= set(own)
    assert recorded_tokens(tokens, "every", target, "s") == own
    assert recorded_tokens(tokens, "mean", target, "s") == own
    assert recorded_tokens(tokens, "last", target, "s") == own[-1:]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(0, 4), st.randoms())
def test_the_same_tokens_are_gathered_on_either_padding_side(lengths, slack, random):
    recorded = [sorted(random.sample(range(n), random.randint(1, n))) for n in lengths]
    width = max(lengths) + slack
    for side in ("left", "right"):
        padded = np.full((len(lengths), width), -1)
        for row, n in enumerate(lengths):
            padded[row, :n] = np.arange(n)
            if side == "left":
                padded[row] = np.roll(padded[row], width - n)
        index, valid = gather_index(recorded, lengths, width, side)
        taken = np.take_along_axis(padded, index, axis=1)
        assert [row[ok].tolist() for row, ok in zip(taken, valid, strict=True)] == recorded


def test_a_real_tokenizer_ends_the_target_at_its_last_piece():
    text = "She saw the screwdriver."
    [tokens] = make_subject("llama").tokenize([text])
    (at,) = recorded_tokens(tokens, "target_last", (12, 23), "s")
    assert text[slice(*tokens.offsets[at])].endswith("r")
    pieces = recorded_tokens(tokens, "target_mean", (12, 23), "s")
    assert len(pieces) > 1
    assert "screwdriver" in tokenizer().decode([tokens.ids[piece] for piece in pieces])


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_the_last_token_is_the_one_that_the_tokenizer_names(family):
    subject, table = make_subject(family), make_stimuli().table
    for row in table.itertuples():
        [tokens] = subject.tokenize([row.text])
        encoding = subject.tokenizer(row.text)
        target = (row.target_start, row.target_end)
        (at,) = recorded_tokens(tokens, "target_last", target, row.stimulus_id)
        assert at == encoding.char_to_token(row.target_end - 1)


def test_a_target_without_tokens_names_the_stimulus():
    tokens = Tokens((1, 2), ((0, 0), (0, 3)), (True, False))
    with pytest.raises(InputError, match=r"'s7'.*target"):
        recorded_tokens(tokens, "target_last", (3, 5), "s7")


def test_an_unknown_position_is_refused():
    with pytest.raises(InputError, match=r"first.*target_last"):
        check_position("first")


@pytest.mark.parametrize(
    "request_", ["resid_post[", "resid_post[]", "resid_post[-1]", "a b", "x[1:3]"]
)
def test_a_site_that_cannot_be_read_is_refused(request_):
    with pytest.raises(InputError, match="resid_post\\[2,4\\]"):
        parse_site(request_)


def test_sites_are_laid_out_as_asked_for():
    anatomy = make_subject("gpt2").anatomy
    pre, post, heads = lay_out_sites(["resid_pre[0]", "resid_post[2, 0,1]", "head_out[1]"], anatomy)
    assert (str(pre), str(post), str(heads)) == ("resid_pre[0]", "resid_post", "head_out[1]")
    assert post.whole
    assert not pre.whole
    assert heads.dim_names == ("stimulus", "head_out_layer", "head", "head_unit")
    assert heads.row_shape == (1, 4, 8)


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ([], "No site"),
        (["resid_post[0]", "resid_post[1]"], "twice"),
        (["resid_post[3]"], "layer 3"),
        (["nowhere"], "nowhere"),
    ],
)
def test_sites_that_a_subject_lacks_are_refused(sites, message):
    with pytest.raises(InputError, match=message):
        lay_out_sites(sites, make_subject("gpt2").anatomy)
