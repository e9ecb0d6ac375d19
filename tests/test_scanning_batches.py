from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortiscope.errors import InputError
from cortiscope.scanning.batches import make_batches

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 50))
def test_every_stimulus_is_shown_once_in_batches_of_constant_size(lengths, batch_size):
    batches = make_batches(lengths, batch_size)
    assert sorted(at for batch in batches for at in batch.stimuli) == list(range(len(lengths)))
    assert all(len(batch.stimuli) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1].stimuli) <= batch_size
    rows = [np.arange(len(lengths))[batch.rows] for batch in batches]
    assert np.concatenate(rows).tolist() == list(range(len(lengths)))
    assert [batch.index for batch in batches] == list(range(len(batches)))


@given(LENGTHS, st.integers(1, 50))
def test_a_batch_is_as_long_as_its_longest_and_no_shorter_than_the_next(lengths, batch_size):
    batches = make_batches(lengths, batch_size)
    for batch in batches:
        assert batch.length == max(lengths[at] for at in batch.stimuli)
    for batch, following in itertools.pairwise(batches):
        assert min(lengths[at] for at in batch.stimuli) >= following.length


@given(LENGTHS, st.integers(1, 50))
def test_whole_batches_need_no_more_padding_than_in_the_order_given(lengths, batch_size):
    # A last batch that is not full may hold the longest alone, and then another order wins.
    whole = lengths[: len(lengths) // batch_size * batch_size]
    batches = make_batches(whole, batch_size)
    in_order = [max(whole[at : at + batch_size]) for at in range(0, len(whole), batch_size)]
    assert sum(batch.length for batch in batches) <= sum(in_order)


@given(LENGTHS, st.integers(1, 50))
def test_batches_are_a_pure_function(lengths, batch_size):
    assert make_batches(lengths, batch_size) == make_batches(tuple(lengths), batch_size)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, "8"])
def test_a_bad_batch_size_is_refused(batch_size):
    with pytest.raises(InputError, match="batch_size"):
        make_batches([1, 2], batch_size)
