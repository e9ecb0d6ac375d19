"""d', halves and overlaps equal their definitions, and say nothing where there is nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import StratifiedShuffleSplit

from cortiscope import InputError
from cortiscope.statistics import (
    SplitHalves,
    WordSums,
    compare_halves,
    d_prime,
    d_prime_of_members,
    half_d_prime,
    hypergeometric_overlap,
    jackknife_words,
    replicate,
    spearman_brown,
)


def _textbook(inside, outside):
    """Cohen's d of columns."""
    n_in, n_out = len(inside), len(outside)
    pooled = (n_in - 1) * inside.var(axis=0, ddof=1) + (n_out - 1) * outside.var(axis=0, ddof=1)
    return (inside.mean(axis=0) - outside.mean(axis=0)) / np.sqrt(pooled / (n_in + n_out - 2))


def _stimuli(seed=0, n_words=(7, 8, 4), n_units=12):
    """Words of unequal categories with one to three sentences each, in any order."""
    rng = np.random.default_rng(seed)
    label_of_word = rng.permutation(np.repeat(np.arange(len(n_words)), n_words))
    word = rng.permutation(np.repeat(np.arange(len(label_of_word)), 1 + label_of_word % 3))
    x = rng.normal(size=(len(word), n_units)) + rng.normal(size=(len(label_of_word), n_units))[word]
    return 3 * x + 50, word, label_of_word


def test_d_prime_is_cohens_d():
    x, word, label_of_word = _stimuli()
    label = label_of_word[word]
    ours = d_prime(x, label, 3)
    for category in range(3):
        expected = _textbook(x[label == category], x[label != category])
        np.testing.assert_allclose(ours[category], expected, rtol=1e-10)
    n_in = (label == 0).sum()
    t = stats.ttest_ind(x[label == 0], x[label != 0]).statistic
    np.testing.assert_allclose(ours[0], t * np.sqrt(1 / n_in + 1 / (len(x) - n_in)), rtol=1e-10)


