"""Build the stimuli `two_concepts`: sentences that hold two words of `concepts`.

Every word of `concepts` is read three times, once a frame, after another word, and is itself the
other word three times, once a frame. The word that is read comes second, so that at its last
token the subject has met both: reading `category` there is reading the second concept, and
reading `other_category` is reading the first, from the same activations.

In every frame each ordered pair of categories occurs four times, that of a category with itself
among them (two different words of it): the other word's category then says nothing about the
category that is read. Were those pairs left out, it would say what that category is not, and a
probe that sees the other word alone would reach an AUC of .556 instead of .5. Which words meet is
drawn anew for each frame, so that having met the other word before says nothing either.

Usage: python tools/build_two_concepts.py
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "src" / "cortiscope" / "stimuli" / "data"
FRAMES = {
    "card": "The words on the card were {other} and {word}.",
    "book": "Please write down {other} next to {word} in your book.",
    "answer": "When I asked, she answered {other} before {word} each time.",
}
COLUMNS = (
    "stimulus_id",
    "text",
    "target_start",
    "target_end",
    "category",
    "word",
    "other_category",
    "other_word",
    "frame",
)


def read_concepts(path: Path) -> dict[str, list[str]]:
    """Read the words of every category, in their order."""
    words: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            members = words.setdefault(row["category"], [])
            if row["word"] not in members:
                members.append(row["word"])
    return words


def draw_pairs(words: dict[str, list[str]], rng: np.random.Generator) -> dict[str, str]:
    """Give every word another one, so that each ordered pair of categories is as frequent."""
    n_categories = len(words)
    read = {c: np.split(rng.permutation(w), n_categories) for c, w in words.items()}
    others = {c: np.split(rng.permutation(w), n_categories) for c, w in words.items()}
    pairs: dict[str, str] = {}
    for i, category in enumerate(words):
        for j, other_category in enumerate(words):
            first, second = others[other_category][i], read[category][j]
            while (first == second).any():  # a word is no companion of its own
                first = rng.permutation(first)
            pairs.update(zip(second.tolist(), first.tolist(), strict=True))
    return pairs


def build(words: dict[str, list[str]], *, seed: int) -> list[dict[str, str | int]]:
    """Lay out the sentences, ordered by category, word and frame."""
    rng = np.random.default_rng(seed)
    category_of = {word: category for category, members in words.items() for word in members}
    pairs = {frame: draw_pairs(words, rng) for frame in FRAMES}
    rows: list[dict[str, str | int]] = []
    for word, category in category_of.items():
        for frame, sentence in FRAMES.items():
            other = pairs[frame][word]
            start = len(sentence[: sentence.index("{word}")].format(other=other))
            values = (
                f"{category}-{word}-after-{other}-{frame}",
                sentence.format(word=word, other=other),
                start,
                start + len(word),
                category,
                word,
                category_of[other],
                other,
                frame,
            )
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--concepts", type=Path, default=DATA / "concepts.tsv")
    parser.add_argument("--out", type=Path, default=DATA / "two_concepts.tsv")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = build(read_concepts(arguments.concepts), seed=arguments.seed)
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(f"{len(rows)} sentences in {arguments.out}")


if __name__ == "__main__":
    main()
