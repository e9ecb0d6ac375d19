"""The set itself: crossing, selecting, grouping, saving; and that nobody changes it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cortiscope.errors import InputError, MachineError
from cortiscope.stimuli import StimulusSet

CATEGORIES = {"animal": ["horse", "polar bear"], "tool": ["hammer", "saw"]}
FRAMES = {"card": "The word is {word}.", "book": "{word}, he wrote, {{not a slot}}."}


@pytest.fixture
def stimuli() -> StimulusSet:
    return StimulusSet.from_words(CATEGORIES, FRAMES, name="two kinds")


def test_words_cross_frames(stimuli: StimulusSet) -> None:
    table = stimuli.table
    assert len(stimuli) == 8
    assert stimuli.labels == ("category", "word", "frame")
    assert table.stimulus_id.tolist()[:3] == [
        "animal-horse-card",
        "animal-horse-book",
        "animal-polar_bear-card",
    ]
    assert table.text[3] == "polar bear, he wrote, {{not a slot}}."
    assert not table.duplicated(["word", "frame"]).any()


@pytest.mark.parametrize(
    ("categories", "frames", "message"),
    [
        ({}, FRAMES, "There are no categories; give at least one, with its words."),
        (CATEGORIES, {}, "There are no frames; give at least one sentence with {word} in it."),
        (CATEGORIES, "A {word}.", "Frames are given without names"),
        (CATEGORIES, ["A {word}."], "Frames are given without names"),
        ({"animal": []}, FRAMES, "Category 'animal' has no words; give some or leave it out."),
        ({"animal": "horse"}, FRAMES, "Category 'animal' is given the text 'horse', expected a"),
        ({"animal": ["horse", " "]}, FRAMES, "Category 'animal' has ' ' among its words"),
        ({"animal": ["horse", 7]}, FRAMES, "Category 'animal' has 7 among its words"),
        ({"animal": ["cat", "Cat"]}, FRAMES, "Category 'animal' has the word 'Cat' twice"),
        (
            {"fruit": ["orange"], "colour": ["red", "Orange"]},
            FRAMES,
            "The word 'Orange' is in two categories, 'fruit' and 'colour'; keep it in one.",
        ),
        (CATEGORIES, {"card": "No slot."}, "Frame 'card' has 0 slots {word} in 'No slot.', exp"),
        (CATEGORIES, {"card": "{word} {word}"}, "Frame 'card' has 2 slots {word}"),
        (CATEGORIES, {"card": "A {Word}."}, "Frame 'card' has 0 slots {word}"),
    ],
)
def test_what_cannot_be_crossed_is_refused(
    categories: dict[str, list[str]], frames: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        StimulusSet.from_words(categories, frames)


def test_the_table_handed_out_is_not_the_set(stimuli: StimulusSet) -> None:
    before = stimuli.fingerprint
    handed_out = stimuli.table
    handed_out.loc[0, "text"] = "Something else."
    handed_out["category"] = "all the same"
    handed_out.drop(index=handed_out.index, inplace=True)  # noqa: PD002
    values = stimuli.table["target_start"].to_numpy()
    if values.flags.writeable:
        values[:] = 0
    assert StimulusSet.from_table(stimuli.table).fingerprint == before


def test_the_table_handed_in_is_not_the_set(stimuli: StimulusSet) -> None:
    frame = stimuli.table
    made = StimulusSet.from_table(frame)
    frame.loc[0, "text"] = "Something else."
    frame["category"] = "all the same"
    assert made == stimuli


@pytest.mark.parametrize("attribute", ["name", "table", "labels"])
def test_attributes_cannot_be_set(stimuli: StimulusSet, attribute: str) -> None:
    with pytest.raises(AttributeError):
        setattr(stimuli, attribute, "other")


def test_equality_is_of_content(stimuli: StimulusSet) -> None:
    renamed = StimulusSet.from_table(stimuli.table, name="other")
    assert renamed == stimuli
    assert hash(renamed) == hash(stimuli)
    assert renamed != stimuli.select(["animal-horse-card"])
    assert stimuli != "two kinds"


def test_it_travels_between_processes(stimuli: StimulusSet) -> None:
    arrived = pickle.loads(pickle.dumps(stimuli))
    assert (arrived, arrived.name) == (stimuli, "two kinds")


def test_selection_keeps_the_order_asked_for(stimuli: StimulusSet) -> None:
    chosen = stimuli.select(["tool-saw-card", "animal-horse-card"])
    assert chosen.table.word.tolist() == ["saw", "horse"]
    assert chosen.table.index.tolist() == [0, 1]
    assert chosen.name == stimuli.name


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([], "No stimuli of 'two kinds' are selected; name at least one id."),
        (
            ["tool-saw-cart"],
            "'two kinds' has no stimulus 'tool-saw-cart'; did you mean 'tool-saw-card'?",
        ),
        (["xyz"], "'two kinds' has no stimulus 'xyz'; its ids are in .table."),
        (["tool-saw-card", "tool-saw-card"], "the selection, row 2: column 'stimulus_id' repeats"),
    ],
)
def test_bad_selections_are_refused(stimuli: StimulusSet, wanted: list[str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        stimuli.select(wanted)


def test_groups_that_fit_pass(stimuli: StimulusSet) -> None:
    stimuli.check_groups(n_folds=2)


def test_a_category_with_fewer_words_than_folds_is_refused(stimuli: StimulusSet) -> None:
    with pytest.raises(InputError) as refusal:
        stimuli.check_groups()
    assert str(refusal.value) == (
        "In 'two kinds' the category 'animal' has 2 different values of 'word', fewer than the 5 "
        "folds; add some or take fewer folds."
    )


def test_a_group_that_spans_two_categories_is_refused(stimuli: StimulusSet) -> None:
    table = stimuli.table
    table.loc[table.stimulus_id == "animal-horse-book", "category"] = "tool"
    with pytest.raises(InputError) as refusal:
        StimulusSet.from_table(table, name="mixed").check_groups(n_folds=2)
    assert str(refusal.value) == (
        "In 'mixed' the word 'horse' is in two values of 'category', 'animal' and 'tool'; a word "
        "must keep to one, or what is learnt on one side of a split is tested on the other."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "size"}, "'two kinds' has no label column 'size' (its labels: 'category', "),
        ({"groups": "item"}, "'two kinds' has no label column 'item'"),
        ({"n_folds": 1}, "1 folds cannot hold anything out; give 2 or more."),
    ],
)
def test_groups_that_cannot_be_checked_are_refused(
    stimuli: StimulusSet, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        stimuli.check_groups(**arguments)  # type: ignore[arg-type]


def test_a_single_category_cannot_be_decoded() -> None:
    alone = StimulusSet.from_words({"animal": list("abcde")}, {"card": "It is {word}."})
    with pytest.raises(InputError, match="every stimulus has the same 'category', 'animal'"):
        alone.check_groups()


def test_saved_and_opened_it_is_the_same(stimuli: StimulusSet, tmp_path: Path) -> None:
    path = stimuli.save(tmp_path / "new" / "stimuli.parquet")
    opened = StimulusSet.open(path)
    assert (opened, opened.name) == (stimuli, stimuli.name)
    pd.testing.assert_frame_equal(opened.table, stimuli.table)
    assert [p.name for p in path.parent.iterdir()] == ["stimuli.parquet"]
    assert StimulusSet.read(path) == stimuli


def test_another_ending_is_not_saved(stimuli: StimulusSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"saved as \.parquet, not as 'a\.csv'\."):
        stimuli.save(tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


def test_a_changed_word_in_a_saved_set_is_noticed(stimuli: StimulusSet, tmp_path: Path) -> None:
    path = stimuli.save(tmp_path / "stimuli.parquet")
    saved = pq.read_table(path)
    frame = saved.to_pandas()
    frame.loc[2, "text"] = "The word is polar beer."
    pq.write_table(
        pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(
            saved.schema.metadata
        ),
        path,
    )
    with pytest.raises(MachineError, match="is damaged"):
        StimulusSet.open(path)


def test_what_was_not_saved_is_read_not_opened(stimuli: StimulusSet, tmp_path: Path) -> None:
    stimuli.table.to_parquet(tmp_path / "a.parquet")
    stimuli.table.to_csv(tmp_path / "a.csv", index=False)
    for name in ("a.parquet", "a.csv"):
        with pytest.raises(InputError, match=r"was not saved by StimulusSet\.save; use"):
            StimulusSet.open(tmp_path / name)


def test_it_shows_its_labels_and_marks_the_target(stimuli: StimulusSet) -> None:
    assert repr(stimuli).splitlines() == [
        "StimulusSet 'two kinds': 8 stimuli",
        "  category  2: animal, tool",
        "  word      4: horse, polar bear, hammer, saw",
        "  frame     2: card, book",
        "  first     The word is [horse].",
    ]
    assert "The word is <mark>horse</mark>." in stimuli._repr_html_()


def test_html_is_escaped() -> None:
    table = pd.DataFrame({"text": ["<script>x</script>"], "category": ["<b>"]})
    html = StimulusSet.from_table(table, name="<i>")._repr_html_()
    assert not re.search("<(script|i)>|<td><b>", html)


def test_a_set_without_labels_shows_itself() -> None:
    assert repr(StimulusSet.from_table(pd.DataFrame({"text": ["A."]}))) == (
        "StimulusSet 'stimuli': 1 stimulus\n  first  [A.]"
    )


def test_a_label_of_numbers_shows_its_range() -> None:
    table = pd.DataFrame({"text": ["A.", "B."], "year": [1969, 1970.5]})
    assert "year   numbers from 1969 to 1970.5" in repr(StimulusSet.from_table(table))
