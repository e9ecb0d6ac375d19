"""What must hold for every set of stimuli, tried on many."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cortiscope.stimuli import StimulusSet
from cortiscope.stimuli.targets import find_target

characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, min_size=1, max_size=30).filter(str.strip)
labels = st.text(characters, min_size=1, max_size=8).filter(
    lambda text: text.strip() not in ("", "nan", "NaN")
)
numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    n_stimuli = draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[object], unique: bool = False) -> list[object]:
        by = (lambda value: str(value).strip()) if unique else None
        return draw(st.lists(values, min_size=n_stimuli, max_size=n_stimuli, unique_by=by))

    sentences = draw(st.lists(texts, min_size=n_stimuli, max_size=n_stimuli))
    starts = [draw(st.integers(0, len(text) - 1)) for text in sentences]
    ends = [
        draw(st.integers(start + 1, len(text)))
        for start, text in zip(starts, sentences, strict=True)
    ]
    return pd.DataFrame(
        {
            "stimulus_id": column(labels, unique=True),
            "text": sentences,
            "target_start": starts,
            "target_end": ends,
            "category": column(labels),
            "mixed": pd.Series(column(st.one_of(labels, numbers)), dtype=object),
            "number": pd.Series(column(numbers), dtype=object),
            "truth": column(st.booleans()),
        }
    )


def write(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".jsonl":
        records = table.to_dict(orient="records")
        lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
        path.write_bytes(lines.encode("utf-8"))
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        # Minimal quoting leaves a lone carriage return bare, which ends a line of CSV.
        content = table.to_csv(index=False, sep=separator, quoting=csv.QUOTE_ALL)
        path.write_bytes(content.encode("utf-8"))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_the_fingerprint_survives_every_format(table: pd.DataFrame) -> None:
    stimuli = StimulusSet.from_table(table)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".tsv", ".csv", ".jsonl", ".parquet"):
            path = Path(folder) / f"{suffix[1:]}{suffix}"
            write(stimuli.table, path)
            assert StimulusSet.read(path) == stimuli, suffix
        # What the user typed, with its types and spaces, is the same content as the clean table.
        write(table, Path(folder) / "raw.jsonl")
        assert StimulusSet.read(Path(folder) / "raw.jsonl") == stimuli
        opened = StimulusSet.open(stimuli.save(Path(folder) / "saved.parquet"))
        assert opened == stimuli
        pd.testing.assert_frame_equal(opened.table, stimuli.table)


@settings(max_examples=60, deadline=None)
@given(tables())
def test_validation_changes_nothing_the_second_time(table: pd.DataFrame) -> None:
    once = StimulusSet.from_table(table)
    twice = StimulusSet.from_table(once.table)
    pd.testing.assert_frame_equal(once.table, twice.table)


@settings(max_examples=60, deadline=None)
@given(tables(), st.data())
def test_the_fingerprint_tells_order_and_content_apart(
    table: pd.DataFrame, data: st.DataObject
) -> None:
    stimuli = StimulusSet.from_table(table)
    identifiers = stimuli.table.stimulus_id.tolist()
    order = data.draw(st.permutations(identifiers))
    assert (stimuli.select(order) == stimuli) == (order == identifiers)
    changed = stimuli.table
    column = data.draw(st.sampled_from(["text", "category", "stimulus_id"]))
    changed.loc[0, column] = changed.loc[0, column] + "x"
    assume(not changed.stimulus_id.duplicated().any())
    assert StimulusSet.from_table(changed) != stimuli


@settings(max_examples=60, deadline=None)
@given(tables())
def test_column_order_and_name_do_not_count(table: pd.DataFrame) -> None:
    backwards = StimulusSet.from_table(table[table.columns[::-1]], name="other")
    assert backwards == StimulusSet.from_table(table)


words = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8).filter(
    lambda word: word not in ("nan", "NaN")
)
halves = st.text(characters, max_size=12).filter(lambda text: "{" not in text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(words, min_size=2, max_size=8, unique_by=str.casefold),
    st.dictionaries(
        st.from_regex("[a-z]{1,5}", fullmatch=True), st.tuples(halves, halves), min_size=1
    ),
)
def test_crossed_spans_hold_the_word(drawn: list[str], frames: dict[str, tuple[str, str]]) -> None:
    categories = {"first": drawn[: len(drawn) // 2], "second": drawn[len(drawn) // 2 :]}
    sentences = {name: f"{before}{{word}}{after}" for name, (before, after) in frames.items()}
    table = StimulusSet.from_words(categories, sentences).table
    assert len(table) == len(drawn) * len(frames)
    for row in table.itertuples():
        before, after = frames[row.frame]
        assert row.text[row.target_start : row.target_end] == row.word
        assert row.text[: row.target_start] == before
        assert row.text[row.target_end :] == after


@settings(max_examples=100, deadline=None)
@given(words, st.lists(words, max_size=6), st.data())
def test_a_whole_word_is_found_wherever_it_stands(
    target: str, others: list[str], data: st.DataObject
) -> None:
    assume(target.casefold() not in {other.casefold() for other in others})
    place = data.draw(st.integers(0, len(others)))
    text = " ".join([*others[:place], target, *others[place:]])
    start = len(" ".join([*others[:place], ""])) if place else 0
    assert (start, start + len(target)) in find_target(text, target)
