"""The recipe by which the specimens were trained: small language models from scratch, on a CPU.

Half of the tokens are real text, half are sentences of the small world (`world.py`). A run that
was interrupted continues from its last checkpoint and ends with the same weights.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cortiscope.errors import InputError
from cortiscope.subjects import training_data as data
from cortiscope.subjects.world import World

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["CONFIG_BUILDERS", "Recipe", "train_specimen"]

log = logging.getLogger(__name__)

TOKENIZER_SAMPLE = 60_000  # documents of the world that the tokenizer is trained on


def _qwen2_config(recipe: Recipe) -> Any:
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=recipe.vocabulary_size,
        hidden_size=recipe.width,
        intermediate_size=recipe.mlp_width,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        rope_theta=10_000.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=1,
    )


# family -> a function that makes its transformers configuration from a recipe
CONFIG_BUILDERS: dict[str, Callable[[Recipe], Any]] = {"qwen2": _qwen2_config}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what the training ends with, besides the texts.

    Attributes
    ----------
    family : str
        A key of `CONFIG_BUILDERS`.
    seed : int
        Seed of the initial weights, the world, the held-out text and the order.
    n_tokens : int
        Training tokens, world and real text together.
    world_share : float
        The part of them that the small world provides.
    """

    family: str = "qwen2"
    seed: int = 0
    n_tokens: int = 15_000_000
    world_share: float = 0.5
    taxonomic_share: float = 0.1
    trained_share: float = 0.7
    vocabulary_size: int = 4096
    width: int = 160
    mlp_width: int = 448
    layers: int = 6
    heads: int = 4
    key_value_heads: int = 2
    length: int = 256
    batch: int = 16
    learning_rate: float = 2e-3
    warmup_steps: int = 150
    weight_decay: float = 0.1
    bf16: bool = True

    @property
    def n_steps(self) -> int:
        """Optimiser steps that the tokens allow."""
        return self.n_tokens // (self.batch * self.length)


def packaged_categories() -> dict[str, list[str]]:
    """Return the words of the packaged `concepts` stimuli by category."""
    table = resources.files("cortiscope.stimuli") / "data" / "concepts.tsv"
    categories: dict[str, list[str]] = {}
    for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines(), delimiter="\t"):
        words = categories.setdefault(row["category"], [])
        if row["word"] not in words:
            words.append(row["word"])
    return categories


def train_specimen(
    texts: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    n_tokens: int = 15_000_000,
    family: str = "qwen2",
    categories: Mapping[str, Sequence[str]] | None = None,
    checkpoint_every: int = 200,
    stop_after: int | None = None,
    progress: bool = True,
    **recipe: Any,
) -> Path:
    """Train a small language model from scratch and save it as a Hugging Face directory.

    Parameters
    ----------
    texts : sequence of Path
        Text files (`.txt`, `.txt.gz`) of one sentence or paragraph a line.
    out : Path
        The directory to write. While training, its subfolder `.training` holds the checkpoint
        from which the same call continues.
    seed : int, default 0
        Seed of everything random.
    n_tokens : int, default 15,000,000
        Training tokens, world and real text together.
    family : str, default "qwen2"
        Architecture, a key of `CONFIG_BUILDERS`.
    categories : mapping of str to sequence of str, optional
        The words of the small world; those of `concepts` by default.
    checkpoint_every : int, default 200
        Steps between checkpoints.
    stop_after : int, optional
        Stop (as an interruption would) after this many steps, leaving the checkpoint.
    progress : bool, default True
        Show a progress bar when standing in a terminal.
    **recipe
        Any other field of `Recipe`.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    InputError
        If a text cannot be used, the family is unknown, or the directory holds another training.
    """
    if family not in CONFIG_BUILDERS:
        raise InputError(
            f"Family {family!r} has no training recipe; use one of {', '.join(CONFIG_BUILDERS)}."
        )
    plan = Recipe(family=family, seed=seed, n_tokens=n_tokens, **recipe)
    if plan.n_steps < 1:
        raise InputError(
            f"{n_tokens} tokens are less than one step; give at least {plan.batch * plan.length}."
        )
    words = {name: list(values) for name, values in (categories or packaged_categories()).items()}
    facts = {"recipe": asdict(plan), "texts": data.fingerprint_texts(texts), "categories": words}
    workshop = _open_workshop(out, facts)
    world = World(words, seed, plan.taxonomic_share, plan.trained_share)
    tokenizer, rows, validation = _prepare(texts, plan, world, workshop)
    model, history, finished = _optimise(
        plan, rows, validation, workshop, checkpoint_every, stop_after, progress
    )
    if finished:
        record = {**facts, "history": history, "trained_words": world.trained}
        _save(out, model, tokenizer, record)
        shutil.rmtree(workshop)
    return out