def test_d_prime_of_some_words_is_that_of_a_table_with_no_others():
    rng = np.random.default_rng(0)
    z, label = rng.normal(size=(30, 9)), np.arange(30) % 3
    kept = rng.permuted(np.tile(np.arange(30) < 21, (4, 1)), axis=1)
    members = (label == np.arange(3)[:, None]) & kept[:, None]
    for words, found in zip(kept, d_prime_of_members(z, members, kept), strict=True):
        np.testing.assert_allclose(found, d_prime(z[words], label[words], 3), rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_d_prime_does_not_notice_scale_and_shift(seed, shift, scale):
    x, word, label_of_word = _stimuli(seed)
    label = label_of_word[word]
    first = d_prime(x, label, 3)
    np.testing.assert_allclose(d_prime(scale * x + shift, label, 3), first, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(d_prime(-x, label, 3), -first, rtol=1e-10, atol=1e-12)


def test_constant_units_are_not_selective_and_perfect_ones_are_finite():
    label = np.repeat([0, 1], 10)
    x = np.stack([np.full(20, 7.3), label.astype(float)], axis=1)
    constant, perfect = d_prime(x, label, 2)[1]
    assert constant == 0
    assert np.isfinite(perfect)
    assert perfect > 100


def test_halves_keep_words_and_categories_and_use_every_word():
    label_of_word = _stimuli()[2]
    halves = SplitHalves.draw(label_of_word, n_splits=20, seed=3)
    for split in range(20):
        members = [np.sort(halves.word[halves.is_in[half, split]]) for half in (0, 1)]
        assert sorted(np.concatenate(members)) == list(range(len(label_of_word)))
        counts = [np.bincount(label_of_word[of], minlength=3) for of in members]
        assert np.abs(counts[0] - counts[1]).max() <= 1
    more = SplitHalves.draw(label_of_word, n_splits=30, seed=3)
    np.testing.assert_array_equal(more.some(0, 20).is_in, halves.is_in)


def _brute_halves(x, word, label_of_word, halves, split, kept=None):
    """d' (2, category, unit), half by half, from the stimuli themselves."""
    found = []
    for half in (0, 1):
        is_in = np.zeros(len(label_of_word), dtype=bool)
        is_in[halves.word[halves.is_in[half, split]]] = True
        if kept is not None:
            is_in &= kept
        label = label_of_word[word][is_in[word]]
        mine = x[is_in[word]]
        found.append([_textbook(mine[label == c], mine[label != c]) for c in range(3)])
    return np.array(found)


def test_matrix_products_equal_a_loop_over_halves():
    x, word, label_of_word = _stimuli()
    halves = SplitHalves.draw(label_of_word, n_splits=5)
    sums = WordSums.of(x, word)
    for precise, of in ((1e-10, sums), (1e-4, sums.single())):
        ours = half_d_prime(of, halves)[0]
        for split in range(5):
            expected = _brute_halves(x, word, label_of_word, halves, split)
            got = np.moveaxis(ours[:, :, split], 1, 0)
            np.testing.assert_allclose(got, expected, rtol=precise, atol=precise)


def test_draws_equal_permuting_and_leaving_out_the_words_themselves():
    x, word, label_of_word = _stimuli()
    halves = SplitHalves.draw(label_of_word, n_splits=2)
    sums = WordSums.of(x, word)
    rng = np.random.default_rng(1)
    order = np.array([rng.permutation(len(label_of_word)) for _ in range(3)])
    ours = half_d_prime(sums, halves, order=order)
    for draw, stands_in in enumerate(order):
        # Word stands_in[w] takes the place of w: what it says is said of w.
        place = np.argsort(stands_in)
        expected = _brute_halves(x, place[word], label_of_word, halves, 1)
        np.testing.assert_allclose(np.moveaxis(ours[draw, :, :, 1], 1, 0), expected, rtol=1e-9)
    kept = jackknife_words(label_of_word, n_jackknife=3)
    ours = half_d_prime(sums, halves, kept=kept)
    for draw in range(3):
        expected = _brute_halves(x, word, label_of_word, halves, 0, kept[draw])
        np.testing.assert_allclose(np.moveaxis(ours[draw, :, :, 0], 1, 0), expected, rtol=1e-9)


@pytest.mark.parametrize("absolute", [False, True])
def test_comparison_of_halves_equals_sorting_unit_by_unit(absolute):
    values = np.random.default_rng(0).normal(size=(2, 3, 2, 4, 30))
    found = compare_halves(values, [1, 7, 40], absolute=absolute)
    for draw, category in np.ndindex(2, 3):
        correlation, held_out, overlap = [], [], []
        for split in range(4):
            a, b = values[draw, category, :, split]
            key = np.abs if absolute else np.asarray
            correlation.append(np.corrcoef(key(a), key(b))[0, 1])
            top = [np.argsort(-key(of))[:7] for of in (a, b)]
            signs = [np.sign(of) if absolute else np.ones(30) for of in (a, b)]
            worth = (signs[0] * b)[top[0]].mean() + (signs[1] * a)[top[1]].mean()
            held_out.append(worth / 2)
            overlap.append(len(set(top[0]) & set(top[1])) / 7)
        assert found.correlation[draw, category] == pytest.approx(np.mean(correlation))
        assert found.held_out[draw, category, 1] == pytest.approx(np.mean(held_out))
        assert found.overlap[draw, category, 1] == pytest.approx(np.mean(overlap))
    assert (found.overlap[..., 2] == 1).all()  # all units of fewer


def test_many_splits_and_draws_at_once_equal_one_after_the_other(monkeypatch):
    x, word, label_of_word = _stimuli()
    halves, sums = SplitHalves.draw(label_of_word, n_splits=7), WordSums.of(x, word)
    kept = jackknife_words(label_of_word, n_jackknife=5)
    whole = replicate(sums, halves, [2, 5], kept=kept)
    for name in ("_VALUES_OF_DRAWS", "_VALUES_OF_SPLITS"):
        monkeypatch.setattr(f"cortiscope.statistics.selectivity.{name}", 200)
    parts = replicate(sums, halves, [2, 5], kept=kept)
    for name in ("correlation", "held_out", "same_half", "overlap"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)


def test_choosing_and_measuring_on_the_same_stimuli_finds_selectivity_in_noise():
    """Top 1% of 3,584 units, 120 stimuli against 1,080: 0.25 by luck alone, 0 when held out."""
    x = np.random.default_rng(0).normal(size=(1200, 3584)).astype(np.float32)
    label = np.arange(1200) % 10
    top = np.sort(d_prime(x, label, 10), axis=1)[:, -36:]
    assert top.mean() == pytest.approx(0.25, abs=0.015)
    found = replicate(WordSums.of(x, np.arange(1200)).single(), SplitHalves.draw(label, 2), [36])
    # Standard error over 10 categories, 2 directions, 36 units: .136 / sqrt(720), and splits.
    assert abs(found.held_out.mean()) < 4 * 0.136 / np.sqrt(720)
    assert found.same_half.mean() > 0.3
    chance = hypergeometric_overlap(3584, [36])[0]
    assert found.overlap.mean() == pytest.approx(chance, abs=4 * np.sqrt(chance / (36 * 10 * 2)))


def test_repeated_sentences_are_not_more_words():
    """Noise of words with three sentences is as large as that of words with one."""
    rng = np.random.default_rng(0)
    label = np.arange(400) % 10
    x = rng.normal(size=(400, 1000))
    once, thrice = d_prime(x, label, 10), d_prime(np.repeat(x, 3, axis=0), np.repeat(label, 3), 10)
    np.testing.assert_allclose(thrice, once, rtol=0.01)


@pytest.mark.parametrize(
    ("d", "n_selective", "low", "high"), [(3, 20, 0.9, 1.0), (2, 200, 0.05, 0.16)]
)
def test_few_units_come_back_where_many_are_as_selective(d, n_selective, low, high):
    """Of 200 units that are all of d' = 2, those that rank first are others each time."""
    overlaps = []
    label = np.arange(400) % 10
    halves = SplitHalves.draw(label, 10)
    for seed in range(8):
        x = np.random.default_rng(seed).normal(size=(400, 1000))
        x[label == 0, :n_selective] += d
        sums = WordSums.of(x, np.arange(400)).single()
        overlaps.append(replicate(sums, halves, [20]).overlap[0, 0, 0])
    assert low <= np.mean(overlaps) <= high


def test_chance_by_the_hypergeometric_is_chance_by_permutation():
    rng = np.random.default_rng(0)
    label = np.arange(200) % 4
    sums = WordSums.of(rng.normal(size=(200, 150)), np.arange(200)).single()
    order = np.array([rng.permutation(200) for _ in range(300)])
    sizes = [5, 20, 50]
    overlap = replicate(sums, SplitHalves.draw(label, 1), sizes, order=order).overlap
    error = overlap.mean(axis=1).std(axis=0) / np.sqrt(len(order))
    expected = [stats.hypergeom(150, k, k).mean() / k for k in sizes]
    np.testing.assert_allclose(hypergeometric_overlap(150, sizes), expected)
    assert (np.abs(overlap.mean(axis=(0, 1)) - expected) < 4 * error).all()


def test_splits_are_as_those_of_scikit_learn():
    """Means over many splits agree with halves that scikit-learn deals."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 30)
    x = rng.normal(size=(60, 40)) + 0.8 * label[:, None] * rng.normal(size=40)
    ours = replicate(WordSums.of(x, np.arange(60)), SplitHalves.draw(label, 400), [5])
    theirs = []
    for train, test in StratifiedShuffleSplit(400, test_size=30, random_state=0).split(x, label):
        a, b = (_textbook(x[of][label[of] == 0], x[of][label[of] == 1]) for of in (train, test))
        theirs.append((b[np.argsort(a)[-5:]].mean() + a[np.argsort(b)[-5:]].mean()) / 2)
    error = np.std(theirs) / np.sqrt(400)
    assert abs(ours.held_out[0, 0, 0] - np.mean(theirs)) < 4 * np.sqrt(2) * error


def test_spearman_brown():
    assert spearman_brown(0.6) == pytest.approx(0.75)
    assert spearman_brown(0.3, 5) == pytest.approx(1.5 / 2.2)
    np.testing.assert_allclose(spearman_brown(np.array([0.0, 1.0])), [0.0, 1.0])


def test_bad_input_is_named():
    with pytest.raises(InputError, match="a category has one word only"):
        SplitHalves.draw(np.array([0, 0, 1]))
    with pytest.raises(InputError, match="number of splits is 0"):
        SplitHalves.draw(np.array([0, 0, 1, 1]), n_splits=0)
