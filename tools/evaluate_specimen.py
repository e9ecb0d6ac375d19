"""Measure a trained specimen and write its model card.

Measures the validation loss on the held-out real text, whether the specimen knows what kind of
thing a word is (on words of which the training said so, and on the held-out words), how well the
category can be decoded from every layer (and from an untrained twin), and draws samples. Writes
`figures.json` and `README.md` into the specimen's directory.

Usage: python tools/evaluate_specimen.py DIR TEXT...
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer

from cortiscope.subjects import training_data as data
from cortiscope.subjects.training import CONFIG_BUILDERS, Recipe, packaged_categories
from cortiscope.subjects.world import World, spoken_name
from specimen_card import model_card

CONCEPTS = Path(__file__).resolve().parent.parent / "src/cortiscope/stimuli/data/concepts.tsv"
# {a}: the word with its article where it takes one; {w}: the bare word. The last was never trained.
PROMPTS = {
    "with article": "{a} is a kind of",
    "bare": "{w} is a kind of",
    "meaning": 'The word "{w}" means a kind of',
    "question": "What kind of thing is {a}? It is a kind of",
    "unseen wording": "We were told that {a} must be some kind of",
}
OPENINGS = ("Once upon a time there was", "The doctor", "A man is", "One day, a little girl", "An")


def text_loss(model: Any, tokenizer: Any, texts: list[Path], recipe: Recipe) -> dict[str, float]:
    """Return the loss on the held-out text in nats per token, its size, and the passes trained."""
    split = data.split_texts(texts, seed=recipe.seed)
    encoded = data.encode_documents(tokenizer.backend_tokenizer, split.validation)
    rows = data.training_rows(np.concatenate(encoded), recipe.length)
    losses = []
    for row in rows:
        ids = torch.from_numpy(row.astype(np.int64))[None]
        logits = model(input_ids=ids[:, :-1]).logits
        losses.append(torch.nn.functional.cross_entropy(logits[0], ids[0, 1:]).item())
    real = sum(map(len, data.encode_documents(tokenizer.backend_tokenizer, split.train)))
    return {
        "nats_per_token": float(np.mean(losses)),
        "tokens": rows.shape[0] * recipe.length,
        "passes": (1 - recipe.world_share) * recipe.n_tokens / real,
    }


def kind_accuracy(model: Any, tokenizer: Any, world: World) -> dict[str, Any]:
    """Choose among the category names by summed log-probability after each prompt."""
    names = list(world.categories)
    endings = [tokenizer(" " + spoken_name(c), add_special_tokens=False).input_ids for c in names]
    figures: dict[str, Any] = {}
    for label, prompt in PROMPTS.items():
        hits: dict[str, dict[str, list[bool]]] = {"trained": {}, "held_out": {}}
        for truth, category in enumerate(names):
            for word in world.categories[category]:
                text = prompt.format(a=world.as_subject(category, word), w=word)
                start = tokenizer(text[0].upper() + text[1:]).input_ids
                width = len(start) + max(map(len, endings))
                batch = torch.ones(len(names), width, dtype=torch.long)
                for i, ending in enumerate(endings):
                    batch[i, : len(start) + len(ending)] = torch.tensor(start + ending)
                logp = model(input_ids=batch).logits.log_softmax(-1)
                scores = [
                    sum(logp[i, len(start) + j - 1, token].item() for j, token in enumerate(ending))
                    for i, ending in enumerate(endings)
                ]
                kind = "trained" if word in world.trained[category] else "held_out"
                hits[kind].setdefault(category, []).append(int(np.argmax(scores)) == truth)
        figures[label] = {
            kind: {
                "accuracy": float(np.mean([np.mean(values) for values in by_category.values()])),
                "by_category": {c: float(np.mean(v)) for c, v in by_category.items()},
            }
            for kind, by_category in hits.items()
        }
    return figures


def record(model: Any, tokenizer: Any, rows: list[dict[str, str]]) -> NDArray[np.float64]:
    """Return the residual stream at the target's last token: (layer + 1, stimulus, unit)."""
    blocks = model.model.layers
    caught: list[Any] = []
    handles = [blocks[0].register_forward_pre_hook(lambda _, args: caught.append(args[0]))]
    handles += [
        block.register_forward_hook(
            lambda _, __, out: caught.append(out[0] if isinstance(out, tuple) else out)
        )
        for block in blocks
    ]
    states = []
    for row in rows:
        encoding = tokenizer(row["text"], return_offsets_mapping=True)
        end = int(row["target_end"])
        position = max(i for i, (a, b) in enumerate(encoding.offset_mapping) if a < end and b > a)
        caught.clear()
        model(input_ids=torch.tensor([encoding.input_ids]))
        states.append(torch.stack([state[0, position] for state in caught]).double().numpy())
    for handle in handles:
        handle.remove()
    return np.stack(states, axis=1)