def _open_workshop(out: Path, facts: dict[str, Any]) -> Path:
    """Make the folder of the checkpoints, or refuse one that belongs to another training."""
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    workshop = out / ".training"
    marker = workshop / "recipe.sha256"
    if marker.is_file() and marker.read_text() != key:
        raise InputError(
            f"{out} holds an unfinished training with other texts or parameters; give another"
            " directory or remove its folder .training."
        )
    if (out / "model.safetensors").exists() and not marker.is_file():
        raise InputError(f"{out} already holds a model; give another directory.")
    workshop.mkdir(parents=True, exist_ok=True)
    marker.write_text(key)
    return workshop


def _prepare(
    texts: Sequence[Path], plan: Recipe, world: World, workshop: Path
) -> tuple[Tokenizer, NDArray[Any], NDArray[Any]]:
    """Make, or read back, the tokenizer and the rows of tokens to train and validate on."""
    from tokenizers import Tokenizer

    stored = workshop / "rows.npz"
    if stored.is_file():
        arrays = np.load(stored)
        tokenizer = Tokenizer.from_file(str(workshop / "tokenizer.json"))
        return tokenizer, arrays["rows"], arrays["validation"]
    split = data.split_texts(texts, seed=plan.seed)
    wanted = plan.n_steps * plan.batch * plan.length + 1
    n_world = round(plan.world_share * wanted)
    # No document of the world has fewer than four tokens, so these are always enough.
    generated = world.documents(max(n_world // 4, 1))
    sample = list(islice(generated, TOKENIZER_SAMPLE))
    tokenizer = data.build_tokenizer([*split.train, *sample], vocabulary_size=plan.vocabulary_size)
    fresh = data.encode_documents(tokenizer, sample)
    total = sum(map(len, fresh))
    while total < n_world and (portion := list(islice(generated, 20_000))):
        encoded = data.encode_documents(tokenizer, portion)
        total += sum(map(len, encoded))
        fresh += encoded
    stream = data.pack_stream(
        data.encode_documents(tokenizer, split.train),
        fresh,
        n_real=wanted - n_world,
        n_world=n_world,
        seed=plan.seed,
    )
    rows = data.training_rows(stream, plan.length)
    held_out = np.concatenate(data.encode_documents(tokenizer, split.validation))
    if len(held_out) <= plan.length:
        raise InputError("The held-out text is shorter than one training row; give more text.")
    validation = data.training_rows(held_out, plan.length)
    tokenizer.save(str(workshop / "tokenizer.json"))
    temporary = workshop / "rows.partial.npz"
    np.savez(temporary, rows=rows, validation=validation)
    temporary.replace(stored)
    return tokenizer, rows, validation


def _learning_rate(step: int, plan: Recipe) -> float:
    """Warm up linearly, then fall along a cosine to a tenth."""
    warmup = min(plan.warmup_steps, plan.n_steps // 10 + 1)
    if step < warmup:
        return plan.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(plan.n_steps - warmup, 1)
    return plan.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * done)))


