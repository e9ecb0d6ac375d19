"""The sets that come with the package hold what their catalog says."""

from __future__ import annotations

from pathlib import Path

import pytest

from cortiscope.errors import InputError
from cortiscope.stimuli import StimulusSet, catalog


@pytest.mark.parametrize("name", list(catalog()))
def test_every_shipped_set_is_ready_for_decoding(name: str) -> None:
    stimuli = StimulusSet.load(name)
    assert stimuli.name == name
    assert len(stimuli) == catalog()[name].n_stimuli
    stimuli.check_groups()
    assert not stimuli.table.text.duplicated().any()


def test_concepts_cross_words_with_frames() -> None:
    table = StimulusSet.load("concepts").table
    assert table.groupby("category").word.nunique().tolist() == [40] * 10
    assert table.groupby("word").frame.nunique().eq(3).all()
    inside = [
        t[s:e] for t, s, e in zip(table.text, table.target_start, table.target_end, strict=True)
    ]
    assert inside == table.word.tolist()
    before = {t[:s] for t, s in zip(table.text, table.target_start, strict=True)}
    assert len(before) == 3


def test_the_localizer_sets_as_many_sentences_against_nonwords() -> None:
    table = StimulusSet.load("localizer").table
    assert table.category.value_counts().to_dict() == {"sentence": 240, "nonwords": 240}
    assert table.text.str.split().str.len().eq(12).all()
    assert (table.target_end - table.target_start).eq(table.text.str.len()).all()
    assert table.groupby("frame").category.value_counts().eq(24).all()
    texts = set(table.text)
    assert "Kyoto is the ancient capital of Japan and still its cultural center" in texts
    assert "I introduced my friend Larry to Pops and we made ourselves comfortable" in texts
    assert "White House legislative aides were still confident the bill would pass intact" in texts


def test_facts_are_prompts_with_their_answers() -> None:
    table = StimulusSet.load("facts").table
    inside = [
        t[s:e] for t, s, e in zip(table.text, table.target_start, table.target_end, strict=True)
    ]
    assert [a.lower() for a in inside] == table.word.str.lower().tolist()
    assert table.relation.nunique() == 14
    by_subject = table.groupby(["relation", "word"])
    assert by_subject.answer.nunique().eq(1).all()
    assert by_subject.frame.nunique().eq(2).all()
    given_away = [w.lower() in a.lower() for w, a in zip(table.word, table.answer, strict=True)]
    assert not any(given_away)
    capital = table.set_index("stimulus_id").loc["country_capital_city-United_States-1"]
    assert capital.text == "The capital of the United States is the city of"
    assert capital.answer == "Washington D.C."
    assert not table.text.str.contains(r"\b[Aa] [aeiou]|\\u|\bthe the\b|  ").any()


def test_an_unknown_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(InputError) as refusal:
        StimulusSet.load("Localiser")
    assert str(refusal.value) == (
        "There are no stimuli 'Localiser'; did you mean 'localizer'? Shipped are concepts, "
        "concepts-30, two_concepts, localizer, facts, reasoning, abilities; a file of your own "
        "ends in .tsv, .csv, .jsonl or .parquet."
    )
    with pytest.raises(InputError, match="There are no stimuli 'xyz'; shipped are concepts, con"):
        StimulusSet.load("xyz")


def test_a_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("text\nA cat.\n", encoding="utf-8")
    assert StimulusSet.load(path) == StimulusSet.load(str(path)) == StimulusSet.read(path)
    with pytest.raises(InputError, match="There is no file"):
        StimulusSet.load("absent.tsv")
    with pytest.raises(InputError, match="has the unknown ending ''"):
        StimulusSet.load(str(tmp_path))
