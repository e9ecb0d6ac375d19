"""Build the stimuli `concepts-30`: 30 categories of 20 words in the three frames of `concepts`.

The ten categories of `concepts` are there with 20 of their 40 words, and twenty more with words
from `concept_30_candidates.py`. Which 20 words a category gets is chosen by seeded swaps that bring
the mean and the spread of word length, log frequency and token count together over categories. All
of it is in whole numbers, so that every machine chooses the same.

Tokens are counted with two tokenizers that lie in the repository, that of the model stories260k
and that of the specimen. To the latter every word of `concepts` is one token, since it was made for
them, so by its count the added categories can only be matched with each other.

Usage: python tools/build_concepts_30.py [--lists DIR]   (DIR: the CC0 lists, to check against)
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build_concepts import DATA, FRAMES
from build_two_concepts import read_concepts
from concept_30_candidates import HAND, HOLDS_BY_CHANCE, LEFT_OUT, LISTED
from cortiscope.stimuli import StimulusSet
from cortiscope.stimuli.description import count_target_tokens
from cortiscope.stimuli.frequency import log_frequency

ADDED = (
    "furniture",
    "container",
    "fabric",
    "musical_instrument",
    "weapon",
    "building",
    "room",
    "drink",
    "flower",
    "tree",
    "landform",
    "weather",
    "relative",
    "mythical_being",
    "sport",
    "time",
    "unit",
    "shape",
    "trait",
    "speech_act",
)
WORDS_PER_CATEGORY = 20
N_SWAPS = 40_000
ROOT = Path(__file__).resolve().parent.parent
TOKENIZERS = {
    "stories260k": ROOT / "tests" / "data" / "stories260k",
    "specimen": ROOT / "src" / "cortiscope" / "subjects" / "specimens" / "qwen2",
}
THINGS_COLUMNS = {
    "furniture": "furniture",
    "musical_instrument": "musical instrument",
    "weapon": "weapon",
    "container": "container",
    "flower": "plant",
    "drink": "drink",
}
CORPORA_FILES = {
    "musical_instrument": "music/instruments.json",
    "weapon": "objects/premodern_weapons.json",
    "container": "objects/containers.json",
    "flower": "plants/flowers.json",
    "tree": "plants/plants.json",
    "fabric": "materials/fabrics.json",
    "weather": "science/weather_conditions.json",
    "landform": "geography/geographic_features.json",
    "sport": "sports/sports.json",
    "time": "words/units_of_time.json",
}


def read_candidates() -> dict[str, list[str]]:
    """Put together the candidates of all thirty categories, and check them against each other."""
    shipped = read_concepts(DATA / "concepts.tsv")
    candidates = {c: [w for w in words if w not in LEFT_OUT] for c, words in shipped.items()}
    for category in ADDED:
        candidates[category] = sorted(
            f"{LISTED.get(category, '')} {HAND.get(category, '')}".split()
        )
    problems = [f"{c}: no such category" for c in {*LISTED, *HAND}.difference(ADDED)]
    problems += [
        f"{w}: not in concepts" for w in LEFT_OUT if not any(w in ws for ws in shipped.values())
    ]
    owner: dict[str, str] = {}
    for category, words in candidates.items():
        if len(words) < WORDS_PER_CATEGORY:
            problems.append(f"{category}: only {len(words)} candidates")
        for word in words:
            if not re.fullmatch("[a-z]+", word):
                problems.append(f"{word}: not a single lower-case word")
            if word in owner:
                problems.append(f"{word}: in {owner[word]} and {category}")
            if any(re.search(rf"\b{word}\b", frame) for frame in FRAMES.values()):
                problems.append(f"{word}: stands in a frame")
            owner[word] = category
    names = {part: "a category's name" for category in candidates for part in category.split("_")}
    for word, part in held_words(owner | names):
        if word in owner and word not in HOLDS_BY_CHANCE.split():
            problems.append(f"{word} ({owner[word]}): holds {part}")
    if problems:
        raise SystemExit("\n".join(sorted(problems)))
    return candidates


def held_words(owner: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Find the words that start or end with another category's word, of four letters or more."""
    for word, category in owner.items():
        for length in range(4, len(word)):
            for part in (word[:length], word[-length:]):
                if part in owner and owner[part] != category:
                    yield word, part


def check_lists(lists: Path) -> None:
    """Check that the words that are said to be in the CC0 lists stand there."""
    things = lists / "things" / "Categories_final_20200131.tsv"
    with things.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    problems: list[str] = []
    for category, words in LISTED.items():
        listed: set[str] = set()
        if category in THINGS_COLUMNS:
            listed |= {row["Word"].lower() for row in rows if row[THINGS_COLUMNS[category]]}
        if category in CORPORA_FILES:
            path = lists / "corpora_cc0" / CORPORA_FILES[category]
            listed |= {text.lower() for text in _texts(json.loads(path.read_bytes()))}
        problems += [f"{w}: not in the {category} lists" for w in words.split() if w not in listed]
    if problems:
        raise SystemExit("\n".join(problems))


