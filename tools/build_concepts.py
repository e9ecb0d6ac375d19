"""Build the default stimuli `concepts` and the word-frequency table that describes them.

Reads the CC0 lists (THINGS categories, corpora) to check the hand-made candidate lists of
`concept_candidates.py`, counts words in three freely licensed corpora, chooses 40 words a category
so that the categories match in word length, log frequency and token count as well as the lists
allow, crosses them with three frames, and writes both tables into the package.

Usage: python tools/build_concepts.py --lists DIR [--corpus DIR]
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concept_candidates import ALLOWED_ELSEWHERE, CANDIDATES, EMOTION_MOODS, HAND, REFUSED

CATEGORIES = (
    "animal",
    "food",
    "clothing",
    "tool",
    "vehicle",
    "body_part",
    "occupation",
    "emotion",
    "number",
    "colour",
)
WORDS_PER_CATEGORY = 40
FRAMES = {
    "card": "The word on the card was {word}.",
    "book": "Please write down {word} in your book.",
    "answer": "When I asked, she answered {word} at once.",
}
# TinyStories is left out on purpose: its licence would bind the shipped table.
CORPORA = ("commongen.txt.gz", "fairytaleqa.txt.gz", "aesop.txt.gz")

THINGS_COLUMNS = {
    "animal": ("animal", "bird", "insect", "mammal", "sea animal", "farm animal"),
    "food": (
        "food",
        "fruit",
        "vegetable",
        "dessert",
        "candy",
        "condiment",
        "breakfast food",
        "drink",
        "seafood",
    ),
    "clothing": (
        "clothing",
        "clothing accessory",
        "footwear",
        "headwear",
        "outerwear",
        "women's clothing",
        "protective clothing",
    ),
    "tool": ("tool", "kitchen tool", "hardware", "garden tool", "construction equipment"),
    "vehicle": ("vehicle", "watercraft"),
    "body_part": ("body part",),
}
CORPORA_LISTS = {
    "animal": (("animals/common.json", "animals"),),
    "food": (("foods/fruits.json", "fruits"), ("foods/vegetables.json", "vegetables")),
    "clothing": (("objects/clothing.json", "clothes"),),
    "body_part": (("humans/bodyParts.json", "bodyParts"),),
    "occupation": (("humans/occupations.json", "occupations"),),
    "emotion": (("humans/moods.json", "moods"),),
}
DATA = Path(__file__).resolve().parent.parent / "src" / "cortiscope" / "stimuli" / "data"


def read_sources(lists: Path) -> dict[str, set[str]]:
    """Read, for every category, the words that the CC0 lists hold for it."""
    sources: dict[str, set[str]] = {category: set() for category in CATEGORIES}
    path = lists / "things" / "Categories_final_20200131.tsv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            for category, columns in THINGS_COLUMNS.items():
                if any(row[column] for column in columns):
                    sources[category].add(row["Word"].strip().lower())
    for category, files in CORPORA_LISTS.items():
        for name, key in files:
            content = json.loads((lists / "corpora_cc0" / name).read_text(encoding="utf-8"))
            sources[category].update(str(word).strip().lower() for word in content[key])
    return sources


def checked_candidates(sources: dict[str, set[str]]) -> dict[str, list[str]]:
    """Check the hand-made lists against the sources and against each other."""
    candidates: dict[str, list[str]] = {}
    problems: list[str] = []
    for category in CATEGORIES:
        listed = CANDIDATES.get(category, "").split()
        problems += [
            f"{w}: not in the {category} lists" for w in listed if w not in sources[category]
        ]
        if category == "emotion":
            problems += [
                f"{noun}: its mood {mood} is not in the list"
                for noun, mood in EMOTION_MOODS.items()
                if mood not in sources["emotion"]
            ]
            listed += list(EMOTION_MOODS)
        candidates[category] = sorted({*listed, *HAND.get(category, "").split()})
    owner: dict[str, str] = {}
    for category, words in candidates.items():
        if len(words) < WORDS_PER_CATEGORY:
            problems.append(f"{category}: only {len(words)} candidates")
        for word in words:
            if not re.fullmatch("[a-z]+", word):
                problems.append(f"{word}: not a single lower-case word")
            if word in REFUSED:
                problems.append(f"{word}: refused ({REFUSED[word]})")
            if word in owner:
                problems.append(f"{word}: in {owner[word]} and {category}")
            owner[word] = category
            others = [c for c in CATEGORIES if c != category and word in sources[c]]
            # A mood may be any adjective or noun, so that list says nothing about the others.
            others = [c for c in others if c != "emotion"]
            if others and word not in ALLOWED_ELSEWHERE:
                problems.append(f"{word} ({category}): also listed as {', '.join(others)}")
    if problems:
        raise SystemExit("\n".join(problems))
    return candidates


def count_words(corpus: Path) -> Counter[str]:
    """Count lower-cased words over the freely licensed corpora."""
    counts: Counter[str] = Counter()
    for name in CORPORA:
        with gzip.open(corpus / name, "rt", encoding="utf-8") as file:
            for line in file:
                counts.update(re.findall("[a-z]+", line.lower()))
    return counts


def count_tokens(corpus: Path, words: list[str]) -> dict[str, int]:
    """Count each word's tokens under a 4,096-token byte-level BPE of the same corpora."""
    from tokenizers import ByteLevelBPETokenizer

    def lines() -> list[str]:
        texts: list[str] = []
        for name in CORPORA:
            with gzip.open(corpus / name, "rt", encoding="utf-8") as file:
                texts += file.read().splitlines()
        return texts

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(lines(), vocab_size=4096, show_progress=False)
    return {word: len(tokenizer.encode(" " + word).ids) for word in words}