def _optimise(
    plan: Recipe,
    rows: NDArray[Any],
    validation: NDArray[Any],
    workshop: Path,
    checkpoint_every: int,
    stop_after: int | None,
    progress: bool,
) -> tuple[Any, dict[str, Any], bool]:
    """Train to the end, or to `stop_after`, from the last checkpoint on."""
    import torch
    from rich.console import Console
    from rich.progress import Progress
    from transformers import AutoModelForCausalLM

    torch.manual_seed(plan.seed)
    model: Any = AutoModelForCausalLM.from_config(CONFIG_BUILDERS[plan.family](plan))
    model = model.float().train()
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": plan.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=plan.learning_rate,
        betas=(0.9, 0.95),
        fused=True,
    )
    history: dict[str, Any] = {"step": [], "loss": [], "validation": [], "seconds": 0.0}
    start = 0
    checkpoint = workshop / "checkpoint.pt"
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        start, history = state["step"], state["history"]

    def loss_of(batch: NDArray[Any]) -> Any:
        ids = torch.from_numpy(batch.astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())

    bar = Progress(disable=not (progress and Console().is_terminal))
    last = plan.n_steps if stop_after is None else min(stop_after, plan.n_steps)
    since, running = time.monotonic(), []
    with bar:
        task = bar.add_task("training", total=plan.n_steps, completed=start)
        for step in range(start, last):
            for group in optimiser.param_groups:
                group["lr"] = _learning_rate(step, plan)
            loss = loss_of(rows[step * plan.batch : (step + 1) * plan.batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            running.append(loss.item())
            bar.update(task, advance=1)
            if (step + 1) % checkpoint_every == 0 or step + 1 == plan.n_steps:
                model.eval()
                with torch.no_grad():
                    held_out = _mean_loss(loss_of, validation, plan.batch)
                model.train()
                history["step"].append(step + 1)
                history["loss"].append(float(np.mean(running)))
                history["validation"].append(held_out)
                history["seconds"] += time.monotonic() - since
                since, running = time.monotonic(), []
                log.info(
                    "step %d of %d, loss %.3f, validation %.3f, %.0f s",
                    step + 1,
                    plan.n_steps,
                    history["loss"][-1],
                    held_out,
                    history["seconds"],
                )
                _save_checkpoint(checkpoint, model, optimiser, step + 1, history)
    return model, history, last == plan.n_steps


def _mean_loss(loss_of: Callable[[NDArray[Any]], Any], rows: NDArray[Any], batch: int) -> float:
    """Return the mean loss in nats per token over all rows."""
    portions = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    losses = [loss_of(portion).item() for portion in portions]
    return float(np.average(losses, weights=[len(portion) for portion in portions]))


def _save_checkpoint(
    path: Path, model: Any, optimiser: Any, step: int, history: dict[str, Any]
) -> None:
    """Write the checkpoint beside the old one, then put it in its place."""
    import torch

    partial = path.with_suffix(".partial")
    torch.save(
        {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
            "history": history,
        },
        partial,
    )
    partial.replace(path)


def _save(out: Path, model: Any, tokenizer: Tokenizer, record: dict[str, Any]) -> None:
    """Write the Hugging Face directory, weights in float16, with the record of the training."""
    import torch
    from transformers import GenerationConfig, PreTrainedTokenizerFast

    model = model.eval().half()
    overflow = [name for name, value in model.named_parameters() if not value.isfinite().all()]
    if overflow:
        raise RuntimeError(f"weights overflow float16: {', '.join(overflow)}")
    model.config.dtype = torch.float16
    model.generation_config = GenerationConfig(
        bos_token_id=0, eos_token_id=0, pad_token_id=1, max_new_tokens=60
    )
    model.save_pretrained(out)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=data.BOS,
        eos_token=data.BOS,
        pad_token=data.PAD,
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(out)
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
