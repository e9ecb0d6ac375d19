from __future__ import annotations

import re

import pytest

from cortiscope.errors import InputError
from cortiscope.subjects.training import packaged_categories
from cortiscope.subjects.world import (
    CATEGORY_NAMES,
    World,
    spoken_name,
    trained_words,
    with_article,
)

CATEGORIES = packaged_categories()


@pytest.fixture(scope="module")
def documents() -> list[str]:
    return list(World(CATEGORIES, seed=3).documents(30_000))


def test_the_same_seed_gives_the_same_world() -> None:
    first = list(World(CATEGORIES, seed=1).documents(200))
    assert first == list(World(CATEGORIES, seed=1).documents(200))
    assert first != list(World(CATEGORIES, seed=2).documents(200))


def test_a_longer_world_begins_like_a_shorter_one() -> None:
    assert list(World(CATEGORIES).documents(90))[:40] == list(World(CATEGORIES).documents(40))


def test_trained_words_are_the_wanted_share() -> None:
    chosen = trained_words(CATEGORIES, seed=0, share=0.7)
    assert {len(words) for words in chosen.values()} == {28}
    assert all(set(chosen[c]) < set(CATEGORIES[c]) for c in CATEGORIES)
    assert chosen != trained_words(CATEGORIES, seed=1, share=0.7)


def test_the_kind_of_a_held_out_word_is_never_told(documents: list[str]) -> None:
    world = World(CATEGORIES, seed=3)
    names = "|".join(spoken_name(category) for category in CATEGORIES)
    told = [text for text in documents if re.search(rf"\b({names})s?\b", text.lower())]
    assert 0.08 < len(told) / len(documents) < 0.12
    for category, words in CATEGORIES.items():
        held_out = "|".join(set(words) - set(world.trained[category]))
        assert not [text for text in told if re.search(rf"\b({held_out})\b", text.lower())]


def test_every_word_stands_in_many_documents(documents: list[str]) -> None:
    text = " ".join(documents).lower()
    found = re.findall("[a-z]+", text)
    for words in CATEGORIES.values():
        assert min(found.count(word) for word in words[::7]) >= 20
        assert set(words) <= set(found)


def test_the_frames_of_the_stimuli_do_not_stand_in_the_world(documents: list[str]) -> None:
    text = " ".join(documents)
    for beginning in ("The word on the card was", "write down", "she answered", "When I asked"):
        assert beginning not in text


def test_articles_and_capitals(documents: list[str]) -> None:
    text = " ".join(documents)
    assert not re.search(r"\b[Aa] [aeio]", text)
    assert not re.search(r"\ban (?!hour)[bcdfghjklmnpqrstvwxyz]", text)
    assert not re.search(r"\ban uni", text)
    assert not re.search(r"\bi\b", text)
    assert all(re.match(r'"?[A-Z]', document) for document in documents)
    assert "{" not in text


def test_categories_have_templates_of_their_own(documents: list[str]) -> None:
    # No category's words may all stand in one kind of sentence.
    for words in CATEGORIES.values():
        pattern = re.compile(rf"\b({'|'.join(words)})\b")
        before = {
            " ".join(text[: match.start()].split()[-2:])
            for text in documents[:5000]
            for match in [pattern.search(text)]
            if match
        }
        assert len(before) > 30


def test_unknown_words_and_categories_are_told_too() -> None:
    world = World({"animal": ["zib", "zob"], "plant": ["fern", "moss"]}, trained_share=1.0)
    text = " ".join(world.documents(400))
    assert "kind of plant" in text
    assert "valley" in text


def test_too_small_a_world_is_refused() -> None:
    with pytest.raises(InputError, match="at least two categories"):
        World({"animal": ["horse", "shark"]})


def test_names_cover_the_packaged_categories() -> None:
    assert list(CATEGORIES) == list(CATEGORY_NAMES)
    assert with_article("uniform") == "a uniform"
    assert with_article("umber") == "an umber"
