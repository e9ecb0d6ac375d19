"""`stimulate` against full passes with hooks, and against nnsight: the same sweep, same numbers.

Run with ``python -m benchmarks.stimulate``. At every layer of a random GPT-2, a number of random
directions are injected, each by itself, from the target's last token on; read is the last layer's
stream there (with ``--positions all``, injected into the whole text and read at its end, so that no
token can be left out). `stimulate` is measured with all that it does: self-check, proofs, labels.
The ways take turns, so that whatever else the machine does meets all of them. The others can be
measured on a part of the conditions (``--of-others``), whose numbers are compared, and scaled: what
they take is the same for every condition.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.scan import _gpt2, _stimuli
from cortiscope import StimulusSet, Subject
from cortiscope.codes import Direction
from cortiscope.scanning.positions import gather_index
from cortiscope.scanning.presentation import present
from cortiscope.stimulation import (
    Condition,
    Inject,
    Needs,
    Outputs,
    Readout,
    Row,
    Where,
    stimulate,
    stimulus_rows,
)


class LastStream(Readout):
    """The last layer's stream at the target's last token, or the text's."""

    name = "stream"
    fingerprint = ""

    def __init__(self, n_layers: int, *, at_end: bool) -> None:
        self._place = ("resid_post", n_layers - 1)
        self._at_end = at_end
        self.fingerprint = f"the last layer's stream at the end: {at_end}"

    @property
    def needs(self) -> Needs:
        """Name the last layer's stream."""
        return Needs(captures=(self._place,))

    def rows(self, subject: Subject, stimuli: StimulusSet) -> list[Row]:
        """Show every stimulus as it is."""
        if self._at_end:
            return stimulus_rows(subject, stimuli, lambda tokens, _target: (len(tokens) - 1,))
        return stimulus_rows(subject, stimuli, lambda _tokens, target: target[-1:])

    def read(self, outputs: Outputs) -> dict[str, Any]:
        """Give the stream itself."""
        return {"stream": outputs.captures[self._place][:, 0].cpu().numpy()}

    def lay_out(self, values: Mapping[str, Any], stimuli: StimulusSet) -> xr.Dataset:
        """Name the axes."""
        ids = stimuli.table["stimulus_id"].tolist()
        return xr.Dataset(
            {"stream": (("condition", "stimulus", "unit"), values["stream"])}, {"stimulus": ids}
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--units", type=int, default=768)
    parser.add_argument("--conditions", type=int, default=200, help="at each layer")
    parser.add_argument("--stimuli", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--site", default="resid_pre", choices=["resid_pre", "resid_post"])
    parser.add_argument("--positions", default="from_target", choices=["from_target", "all"])
    parser.add_argument("--of-others", type=int, help="conditions at each layer that others do")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    subject = _gpt2(options.layers, options.units)
    stimuli = _stimuli(options.stimuli)
    conditions = _conditions(subject, options.site, options.positions, options.conditions)
    n_of_others = min(options.of_others or options.conditions, options.conditions)
    part = [at for at in range(len(conditions)) if at % options.conditions < n_of_others]
    for way in _ways(subject, stimuli, conditions[:1], [0], options.batch_size).values():
        way()  # hashes the weights, and warms up
    ways = _ways(subject, stimuli, conditions, part, options.batch_size)
    numbers, wall, work = {}, {name: [] for name in ways}, {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            began, began_work = time.perf_counter(), time.process_time()
            found = way()
            is_ours = len(found) == len(conditions)
            scale = 1.0 if is_ours else len(conditions) / len(part)
            numbers[name] = found[part] if is_ours else found
            wall[name].append(scale * (time.perf_counter() - began))
            work[name].append(scale * (time.process_time() - began_work))
    if len(part) < len(conditions):
        print(f"All ways but the first: {len(part):,} of the conditions, and scaled.")
    n_run = [options.layers - item.n_untouched(options.layers) for item in conditions]
    print(
        f"layers run by a condition on average: {np.mean(n_run):.2f} of {options.layers}, ", end=""
    )
    print(f"which alone can give {options.layers / np.mean(n_run):.2f} times the speed")
    _print(subject, stimuli, len(conditions), numbers, wall, work)


def _print(
    subject: Subject,
    stimuli: StimulusSet,
    n_conditions: int,
    numbers: dict[str, np.ndarray],
    wall: dict[str, list[float]],
    work: dict[str, list[float]],
) -> None:
    ours = next(iter(wall))
    scale = float(np.sqrt(np.square(numbers[ours]).mean()))
    table = Table(
        title=f"{subject.name}: {n_conditions:,} conditions × {len(stimuli):,} stimuli, "
        f"{subject.anatomy.n_layers} layers × {subject.anatomy.n_units} units, "
        f"{torch.get_num_threads()} threads",
        caption="Medians, and how many times as long as ours. Processor time counts all threads, "
        "and suffers less from neighbours. Difference from ours as a share of the RMS.",
    )
    table.add_column("")
    for column in ("seconds", "times", "processor seconds", "times", "difference"):
        table.add_column(column, justify="right")
    for name in wall:
        seconds, processor = statistics.median(wall[name]), statistics.median(work[name])
        table.add_row(
            name,
            f"{seconds:.2f}",
            f"{seconds / statistics.median(wall[ours]):.2f}",
            f"{processor:.2f}",
            f"{processor / statistics.median(work[ours]):.2f}",
            f"{np.abs(numbers[name] - numbers[ours]).max() / scale:.1e}",
        )
    Console(width=110).print(table)


def _conditions(subject: Subject, site: str, positions: str, n: int) -> list[Condition]:
    rng = np.random.default_rng(0)
    return [
        Condition(
            f"{layer}: {nth}",
            Inject(
                Direction.from_vector(
                    rng.normal(size=subject.anatomy.n_units), site=site, layer=layer, name=str(nth)
                ),
                1.0,
                Where(site, layer, positions),
            ),
        )
        for layer in range(subject.anatomy.n_layers)
        for nth in range(n)
    ]


Way = Callable[[], np.ndarray]


def _ways(
    subject: Subject,
    stimuli: StimulusSet,
    conditions: Sequence[Condition],
    of_others: Sequence[int],
    batch_size: int,
) -> dict[str, Way]:
    """Give each way; those that are not ours do some of the conditions."""
    at_end = conditions[0].positions == "all"
    readout = LastStream(subject.anatomy.n_layers, at_end=at_end)
    some = [conditions[at] for at in of_others]

    def ours(conditions: Sequence[Condition], *, fast: bool) -> np.ndarray:
        response = stimulate(
            subject, stimuli, conditions, [readout], batch_size=batch_size, fast=fast
        )
        return np.asarray(response.data["stream"].values)

    ways: dict[str, Way] = {
        "cortiscope.stimulate": lambda: ours(conditions, fast=True),
        "full passes with hooks": lambda: _by_hooks(subject, stimuli, some, batch_size),
        "cortiscope.stimulate, full passes": lambda: ours(some, fast=False),
    }
    try:
        import nnsight
    except ImportError:
        print("nnsight is not installed: left out.")
        return ways
    traced = nnsight.NNsight(subject.anatomy.body)
    name = f"nnsight {nnsight.__version__}"
    return {
        **ways,
        name: lambda: _by_nnsight(nnsight, traced, subject, stimuli, some, batch_size),
    }


Batch = tuple[dict[str, Tensor], Tensor, Tensor, list[int]]


def _batches(
    subject: Subject, stimuli: StimulusSet, batch_size: int, *, whole: bool
) -> list[Batch]:
    """Give inputs, where each row is read, which tokens are stimulated, and which rows."""
    shown = present(subject, stimuli, "last" if whole else "target_last", batch_size)
    found = []
    for batch in shown.batches:
        members = shown.members(batch)
        inputs = subject.collate([item.tokens for item in members], length=batch.length)
        lengths = [len(item.tokens) for item in members]
        index, _ = gather_index([item.recorded for item in members], lengths, batch.length, "right")
        at = torch.from_numpy(index[:, 0])
        columns = torch.arange(batch.length)
        first = torch.zeros_like(at) if whole else at
        acts = (columns >= first[:, None]) & inputs["attention_mask"].bool()
        found.append((inputs, at, acts[..., None].float(), list(batch.stimuli)))
    return found


def _vector(condition: Condition) -> tuple[str, int, Tensor]:
    inject = condition.interventions[0]
    assert isinstance(inject, Inject)
    return inject.where.site, inject.where.layers[0], torch.from_numpy(inject.vector).float()


@torch.inference_mode()
def _by_hooks(
    subject: Subject, stimuli: StimulusSet, conditions: Sequence[Condition], batch_size: int
) -> np.ndarray:
    blocks = subject.anatomy.blocks
    found = np.empty((len(conditions), len(stimuli), subject.anatomy.n_units), dtype=np.float32)
    whole = conditions[0].positions == "all"
    for inputs, at, acts, rows in _batches(subject, stimuli, batch_size, whole=whole):
        for nth, condition in enumerate(conditions):
            site, layer, vector = _vector(condition)
            added = acts * vector
            kept = []
            if site == "resid_pre":
                handle = blocks[layer].register_forward_pre_hook(
                    lambda _module, args, added=added: (args[0] + added, *args[1:])
                )
            else:
                handle = blocks[layer].register_forward_hook(
                    lambda _module, _args, output, added=added: output + added
                )
            last = blocks[-1].register_forward_hook(
                lambda _module, _args, output, kept=kept: kept.append(output)
            )
            subject.forward(inputs)
            handle.remove()
            last.remove()
            found[nth, rows] = kept[0][torch.arange(len(rows)), at].numpy()
    return found


def _by_nnsight(
    nnsight: Any,
    traced: Any,
    subject: Subject,
    stimuli: StimulusSet,
    conditions: Sequence[Condition],
    batch_size: int,
) -> np.ndarray:
    blocks = traced.get(subject.anatomy.family.blocks)
    found = np.empty((len(conditions), len(stimuli), subject.anatomy.n_units), dtype=np.float32)
    whole = conditions[0].positions == "all"
    for inputs, at, acts, rows in _batches(subject, stimuli, batch_size, whole=whole):
        columns = torch.arange(len(rows))
        for nth, condition in enumerate(conditions):
            site, layer, vector = _vector(condition)
            added = acts * vector
            with torch.inference_mode(), traced.trace(**inputs, use_cache=False):
                if site == "resid_pre":
                    blocks[layer].input = blocks[layer].input + added
                else:
                    blocks[layer].output = blocks[layer].output + added
                kept = nnsight.save(blocks[-1].output[columns, at])
            found[nth, rows] = kept.numpy()
    return found


if __name__ == "__main__":
    main()