def mismatch(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return eta squared, the share of a feature's variance that lies between categories.

    `features` has the shape (category, word, feature).
    """
    grand = features.mean(axis=(0, 1))
    between = ((features.mean(axis=1) - grand) ** 2).mean(axis=0)
    total = ((features - grand) ** 2).mean(axis=(0, 1))
    share: NDArray[np.float64] = between / total
    return share


def choose(
    candidates: dict[str, list[str]], features: dict[str, NDArray[np.float64]], *, seed: int
) -> dict[str, list[str]]:
    """Choose 40 words a category by seeded swaps that bring means and spreads together."""
    rng = np.random.default_rng(seed)
    tables = [np.stack([features[w] for w in candidates[c]]) for c in CATEGORIES]
    scale = np.concatenate(tables).std(axis=0)
    tables = [table / scale for table in tables]
    chosen = [rng.permutation(len(table))[:WORDS_PER_CATEGORY] for table in tables]

    def cost(selection: list[NDArray[np.int64]]) -> float:
        block = np.stack([table[index] for table, index in zip(tables, selection, strict=True)])
        means, spreads = block.mean(axis=1), block.std(axis=1)
        return float(
            ((means - means.mean(axis=0)) ** 2).sum()
            + 0.25 * ((spreads - spreads.mean(axis=0)) ** 2).sum()
        )

    best = cost(chosen)
    for _ in range(60_000):
        category = int(rng.integers(len(CATEGORIES)))
        rest = np.setdiff1d(np.arange(len(tables[category])), chosen[category])
        if len(rest) == 0:
            continue
        trial = chosen[category].copy()
        trial[rng.integers(WORDS_PER_CATEGORY)] = rng.choice(rest)
        attempt = [*chosen[:category], trial, *chosen[category + 1 :]]
        value = cost(attempt)
        if value < best:
            best, chosen = value, attempt
    return {
        category: sorted(candidates[category][i] for i in index)
        for category, index in zip(CATEGORIES, chosen, strict=True)
    }


def write_concepts(chosen: dict[str, list[str]], path: Path) -> None:
    """Write the crossed table of words and frames."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(
            ["stimulus_id", "text", "target_start", "target_end", "category", "word", "frame"]
        )
        for category in CATEGORIES:
            for word in chosen[category]:
                for frame, template in FRAMES.items():
                    start = template.index("{word}")
                    text = template.format(word=word)
                    table.writerow(
                        [
                            f"{category}-{word}-{frame}",
                            text,
                            start,
                            start + len(word),
                            category,
                            word,
                            frame,
                        ]
                    )


def write_frequencies(counts: Counter[str], path: Path) -> None:
    """Write the counts of all words seen at least twice, gzipped without a time stamp."""
    total = sum(counts.values())
    lines = [f"# total words counted: {total}; CommonGen, FairytaleQA and Aesop; count >= 2"]
    lines += [f"{word}\t{count}" for word, count in sorted(counts.items()) if count >= 2]
    data = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


def main() -> None:
    """Build both tables and print how well the categories match."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lists", type=Path, required=True, help="folder of the CC0 lists")
    parser.add_argument("--corpus", type=Path, help="folder of the texts (default: ../corpus)")
    parser.add_argument("--out", type=Path, default=DATA, help="where the tables go")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    corpus = arguments.corpus or arguments.lists.parent / "corpus"

    candidates = checked_candidates(read_sources(arguments.lists))
    counts = count_words(corpus)
    words = [word for category in CATEGORIES for word in candidates[category]]
    tokens = count_tokens(corpus, words)
    features = {
        w: np.array([len(w), np.log10(counts[w] + 1), tokens[w]], dtype=float) for w in words
    }
    chosen = choose(candidates, features, seed=arguments.seed)

    arguments.out.mkdir(parents=True, exist_ok=True)
    write_concepts(chosen, arguments.out / "concepts.tsv")
    write_frequencies(counts, arguments.out / "frequencies.tsv.gz")

    block = np.stack([np.stack([features[w] for w in chosen[c]]) for c in CATEGORIES])
    print(
        f"{'category':12}{'candidates':>11}{'length':>8}{'sd':>6}"
        f"{'log10 n':>9}{'sd':>6}{'tokens':>8}"
    )
    for category, values in zip(CATEGORIES, block, strict=True):
        mean, spread = values.mean(axis=0), values.std(axis=0)
        print(
            f"{category:12}{len(candidates[category]):11}{mean[0]:8.2f}{spread[0]:6.2f}"
            f"{mean[1]:9.2f}{spread[1]:6.2f}{mean[2]:8.2f}"
        )
    length, frequency, token = mismatch(block)
    print(f"eta squared: length {length:.3f}, log frequency {frequency:.3f}, tokens {token:.3f}")


if __name__ == "__main__":
    main()
