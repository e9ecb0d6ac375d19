"""Build the stimuli `abilities`: recall of facts beside reasoning, in pairs that differ in little.

From the stimuli `facts` and `reasoning`: 120 pairs of prompts of each. Two prompts of a pair have
one form, and the answer of each is the wrong answer to the other, so that one stands for the other
corrupted: two questions on one problem, or one template of one relation with two subjects. No
subject of a fact is in two pairs.

Labels: ability (facts, reasoning), category (the kind of subject, or of reasoning), word (the
pair, the unit that may be exchanged), frame (template or wording), relation, answer, foil_1 (the
answer of the other), partner (its stimulus_id).

Usage: python tools/build_abilities.py
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from itertools import combinations, cycle
from pathlib import Path
from random import Random

DATA = Path(__file__).parents[1] / "src" / "cortiscope" / "stimuli" / "data"
COLUMNS = (
    "stimulus_id",
    "text",
    "target_start",
    "target_end",
    "ability",
    "category",
    "word",
    "frame",
    "relation",
    "answer",
    "foil_1",
    "partner",
)
N_PAIRS = 120

Row = dict[str, str]


def build(seed: int = 0) -> list[Row]:
    """Pair the prompts of both sets."""
    facts = list(pairs_of_facts(read("facts"), Random(seed)))[:N_PAIRS]
    facts.sort(key=lambda pair: pair[0]["relation"])
    both = (("facts", facts), ("reasoning", pairs_of_problems(read("reasoning"))))
    return [row for ability, pairs in both for pair in pairs for row in paired(ability, *pair)]


def read(name: str) -> list[Row]:
    """Read one of the sets."""
    with (DATA / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def pairs_of_problems(table: list[Row]) -> list[tuple[Row, Row]]:
    """Put the two questions on each problem side by side."""
    pairs: dict[str, list[Row]] = {}
    for row in table:
        pairs.setdefault(row["word"], []).append(row)
    return [(one, other) for one, other in pairs.values()]


def pairs_of_facts(table: list[Row], rng: Random) -> Iterator[tuple[Row, Row]]:
    """Draw pairs from one relation after the other, as long as any has two subjects left."""
    relations: dict[str, list[Row]] = {}
    for row in table:
        relations.setdefault(row["relation"], []).append(row)
    for rows in relations.values():
        rng.shuffle(rows)
    used: set[str] = set()
    frames = cycle(("template 1", "template 2"))
    while len(relations):
        frame = next(frames)
        for relation, rows in list(relations.items()):
            left = [row for row in rows if row["frame"] == frame and row["word"] not in used]
            pair = next((pair for pair in combinations(left, 2) if differ(*pair)), None)
            if pair is None:
                del relations[relation]
                continue
            used |= {row["word"] for row in pair}
            yield pair


def differ(one: Row, other: Row) -> bool:
    """Tell whether one text follows both subjects, and neither answer begins as the other."""
    a, b = (row["answer"].lower() for row in (one, other))
    after = {row["text"][int(row["target_end"]) :] for row in (one, other)}
    return len(after) == 1 and not a.startswith(b) and not b.startswith(a)


def paired(ability: str, one: Row, other: Row) -> Iterator[Row]:
    """Write a pair's rows."""
    words = [row["word"] for row in (one, other)]
    word = words[0] if words[0] == words[1] else " and ".join(words)
    for row, twin in ((one, other), (other, one)):
        own = {"ability": ability, "word": word, "foil_1": twin["answer"]}
        values = row | own | {"partner": twin["stimulus_id"]}
        yield {name: values[name] for name in COLUMNS}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=DATA / "abilities.tsv")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = build(seed=arguments.seed)
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(f"{len(rows)} prompts in {arguments.out}")


if __name__ == "__main__":
    main()
