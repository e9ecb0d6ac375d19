"""Two recordings compared: planted geometry found, null at its rate, stimuli aligned by id."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cortiscope import PHANTOMS, InputError, PhantomDesign, Recording, Result
from cortiscope.analyses import pair_layers
from cortiscope.analyses.alignment import aligned
from cortiscope.analyses.cka import INSTRUMENT as CKA
from cortiscope.analyses.cka import cka
from cortiscope.analyses.neighbour_alignment import INSTRUMENT as NEIGHBOURS
from cortiscope.analyses.neighbour_alignment import neighbour_alignment
from cortiscope.statistics import cosine_matrix, linear_cka, neighbour_structure

INSTRUMENTS = pytest.mark.parametrize("instrument", [CKA, NEIGHBOURS], ids=lambda i: i.name)
MAP = {"cka": "cka", "neighbour_alignment": "alignment"}
QUICK = {"n_permutations": 99, "n_jackknife": 5}


def _table(n_categories=4, n_words=10, n_frames=3):
    rows = [
        {"stimulus_id": f"{c}-{w}-{f}", "category": f"c{c}", "word": f"c{c}w{w}", "frame": f"f{f}"}
        for c in range(n_categories)
        for w in range(n_words)
        for f in range(n_frames)
    ]
    return pd.DataFrame(rows)


def _code(table, label):
    return table.groupby(label, sort=False).ngroup().to_numpy()


def _unrelated(seed, table=None, n_layers=2, n_units=20, frames=1.0, name="noise"):
    """Words and frames of its own, and noise."""
    rng = np.random.default_rng(seed)
    table = _table() if table is None else table
    word, frame = _code(table, "word"), _code(table, "frame")
    x = 0.3 * rng.normal(size=(len(table), n_layers, n_units))
    x += rng.normal(size=(word.max() + 1, n_layers, n_units))[word]
    x += frames * rng.normal(size=(frame.max() + 1, n_layers, n_units))[frame]
    return Recording.from_arrays({"resid_post": x}, stimuli=table, name=name)


def _related(seed, strength=1.0):
    """Layer 1 of 2 of the one and layer 2 of 3 of the other hold words alike, turned."""
    one, other = _unrelated(seed), _unrelated(seed + 1000, n_layers=3, n_units=33)
    rng = np.random.default_rng(seed)
    word = _code(_table(), "word")
    shared = strength * rng.normal(size=(word.max() + 1, 6))[word]
    x, y = one["resid_post"].values.copy(), other["resid_post"].values.copy()
    x[:, 1] += shared @ rng.normal(size=(6, 20))
    y[:, 2] += shared @ np.linalg.qr(rng.normal(size=(33, 33)))[0][:6] * 5
    return _with(one, x), _with(other, y, name="other")


def _with(recording, x, table=None, name=None):
    table = recording.table if table is None else table
    return Recording.from_arrays(
        {"resid_post": x}, stimuli=table.reset_index(drop=True), name=name or recording.name
    )


@INSTRUMENTS
def test_shared_geometry_is_found_where_it_is_and_nowhere_else(instrument):
    result = instrument.run(*_related(0), n_permutations=199, n_jackknife=20)
    name = MAP[instrument.name]
    similarity, p = result.estimates[name], result.p_values[name]
    assert similarity.dims == ("layer", "other_layer")
    assert similarity.shape == (2, 3)
    planted = {"layer": 1, "other_layer": 2}
    assert float(p.sel(planted)) == 1 / 200
    assert int((p > 0.05).sum()) == p.size - 1
    assert float(result.estimates["best_match"].sel(layer=1)) > 0.3
    assert float(result.p_values["best_match"].sel(layer=1)) == 1 / 200
    assert float(result.p_values["other_best_match"].sel(other_layer=2)) == 1 / 200
    assert float(result.p_values["mean_best_match"]) == 1 / 200


@INSTRUMENTS
def test_p_values_are_uniform_where_nothing_is_shared(instrument):
    """Words and frames have vectors of their own in both; 200 pairs of one and of two layers."""
    design = _table(n_categories=2, n_words=8)
    summaries = ("mean_best_match", "mean_by_depth")
    p = {name: [] for name in (*summaries, "least")}
    for seed in range(200):
        pair = (_unrelated([i, seed], design, n_units=8) for i in (1, 2))
        found = instrument.run(*pair, n_permutations=99, n_jackknife=2, seed=seed).p_values
        for name in summaries:
            p[name].append(float(found[name]))
        p["least"].append(float(found[MAP[instrument.name]].min()))
    for name, values in p.items():
        # p-values are steps of 1/100, taken to lie anywhere in their step
        spread = np.array(values) - np.random.default_rng(0).random(200) / 100
        assert stats.kstest(spread, "uniform").pvalue > 0.001, name


def test_means_of_frames_alone_are_similar_until_they_are_removed():
    """Three frames move the sentences of all words by as much, in directions of each model."""
    pair = [_unrelated(seed, frames=4.0) for seed in (0, 1)]
    assert float(cka(*pair, frames=None, level="stimulus", **QUICK).estimates["cka"].min()) > 0.7
    removed = cka(*pair, **QUICK)
    assert float(np.abs(removed.estimates["cka"]).max()) < 0.2
    assert float(removed.p_values["mean_by_depth"]) > 0.05


def test_sentences_of_a_word_are_alike_in_any_model():
    """Why words are rows: with sentences as rows the debiased value has a bias after all."""
    values = {"word": [], "stimulus": []}
    null = {"word": [], "stimulus": []}
    for seed in range(20):
        pair = [_unrelated([seed, i], n_layers=1, n_units=200) for i in (0, 1)]
        for level in values:
            result = cka(*pair, level=level, **QUICK)
            values[level].append(float(result.estimates["mean_by_depth"]))
            null[level].append(float(result.null["mean_by_depth"].mean()))
    assert abs(np.mean(values["word"])) < 3 * stats.sem(values["word"])
    assert np.mean(values["stimulus"]) > 0.05
    for level in values:  # and its permutations, in which sentences stay together, know it
        differences = np.subtract(values[level], null[level])
        assert abs(differences.mean()) < 3 * stats.sem(differences)


def test_values_are_those_of_word_means_without_frames():
    one, other = _related(3)
    result = cka(one, other, **QUICK)
    neighbours = neighbour_alignment(one, other, n_neighbours=4, **QUICK)
    table = _table()
    word, frame = _code(table, "word"), _code(table, "frame")
    for layer in range(2):
        for other_layer in range(3):
            rows = []
            for recording, at in ((one, layer), (other, other_layer)):
                x = recording["resid_post"].values[:, at]
                x = x - np.stack([x[frame == f].mean(axis=0) for f in range(3)])[frame]
                rows.append(np.stack([x[word == w].mean(axis=0) for w in range(40)]))
            where = {"layer": layer, "other_layer": other_layer}
            values = result.estimates.sel(where)
            assert float(values["cka"]) == pytest.approx(linear_cka(*rows), abs=1e-5)
            biased = linear_cka(*rows, debiased=False)
            assert float(values["biased_cka"]) == pytest.approx(biased, abs=1e-5)
            shares = [neighbour_structure(cosine_matrix(r), 4) for r in rows]
            overlap = neighbours.estimates["alignment"].sel(where)
            assert float(overlap) == pytest.approx(np.vdot(*shares), abs=1e-5)


@INSTRUMENTS
def test_order_rotation_and_which_comes_first_do_not_matter(instrument):
    one, other = _related(4)
    rng = np.random.default_rng(0)
    order, y = rng.permutation(120), other["resid_post"].values
    turned = 3 * y @ np.linalg.qr(rng.normal(size=(33, 33)))[0] + 5
    moved = _with(other, turned[order], other.table.iloc[order])
    expected, found = (instrument.run(one, z, **QUICK) for z in (other, moved))
    for name in expected.estimates:
        np.testing.assert_allclose(found.estimates[name], expected.estimates[name], atol=2e-5)
    swapped = instrument.run(other, one, **QUICK)
    for name, mirrored in (
        ("mean_best_match", "mean_best_match"),
        ("mean_by_depth", "mean_by_depth"),
        ("best_match", "other_best_match"),
    ):
        np.testing.assert_allclose(
            swapped.estimates[mirrored].values, expected.estimates[name].values, atol=1e-12
        )


@INSTRUMENTS
def test_what_both_hold_is_compared(instrument):
    """The other lacks a category and two sentences, and holds stimuli of its own."""
    one, other = _related(5)
    n = len(other.table)
    rows = np.setdiff1d(np.arange(30, n), [31, 50])
    extra = _table(n_categories=1, n_words=5).assign(
        stimulus_id=[f"new-{i}" for i in range(15)], word="new"
    )
    table = pd.concat([extra, other.table.iloc[rows]], ignore_index=True)
    y = np.concatenate([np.zeros((15, 3, 33)), other["resid_post"].values[rows]])
    partly = _with(other, y, table)
    result = instrument.run(one, partly, **QUICK)
    assert result.n["n_stimuli"] == 88
    assert result.n["n_words"] == 30
    assert result.n["n_exchangeable_words"] == 28  # two have lost a frame that no other lacks
    same = instrument.run(
        *(_with(z, z["resid_post"].values[rows], z.table.iloc[rows]) for z in (one, other)),
        **QUICK,
    )
    for name in same.estimates:
        np.testing.assert_allclose(result.estimates[name], same.estimates[name], atol=1e-12)


def test_relative_depth_pairs_layers_of_models_of_other_heights():
    table = _table()
    one, other = _unrelated(0, table, n_layers=4), _unrelated(1, table, n_layers=8)
    values = cka(one, other, **QUICK).estimates
    paired = [float(values["cka"].sel(layer=l, other_layer=2 * l + 1)) for l in range(4)]  # noqa: E741
    np.testing.assert_array_equal(values["by_depth"], paired)
    upper = cka(one, other, layers=[3], other_layers=[6, 7], **QUICK).estimates
    assert float(upper["by_depth"].item()) == pytest.approx(paired[3])


def test_the_best_match_of_noise_is_not_flattered_by_the_choice():
    pairs = [[_unrelated([i, s], n_layers=6) for i in (1, 2)] for s in range(20)]
    results = [cka(*pair, **QUICK) for pair in pairs]
    honest = np.mean([float(r.estimates["mean_best_match"]) for r in results])
    circular = np.mean([float(r.estimates["cka"].max("other_layer").mean()) for r in results])
    assert circular > 0.02
    assert abs(honest) < 0.01


@INSTRUMENTS
def test_layers_that_do_not_fit_into_memory_together_give_the_same(instrument, monkeypatch):
    pair = _related(6)
    expected = instrument.run(*pair, **QUICK)
    monkeypatch.setattr(pair_layers, "_HELD", 2 * 4 * 40**2)
    found = instrument.run(*pair, **QUICK)
    for name in expected.estimates:
        np.testing.assert_allclose(found.estimates[name], expected.estimates[name], atol=1e-6)
        if name in expected.null:
            np.testing.assert_allclose(found.null[name], expected.null[name], atol=1e-6)


@INSTRUMENTS
def test_parts_that_a_claim_does_not_need_are_left_out_and_change_nothing(instrument, tmp_path):
    pair = _related(7)
    whole = instrument.run(*pair, **QUICK)
    assert whole.id == instrument.id_for(*pair, **QUICK)
    assert Result.open(whole.save(tmp_path)).fingerprint == whole.fingerprint
    for scalar in ("mean_best_match", "mean_by_depth"):
        part = instrument.run(*pair, **QUICK, **instrument.only(scalar))
        assert len(part.estimates) < len(whole.estimates)
        np.testing.assert_array_equal(part.null[scalar], whole.null[scalar])
        figure = instrument.figure({"one and other": part, "twin 0": part})
        assert len(figure.data) >= 4
    assert whole.plot().data[0].z.shape == (2, 3)


@INSTRUMENTS
def test_phantoms_of_two_seeds_share_what_is_planted_alone(instrument):
    design = PhantomDesign.balanced(n_categories=4, n_words=20, n_units=96)
    values = {}
    for name, strength in [("noise", 1), ("shared_geometry", 1), ("shared_geometry", 3)]:
        pair = (PHANTOMS[name].make(design, seed=s, strength=strength) for s in (1, 2))
        found = instrument.run(*pair, n_permutations=99, n_jackknife=2)
        values[name, strength] = float(found.estimates["mean_best_match"])
        assert (float(found.p_values["mean_best_match"]) <= 0.05) == (name != "noise")
    assert values["noise", 1] < values["shared_geometry", 1] < values["shared_geometry", 3]


def test_recordings_that_cannot_be_compared_are_refused_in_one_sentence():
    one, other = _related(8)
    x = other["resid_post"].values

    def refused(second, match, **options):
        with pytest.raises(InputError, match=match):
            cka(one, second, **{**QUICK, **options})

    renamed = other.table.assign(stimulus_id=[f"z{i}" for i in range(120)])
    refused(_with(other, x, renamed), r"share 0 of their 120 and 120 stimuli .* lacks 0-0-0, 0-0-1")
    moved = other.table.assign(word=np.roll(other.table["word"], 3))
    refused(_with(other, x, moved), "'0-0-0' has the word 'c0w0' in noise and 'c3w9' in other")
    few = _with(other, x[:21], other.table[:21])
    refused(few, "share 7 words, and 8 or more")
    uneven = _with(other, x[:99], other.table[:99])
    refused(uneven, "category 'c3' has 3 of the words")
    assert cka(one, uneven, target=None, **QUICK).n["n_words"] == 33
    flat = x.copy()
    flat[:, 1] = 0.1
    refused(_with(other, flat), "layer 1 of resid_post in other is the same for all words")
    flat[:, 1] = np.random.default_rng(0).normal(size=(3, 33))[_code(_table(), "frame")]
    refused(_with(other, flat), "the same for all words within a frame")
    refused(other, "no label 'frames'", frames="frames")
    refused(other, "no mlp_out", other_site="mlp_out")
    refused(other, "layer 9 of resid_post was not recorded", other_layers=[9])
    refused(other, "level is 'token'", level="token")
    refused(other, "'c0w0' has two values of 'frame'", target="frame")
    with pytest.raises(InputError, match="n_neighbours comes to 40 of 40"):
        neighbour_alignment(one, other, n_neighbours=40, **QUICK)


def test_alignment_takes_the_first_ones_order_and_counts():
    one, other = _related(9)
    table = other.table.iloc[::-2]
    half = _with(other, other["resid_post"].values[::-2], table)
    shared = aligned(one, half)
    assert shared.labels.index.tolist() == one.table["stimulus_id"].tolist()[1::2]
    assert half.table["stimulus_id"].iloc[shared.other_rows].tolist() == list(shared.labels.index)
    with pytest.raises(InputError, match=r"share 60 of their 120 and 60 .* 61 or more are needed"):
        aligned(one, half, at_least=61)
