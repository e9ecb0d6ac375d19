"""Build the stimuli `facts`: prompts whose right continuation is known.

The source is the relations of Hernandez et al. (2024), "Linearity of relation decoding in
transformer language models". Each subject of the relations below is put into two of the
relation's templates, the zero-shot ones first. Labels: relation, category (the kind of thing
that the subject is, so that no subject is in two categories), word (the subject), answer, frame
(which of the two templates).

Left out: relations about private persons, with answers that change, or obscure; subjects with two
answers; answers that hold their subject or are held in it ("Mexico": "Mexico City"); answers that
start with a vowel after a template that ends in "a"; what `REFUSED` lists.
Articles, capitals and escaped letters are put right ("An accountant ...", "The capital of the
United States ...").

Usage: python tools/build_facts.py --source DIR   (DIR holds factual/*.json, commonsense/*.json)
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src" / "cortiscope" / "stimuli" / "data" / "facts.tsv"
COLUMNS = (
    "stimulus_id",
    "text",
    "target_start",
    "target_end",
    "category",
    "word",
    "frame",
    "relation",
    "answer",
)
N_TEMPLATES = 2
# Relation to the category of its subjects.
RELATIONS = {
    "factual/country_capital_city": "country",
    "factual/country_currency": "country",
    "factual/country_language": "country",
    "factual/country_largest_city": "country",
    "factual/city_in_country": "city",
    "factual/food_from_country": "food",
    "factual/person_band_lead_singer": "singer",
    "commonsense/fruit_inside_color": "fruit",
    "commonsense/fruit_outside_color": "fruit",
    "commonsense/object_superclass": "living thing",
    "commonsense/substance_phase": "substance",
    "commonsense/task_done_by_person": "task",
    "commonsense/task_done_by_tool": "task",
    "commonsense/work_location": "occupation",
}
_VEGETABLES = {
    *("bell peppers", "cucumbers", "eggplants", "potatos", "radishes", "tomatoes", "zucchinis"),
}
REFUSED = {
    # Subject and answer are swapped; what is named is no sovereign country.
    "factual/city_in_country": {"Costa Rica", "Hong Kong", "San Juan"},
    # No country ("Middle East"); several claim it; a plural that the templates do not fit.
    "factual/food_from_country": {
        *("Falafel", "Shawarma", "Baklava", "Hummus", "Pavlova", "Fish and Chips", "Tacos"),
    },
    "commonsense/fruit_inside_color": _VEGETABLES | {"blackberries", "blueberries", "plums"},
    "commonsense/fruit_outside_color": _VEGETABLES | {"figs"},
    # Fruits have relations of their own; these are classes; Turkey is among the countries.
    "commonsense/object_superclass": {
        *("apple", "banana", "blueberry", "grapefruit", "grapes", "mango", "orange", "peach"),
        *("pear", "strawberry", "watermelon", "fish", "turkey"),
    },
    # Not so at room temperature.
    "commonsense/substance_phase": {"ice", "ice cream", "steam"},
    # What is named is no tool, is what the task is done to, or does not fit "a tool called a".
    "commonsense/task_done_by_tool": {
        *("birdwatching", "dancing", "doing makeup", "drawing", "exercising", "gardening"),
        *("hiking", "knitting", "listening to music"),
        *("playing soccer", "playing sports", "polishing shoes", "reading", "sanding wood"),
        *("sewing", "swimming", "writing"),
    },
}
# The classes that the templates of object_superclass name, but for "animal": a robin is one too.
CLASSES = {"bird", "fish", "vegetable", "flower", "fruit"}
WITH_ARTICLE = {
    *("United States", "United Kingdom", "United Arab Emirates", "Netherlands", "Philippines"),
    "Czech Republic",
}
WITHOUT_ARTICLE = {"broccoli", "cauliflower", "kale", "lettuce", "spinach"}
_WRONG_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")


def prompt(template: str, subject: str) -> tuple[str, int]:
    """Fill a template in as English is written; returns the text and where the subject starts."""
    before, after = template.split("{}")
    if subject in WITH_ARTICLE:
        before += "the "
        if subject.endswith("s"):
            after = re.sub(r"^'s", "'", after)
    if subject in WITHOUT_ARTICLE:
        before = re.sub(r"\b[Aa] $", "", before)
    before = _WRONG_ARTICLE.sub(r"\1n ", before + subject)[: -len(subject)]
    after = _WRONG_ARTICLE.sub(r"\1n ", after)
    text = before + subject + after
    return text[0].upper() + text[1:], len(before)


def facts(relation: dict[str, Any], name: str) -> dict[str, str]:
    """Return the answer of each subject that has just one, and one that the templates fit."""
    article_waits = any(template.endswith(" a") for template in templates(relation))
    answers = defaultdict(set)
    for sample in relation["samples"]:
        subject, answer = sample["subject"].strip(), mended(sample["object"].strip())
        unclassed = name.endswith("object_superclass") and answer not in CLASSES
        given_away = answer.lower() in subject.lower() or subject.lower() in answer.lower()
        # "a" is wrong before such an answer, and "an" would give it away.
        misfit = article_waits and answer[0].lower() in "aeiou"
        if not (unclassed or given_away or misfit or subject in REFUSED.get(name, ())):
            answers[subject].add(answer)
    return {subject: found.pop() for subject, found in answers.items() if len(found) == 1}


def mended(text: str) -> str:
    r"""Turn the source's twice escaped letters (a backslash, u00ed) into the letters."""
    return re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), text)


def templates(relation: dict[str, Any]) -> list[str]:
    every = dict.fromkeys(relation["prompt_templates_zs"] + relation["prompt_templates"])
    return list(every)[:N_TEMPLATES]


def stimuli(source: Path) -> list[dict[str, str | int]]:
    rows: list[dict[str, str | int]] = []
    for name, category in RELATIONS.items():
        relation = json.loads((source / f"{name}.json").read_text(encoding="utf-8"))
        kind = name.partition("/")[2]
        for subject, answer in sorted(facts(relation, name).items()):
            for number, template in enumerate(templates(relation), start=1):
                text, start = prompt(template, subject)
                identifier = f"{kind}-{'_'.join(subject.split())}-{number}"
                span = (start, start + len(subject))
                labels = (category, subject, f"template {number}", kind, answer)
                rows.append(dict(zip(COLUMNS, (identifier, text, *span, *labels), strict=True)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="folder of the relations")
    rows = stimuli(parser.parse_args().source)
    with TARGET.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} stimuli in {TARGET.name}")


if __name__ == "__main__":
    main()