def decoding(states: NDArray[np.float64], rows: list[dict[str, str]]) -> list[float]:
    """Return 10-way accuracy by layer: ridge, 5 folds grouped by word, stratified by category."""
    from sklearn.linear_model import RidgeClassifier

    rng = np.random.default_rng(0)
    fold_of: dict[str, int] = {}
    for category in sorted({row["category"] for row in rows}):
        words = sorted({row["word"] for row in rows if row["category"] == category})
        for place, index in enumerate(rng.permutation(len(words))):
            fold_of[words[index]] = place % 5
    folds = np.array([fold_of[row["word"]] for row in rows])
    y = np.array([row["category"] for row in rows])
    accuracies = []
    for layer in states:
        correct = np.zeros(len(y), dtype=bool)
        for fold in range(5):
            train = folds != fold
            mean = layer[train].mean(axis=0)
            centred = layer[train] - mean
            # A tenth of the mean eigenvalue of the training Gram matrix.
            alpha = 0.1 * (centred**2).sum() / min(centred.shape)
            model = RidgeClassifier(alpha=alpha).fit(centred, y[train])
            correct[~train] = model.predict(layer[~train] - mean) == y[~train]
        accuracies.append(float(correct.mean()))
    return accuracies


def samples(model: Any, tokenizer: Any) -> list[str]:
    """Draw a continuation of every opening at temperature 0.8."""
    torch.manual_seed(0)
    drawn = []
    for opening in OPENINGS:
        ids = tokenizer(opening, return_tensors="pt")
        out = model.generate(**ids, do_sample=True, temperature=0.8, top_k=50, max_new_tokens=60)
        drawn.append(tokenizer.decode(out[0], skip_special_tokens=True))
    return drawn


def main() -> None:
    """Measure, and write the figures and the model card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("texts", type=Path, nargs="+", help="the texts it was trained on")
    arguments = parser.parse_args()
    directory: Path = arguments.directory
    training = json.loads((directory / "training.json").read_text(encoding="utf-8"))
    recipe = Recipe(**training["recipe"])
    if data.fingerprint_texts(arguments.texts) != training["texts"]:
        raise SystemExit("These are not the texts that the specimen was trained on.")
    if training["categories"] != packaged_categories():
        raise SystemExit("The packaged words are not those that the specimen was trained on.")
    world = World(training["categories"], recipe.seed, recipe.taxonomic_share, recipe.trained_share)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    torch.manual_seed(0)
    twin = AutoModelForCausalLM.from_config(CONFIG_BUILDERS[recipe.family](recipe)).float().eval()
    with CONCEPTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with torch.inference_mode():
        figures = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "bytes": (directory / "model.safetensors").stat().st_size,
            "largest_weight": max(p.abs().max().item() for p in model.parameters()),
            "validation": text_loss(model, tokenizer, arguments.texts, recipe),
            "kind": kind_accuracy(model, tokenizer, world),
            "decoding": decoding(record(model, tokenizer, rows), rows),
            "decoding_twin": decoding(record(twin, tokenizer, rows), rows),
            "samples": samples(model, tokenizer),
        }
    (directory / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    card = model_card(figures, training, world)
    (directory / "README.md").write_text(card, encoding="utf-8")
    print(card)


if __name__ == "__main__":
    main()
