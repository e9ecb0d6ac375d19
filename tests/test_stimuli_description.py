"""Surface features and their mismatch, against independent references."""

from __future__ import annotations

import gzip
import importlib.resources
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from cortiscope.errors import InputError
from cortiscope.stimuli import StimulusSet
from cortiscope.stimuli.description import count_target_tokens
from cortiscope.stimuli.frequency import log_frequency

FRAMES = {"card": "The word is {word}.", "book": "{word} he wrote."}


@pytest.fixture(scope="module")
def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, so that the right counts are known beforehand."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: number for number, symbol in enumerate(["<s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")


def test_frequency_is_smoothed_per_million() -> None:
    path = importlib.resources.files("cortiscope.stimuli") / "data" / "frequencies.tsv.gz"
    table = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    total = int("".join(c for c in table[0].split(";")[0] if c.isdigit()))
    counts = {word: int(count) for word, count in (line.split("\t") for line in table[1:])}
    expected = math.log10((counts["dog"] + 1) / (total + len(counts)) * 1e6)
    assert log_frequency(["Dog"])[0] == pytest.approx(expected)
    unseen = log_frequency(["qqqqq"])[0]
    assert unseen == pytest.approx(math.log10(1e6 / (total + len(counts))))
    assert log_frequency(["dog qqqqq"])[0] == pytest.approx((expected + unseen) / 2)
    assert np.isnan(log_frequency(["7"])[0])


def test_counts_are_of_stimuli_and_words() -> None:
    categories = {"animal": ["cat", "otter", "horse"], "tool": ["saw", "screwdriver"]}
    figures = StimulusSet.from_words(categories, FRAMES).describe().to_frame()
    assert figures.n_stimuli.to_dict() == {"animal": 6, "tool": 4}
    assert figures.n_words.to_dict() == {"animal": 3, "tool": 2}
    assert figures.mean_word_length["animal"] == pytest.approx(13 / 3)
    assert figures.sd_word_length["tool"] == pytest.approx(np.std([3, 11], ddof=1))
    expected = log_frequency(categories["animal"]).mean()
    assert figures.mean_log_frequency["animal"] == pytest.approx(expected)
    assert "mean_n_tokens" not in figures


def test_mismatch_is_an_analysis_of_variance_over_words() -> None:
    groups = [["a", "bbb", "cc", "dddd"], ["eeeee", "ff", "ggg"], ["hhhh", "iiiii", "jjjjjj"]]
    stimuli = StimulusSet.from_words({str(n): words for n, words in enumerate(groups)}, FRAMES)
    lengths = [[len(word) for word in words] for words in groups]
    everything = np.concatenate(lengths)
    means = np.concatenate([np.full(len(group), np.mean(group)) for group in lengths])
    found = stimuli.describe().mismatch.loc["word_length"]
    # Squared correlation of the values with their groups' means is another way to eta squared.
    assert found.eta_squared == pytest.approx(np.corrcoef(everything, means)[0, 1] ** 2)
    assert found.p_value == pytest.approx(stats.f_oneway(*lengths).pvalue)
    assert found.expected_eta_squared == pytest.approx(2 / 9)


def test_more_frames_do_not_make_a_mismatch_more_certain() -> None:
    categories = {"a": ["x", "yy", "zzz"], "b": ["uu", "vvv", "wwww"]}
    one = StimulusSet.from_words(categories, {"card": "It is {word}."}).describe().mismatch
    two = StimulusSet.from_words(categories, FRAMES).describe().mismatch
    pd.testing.assert_frame_equal(one, two)


def test_categories_drawn_at_random_have_the_expected_mismatch() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), size)) for size in range(3, 15) for _ in "12345"]
    found = []
    for _ in range(40):
        groups = np.array_split(rng.permutation(words), 4)
        categories = {str(n): group.tolist() for n, group in enumerate(groups)}
        described = StimulusSet.from_words(categories, {"card": "It is {word}."}).describe()
        found.append(described.mismatch.loc["word_length"])
    eta_squared = [row.eta_squared for row in found]
    standard_error = np.std(eta_squared) / np.sqrt(len(found))
    assert abs(np.mean(eta_squared) - found[0].expected_eta_squared) < 4 * standard_error


@pytest.mark.parametrize(
    ("categories", "eta_squared", "p_value"),
    [
        ({"a": ["xxx", "yyy"], "b": ["zzz", "www"]}, 0.0, 1.0),
        ({"a": ["xx", "yy"], "b": ["zzz", "www"]}, 1.0, 0.0),
        ({"a": ["xx"], "b": ["zzz"]}, np.nan, np.nan),
    ],
    ids=["all equal", "wholly apart", "one word each"],
)
def test_mismatch_at_its_limits(
    categories: dict[str, list[str]], eta_squared: float, p_value: float
) -> None:
    found = StimulusSet.from_words(categories, FRAMES).describe().mismatch.loc["word_length"]
    np.testing.assert_equal((found.eta_squared, found.p_value), (eta_squared, p_value))


def test_tokens_are_counted_in_context(byte_tokenizer: PreTrainedTokenizerFast) -> None:
    stimuli = StimulusSet.from_words({"a": ["cat"], "b": ["naïve"]}, FRAMES)
    figures = stimuli.describe(byte_tokenizer).to_frame()
    assert figures.mean_n_tokens.to_dict() == {"a": 3.0, "b": 6.0}
    assert "n_tokens" in stimuli.describe(byte_tokenizer).mismatch.index


def test_a_token_that_reaches_into_the_target_counts() -> None:
    vocabulary = {symbol: n for n, symbol in enumerate(["<u>", "ab", "cd", "e", "Ġ"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary | {"##cd": 5, "##e": 6}, unk_token="<u>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<u>")
    assert count_target_tokens(["abcde"], [(1, 3)], fast).tolist() == [2]
    assert count_target_tokens(["abcde ab"], [(2, 4)], fast).tolist() == [1]


def test_a_slow_tokenizer_is_refused() -> None:
    stimuli = StimulusSet.from_words({"a": ["cat"]}, FRAMES)
    with pytest.raises(InputError, match="The tokenizer object does not say which characters"):
        stimuli.describe(object())


def test_stimuli_without_labels_are_described_as_one() -> None:
    described = StimulusSet.from_table(pd.DataFrame({"text": ["A cat.", "Two."]})).describe()
    assert described.to_frame().index.tolist() == ["all"]
    assert described.to_frame().loc["all", "n_words"] == 2
    assert described.mismatch.empty
    assert "Mismatch" not in repr(described)


def test_a_description_shows_both_tables() -> None:
    described = StimulusSet.load("concepts").describe()
    assert "Mismatch between categories" in repr(described)
    assert described._repr_html_().count("<table") == 2


def test_changing_the_frame_handed_out_leaves_the_description() -> None:
    described = StimulusSet.load("concepts").describe()
    handed_out = described.to_frame()
    handed_out["n_words"] = 0
    assert described.to_frame().n_words.sum() == 400
