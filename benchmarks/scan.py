"""`scan` to disk against the bare forward passes of the same batches, and its memory.

Run with ``python -m benchmarks.scan``. Every way runs the model's body alone, on the same padded
batches in inference mode; nnsight is measured where it is installed. The ways take turns, so that
whatever else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from cortiscope import StimulusSet, Subject, scan
from cortiscope.scanning.positions import gather_index
from cortiscope.scanning.presentation import present

BATCH_SIZE = 32
FRAMES = {
    "card": "the card said {word}",
    "paper": "on the old paper somebody had written {word}",
    "asked": "they asked me about {word} again and again",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", help="a subject to load; by default GPT-2 of random weights")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--units", type=int, default=768)
    parser.add_argument("--stimuli", type=int, default=240)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)  # a child process
    options = parser.parse_args()
    if options.memory_of:
        print(json.dumps(_memory_of(options.memory_of)))
        return
    stimuli = _stimuli(options.stimuli)
    if options.subject:
        subject = Subject.load(options.subject)
    else:
        subject = _gpt2(options.layers, options.units)
    _print_ratios(subject, stimuli, options.repeats)
    _print_memory()


def _print_ratios(subject: Subject, stimuli: StimulusSet, repeats: int) -> None:
    ways = _ways(subject, stimuli)
    wall: dict[str, list[float]] = {name: [] for name in ways}
    work: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            began, began_work = time.perf_counter(), time.process_time()
            way()
            if repeat:  # the first round warms up
                wall[name].append(time.perf_counter() - began)
                work[name].append(time.process_time() - began_work)
    anatomy = subject.anatomy
    table = Table(
        title=f"{subject.name}: {len(stimuli):,} stimuli, resid_post of {anatomy.n_layers} layers "
        f"× {anatomy.n_units} units, {torch.get_num_threads()} threads",
        caption="Medians. Processor time counts all threads, and suffers less from neighbours.",
    )
    table.add_column("")
    for column in ("seconds", "lowest to highest", "ratio", "processor seconds", "ratio"):
        table.add_column(column, justify="right")
    reference = next(iter(ways))
    for name, times in wall.items():
        table.add_row(
            name,
            f"{statistics.median(times):.2f}",
            f"{min(times):.2f} to {max(times):.2f}",
            f"{statistics.median(times) / statistics.median(wall[reference]):.3f}",
            f"{statistics.median(work[name]):.2f}",
            f"{statistics.median(work[name]) / statistics.median(work[reference]):.3f}",
        )
    Console(width=110).print(table)


def _ways(subject: Subject, stimuli: StimulusSet) -> dict[str, Callable[[], None]]:
    """Name each way of getting the target's activations, bare passes first."""
    body, n_layers = subject.anatomy.body, subject.anatomy.n_layers
    folder = Path(tempfile.mkdtemp())
    shown = present(subject, stimuli, "target_last", BATCH_SIZE)

    def batches() -> Iterator[tuple[dict[str, Tensor], Tensor, Tensor]]:
        for batch in shown.batches:
            members = shown.members(batch)
            inputs = subject.collate([item.tokens for item in members], length=batch.length)
            lengths = [len(item.tokens) for item in members]
            index, _ = gather_index(
                [item.recorded for item in members], lengths, batch.length, "right"
            )
            yield inputs, torch.arange(len(members)), torch.from_numpy(index[:, 0])

    @torch.inference_mode()
    def bare() -> None:
        for inputs, _, _ in batches():
            subject.forward(inputs)

    def to_disk() -> None:
        shutil.rmtree(folder / "scan.zarr", ignore_errors=True)
        scan(subject, stimuli, ["resid_post"], out=folder / "scan.zarr", batch_size=BATCH_SIZE)

    @torch.inference_mode()
    def hidden_states() -> None:
        kept = []
        for inputs, rows, at in batches():
            output = body(**inputs, use_cache=False, output_hidden_states=True)
            kept.append(torch.stack([state[rows, at] for state in output.hidden_states], dim=1))
        np.save(folder / "hidden_states.npy", torch.cat(kept).numpy())

    ways = {
        "bare forward passes": bare,
        "cortiscope.scan, to disk": to_disk,
        "output_hidden_states, to one file": hidden_states,
    }
    try:
        import nnsight
    except ImportError:
        print("nnsight is not installed: left out.")
        return ways
    traced = nnsight.NNsight(body)
    blocks = body.get_submodule(subject.anatomy.family.blocks)

    def nnsight_trace() -> None:
        wrapped = traced.get(subject.anatomy.family.blocks)
        kept = []
        for inputs, rows, at in batches():
            with torch.inference_mode(), traced.trace(**inputs, use_cache=False):
                states = nnsight.save([])
                for block in wrapped:
                    output = block.output
                    stream = output[0] if isinstance(output, tuple) else output
                    states.append(stream[rows, at])
            kept.append(torch.stack(states, dim=1))
        assert len(blocks) == n_layers == kept[0].shape[1]
        np.save(folder / "nnsight.npy", torch.cat(kept).numpy())

    return {**ways, f"nnsight {nnsight.__version__}, to one file": nnsight_trace}


