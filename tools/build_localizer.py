"""Build the stimuli `localizer`: sentences against lists of nonwords.

The source has the 240 sentences and 240 lists of nonwords of the fMRI language localizer
(Fedorenko et al. 2010), one word a column, all in capitals, as brain-score/language keeps them.
They are written here as people write: the first letter of each item a capital, the rest small,
except "I" and the proper names below. Words, their order, a misspelling ("avaliable") and the
missing full stop are left as participants saw them. Items that occur twice are kept once.

Usage: python tools/build_localizer.py --source DIR   (DIR holds langloc_fmri_run*_stim_set*.csv)
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src" / "cortiscope" / "stimuli" / "data" / "localizer.tsv"
COLUMNS = ("stimulus_id", "text", "target_start", "target_end", "category", "word", "frame")
CATEGORIES = {"S": "sentence", "N": "nonwords"}
N_WORDS = 12

# Names that stand inside a sentence; one at its start gets its capital from there.
NAMES = """
Alfred, Americans, Brooklyn, Burma, Catalonia, China, Clayton, Coke, Cook County Hospital,
Cromwell, Dartmouth, Dutch, English, Fiona, Florida, Hal, Harvard, Herbert, Hubert Humphrey, I,
India, Indian, Japan, Julia, Kennedy, Kingston, Lake Forest, Larry, Long Island University,
Louisiana, Matsuo, Oliver, Penny, Plexiglas, Pops, Saturday, Tibet, TV, Wally, Warren, Wendell,
White House, Abel, Marine
"""
_NAMES = {name.lower(): name for name in re.split(r",\s*", " ".join(NAMES.split()))}
_NAME = re.compile(r"\b(?:{})\b".format("|".join(sorted(_NAMES, key=len, reverse=True))))


def as_people_write(words: list[str], category: str) -> str:
    text = " ".join(words).lower()
    if category == "sentence":
        text = _NAME.sub(lambda match: _NAMES[match[0]], text)
    return text[0].upper() + text[1:]


def items(source: Path) -> list[dict[str, str | int]]:
    rows: list[dict[str, str | int]] = []
    seen = set()
    for path in sorted(source.glob("langloc_fmri_run*_stim_set*.csv")):
        run, number = re.findall(r"\d+", path.stem)
        frame = f"run{run}-set{number}"
        with path.open(encoding="utf-8", newline="") as stream:
            records = list(csv.reader(stream))[1:]
        for item, *words, kind in records:
            category = CATEGORIES[kind]
            text = as_people_write(words[:N_WORDS], category)
            if text in seen:
                continue
            seen.add(text)
            identifier = f"{frame}-{category}-{int(item):02d}"
            values = (identifier, text, 0, len(text), category, identifier, frame)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the CSV files")
    rows = items(parser.parse_args().source)
    if not rows:
        parser.error("the source folder holds no langloc_fmri_run*_stim_set*.csv")
    with TARGET.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: str(row["stimulus_id"])))
    print(f"{len(rows)} stimuli in {TARGET.name}")


if __name__ == "__main__":
    main()
