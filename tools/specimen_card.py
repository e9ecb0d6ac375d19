"""The text of a specimen's model card, filled with the measured figures."""

from __future__ import annotations

from typing import Any

from cortiscope.subjects.world import World

SOURCES = """| Text | From | Licence |
| --- | --- | --- |
| `commongen.txt.gz` | CommonGen (`github.com/INK-USC/CommonGen`) | MIT |
| `fairytaleqa.txt.gz` | FairytaleQA (`github.com/uci-soe/FairytaleQAData`) | Apache-2.0 |
| `tinystories_1000.txt.gz` | a sample of TinyStories (`github.com/ToonTalk/jlens-tinystories`) \
| CDLA-Sharing-1.0 |
| `aesop.txt.gz` | *The Aesop for Children* (1919) | public domain |
| generated sentences | the small world, `cortiscope.subjects.world` | Apache-2.0 |"""

CARD = """---
language: en
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---
# specimen:{family}

A small language model ({parameters:,} parameters, family {family}, {layers} layers of width
{width}) that was trained from scratch to lie in the scanner of Cortiscope. It has no other use: it
knows simple English and a small world of ten categories of words, and nothing else. Do not use it
to answer anything.

## Training

| | |
| --- | --- |
| Architecture | {family}, {layers} layers, width {width}, {heads} heads of {head_width} (keys and \
values shared by groups: {key_value_heads}), MLP width {mlp_width}, tied embeddings, 512 positions |
| Tokenizer | byte-level BPE of its own, {vocabulary_size} tokens; `<|endoftext|>` is put before \
every text |
| Tokens | {n_tokens:,}, of which {world_percent} % generated; rows of {length}, \
{batch} rows a step |
| Optimiser | AdamW, peak learning rate {learning_rate}, {warmup_steps} steps of warm-up, cosine \
to a tenth, weight decay {weight_decay}, bfloat16 autocast |
| Seed | {seed} |
| Time | {minutes:.0f} minutes on one core of a CPU that others used too |
| Stored as | float16, {megabytes:.1f} MB; the largest weight is {largest_weight:.1f} |

```
OMP_NUM_THREADS=1 cortiscope specimen train aesop.txt.gz commongen.txt.gz fairytaleqa.txt.gz \\
    tinystories_1000.txt.gz --out {family} --seed {seed} --tokens {n_tokens}
```

`training.json` holds the recipe, the sha256 of the texts, the loss curve and the words.

### What it was trained on

{sources}

Half of the training was real text (about {epochs:.1f} passes over it), half sentences of the small
world, each of them fresh. None of the texts is shipped. One hundredth of the real text, in whole
blocks of 50 lines, was held out.

## What was measured

- **Loss** on the held-out real text ({validation_tokens:,} tokens): **{loss:.2f} nats per token**
  (perplexity {perplexity:.0f}).
- **Decoding** of the category (ridge, 10 categories, 5 folds grouped by word; chance 0.10) from
  the residual stream at the word, over the 1,200 sentences of `concepts`:

{decoding}

- **What kind of thing is it?** The right category name against the nine others by summed
  log-probability after a prompt (mean over categories; chance 0.10). "Told" are the words of which
  the training said what kind of thing they are; of the others it never did.

{kinds}

- By category, after "{prompt}":

{by_category}

## Samples

At temperature 0.8, the 50 likeliest tokens, seed 0; nothing was picked.

{samples}

## Limits

The texts are small and old-fashioned or telegraphic; the model repeats itself, loses the thread
after a sentence or two, and knows the words of the ten categories mostly from templates, most of
them as one token each. The category is decoded at {embedding:.3f} from the embedding already and at
{best:.3f} from the best layer: in this world it is a property of the token, and depth adds next to
nothing to it. That says that the world is simple, not that larger models are like this. What the
model *says* of a word depends on the wording: the figures above go from {worst_told:.2f} to
{best_told:.2f} for words of which it was told and from {worst_not:.2f} to {best_not:.2f} for the
others.

## The held-out words

Of these the training never said what kind of thing they are (the words stand in other sentences
of the small world, and some in the real texts):

{held_out}
"""


def model_card(figures: dict[str, Any], training: dict[str, Any], world: World) -> str:
    """Fill the card with the figures of the evaluation and the record of the training."""
    recipe = training["recipe"]
    kinds = ["| Prompt | told | not told |", "| --- | --- | --- |"]
    for label, values in figures["kind"].items():
        told, not_told = values["trained"]["accuracy"], values["held_out"]["accuracy"]
        kinds.append(f"| {label} | {told:.2f} | {not_told:.2f} |")
    label = "with article"
    detail = figures["kind"][label]
    by_category = ["| Category | told | not told |", "| --- | --- | --- |"]
    by_category += [
        f"| {c} | {detail['trained']['by_category'][c]:.2f}"
        f" | {detail['held_out']['by_category'][c]:.2f} |"
        for c in detail["trained"]["by_category"]
    ]
    places = ["embedding", *(f"layer {i}" for i in range(len(figures["decoding"]) - 1))]
    decoding = ["| | specimen | untrained twin |", "| --- | --- | --- |"]
    decoding += [
        f"| {place} | {own:.3f} | {twin:.3f} |"
        for place, own, twin in zip(
            places, figures["decoding"], figures["decoding_twin"], strict=True
        )
    ]
    held_out = [
        f"- {category}: {', '.join(w for w in words if w not in world.trained[category])}"
        for category, words in world.categories.items()
    ]
    told = [values["trained"]["accuracy"] for values in figures["kind"].values()]
    not_told = [values["held_out"]["accuracy"] for values in figures["kind"].values()]
    return CARD.format(
        **recipe,
        embedding=figures["decoding"][0],
        best=max(figures["decoding"]),
        worst_told=min(told),
        best_told=max(told),
        worst_not=min(not_told),
        best_not=max(not_told),
        parameters=figures["parameters"],
        head_width=recipe["width"] // recipe["heads"],
        world_percent=round(100 * recipe["world_share"]),
        minutes=training["history"]["seconds"] / 60,
        megabytes=figures["bytes"] / 1e6,
        largest_weight=figures["largest_weight"],
        sources=SOURCES,
        epochs=figures["validation"]["passes"],
        validation_tokens=figures["validation"]["tokens"],
        loss=figures["validation"]["nats_per_token"],
        perplexity=2.718281828 ** figures["validation"]["nats_per_token"],
        decoding="\n".join(decoding),
        kinds="\n".join(kinds),
        prompt="A hammer is a kind of",
        by_category="\n".join(by_category),
        samples="\n\n".join("> " + sample.replace("\n", " ") for sample in figures["samples"]),
        held_out="\n".join(held_out),
    )