def measure(candidates: Mapping[str, list[str]]) -> dict[str, NDArray[np.int64]]:
    """Measure every word: length, log frequency, tokens of stories260k and of the specimen.

    Each feature is centred and in fiftieths of its standard deviation, an array (word, feature) a
    category.
    """
    from transformers import AutoTokenizer

    words = [word for members in candidates.values() for word in members]
    texts = [frame.format(word=word) for word in words for frame in FRAMES.values()]
    starts = [frame.index("{word}") for _ in words for frame in FRAMES.values()]
    spans = [(s, s + len(words[i // len(FRAMES)])) for i, s in enumerate(starts)]
    counts = [
        count_target_tokens(texts, spans, AutoTokenizer.from_pretrained(path))
        .reshape(len(words), len(FRAMES))
        .sum(axis=1)
        for path in TOKENIZERS.values()
    ]
    values = np.column_stack([[len(w) for w in words], log_frequency(words), *counts])
    values = np.rint(50 * (values - values.mean(axis=0)) / values.std(axis=0)).astype(np.int64)
    limits = np.cumsum([len(members) for members in candidates.values()])[:-1]
    return dict(zip(candidates, np.split(values, limits), strict=True))


def cost(sums: NDArray[np.int64], squares: NDArray[np.int64], n_shipped: int) -> int:
    """Tell how far means and spreads differ over categories, from sums (category, feature)."""
    total = 0
    for first, feature in ((0, slice(0, 3)), (n_shipped, slice(3, 4))):
        for weight, moments in ((40_000, sums), (1, squares)):  # 1 to 1/4, in means and spreads
            part = moments[first:, feature]
            total += weight * int(((len(part) * part - part.sum(axis=0)) ** 2).sum())
    return total


def choose(
    candidates: Mapping[str, list[str]], features: Mapping[str, NDArray[np.int64]], *, seed: int
) -> dict[str, list[str]]:
    """Choose the words of every category by swaps that lower the cost."""
    rng = np.random.default_rng(seed)
    tables = [features[category] for category in candidates]
    order = [rng.permutation(len(table)) for table in tables]  # the first 20 are the chosen ones
    chosen = [table[index[:WORDS_PER_CATEGORY]] for table, index in zip(tables, order, strict=True)]
    sums = np.stack([block.sum(axis=0) for block in chosen])
    squares = np.stack([(block**2).sum(axis=0) for block in chosen])
    n_shipped = len(tables) - len(ADDED)
    best = cost(sums, squares, n_shipped)
    for _ in range(N_SWAPS):
        c = int(rng.integers(len(tables)))
        if len(tables[c]) == WORDS_PER_CATEGORY:
            continue
        out = int(rng.integers(WORDS_PER_CATEGORY))
        into = int(rng.integers(WORDS_PER_CATEGORY, len(tables[c])))
        old, new = tables[c][order[c][out]], tables[c][order[c][into]]
        sums[c] += new - old
        squares[c] += new**2 - old**2
        value = cost(sums, squares, n_shipped)
        if value < best:
            best = value
            order[c][[out, into]] = order[c][[into, out]]
        else:
            sums[c] -= new - old
            squares[c] -= new**2 - old**2
    return {
        category: sorted(candidates[category][i] for i in index[:WORDS_PER_CATEGORY])
        for category, index in zip(candidates, order, strict=True)
    }


def build(*, seed: int = 0) -> StimulusSet:
    """Choose the words and cross them with the frames."""
    candidates = read_candidates()
    chosen = choose(candidates, measure(candidates), seed=seed)
    return StimulusSet.from_words(chosen, FRAMES, name="concepts-30")


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, (list, dict)):
        for part in content.values() if isinstance(content, dict) else content:
            yield from _texts(part)


def main() -> None:
    """Write the table and print how well the categories match."""
    from transformers import AutoTokenizer

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lists", type=Path, help="folder of the CC0 lists, to check against")
    parser.add_argument("--out", type=Path, default=DATA / "concepts-30.tsv")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.lists:
        check_lists(arguments.lists)
    stimuli = build(seed=arguments.seed)
    stimuli.table.to_csv(arguments.out, sep="\t", index=False, lineterminator="\n")
    for name, path in TOKENIZERS.items():
        print(f"Tokens of {name}\n{stimuli.describe(AutoTokenizer.from_pretrained(path))}\n")


if __name__ == "__main__":
    main()
