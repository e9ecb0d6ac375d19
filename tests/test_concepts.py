from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from importlib import resources

import pytest

DATA = resources.files("cortiscope.stimuli") / "data"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    text = (DATA / "concepts.tsv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def test_ten_categories_of_forty_words_in_three_frames(rows: list[dict[str, str]]) -> None:
    assert len(rows) == 1200
    assert len({row["stimulus_id"] for row in rows}) == 1200
    assert set(Counter(row["category"] for row in rows).values()) == {120}
    assert len({row["category"] for row in rows}) == 10
    assert set(Counter((row["category"], row["word"]) for row in rows).values()) == {3}
    assert set(Counter(row["frame"] for row in rows).values()) == {400}


def test_spans_point_at_the_word(rows: list[dict[str, str]]) -> None:
    for row in rows:
        start, end = int(row["target_start"]), int(row["target_end"])
        assert row["text"][start:end] == row["word"]
        assert re.findall("[a-z]+", row["text"]).count(row["word"]) == 1
        assert row["word"].isalpha()
        assert row["word"].islower()


def test_no_word_in_two_categories(rows: list[dict[str, str]]) -> None:
    categories: dict[str, set[str]] = {}
    for row in rows:
        categories.setdefault(row["word"], set()).add(row["category"])
    assert len(categories) == 400
    assert all(len(owners) == 1 for owners in categories.values())


def test_frames_differ_before_the_target_and_name_no_category(rows: list[dict[str, str]]) -> None:
    before: dict[str, set[str]] = {}
    for row in rows:
        before.setdefault(row["frame"], set()).add(row["text"][: int(row["target_start"])])
    assert all(len(beginnings) == 1 for beginnings in before.values())
    beginnings = [next(iter(values)) for values in before.values()]
    assert len(set(beginnings)) == 3
    names = {row["category"].replace("_", " ") for row in rows}
    assert not [name for name in names for text in beginnings if name in text.lower()]


def test_frequencies_are_sorted_counts_of_at_least_two() -> None:
    raw = (DATA / "frequencies.tsv.gz").read_bytes()
    assert len(raw) < 150_000
    first, *lines = gzip.decompress(raw).decode().splitlines()
    assert first.startswith("# total words counted: ")
    words = [line.split("\t")[0] for line in lines]
    assert words == sorted(set(words))
    assert min(int(line.split("\t")[1]) for line in lines) >= 2
    counts = dict(line.split("\t") for line in lines)
    assert int(counts["the"]) > 50_000


def test_word_lengths_match_between_categories(rows: list[dict[str, str]]) -> None:
    lengths: dict[str, list[int]] = {}
    for row in rows:
        lengths.setdefault(row["category"], []).append(len(row["word"]))
    means = [sum(values) / len(values) for values in lengths.values()]
    assert max(means) - min(means) < 1.0