def _print_memory() -> None:
    """Compare children that scan few and many stimuli by the most memory that they ever had."""
    peaks = {}
    for n_stimuli in (1_200, 12_000):
        command = [sys.executable, "-m", "benchmarks.scan", "--memory-of", str(n_stimuli)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[n_stimuli] = json.loads(done.stdout.splitlines()[-1])
    table = Table(title="Peak memory of a scan, 12 layers × 256 units")
    for column in ("stimuli", "recorded (MB)", "peak memory (MB)", "during the scan (MB)"):
        table.add_column(column, justify="right")
    for n_stimuli, peak in peaks.items():
        table.add_row(
            f"{n_stimuli:,}",
            *(f"{peak[key] / 1e6:,.0f}" for key in ("recorded", "peak", "during")),
        )
    growth = peaks[12_000]["peak"] - peaks[1_200]["peak"]
    Console(width=100).print(table)
    print(f"growth from 1,200 to 12,000 stimuli: {growth / 1e6:.0f} MB")


def _memory_of(n_stimuli: int) -> dict[str, int]:
    stimuli = _stimuli(n_stimuli)
    subject = _gpt2(n_layers=12, n_units=256, n_inner=64)
    before = _peak()
    with tempfile.TemporaryDirectory() as folder:
        recording = scan(subject, stimuli, ["resid_post"], out=Path(folder) / "a.zarr")
        recorded = int(recording.data["resid_post"].nbytes)
    return {"recorded": recorded, "peak": _peak(), "during": _peak() - before}


def _peak() -> int:
    # A child inherits getrusage's peak from the parent that started it; the kernel's own figure
    # for this program begins with it.
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _stimuli(n_stimuli: int) -> StimulusSet:
    n_words = n_stimuli // len(FRAMES)
    words = {f"c{c}": [f"w{word}" for word in range(c, n_words, 10)] for c in range(10)}
    return StimulusSet.from_words(words, FRAMES, name=f"{n_stimuli:,} sentences")


def _gpt2(n_layers: int, n_units: int, n_inner: int | None = None) -> Subject:
    """Make a random GPT-2 that reads words, and numbers by their digits."""
    splits = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=True)]
    )
    words = {word for frame in FRAMES.values() for word in frame.format(word="w").split()}
    vocabulary = {word: at for at, word in enumerate(["?", *"0123456789", *sorted(words)])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    backend.pre_tokenizer = splits
    config = GPT2Config(
        vocab_size=len(vocabulary),
        n_layer=n_layers,
        n_embd=n_units,
        n_inner=n_inner,
        n_head=n_units // 64,
        n_positions=64,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="?")
    return Subject.from_model(GPT2LMHeadModel(config), tokenizer, name="GPT-2 of random weights")


if __name__ == "__main__":
    main()
