"""Build the neutral text on which damage to language is measured.

Takes the sentences of FairytaleQA that were held out when the specimen was trained, and joins
neighbours to passages of at least 100 words, one a line. (The held-out fables of Aesop are left
out: nearly every sentence names an animal, so that a lesion of that concept would seem to damage
language.)

Usage: python tools/build_neutral_text.py AESOP COMMONGEN FAIRYTALEQA TINYSTORIES
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cortiscope.subjects import training_data as data

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "cortiscope"
TRAINING = PACKAGE / "subjects" / "specimens" / "qwen2" / "training.json"
OUT = PACKAGE / "stimulation" / "data" / "neutral.txt"
STORIES = "fairytaleqa.txt.gz"
LEAST_WORDS = 100


def main() -> None:
    """Write the passages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("texts", type=Path, nargs="+", help="what the specimen was trained on")
    texts: list[Path] = parser.parse_args().texts
    training = json.loads(TRAINING.read_text(encoding="utf-8"))
    if data.fingerprint_texts(texts) != training["texts"]:
        raise SystemExit("These are not the texts that the specimen was trained on.")
    held_out = data.split_texts(texts, seed=training["recipe"]["seed"]).validation
    stories = " ".join(data.read_texts([text for text in texts if text.name == STORIES])[0])
    passages: list[str] = []
    for document in (document for document in held_out if document in stories):
        grown = f"{passages[-1]} {document}" if passages else document
        if passages and len(passages[-1].split()) < LEAST_WORDS and grown in stories:
            passages[-1] = grown
        else:
            passages.append(document)
    passages = [passage for passage in passages if len(passage.split()) >= LEAST_WORDS]
    OUT.write_text("\n".join(passages) + "\n", encoding="utf-8")
    print(f"{len(passages)} passages, {sum(len(p.split()) for p in passages)} words")


if __name__ == "__main__":
    main()
